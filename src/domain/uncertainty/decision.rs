//! Statements of conformity: whether a measured error is within what is permitted.

use serde::{Deserialize, Serialize};

use super::distribution::{LEAST, student};

/// Units in the last place that reading, reference, limit and U may be apart from their decimals together, with what is
/// computed of them: each is rounded once when it is read, and a few times on its way here.
const ROUNDING: f64 = 8.0;

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
    /// The uncertainty has too few degrees of freedom to say anything.
    #[error("the uncertainty has {0} degrees of freedom, expected at least {LEAST}")]
    DegreesOfFreedom(f64),
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
    /// Degrees of freedom of the standard uncertainty U / k; `None` for infinitely many.
    pub degrees_of_freedom: Option<f64>,
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
    /// Whether U is at most the MPE: if not, no error is a pass.
    pub capable: bool,
    /// Specific risk (JCGM 106:2012): the probability that the true error is beyond the MPE
    /// though a pass is stated, or within it though a fail is; flat prior. (true - measured error) / u has
    /// Student's distribution with the degrees of freedom of u, as k has (GUM G.3.2).
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

    /// Whether an error is within the limit. One of exactly the limit is: 1.1 is within 0.1 of 1.0.
    pub fn permits(&self, reference: f64, error: f64) -> Result<bool, DecisionError> {
        let limit = self.at(reference)?;
        Ok(error.abs() <= limit + rounding(reference, error, limit))
    }
}

/// By how much a comparison with a limit may be off because decimals are rounded to binary numbers: 1.1 - 1.0 is
/// 0.10000000000000009, and 9.3 - 9.2 is 0.10000000000000142.
fn rounding(reference: f64, error: f64, limit: f64) -> f64 {
    // each scaled by itself, so that the sum stays finite
    [reference, error, limit].map(|it| ROUNDING * f64::EPSILON * it.abs()).iter().sum()
}

impl Point {
    /// Whether U is at most the limit.
    fn capable(&self, limit: f64) -> bool {
        self.expanded <= limit + rounding(self.reference, self.error, limit)
    }

    /// The acceptance limit (JCGM 106:2012, 3.3.8): how large an error may be to pass under a rule, where `mpe` is
    /// permitted. Below 0 where U exceeds the MPE, under either rule: no error passes.
    pub fn acceptance(&self, mpe: f64, rule: Rule) -> f64 {
        match (self.capable(mpe), rule) {
            (true, Rule::Simple) => mpe,
            (true, Rule::GuardBand) => (mpe - self.expanded).max(0.0),
            (false, _) => mpe - self.expanded,
        }
    }
}

