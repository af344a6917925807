//! y = a + b x.

use super::design::{Basis, Design};
use super::inverted;
use super::report::report;
use crate::domain::fit::method::{Direction, Options};
use crate::domain::fit::{Fit, FitError, Pairs};
use crate::domain::transform::affine::AffineSpec;
use crate::domain::transform::stage::StageSpec;

/// A line by least squares, in either direction.
pub fn fit(pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    let fit = match options.direction {
        Direction::ReferenceOnSensor => direct(pairs, options)?,
        Direction::SensorOnReference => inverted::fit(pairs, options)?,
    };
    with_stage(fit, pairs)
}

pub(in crate::domain::fit) fn names() -> Vec<String> {
    ["a", "b"].map(str::to_owned).to_vec()
}

fn direct(pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    let weights = pairs.weights();
    let basis = Basis::Columns { intercept: true };
    let design = Design::new(&[&pairs.columns()[0]], pairs.reference(), weights.as_deref(), basis)?;
    Ok(report("affine", names(), &design, pairs, options)?.fit)
}

/// Adds the stage that does what was fitted.
pub(in crate::domain::fit) fn with_stage(fit: Fit, pairs: &Pairs) -> Result<Fit, FitError> {
    let (offset, gain) = (fit.parameters[0], fit.parameters[1]);
    if gain == 0.0 {
        return Err(flat(pairs));
    }
    let stage = AffineSpec { offset, gain, covariance: fit.covariance.clone() };
    Ok(Fit { stages: vec![StageSpec::Affine(stage)], ..fit })
}

/// A fit that ignores the sensor is no calibration.
pub(super) fn flat(pairs: &Pairs) -> FitError {
    let problem = "the fit doesn't depend on the sensor at all: check that the reference varies";
    FitError::column(pairs.reference().name(), problem)
}
