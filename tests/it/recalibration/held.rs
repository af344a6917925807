//! Sessions that are signed with a maintenance key which the gateway holds.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use calibd::domain::trust::envelope::Envelope;
use calibd::domain::trust::key::PrivateKey;
use serde_json::{Value, json};

use super::bench::Bench;
use super::certified::OFFICE;
use super::{POINTS, stderr, stdout};
use crate::support::control::post;

/// A bench whose gateway holds the private key of this name.
fn holding(name: &str) -> Bench {
    Bench::made(|authority| {
        let key = authority.path(format!("{name}.key.pem"));
        format!("{OFFICE}[recalibration]\nkey_file = \"{}\"\n", key.display())
    })
}

fn keyid(bench: &Bench, name: &str) -> String {
    let text = fs::read_to_string(bench.key(name)).unwrap();
    PrivateKey::from_pem(&text).unwrap().public().id().to_string()
}

#[test]
fn without_a_key_of_ones_own_the_gateways_signs_and_the_certificate_says_for_whom() {
    let bench = holding("technician");
    let key = keyid(&bench, "technician");
    assert_eq!(bench.get("/v1/sessions")["gateway_key"], json!(key));
    let points = bench.file("points.csv", POINTS);
    let output = bench.calibctl(&["recalibrate", "co-1", "--points", &points, "--yes"]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}{}", stderr(&output));
    let state = bench.get("/v1/sessions?all=true")["sessions"][0].take();
    let actor = state["by"].as_str().unwrap();
    let name = actor.strip_prefix("user:").unwrap();
    let line = format!("signed with the gateway's maintenance key {key} on behalf of {actor}");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    // Under the transform, and under the certificate.
    assert_eq!(said.matches(&line).count(), 2, "{said}");

    let whole = bench.get(&format!("/v1/sessions/{}", state["id"].as_str().unwrap()));
    let approval = &whole["session"]["approval"];
    assert_eq!((&approval["gateway_key"], &approval["by"]), (&json!(true), &json!(actor)));
    let transform: Value =
        serde_json::from_str(whole["session"]["candidate"]["payload"].as_str().unwrap()).unwrap();
    assert_eq!(transform["provenance"]["author"], json!(actor));
    let rows = bench.get("/v1/audit?limit=10000")["rows"].take();
    let row = |action: &str| rows.as_array().unwrap().iter().find(|row| row["action"] == action).unwrap();
    assert_eq!(
        (&row("session.approved")["actor"], &row("certificate.issued")["actor"]),
        (&json!(actor), &json!(actor))
    );
    let detail = row("session.approved")["detail"].to_string();
    assert!(detail.contains("gateway_key") && detail.contains(&key), "{detail}");

    let number = bench.get("/v1/certificates")["certificates"][0]["number"].as_str().unwrap().to_owned();
    let file = bench.path("signed.json");
    bench.does(&["certificate", "export", &number, "--format", "signed", "-o", &file]);
    let content: Value =
        serde_json::from_slice(&Envelope::parse(&fs::read(&file).unwrap()).unwrap().payload).unwrap();
    let about = &content["about"];
    assert_eq!(about["signed_by"]["technicians"], json!([key]));
    assert_eq!(about["signed_by"]["held"], json!([key]));
    // Not the label of the key: that says who holds it.
    assert_eq!(about["authorised_by"]["name"], json!(name));
    let verify = |more: &[&str]| {
        let mut verify = Command::new(env!("CARGO_BIN_EXE_calibctl"));
        verify.args(["verify", &file]).args(more).arg("--root").arg(bench.authority.root());
        stdout(&verify.output().unwrap())
    };
    let report: Value = serde_json::from_str(&verify(&["--json"])).unwrap();
    assert_eq!(report["verdict"], "accepted", "{report}");
    let sentence = format!("Signed with a maintenance key that gateway gw-1 holds, on behalf of {name}.");
    assert!(report["notes"].to_string().contains(&sentence), "{report}");
    for format in ["html", "dcc"] {
        let document = bench.calibctl(&["certificate", "export", &file, "--format", format]);
        assert!(stdout(&document).contains(&sentence), "{format}: {}", stderr(&document));
    }
    let shown = stdout(&bench.calibctl(&["certificate", "show", &number]));
    assert!(shown.contains("signed with a key that the gateway holds"), "{shown}");
}

