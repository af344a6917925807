//! The ceremony of the handbook, command by command.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::house::files::repository;
use crate::support::process::run;
use crate::support::trust::transform;

/// The commands below `<!-- keys: NAME -->` in the handbook.
fn block(name: &str) -> String {
    let text = fs::read_to_string(repository().join("docs/fleet/keys.md")).unwrap();
    let (_, after) = text.split_once(&format!("<!-- keys: {name} -->\n")).unwrap();
    let (_, after) = after.split_once("```bash\n").unwrap();
    after.split_once("```").unwrap().0.to_owned()
}

/// Runs commands in a folder, with calibctl within reach.
fn shell(folder: &Path, commands: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_calibctl")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let mut bash = Command::new("bash");
    run(bash.args(["-euo", "pipefail", "-c", commands]).current_dir(folder).env("PATH", path))
}

#[test]
fn the_ceremony_makes_a_root_that_two_of_three_renew_and_a_transform_that_passes() {
    let desk = tempfile::tempdir().unwrap();
    let made = shell(desk.path(), &["root", "others", "init", "show"].map(block).concat());
    assert!(made.contains("root: 2 of 3 keys"), "{made}");
    fs::write(desk.path().join("co-1.json"), transform(1).to_string()).unwrap();
    let judged = shell(desk.path(), &block("sign"));
    assert!(judged.starts_with("accepted") || judged.contains("\naccepted"), "{judged}");

    shell(desk.path(), &block("next"));
    shell(desk.path(), &block("first"));
    let once = shell(desk.path(), "calibctl verify root-2.json --root root.json || true");
    assert!(once.contains("threshold_not_met"), "{once}");
    let twice = shell(desk.path(), &["second", "check"].map(block).concat());
    assert!(twice.contains("\naccepted"), "{twice}");
    assert!(twice.contains("fleet-2026 (retired)") && twice.contains("fleet-2027 (active)"), "{twice}");
}
