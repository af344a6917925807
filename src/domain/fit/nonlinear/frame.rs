//! Pairs in units in which nothing overflows and no digit is lost.

use crate::domain::fit::{FitError, Pairs};

/// How the inner variables come from those of the pairs: t = (x - origin) / x_scale, v = y / y_scale.
/// The scales are powers of two, so that they round nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub origin: f64,
    pub x_scale: f64,
    pub y_scale: f64,
}

/// The pairs in inner variables.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Inner {
    pub t: Vec<f64>,
    pub v: Vec<f64>,
    /// The roots of the weights over the root of a power of two.
    pub root_weights: Option<Vec<f64>>,
}

/// The power of two at or below `size`; 1 for what has none.
pub(super) fn power_of_two(size: f64) -> f64 {
    match size.is_finite() && size > 0.0 {
        // within what has an inverse
        true => size.log2().floor().clamp(-1000.0, 1000.0).exp2(),
        false => 1.0,
    }
}

/// The largest absolute value.
pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

/// Smallest and largest value.
pub(super) fn extremes(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)))
}

impl Frame {
    /// Counts x from `origin` in powers of two near `width`.
    pub(super) fn new(pairs: &Pairs, origin: f64, width: f64) -> Frame {
        Frame { origin, x_scale: power_of_two(width), y_scale: power_of_two(largest(pairs.y())) }
    }

    /// From -1 to 1 at most.
    pub(super) fn centred(pairs: &Pairs) -> Frame {
        let (low, high) = extremes(pairs.x());
        let half = 0.5 * high - 0.5 * low;
        Frame::new(pairs, low + half, (2.0 * half).min(f64::MAX))
    }

    /// The inner variable.
    pub(super) fn t(&self, x: f64) -> f64 {
        (x - self.origin) / self.x_scale
    }
}

impl Inner {
    /// The pairs with the inner variable `t`.
    pub(super) fn new(pairs: &Pairs, frame: &Frame, t: impl Fn(f64) -> f64) -> Inner {
        let weights = pairs.weights();
        let unit = weights.as_deref().map_or(1.0, weight_unit);
        Inner {
            t: pairs.x().iter().map(|x| t(*x)).collect(),
            v: pairs.y().iter().map(|y| y / frame.y_scale).collect(),
            root_weights: weights.map(|weights| weights.iter().map(|w| (w / unit).sqrt()).collect()),
        }
    }

    /// At most about `count` of the pairs: half of them evenly over the range of t, so that thinly
    /// spread ones are not lost, half of them evenly over their numbers.
    pub(super) fn thinned(&self, count: usize) -> Inner {
        let n = self.t.len();
        if n <= count {
            return self.clone();
        }
        let half = count / 2;
        let (low, high) = extremes(&self.t.iter().copied().filter(|t| t.is_finite()).collect::<Vec<_>>());
        let per_width = half as f64 / (high - low);
        let mut seen = vec![false; half + 1];
        let mut places: Vec<usize> = (0..half).map(|at| at * n / half).collect();
        for (at, t) in self.t.iter().enumerate() {
            // what is not finite falls into the first bin
            let bin = (((t - low) * per_width) as usize).min(half);
            if !seen[bin] {
                places.push(at);
                seen[bin] = true;
            }
        }
        let take = |values: &[f64]| places.iter().map(|at| values[*at]).collect::<Vec<_>>();
        Inner { t: take(&self.t), v: take(&self.v), root_weights: self.root_weights.as_deref().map(take) }
    }
}

/// The unit in which weights are counted: a power of two near the largest.
pub(super) fn weight_unit(weights: &[f64]) -> f64 {
    power_of_two(largest(weights))
}

/// Refuses pairs that cannot tell `needed` parameters, before anything is computed; `counts` says
/// which x tell anything.
pub(super) fn check(
    pairs: &Pairs,
    method: &str,
    needed: usize,
    counts: impl Fn(f64) -> bool,
) -> Result<(), FitError> {
    if let [_, other, ..] = pairs.columns() {
        return Err(FitError::column(
            other.name(),
            format!("{method} takes one column of sensor values: leave the others out or take multilinear"),
        ));
    }
    if pairs.len() < needed {
        return Err(FitError::TooFew { method: method.to_owned(), needed, found: pairs.len() });
    }
    let mut different: Vec<f64> = Vec::with_capacity(needed);
    for x in pairs.x().iter().filter(|x| counts(**x)) {
        if !different.contains(x) {
            different.push(*x);
        }
        if different.len() == needed {
            break;
        }
    }
    if different.len() < needed {
        let found = different.len();
        let other = if pairs.x().iter().all(|x| counts(*x)) { "" } else { " other than 0" };
        let problem = format!(
            "{method} needs {needed} different values{other}, found {found}: add readings elsewhere in the range"
        );
        return Err(FitError::column(pairs.columns()[0].name(), problem));
    }
    if pairs.y().iter().all(|y| *y == pairs.y()[0]) {
        let level = pairs.y()[0];
        let problem = format!("all values are {level}: {method} needs references that differ: add some");
        return Err(FitError::column(pairs.reference().name(), problem));
    }
    Ok(())
}
