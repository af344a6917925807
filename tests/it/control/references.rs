//! References and standards, from the command line into the ledger.

use std::path::Path;

use serde_json::{Value, json};

use super::ctl::{calibctl, prints};
use super::{gateway, socket, started};

fn parsed(words: &[&str], socket: &Path) -> Value {
    serde_json::from_str(&prints(&[words, &["--json"]].concat(), socket)).unwrap()
}

#[test]
fn a_technicians_references_are_kept_revised_and_withdrawn() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let (control, maintenance) = (socket(&gateway), gateway.path("run/maintenance.sock"));
    let standard = ["standard", "add", "gas-7", "--value", "500", "--unit", "mV", "--u", "2"];
    let due = ["--due", "2026-03-10T09:00:00Z"];
    assert_eq!(prints(&[&standard[..], &due].concat(), &maintenance), "gas-7 is noted\n");
    assert_eq!(prints(&[&standard[..], &due].concat(), &maintenance), "gas-7 is there already, just so\n");
    let add = |value: &str, unit: &str, standard: &str| {
        let at = ["--at", "2026-03-10T10:00:00Z", "--interval", "1h", "--standard", standard];
        calibctl(&[&["reference", "add", "past", value, unit][..], &at].concat(), &maintenance)
    };
    let told = |value: &str, unit: &str| {
        let output = add(value, unit, "gas-7");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("the standard `gas-7` was overdue"), "{said}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_once(' ').unwrap().1.split_once(' ').unwrap().1.to_owned()
    };
    assert_eq!(told("500", "mV"), "is added\n");
    assert_eq!(told("0.5", "V"), "is there already\n");
    assert_eq!(told("495", "mV"), "is revised: this value counts from now on\n");
    // 500 mV was meant, or a dilution, of which somebody has to say how uncertain it is.
    let contradicts = String::from_utf8(add("500", "uV", "gas-7").stderr).unwrap();
    assert!(
        contradicts.contains("500 uV is not what the standard gas-7 is certified for, 500 mV"),
        "{contradicts}"
    );
    let unknown = String::from_utf8(add("500", "mV", "gas-8").stderr).unwrap();
    assert!(unknown.contains("calibctl standard add gas-8"), "{unknown}");

    let listed = parsed(&["reference", "list", "past"], &control);
    let one = &listed["references"][0];
    assert_eq!((&one["value"], &one["u"], &one["overdue"]), (&json!(495.0), &json!(2.0), &json!(true)));
    assert_eq!((&one["since"], &one["revision"]), (&json!("2026-03-10T09:00:00.000000Z"), &json!(2)));
    let id = one["id"].as_str().unwrap();
    let withdraw = ["reference", "withdraw", "past", id, "--reason", "wrong bottle"];
    assert_eq!(prints(&withdraw, &maintenance), format!("past: {id} is withdrawn\n"));
    assert_eq!(calibctl(&withdraw, &maintenance).status.code(), Some(1), "it is already");
    assert_eq!(
        told("495", "mV"),
        "was withdrawn and stays so: give another value, or another id with --id\n"
    );
    let all = parsed(&["reference", "list", "past", "--all"], &control);
    assert_eq!(all["references"].as_array().unwrap().len(), 3);
    assert_eq!(all["references"][1]["withdrawn"]["reason"], "wrong bottle");
    let diluted =
        ["reference", "add", "past", "50", "mV", "--standard", "gas-7", "--u", "1", "--id", "diluted"];
    assert!(calibctl(&diluted, &maintenance).status.success());
    let refused = ["reference", "add", "past", "500", "mV", "--u", "0"];
    assert_eq!(calibctl(&refused, &maintenance).status.code(), Some(1));
    assert_eq!(calibctl(&refused, &control).status.code(), Some(4), "reading only");
    let kept = parsed(&["standard", "list"], &control);
    assert_eq!(kept["standards"][0]["standard"]["values"][0]["u"], 2.0);
    assert_eq!(parsed(&["audit", "verify"], &control)["whole"], true);
}

#[test]
fn a_file_is_imported_once_and_its_bad_rows_are_told() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let maintenance = gateway.path("run/maintenance.sock");
    // What the sensor said itself.
    let row = |minute: u32| format!("2026-03-10T{:02}:{:02}:30Z;{minute}\n", 8 + minute / 60, minute % 60);
    let rows: String = (0..60).map(row).collect();
    let file = gateway.path("references.csv");
    let bad = "noon;3\n2026-03-10T08:00:30Z;77\n2026-03-10T08:05:00Z;\n2199-01-01T00:00:00Z;1\n";
    std::fs::write(&file, format!("time;value\n{rows}{bad}")).unwrap();
    let import = ["reference", "import", "past", file.to_str().unwrap(), "--unit", "mV", "--u", "0.5"];
    let output = calibctl(&import, &maintenance);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "past: 60 new, 4 refused\n");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for line in [
        "line 62: column `time`: `noon` is not a time",
        "line 63: it is about the same as line 2",
        "line 64: column `value`: the cell is missing",
        "line 65: it ends at 2199-01-01T00:00:00.000000Z, which is later than now",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("warning"), "{said}");
    std::fs::write(&file, format!("time;value\n{rows}")).unwrap();
    let again = parsed(&import, &maintenance);
    assert_eq!((&again["new"], &again["unchanged"]), (&json!(0), &json!(60)));
    assert_eq!(again["agreement"]["best_lag_seconds"], 0.0);
    let audit = parsed(&["audit", "list"], &maintenance);
    let actions = audit["rows"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap());
    assert_eq!(
        actions.filter(|action| action.starts_with("reference")).collect::<Vec<_>>(),
        ["reference.imported"]
    );
}
