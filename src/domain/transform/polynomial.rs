//! Stage `polynomial`: y = c0 + c1 x + ... + cN x^N.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{all_finite, covariance, invalid};
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolynomialSpec {
    /// c0 first, in the raw variable; 1 to [`MAX_COEFFICIENTS`] of them.
    pub coefficients: Vec<f64>,
    /// The covariance of the coefficients, in the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// Most coefficients: beyond degree 15 doubles lose the fit that the raw variable could carry.
pub const MAX_COEFFICIENTS: usize = 16;

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Polynomial {
    /// The highest power first, as Horner's scheme takes them.
    coefficients: Box<[f64]>,
    factor: Factor,
}

impl Polynomial {
    /// Value and derivative by one pass of Horner's scheme; dy/dc = (1, x, x^2, ...).
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        let (mut value, mut slope) = (0.0, 0.0);
        for coefficient in &self.coefficients {
            slope = slope * x + value;
            value = value * x + coefficient;
        }
        Local::inside(value, slope, self.factor.variance_of_polynomial(x))
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &PolynomialSpec, path: &str) -> Result<Polynomial, ContentError> {
    let count = spec.coefficients.len();
    if !(1..=MAX_COEFFICIENTS).contains(&count) {
        let problem = format!("expected 1 to {MAX_COEFFICIENTS} coefficients, found {count}");
        return Err(invalid(path, "coefficients", &problem));
    }
    all_finite(&spec.coefficients, path, "coefficients")?;
    if spec.coefficients[1..].iter().all(|c| *c == 0.0) {
        return Err(invalid(path, "coefficients", "a constant makes every reading equal"));
    }
    let factor = covariance(spec.covariance.as_deref(), count, path)?;
    Ok(Polynomial { coefficients: spec.coefficients.iter().rev().copied().collect(), factor })
}
