//! Stage `exponential`: y = a + b e^(c x).

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{all_finite, covariance, not_zero};
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExponentialSpec {
    /// [a, b, c]: a and b in the unit of the stage's output, c per input unit.
    pub parameters: [f64; 3],
    /// The covariance of (a, b, c).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exponential {
    parameters: [f64; 3],
    factor: Factor,
}

impl Exponential {
    /// dy/dx = c b e^(c x); dy/d(a, b, c) = (1, e^(c x), b x e^(c x)).
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        let [a, b, c] = self.parameters;
        let growth = (c * x).exp();
        let part = b * growth;
        let gradient = [1.0, growth, part * x];
        Local::inside(a + part, c * part, self.factor.variance_along(gradient.into_iter()))
    }

    /// x = ln((y - a) / b) / c; `None` beyond the asymptote a.
    pub(super) fn invert(&self, y: f64) -> Option<f64> {
        let [a, b, c] = self.parameters;
        finite(((y - a) / b).ln() / c)
    }
}

/// A number that an inverse may give.
pub(super) fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &ExponentialSpec, path: &str) -> Result<Exponential, ContentError> {
    all_finite(&spec.parameters, path, "parameters")?;
    not_zero(&spec.parameters, 1, path)?;
    not_zero(&spec.parameters, 2, path)?;
    let factor = covariance(spec.covariance.as_deref(), 3, path)?;
    Ok(Exponential { parameters: spec.parameters, factor })
}
