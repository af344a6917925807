//! What the residuals say of a fit.

use super::fitted::Fit;
use super::pairs::Pairs;
use super::sums;
use crate::domain::stats::n_effective;

/// Completes a fit with the statistics of its residuals; what is undefined is `None`.
///
/// `residuals` are y - fitted, unweighted; `weights` those of the fit; `parameters` counts the
/// fitted ones. RSS = sum w r^2, its degrees of freedom n - parameters, residual standard deviation
/// sqrt(RSS / dof), scatter sqrt(sum r^2 / dof), r^2 = 1 - RSS / sum w (y - mean)^2, and AICc = -2 ln L + 2 k + 2 k (k + 1) /
/// (n - k - 1), k the parameters and the variance (Hurvich, Tsai 1989).
pub fn describe(
    fit: Fit,
    pairs: &Pairs,
    residuals: &[f64],
    weights: Option<&[f64]>,
    parameters: usize,
) -> Fit {
    let n = residuals.len();
    let rss = finite(sum_of_squares(residuals, weights));
    let squares = finite(sum_of_squares(residuals, None));
    let freedom = (n > parameters).then(|| (n - parameters) as f64);
    let standardised: Option<Vec<f64>> =
        weights.map(|weights| residuals.iter().zip(weights).map(|(r, w)| r * w.sqrt()).collect());
    let memory = rss.and_then(|_| Memory::of(standardised.as_deref().unwrap_or(residuals)));
    Fit {
        n,
        rss,
        degrees_of_freedom: freedom,
        residual_std: rss.zip(freedom).map(|(rss, freedom)| (rss / freedom).sqrt()),
        scatter: squares.zip(freedom).map(|(squares, freedom)| (squares / freedom).sqrt()),
        r_squared: rss.and_then(|rss| explained(rss, centred_total(pairs.y(), weights))),
        aicc: rss.and_then(|rss| aicc(rss, n, weights, parameters)),
        n_effective: memory.map(|memory| memory.n_effective),
        lag1_autocorrelation: memory.map(|memory| memory.lag1),
        ..fit
    }
}

/// 1 - RSS / total; `None` without anything to explain.
pub(super) fn explained(rss: f64, total: f64) -> Option<f64> {
    if total > 0.0 { finite(1.0 - rss / total) } else { None }
}

/// sum w y^2.
pub(super) fn sum_of_squares(values: &[f64], weights: Option<&[f64]>) -> f64 {
    match weights {
        Some(weights) => values.iter().zip(weights).map(|(v, w)| w * v * v).sum(),
        None => sums::dot(values, values),
    }
}

/// sum w (y - mean)^2, in two passes.
fn centred_total(y: &[f64], weights: Option<&[f64]>) -> f64 {
    let Some(weights) = weights else { return sums::squares(y, sums::sum(y) / y.len() as f64) };
    let mean = sums::dot(y, weights) / sums::sum(weights);
    y.iter().zip(weights).map(|(y, w)| w * (y - mean) * (y - mean)).sum()
}

/// Of the normal likelihood with its variance estimated, the weights known up to a factor.
fn aicc(rss: f64, n: usize, weights: Option<&[f64]>, parameters: usize) -> Option<f64> {
    let k = parameters + 1;
    if n <= k + 1 {
        return None;
    }
    let (n, k) = (n as f64, k as f64);
    let logs: f64 = weights.map_or(0.0, |weights| weights.iter().map(|w| w.ln()).sum());
    let twice_log_likelihood = logs - n * ((std::f64::consts::TAU * rss / n).ln() + 1.0);
    finite(-twice_log_likelihood + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0))
}

/// How long residuals remember, in the order of the pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Memory {
    lag1: f64,
    n_effective: f64,
}

