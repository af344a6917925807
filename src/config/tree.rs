//! TOML text as a tree in which every key knows its file and line.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, Place};
use crate::domain::order;

/// A table: its entries in the order in which they were written.
#[derive(Debug, Clone)]
pub struct Table {
    pub(super) place: Place,
    pub(super) entries: Vec<(String, Node)>,
    /// Where they are, in the order of their keys: a table may have a thousand, each of which is asked for.
    by_key: Vec<usize>,
}

/// A value and the place of its key (of itself, in an array).
#[derive(Debug, Clone)]
pub struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// A whole number that doesn't fit; reported when it was parsed.
    TooLarge,
    /// A number with a point or exponent, which may be infinite or NaN.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A date, a time or both, as written.
    Time(String),
    /// A list.
    Array(Vec<Node>),
    /// A table, inline or under a header.
    Table(Table),
}

impl Kind {
    /// The kind with its article, for messages.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Kind::String(_) => "a string",
            Kind::Integer(_) | Kind::TooLarge => "an integer",
            Kind::Float(_) => "a float",
            Kind::Boolean(_) => "a boolean",
            Kind::Time(_) => "a date or time",
            Kind::Array(_) => "an array",
            Kind::Table(_) => "a table",
        }
    }
}

impl Table {
    /// A table without entries, standing for the whole of `file`.
    pub fn empty(file: &str) -> Table {
        Table::new(Place { file: file.into(), line: 0 }, Vec::new())
    }

    fn new(place: Place, entries: Vec<(String, Node)>) -> Table {
        let mut by_key: Vec<usize> = (0..entries.len()).collect();
        order::sort_by(&mut by_key, |one, other| entries[*one].0.cmp(&entries[*other].0));
        Table { place, entries, by_key }
    }

    /// Where in `by_key` an entry is, or would have to be.
    fn find(&self, key: &str) -> Result<usize, usize> {
        self.by_key.binary_search_by(|at| self.entries[*at].0.as_str().cmp(key))
    }

    /// Reads TOML. What is wrong goes to `faults`, all of it; the rest is read as well as possible.
    pub fn parse(file: &str, text: &str, faults: &Faults) -> Table {
        let source = Source { file: file.into(), starts: line_starts(text), faults };
        let (root, errors) = DeTable::parse_recoverable(text);
        source.report(text, &errors);
        let mut table = source.table(root.get_ref(), "", 1);
        table.place.line = 1;
        table
    }

    /// Lays `over` on this table, leaf by leaf: tables are joined, anything else is replaced.
    pub fn merge(&mut self, over: Table) {
        for (key, node) in over.entries {
            let at = match self.find(&key) {
                Ok(at) => self.by_key[at],
                Err(at) => {
                    self.by_key.insert(at, self.entries.len());
                    self.entries.push((key, node));
                    continue;
                }
            };
            match (&mut self.entries[at].1, node) {
                (Node { kind: Kind::Table(below), .. }, Node { kind: Kind::Table(above), .. }) => {
                    below.merge(above);
                }
                (slot, node) => *slot = node,
            }
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.find(key).ok().map(|at| &self.entries[self.by_key[at]].1)
    }
}

const SYNTAX: &str = "correct the TOML (https://toml.io): text in \"quotes\", one `key = value` a line";

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1)).collect()
}

/// Joins a path and a key, quoting the key where TOML would.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let dot = if path.is_empty() { "" } else { "." };
    if bare { format!("{path}{dot}{key}") } else { format!("{path}{dot}{key:?}") }
}

struct Source<'a> {
    file: Arc<str>,
    starts: Vec<usize>,
    faults: &'a Faults,
}

