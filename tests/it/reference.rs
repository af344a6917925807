//! The reference of the configuration has the keys that calibd reads, no others, and their real defaults; and the
//! manual page `calibd.toml(5)` is made of it.

pub mod page;
mod pages;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use calibd::config::Config;
use calibd::config::fault::Fault;
use calibd::config::reader::read_str;
use calibd::domain::alert::Kind;
use calibd::domain::comparison::{Comparison, Expected};
use calibd::domain::drift::judge::Terms;
use calibd::domain::drift::window::Setup;
use calibd::domain::pairing::How;

use crate::house::files::repository;
use pages::{Section, sections};

fn whole() -> String {
    fs::read_to_string(repository().join("tests/data/config/reference/whole.toml")).unwrap()
}

fn read(text: &str) -> (Option<Config>, Vec<Fault>) {
    read_str("whole.toml", text, Config::read)
}

/// What `#: ` marks in the configuration, in its order.
fn marks(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("#: ")).collect()
}

/// The configuration with lines in the place of marks.
fn marked(text: &str, line: impl Fn(usize, &str) -> String) -> String {
    let mut count = 0;
    let lines = text.lines().map(|old| match old.strip_prefix("#: ") {
        None => old.to_owned(),
        Some(mark) => {
            count += 1;
            line(count - 1, mark)
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn stray(index: usize) -> String {
    format!("qqqqqqqqqq_{index}")
}

/// The keys that calibd knows where the mark stands, as it says where it does not know one.
fn known(faults: &[Fault], index: usize) -> BTreeSet<String> {
    let key = format!(".{}", stray(index));
    let fault =
        faults.iter().find(|fault| fault.key.ends_with(&key)).unwrap_or_else(|| panic!("{key}: {faults:?}"));
    let (_, list) = fault.remedy.split_once("known here: ").unwrap_or_else(|| panic!("{fault}"));
    list.split(", ").map(str::to_owned).collect()
}

fn section<'a>(all: &'a [Section], heading: &str) -> &'a Section {
    let found = all.iter().find(|section| section.heading == heading);
    found.unwrap_or_else(|| panic!("docs/reference/configuration.md has no heading `{heading}`"))
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    let (text, pages) = (whole(), sections());
    let (config, faults) = read(&text);
    assert!(config.is_some() && faults.is_empty(), "{faults:?}");
    let (_, faults) = read(&marked(&text, |index, _| format!("{} = 0", stray(index))));
    let marks = marks(&text);
    assert_eq!(faults.len(), marks.len(), "{faults:?}");
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, mark) in marks.iter().enumerate() {
        let known = known(&faults, index);
        if let Some(heading) = mark.strip_prefix("within ") {
            let told = section(&pages, heading).words();
            wrong.extend(known.difference(&told).map(|key| format!("`{heading}` does not tell of {key}")));
            continue;
        }
        let mut parts = mark.split(" + ");
        let own = parts.next().unwrap();
        seen.insert(own);
        let mut told = section(&pages, own).keys();
        for other in parts {
            match other {
                "kinds" => told.extend(Kind::ALL.map(|kind| kind.as_str().to_owned())),
                heading => told.extend(section(&pages, heading).keys()),
            }
        }
        if own == "[mqtt]" {
            // It is known in order to be refused.
            told.insert("password".to_owned());
        }
        wrong.extend(known.difference(&told).map(|key| format!("`{own}` lacks {key}")));
        wrong.extend(
            told.difference(&known).map(|key| format!("`{own}` has {key}, which calibd does not know")),
        );
    }
    let tables = pages.iter().filter(|section| section.body.contains("| key | what | default |"));
    wrong.extend(
        tables
            .filter(|it| !seen.contains(it.heading.as_str()))
            .map(|it| format!("{} is not held", it.heading)),
    );
    assert!(wrong.is_empty(), "docs/reference/configuration.md: {wrong:#?}");
}

/// A default as it would be written.
fn written(default: &str) -> String {
    let is_bare = default.parse::<f64>().is_ok() || ["true", "false"].contains(&default);
    if is_bare || default.starts_with(['[', '{', '"']) {
        default.to_owned()
    } else {
        format!("\"{default}\"")
    }
}

/// A configuration as it is used: what sensors leave open is decided where it is used.
fn used(config: Option<Config>) -> (Config, Vec<(Terms, Setup, How)>) {
    let mut config = config.unwrap();
    let mut decided = Vec::new();
    for sensor in config.sensors.iter_mut().map(|it| &mut it.sensor) {
        let said = &sensor.comparison;
        decided.push((said.terms(), said.setup(sensor.kind), said.how(None)));
        let expected = Expected { objective: None, baseline: None, ..said.expected };
        sensor.comparison =
            Arc::new(Comparison { grace: None, window: None, expected, ..Comparison::clone(said) });
    }
    (config, decided)
}

/// Written out, these say more than that: the folder is wanted in any case, and no wait has a use without a batch.
const TELLING: [(&str, &str); 2] = [("[control]", "dir"), ("[sink.<name>]", "linger")];

#[test]
fn the_defaults_of_the_reference_are_the_real_ones() {
    let (text, pages) = (whole(), sections());
    let usual = used(read(&text).0);
    let mut compared = 0;
    for (index, mark) in marks(&text).iter().enumerate().filter(|(_, mark)| !mark.starts_with("within ")) {
        let heading = mark.split(" + ").next().unwrap();
        for row in section(&pages, heading).rows() {
            let ([key], Some(default)) = (row.keys.as_slice(), row.default) else { continue };
            if TELLING.contains(&(heading, key.as_str())) {
                continue;
            }
            let line = format!("{key} = {}", written(&default));
            let line = |at, _: &str| if at == index { line.clone() } else { String::new() };
            let (said, faults) = read(&marked(&text, line));
            assert!(faults.is_empty(), "{heading}: {key} = {default}: {faults:?}");
            assert!(
                used(said) == usual,
                "{heading}: {key} is something else than {default} where it is absent"
            );
            compared += 1;
        }
    }
    assert!(compared > 45, "{compared}");
}
