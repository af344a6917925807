//! From a solution to a fit.

use super::covariance::{assemble, middle, product};
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
    fit.notes.extend(top_decile_note(pairs.y(), &solution.residuals));
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
    let problem = "the parameters are beyond what a number can hold: state the columns in larger units";
    Err(FitError::Unsupported(problem.to_owned()))
}

/// r^2 of a fit without an intercept: against 0, not against the mean (Kvålseth 1985).
pub(super) fn uncentred(fit: Fit, pairs: &Pairs) -> Fit {
    let total = sum_of_squares(pairs.y(), pairs.weights().as_deref());
    Fit { r_squared: fit.rss.and_then(|rss| explained(rss, total)), ..fit }
}

/// Fewest pairs of which a tenth says something.
const ENOUGH_FOR_DECILES: usize = 30;

/// How far the fit is off where the reference is highest.
pub(super) fn top_decile_note(y: &[f64], residuals: &[f64]) -> Option<String> {
    let bias = top_decile_bias(y, residuals)?;
    Some(format!(
        "top-decile bias: where the reference is in its highest tenth, the fit is off by {bias:+.3e} on average"
    ))
}

/// The mean of fitted - y over the pairs whose y is in the highest tenth; `None` of few pairs.
fn top_decile_bias(y: &[f64], residuals: &[f64]) -> Option<f64> {
    if y.len() < ENOUGH_FOR_DECILES {
        return None;
    }
    let mut sorted = y.to_vec();
    let (_, threshold, _) = sorted.select_nth_unstable_by(y.len() - y.len() / 10, f64::total_cmp);
    let threshold = *threshold;
    let (mut sum, mut count) = (0.0, 0);
    for (_, residual) in y.iter().zip(residuals).filter(|(y, _)| **y >= threshold) {
        sum -= residual;
        count += 1;
    }
    Some(sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_tenth_is_judged_apart() {
        let y: Vec<f64> = (0..100).map(f64::from).collect();
        let residuals: Vec<f64> = y.iter().map(|y| if *y >= 90.0 { 2.0 } else { -0.5 }).collect();
        assert_eq!(top_decile_bias(&y, &residuals), Some(-2.0));
        assert_eq!(top_decile_bias(&y[..20], &residuals[..20]), None);
    }
}
