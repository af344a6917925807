//! Numbers as instruments write them.

use super::fault::FaultKind;

/// What one field of a record holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// The record says nothing of the field, or it was garbled: there is no reading.
    Absent,
    /// The record says that the instrument has no value: a reading without a value.
    Missing,
    /// A finite number.
    Number(f64),
}

impl Value {
    /// The reading, if there is one: `Some(None)` is a reading without a value.
    pub fn reading(self) -> Option<Option<f64>> {
        match self {
            Value::Absent => None,
            Value::Missing => Some(None),
            Value::Number(number) => Some(Some(number)),
        }
    }
}

/// What an instrument writes where it has no value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Missing {
    /// Numbers that mean "no value", such as -200, as transmitted (before scaling).
    pub numbers: Vec<f64>,
    /// Texts that mean "no value", such as `---`.
    pub texts: Vec<String>,
}

impl Missing {
    /// Whether the number means "no value".
    pub fn number(&self, number: f64) -> bool {
        self.numbers.contains(&number)
    }

    fn text(&self, text: &str) -> bool {
        self.texts.iter().any(|missing| missing == text)
    }
}

/// The decimal separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decimal {
    /// `1.5`
    #[default]
    Point,
    /// `1,5`
    Comma,
}

/// Longest number text; what is longer is no number that an instrument writes.
const MAX_DIGITS: usize = 64;

/// Reads a number; blanks around it are ignored, and an empty text is a missing value.
///
/// Errors: `BadNumber`, or `NotFinite` for NaN and infinities, spelled or too large.
pub fn parse(text: &str, decimal: Decimal, missing: &Missing) -> Result<Value, FaultKind> {
    let text = text.trim();
    if text.is_empty() || missing.text(text) {
        return Ok(Value::Missing);
    }
    let number = match decimal {
        Decimal::Point => text.parse().map_err(|_| FaultKind::BadNumber)?,
        Decimal::Comma => with_comma(text)?,
    };
    classify(number, missing)
}

/// The value that a number stands for.
pub fn classify(number: f64, missing: &Missing) -> Result<Value, FaultKind> {
    if !number.is_finite() {
        return Err(FaultKind::NotFinite);
    }
    Ok(if missing.number(number) { Value::Missing } else { Value::Number(number) })
}

fn with_comma(text: &str) -> Result<f64, FaultKind> {
    let mut buffer = [0u8; MAX_DIGITS];
    let slot = buffer.get_mut(..text.len()).ok_or(FaultKind::BadNumber)?;
    for (to, from) in slot.iter_mut().zip(text.bytes()) {
        *to = match from {
            b',' => b'.',
            // `1.234,5` and `1.5` would be read as different numbers by different people.
            b'.' => return Err(FaultKind::BadNumber),
            byte => byte,
        };
    }
    std::str::from_utf8(slot).ok().and_then(|text| text.parse().ok()).ok_or(FaultKind::BadNumber)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, decimal: Decimal) -> Result<Value, FaultKind> {
        let missing = Missing { numbers: vec![-200.0], texts: vec!["---".into()] };
        parse(text, decimal, &missing)
    }

    #[test]
    fn missing_is_never_zero() {
        for text in ["", "  ", "-200", " -200.0", "-2e2", "---"] {
            assert_eq!(read(text, Decimal::Point), Ok(Value::Missing), "{text}");
        }
        assert_eq!(read("0", Decimal::Point), Ok(Value::Number(0.0)));
    }

    #[test]
    fn not_finite_is_told_from_not_a_number() {
        for text in ["NaN", "nan", "inf", "-Infinity", "1e999"] {
            assert_eq!(read(text, Decimal::Point), Err(FaultKind::NotFinite), "{text}");
        }
        for text in ["1,5", "0x10", "1.2.3", "12a", "-", "1 2", "\u{0661}"] {
            assert_eq!(read(text, Decimal::Point), Err(FaultKind::BadNumber), "{text}");
        }
    }

    #[test]
    fn decimal_commas() {
        assert_eq!(read("-0,5", Decimal::Comma), Ok(Value::Number(-0.5)));
        assert_eq!(read("12", Decimal::Comma), Ok(Value::Number(12.0)));
        for text in ["1.5", "1.234,5", "1,2,3", &"1".repeat(65)] {
            assert_eq!(read(text, Decimal::Comma), Err(FaultKind::BadNumber), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number in prop::num::f64::NORMAL) {
            prop_assert_eq!(read(&format!("{number:e}"), Decimal::Point), Ok(Value::Number(number)));
            let comma = format!("{number:e}").replace('.', ",");
            prop_assert_eq!(read(&comma, Decimal::Comma), Ok(Value::Number(number)));
        }
    }
}
