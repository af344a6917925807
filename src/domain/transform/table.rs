//! Stage `table`: straight lines between points.

use serde::{Deserialize, Serialize};

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// The points' inputs, strictly increasing; 2 to [`MAX_POINTS`] of them.
    pub x: Vec<f64>,
    /// The points' outputs, as many.
    pub y: Vec<f64>,
}

/// Most points of a table.
pub const MAX_POINTS: usize = 4096;
