//! A transform and its dates on one raw value: what the pipeline does, and what is done again with stored
//! values.

use super::quality::{ReasonCode, State};
use super::time::Timestamp;
use super::transform::{Compiled, Covariate, Input, Output};

/// A covariate's value older than this is not used, in microseconds.
pub const COVARIATE_MAX_AGE: i64 = 15 * 60 * 1_000_000;
const DAY_MICROS: f64 = 86_400e6;

/// The latest of a sensor that the transforms of other sensors may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latest {
    received: Timestamp,
    covariate: Covariate,
}

/// What a reading says of a sensor's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// As measured.
    pub raw: Option<f64>,
    /// Standard uncertainty of `raw`.
    pub u_raw: Option<f64>,
    /// Calibrated.
    pub value: Option<f64>,
    /// Standard uncertainty of `value`.
    pub u: Option<f64>,
    /// Whether a transform was in force.
    pub calibrated: bool,
}

impl Latest {
    /// The calibrated value of a reading that the gateway got at `received`, or the raw one where no
    /// transform was in force; `None` if it has neither.
    pub fn of(said: &Said, received: Timestamp) -> Option<Latest> {
        let covariate = match (said.value, said.raw) {
            (Some(value), _) => Covariate { value, u: said.u },
            (None, Some(value)) if !said.calibrated => Covariate { value, u: said.u_raw },
            _ => return None,
        };
        Some(Latest { received, covariate })
    }

    /// The value for a reading that the gateway got at `received`, unless it is too old for that.
    pub fn beside(&self, received: Timestamp) -> Option<Covariate> {
        let age = received.micros_since(self.received).abs();
        (age <= COVARIATE_MAX_AGE).then_some(self.covariate)
    }
}

/// A compiled transform with the dates that matter to a reading.
#[derive(Debug, Clone, Copy)]
pub struct Dated<'a> {
    /// The stages.
    pub compiled: &'a Compiled,
    /// The age of the calibration counts from here.
    pub calibrated_at: Timestamp,
    /// From then on its values are suspect.
    pub expires: Timestamp,
}

/// When a value is calibrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub now: Timestamp,
    /// Whether it can be believed.
    pub trusted: bool,
}

impl Dated<'_> {
    /// Whether the transform has expired by then; without a clock to believe nothing expires.
    pub fn has_expired(&self, moment: Moment) -> bool {
        moment.trusted && moment.now > self.expires
    }

    /// Calibrates a raw value with its standard uncertainty; the covariates come in the order of
    /// [`Compiled::covariates`].
    pub fn apply(
        &self,
        raw: f64,
        u_raw: Option<f64>,
        covariates: &[Option<Covariate>],
        moment: Moment,
    ) -> Output {
        let age_days = moment.now.micros_since(self.calibrated_at).max(0) as f64 / DAY_MICROS;
        let mut output = self.compiled.apply(&Input { raw, u_raw, covariates, age_days });
        if self.has_expired(moment) {
            output.state = output.state.max(State::Suspect);
            output.reasons = output.reasons.with(ReasonCode::TransformExpired);
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::EPOCH.saturating_add_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_raw_value_stands_in_only_where_no_transform_is_in_force() {
        let raw = Said { raw: Some(2.0), u_raw: Some(0.5), value: None, u: None, calibrated: false };
        let latest = Latest::of(&raw, at(0)).unwrap();
        assert_eq!(latest.beside(at(0)), Some(Covariate { value: 2.0, u: Some(0.5) }));
        assert_eq!(Latest::of(&Said { calibrated: true, ..raw }, at(0)), None);
        let both = Said { value: Some(3.0), u: Some(0.1), calibrated: true, ..raw };
        let latest = Latest::of(&both, at(0)).unwrap();
        assert_eq!(latest.beside(at(900)), Some(Covariate { value: 3.0, u: Some(0.1) }));
        assert_eq!(latest.beside(at(901)), None);
    }
}
