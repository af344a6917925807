//! Statements of conformity: whether a measured error is within what is permitted.

use serde::{Deserialize, Serialize};

use super::distribution::normal;

/// Maximum permissible error (VIM 4.26).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mpe {
    /// In the unit of the quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute: Option<f64>,
    /// As a fraction of the size of the reference value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
    /// What holds where both are stated.
    #[serde(default)]
    pub combine: Combine,
}

/// How an absolute and a relative part make one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// The larger one.
    #[default]
    Max,
    /// Both added up.
    Sum,
}

/// Why there is no decision.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum DecisionError {
    /// No part of the limit is stated.
    #[error("mpe: state `absolute`, `relative` or both")]
    NoLimit,
    /// A part of the limit is negative or no number.
    #[error("mpe.{0}: expected a number of at least 0, found {1}")]
    Limit(&'static str, f64),
    /// The limit is 0 at this reference value.
    #[error("mpe: nothing is permitted at the reference value {0}: state an absolute part, too")]
    Nothing(f64),
    /// The uncertainty is none.
    #[error("the expanded uncertainty is {0}, expected a number above 0")]
    Uncertainty(f64),
    /// The coverage factor is none.
    #[error("the coverage factor is {0}, expected a number above 0")]
    CoverageFactor(f64),
    /// The error or the reference value is none.
    #[error("the point (reference {0}, error {1}) is not finite")]
    Point(f64, f64),
}

/// How the uncertainty is taken into account (ILAC-G8:09/2019).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The limit is the MPE (4.2.1); the risk of a wrong acceptance is up to 50 % at the limit.
    Simple,
    /// The limit is the MPE less a guard band w = U, with conditional outcomes between (4.2.3).
    #[default]
    GuardBand,
}

/// A measured error at one reference value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The reference value.
    pub reference: f64,
    /// value - reference.
    pub error: f64,
    /// The error's expanded uncertainty U.
    pub expanded: f64,
    /// The coverage factor k in it.
    pub coverage_factor: f64,
}

/// What is stated about a point, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Within the limit.
    Pass,
    /// Within the MPE, but not beyond doubt.
    ConditionalPass,
    /// Beyond the MPE, but not beyond doubt.
    ConditionalFail,
    /// Beyond the limit.
    Fail,
}

impl Outcome {
    /// The name in certificates and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::ConditionalPass => "conditional_pass",
            Outcome::ConditionalFail => "conditional_fail",
            Outcome::Fail => "fail",
        }
    }
}

/// The decision on a point, and how likely it is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Decision {
    /// What is stated.
    pub outcome: Outcome,
    /// The MPE at this reference value.
    pub mpe: f64,
    /// Whether U is at most the MPE: if not, nothing passes.
    pub capable: bool,
    /// Specific risk (JCGM 106:2012): the probability that the true error is beyond the MPE
    /// though a pass is stated, or within it though a fail is; normal error, flat prior.
    pub risk: f64,
}

impl Mpe {
    /// The limit at a reference value, in the unit of the quantity.
    pub fn at(&self, reference: f64) -> Result<f64, DecisionError> {
        for (name, part) in [("absolute", self.absolute), ("relative", self.relative)] {
            if let Some(part) = part.filter(|part| !(0.0..=f64::MAX).contains(part)) {
                return Err(DecisionError::Limit(name, part));
            }
        }
        let relative = self.relative.map(|relative| relative * reference.abs());
        let limit = match (self.absolute, relative, self.combine) {
            (None, None, _) => return Err(DecisionError::NoLimit),
            (Some(absolute), Some(relative), Combine::Max) => absolute.max(relative),
            (absolute, relative, _) => absolute.unwrap_or(0.0) + relative.unwrap_or(0.0),
        };
        if limit > 0.0 && reference.is_finite() {
            Ok(limit.min(f64::MAX))
        } else {
            Err(DecisionError::Nothing(reference))
        }
    }
}

/// Decides on one point. Errors of exactly a limit are within it.
///
/// No pass is stated where U exceeds the MPE, under either rule: the measurement can't tell.
pub fn decide(point: &Point, mpe: &Mpe, rule: Rule) -> Result<Decision, DecisionError> {
    check(point)?;
    let limit = mpe.at(point.reference)?;
    let size = point.error.abs();
    let capable = point.expanded <= limit;
    let outcome = match rule {
        Rule::Simple if size > limit => Outcome::Fail,
        Rule::Simple if capable => Outcome::Pass,
        Rule::GuardBand if size <= limit - point.expanded => Outcome::Pass,
        _ if size <= limit => Outcome::ConditionalPass,
        _ if size <= limit + point.expanded => Outcome::ConditionalFail,
        _ => Outcome::Fail,
    };
    let beyond = beyond(point, limit);
    let accepted = matches!(outcome, Outcome::Pass | Outcome::ConditionalPass);
    Ok(Decision { outcome, mpe: limit, capable, risk: if accepted { beyond.0 } else { beyond.1 } })
}

fn check(point: &Point) -> Result<(), DecisionError> {
    let usable = |value: f64| value > 0.0 && value.is_finite();
    if !(point.reference.is_finite() && point.error.is_finite()) {
        return Err(DecisionError::Point(point.reference, point.error));
    }
    if !usable(point.expanded) {
        return Err(DecisionError::Uncertainty(point.expanded));
    }
    if !usable(point.coverage_factor) {
        return Err(DecisionError::CoverageFactor(point.coverage_factor));
    }
    Ok(())
}

