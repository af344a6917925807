//! Stage `power`: y = a x^b.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{all_finite, covariance, not_zero};
use super::exponential::finite;
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerSpec {
    /// [a, b]: a the output at x = 1, b without a unit.
    pub parameters: [f64; 2],
    /// The covariance of (a, b).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Power {
    parameters: [f64; 2],
    factor: Factor,
}

impl Power {
    /// dy/dx = a b x^(b - 1); dy/d(a, b) = (x^b, a x^b ln |x|).
    ///
    /// NaN where x is negative and b not a whole number, and at 0 where b is negative.
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        let [a, b] = self.parameters;
        let power = x.powf(b);
        let value = a * power;
        let (slope, in_b) = match x == 0.0 {
            true if b < 0.0 => (f64::NAN, f64::NAN),
            // x^b ln x goes to 0 with x
            true => (a * b * x.powf(b - 1.0), 0.0),
            false => (b * value / x, value * x.abs().ln()),
        };
        let value = if slope.is_nan() { f64::NAN } else { value };
        Local::inside(value, slope, self.factor.variance_along([power, in_b].into_iter()))
    }

    /// x = (y / a)^(1 / b), the one above 0 where there are two; `None` where there is none.
    pub(super) fn invert(&self, y: f64) -> Option<f64> {
        let [a, b] = self.parameters;
        let ratio = y / a;
        let odd = b % 2.0 == 1.0 || b % 2.0 == -1.0;
        let root = if ratio < 0.0 && odd { -(-ratio).powf(1.0 / b) } else { ratio.powf(1.0 / b) };
        finite(root)
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &PowerSpec, path: &str) -> Result<Power, ContentError> {
    all_finite(&spec.parameters, path, "parameters")?;
    not_zero(&spec.parameters, 0, path)?;
    not_zero(&spec.parameters, 1, path)?;
    let factor = covariance(spec.covariance.as_deref(), 2, path)?;
    Ok(Power { parameters: spec.parameters, factor })
}
