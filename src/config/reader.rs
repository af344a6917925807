//! A cursor over one table of the configuration, which notes what was read and collects all faults.
//!
//! A getter gives `None` for an absent key, and for a wrong one after reporting it: callers go on,
//! so that one reading finds every fault. A [`Section`] that goes out of scope reports each key
//! that nobody asked for, so that no setting is ever ignored in silence.
//!
//! ```
//! use calibd::config::reader::read_str;
//! let (baud, faults) = read_str("a.toml", "[line]\nbuad = 9600\n", |root| {
//!     let mut line = root.table("line")?;
//!     line.required("port", "port = \"/dev/ttyUSB0\"").path_buf("port");
//!     line.integer("baud", 300..=4_000_000)
//! });
//! assert_eq!(baud, None);
//! assert_eq!(faults.len(), 2);
//! assert!(faults[1].remedy.contains("did you mean `baud`?"));
//! ```

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::fault::{Fault, Faults, Place};
use super::scalar::nearest;
use super::tree::{Kind, Node, Table, join};
pub use super::value::Value;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;

/// A cursor over one table: typed getters, faults with their place, unknown keys reported at its end.
pub struct Section<'a> {
    table: &'a Table,
    path: String,
    faults: &'a Faults,
    asked: BTreeSet<String>,
    /// Keys whose presence was asked for: known, but not read by that.
    mentioned: RefCell<BTreeSet<String>>,
    abandoned: bool,
}