/// The probabilities that the true error is beyond the limit, and within it.
fn beyond(point: &Point, limit: f64) -> (f64, f64) {
    let scale = point.coverage_factor / point.expanded;
    let upper = normal((limit - point.error) * scale);
    let lower = normal((-limit - point.error) * scale);
    let outside = (upper.upper + lower.lower).clamp(0.0, 1.0);
    // each from the smaller tails, so that a small probability keeps its digits
    let inside = if point.error > 0.0 { upper.lower - lower.lower } else { lower.upper - upper.upper };
    (outside, inside.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ABSOLUTE: Mpe = Mpe { absolute: Some(1.0), relative: None, combine: Combine::Max };

    fn point(error: f64, expanded: f64) -> Point {
        Point { reference: 10.0, error, expanded, coverage_factor: 2.0 }
    }

    #[test]
    fn limits_combine() {
        let both = |combine| Mpe { absolute: Some(0.3), relative: Some(0.02), combine };
        assert_eq!(both(Combine::Max).at(-50.0), Ok(1.0));
        assert_eq!(both(Combine::Max).at(5.0), Ok(0.3));
        assert_eq!(both(Combine::Sum).at(50.0), Ok(1.3));
        let relative = Mpe { absolute: None, relative: Some(0.1), combine: Combine::Sum };
        assert_eq!(relative.at(5.0), Ok(0.5));
        assert_eq!(relative.at(0.0), Err(DecisionError::Nothing(0.0)));
        assert_eq!(Mpe { relative: None, ..relative }.at(5.0), Err(DecisionError::NoLimit));
        assert_eq!(
            Mpe { relative: Some(-0.1), ..relative }.at(5.0),
            Err(DecisionError::Limit("relative", -0.1))
        );
    }

    #[test]
    fn a_guard_band_has_four_outcomes() {
        let cases = [
            (0.59, Outcome::Pass),
            (-0.6, Outcome::Pass),
            (0.61, Outcome::ConditionalPass),
            (1.0, Outcome::ConditionalPass),
            (-1.01, Outcome::ConditionalFail),
            (1.4, Outcome::ConditionalFail),
            (1.41, Outcome::Fail),
        ];
        for (error, outcome) in cases {
            let decision = decide(&point(error, 0.4), &ABSOLUTE, Rule::GuardBand).unwrap();
            assert_eq!(decision.outcome, outcome, "{error}");
        }
    }

    #[test]
    fn simple_acceptance_has_two_and_states_its_risk() {
        let decided = |error| decide(&point(error, 0.4), &ABSOLUTE, Rule::Simple).unwrap();
        assert_eq!((decided(1.0).outcome, decided(1.001).outcome), (Outcome::Pass, Outcome::Fail));
        assert!((decided(1.0).risk - 0.5).abs() < 1e-9);
        // u = 0.2: the limit is 2.5 u away
        assert!((decided(0.5).risk - 0.006_209_665_325_776_132).abs() < 1e-13);
        assert!((decided(-1.5).risk - 0.006_209_665_325_776_132).abs() < 1e-13);
    }

    #[test]
    fn nothing_passes_where_the_uncertainty_exceeds_the_limit() {
        for rule in [Rule::Simple, Rule::GuardBand] {
            let decision = decide(&point(0.0, 1.01), &ABSOLUTE, rule).unwrap();
            assert_eq!((decision.outcome, decision.capable), (Outcome::ConditionalPass, false));
        }
        assert_eq!(decide(&point(0.0, 1.0), &ABSOLUTE, Rule::GuardBand).unwrap().outcome, Outcome::Pass);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for expanded in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(decide(&point(0.0, expanded), &ABSOLUTE, Rule::Simple).is_err());
        }
        assert!(decide(&point(f64::NAN, 1.0), &ABSOLUTE, Rule::Simple).is_err());
        let flat = Point { coverage_factor: 0.0, ..point(0.0, 0.1) };
        assert_eq!(decide(&flat, &ABSOLUTE, Rule::Simple), Err(DecisionError::CoverageFactor(0.0)));
        assert!(Mpe { absolute: Some(f64::NAN), ..ABSOLUTE }.at(1.0).is_err());
    }

    proptest! {
        #[test]
        fn risks_are_probabilities_and_guard_bands_keep_them_small(
            error in -3.0..3.0f64, expanded in 1e-3..3.0f64,
        ) {
            let simple = decide(&point(error, expanded), &ABSOLUTE, Rule::Simple).unwrap();
            let guarded = decide(&point(error, expanded), &ABSOLUTE, Rule::GuardBand).unwrap();
            prop_assert!((0.0..=1.0).contains(&simple.risk));
            if simple.outcome == Outcome::Pass {
                prop_assert!(simple.risk <= 0.5 + 0.02275 + 1e-9);
            }
            if guarded.outcome == Outcome::Pass {
                prop_assert!(guarded.risk <= 0.02275 + 0.00014 || expanded > 0.5, "{}", guarded.risk);
                prop_assert!(guarded.risk <= 2.0 * 0.022_750_131_948_2);
                prop_assert_eq!(simple.outcome, Outcome::Pass);
            }
            // the true error is either beyond or within
            let (beyond, within) = beyond(&point(error, expanded), 1.0);
            prop_assert!((beyond + within - 1.0).abs() < 1e-12);
        }
    }
}
