//! What a transform promises not to exceed, checked over its whole domain.

use super::compiled::Compiled;
use super::stage::{Around, Point, Stage};
use crate::domain::uncertainty::decision::Mpe;
use crate::domain::units::Conversion;
use conditions::Conditions;

/// Parts into which the domain is cut. A polynomial of the highest degree has 14 extrema, the
/// closest of which are some 1/200 of the range apart.
const CELLS: usize = 2048;

/// Most readings looked at: enough for five full tables, and a fraction of a second. Tables that zigzag
/// through other tables have more corners than anybody has time for.
const MAX_PLACES: usize = 24_000;

/// Halvings that find where a table's corner comes from: beyond 60 doubles do not move.
const HALVINGS: usize = 60;

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
/// Evaluated at 2,049 readings, at every corner of a table, and refined around the largest; where
/// stages look at covariates, at every corner of the covariates' ranges (with more than five
/// covariates: at their centres and at each one's ends).
/// Infinite if the corners are too many to look at, or if a covariate's range is not stated.
pub fn max_step(new: &Compiled, old: Option<&Compiled>) -> Option<f64> {
    largest(new, old, &|value, before| (value - before).abs())
}

/// The same as a share of the maximum permissible error at the old value, which has to be in the same unit; infinite
/// where a value changes at which no error is permitted.
pub fn max_share(new: &Compiled, old: &Compiled, mpe: &Mpe) -> Option<f64> {
    largest(new, Some(old), &|value, before| match (value - before).abs() {
        0.0 => 0.0,
        // Written so that a value that is none stays none.
        step => mpe.at(before).map_or(step * f64::INFINITY, |most| step / most),
    })
}

/// The largest of what `measure` says of new and old value.
fn largest(new: &Compiled, old: Option<&Compiled>, measure: &dyn Fn(f64, f64) -> f64) -> Option<f64> {
    let range = new.domain.input()?;
    let (unit, entry) = match old {
        Some(old) => (old.output_unit(), new.input_unit().conversion(old.input_unit()).ok()?),
        None => (new.input_unit(), Conversion { scale: 1.0, offset: 0.0 }),
    };
    let exit = unit.conversion(new.output_unit()).ok()?;
    let back = match old {
        Some(old) => old.input_unit().conversion(new.input_unit()).ok()?,
        None => entry,
    };
    let Some(conditions) = Conditions::of(new, old) else { return Some(f64::INFINITY) };
    let all = conditions.all();
    let most = most_places(all.len());
    let mut largest = 0.0f64;
    for values in all {
        let around = conditions.around(&values, new);
        let before_around = old.map(|old| (old, conditions.around(&values, old)));
        let Some(mut places) = new.samples(range, &around, most) else { return Some(f64::INFINITY) };
        if let Some((old, around)) = &before_around {
            let seen = [entry.apply(range[0]), entry.apply(range[1])];
            let Some(more) = old.samples(seen, around, most) else { return Some(f64::INFINITY) };
            places.extend(more.into_iter().map(|x| back.apply(x).max(range[0]).min(range[1])));
            places.sort_unstable_by(f64::total_cmp);
        }
        let before = |x: f64| match &before_around {
            Some((old, around)) => exit.apply(old.run(entry.apply(x), 0.0, around).value),
            None => exit.apply(x),
        };
        let step = refined_maximum(&places, |x| measure(new.run(x, 0.0, &around).value, before(x)));
        if step.is_nan() {
            return Some(f64::NAN);
        }
        largest = largest.max(step);
    }
    Some(largest)
}

/// Whether the value only rises or only falls over the whole input range, whatever the covariates;
/// `false` without a range, of the readings or of a covariate that a stage needs.
///
/// Changes below a billionth of the value's span are taken for rounding.
pub fn is_monotone(transform: &Compiled) -> bool {
    let Some(range) = transform.domain.input() else { return false };
    let Some(conditions) = Conditions::of(transform, None) else { return false };
    let all = conditions.all();
    let most = most_places(all.len());
    let mut directions = all.iter().map(|values| {
        let around = conditions.around(values, transform);
        direction(transform, range, &around, most)
    });
    let Some(first) = directions.next().flatten() else { return false };
    directions.all(|direction| direction == Some(first))
}

