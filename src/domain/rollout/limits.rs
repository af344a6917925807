//! What a transform has to reach, by its signer and by the gateway: the stricter counts.

use serde::{Deserialize, Serialize};

use crate::domain::transform::artifact::{Gate, Transform};

/// Fewer pairs than this decide nothing, whatever is asked for: the test's rates do not hold there.
pub const FEWEST_PAIRS: u64 = 8;

/// What pairs and readings have to show of a transform. What is `None` is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Pairs with a reference.
    pub min_pairs: u64,
    /// Root mean squared error over that of the transform beside it.
    pub max_rmse_ratio: Option<f64>,
    /// Absolute mean error, in the output unit.
    pub max_bias: Option<f64>,
    /// Share of pairs that agree within the expanded uncertainties (|E_n| <= 1, k = 2).
    pub min_coverage: Option<f64>,
    /// Difference from the transform beside it, at any reading, in the output unit.
    pub max_step: Option<f64>,
}

impl Limits {
    /// Those that the signer states.
    pub fn of(transform: &Transform) -> Limits {
        let none = Gate::default();
        let gate = transform.rollout.as_ref().and_then(|rollout| rollout.gate.as_ref()).unwrap_or(&none);
        Limits {
            min_pairs: gate.min_pairs.unwrap_or(0),
            max_rmse_ratio: gate.max_rmse_ratio,
            max_bias: gate.max_bias,
            min_coverage: None,
            max_step: transform.limits.max_step,
        }
    }

    /// The stricter of both, one by one.
    pub fn stricter(self, other: Limits) -> Limits {
        let least =
            |one: Option<f64>, other: Option<f64>| [one, other].into_iter().flatten().reduce(f64::min);
        Limits {
            min_pairs: self.min_pairs.max(other.min_pairs).max(FEWEST_PAIRS),
            max_rmse_ratio: least(self.max_rmse_ratio, other.max_rmse_ratio),
            max_bias: least(self.max_bias, other.max_bias),
            min_coverage: [self.min_coverage, other.min_coverage].into_iter().flatten().reduce(f64::max),
            max_step: least(self.max_step, other.max_step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_counts_one_by_one() {
        let signer =
            Limits { min_pairs: 12, max_rmse_ratio: Some(1.05), max_bias: Some(0.3), ..Limits::default() };
        let gateway = Limits {
            min_pairs: 20,
            max_rmse_ratio: Some(1.2),
            max_bias: Some(0.1),
            min_coverage: Some(0.9),
            max_step: Some(2.0),
        };
        let wanted = Limits { max_rmse_ratio: Some(1.05), ..gateway };
        assert_eq!(signer.stricter(gateway), wanted);
        assert_eq!(gateway.stricter(signer), wanted);
        assert_eq!(Limits::default().stricter(Limits::default()).min_pairs, FEWEST_PAIRS);
    }
}
