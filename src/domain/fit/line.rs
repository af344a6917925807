//! What the fits of a straight line share: sums that neither overflow nor cancel, and the result.

use super::error::FitError;
use super::fitted::Fit;
use super::pairs::Pairs;
use super::statistics::describe;
pub(super) use crate::domain::stats::median;
use crate::domain::transform::affine::AffineSpec;
use crate::domain::transform::stage::StageSpec;

/// Centred values, divided by a power of two that brings the largest near 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scaled {
    /// (value - centre) / scale.
    pub values: Vec<f64>,
    pub centre: f64,
    /// A power of two, so that scaling rounds nothing.
    pub scale: f64,
}

impl Scaled {
    /// Centres at the weighted mean.
    pub(super) fn new(values: &[f64], weights: Option<&[f64]>) -> Scaled {
        let scale = power_of_two(values.iter().fold(0.0, |most, value| value.abs().max(most)));
        let small: Vec<f64> = values.iter().map(|value| value / scale).collect();
        let centre = mean(&small, weights);
        let values: Vec<f64> = small.iter().map(|value| value - centre).collect();
        // what the mean lost by rounding
        let rest = mean(&values, weights);
        let spread = power_of_two(values.iter().fold(0.0, |most, value| value.abs().max(most)));
        let values = values.iter().map(|value| (value - rest) / spread).collect();
        Scaled { values, centre: (centre + rest) * scale, scale: scale * spread }
    }
}

/// The power of two next below a positive number; 1 for 0. Never so small or so large that its
/// product with a number near 1 is inexact.
pub(super) fn power_of_two(value: f64) -> f64 {
    if value == 0.0 { 1.0 } else { value.log2().floor().clamp(-1000.0, 1000.0).exp2() }
}

/// The weighted mean.
pub(super) fn mean(values: &[f64], weights: Option<&[f64]>) -> f64 {
    match weights {
        None => values.iter().sum::<f64>() / values.len() as f64,
        Some(weights) => {
            values.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>() / weights.iter().sum::<f64>()
        }
    }
}

/// A fitted line y = offset + gain x.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub offset: f64,
    pub gain: f64,
    /// Of (offset, gain).
    pub covariance: Option<[[f64; 2]; 2]>,
}

impl Line {
    /// y - (offset + gain x).
    pub(super) fn residuals(&self, pairs: &Pairs) -> Vec<f64> {
        pairs.x().iter().zip(pairs.y()).map(|(x, y)| y - (self.offset + self.gain * x)).collect()
    }

    /// The fit that has this line; an error where a number is none.
    pub(super) fn into_fit(
        self,
        method: &str,
        pairs: &Pairs,
        weights: Option<&[f64]>,
        notes: Vec<String>,
    ) -> Result<Fit, FitError> {
        let residuals = self.residuals(pairs);
        let covariance = self.covariance.map(|matrix| matrix.map(|row| row.to_vec()).to_vec());
        let spec = AffineSpec { offset: self.offset, gain: self.gain, covariance: covariance.clone() };
        let numbers = covariance.iter().flatten().flatten().chain(&residuals);
        if self.gain == 0.0 {
            return Err(FitError::Unsupported(format!(
                "{method}: the line is level, so that the sensor says nothing about the reference: check which columns are x and y"
            )));
        }
        if numbers.chain([&self.gain, &self.offset]).any(|number| !number.is_finite()) {
            return Err(beyond(method));
        }
        let fit = Fit {
            method: method.to_owned(),
            names: vec!["a".to_owned(), "b".to_owned()],
            parameters: vec![self.offset, self.gain],
            covariance,
            n: pairs.len(),
            stages: vec![StageSpec::Affine(spec)],
            notes,
            ..Fit::default()
        };
        // a covariance that underflows is none
        fit.curve(pairs).map_err(|_| beyond(method))?;
        Ok(describe(fit, pairs, &residuals, weights, 2))
    }
}

/// The numbers do not fit into doubles.
pub(super) fn beyond(method: &str) -> FitError {
    FitError::Unsupported(format!(
        "{method}: the numbers are too large or too small to compute with: choose other units"
    ))
}

/// Uncertainties are to be taken as known, and there are none.
pub(super) fn unknown() -> FitError {
    FitError::Unsupported(
        "a covariance from known uncertainties needs them: name their column with `--uy`, in the direction sensor-on-reference with `--ux`".to_owned(),
    )
}

/// What every line needs: one column of x that is not constant, and enough pairs.
pub(super) fn check(method: &str, pairs: &Pairs, needed: usize) -> Result<(), FitError> {
    if let [_, second, ..] = pairs.columns() {
        return Err(FitError::column(
            second.name(),
            format!("{method} takes one column of sensor values: leave this one out, or take multilinear"),
        ));
    }
    if pairs.len() < needed {
        return Err(FitError::TooFew { method: method.to_owned(), needed, found: pairs.len() });
    }
    let x = pairs.x();
    if x.iter().all(|value| *value == x[0]) {
        return Err(FitError::column(
            pairs.columns()[0].name(),
            format!("all values are {}, so that there is no slope: add references at other values", x[0]),
        ));
    }
    Ok(())
}

/// An error if weights were given to a method that has no use for them.
pub(super) fn refuse_weights(method: &str, pairs: &Pairs) -> Result<(), FitError> {
    match pairs.given_weights() {
        Some(_) => {
            Err(FitError::Unsupported(format!("{method} takes no weights: leave them out, or take affine")))
        }
        None => Ok(()),
    }
}

/// Says that known uncertainties are not used.
pub(super) fn note_unused_uncertainties(pairs: &Pairs, notes: &mut Vec<String>) {
    if pairs.ux().is_some() || pairs.uy().is_some() {
        notes.push("the uncertainties of the pairs are not used by this method; york uses them".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_middles() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&mut [f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(median(&mut [7.0]), 7.0);
    }

    #[test]
    fn scaling_is_undone_by_centre_and_scale() {
        for values in [[1e300, 1.5e300, -1e300], [1e-300, 2e-300, 4e-300], [1e9, 1e9 + 1.0, 1e9 + 2.0]] {
            let it = Scaled::new(&values, Some(&[1.0, 2.0, 0.5]));
            assert!(it.values.iter().all(|value| value.abs() <= 2.0), "{it:?}");
            for (small, value) in it.values.iter().zip(values) {
                assert!((small * it.scale + it.centre - value).abs() <= 4e-16 * value.abs(), "{it:?}");
            }
        }
        assert_eq!(Scaled::new(&[0.0, 0.0], None).scale, 1.0);
    }
}
