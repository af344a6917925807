//! By how much references should be moved in time to agree best with the readings: a wrong stamp or time
//! zone spoils a comparison more than any drift (an hour takes r^2 of a year of carbon monoxide from 0.84
//! to 0.57).

use std::time::Duration;

use crate::domain::order;
use crate::domain::time::{Timestamp, micros};

/// The fewest values that a comparison needs.
const FEWEST: usize = 24;
/// The most steps to either side.
const MOST_STEPS: i64 = 288;
/// How much larger the variance that stays unexplained without moving has to be for a warning, ...
const BETTER: f64 = 1.25;
/// ... by how much larger r^2 has to be then, ...
const LARGER: f64 = 0.01;
/// ... and the r^2 below which nothing is said: such values have little to do with each other.
const AGREES: f64 = 0.25;
/// What counts as no larger: rounding.
const ROUNDING: f64 = 1e-9;

/// A value and its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When; of an interval its middle.
    pub time: Timestamp,
    /// The value.
    pub value: f64,
}

/// How references agree with readings when they are moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// By how much the references' times have to be moved to agree best, in microseconds: below 0 they are
    /// stamped too late.
    pub lag: i64,
    /// Squared correlation then.
    pub r_squared: f64,
    /// How many values that is of.
    pub n: usize,
    /// Squared correlation as they are.
    pub unmoved: f64,
}

impl Agreement {
    /// Whether the references agree so much better when they are moved that their times are to be doubted.
    pub fn is_doubtful(&self) -> bool {
        self.lag != 0
            && self.r_squared >= AGREES
            && self.r_squared - self.unmoved >= LARGER
            && 1.0 - self.unmoved >= BETTER * (1.0 - self.r_squared)
    }

    /// A warning, where there is reason for one.
    pub fn warning(&self) -> Option<String> {
        let way = if self.lag < 0 { "earlier" } else { "later" };
        let seconds = self.lag.unsigned_abs() / 1_000_000;
        let apart = match (seconds % 3600, seconds % 60) {
            (0, _) => format!("{} h", seconds / 3600),
            (_, 0) => format!("{} min", seconds / 60),
            _ => format!("{seconds} s"),
        };
        self.is_doubtful().then(|| {
            format!(
                "the references agree best with readings {apart} {way} than they say (r² {:.2} instead of {:.2} over {} values): check their offset from UTC, and whether their time is the interval's begin or its end",
                self.r_squared, self.unmoved, self.n
            )
        })
    }
}

/// Moves the references by multiples of `step` up to `reach` to either side (at most 288 steps) and compares
/// each with the value nearest in time, at most half a step away. `None` if fewer than 24 values have a
/// reference as they are, or one of the two does not vary. A lag counts only if at least half as many have
/// one then. Of lags as good the smallest is taken.
pub fn best(values: &[Point], references: &[Point], step: Duration, reach: Duration) -> Option<Agreement> {
    let sorted = |points: &[Point]| {
        let mut points = points.to_vec();
        order::sort_by(&mut points, |one, other| one.time.cmp(&other.time));
        points
    };
    let (values, references) = (sorted(values), sorted(references));
    let step = micros(step).max(1);
    let steps = (micros(reach) / step).min(MOST_STEPS);
    let (unmoved, pairs) = compared(&values, &references, 0, step).filter(|(_, n)| *n >= FEWEST)?;
    let mut best = Agreement { lag: 0, r_squared: unmoved, n: pairs, unmoved };
    for lag in (1..=steps).flat_map(|count| [-count * step, count * step]) {
        let Some((r_squared, n)) = compared(&values, &references, lag, step) else { continue };
        if n >= FEWEST.max(pairs / 2) && r_squared > best.r_squared + ROUNDING {
            best = Agreement { lag, r_squared, n, unmoved };
        }
    }
    Some(best)
}

/// The squared correlation of the references, moved by `lag`, with the values nearest to them, and their count.
fn compared(values: &[Point], references: &[Point], lag: i64, step: i64) -> Option<(f64, usize)> {
    let mut joined = Vec::with_capacity(references.len());
    let mut at = 0;
    for reference in references {
        let time = reference.time.saturating_add_micros(lag);
        let distance = |point: &Point| point.time.micros_since(time).abs();
        while at + 1 < values.len() && distance(&values[at + 1]) <= distance(&values[at]) {
            at += 1;
        }
        joined.extend(
            values
                .get(at)
                .filter(|value| 2 * distance(value) <= step)
                .map(|value| (value.value, reference.value)),
        );
    }
    Some((r_squared(&joined)?, joined.len()))
}

fn r_squared(pairs: &[(f64, f64)]) -> Option<f64> {
    let n = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|pair| of(pair.0 - x, pair.1 - y)).sum::<f64>();
    let (xx, yy, xy) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
    (xx > 0.0 && yy > 0.0).then(|| (xy / xx.sqrt() / yy.sqrt()).powi(2).min(1.0)).filter(|r| r.is_finite())
}

#[cfg(test)]
mod tests;
