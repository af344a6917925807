//! What values were like when all was well.

use serde::{Deserialize, Serialize};

use crate::domain::stats::Stats;

/// Why values make no baseline.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BaselineError {
    /// There are too few of them.
    #[error("a baseline of {needed} values is needed, and there are {found}")]
    TooFew {
        /// Values needed.
        needed: usize,
        /// Values found.
        found: usize,
    },
    /// They do not vary, so nothing can be standardised by them.
    #[error("the {n} values of the baseline are all {value}: values that do not vary give no scale")]
    Constant {
        /// Values.
        n: usize,
        /// What they all are.
        value: f64,
    },
    /// They are too large, or one is no number.
    #[error("the values of the baseline have no finite mean and standard deviation")]
    NotFinite,
}

/// The mean and the standard deviation of the values before any change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Values.
    pub n: usize,
    /// Their mean, in their unit.
    pub mean: f64,
    /// Their standard deviation over n - 1, in their unit; above 0.
    pub sd: f64,
}

impl Baseline {
    /// Learns from values, all of which count.
    pub fn of(values: &[f64]) -> Result<Baseline, BaselineError> {
        let mut stats = Stats::default();
        values.iter().for_each(|value| stats.push(*value));
        let n = values.len();
        let sd = stats.std().ok_or(BaselineError::TooFew { needed: 2, found: n })?;
        if !(stats.mean.is_finite() && sd.is_finite()) {
            return Err(BaselineError::NotFinite);
        }
        // Rounding gives equal values a standard deviation above 0.
        if stats.min == stats.max || sd == 0.0 {
            return Err(BaselineError::Constant { n, value: stats.min });
        }
        Ok(Baseline { n, mean: stats.mean, sd })
    }

    /// (value - mean) / sd.
    pub fn standardised(&self, value: f64) -> f64 {
        (value - self.mean) / self.sd
    }
}
