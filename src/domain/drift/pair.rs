//! A value and its reference, as the statistics of drift see them.

use std::ops::Deref;

use super::measurement::COVERAGE_FACTOR;
use crate::domain::digest::Digest;
use crate::domain::sensor::Kind;
use crate::domain::time::Timestamp;

/// What is known of a value and its reference; made a [`Pair`] by checking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// When: of the reading, or of the interval that value and reference stand for.
    pub time: Timestamp,
    /// Before calibration; only where it is in the unit of `reference`, else a difference says nothing.
    pub raw: Option<f64>,
    /// Calibrated by the transform that was active then; a probability for a probability sensor.
    pub value: f64,
    /// Standard uncertainty of `value`.
    pub u: Option<f64>,
    /// The reference value; the label, 0 or 1, for a probability sensor.
    pub reference: f64,
    /// Standard uncertainty of `reference`.
    pub u_reference: Option<f64>,
    /// The standard uncertainty that both have in common because one standard stands behind them.
    pub u_shared: Option<f64>,
    /// The pair's place among the sensor's cohorts.
    pub cohort: Option<u8>,
    /// Time of the reference less time of the reading, in microseconds; for snapshots.
    pub lag: i64,
    /// The transform that made `value`; for snapshots.
    pub transform: Option<Digest>,
    /// The standard behind the reference was overdue for its own calibration.
    pub overdue: bool,
}

impl Facts {
    /// A value and its reference of which nothing else is known.
    pub fn new(time: Timestamp, value: f64, reference: f64) -> Facts {
        Facts {
            time,
            raw: None,
            value,
            u: None,
            reference,
            u_reference: None,
            u_shared: None,
            cohort: None,
            lag: 0,
            transform: None,
            overdue: false,
        }
    }
}

/// Says which number makes a pair useless.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PairError {
    /// A number is not what it has to be.
    #[error("the {what} is {found}, expected {wanted}")]
    Number {
        /// Which number.
        what: &'static str,
        /// What it is.
        found: f64,
        /// What would be right.
        wanted: &'static str,
    },
    /// More is shared than there is.
    #[error(
        "{0} of the uncertainty is shared, expected no more than the uncertainties of value and reference have, both of them stated"
    )]
    Shared(f64),
}

/// Largest size of a number, in any unit: squares and their sums stay finite.
pub const LARGEST: f64 = 1e100;
/// Smallest uncertainty: what is divided by it stays finite.
pub const SMALLEST_U: f64 = 1e-100;

/// A pair whose numbers can be computed with: no window can be spoilt by it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    facts: Facts,
    kind: Kind,
}

impl Pair {
    /// Checks the facts for a sensor of this kind.
    pub fn new(kind: Kind, facts: Facts) -> Result<Pair, PairError> {
        size("value", facts.value)?;
        size("reference value", facts.reference)?;
        facts.raw.map_or(Ok(()), |raw| size("raw value", raw))?;
        facts.u.map_or(Ok(()), |u| uncertainty("uncertainty of the value", u))?;
        facts.u_reference.map_or(Ok(()), |u| uncertainty("uncertainty of the reference", u))?;
        facts.u_shared.map_or(Ok(()), |u| shared(&facts, u))?;
        if kind == Kind::Probability {
            number("value", facts.value, is_probability(facts.value), "a probability from 0 to 1")?;
            let label = facts.reference == 0.0 || facts.reference == 1.0;
            number("reference value", facts.reference, label, "a label, 0 or 1")?;
        }
        Ok(Pair { facts, kind })
    }

    /// value - reference (VIM 2.16).
    pub fn error(&self) -> f64 {
        self.facts.value - self.facts.reference
    }

    /// raw - reference.
    pub fn raw_error(&self) -> Option<f64> {
        self.facts.raw.map(|raw| raw - self.facts.reference)
    }

    /// E_n = (value - reference) / sqrt(U_value^2 + U_reference^2 - 2 U_shared^2) with U = 2 u; `None`
    /// without both uncertainties, and where all of both is shared (ISO/IEC 17043; ISO 13528, 9.7).
    pub fn en(&self) -> Option<f64> {
        let (u, reference) = (self.facts.u?, self.facts.u_reference?);
        let shared = self.facts.u_shared.unwrap_or(0.0);
        // u^2 + reference^2 - 2 shared^2, without losing the little that may be left
        let variance = (u - shared) * (u + shared) + (reference - shared) * (reference + shared);
        (variance > 0.0).then(|| self.error() / (COVERAGE_FACTOR * variance.sqrt()))
    }

    /// What the reference may be off by that the value is not: sqrt(u_reference^2 - u_shared^2).
    pub fn u_reference_alone(&self) -> Option<f64> {
        let (u, shared) = (self.facts.u_reference?, self.facts.u_shared.unwrap_or(0.0));
        Some(((u - shared) * (u + shared)).sqrt())
    }

