//! What a transform promises not to exceed, checked over its whole domain.

use super::compiled::Compiled;
use super::stage::{Around, MAX_COVARIATES, Point, Stage};
use crate::domain::units::Conversion;

/// Parts into which the domain is cut. A polynomial of the highest degree has 14 extrema, the
/// closest of which are some 1/200 of the range apart.
const CELLS: usize = 2048;

/// Most readings looked at: enough for five full tables, and a fraction of a second. Tables that zigzag
/// through other tables have more corners than anybody has time for.
const MAX_PLACES: usize = 24_000;

/// Halvings that find where a table's corner comes from: beyond 60 doubles do not move.
const HALVINGS: usize = 60;

/// No covariate is known.
const AROUND: [f64; MAX_COVARIATES] = [f64::NAN; MAX_COVARIATES];

/// Says which promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum LimitError {
    /// The value would jump too far.
    #[error("limits.max_step: the value changes by {step}, more than {max}")]
    Step {
        /// The largest change, in the output unit.
        step: f64,
        /// The largest change allowed, in the output unit.
        max: f64,
    },
    /// The old transform gives another quantity.
    #[error("limits.max_step: the values in force have another unit, so that no step can be told")]
    Incomparable,
    /// It rises here and falls there.
    #[error("limits.monotone: the value both rises and falls within domain.input")]
    NotMonotone,
}

/// Largest difference between the values of two transforms over the input range of the new one,
/// in the new one's output unit; against the raw reading itself where there is no old one.
///
/// `None` if the two do not compare: no input range is stated, or the units do not convert.
/// Evaluated at 2,049 readings, at every corner of a table, and refined around the largest.
/// Infinite if the corners are too many to look at.
pub fn max_step(new: &Compiled, old: Option<&Compiled>) -> Option<f64> {
    let range = new.domain.input()?;
    let (unit, entry) = match old {
        Some(old) => (old.output_unit(), new.input_unit().conversion(old.input_unit()).ok()?),
        None => (new.input_unit(), Conversion { scale: 1.0, offset: 0.0 }),
    };
    let exit = unit.conversion(new.output_unit()).ok()?;
    let before = |x: f64| exit.apply(old.map_or(x, |old| old.curve(entry.apply(x))));
    let difference = |x: f64| (new.curve(x) - before(x)).abs();
    let Some(mut places) = new.samples(range) else { return Some(f64::INFINITY) };
    if let Some(old) = old {
        let back = old.input_unit().conversion(new.input_unit()).ok()?;
        let seen = [entry.apply(range[0]), entry.apply(range[1])];
        let Some(more) = old.samples(seen) else { return Some(f64::INFINITY) };
        places.extend(more.into_iter().map(|x| back.apply(x).max(range[0]).min(range[1])));
        places.sort_by(f64::total_cmp);
    }
    Some(refined_maximum(&places, difference))
}

/// Whether the value only rises or only falls over the whole input range; `false` without one.
///
/// Changes below a billionth of the value's span are taken for rounding.
pub fn is_monotone(transform: &Compiled) -> bool {
    let Some(range) = transform.domain.input() else { return false };
    let Some(places) = transform.samples(range) else { return false };
    let points: Vec<_> = places.into_iter().map(|x| transform.run(x, 0.0, &AROUND)).collect();
    let (low, high) = points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
        (low.min(point.value), high.max(point.value))
    });
    let rounding = 1e-9 * (high - low);
    let steps = points.windows(2).map(|pair| pair[1].value - pair[0].value);
    let slopes = points.iter().map(|point| point.sensitivity * (range[1] - range[0]));
    let (rises, falls) = steps.chain(slopes).fold((false, false), |(rises, falls), change| {
        (rises || change > rounding, falls || change < -rounding)
    });
    rises != falls
}

impl Compiled {
    /// Holds the transform to its own limits; `old` is the one in force.
    ///
    /// Without one in force, a step can be told only where raw reading and value have one unit;
    /// where they have not, there is nothing to compare with.
    pub fn within_limits(&self, old: Option<&Compiled>) -> Result<(), LimitError> {
        if self.limits.monotone && !is_monotone(self) {
            return Err(LimitError::NotMonotone);
        }
        let Some(max) = self.limits.max_step else { return Ok(()) };
        match max_step(self, old) {
            // written so that NaN fails
            Some(step) if step <= max => Ok(()),
            Some(step) => Err(LimitError::Step { step, max }),
            None if old.is_none() => Ok(()),
            None => Err(LimitError::Incomparable),
        }
    }

    /// The value alone, without uncertainty or policy.
    fn curve(&self, x: f64) -> f64 {
        self.run(x, 0.0, &AROUND).value
    }

    /// Readings, in order, between which the value has no corner and hardly an extremum; `None` if
    /// they are too many.
    fn samples(&self, [low, high]: [f64; 2]) -> Option<Vec<f64>> {
        let at = |cell: usize| low + (high - low) * (cell as f64 / CELLS as f64);
        let mut places: Vec<f64> = (0..CELLS).map(at).chain([high]).collect();
        for (place, stage) in self.stages.iter().enumerate() {
            let knots: Vec<f64> = match stage {
                Stage::Table(table) => table.knots().collect(),
                Stage::Isotonic(stage) => stage.knots().collect(),
                Stage::Histogram(stage) => stage.knots().collect(),
                Stage::VennAbers(stage) => stage.knots().collect(),
                _ => continue,
            };
            self.add_corners(place, &knots, &mut places)?;
        }
        Some(places)
    }

    /// Adds the readings that reach the knots of the table at stage `place`.
    fn add_corners(&self, place: usize, knots: &[f64], places: &mut Vec<f64>) -> Option<()> {
        let reach = |x: f64| self.run_until(x, place);
        let mut corners = Vec::new();
        for cell in places.windows(2) {
            let (a, b) = (reach(cell[0]), reach(cell[1]));
            let (low, high) = (a.min(b), a.max(b));
            let first = knots.partition_point(|knot| *knot <= low);
            for knot in knots[first..].iter().take_while(|knot| **knot < high) {
                if places.len() + corners.len() == MAX_PLACES {
                    return None;
                }
                corners.push(bisect(cell[0], cell[1], |x| (reach(x) < *knot) == (a < *knot)));
            }
        }
        places.extend(corners);
        places.sort_by(f64::total_cmp);
        Some(())
    }

    /// The value that enters stage `place`.
    fn run_until(&self, x: f64, place: usize) -> f64 {
        let start = Point::start(x, 0.0);
        let around = Around { covariates: &AROUND, hold: self.domain.holds() };
        self.stages[..place].iter().fold(start, |point, stage| stage.apply(point, &around)).value
    }
}

/// Where `before` turns from true, at `low`, to false.
fn bisect(mut low: f64, mut high: f64, before: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if before(middle) { low = middle } else { high = middle }
    }
    high
}

/// The largest value of `f` at the places, refined by ternary search beside the best one.
fn refined_maximum(places: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    let mut best = (0, 0.0f64);
    for (at, x) in places.iter().enumerate() {
        let value = f(*x);
        if value.is_nan() {
            return f64::NAN;
        }
        if value > best.1 {
            best = (at, value);
        }
    }
    let mut low = places[best.0.saturating_sub(1)];
    let mut high = places[(best.0 + 1).min(places.len() - 1)];
    let mut largest = best.1;
    for _ in 0..HALVINGS {
        let (left, right) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        let (f_left, f_right) = (f(left), f(right));
        largest = largest.max(f_left).max(f_right);
        if f_left < f_right { low = left } else { high = right }
    }
    largest
}

#[cfg(test)]
mod tests;