#[test]
fn a_held_key_that_may_not_is_refused_and_ones_own_still_counts() {
    let bench = holding("stranger");
    let points = bench.file("points.csv", POINTS);
    let script = ["recalibrate", "co-1", "--points", &points, "--yes"];
    let told = stderr(&bench.calibctl(&script));
    assert!(told.contains("unknown_key"), "{told}");
    let state = bench.get("/v1/sessions")["sessions"][0].take();
    assert_eq!(state["stage"], "preview", "{state}");
    let path = format!("/v1/sessions/{}/approve", state["id"].as_str().unwrap());
    let body = br#"{"gateway_key": true, "envelope": "{}"}"#;
    let both = post(&bench.socket("maintenance"), &path, body);
    assert!(both.status == 409 && both.text().contains("send envelope or gateway_key"), "{}", both.text());
    let elsewhere = post(&bench.socket("control"), &path, br#"{"gateway_key": true}"#);
    assert_eq!(elsewhere.status, 403);
    let key = bench.key("technician");
    let output = bench.calibctl(&[&script[..], &["--key", &key, "--resume"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(!stdout(&output).contains("on behalf of"));
    let number = bench.get("/v1/certificates")["certificates"][0]["number"].as_str().unwrap().to_owned();
    let content = bench.get(&format!("/v1/certificates/{number}"))["envelope"].to_string();
    let about =
        serde_json::from_slice::<Value>(&Envelope::parse(content.as_bytes()).unwrap().payload).unwrap();
    assert!(about["about"]["signed_by"]["held"].is_null(), "{about}");
}

#[test]
fn a_gateway_that_holds_no_key_signs_nothing() {
    let bench = Bench::with(OFFICE);
    assert_eq!(bench.get("/v1/sessions")["gateway_key"], json!(null));
    let points = bench.file("points.csv", POINTS);
    let told = stderr(&bench.calibctl(&["recalibrate", "co-1", "--points", &points, "--yes"]));
    assert!(told.contains("this gateway holds none: give --key FILE"), "{told}");
    assert_eq!(bench.audited("session."), [""; 0], "nothing is measured that nobody could sign");
    let (id, _) = bench.previewed();
    let ask = |what: &str, body: &[u8]| {
        post(&bench.socket("maintenance"), &format!("/v1/sessions/{id}/{what}"), body)
    };
    let refused = ask("approve", br#"{"gateway_key": true}"#);
    assert!(
        refused.status == 409 && refused.text().contains("key_file in [recalibration]"),
        "{}",
        refused.text()
    );
    bench.session(&id, "discard", json!({}));
    // Nor does it sign a certificate that names somebody else's key.
    let technician = keyid(&bench, "technician");
    let path = format!("/v1/sessions/{id}/certificate");
    let offer =
        crate::support::control::get(&bench.socket("maintenance"), &format!("{path}?key={technician}"));
    let envelope = offer.json()["envelope"].to_string();
    let refused = ask("certificate?gateway_key=true", envelope.as_bytes());
    assert!(
        refused.status == 409 && refused.text().contains("holds no maintenance key"),
        "{}",
        refused.text()
    );
    assert_eq!(ask("certificate?gateway_key=perhaps", envelope.as_bytes()).status, 400);
    assert_eq!(bench.audited("certificate."), [""; 0]);
}

#[test]
fn a_held_key_that_others_can_open_stops_the_start_and_its_use() {
    let bench = holding("technician");
    let key = bench.key("technician");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let configured = bench.gateway.configured();
    let calibd = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calibd"));
        command.args(words).arg("--config").arg(&configured).output().unwrap()
    };
    for words in [&["check"][..], &[]] {
        let output = calibd(words);
        assert_eq!(output.status.code(), Some(78), "{words:?}: {}", stderr(&output));
        let told = stderr(&output);
        assert!(
            told.contains("recalibration.key_file: ") && told.contains("can be opened by others"),
            "{told}"
        );
        assert!(told.contains("run `chmod 600 "), "{told}");
    }
    // The one that runs does not use it any more.
    assert_eq!(bench.get("/v1/sessions")["gateway_key"], json!(null));
    // A folder that systemd has closed to others needs no bits.
    let folder = std::path::Path::new(&key).parent().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_calibd"));
    command.arg("check").arg("--config").arg(&configured).env("CREDENTIALS_DIRECTORY", folder);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}
