//! The values of one record while it is being read.

use std::sync::Arc;

use super::fault::{DecodeError, FaultKind};
use super::format::{FieldSpec, TimeSpec};
use super::number::{self, Decimal, Missing, Value};
use super::time::TimeFormat;
use crate::domain::event::is_event;
use crate::domain::time::Timestamp;

/// Room for the values, times and faults of one record, used again for the next.
#[derive(Debug)]
pub(super) struct Cells {
    decimal: Decimal,
    names: Vec<Arc<str>>,
    missing: Vec<Missing>,
    time_name: Arc<str>,
    time_format: TimeFormat,
    pub(super) values: Vec<Value>,
    seen: Vec<bool>,
    time_text: String,
    pub(super) time: Option<Timestamp>,
    time_seen: bool,
    event_name: Arc<str>,
    event: String,
    event_seen: bool,
    pub(super) faults: Vec<DecodeError>,
}

impl Cells {
    pub(super) fn new(decimal: Decimal, fields: &[FieldSpec], time: Option<&TimeSpec>) -> Cells {
        Cells {
            decimal,
            names: fields.iter().map(|field| field.name.clone()).collect(),
            missing: fields.iter().map(|field| field.missing.clone()).collect(),
            time_name: Arc::from("time"),
            time_format: time.map_or(TimeFormat::Rfc3339, |time| time.format.clone()),
            values: vec![Value::Absent; fields.len()],
            seen: vec![false; fields.len()],
            time_text: String::new(),
            time: None,
            time_seen: false,
            event_name: Arc::from("event"),
            event: String::new(),
            event_seen: false,
            faults: Vec::new(),
        }
    }

    /// Begins a record.
    pub(super) fn clear(&mut self) {
        self.values.fill(Value::Absent);
        self.seen.fill(false);
        self.time_text.clear();
        self.time = None;
        self.time_seen = false;
        self.event.clear();
        self.event_seen = false;
        self.faults.clear();
    }

    /// A field's value as text.
    pub(super) fn text(&mut self, field: usize, text: &str) {
        let value = number::parse(text, self.decimal, &self.missing[field]);
        self.put(field, value, text.as_bytes());
    }

    /// A field's value as a number.
    pub(super) fn number(&mut self, field: usize, number: f64) {
        let value = number::classify(number, &self.missing[field]);
        self.put(field, value, &[]);
    }

    /// A field's value as transmitted, to be scaled if it means a value.
    pub(super) fn scaled(&mut self, field: usize, raw: f64, scale: impl Fn(f64) -> f64) {
        let value = match number::classify(raw, &self.missing[field]) {
            Ok(Value::Number(raw)) => number::classify(scale(raw), &Missing::default()),
            other => other,
        };
        self.put(field, value, &[]);
    }

    /// A field that is said to have no value.
    pub(super) fn null(&mut self, field: usize) {
        self.put(field, Ok(Value::Missing), &[]);
    }

    /// A field whose value is of no use.
    pub(super) fn fault(&mut self, field: usize, kind: FaultKind, input: &[u8]) {
        self.put(field, Err(kind), input);
    }

    fn put(&mut self, field: usize, value: Result<Value, FaultKind>, input: &[u8]) {
        let again = std::mem::replace(&mut self.seen[field], true);
        let value = if again { Err(FaultKind::Duplicate) } else { value };
        self.values[field] = value.unwrap_or_else(|kind| {
            self.faults.push(DecodeError::of_field(kind, &self.names[field], input));
            // An instrument that writes NaN says that it has no value; anything else is garbled.
            if kind == FaultKind::NotFinite { Value::Missing } else { Value::Absent }
        });
    }

    /// A part of the time's text; the parts are joined by a blank.
    pub(super) fn time_part(&mut self, text: &str) {
        if !self.time_text.is_empty() {
            self.time_text.push(' ');
        }
        self.time_text.push_str(text.trim());
    }

    /// The time as a whole number.
    pub(super) fn time_integer(&mut self, number: Option<i64>) {
        let time = self.unit_time(|unit| unit.from_integer(number?));
        self.put_time(time);
    }

    /// The time as a number with a fraction.
    pub(super) fn time_float(&mut self, number: f64) {
        let time = self.unit_time(|unit| unit.from_float(number));
        self.put_time(time);
    }

    fn unit_time(&self, read: impl Fn(super::time::TimeUnit) -> Option<Timestamp>) -> Option<Timestamp> {
        match self.time_format {
            TimeFormat::Unix(unit) => read(unit),
            _ => None,
        }
    }

    /// A time that cannot be read.
    pub(super) fn bad_time(&mut self, input: &[u8]) {
        self.time = None;
        self.faults.push(DecodeError::of_field(FaultKind::BadTime, &self.time_name, input));
    }

    fn put_time(&mut self, time: Option<Timestamp>) {
        let again = std::mem::replace(&mut self.time_seen, true);
        self.time = time;
        if again || time.is_none() {
            self.bad_time(&[]);
        }
    }

    /// The event's name as text; an empty one names none.
    pub(super) fn event(&mut self, text: &str) {
        let text = text.trim();
        if std::mem::replace(&mut self.event_seen, true) {
            self.event.clear();
            self.faults.push(DecodeError::of_field(FaultKind::Duplicate, &self.event_name, text.as_bytes()));
        } else if is_event(text) {
            self.event.push_str(text);
        } else if !text.is_empty() {
            self.bad_event(text.as_bytes());
        }
    }

    /// An event's name that is of no use: the values are good all the same.
    pub(super) fn bad_event(&mut self, input: &[u8]) {
        self.event_seen = true;
        self.event.clear();
        self.faults.push(DecodeError::of_field(FaultKind::BadEvent, &self.event_name, input));
    }

    /// The event that the record names.
    pub(super) fn event_name(&self) -> Option<&str> {
        Some(self.event.as_str()).filter(|event| !event.is_empty())
    }

    /// Ends a record: reads the time's text, and refuses a record that says nothing.
    pub(super) fn finish(&mut self, input: &[u8]) -> Result<(), DecodeError> {
        if !self.time_text.is_empty() {
            match self.time_format.parse(&self.time_text) {
                Some(time) if !self.time_seen => self.time = Some(time),
                _ => {
                    let text = std::mem::take(&mut self.time_text);
                    self.bad_time(text.as_bytes());
                    self.time_text = text;
                }
            }
        }
        if self.values.iter().any(|value| *value != Value::Absent) {
            return Ok(());
        }
        let of_a_value =
            |fault: &DecodeError| !matches!(fault.kind, FaultKind::BadTime | FaultKind::BadEvent);
        let first = self.faults.iter().position(of_a_value).map(|at| self.faults.swap_remove(at));
        Err(first.unwrap_or_else(|| DecodeError::new(FaultKind::NoSuchField, input)))
    }
}
