//! The rules of the house: sizes, commands, links, scripts.

pub mod files;
pub mod links;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use files::{documents, files, repository, rust_files, shown};

/// A file has fewer lines than this.
const MAX_LINES: usize = 500;
/// A binary has fewer lines than this.
const MAX_BIN_LINES: usize = 15;

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

fn too_long(folder: &str, limit: usize) -> Vec<String> {
    let counted = rust_files(&repository().join(folder)).into_iter().map(|path| {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        (shown(&path), lines)
    });
    counted
        .filter(|(_, lines)| *lines >= limit)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect()
}

#[test]
fn no_source_file_reaches_500_lines() {
    let found: Vec<String> =
        ["src", "tests", "benches"].iter().flat_map(|f| too_long(f, MAX_LINES)).collect();
    assert!(found.is_empty(), "split them: {found:#?}");
}

#[test]
fn a_line_at_error_is_an_alarm_or_the_end_of_the_process() {
    // Put together here, so that this file doesn't hold what it looks for.
    let mark = ["tracing::err", "or!("].concat();
    let may = ["src/telemetry/alarm.rs", "src/runtime/quiet.rs", "src/daemon/mod.rs", "src/daemon/stop.rs"];
    let found = rust_files(&repository().join("src")).into_iter().map(|path| shown(&path));
    let found: Vec<String> =
        found.filter(|path| !may.contains(&path.as_str()) && read(path).contains(&mark)).collect();
    assert!(found.is_empty(), "raise an alarm, or let it be a warning: {found:#?}");
}

#[test]
fn the_binaries_stay_thin() {
    let found = too_long("src/bin", MAX_BIN_LINES);
    assert!(found.is_empty(), "move what they do into the library: {found:#?}");
}

#[test]
fn no_test_is_ignored() {
    // Put together here, so that this file doesn't hold what it looks for.
    let marks = [["#[", "ignore"].concat(), ["#[cfg_attr(", "ci"].concat()];
    for path in ["src", "tests", "benches"].iter().flat_map(|folder| rust_files(&repository().join(folder))) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!marks.iter().any(|mark| text.contains(mark)), "{}: make it run or remove it", shown(&path));
    }
}

/// The command below `<!-- command: NAME -->` in the README: the only line of its block.
pub fn readme_command(name: &str) -> String {
    let readme = read("README.md");
    let mark = format!("<!-- command: {name} -->");
    assert_eq!(readme.lines().filter(|line| *line == mark).count(), 1, "README.md holds `{mark}` once");
    let after = readme.lines().skip_while(|line| *line != mark).skip_while(|line| !line.starts_with("```"));
    let block: Vec<&str> = after.skip(1).take_while(|line| !line.starts_with("```")).collect();
    assert_eq!(block.len(), 1, "the block below `{mark}` is one command");
    block[0].to_owned()
}

#[test]
fn ci_runs_the_test_command_of_the_readme() {
    for name in ["main", "tests"] {
        let shown =
            Command::new("bash").arg(repository().join(".ci/run")).args(["--show", name]).output().unwrap();
        assert_eq!(String::from_utf8(shown.stdout).unwrap().trim_end(), readme_command(name));
    }
    let ci = read(".ci/run");
    assert!(ci.contains("tests=$(readme_command tests)") && ci.contains(r#"bash -c "$tests""#));
    assert_eq!(readme_command("tests"), "tests/run");
    assert!(read("tests/run").contains("test --locked --features demo"));
}

#[test]
fn the_main_command_needs_no_other_set_up() {
    assert_eq!(readme_command("main"), "cargo run --locked --features demo -- demo");
}

#[test]
fn scripts_run_and_stop_at_the_first_fault() {
    let mut seen = 0;
    for path in
        [".ci", "tests", "cross", "packaging"].iter().flat_map(|folder| files(&repository().join(folder)))
    {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if !text.lines().next().is_some_and(|line| line.starts_with("#!") && line.contains("bash")) {
            continue;
        }
        seen += 1;
        assert!(text.contains("\nset -euo pipefail\n"), "{}: add `set -euo pipefail`", shown(&path));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{}: chmod +x", shown(&path));
    }
    assert!(seen >= 2, "found {seen} scripts");
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let faults: Vec<String> = documents().iter().flat_map(|path| links::faults(path)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_decision_has_its_own_number() {
    let mut numbers = Vec::new();
    for path in files(&repository().join("docs/decisions")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "README.md" {
            continue;
        }
        let (number, slug) = name.split_once('-').unwrap_or_default();
        let fits = number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit()) && slug.ends_with(".md");
        assert!(fits, "docs/decisions/{name}: name it NNNN-what-was-decided.md");
        numbers.push(number.to_owned());
    }
    let before = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), before, "two decisions share a number");
}