/// [`is_monotone`] over a range with these covariates.
pub(super) fn is_monotone_around(transform: &Compiled, range: [f64; 2], covariates: &[f64]) -> bool {
    direction(transform, range, covariates, MAX_PLACES).is_some()
}

/// Most readings to look at in each of so many surroundings.
fn most_places(surroundings: usize) -> usize {
    if surroundings == 1 { MAX_PLACES } else { MAX_PLACES / 3 }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Rises,
    Falls,
}

/// `None` if the value does both or neither, or is none somewhere.
fn direction(transform: &Compiled, range: [f64; 2], covariates: &[f64], most: usize) -> Option<Direction> {
    let places = transform.samples(range, covariates, most)?;
    let points: Vec<_> = places.into_iter().map(|x| transform.run(x, 0.0, covariates)).collect();
    if points.iter().any(|point| point.value.is_nan()) {
        return None;
    }
    let (low, high) = points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
        (low.min(point.value), high.max(point.value))
    });
    let rounding = 1e-9 * (high - low);
    let steps = points.windows(2).map(|pair| pair[1].value - pair[0].value);
    let slopes = points.iter().map(|point| point.sensitivity * (range[1] - range[0]));
    let (rises, falls) = steps.chain(slopes).fold((false, false), |(rises, falls), change| {
        (rises || change > rounding, falls || change < -rounding)
    });
    match (rises, falls) {
        (true, false) => Some(Direction::Rises),
        (false, true) => Some(Direction::Falls),
        _ => None,
    }
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

    /// Readings, in order, between which the value has no corner and hardly an extremum; `None` if
    /// they are more than `most`.
    fn samples(&self, [low, high]: [f64; 2], covariates: &[f64], most: usize) -> Option<Vec<f64>> {
        let at = |cell: usize| low + (high - low) * (cell as f64 / CELLS as f64);
        let mut places: Vec<f64> = (0..CELLS).map(at).chain([high]).collect();
        for (place, stage) in self.chosen(covariates).stages.iter().enumerate() {
            let knots: Vec<f64> = match stage {
                Stage::Table(table) => table.knots().collect(),
                Stage::Pchip(curve) => curve.knots().collect(),
                Stage::Isotonic(stage) => stage.knots().collect(),
                Stage::Histogram(stage) => stage.knots().collect(),
                Stage::VennAbers(stage) => stage.knots().collect(),
                _ => continue,
            };
            let reach = |x: f64| self.run_until(x, place, covariates);
            add_corners(reach, &knots, &mut places, most)?;
        }
        Some(places)
    }

    /// The value that enters stage `place`.
    pub(super) fn run_until(&self, x: f64, place: usize, covariates: &[f64]) -> f64 {
        let start = Point::start(x, 0.0);
        let around = Around { covariates, hold: self.domain.holds() };
        self.chosen(covariates).stages[..place]
            .iter()
            .fold(start, |point, stage| stage.apply(point, &around))
            .value
    }
}

/// Adds the readings that reach the knots of a table, where a reading reaches it as `reach` says.
fn add_corners(reach: impl Fn(f64) -> f64, knots: &[f64], places: &mut Vec<f64>, most: usize) -> Option<()> {
    let mut corners = Vec::new();
    for cell in places.windows(2) {
        let (a, b) = (reach(cell[0]), reach(cell[1]));
        let (low, high) = (a.min(b), a.max(b));
        let first = knots.partition_point(|knot| *knot <= low);
        for knot in knots[first..].iter().take_while(|knot| **knot < high) {
            if places.len() + corners.len() == most {
                return None;
            }
            corners.push(bisect(cell[0], cell[1], |x| (reach(x) < *knot) == (a < *knot)));
        }
    }
    places.extend(corners);
    places.sort_unstable_by(f64::total_cmp);
    Some(())
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

mod conditions;
#[cfg(test)]
mod tests;
