//! Stage `polynomial`: y = c0 + c1 x + ... + cN x^N.

use serde::{Deserialize, Serialize};

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
