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

#[test]
fn every_attack_of_the_list_is_tried_and_every_reason_is_in_it() {
    let rows = rows();
    let tests = rust_files(&repository().join("tests")).into_iter();
    let tests: String = tests.map(|path| fs::read_to_string(path).unwrap()).collect();
    let attacks: Vec<_> = rows.iter().flat_map(|(attacks, _)| named(attacks)).collect();
    assert!(attacks.len() > 40, "{attacks:?}");
    for attack in attacks {
        let tried = tests.contains(&format!("\"{attack}\"")) || tests.contains(&format!("fn {attack}()"));
        assert!(tried, "{attack}: no test tries it");
    }
    let mut listed = BTreeSet::new();
    listed.extend(rows.iter().flat_map(|(_, reasons)| named(reasons)));
    // A session is no attack of its own.
    for reason in Reason::ALL.into_iter().filter(|reason| *reason != Reason::SessionOpen) {
        assert!(listed.contains(reason.as_str()), "{reason}: no attack of the list meets it");
    }
}