/// Reads `text` as if it stood in `file`: for tests, and for text that is in no file.
pub fn read_str<T>(file: &str, text: &str, read: impl FnOnce(&mut Section<'_>) -> T) -> (T, Vec<Fault>) {
    let faults = Faults::new();
    let table = Table::parse(file, text, &faults);
    let result = read(&mut Section::root(&table, &faults));
    (result, faults.take().0)
}

impl<'a> Section<'a> {
    /// The whole of a configuration.
    pub fn root(table: &'a Table, faults: &'a Faults) -> Section<'a> {
        Section::new(table, String::new(), faults)
    }

    pub(super) fn new(table: &'a Table, path: String, faults: &'a Faults) -> Section<'a> {
        Section {
            table,
            path,
            faults,
            asked: BTreeSet::new(),
            mentioned: RefCell::default(),
            abandoned: false,
        }
    }

    /// The dotted path of this table; empty for the whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where this table starts.
    pub fn place(&self) -> &Place {
        &self.table.place
    }

    /// Where `key` stands; where the table starts if it is absent.
    pub fn place_of(&self, key: &str) -> &Place {
        self.table.get(key).map_or(&self.table.place, |node| &node.place)
    }

    /// The keys that are present, in the order of the file.
    pub fn keys(&self) -> Vec<&'a str> {
        self.table.entries.iter().map(|(key, _)| key.as_str()).collect()
    }

    /// Whether `key` is present, without counting it as read.
    pub fn has(&self, key: &str) -> bool {
        self.mentioned.borrow_mut().insert(key.to_owned());
        self.table.get(key).is_some()
    }

    /// How many entries the table under `key` has; 0 if there is none.
    pub fn count(&self, key: &str) -> usize {
        let table = self.table.get(key).and_then(|node| node.kind.as_table());
        table.map_or(0, |table| table.entries.len())
    }

    /// Reports that `key` is missing unless it is present. `example` is a whole line that would be right.
    pub fn required(&mut self, key: &str, example: &str) -> &mut Section<'a> {
        self.asked.insert(key.to_owned());
        if !self.has(key) {
            self.fault(key, "is missing", format!("write `{example}`"));
        }
        self
    }

    /// Reports a fault of `key` (present or not) of this table.
    pub fn fault(&self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.faults.fault(self.place_of(key), join(&self.path, key), problem, remedy);
    }

    /// Reports a fault of the table as a whole.
    pub fn fault_here(&self, problem: impl Into<String>, remedy: impl Into<String>) {
        self.faults.fault(&self.table.place, self.path.clone(), problem, remedy);
    }

    /// Reports a warning about `key`.
    pub fn warn(&self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) {
        self.faults.warn(self.place_of(key), join(&self.path, key), problem, remedy);
    }

    /// Refuses keys that are part of the design but not of this version, each with that sentence.
    pub fn not_yet(&mut self, keys: &[&str]) {
        for key in keys {
            if self.has(key) && self.asked.insert((*key).to_owned()) {
                self.fault(key, "is not available in this version", "remove it");
            }
        }
    }

    /// Warns of keys that are checked and kept, but not used by this version.
    pub fn no_effect_yet(&self, keys: &[&str]) {
        for key in keys.iter().filter(|key| self.has(key)) {
            self.warn(key, "is checked but has no effect in this version", "keep it or remove it");
        }
    }

    /// Whether no fault has been found so far, here or elsewhere.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// Leaves the rest unread without reporting unknown keys: after a fault that hides their meaning.
    pub fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// The value of `key`, whatever it is.
    pub fn value(&mut self, key: &str) -> Option<Value<'a>> {
        self.asked.insert(key.to_owned());
        let node: &'a Node = self.table.get(key)?;
        Some(Value::new(node, join(&self.path, key), self.faults))
    }

    /// A text; an empty one is a fault.
    pub fn string(&mut self, key: &str) -> Option<String> {
        self.value(key)?.string()
    }

    /// A whole number within `range`.
    pub fn integer(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<i64> {
        self.value(key)?.integer(range)
    }

    /// A finite number within `range`; whole numbers count.
    pub fn float(&mut self, key: &str, range: RangeInclusive<f64>) -> Option<f64> {
        self.value(key)?.float(range)
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        self.value(key)?.boolean()
    }

    /// A duration such as `"10s"` or `"90d"` within `range`.
    pub fn duration(&mut self, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.value(key)?.duration(range)
    }

    /// A size in bytes such as `"2GiB"` within `range`; a whole number is in bytes.
    pub fn size(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.value(key)?.size(range)
    }

    /// A point in time, in RFC 3339 with an offset.
    pub fn time(&mut self, key: &str) -> Option<Timestamp> {
        self.value(key)?.time()
    }

    /// An identifier.
    pub fn id(&mut self, key: &str) -> Option<Id> {
        self.value(key)?.id()
    }

    /// A path of a file or directory; relative ones are relative to the working directory.
    pub fn path_buf(&mut self, key: &str) -> Option<PathBuf> {
        self.value(key)?.path_buf()
    }

    /// One of several words, and what it stands for.
    pub fn choice<T: Clone>(&mut self, key: &str, options: &[(&str, T)]) -> Option<T> {
        self.value(key)?.choice(options, &[])
    }

    /// One of several words; those of `later` are refused as not available in this version.
    pub fn choice_or_later<T: Clone>(
        &mut self,
        key: &str,
        options: &[(&str, T)],
        later: &[&str],
    ) -> Option<T> {
        self.value(key)?.choice(options, later)
    }

    /// The items of an array.
    pub fn list(&mut self, key: &str) -> Option<Vec<Value<'a>>> {
        self.value(key)?.items()
    }

    /// The texts of an array; empty if absent.
    pub fn strings(&mut self, key: &str) -> Vec<String> {
        self.list(key).unwrap_or_default().iter().filter_map(Value::string).collect()
    }

    /// The identifiers of an array; empty if absent.
    pub fn ids(&mut self, key: &str) -> Vec<Id> {
        self.list(key).unwrap_or_default().iter().filter_map(Value::id).collect()
    }

    /// The finite numbers of an array; empty if absent.
    pub fn floats(&mut self, key: &str) -> Vec<f64> {
        let any = f64::NEG_INFINITY..=f64::INFINITY;
        self.list(key).unwrap_or_default().iter().filter_map(|item| item.float(any.clone())).collect()
    }

    /// The table under `key`.
    pub fn table(&mut self, key: &str) -> Option<Section<'a>> {
        self.value(key)?.section()
    }

    /// The tables under `key` with their names, in the order of the file: `[source.line1]`,
    /// or `fields = { co = { ... } }`. Empty if absent.
    pub fn tables(&mut self, key: &str) -> Vec<(String, Section<'a>)> {
        let Some(mut parent) = self.table(key) else { return Vec::new() };
        let keys = parent.keys();
        keys.into_iter().filter_map(|name| Some((name.to_owned(), parent.table(name)?))).collect()
    }

    fn report_unknown(&self) {
        let mentioned = self.mentioned.borrow();
        let known: Vec<&str> = self.asked.union(&mentioned).map(String::as_str).collect();
        for (key, node) in &self.table.entries {
            if self.asked.contains(key) {
                continue;
            }
            let absent = known.iter().copied().filter(|name| self.table.get(name).is_none());
            let remedy = match nearest(key, absent) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "remove it; nothing is known here".to_owned(),
                None => format!("remove it; known here: {}", known.join(", ")),
            };
            self.faults.fault(&node.place, join(&self.path, key), "is not a known key", remedy);
        }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        if !self.abandoned && !std::thread::panicking() {
            self.report_unknown();
        }
    }
}

impl Kind {
    /// The table inside, if it is one.
    pub(super) fn as_table(&self) -> Option<&Table> {
        match self {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
