//! Stage `logistic`: y = a / (1 + e^(b - c x)).

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{all_finite, covariance, not_zero};
use super::exponential::finite;
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogisticSpec {
    /// [a, b, c]: a in the unit of the stage's output, b without one, c per input unit.
    pub parameters: [f64; 3],
    /// The covariance of (a, b, c).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Logistic {
    parameters: [f64; 3],
    factor: Factor,
}

impl Logistic {
    /// With q = 1 / (1 + e^(b - c x)): dy/dx = a c q (1 - q); dy/d(a, b, c) = (q, -a q (1 - q),
    /// a x q (1 - q)).
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        let [a, b, c] = self.parameters;
        let (share, bend) = share(c * x - b);
        let bend = a * bend;
        let gradient = [share, -bend, x * bend];
        Local::inside(a * share, c * bend, self.factor.variance_along(gradient.into_iter()))
    }

    /// x = (b + ln(y / (a - y))) / c; `None` outside the asymptotes 0 and a.
    pub(super) fn invert(&self, y: f64) -> Option<f64> {
        let [a, b, c] = self.parameters;
        finite((b + (y / (a - y)).ln()) / c)
    }
}

/// q = 1 / (1 + e^-z) and q (1 - q), from the exponential that doesn't overflow.
#[inline(always)]
pub(in crate::domain) fn share(z: f64) -> (f64, f64) {
    let small = (-z.abs()).exp();
    let large = 1.0 / (1.0 + small);
    let share = if z >= 0.0 { large } else { small * large };
    (share, small * large * large)
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &LogisticSpec, path: &str) -> Result<Logistic, ContentError> {
    all_finite(&spec.parameters, path, "parameters")?;
    not_zero(&spec.parameters, 0, path)?;
    not_zero(&spec.parameters, 2, path)?;
    let factor = covariance(spec.covariance.as_deref(), 3, path)?;
    Ok(Logistic { parameters: spec.parameters, factor })
}
