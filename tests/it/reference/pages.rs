//! The page about the configuration, section by section.

use std::collections::BTreeSet;
use std::fs;

use crate::house::files::repository;

/// A section: its heading without signs, and what stands below.
pub struct Section {
    pub heading: String,
    pub body: String,
}

/// A row of a table of keys: the keys, and the default where that is a single one.
pub struct Row {
    pub keys: Vec<String>,
    pub default: Option<String>,
}

/// The sections of the page.
pub fn sections() -> Vec<Section> {
    let text = fs::read_to_string(repository().join("docs/reference/configuration.md")).unwrap();
    let mut found: Vec<Section> = Vec::new();
    for line in text.lines() {
        if line.starts_with('#') {
            let heading = line.trim_start_matches('#').replace('`', "").trim().to_owned();
            found.push(Section { heading, body: String::new() });
        } else if let Some(section) = found.last_mut() {
            section.body.push_str(line);
            section.body.push('\n');
        }
    }
    found
}

/// What stands between backticks.
pub fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The cells of a row; `\|` is no border.
pub fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_matches('|').replace("\\|", "\u{1}");
    row.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

impl Section {
    /// The rows of its table of keys.
    pub fn rows(&self) -> Vec<Row> {
        let table = self.body.lines().skip_while(|line| !line.starts_with("| key |"));
        let rows = table.skip(2).take_while(|line| line.starts_with('|')).map(cells);
        rows.map(|cells| {
            let default = cells[2].strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
            Row {
                keys: code(&cells[0]).map(str::to_owned).collect(),
                default: default.filter(|text| !text.contains('`')).map(str::to_owned),
            }
        })
        .collect()
    }

    /// The keys of its table.
    pub fn keys(&self) -> BTreeSet<String> {
        let mut keys: BTreeSet<String> = self.rows().into_iter().flat_map(|row| row.keys).collect();
        if self.heading == "[source.<name>]" {
            keys.insert("kind".to_owned());
        }
        keys
    }

    /// Every word in its text that is written as code.
    pub fn words(&self) -> BTreeSet<String> {
        let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        let words = code(&self.body).flat_map(|code| code.split(move |sign| !is_part(sign)));
        words.map(str::to_owned).collect()
    }
}