impl Memory {
    /// `None` for fewer than three residuals or if all are equal.
    ///
    /// Sums over the measured autocorrelations at all lags say less than the one at lag 1: over months
    /// they add up the drift, which more pairs don't average out and which has its own component of
    /// uncertainty.
    fn of(residuals: &[f64]) -> Option<Memory> {
        let n = residuals.len();
        if n < 3 {
            return None;
        }
        let mean = sums::sum(residuals) / n as f64;
        let (square, lagged) = sums::products(residuals, mean);
        let lag1 = finite(lagged / square)?;
        Some(Memory { lag1, n_effective: n_effective(n as f64, lag1) })
    }
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fit::Column;
    use crate::domain::resample::Seeded;

    fn pairs(y: &[f64]) -> Pairs {
        let x = (0..y.len()).map(|at| at as f64).collect();
        Pairs::new(vec![Column::new("x", x)], Column::new("y", y.to_vec())).unwrap()
    }

    #[test]
    fn small_numbers_by_hand() {
        let fit = describe(
            Fit::default(),
            &pairs(&[1.0, 2.0, 4.0, 5.0, 8.0]),
            &[1.0, -1.0, 0.0, 1.0, -1.0],
            None,
            2,
        );
        assert_eq!((fit.n, fit.rss, fit.degrees_of_freedom), (5, Some(4.0), Some(3.0)));
        assert_eq!(fit.residual_std, Some((4.0f64 / 3.0).sqrt()));
        assert_eq!(fit.r_squared, Some(1.0 - 4.0 / 30.0));
        assert_eq!(fit.lag1_autocorrelation, Some(-0.5));
        assert_eq!(fit.n_effective, Some(5.0));
        let log_likelihood = -2.5 * ((std::f64::consts::TAU * 0.8).ln() + 1.0);
        assert!((fit.aicc.unwrap() - (-2.0 * log_likelihood + 6.0 + 24.0)).abs() < 1e-12);
    }

    #[test]
    fn weights_count_as_replication() {
        let weighted =
            describe(Fit::default(), &pairs(&[1.0, 2.0, 4.0]), &[0.5, -1.0, 0.5], Some(&[2.0, 1.0, 3.0]), 1);
        let repeated = describe(
            Fit::default(),
            &pairs(&[1.0, 1.0, 2.0, 4.0, 4.0, 4.0]),
            &[0.5, 0.5, -1.0, 0.5, 0.5, 0.5],
            None,
            1,
        );
        assert_eq!(weighted.rss, repeated.rss);
        assert_eq!(weighted.r_squared, repeated.r_squared);
        // in the unit of y, whatever the weights: sqrt(1.5 / 2)
        assert_eq!(weighted.scatter, Some(0.75f64.sqrt()));
        assert_eq!(repeated.scatter, repeated.residual_std);
    }

    #[test]
    fn what_is_undefined_is_none() {
        let exact = describe(Fit::default(), &pairs(&[1.0, 2.0]), &[0.0, 0.0], None, 2);
        assert_eq!((exact.rss, exact.residual_std, exact.degrees_of_freedom), (Some(0.0), None, None));
        assert_eq!((exact.aicc, exact.n_effective, exact.r_squared), (None, None, Some(1.0)));
        let constant = describe(Fit::default(), &pairs(&[3.0; 4]), &[0.0; 4], None, 1);
        assert_eq!((constant.r_squared, constant.aicc, constant.lag1_autocorrelation), (None, None, None));
        let broken = describe(Fit::default(), &pairs(&[3.0; 9]), &[f64::NAN; 9], None, 1);
        assert_eq!((broken.rss, broken.residual_std, broken.n_effective), (None, None, None));
    }

    #[test]
    fn independent_residuals_are_worth_their_number_and_persistent_ones_less() {
        let mut draws = Seeded::new(5);
        let noise: Vec<f64> = (0..4000).map(|_| draws.normal()).collect();
        let mut state = 0.0;
        let persistent: Vec<f64> = noise
            .iter()
            .map(|e| {
                state = 0.8 * state + e;
                state
            })
            .collect();
        let worth = |r: &[f64]| describe(Fit::default(), &pairs(r), r, None, 1).n_effective.unwrap();
        assert!((3700.0..=4000.0).contains(&worth(&noise)), "{}", worth(&noise));
        assert!((370.0..530.0).contains(&worth(&persistent)), "{}", worth(&persistent));
    }
}
