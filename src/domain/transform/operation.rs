//! How a stage joins what it has worked out from covariates with its input.

use serde::{Deserialize, Serialize};

use super::stage::Local;

/// What is done with the correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// It is added to the input.
    #[default]
    Add,
    /// The input is multiplied by it.
    Multiply,
}

impl Operation {
    /// The stage's output for the input `x` and a correction of this value and variance.
    #[inline(always)]
    pub(super) fn join(self, x: f64, value: f64, variance: f64) -> Local {
        match self {
            Operation::Add => Local::inside(x + value, 1.0, variance),
            Operation::Multiply => Local::inside(x * value, value, x * x * variance),
        }
    }

    /// The derivative of the output with respect to the correction.
    #[inline(always)]
    pub(super) fn weight(self, x: f64) -> f64 {
        match self {
            Operation::Add => 1.0,
            Operation::Multiply => x,
        }
    }

    /// The input for which the output is `y`.
    pub(super) fn invert(self, y: f64, value: f64) -> f64 {
        match self {
            Operation::Add => y - value,
            Operation::Multiply => y / value,
        }
    }
}