impl Source<'_> {
    fn report(&self, text: &str, errors: &[toml::de::Error]) {
        let mut second_table = None;
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let line = self.line(span.start);
            if error.message() != "duplicate key" {
                let message = error.message().replace('\n', " ").replace(", expected literal string", "");
                self.faults.syntax(&self.place(line), self.key(text, line), message, SYNTAX);
                continue;
            }
            let header = self.header(text, line);
            if header.is_some() && header == second_table {
                continue;
            }
            let (path, header_line) = header.unwrap_or(("", 0));
            if header_line == line {
                second_table = header;
                self.faults.fault(
                    &self.place(line),
                    path,
                    "stands there twice",
                    "join the two or rename one",
                );
            } else {
                let key = join(path, text.get(span).unwrap_or(""));
                self.faults.fault(&self.place(line), key, "stands there twice", "keep one of the two");
            }
        }
    }

    /// The dotted path of the key on `line`, as well as it can be told from text that is not TOML.
    fn key(&self, text: &str, line: usize) -> String {
        let (path, header_line) = self.header(text, line).unwrap_or(("", 0));
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let key = text.get(start..).and_then(|rest| rest.lines().next()?.split_once('='));
        match key {
            Some((key, _)) if header_line != line => join(path, key.trim()),
            _ => path.to_owned(),
        }
    }

    /// The name and line of the last table header at or before `line`.
    fn header<'t>(&self, text: &'t str, line: usize) -> Option<(&'t str, usize)> {
        (1..=line).rev().find_map(|number| {
            let start = *self.starts.get(number - 1)?;
            let inner = text.get(start..)?.lines().next()?.trim_start().strip_prefix('[')?;
            let name = inner.trim_start_matches('[').split(']').next()?;
            Some((name.trim(), number))
        })
    }

    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    fn place(&self, line: usize) -> Place {
        Place { file: self.file.clone(), line }
    }

    fn table(&self, table: &DeTable<'_>, path: &str, line: usize) -> Table {
        let mut spans: Vec<_> = table.iter().collect();
        order::sort_by(&mut spans, |(one, _), (other, _)| one.span().start.cmp(&other.span().start));
        let entries = spans
            .into_iter()
            .map(|(key, value)| {
                let name = key.get_ref().to_string();
                let node = self.node(value, &join(path, &name), self.line(key.span().start));
                (name, node)
            })
            .collect();
        Table::new(self.place(line), entries)
    }

    fn node(&self, value: &Spanned<DeValue<'_>>, path: &str, line: usize) -> Node {
        let kind = match value.get_ref() {
            DeValue::String(text) => Kind::String(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Kind::Integer(number),
                Err(_) => {
                    let problem = format!("`{number}` is too large for a whole number");
                    self.faults.fault(&self.place(line), path, problem, "write at most 9223372036854775807");
                    Kind::TooLarge
                }
            },
            DeValue::Float(number) => Kind::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Kind::Boolean(*flag),
            DeValue::Datetime(time) => Kind::Time(time.to_string()),
            DeValue::Array(items) => Kind::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        self.node(item, &format!("{path}[{index}]"), self.line(item.span().start))
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Kind::Table(self.table(table, path, line)),
        };
        Node { place: self.place(line), kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(file: &str, text: &str) -> (Table, Vec<super::super::fault::Fault>) {
        let faults = Faults::new();
        let table = Table::parse(file, text, &faults);
        (table, faults.take().0)
    }

    #[test]
    fn remembers_the_line_of_every_key() {
        let (table, faults) = parse("a.toml", "[a]\nb = 1\n\n[c.d]\ne = [\n  1,\n  2,\n]\n");
        assert_eq!(faults, []);
        let Kind::Table(a) = &table.get("a").unwrap().kind else { panic!("a table") };
        assert_eq!(a.get("b").unwrap().place.line, 2);
        let Kind::Table(c) = &table.get("c").unwrap().kind else { panic!("a table") };
        let Kind::Table(d) = &c.get("d").unwrap().kind else { panic!("a table") };
        let Kind::Array(items) = &d.get("e").unwrap().kind else { panic!("an array") };
        assert_eq!(items[1].place.line, 7);
    }

    #[test]
    fn drop_ins_replace_leaves_and_keep_their_place() {
        let (mut table, _) = parse("a.toml", "[a]\nb = 1\nc = 2\n");
        table.merge(parse("b.toml", "\n[a]\nb = 3\nd = [1]\n").0);
        let Kind::Table(a) = &table.get("a").unwrap().kind else { panic!("a table") };
        let b = a.get("b").unwrap();
        assert!(matches!(b.kind, Kind::Integer(3)));
        assert_eq!((&*b.place.file, b.place.line), ("b.toml", 3));
        assert_eq!(&*a.get("c").unwrap().place.file, "a.toml");
        assert_eq!(a.entries.len(), 3);
    }

    #[test]
    fn reports_every_syntax_error() {
        let (_, faults) = parse("a.toml", "a = \nb = 1\nb = 2\nc = 99999999999999999999\n[x\n");
        let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 3, 4, 5], "{faults:#?}");
    }

    #[test]
    fn quotes_keys_as_toml_does() {
        assert_eq!(join("", "a-b"), "a-b");
        assert_eq!(join("sensors", "{name}"), "sensors.\"{name}\"");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            parse("any", &text);
        }
    }
}
