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
    let mut notes = fit.notes;
    notes.extend(fit.covariance.as_ref().and_then(|known| far(known)));
    let stage = AffineSpec { offset, gain, covariance: fit.covariance.clone() };
    Ok(Fit { stages: vec![StageSpec::Affine(stage)], notes, ..fit })
}

/// What the correlation of offset and gain has to leave of either: below, the uncertainty of the line
/// amid the pairs is lost in rounding.
const LEFT: f64 = 1e-11;

/// Says so where the readings lie a hundred thousand times further from 0 than from each other.
fn far(covariance: &[Vec<f64>]) -> Option<String> {
    let product = covariance[0][0] * covariance[1][1];
    let left = 1.0 - covariance[0][1] / product.sqrt() * (covariance[0][1] / product.sqrt());
    (product > 0.0 && left < LEFT).then(|| {
        "the readings lie so far from 0 for their range that offset and gain lose the digits of the line's uncertainty: take polynomial:1, which runs about the middle of the readings".to_owned()
    })
}

/// A fit that ignores the sensor is no calibration.
pub(super) fn flat(pairs: &Pairs) -> FitError {
    let problem = "the fit doesn't depend on the sensor at all: check that the reference varies";
    FitError::column(pairs.reference().name(), problem)
}
