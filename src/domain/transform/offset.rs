//! Stage `offset`: y = x + a.

use serde::{Deserialize, Serialize};

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
