//! How to read a source's bytes: the format, and where each field and the time stand in it.

use std::sync::Arc;

use super::checksum::ChecksumKind;
use super::decoder::Decoder;
use super::number::{Decimal, Missing};
use super::time::TimeFormat;

/// The form of the bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum FormatSpec {
    /// Lines of separated columns.
    Csv(CsvSpec),
    /// One JSON document for each line or message.
    Json,
    /// Lines that match a regular expression with named groups.
    Regex {
        /// The expression; `.` matches any byte, `\d` and `\w` are ASCII.
        pattern: String,
    },
    /// Binary frames.
    Frame(FrameSpec),
    /// One number for each line or message.
    Raw,
}

/// Separated columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvSpec {
    /// Between two columns; a blank stands for any run of blanks and tabs.
    pub separator: u8,
    /// Between the digits of a number.
    pub decimal: Decimal,
    /// The exact number of columns, if it is known: a line with another number is refused.
    pub columns: Option<usize>,
}

impl Default for CsvSpec {
    fn default() -> CsvSpec {
        CsvSpec { separator: b',', decimal: Decimal::Point, columns: None }
    }
}

/// A binary frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameSpec {
    /// The bytes that every frame begins with; at least one.
    pub start: Vec<u8>,
    /// How long it is.
    pub length: FrameLength,
    /// Its checksum, if it has one.
    pub checksum: Option<ChecksumSpec>,
    /// The bytes that every frame ends with; may be empty.
    pub tail: Vec<u8>,
}

/// The length of a frame, start and tail included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameLength {
    /// Always this many bytes.
    Fixed(usize),
    /// Stated inside the frame.
    Stated {
        /// Where.
        at: IntegerSpec,
        /// Added to what is stated to give the length of the whole frame.
        adds: i64,
        /// Longest frame believed.
        max: usize,
    },
}

/// Where a checksum stands and what it covers; negative positions count from the frame's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChecksumSpec {
    /// How it is made.
    pub kind: ChecksumKind,
    /// The first byte covered.
    pub from: i32,
    /// One past the last byte covered.
    pub to: i32,
    /// Its first byte.
    pub at: i32,
}

/// An integer inside a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerSpec {
    /// Its first byte, counted from the frame's.
    pub offset: usize,
    /// Its size in bytes, 1 to 6: larger integers are not exact as a 64-bit float.
    pub width: usize,
    /// Low byte first.
    pub little: bool,
    /// Two's complement.
    pub signed: bool,
}

/// Where a field stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Locator {
    /// CSV: the column, counted from 0.
    Column(usize),
    /// CSV with a header: the column's name.
    Header(String),
    /// JSON: the pointer (RFC 6901).
    Pointer(String),
    /// Regular expression: the group's name.
    Group(String),
    /// Frame: the integer, and `raw * scale + add`.
    Integer {
        /// The integer.
        at: IntegerSpec,
        /// Multiplied with it.
        scale: f64,
        /// Added afterwards.
        add: f64,
    },
    /// Raw: the whole text.
    Whole,
}

/// One field of the records.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldSpec {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Where it stands.
    pub at: Locator,
    /// What the instrument writes where it has no value.
    pub missing: Missing,
}

/// The device's own time.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeSpec {
    /// Where it stands; two texts are joined by a blank.
    pub at: Vec<Locator>,
    /// How it is written.
    pub format: TimeFormat,
}

/// Everything that is needed to read a source's bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// The form of the bytes.
    pub format: FormatSpec,
    /// The fields, in the order in which records give them.
    pub fields: Vec<FieldSpec>,
    /// The device's time, if it states one.
    pub time: Option<TimeSpec>,
    /// The name of the event that the values are about, if the device states one.
    pub event: Option<Locator>,
    /// Longest line or message, in bytes.
    pub max_length: usize,
}

/// Says why a layout cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct SpecError {
    /// The field (`time` for the time); `None` if it is the format itself.
    pub field: Option<Arc<str>>,
    /// The key inside the field or format, such as `pattern`.
    pub key: &'static str,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub remedy: String,
}

impl SpecError {
    /// A fault of the format itself.
    pub fn format(key: &'static str, problem: impl Into<String>, remedy: impl Into<String>) -> SpecError {
        SpecError { field: None, key, problem: problem.into(), remedy: remedy.into() }
    }

    /// A fault of one field.
    pub fn field(
        field: &str,
        key: &'static str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> SpecError {
        SpecError { field: Some(Arc::from(field)), ..SpecError::format(key, problem, remedy) }
    }
}

impl Layout {
    /// The names of the captures that records of this layout can have.
    pub fn capture_names(&self) -> Vec<String> {
        match &self.format {
            FormatSpec::Regex { .. } => Decoder::new(self).map_or_else(
                // A layout with a fault has no records.
                |_| Vec::new(),
                |decoder| decoder.capture_names().iter().map(|name| (*name).to_owned()).collect(),
            ),
            _ => Vec::new(),
        }
    }

    /// Every locator with the name of its field; the time's and the event's come last.
    pub(super) fn locators(&self) -> impl Iterator<Item = (Target, &str, &Locator)> {
        let fields = self.fields.iter().enumerate();
        let fields = fields.map(|(index, field)| (Target::Field(index), &*field.name, &field.at));
        let times = self.time.iter().flat_map(|time| &time.at);
        let event = self.event.iter().map(|at| (Target::Event, "event", at));
        fields.chain(times.map(|at| (Target::Time, "time", at))).chain(event)
    }
}

/// What a locator is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The field of this index.
    Field(usize),
    /// The time.
    Time,
    /// The event.
    Event,
}

/// The fault of a locator that belongs to another format.
pub(super) fn wrong_locator(name: &str, key: &'static str, format: &str) -> SpecError {
    let problem = format!("a field of a {format} source says where it stands with `{key}`");
    SpecError::field(name, key, problem, format!("write `{name} = {{ {key} = ... }}`"))
}
