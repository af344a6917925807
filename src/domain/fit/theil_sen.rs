//! Method `theil-sen`: the median of the slopes between all pairs of points.

use super::error::FitError;
use super::fitted::Fit;
use super::line::{Line, check, median, note_unused_uncertainties, refuse_weights};
use super::pairs::Pairs;
use super::slopes::Slopes;

/// The 97.5 % point of the standard normal distribution.
const TWO_SIDED_95: f64 = 1.959_963_984_540_054;

/// The slope with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The median of the slopes.
    pub slope: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

/// Fits y = a + b x: b the median of the slopes between all pairs of different x (Theil 1950; Sen
/// 1968), a the median of y - b x.
///
/// The other definition of a, median(y) - b median(x), is not used: this one halves the residuals.
/// The standard error of b is the width of Sen's 95 % interval over 2 * 1.96; that of the level at
/// the median of x likewise from the binomial interval of the median residual; the two are taken
/// to be independent. Weights are refused. Needs 3 pairs, two different x.
pub fn fit(pairs: &Pairs) -> Result<Fit, FitError> {
    check("theil-sen", pairs, 3)?;
    refuse_weights("theil-sen", pairs)?;
    let (x, y) = (pairs.x(), pairs.y());
    let Interval { slope, lo, hi } = interval(x, y);
    let mut residuals: Vec<f64> = x.iter().zip(y).map(|(x, y)| y - slope * x).collect();
    let offset = median(&mut residuals);
    let level = median_error(&mut residuals);
    let error = (hi - lo) / (2.0 * TWO_SIDED_95);
    let mut notes = vec![format!(
        "95 % confidence interval of b (Sen 1968): {lo:.9e} to {hi:.9e}; the standard errors are made from such intervals"
    )];
    note_unused_uncertainties(pairs, &mut notes);
    let middle = median(&mut x.to_vec());
    let (gain, cross) = (error * error, -middle * error * error);
    let covariance = [[level * level + middle * middle * gain, cross], [cross, gain]];
    Line { offset, gain: slope, covariance: Some(covariance) }.into_fit("theil-sen", pairs, None, notes)
}

/// The median slope of points of at least two different x, and its 95 % interval: the slopes whose
/// ranks lie z sigma / 2 about the middle, sigma^2 the variance of Kendall's S with ties in x and y.
pub fn interval(x: &[f64], y: &[f64]) -> Interval {
    let slopes = Slopes::new(x, y);
    let count = slopes.count();
    let last = count.saturating_sub(1);
    let upper = slopes.rank(count / 2);
    let slope = if count % 2 == 1 { upper } else { slopes.rank(count / 2 - 1) / 2.0 + upper / 2.0 };
    let reach = TWO_SIDED_95 * variance_of_s(x, y).max(0.0).sqrt();
    // half to even, and one rank wider below than above: as scipy, so that results compare
    let rank = |rank: f64| (rank.max(0.0) as u64).min(last);
    let lo = slopes.rank(rank(((count as f64 - reach) / 2.0).round_ties_even() - 1.0));
    let hi = slopes.rank(rank(((count as f64 + reach) / 2.0).round_ties_even()));
    Interval { slope, lo, hi }
}

/// The variance of Kendall's S without a relation (Sen 1968; Kendall 1955 for ties in both).
fn variance_of_s(x: &[f64], y: &[f64]) -> f64 {
    let term = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let ties = |values: &[f64]| -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.chunk_by(|a, b| a == b).map(|tie| term(tie.len() as f64)).sum()
    };
    (term(x.len() as f64) - ties(x) - ties(y)) / 18.0
}

/// The standard error of the median of these values, from the order statistics that enclose it with
/// 95 % (binomial, normal approximation).
fn median_error(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len() as f64;
    let reach = TWO_SIDED_95 * n.sqrt() / 2.0;
    let at = |rank: f64| values[(rank.max(0.0) as usize).min(values.len() - 1)];
    let (low, high) = (at((n / 2.0 - reach).floor()), at((n / 2.0 + reach).ceil() - 1.0));
    (high - low) / (2.0 * TWO_SIDED_95)
}
