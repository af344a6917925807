//! Stage `offset`: y = x + a.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{covariance, finite};
use super::stage::Local;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffsetSpec {
    /// a, in the unit of the stage's input.
    pub offset: f64,
    /// The variance of a, as a 1 by 1 matrix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Offset {
    offset: f64,
    variance: f64,
}

impl Offset {
    /// dy/dx = 1, dy/da = 1.
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        Local::inside(x + self.offset, 1.0, self.variance)
    }

    pub(super) fn invert(&self, y: f64) -> f64 {
        y - self.offset
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &OffsetSpec, path: &str) -> Result<Offset, ContentError> {
    finite(spec.offset, path, "offset")?;
    let factor = covariance(spec.covariance.as_deref(), 1, path)?;
    Ok(Offset { offset: spec.offset, variance: factor.variance_of_polynomial(0.0) })
}
