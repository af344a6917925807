//! The list of attacks in the documentation.

use std::collections::BTreeSet;
use std::fs;

use calibd::domain::trust::reason::Reason;

use crate::house::files::{repository, rust_files};

/// Rows of the table: what the first column names, and the last one.
fn rows() -> Vec<(String, String)> {
    let text = fs::read_to_string(repository().join("docs/reference/attacks.md")).unwrap();
    let (_, table) = text.split_once("<!-- table: attacks -->\n").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    cells.map(|cells| (cells[0].to_owned(), cells[cells.len() - 1].to_owned())).collect()
}

/// What stands between backticks.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// All that tests say, also those beside what they test.
fn tests() -> String {
    let files = ["tests", "src"].iter().flat_map(|folder| rust_files(&repository().join(folder)));
    files.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Whether a test has this name, or tells of an attack by it.
fn is_shown(tests: &str, name: &str) -> bool {
    tests.contains(&format!("\"{name}\"")) || tests.contains(&format!("fn {name}()"))
}

#[test]
fn every_promise_of_the_threat_model_is_shown_by_a_test() {
    let text = fs::read_to_string(repository().join("docs/reference/threat-model.md")).unwrap();
    let (_, promises) = text.split_once("## Promises about transforms and keys").unwrap();
    let (promises, _) = promises.split_once("## What is out of scope").unwrap();
    let tests = tests();
    let mut seen = 0;
    for row in promises
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"))
        .filter(|row| !row.starts_with("| promise |"))
    {
        let shown = row.trim_matches('|').rsplit(" | ").next().unwrap();
        assert!(named(shown).next().is_some(), "nothing shows it: {row}");
        for name in named(shown) {
            assert!(is_shown(&tests, name), "{name}: no test has this name: {row}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn every_attack_of_the_list_is_tried_and_every_reason_is_in_it() {
    let rows = rows();
    let tests = tests();
    let attacks: Vec<_> = rows.iter().flat_map(|(attacks, _)| named(attacks)).collect();
    assert!(attacks.len() > 40, "{attacks:?}");
    for attack in attacks {
        assert!(is_shown(&tests, attack), "{attack}: no test tries it");
    }
    let mut listed = BTreeSet::new();
    listed.extend(rows.iter().flat_map(|(_, reasons)| named(reasons)));
    // A session is no attack of its own.
    for reason in Reason::ALL.into_iter().filter(|reason| *reason != Reason::SessionOpen) {
        assert!(listed.contains(reason.as_str()), "{reason}: no attack of the list meets it");
    }
}
