//! From a calibrated value back to the raw reading.

use super::{Compiled, Covariate};
use crate::domain::transform::limits;
use crate::domain::transform::root;
use crate::domain::transform::stage::Around;

/// How far beyond the range, in its widths, a reading may lie for rounding.
const ROUNDING: f64 = 1e-12;

impl Compiled {
    /// The raw reading whose value is `value`, in the input unit, with these covariates.
    ///
    /// By the stages' formulas where each has one; else by a search over `domain.input`, if the value
    /// only rises or only falls there. `None` where there is no such reading in `domain.input`, where
    /// there may be several, and where a covariate that a stage needs is missing.
    pub fn inverse(&self, value: f64, covariates: &[Option<Covariate>]) -> Option<f64> {
        let (pipeline, _) = self.choose(covariates);
        let surroundings = self.surroundings(pipeline, covariates)?;
        let around = Around { covariates: &surroundings.values, hold: self.domain.holds() };
        let formula = pipeline.stages.iter().rev().try_fold(value, |y, stage| stage.invert(y, &around));
        let x = match self.domain.input() {
            None => formula?,
            // an even power, say, gives the root above 0 where the range wants the other one
            Some(range) => match formula.and_then(|x| into_range(x, range)) {
                Some(x) => x,
                None => self.search(value, range, &surroundings.values)?,
            },
        };
        self.run(x, 0.0, &surroundings.values).value.is_finite().then_some(x)
    }

    fn search(&self, value: f64, range: [f64; 2], covariates: &[f64]) -> Option<f64> {
        if !limits::is_monotone_around(self, range, covariates) {
            return None;
        }
        let error = |x: f64| {
            let point = self.run(x, 0.0, covariates);
            (point.value - value, point.sensitivity)
        };
        let (low, high) = (error(range[0]).0, error(range[1]).0);
        let rounding = ROUNDING * (high - low).abs();
        match (low, high) {
            _ if low.abs() <= rounding => Some(range[0]),
            _ if high.abs() <= rounding => Some(range[1]),
            _ => root::solve(range[0], range[1], error),
        }
    }
}

fn into_range(x: f64, [low, high]: [f64; 2]) -> Option<f64> {
    let rounding = ROUNDING * (high - low);
    (x >= low - rounding && x <= high + rounding).then(|| x.max(low).min(high))
}

#[cfg(test)]
mod tests;
