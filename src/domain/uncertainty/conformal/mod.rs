//! Intervals without a distribution: how large the errors were tells how large they will be.
//!
//! A score is the size of an error seen at a reference: |reference - value|, or that over the value's
//! own u, in which case the half-width is a factor on u. Three ways from scores to a half-width:
//!
//! - [`split`]: once, from scores of pairs that made no part of the fit. Holds where what comes is
//!   exchangeable with what was; a sensor that drifts is not.
//! - [`tracking`]: for references that keep coming, each of which moves the half-width a little.
//! - [`sessions`]: for references in sessions, days apart, whose scores are alike within a session.

pub mod sessions;
pub mod split;
pub mod tracking;

/// Why scores give no interval.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ConformalError {
    /// No finite half-width holds what is asked.
    #[error(
        "an interval of {level} needs at least {needed} {what}, and there are {found}: add reference readings"
    )]
    TooFew {
        /// The level.
        level: f64,
        /// How many are needed.
        needed: usize,
        /// How many there are.
        found: usize,
        /// What is counted.
        what: &'static str,
    },
    /// A score at or below which the half-width would lie is no number, or infinite.
    #[error("too many scores are not finite: leave out the pairs without a value")]
    Unbounded,
    /// A setting of no use.
    #[error("{name}: expected {wanted}, found {found}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What would be right.
        wanted: &'static str,
        /// What was given.
        found: f64,
    },
}

/// Refuses a level outside (0, 1).
fn check_level(level: f64) -> Result<(), ConformalError> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    Err(ConformalError::Setting {
        name: "level",
        wanted: "a number between 0 and 1, like 0.95",
        found: level,
    })
}

/// The sizes of the scores in order; one that is no number counts as larger than all.
fn sorted_sizes(scores: &[f64]) -> Vec<f64> {
    let mut sizes: Vec<f64> = scores.iter().map(|score| score.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    sizes
}

/// A half-width that is a number.
fn bounded(half_width: f64) -> Result<f64, ConformalError> {
    if half_width.is_finite() { Ok(half_width) } else { Err(ConformalError::Unbounded) }
}
