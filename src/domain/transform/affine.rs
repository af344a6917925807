//! Stage `affine`: y = a + b x.

use serde::{Deserialize, Serialize};

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AffineSpec {
    /// a, in the unit of the stage's output.
    pub offset: f64,
    /// b, in output units per input unit.
    pub gain: f64,
    /// The covariance of (a, b).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}
