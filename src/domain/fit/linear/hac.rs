//! Newey and West's covariance for heteroscedastic, autocorrelated errors.

use super::covariance::symmetric;
use crate::domain::fit::sums;

/// sum over lags of k(l) (G_l + G_l'), G_l = sum_t s_t s_(t-l)', with Bartlett's kernel
/// k(l) = 1 - l / (lags + 1), times n / (n - p) for the parameters that were fitted
/// (Newey, West 1987; the factor as MacKinnon and White 1985 have it). `scores` by columns, in the
/// order of the pairs.
pub(super) fn middle(scores: &[Vec<f64>], lags: usize) -> Vec<Vec<f64>> {
    let (n, width) = (scores.first().map_or(0, Vec::len), scores.len());
    let correction = n as f64 / (n as f64 - width as f64);
    let at_lag = |i: usize, j: usize, lag: usize| sums::dot(&scores[i][lag..], &scores[j][..n - lag]);
    let element = |i: usize, j: usize| {
        let tails = (1..=lags.min(n.saturating_sub(1))).map(|lag| {
            let kernel = 1.0 - lag as f64 / (lags as f64 + 1.0);
            kernel * (at_lag(i, j, lag) + at_lag(j, i, lag))
        });
        correction * (at_lag(i, j, 0) + tails.sum::<f64>())
    };
    symmetric(width, element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // sum s^2 = 14, at lag 1: 2 - 6 = -4, kernel 1/2, correction 3/2
        assert_eq!(middle(&[vec![1.0, 2.0, -3.0]], 1), [[1.5 * (14.0 - 4.0)]]);
        assert_eq!(middle(&[vec![1.0, 2.0, -3.0]], 0), [[21.0]]);
    }
}
