//! How fast offset and gain walk and how far single references scatter, by maximum likelihood.

use super::history::History;
use crate::domain::fit::error::FitError;

/// Fewest references from which noise is estimated.
const FEWEST: usize = 8;

/// Most runs over the history.
const MOST_RUNS: usize = 400;

/// The first and the last step of the search, in logarithms.
const STEPS: (f64, f64) = (2.0, 0.01);

/// How far below and above its scale a deviation is sought, in logarithms.
const RANGE: (f64, f64) = (-12.0, 4.0);

/// By how much of the log-likelihood a walk has to be better than none: 2.7 times more probable.
const WORTH: f64 = 1.0;

/// Standard deviations of what changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// The walk of the offset, in output units per square root of a day.
    pub offset: f64,
    /// The walk of the gain, relative, per square root of a day.
    pub gain: f64,
    /// The scatter of single references about the line, beyond their own uncertainty, in output units.
    pub scatter: f64,
}

impl Noise {
    /// The same, if it is of use.
    pub(super) fn checked(&self) -> Result<Noise, FitError> {
        for (name, value) in [("offset", self.offset), ("gain", self.gain), ("scatter", self.scatter)] {
            if !(value >= 0.0 && value.is_finite()) {
                let text = format!("the noise of the {name} has to be a number of 0 or more, not {value}");
                return Err(FitError::Unsupported(text));
            }
        }
        Ok(*self)
    }
}

/// The noise under which the history is most probable, by a compass search on the logarithms (Kolda,
/// Lewis, Torczon 2003): deterministic, and at most [`MOST_RUNS`] runs. A walk that makes the history
/// hardly more probable than none is none.
pub(super) fn estimate(history: &History) -> Result<Noise, FitError> {
    if history.len() < FEWEST {
        return Err(FitError::TooFew { method: "kalman".to_owned(), needed: FEWEST, found: history.len() });
    }
    let (scatter, size) = history.scales();
    // exact data scatter by rounding
    let scatter = scatter.max(1e-12 * size).max(1e-150);
    let scales = [scatter, scatter / size.max(scatter), scatter];
    let at = |point: [f64; 3]| {
        let [offset, gain, scatter] = std::array::from_fn(|i| scales[i] * point[i].exp());
        Noise { offset, gain, scatter }
    };
    let likelihood = |noise: &Noise| match history.run(noise) {
        Ok((_, value)) if !value.is_nan() => value,
        _ => f64::NEG_INFINITY,
    };
    let (point, best) = search(|point| likelihood(&at(point)));
    Ok(without_walks(at(point), best, likelihood))
}

fn search(value: impl Fn([f64; 3]) -> f64) -> ([f64; 3], f64) {
    let mut point = [-2.0, -2.0, 0.0];
    let (mut best, mut step, mut runs) = (value(point), STEPS.0, 1);
    while step > STEPS.1 && runs < MOST_RUNS {
        let before = best;
        for (axis, sign) in [(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0), (2, 1.0), (2, -1.0)] {
            let mut tried = point;
            tried[axis] = (tried[axis] + sign * step).clamp(RANGE.0, RANGE.1);
            let found = value(tried);
            runs += 1;
            if found > best {
                (point, best) = (tried, found);
            }
        }
        if best <= before {
            step /= 2.0;
        }
    }
    (point, best)
}

fn without_walks(noise: Noise, best: f64, likelihood: impl Fn(&Noise) -> f64) -> Noise {
    let candidates = [
        Noise { offset: 0.0, gain: 0.0, ..noise },
        Noise { offset: 0.0, ..noise },
        Noise { gain: 0.0, ..noise },
    ];
    candidates.into_iter().find(|one| likelihood(one) >= best - WORTH).unwrap_or(noise)
}
