//! Reference standards: what references are traced to.

use serde::{Deserialize, Serialize};

use super::ReferenceError;
use super::given::parse_unit;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::domain::units::{Conversion, Unit};

/// The most values of one standard.
pub const MOST_VALUES: usize = 64;
/// A reference further from the certified value than so many standard uncertainties is another one: of normal errors
/// one in 370 would be.
const BEYOND: f64 = 3.0;
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
        let (certified, conversion) = self.only_in(unit)?;
        certified.u.map(|u| u * conversion.scale.abs())
    }

    /// What it is certified for, if that is one value with an uncertainty in a unit that converts to `unit`, and a
    /// reference of `value` in `unit` is further from it than 3 u and what writing it with so many decimals rounds.
    pub fn contradicts(&self, value: f64, unit: &Unit) -> Option<&Certified> {
        let (certified, conversion) = self.only_in(unit)?;
        let u = certified.u? * conversion.scale.abs();
        let off = (value - conversion.apply(certified.value?)).abs();
        (off > BEYOND * u + rounded(value)).then_some(certified)
    }

    /// The only one of its values whose unit converts to `unit`, and the way there.
    fn only_in(&self, unit: &Unit) -> Option<(&Certified, Conversion)> {
        let mut found = self.values.iter().filter_map(|value| {
            let conversion = Unit::parse(&value.unit).ok()?.conversion(unit).ok()?;
            Some((value, conversion))
        });
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only),
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

/// By how much a value may have been rounded to be written with its decimals: half a unit of the last one. A whole
/// number was not rounded, for all that can be seen.
fn rounded(value: f64) -> f64 {
    let written = value.to_string();
    let decimals = written.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if decimals == 0 { 0.0 } else { 0.5 * 0.1_f64.powi(decimals.min(300) as i32) }
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
