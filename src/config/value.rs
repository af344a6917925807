//! One value of the configuration, with its place and path, read as what it should be.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::fault::{Faults, Place};
use super::reader::Section;
use super::scalar::{nearest, parse_duration, parse_size};
use super::tree::{Kind, Node};
use crate::domain::id::Id;
use crate::domain::time::Timestamp;

/// One value: each reader gives `None` after reporting why it isn't what was asked for.
#[derive(Clone)]
pub struct Value<'a> {
    node: &'a Node,
    path: String,
    faults: &'a Faults,
}

impl<'a> Value<'a> {
    pub(super) fn new(node: &'a Node, path: String, faults: &'a Faults) -> Value<'a> {
        Value { node, path, faults }
    }

    /// The dotted path of this value, such as `gateway.groups[1]`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where its key stands.
    pub fn place(&self) -> &'a Place {
        &self.node.place
    }

    /// Whether it is a table, inline or under a header.
    pub fn is_table(&self) -> bool {
        self.node.kind.as_table().is_some()
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        matches!(self.node.kind, Kind::String(_))
    }

    /// Whether it is `true` or `false`.
    pub fn is_boolean(&self) -> bool {
        matches!(self.node.kind, Kind::Boolean(_))
    }

    /// Reports a fault of this value.
    pub fn fault(&self, problem: impl Into<String>, remedy: impl Into<String>) {
        self.faults.fault(&self.node.place, self.path.clone(), problem, remedy);
    }

    /// Reports a warning about this value.
    pub fn warn(&self, problem: impl Into<String>, remedy: impl Into<String>) {
        self.faults.warn(&self.node.place, self.path.clone(), problem, remedy);
    }

    fn wrong<T>(&self, wanted: &str, remedy: &str) -> Option<T> {
        if matches!(self.node.kind, Kind::TooLarge) {
            return None;
        }
        self.fault(format!("must be {wanted}, not {}", self.node.kind.name()), remedy);
        None
    }

    fn refused<T>(&self, problem: String, remedy: impl Into<String>) -> Option<T> {
        self.fault(problem, remedy);
        None
    }

    fn text(&self, example: &str) -> Option<&'a str> {
        match &self.node.kind {
            Kind::String(text) => Some(text),
            _ => self.wrong("a string", &format!("write it in quotes, like {example}")),
        }
    }

    /// A text; an empty one is a fault.
    pub fn string(&self) -> Option<String> {
        let text = self.text("\"text\"")?;
        if text.is_empty() {
            return self.refused("is empty".into(), "give it a value or remove the line");
        }
        Some(text.to_owned())
    }

    /// A text that may be empty.
    pub fn any_string(&self) -> Option<String> {
        self.text("\"text\"").map(str::to_owned)
    }

    /// A whole number within `range`.
    pub fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let allowed = between(range.start(), range.end(), *range.end() == i64::MAX);
        match self.node.kind {
            Kind::Integer(number) if range.contains(&number) => Some(number),
            Kind::Integer(number) => self.refused(format!("{number} is out of range"), allowed),
            _ => self.wrong("a whole number", &allowed),
        }
    }

    /// A finite number within `range`; whole numbers count.
    pub fn float(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let number = match self.node.kind {
            Kind::Float(number) => number,
            Kind::Integer(number) => number as f64,
            _ => return self.wrong("a number", "write it without quotes, like 0.5"),
        };
        if !number.is_finite() {
            return self
                .refused(format!("{number} is not a finite number"), "write a finite number, like 0.5");
        }
        if !range.contains(&number) {
            let allowed = between(range.start(), range.end(), !range.end().is_finite());
            return self.refused(format!("{number} is out of range"), allowed);
        }
        Some(number)
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        match self.node.kind {
            Kind::Boolean(flag) => Some(flag),
            _ => self.wrong("a boolean", "write true or false, without quotes"),
        }
    }

    /// A duration such as `"10s"` within `range`.
    pub fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let remedy = "write a number with a unit (us ms s m h d w), like \"10s\" or \"90d\"";
        let Kind::String(text) = &self.node.kind else {
            return self.wrong("a duration", remedy);
        };
        let Some(duration) = parse_duration(text) else {
            return self.refused(format!("`{}` is not a duration", clip(text)), remedy);
        };
        if !range.contains(&duration) {
            let unbounded = *range.end() == Duration::MAX;
            let allowed = between(&show(*range.start()), &show(*range.end()), unbounded);
            return self.refused(format!("`{}` is out of range", clip(text)), allowed);
        }
        Some(duration)
    }

    /// A size in bytes such as `"2GiB"` within `range`; a whole number is in bytes.
    pub fn size(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let remedy = "write a number with a unit (B kB MB GB KiB MiB GiB), like \"2GiB\"";
        let (bytes, shown) = match &self.node.kind {
            Kind::String(text) => (parse_size(text), clip(text)),
            Kind::Integer(number) => (u64::try_from(*number).ok(), number.to_string()),
            _ => return self.wrong("a size", remedy),
        };
        let Some(bytes) = bytes else {
            return self.refused(format!("`{shown}` is not a size"), remedy);
        };
        if !range.contains(&bytes) {
            let (start, end) = (format!("{}B", range.start()), format!("{}B", range.end()));
            return self.refused(
                format!("`{shown}` is out of range"),
                between(&start, &end, *range.end() == u64::MAX),
            );
        }
        Some(bytes)
    }

    /// A point in time, in RFC 3339 with an offset, quoted or not.
    pub fn time(&self) -> Option<Timestamp> {
        let (Kind::String(text) | Kind::Time(text)) = &self.node.kind else {
            return self.wrong("a time", "write it like 2026-11-22T10:00:00Z");
        };
        match Timestamp::parse(text) {
            Ok(time) => Some(time),
            Err(_) => {
                self.refused(format!("`{}` is not a time", clip(text)), "write it like 2026-11-22T10:00:00Z")
            }
        }
    }

    /// An identifier.
    pub fn id(&self) -> Option<Id> {
        let text = self.text("\"gw-1\"")?;
        match Id::new(text) {
            Ok(id) => Some(id),
            Err(_) => self.refused(format!("`{}` is not an identifier", clip(text)), ID_RULE),
        }
    }

    /// A path of a file or directory; relative ones are relative to the working directory.
    pub fn path_buf(&self) -> Option<PathBuf> {
        let text = self.string()?;
        if text.contains('\0') {
            return self.refused("holds a NUL character".into(), "write a path");
        }
        Some(PathBuf::from(text))
    }

    /// One of several words; those of `later` are refused as not available in this version.
    pub fn choice<T: Clone>(&self, options: &[(&str, T)], later: &[&str]) -> Option<T> {
        let words: Vec<&str> = options.iter().map(|(word, _)| *word).collect();
        let listed = match words[..] {
            [only] => format!("write \"{only}\""),
            _ => format!("write one of {}", words.join(", ")),
        };
        let Kind::String(text) = &self.node.kind else { return self.wrong("a string", &listed) };
        if let Some((_, chosen)) = options.iter().find(|(word, _)| word == text) {
            return Some(chosen.clone());
        }
        if later.contains(&text.as_str()) {
            return self.refused(format!("`{text}` is not available in this version"), listed);
        }
        match nearest(text, words) {
            Some(near) => self.refused(
                format!("`{}` is not known here", clip(text)),
                format!("did you mean `{near}`? {listed}"),
            ),
            None => self.refused(format!("`{}` is not known here", clip(text)), listed),
        }
    }

    /// The items of an array.
    pub fn items(&self) -> Option<Vec<Value<'a>>> {
        let Kind::Array(items) = &self.node.kind else {
            return self.wrong("an array", "write it in brackets, like [\"a\", \"b\"]");
        };
        let item = |(index, node)| Value::new(node, format!("{}[{index}]", self.path), self.faults);
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The table.
    pub fn section(&self) -> Option<Section<'a>> {
        match self.node.kind.as_table() {
            Some(table) => Some(Section::new(table, self.path.clone(), self.faults)),
            None => self
                .wrong("a table", &format!("write a header `[{}]` or braces {{ key = value }}", self.path)),
        }
    }
}

/// What an identifier is, as a remedy.
pub(super) const ID_RULE: &str = "use 1 to 64 letters, digits, `-` and `_`, the first a letter or digit";

fn between(start: &impl std::fmt::Display, end: &impl std::fmt::Display, unbounded: bool) -> String {
    if unbounded {
        format!("write at least {start}")
    } else {
        format!("write something from {start} to {end}")
    }
}

fn show(duration: Duration) -> String {
    let micros = duration.as_micros();
    for (unit, size) in
        [("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000)]
    {
        if micros >= size && micros.is_multiple_of(size) {
            return format!("{}{unit}", micros / size);
        }
    }
    if micros == 0 { "0s".into() } else { format!("{micros}us") }
}

fn clip(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}
