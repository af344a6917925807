//! From a solution to a fit.

use super::covariance::{assemble, middle, product};
use super::decile;
use super::design::Design;
use super::least_squares::{Solution, solve};
use super::twofold::Twofold;
use crate::domain::fit::method::Options;
use crate::domain::fit::statistics::{describe, explained, sum_of_squares};
use crate::domain::fit::{Fit, FitError, Pairs};

/// A fit without its stages, and its parameters in z.
pub(super) struct Report {
    pub fit: Fit,
    pub inner: Vec<f64>,
    pub inner_covariance: Option<Vec<Vec<f64>>>,
}

/// Solves and describes. `names` are those of the parameters.
pub(super) fn report(
    method: &str,
    names: Vec<String>,
    design: &Design<'_>,
    pairs: &Pairs,
    options: &Options,
) -> Result<Report, FitError> {
    let solution = solve(design, method)?;
    let weights = pairs.weights();
    let raw = solution.raw();
    let fit = Fit { method: method.to_owned(), names, parameters: raw, ..Fit::default() };
    let fit = describe(fit, pairs, &solution.residuals, weights.as_deref(), design.width());
    let variance = fit.residual_std.map(|s| s * s);
    let (middle, note) = middle(design, &solution, variance, fit.lag1_autocorrelation, options)?;
    let covariance = |factor: &[Vec<Twofold>]| middle.as_ref().map(|middle| assemble(factor, middle));
    let raw_covariance = covariance(&product(&solution.to_raw, &solution.root));
    let inner_covariance = covariance(&solution.root);
    let mut fit = Fit { covariance: raw_covariance, ..fit };
    fit.notes.extend(note);
    fit.notes.extend(decile::note(pairs.y(), &solution.residuals));
    check_finite(&fit)?;
    Ok(Report { fit, inner: rounded(&solution), inner_covariance })
}

fn rounded(solution: &Solution) -> Vec<f64> {
    solution.inner.iter().map(|value| value.value()).collect()
}

/// Refuses parameters that a double can't hold in the raw variable.
pub(super) fn check_finite(fit: &Fit) -> Result<(), FitError> {
    let variances = fit.covariance.iter().flatten().flatten();
    if fit.parameters.iter().chain(variances).all(|value| value.is_finite()) {
        return Ok(());
    }
    let problem = "the parameters are beyond what a number can hold: state the columns in other units";
    Err(FitError::Unsupported(problem.to_owned()))
}

/// r^2 of a fit without an intercept: against 0, not against the mean (Kvålseth 1985).
pub(super) fn uncentred(fit: Fit, pairs: &Pairs) -> Fit {
    let total = sum_of_squares(pairs.y(), pairs.weights().as_deref());
    Fit { r_squared: fit.rss.and_then(|rss| explained(rss, total)), ..fit }
}
