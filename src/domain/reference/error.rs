//! What can be wrong with a reference reading or a standard.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::id::{Id, IdError, SensorId};
use crate::domain::time::Timestamp;
use crate::domain::units::UnitError;

/// Says why a reference reading, or a standard, is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReferenceError {
    /// NaN or infinite, or so after the conversion.
    #[error("the value is not a finite number: give one")]
    NotFinite,
    /// A probability's reference is a label.
    #[error("{sensor} gives probabilities, so its references are labels: give 0 or 1, not {value}")]
    NotALabel {
        /// The sensor.
        sensor: SensorId,
        /// What was given.
        value: f64,
    },
    /// A label has neither an uncertainty nor an interval, and is not the other kind's.
    #[error("{0} gives probabilities, and a label has no {1}: leave it out")]
    NotOfLabels(SensorId, &'static str),
    /// Events belong to labels.
    #[error("{0} measures a quantity, and an event is for labels of probabilities: leave it out")]
    EventOfMeasurement(SensorId),
    /// No unit where one is needed.
    #[error("the unit is missing: give one, as {0} has it or one that converts to that")]
    NoUnit(Arc<str>),
    /// No unit, and none is known of the sensor.
    #[error("the unit is missing: give a UCUM code like mg/m3 or Cel")]
    NoUnitKnown,
    /// Not a UCUM code.
    #[error(transparent)]
    Unit(UnitError),
    /// The unit does not convert to the sensor's.
    #[error(
        "`{given}` does not convert to `{wanted}`, the unit of {sensor}: give the value in a unit of its kind"
    )]
    OtherUnit {
        /// The unit given.
        given: Arc<str>,
        /// The sensor's.
        wanted: Arc<str>,
        /// The sensor.
        sensor: SensorId,
    },
    /// Zero, negative or not finite.
    #[error("the uncertainty is {0}: give a number above 0, or leave it out if it is not known")]
    UncertaintyNotPositive(f64),
    /// Too small to be true.
    #[error(
        "the uncertainty {u} of {value} claims more than nine digits, which no reference has: correct it, or leave it out if it is not known"
    )]
    UncertaintyTooSmall {
        /// The uncertainty.
        u: f64,
        /// The value.
        value: f64,
    },
    /// Too large to say anything.
    #[error(
        "the uncertainty {u} of {value} is above {limit}, so that it says nothing of the sensor: correct it"
    )]
    UncertaintyTooLarge {
        /// The uncertainty.
        u: f64,
        /// The value.
        value: f64,
        /// What it may be.
        limit: f64,
    },
    /// Two uncertainties, or a part of one.
    #[error("give either the standard uncertainty u, or the expanded one U together with its factor k")]
    UncertaintyUnclear,
    /// A coverage factor that nobody uses.
    #[error("the coverage factor is {0}, expected 1 to 10: U / k is the standard uncertainty")]
    CoverageFactor(f64),
    /// Not what the standard behind it is certified for.
    #[error(
        "{value} {unit} is not what the standard {standard} is certified for, {certified} {certified_unit} with u = {u} {certified_unit}: correct the value or its unit, name the right standard, or give an uncertainty with the value, as of a dilution"
    )]
    NotAsCertified {
        /// The value given.
        value: f64,
        /// Its unit.
        unit: Arc<str>,
        /// The standard.
        standard: Id,
        /// Its certified value.
        certified: f64,
        /// The standard uncertainty of that.
        u: f64,
        /// The unit of both.
        certified_unit: String,
    },
    /// Too short or too long.
    #[error("the interval is {0:?}, expected 1 ms to 366 days")]
    Interval(Duration),
    /// Not a number of seconds.
    #[error("the interval is {0} s, expected 1 ms to 366 days")]
    IntervalSeconds(f64),
    /// A stamp says which point of an interval is meant.
    #[error(
        "`stamp` says which point of the interval the time is, and there is no interval: give one or leave it out"
    )]
    StampWithoutInterval,
    /// A text that is not a flag.
    #[error("`{0}` is no quality flag: write valid, suspect or invalid")]
    Flag(String),
    /// A label's event.
    #[error("the event is not a name of 1 to 64 visible ASCII characters: correct it")]
    Event,
    /// Its id, or that of its standard.
    #[error("the {0}: {1}")]
    Id(&'static str, IdError),
    /// Measured later than now.
    #[error("it ends at {ends}, which is later than now ({now}): correct the time or its offset from UTC")]
    Future {
        /// When it was measured.
        ends: Timestamp,
        /// The gateway's clock.
        now: Timestamp,
    },
    /// A text about a standard.
    #[error("{0}: give a text of 1 to {1} characters without control characters, or leave it out")]
    Text(&'static str, usize),
    /// The values of a standard.
    #[error("a standard has at most {0} values: leave some out")]
    TooManyValues(usize),
    /// One value of a standard.
    #[error("value {number} of the standard: {error}")]
    Value {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        error: Box<ReferenceError>,
    },
}

impl ReferenceError {
    /// The reason in a word, as it is counted.
    pub fn reason(&self) -> &'static str {
        match self {
            ReferenceError::NotFinite => "not_finite",
            ReferenceError::NotALabel { .. } | ReferenceError::NotOfLabels(..) => "not_a_label",
            ReferenceError::EventOfMeasurement(_) | ReferenceError::Event => "event",
            ReferenceError::NoUnit(_)
            | ReferenceError::NoUnitKnown
            | ReferenceError::Unit(_)
            | ReferenceError::OtherUnit { .. } => "unit",
            ReferenceError::UncertaintyNotPositive(_)
            | ReferenceError::UncertaintyTooSmall { .. }
            | ReferenceError::UncertaintyTooLarge { .. }
            | ReferenceError::UncertaintyUnclear
            | ReferenceError::CoverageFactor(_) => "uncertainty",
            ReferenceError::Interval(_)
            | ReferenceError::IntervalSeconds(_)
            | ReferenceError::StampWithoutInterval => "interval",
            ReferenceError::Flag(_) => "flag",
            ReferenceError::Id(..) => "id",
            ReferenceError::Future { .. } => "future",
            ReferenceError::Text(..)
            | ReferenceError::TooManyValues(_)
            | ReferenceError::Value { .. }
            | ReferenceError::NotAsCertified { .. } => "standard",
        }
    }
}
