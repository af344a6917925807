//! Stage `platt`: p = 1 / (1 + e^(a x + b)), a probability from a score.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{covariance, finite, invalid};
use super::sigmoid::{logit, sigmoid};
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlattSpec {
    /// a, per input unit; negative where a high score speaks for the event.
    pub a: f64,
    /// b.
    pub b: f64,
    /// The covariance of (a, b).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Platt {
    a: f64,
    b: f64,
    factor: Factor,
}

impl Platt {
    /// dp/dx = -a p (1 - p); dp/d(a, b) = -p (1 - p) (x, 1).
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        let (p, w) = sigmoid(-(self.a * x + self.b));
        // multiplied first: w is 0 where x squared would overflow
        Local::inside(p, -self.a * w, self.factor.variance_along([w * x, w].into_iter()))
    }

    /// x = -(logit p + b) / a; not finite for 0 and 1.
    pub(super) fn invert(&self, p: f64) -> f64 {
        -(logit(p) + self.b) / self.a
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &PlattSpec, path: &str) -> Result<Platt, ContentError> {
    finite(spec.a, path, "a")?;
    finite(spec.b, path, "b")?;
    if spec.a == 0.0 {
        return Err(invalid(path, "a", "0 makes every reading equal"));
    }
    let factor = covariance(spec.covariance.as_deref(), 2, path)?;
    Ok(Platt { a: spec.a, b: spec.b, factor })
}
