//! Stage `rational`: y = (b0 + b1 x + ... + bM x^M) / (1 + c1 x + ... + cN x^N).

use std::iter::successors;

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{all_finite, covariance, invalid};
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RationalSpec {
    /// [b0, ..., bM], in output units per power of the input unit; 1 to [`MAX_COEFFICIENTS`].
    pub numerator: Vec<f64>,
    /// [c1, ..., cN], per power of the input unit; 1 to [`MAX_COEFFICIENTS`].
    pub denominator: Vec<f64>,
    /// The covariance of (b0, ..., bM, c1, ..., cN).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// Most coefficients above, and below the line.
pub const MAX_COEFFICIENTS: usize = 8;

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rational {
    /// The highest power first, as Horner's scheme takes them.
    numerator: Box<[f64]>,
    /// The same; ends with the 1.
    denominator: Box<[f64]>,
    factor: Factor,
}

impl Rational {
    /// With y = P / Q: dy/dx = (P' - y Q') / Q; dy/db_i = x^i / Q, dy/dc_j = -y x^j / Q.
    ///
    /// NaN at a pole.
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        let (above, above_slope) = horner(&self.numerator, x);
        let (below, below_slope) = horner(&self.denominator, x);
        if below == 0.0 {
            return Local::inside(f64::NAN, f64::NAN, f64::NAN);
        }
        let value = above / below;
        let slope = (above_slope - value * below_slope) / below;
        if self.factor.is_zero() {
            return Local::inside(value, slope, 0.0);
        }
        let powers = |first: f64| successors(Some(first), move |power| Some(power * x));
        let in_b = powers(1.0 / below).take(self.numerator.len());
        let in_c = powers(-value * x / below).take(self.denominator.len() - 1);
        Local::inside(value, slope, self.factor.variance_along(in_b.chain(in_c)))
    }
}

/// Value and derivative of a polynomial, the highest power first.
#[inline(always)]
fn horner(coefficients: &[f64], x: f64) -> (f64, f64) {
    let (mut value, mut slope) = (0.0, 0.0);
    for coefficient in coefficients {
        slope = slope * x + value;
        value = value * x + coefficient;
    }
    (value, slope)
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &RationalSpec, path: &str) -> Result<Rational, ContentError> {
    for (field, coefficients) in [("numerator", &spec.numerator), ("denominator", &spec.denominator)] {
        if !(1..=MAX_COEFFICIENTS).contains(&coefficients.len()) {
            let found = coefficients.len();
            let problem = format!("expected 1 to {MAX_COEFFICIENTS} coefficients, found {found}");
            return Err(invalid(path, field, &problem));
        }
        all_finite(coefficients, path, field)?;
    }
    let numerator: Box<[f64]> = spec.numerator.iter().rev().copied().collect();
    let denominator: Box<[f64]> = spec.denominator.iter().rev().copied().chain([1.0]).collect();
    if proportional(&spec.numerator, &spec.denominator) {
        return Err(invalid(path, "numerator", "a multiple of the denominator makes every reading equal"));
    }
    let size = spec.numerator.len() + spec.denominator.len();
    let factor = covariance(spec.covariance.as_deref(), size, path)?;
    Ok(Rational { numerator, denominator, factor })
}

/// Whether b_i = b_0 c_i for all i, so that y = b_0.
fn proportional(numerator: &[f64], denominator: &[f64]) -> bool {
    let padded = |list: &[f64], at: usize| list.get(at).copied().unwrap_or(0.0);
    let Some((first, rest)) = numerator.split_first() else { return true };
    (0..rest.len().max(denominator.len())).all(|at| padded(rest, at) == first * padded(denominator, at))
}
