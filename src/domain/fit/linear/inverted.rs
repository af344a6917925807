//! A line through the sensor's values as a function of the reference's, turned round.

use super::affine::names;
use super::covariance::{assemble, middle, product};
use super::decile;
use super::design::{Basis, Design};
use super::least_squares::solve;
use super::report::check_finite;
use super::twofold::Twofold;
use crate::domain::fit::method::Options;
use crate::domain::fit::statistics::describe;
use crate::domain::fit::{Fit, FitError, Pairs};

/// x = a' + b' y by least squares, then a = -a'/b' and b = 1/b' (ISO 11095: calibration, then its
/// inverse). Weights are those given, else 1/u_x^2, because x is taken to carry the error. The
/// covariance follows by first-order propagation; residuals are those of y.
pub(super) fn fit(pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    let weights = weights(pairs);
    let basis = Basis::Columns { intercept: true };
    let design = Design::new(&[pairs.reference()], &pairs.columns()[0], weights.as_deref(), basis)?;
    let solution = solve(&design, "affine")?;
    let raw: Vec<Twofold> = solution.to_raw.iter().map(|row| Twofold::dot(row, &solution.inner)).collect();
    let (offset, gain) = (raw[0], raw[1]);
    if gain.value() == 0.0 {
        let problem = "it doesn't follow the reference at all: check that it varies";
        return Err(FitError::column(pairs.columns()[0].name(), problem));
    }
    let one = Twofold::from(1.0);
    let (b, a) = (one / gain, -(offset / gain));
    let forward = describe(Fit::default(), pairs, &solution.residuals, weights.as_deref(), 2);
    let variance = forward.residual_std.map(|s| s * s);
    let (middle, note) = middle(&design, &solution, variance, forward.lag1_autocorrelation, options)?;
    // d(a, b) / d(a', b')
    let jacobian = vec![vec![-b, -(a * b)], vec![Twofold::default(), -(b * b)]];
    let factor = product(&jacobian, &product(&solution.to_raw, &solution.root));
    let residuals: Vec<f64> = solution.residuals.iter().map(|r| -r * b.value()).collect();
    let fit = Fit {
        method: "affine".to_owned(),
        names: names(),
        parameters: vec![a.value(), b.value()],
        covariance: middle.as_ref().map(|middle| assemble(&factor, middle)),
        ..Fit::default()
    };
    let mut fit = describe(fit, pairs, &residuals, weights.as_deref(), 2);
    fit.notes.push("sensor on reference, inverted: it doesn't attenuate the extremes".to_owned());
    if weights.is_none() && pairs.uy().is_some() {
        let unused =
            "the uncertainties of y are not used: in this direction x carries the error, state its own";
        fit.notes.push(unused.to_owned());
    }
    fit.notes.extend(note);
    fit.notes.extend(decile::note(pairs.y(), &residuals));
    check_finite(&fit)?;
    Ok(fit)
}

fn weights(pairs: &Pairs) -> Option<Vec<f64>> {
    match (pairs.given_weights(), pairs.ux()) {
        (Some(weights), _) => Some(weights.to_vec()),
        (None, Some(ux)) => Some(ux.iter().map(|u| 1.0 / (u * u)).collect()),
        (None, None) => None,
    }
}
