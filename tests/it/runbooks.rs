//! The runbooks have an entry for everything that calibd says, and for nothing else.

use std::collections::BTreeSet;
use std::fs;

use calibd::domain::alert::Kind;
use calibd::domain::quality::Reasons;
use calibd::domain::trust::reason::Reason;

use crate::house::files::{repository, rust_files};

/// The parts of an entry, in their order.
const PARTS: [&str; 4] = ["- **Means.** ", "- **You see.** ", "- **Do.**\n  1. ", "- **Over.** "];

fn runbook(name: &str) -> String {
    fs::read_to_string(repository().join("docs/runbooks").join(name)).unwrap()
}

/// The entries: their headings and what stands below.
fn entries(text: &str) -> Vec<(&str, &str)> {
    text.split("\n## ").skip(1).map(|entry| entry.split_once('\n').unwrap()).collect()
}

/// Holds that the entries are those of `codes`, in their order, and that each is whole.
fn holds<'a>(name: &str, codes: impl IntoIterator<Item = &'a str>) {
    let text = runbook(name);
    let entries = entries(&text);
    let headings: Vec<&str> = entries.iter().map(|(heading, _)| heading.trim_matches('`')).collect();
    assert_eq!(
        headings,
        codes.into_iter().collect::<Vec<_>>(),
        "docs/runbooks/{name}: an entry for each, in this order"
    );
    for (heading, body) in entries {
        let places: Vec<Option<usize>> = PARTS.iter().map(|part| body.find(part)).collect();
        let whole = places.iter().all(Option::is_some) && places.is_sorted();
        assert!(whole, "docs/runbooks/{name}: {heading}: write {PARTS:?}");
    }
}

#[test]
fn every_alert_has_a_runbook() {
    holds("alerts.md", Kind::ALL.map(Kind::as_str));
}

#[test]
fn every_refusal_has_a_runbook() {
    holds("refusals.md", Reason::ALL.map(Reason::as_str));
}

#[test]
fn every_reason_of_a_reading_has_a_runbook() {
    holds("readings.md", Reasons::from_bits(u32::MAX).names());
}

/// The sources of the program without their tests, with texts over several lines as one.
fn sources() -> String {
    let files = rust_files(&repository().join("src")).into_iter();
    let files = files.filter(|path| !path.iter().any(|part| part == "tests" || part == "tests.rs"));
    let files = files.map(|path| fs::read_to_string(path).unwrap());
    let program =
        files.map(|text| text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned());
    let whole: String = program.collect();
    // A backslash at the end of a line joins it with the next one.
    whole.split("\\\n").map(str::trim_start).collect()
}

/// The causes in `<!-- alarm: ... -->` of an entry.
fn causes(body: &str) -> BTreeSet<&str> {
    let (_, after) = body.split_once("<!-- alarm: ").unwrap();
    after.split_once(" -->").unwrap().0.split(' ').collect()
}

#[test]
fn every_alarm_has_a_runbook_with_the_words_of_the_program() {
    let (text, sources) = (runbook("alarms.md"), sources());
    let entries = entries(&text);
    holds("alarms.md", entries.iter().map(|(heading, _)| *heading));
    let told: BTreeSet<&str> = entries.iter().flat_map(|(_, body)| causes(body)).collect();
    let raised = sources.split("raise(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let raised: BTreeSet<&str> = raised.collect();
    assert!(raised.len() > 10, "{raised:?}");
    assert!(
        raised.is_subset(&told),
        "no entry in docs/runbooks/alarms.md: {:?}",
        raised.difference(&told).collect::<Vec<_>>()
    );
    for cause in told {
        assert!(sources.contains(&format!("\"{cause}\"")), "docs/runbooks/alarms.md: no alarm is `{cause}`");
    }
    let mut compared = 0;
    for (heading, body) in entries {
        let (_, seen) = body.split_once(PARTS[1]).unwrap();
        let seen = seen.lines().next().unwrap();
        // Odd pieces stand between backticks; `...` stands for what differs.
        let sentences = seen.split('`').skip(1).step_by(2).filter(|sentence| sentence.contains(' '));
        for piece in sentences.flat_map(|sentence| sentence.split("...")).map(str::trim) {
            let words = piece.trim_matches([';', ':', '(', ')', ' ']);
            let said = words.len() < 6 || sources.contains(words);
            assert!(said, "docs/runbooks/alarms.md: {heading}: calibd does not say `{words}`");
            compared += 1;
        }
    }
    assert!(compared > 15, "{compared}");
}
