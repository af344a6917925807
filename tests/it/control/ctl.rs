//! calibctl's commands for the gateway against a running calibd.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::{gateway, socket, started};

pub fn calibctl(words: &[&str], socket: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calibctl"));
    command.args(words).arg("--socket").arg(socket).output().unwrap()
}

/// What it prints; it has to succeed.
pub fn prints(words: &[&str], socket: &Path) -> String {
    let output = calibctl(words, socket);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {} {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_works_against_a_running_calibd() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let socket = socket(&gateway);
    let json = |words: &[&str]| -> Value { serde_json::from_str(&prints(words, &socket)).unwrap() };
    assert!(prints(&["status"], &socket).starts_with("gw-1 of plant-7: 2 things need attention\n"));
    assert_eq!(json(&["status", "--json"])["gateway"], "gw-1");
    assert!(prints(&["sensors"], &socket).contains("past"));
    assert_eq!(json(&["sensors", "--json"])["sensors"].as_array().unwrap().len(), 2);
    let one = prints(&["sensor", "past"], &socket);
    assert!(one.contains("119 mV raw") && one.contains("▁") && one.contains("█"), "{one}");
    let range = ["readings", "past", "--since", "2026-03-10T08:10:00Z", "--until", "2026-03-10T08:20:00Z"];
    let csv = prints(&[&range[..], &["--format", "csv"]].concat(), &socket);
    let column =
        |at: usize| csv.lines().skip(1).map(|line| line.split(',').nth(at).unwrap()).collect::<Vec<_>>();
    assert_eq!(column(3), (10..20).map(|minute| minute.to_string()).collect::<Vec<_>>());
    assert_eq!(json(&["readings", "past", "--limit", "7", "--json"])["readings"][0]["raw"], 113.0);
    let hours =
        json(&[&range[..4], &["--until", "2026-03-10T10:00:00Z", "--every", "1h", "--json"]].concat());
    assert_eq!(hours["rollups"][0]["raw"]["n"], 50, "{hours}");
    assert_eq!(hours["rollups"][1]["raw"]["mean"], 89.5, "{hours}");
    assert!(prints(&[&range[..], &["--format", "senml"]].concat(), &socket).contains(r#""bn":"past""#));
    assert!(prints(&["source", "test", "live", "--for", "1s"], &socket).contains("-> now"));
    assert_eq!(json(&["transform", "list", "--json"])["transforms"], Value::Array(vec![]));
    assert_eq!(json(&["audit", "list", "--json"])["after"], Value::Null);
    let lines = prints(&["watch", "now", "--json", "--limit", "3"], &socket);
    assert_eq!(lines.lines().filter(|line| line.contains(r#""sensor":"now""#)).count(), 3);
}

#[test]
fn exit_codes_tell_why_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let code = |path: &str| calibctl(&["status"], &dir.path().join(path)).status.code().unwrap();
    assert_eq!(code("nothing.sock"), 3);
    drop(UnixListener::bind(dir.path().join("stale.sock")).unwrap());
    assert_eq!(code("stale.sock"), 3);
    // What root may do is not asked of the permissions.
    let _listener = UnixListener::bind(dir.path().join("closed.sock")).unwrap();
    std::fs::set_permissions(dir.path().join("closed.sock"), PermissionsExt::from_mode(0o000)).unwrap();
    let us = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(dir.path()).unwrap());
    if us != 0 {
        assert_eq!(code("closed.sock"), 4);
    }
}
