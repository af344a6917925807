//! What `calibctl detect` prints.

use serde::Serialize;
use serde_json::{Map, Value};

use super::how::{Block, Found, How};
use crate::ctl::data::Loaded;
use crate::ctl::output::{aligned, significant};
use crate::domain::drift::detector::Alarm;

/// Digits that are shown.
const DIGITS: usize = 6;

/// As `--json` prints it.
#[derive(Serialize)]
pub struct Report {
    detector: &'static str,
    #[serde(flatten)]
    parameters: Map<String, Value>,
    n: usize,
    /// Rows at which an alarm begins, from 0.
    detections: Vec<usize>,
    /// The lines of the file in which these stand.
    lines: Vec<u64>,
    /// What each alarm says.
    directions: Vec<Alarm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outside: Option<Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks: Option<Vec<Block>>,
    skipped: u64,
    pub notes: Vec<String>,
}

impl Report {
    /// What was found in these values.
    pub fn new(how: &How, found: Found, n: usize, loaded: Loaded) -> Report {
        Report {
            detector: how.name(),
            parameters: found.parameters,
            n,
            lines: found.alarms.iter().map(|(row, _)| loaded.lines[*row]).collect(),
            detections: found.alarms.iter().map(|(row, _)| *row).collect(),
            directions: found.alarms.into_iter().map(|(_, alarm)| alarm).collect(),
            ended: found.ended,
            outside: found.outside,
            blocks: found.blocks,
            skipped: loaded.skipped,
            notes: loaded.notes.into_iter().chain(found.notes).collect(),
        }
    }

    /// For people.
    pub fn text(&self, values: &[f64]) -> String {
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let mut head = vec![row("detector", self.detector.to_owned()), row("rows", self.n.to_string())];
        for (name, value) in self.parameters.iter().filter(|(name, _)| *name != "raw") {
            let value = value.as_f64().map_or_else(|| value.to_string(), |value| significant(value, DIGITS));
            head.push(row(name, value));
        }
        if let Some(blocks) = &self.blocks {
            let beyond = blocks.iter().filter(|block| block.beyond).count();
            head.push(row("blocks", blocks.len().to_string()));
            head.push(row("blocks beyond the limit", beyond.to_string()));
        }
        head.extend(self.outside.as_ref().map(|rows| row("rows outside the limits", rows.len().to_string())));
        head.push(row("alarms", self.detections.len().to_string()));
        let mut text = aligned(&head, 1);
        if self.detections.is_empty() {
            return text;
        }
        let mut table = vec![["row", "line", "value", "ended", "change"].map(str::to_owned).to_vec()];
        for (at, found) in self.detections.iter().enumerate() {
            let next = self.detections.get(at + 1).copied().unwrap_or(usize::MAX);
            let end = self.ended.iter().flatten().find(|end| (*found..next).contains(end));
            let change = match self.directions[at] {
                Alarm::Up => "up",
                Alarm::Down => "down",
                Alarm::Shape => "distribution",
            };
            table.push(vec![
                found.to_string(),
                self.lines[at].to_string(),
                significant(values[*found], DIGITS),
                end.map_or("-".to_owned(), usize::to_string),
                change.to_owned(),
            ]);
        }
        if self.ended.is_none() {
            table.iter_mut().for_each(|cells| drop(cells.remove(3)));
        }
        text.push_str(&format!("\n{}", aligned(&table, if self.ended.is_some() { 3 } else { 2 })));
        text
    }
}
