//! Reference standards: what references are traced to.

use serde::{Deserialize, Serialize};

use super::ReferenceError;
use super::given::parse_unit;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::domain::units::Unit;

/// The most values of one standard.
pub const MOST_VALUES: usize = 64;
/// The longest word about a standard, in characters.
const LONGEST: usize = 128;
/// The longest comment.
const LONGEST_COMMENT: usize = 1000;

/// A reference standard: a gas cylinder, a certified instrument, a bath.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    /// Its name on this gateway.
    pub id: Id,
    /// What it is.
    #[serde(default)]
    pub description: Option<String>,
    /// The certificate that it is traced by.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Its lot, or its serial number.
    #[serde(default)]
    pub lot: Option<String>,
    /// What the certificate says.
    #[serde(default)]
    pub values: Vec<Certified>,
    /// When it has to be calibrated or replaced; what is measured with it later is overdue.
    #[serde(default)]
    pub due: Option<Timestamp>,
    /// Whatever else is to be remembered.
    #[serde(default)]
    pub comment: Option<String>,
}

/// One value of a standard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certified {
    /// The quantity, in words.
    #[serde(default)]
    pub quantity: Option<String>,
    /// The value; absent for an instrument, which has many.
    #[serde(default)]
    pub value: Option<f64>,
    /// UCUM code.
    pub unit: String,
    /// Standard uncertainty, in `unit`.
    #[serde(default)]
    pub u: Option<f64>,
}

impl Standard {
    /// Checks what somebody wrote.
    pub fn check(&self) -> Result<(), ReferenceError> {
        let words =
            [("description", &self.description), ("certificate", &self.certificate), ("lot", &self.lot)];
        words.iter().try_for_each(|(name, value)| text(name, value.as_deref(), LONGEST))?;
        text("comment", self.comment.as_deref(), LONGEST_COMMENT)?;
        if self.values.len() > MOST_VALUES {
            return Err(ReferenceError::TooManyValues(MOST_VALUES));
        }
        self.values.iter().enumerate().try_for_each(|(at, value)| {
            let at_its_place = |error| ReferenceError::Value { number: at + 1, error: Box::new(error) };
            value.check().map_err(at_its_place)
        })
    }

    /// The standard uncertainty of a value in `unit` that was measured with it, where exactly one of its
    /// values has a unit that converts to that.
    pub fn u_in(&self, unit: &Unit) -> Option<f64> {
        let in_unit = |value: &Certified| {
            let conversion = Unit::parse(&value.unit).ok()?.conversion(unit).ok()?;
            Some(value.u.map(|u| u * conversion.scale.abs()))
        };
        let mut found = self.values.iter().filter_map(in_unit);
        match (found.next(), found.next()) {
            (Some(u), None) => u,
            _ => None,
        }
    }
}

impl Certified {
    fn check(&self) -> Result<(), ReferenceError> {
        text("quantity", self.quantity.as_deref(), LONGEST)?;
        parse_unit(&self.unit)?;
        if self.value.is_some_and(|value| !value.is_finite()) {
            return Err(ReferenceError::NotFinite);
        }
        match self.u {
            Some(u) if !(u > 0.0 && u.is_finite()) => Err(ReferenceError::UncertaintyNotPositive(u)),
            _ => Ok(()),
        }
    }
}

fn text(name: &'static str, text: Option<&str>, longest: usize) -> Result<(), ReferenceError> {
    match text {
        Some(text) if !is_text(text, longest) => Err(ReferenceError::Text(name, longest)),
        _ => Ok(()),
    }
}

/// Whether it is a text of 1 to `longest` characters without control characters.
pub fn is_text(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= longest && !text.chars().any(char::is_control)
}