/// Decides on one point. Errors of exactly a limit are within it, as far as numbers in binary can tell.
///
/// No pass is stated where U exceeds the MPE, under either rule: the measurement can't tell.
pub fn decide(point: &Point, mpe: &Mpe, rule: Rule) -> Result<Decision, DecisionError> {
    check(point)?;
    let limit = mpe.at(point.reference)?;
    let rounding = rounding(point.reference, point.error, limit);
    let within = |most: f64| point.error.abs() <= most + rounding;
    let capable = point.capable(limit);
    let outcome = match rule {
        _ if capable && within(point.acceptance(limit, rule)) => Outcome::Pass,
        _ if within(limit) => Outcome::ConditionalPass,
        Rule::GuardBand if within(limit + point.expanded) => Outcome::ConditionalFail,
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
    match point.degrees_of_freedom {
        Some(few) if few.is_nan() || few < LEAST => Err(DecisionError::DegreesOfFreedom(few)),
        _ => Ok(()),
    }
}

/// The probabilities that the true error is beyond the limit, and within it.
fn beyond(point: &Point, limit: f64) -> (f64, f64) {
    let degrees = point.degrees_of_freedom.unwrap_or(f64::INFINITY);
    let tails = |edge: f64| student((edge - point.error) / point.expanded * point.coverage_factor, degrees);
    let (upper, lower) = (tails(limit), tails(-limit));
    let outside = (upper.upper + lower.lower).clamp(0.0, 1.0);
    // each from the smaller tails, so that a small probability keeps its digits
    let inside = if point.error > 0.0 { upper.lower - lower.lower } else { lower.upper - upper.upper };
    (outside, inside.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::uncertainty::coverage::coverage_factor;
    use proptest::prelude::*;

    const ABSOLUTE: Mpe = Mpe { absolute: Some(1.0), relative: None, combine: Combine::Max };

    fn point(error: f64, expanded: f64) -> Point {
        Point { reference: 10.0, error, expanded, coverage_factor: 2.0, degrees_of_freedom: None }
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
        for few in [0.0, -1.0, 1e-3, f64::NAN] {
            let point = Point { degrees_of_freedom: Some(few), ..point(0.0, 0.1) };
            assert!(matches!(
                decide(&point, &ABSOLUTE, Rule::Simple),
                Err(DecisionError::DegreesOfFreedom(_))
            ));
        }
    }

    #[test]
    fn decimals_of_exactly_a_limit_are_within_it() {
        let tenth = Mpe { absolute: Some(0.1), ..ABSOLUTE };
        let read = |value: f64, reference: f64, expanded: f64| Point {
            reference,
            ..point(value - reference, expanded)
        };
        let simple =
            |value, reference| decide(&read(value, reference, 0.02), &tenth, Rule::Simple).unwrap().outcome;
        assert_eq!((simple(1.1, 1.0), simple(9.3, 9.2)), (Outcome::Pass, Outcome::Pass));
        assert_eq!(simple(1.100_000_1, 1.0), Outcome::Fail);
        for (value, outcome) in [
            (1.08, Outcome::Pass),
            (1.1, Outcome::ConditionalPass),
            (1.12, Outcome::ConditionalFail),
            (1.13, Outcome::Fail),
        ] {
            let decided = decide(&read(value, 1.0, 0.02), &tenth, Rule::GuardBand).unwrap();
            assert_eq!(decided.outcome, outcome, "{value}");
        }
        // U of exactly the limit, though 0.4 - 0.3 is 0.10000000000000003
        let decided = decide(&read(9.2, 9.2, 0.4 - 0.3), &tenth, Rule::GuardBand);
        assert_eq!(decided.map(|it| (it.outcome, it.capable)), Ok((Outcome::Pass, true)));
        let relative = Mpe { absolute: None, relative: Some(0.1), ..ABSOLUTE };
        assert_eq!((relative.permits(3.0, 3.3 - 3.0), relative.permits(3.0, 0.301)), (Ok(true), Ok(false)));
    }

    /// U / k is better known than a guess, but with few degrees of freedom not by much: k grows, and the tail beyond
    /// U stays what the level leaves.
    #[test]
    fn the_risk_at_a_guard_band_is_that_of_the_level_for_any_degrees_of_freedom() {
        for degrees in
            [Some(0.5), Some(1.0), Some(2.0), Some(3.5), Some(10.66), Some(200.0), Some(1e12), None]
        {
            let k = coverage_factor(0.95, degrees);
            let at = Point { coverage_factor: k, degrees_of_freedom: degrees, ..point(0.6, 0.4) };
            let decided = decide(&at, &ABSOLUTE, Rule::GuardBand).unwrap();
            assert_eq!(decided.outcome, Outcome::Pass);
            // the other limit is four times as far away
            let other = student(-4.0 * k, degrees.unwrap_or(f64::INFINITY)).lower;
            assert!((decided.risk - other - 0.025).abs() < 1e-12, "{degrees:?}: {}", decided.risk);
        }
        // by hand: Student's distribution with one degree of freedom is Cauchy's, 1/2 - arctan(t)/pi beyond t
        let at = Point { coverage_factor: 1.0, degrees_of_freedom: Some(1.0), ..point(0.0, 1.0) };
        let risk = decide(&at, &ABSOLUTE, Rule::Simple).unwrap().risk;
        assert!((risk - 0.5).abs() < 1e-14, "{risk}");
    }

    #[test]
    fn acceptance_limits_are_what_passes() {
        let cases = [(0.4, Rule::Simple, 1.0), (0.4, Rule::GuardBand, 0.6), (1.0, Rule::GuardBand, 0.0)];
        for (expanded, rule, limit) in cases {
            assert_eq!(point(0.0, expanded).acceptance(1.0, rule), limit);
        }
        for rule in [Rule::Simple, Rule::GuardBand] {
            assert_eq!(point(0.0, 1.5).acceptance(1.0, rule), -0.5, "nothing is that small");
        }
    }

    proptest! {
        #[test]
        fn limits_in_decimals_are_kept(
            limit in 1..1000i64, reference in -100_000..100_000i64, share in 0.0..=1.0f64,
            places in 0..9usize, minus: bool, simple: bool,
        ) {
            let decimal = |digits: i64| format!("{digits}e-{places}").parse::<f64>().unwrap();
            let mpe = Mpe { absolute: Some(decimal(limit)), ..ABSOLUTE };
            let rule = if simple { Rule::Simple } else { Rule::GuardBand };
            let u = ((limit as f64 * share) as i64).max(1);
            let decided = |error: i64, excess: f64| {
                let value = decimal(reference + if minus { -error } else { error });
                let excess = excess * if minus { -decimal(limit) } else { decimal(limit) };
                let error = value - decimal(reference) + excess;
                let point = Point { reference: decimal(reference), ..point(error, decimal(u)) };
                decide(&point, &mpe, rule).unwrap()
            };
            let (passes, beyond) = match rule {
                Rule::Simple => (limit, Outcome::Fail),
                Rule::GuardBand => (limit - u, Outcome::ConditionalPass),
            };
            prop_assert_eq!(decided(passes, 0.0).outcome, Outcome::Pass);
            prop_assert!(decided(passes, 0.0).capable);
            prop_assert_eq!(decided(passes, 1e-9).outcome, beyond);
            if rule == Rule::GuardBand {
                prop_assert_eq!(decided(limit, 0.0).outcome, Outcome::ConditionalPass);
                prop_assert_eq!(decided(limit, 1e-9).outcome, Outcome::ConditionalFail);
                prop_assert_eq!(decided(limit + u, 0.0).outcome, Outcome::ConditionalFail);
                prop_assert_eq!(decided(limit + u, 1e-9).outcome, Outcome::Fail);
            }
            let incapable = Point { reference: decimal(reference), ..point(0.0, decimal(limit) * (1.0 + 1e-9)) };
            prop_assert!(!decide(&incapable, &mpe, rule).unwrap().capable);
        }

        #[test]
        fn risks_are_probabilities_and_guard_bands_keep_them_small(
            error in -3.0..3.0f64, expanded in 1e-3..3.0f64, degrees in prop::option::of(0.1..1e9f64),
        ) {
            let few = Point { degrees_of_freedom: degrees, ..point(error, expanded) };
            let (outside, inside) = beyond(&few, 1.0);
            prop_assert!((outside + inside - 1.0).abs() < 1e-12);
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
