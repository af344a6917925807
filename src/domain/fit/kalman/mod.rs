//! Offset and gain as random walks, followed from reference to reference by a Kalman filter.
//!
//! Between references the uncertainty grows by the law that the transform states as its drift; at each
//! reference it shrinks. What comes out is an ordinary affine transform.

mod filter;
mod history;
mod noise;
#[cfg(test)]
mod tests;

use super::error::FitError;
use super::fitted::Fit;
use super::pairs::Pairs;
use crate::domain::transform::affine::AffineSpec;
use crate::domain::transform::artifact::{DriftModel, DriftPer, DriftSpec};
use crate::domain::transform::stage::StageSpec;

pub use filter::{Innovation, Kalman, Prior};
pub use noise::Noise;

use history::History;

/// A filter that has taken in all references, and the transform that it gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracked {
    /// The affine relation at the last reference, with its covariance; `residual_std` is the scatter of
    /// single references.
    pub fit: Fit,
    /// How its uncertainty grows until the next reference: the drift of the transform.
    pub drift: DriftSpec,
    /// What was estimated or given.
    pub noise: Noise,
    /// The filter, to be fed with the references to come.
    pub filter: Kalman,
}

/// Runs the filter over pairs with times.
///
/// `noise` absent: estimated by maximum likelihood, which needs 8 pairs. `prior` absent: the weighted
/// least-squares line of the first pairs (a quarter of them, 3 to 24), which needs two different x among
/// them. The errors of different references are taken as independent: where they are not, as those of
/// successive hours, thin the pairs first.
pub fn fit(pairs: &Pairs, noise: Option<Noise>, prior: Option<Prior>) -> Result<Tracked, FitError> {
    let history = History::new(pairs, prior)?;
    let noise = match noise {
        Some(noise) => noise.checked()?,
        None => noise::estimate(&history)?,
    };
    if noise.scatter == 0.0 && pairs.uy().is_none() {
        let text = "nothing is known of how far a single reference is off: give their uncertainties, or a scatter above 0";
        return Err(FitError::Unsupported(text.to_owned()));
    }
    let (filter, _) = history.run(&noise)?;
    let fit = describe(&filter, &noise, pairs)?;
    Ok(Tracked { fit, drift: drift(&noise), noise, filter })
}

/// The drift between references, as a transform states it.
pub fn drift(noise: &Noise) -> DriftSpec {
    DriftSpec {
        model: DriftModel::RandomWalk,
        offset: noise.offset,
        gain: noise.gain,
        per: DriftPer::SqrtDay,
    }
}

fn describe(filter: &Kalman, noise: &Noise, pairs: &Pairs) -> Result<Fit, FitError> {
    let ([offset, gain], covariance) = filter.line();
    if gain == 0.0 {
        let problem = "the references give a gain of 0, which makes every reading equal";
        return Err(FitError::column(pairs.columns()[0].name(), problem));
    }
    let covariance: Vec<Vec<f64>> = covariance.iter().map(|row| row.to_vec()).collect();
    let spec = AffineSpec { offset, gain, covariance: Some(covariance.clone()) };
    Ok(Fit {
        method: "kalman".to_owned(),
        names: vec!["offset".to_owned(), "gain".to_owned()],
        parameters: vec![offset, gain],
        covariance: Some(covariance),
        n: pairs.len(),
        residual_std: Some(noise.scatter),
        scatter: Some(noise.scatter),
        // two states and three kinds of noise
        degrees_of_freedom: Some(pairs.len() as f64 - 5.0).filter(|dof| *dof > 0.0),
        stages: vec![StageSpec::Affine(spec)],
        notes: vec![format!(
            "offset and gain as of the last reference; they walk by {} and {} of the value per square root of a day",
            noise.offset, noise.gain
        )],
        ..Fit::default()
    })
}
