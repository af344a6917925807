//! Stage `steinhart_hart`: a thermistor's resistance to its temperature.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{all_finite, covariance, invalid};
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact: 1/T = A + B ln R + C (ln R)^3, from Ohm to K.
///
/// Steinhart and Hart, Deep-Sea Research 15 (1968) 497.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteinhartHartSpec {
    /// [A, B, C], in 1/K, for R in Ohm.
    pub coefficients: [f64; 3],
    /// Their covariance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SteinhartHart {
    coefficients: [f64; 3],
    factor: Factor,
}

impl SteinhartHart {
    /// With L = ln R: dT/dR = -T^2 (B + 3 C L^2) / R; dT/d(A, B, C) = -T^2 (1, L, L^3).
    /// No value where R or T would not be above 0.
    #[inline(never)]
    pub(super) fn at(&self, x: f64) -> Local {
        let [a, b, c] = self.coefficients;
        let log = x.max(0.0).ln();
        let reciprocal = a + log * (b + c * log * log);
        // written so that NaN has no value
        if !(x > 0.0 && reciprocal > 0.0) {
            return Local::none();
        }
        let t = 1.0 / reciprocal;
        let variance = self.factor.variance_along([1.0, log, log * log * log].into_iter());
        Local::inside(t, -t * t * (b + 3.0 * c * log * log) / x, t * t * t * t * variance)
    }

    /// The cubic's only real root by Cardano's formula, and one step of Newton's; `None` if there are more.
    pub(super) fn invert(&self, y: f64) -> Option<f64> {
        let [a, b, c] = self.coefficients;
        let rest = a - 1.0 / y;
        if y <= 0.0 || b * c < 0.0 {
            return None;
        }
        if c == 0.0 {
            return Some((-rest / b).exp());
        }
        let (p, q) = (b / (3.0 * c), rest / (2.0 * c));
        let root = (p * p * p + q * q).sqrt();
        // the sum of the two cube roots without cancellation: their product is p
        let large = -(q.abs() + root).cbrt().copysign(q);
        let log = if large == 0.0 { 0.0 } else { large - p / large };
        let slope = b + 3.0 * c * log * log;
        let error = rest + log * (b + c * log * log);
        Some(if slope == 0.0 { log } else { log - error / slope }.exp())
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &SteinhartHartSpec, path: &str) -> Result<SteinhartHart, ContentError> {
    all_finite(&spec.coefficients, path, "coefficients")?;
    let [_, b, c] = spec.coefficients;
    if b == 0.0 && c == 0.0 {
        return Err(invalid(path, "coefficients", "a constant makes every reading equal"));
    }
    let factor = covariance(spec.covariance.as_deref(), 3, path)?;
    Ok(SteinhartHart { coefficients: spec.coefficients, factor })
}

#[cfg(test)]
mod tests;
