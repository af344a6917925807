//! Certificates away from the gateway: checked, shown and exported, and read by others.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::house::files::repository;
use crate::support::python;

fn example(name: &str) -> PathBuf {
    repository().join("docs/examples/thermometer").join(name)
}

fn calibctl(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_calibctl")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The verdict on a certificate, and the exit code.
fn verdict(certificate: &str, more: &[&str]) -> (Value, i32) {
    let root = example("root.json");
    let base = ["verify", certificate, "--root", root.to_str().unwrap(), "--json"];
    let output = calibctl(&[&base[..], more].concat());
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code().unwrap())
}

#[test]
fn a_certificate_is_believed_years_later_and_a_changed_one_is_not() {
    let (certificate, enrolment) = (example("certificate.json"), example("enrolment.json"));
    let certificate = certificate.to_str().unwrap();
    let (report, code) = verdict(certificate, &["--now", "2036-01-01T00:00:00Z"]);
    assert_eq!((&report["verdict"], code), (&Value::from("accepted"), 0), "{report}");
    assert_eq!(report["number"], "gw-1-2026-0007");
    assert_eq!(report["role"], "maintenance");
    assert_eq!(report["keyids"].as_array().unwrap().len(), 2);
    assert_eq!(report["notes"].as_array().unwrap().len(), 1);
    let enrolled = ["--now", "2036-01-01T00:00:00Z", "--enrolment", enrolment.to_str().unwrap()];
    let (report, code) = verdict(certificate, &enrolled);
    assert_eq!((code, report.get("notes")), (0, None), "{report}");
    let (report, code) = verdict(certificate, &["--now", "2026-01-01T00:00:00Z"]);
    assert_eq!((&report["reason"], code), (&Value::from("not_yet_valid"), 1));

    // the gateway that is named issued it
    let then = ["--now", "2036-01-01T00:00:00Z"];
    let (report, code) = verdict(certificate, &[&then[..], &["--gateway", "gw-1"]].concat());
    assert_eq!((code, &report["not_checked"]), (0, &json!(["out_of_scope"])), "{report}");
    let (report, code) = verdict(certificate, &[&then[..], &["--gateway", "gw-2"]].concat());
    assert_eq!((&report["reason"], code), (&json!("not_for_this_gateway"), 1), "{report}");
    assert!(report["message"].as_str().unwrap().contains("of gw-1, not of gw-2"), "{report}");
    let (report, _) = verdict(certificate, &then);
    assert_eq!(report["not_checked"], json!(["not_for_this_gateway", "out_of_scope"]));

    // one signature taken away
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.json");
    let mut envelope: Value = serde_json::from_slice(&std::fs::read(certificate).unwrap()).unwrap();
    envelope["signatures"].as_array_mut().unwrap().pop();
    std::fs::write(&cut, envelope.to_string()).unwrap();
    let (report, code) = verdict(cut.to_str().unwrap(), &[]);
    assert_eq!((&report["reason"], code), (&Value::from("threshold_not_met"), 1), "{report}");
}

#[test]
fn a_file_is_exported_in_every_format_without_a_gateway() {
    let certificate = example("certificate.json");
    let certificate = certificate.to_str().unwrap();
    for (format, name) in
        [("html", "certificate.html"), ("dcc", "certificate.xml"), ("signed", "certificate.json")]
    {
        let output = calibctl(&["certificate", "export", certificate, "--format", format]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), text(&std::fs::read(example(name)).unwrap()), "{format}");
    }
    let output = calibctl(&["certificate", "export", certificate, "--format", "json"]);
    let payload: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(payload["about"]["number"], "gw-1-2026-0007");
    let wrong = calibctl(&["certificate", "show", example("root.json").to_str().unwrap()]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("holds no certificate"), "{}", text(&wrong.stderr));
}

/// pydcc reads a document of ours, and dsiUnits its units and all others that can stand in one.
#[test]
fn other_programs_read_the_dcc() {
    let script = repository().join("tests/it/certificates.py");
    let units = repository().join("src/document/units.rs");
    let output = Command::new(python::program("python"))
        .args([script, example("certificate.xml"), units])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read["uid"], "gw-1-2026-0007");
    assert_eq!(read["version"], "3.3.0");
    assert_eq!(read["laboratory"], "Example Metrology Service");
    assert_eq!(read["serial"], "T-0815");
    assert_eq!(read["date"], "2026-05-04");
    let left = &read["results"]["as left errors as left error"]["realListXMLList"];
    let list = |name: &str| -> Vec<f64> {
        let text = left.pointer(name).unwrap().as_str().unwrap();
        text.split(' ').map(|number| number.parse().unwrap()).collect()
    };
    let expanded = "/measurementUncertaintyUnivariateXMLList/expandedMUXMLList";
    let errors = list("/valueXMLList");
    assert_eq!(errors.len(), 11);
    assert!((errors[0] - 0.003_116).abs() < 1e-6, "{errors:?}");
    assert!(list(&format!("{expanded}/valueExpandedMUXMLList")).iter().all(|u| (u - 0.008_06).abs() < 5e-6));
    assert_eq!(left["unitXMLList"], r"\kelvin");
    assert!(read["units"].as_u64().unwrap() > 70, "{}", read["units"]);
}