    /// What the sensor's value means.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// Read only: a checked pair stays as it was checked.
impl Deref for Pair {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

/// Whether it is a number from 0 to 1.
pub fn is_probability(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

fn number(what: &'static str, found: f64, fits: bool, wanted: &'static str) -> Result<(), PairError> {
    if fits { Ok(()) } else { Err(PairError::Number { what, found, wanted }) }
}

fn size(what: &'static str, found: f64) -> Result<(), PairError> {
    number(what, found, found.abs() <= LARGEST, "a finite number of at most 1e100: choose another unit")
}

fn uncertainty(what: &'static str, found: f64) -> Result<(), PairError> {
    let fits = (SMALLEST_U..=LARGEST).contains(&found);
    number(what, found, fits, "a standard uncertainty above 0, from 1e-100 to 1e100")
}

fn shared(facts: &Facts, shared: f64) -> Result<(), PairError> {
    let (Some(u), Some(reference)) = (facts.u, facts.u_reference) else {
        return Err(PairError::Shared(shared));
    };
    let fits = (0.0..=u.min(reference)).contains(&shared);
    if fits { Ok(()) } else { Err(PairError::Shared(shared)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts = Facts {
        time: Timestamp::EPOCH,
        raw: Some(9.0),
        value: 5.0,
        u: Some(0.5),
        reference: 4.0,
        u_reference: Some(0.5),
        u_shared: Some(0.4),
        cohort: None,
        lag: 0,
        transform: None,
        overdue: false,
    };

    fn refused(kind: Kind, facts: Facts) -> String {
        Pair::new(kind, facts).unwrap_err().to_string()
    }

    #[test]
    fn what_a_pair_says() {
        let pair = Pair::new(Kind::Measurement, FACTS).unwrap();
        assert_eq!((pair.error(), pair.raw_error()), (1.0, Some(5.0)));
        assert!((pair.en().unwrap() - 1.0 / (2.0 * 0.18f64.sqrt())).abs() < 1e-15);
        assert!((pair.u_reference_alone().unwrap() - 0.3).abs() < 1e-15);
        let bare = Pair::new(Kind::Measurement, Facts::new(Timestamp::EPOCH, 5.0, 4.0)).unwrap();
        assert_eq!((bare.en(), bare.u_reference_alone(), bare.raw_error()), (None, None, None));
    }

    #[test]
    fn numbers_that_spoil_sums_are_refused() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.1e100, -1.1e100] {
            for facts in [
                Facts { value: bad, ..FACTS },
                Facts { reference: bad, ..FACTS },
                Facts { raw: Some(bad), ..FACTS },
                Facts { u: Some(bad), ..FACTS },
                Facts { u_reference: Some(bad), ..FACTS },
                Facts { u_shared: Some(bad), ..FACTS },
            ] {
                assert!(Pair::new(Kind::Measurement, facts).is_err(), "{facts:?}");
            }
        }
        for bad in [0.0, -0.5, 1e-101] {
            assert!(Pair::new(Kind::Measurement, Facts { u: Some(bad), ..FACTS }).is_err(), "{bad}");
            let facts = Facts { u_reference: Some(bad), ..FACTS };
            assert!(Pair::new(Kind::Measurement, facts).is_err(), "{bad}");
        }
        assert_eq!(
            refused(Kind::Measurement, Facts { reference: f64::NAN, ..FACTS }),
            "the reference value is NaN, expected a finite number of at most 1e100: choose another unit"
        );
    }

    #[test]
    fn no_more_is_shared_than_there_is() {
        for facts in [
            Facts { u_shared: Some(0.6), u: Some(2.0), ..FACTS },
            Facts { u_shared: Some(-0.1), ..FACTS },
            Facts { u: None, ..FACTS },
        ] {
            assert!(refused(Kind::Measurement, facts).contains("is shared"), "{facts:?}");
        }
        // Nothing is left for an error to be compared with.
        let all = Pair::new(Kind::Measurement, Facts { u_shared: Some(0.5), ..FACTS }).unwrap();
        assert_eq!((all.en(), all.u_reference_alone()), (None, Some(0.0)));
    }

    #[test]
    fn probabilities_have_labels() {
        let fair = Facts::new(Timestamp::EPOCH, 0.7, 1.0);
        assert!(Pair::new(Kind::Probability, fair).is_ok());
        assert_eq!(
            refused(Kind::Probability, Facts { value: 1.2, ..fair }),
            "the value is 1.2, expected a probability from 0 to 1"
        );
        assert!(refused(Kind::Probability, Facts { reference: 0.5, ..fair }).contains("a label, 0 or 1"));
    }
}
