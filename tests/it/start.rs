//! The first ten minutes of the documentation, block by block.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::house::files::repository;
use crate::support::process::{Process, run};
use crate::support::wait::until_true;

/// The commands below `<!-- start: NAME -->`.
fn block(name: &str) -> String {
    let text = fs::read_to_string(repository().join("docs/start.md")).unwrap();
    let (_, after) = text.split_once(&format!("<!-- start: {name} -->\n```bash\n")).unwrap();
    after.split_once("```").unwrap().0.to_owned()
}

/// A shell in the folder, with the programs within reach.
fn shell(folder: &Path, commands: &str) -> Command {
    let programs = Path::new(env!("CARGO_BIN_EXE_calibctl")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", commands]).current_dir(folder).env("PATH", path);
    bash
}

#[test]
fn the_first_ten_minutes_go_as_they_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let desk = folder.path();
    let does = |name: &str| run(&mut shell(desk, &block(name)));
    let data = repository().join("src/demo/data");
    run(&mut shell(desk, &block("data").replace("/usr/share/doc/calibd/examples", data.to_str().unwrap())));
    does("keys");
    assert!(does("configuration").contains("valid, 1 source, 1 sensor"));

    // The shell of the page would run it in the background; here it is ended with the test.
    let foreground = block("run").replace(" > calibd.log 2>&1 &\n", "");
    let mut gateway = Process::start(
        &shell(desk, &format!("cd '{}' && exec {foreground}", desk.display())),
        &desk.join("calibd.log"),
    );
    until_true("the control socket", || desk.join("run/admin.sock").exists());
    let said = does("raw");
    assert!(said.contains("first of home"), "{said}");
    assert_eq!(said.matches("raw_only").count(), 3, "{said}");

    assert!(does("fit").contains("standard error"));
    let said = does("sign");
    assert!(said.contains("co version 1: in force at 1 sensor"), "{said}");
    assert!(said.lines().last().unwrap().contains("mg/m3"), "{said}");
    let said = does("stranger");
    assert!(said.contains("that is how it should be") && said.contains("unknown_key"), "{said}");
    assert!(said.contains("transform.activated"), "{said}");
    assert_eq!(gateway.stop().code(), Some(0));
}
