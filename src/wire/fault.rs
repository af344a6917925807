//! What can be wrong with input, each kind with the name it is counted under.

use std::fmt;
use std::sync::Arc;

/// Why input, or one field of it, gave no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The bytes are not UTF-8.
    BadUtf8,
    /// A line or message is longer than allowed.
    TooLong,
    /// A frame's checksum does not match its bytes.
    BadChecksum,
    /// A frame states a length that it cannot have.
    BadLength,
    /// A frame does not end with its closing bytes.
    BadTail,
    /// Bytes lie between two frames, or lines where one is expected.
    Garbage,
    /// The text is not JSON.
    BadJson,
    /// A quoted column does not end, or ends inside a column.
    BadQuote,
    /// The text is not a number.
    BadNumber,
    /// The number is NaN or infinite.
    NotFinite,
    /// The text is not a time.
    BadTime,
    /// The text cannot name an event.
    BadEvent,
    /// The field stands in the message twice.
    Duplicate,
    /// The line or message has none of the fields, or too few columns.
    NoSuchField,
    /// The regular expression does not match.
    NoMatch,
}

impl FaultKind {
    /// The kind as a metrics label.
    pub fn as_str(self) -> &'static str {
        self.texts().0
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            FaultKind::BadUtf8 => ("bad_utf8", "is not UTF-8 text"),
            FaultKind::TooLong => ("too_long", "is longer than `max_length`"),
            FaultKind::BadChecksum => ("bad_checksum", "has a wrong checksum"),
            FaultKind::BadLength => ("bad_length", "states an impossible length"),
            FaultKind::BadTail => ("bad_tail", "does not end as a frame must"),
            FaultKind::Garbage => ("garbage", "belongs to no frame or line"),
            FaultKind::BadJson => ("bad_json", "is not JSON"),
            FaultKind::BadQuote => ("bad_quote", "has a quote that does not end where a column ends"),
            FaultKind::BadNumber => ("bad_number", "is not a number"),
            FaultKind::NotFinite => ("not_finite", "is not a finite number"),
            FaultKind::BadTime => ("bad_time", "is not a time in the configured form"),
            FaultKind::BadEvent => ("bad_event", "is not a name of 1 to 64 visible ASCII characters"),
            FaultKind::Duplicate => ("duplicate_field", "states the field twice"),
            FaultKind::NoSuchField => ("no_such_field", "has too few columns, or none of the fields"),
            FaultKind::NoMatch => ("no_match", "does not match the pattern"),
        }
    }
}

const SHOWN: usize = 40;

/// The beginning of the offending bytes, kept without an allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Excerpt {
    bytes: [u8; SHOWN],
    length: u8,
    cut: bool,
}

impl Excerpt {
    fn of(input: &[u8]) -> Excerpt {
        let length = input.len().min(SHOWN);
        let mut bytes = [0; SHOWN];
        bytes[..length].copy_from_slice(&input[..length]);
        // `length` is at most SHOWN, which fits.
        Excerpt { bytes, length: length as u8, cut: input.len() > SHOWN }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.bytes[..usize::from(self.length)].escape_ascii();
        write!(f, "`{text}{}`", if self.cut { "..." } else { "" })
    }
}

/// Input that gave no record, or no value for one field.
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: FaultKind,
    /// The field it is about; `None` if it is the whole line, frame or message.
    pub field: Option<Arc<str>>,
    excerpt: Excerpt,
}

impl DecodeError {
    /// A fault of the whole line, frame or message that begins with `input`.
    pub fn new(kind: FaultKind, input: &[u8]) -> DecodeError {
        DecodeError { kind, field: None, excerpt: Excerpt::of(input) }
    }

    /// A fault of one field.
    pub fn of_field(kind: FaultKind, field: &Arc<str>, input: &[u8]) -> DecodeError {
        DecodeError { kind, field: Some(field.clone()), excerpt: Excerpt::of(input) }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "field {field}: ")?;
        }
        write!(f, "{} {}", self.excerpt, self.kind.texts().1)
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({self})", self.kind.as_str())
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_beginning_of_the_input_in_printable_form() {
        let error = DecodeError::of_field(FaultKind::BadNumber, &Arc::from("co"), b"4\xff2");
        assert_eq!(error.to_string(), r"field co: `4\xff2` is not a number");
        let error = DecodeError::new(FaultKind::TooLong, &[b'x'; 100]);
        assert_eq!(error.to_string(), format!("`{}...` is longer than `max_length`", "x".repeat(40)));
    }
}
