//! Confidence intervals of scores, by resampling the pairs.

use serde::Serialize;

use super::bins::Edges;
use super::scores::log_loss_of;
use crate::domain::resample::Seeded;
use crate::domain::stats::quantile;

/// Bounds of a confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower bound.
    pub lo: f64,
    /// Upper bound.
    pub hi: f64,
}

/// Confidence intervals of scores.
///
/// The interval of the ECE is that of a score that is above 0 even for perfect probabilities, and
/// resampling adds to it: it lies high where bins hold few pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Intervals {
    /// The share of such intervals that hold the score, like 0.95.
    pub level: f64,
    /// Of the expected calibration error.
    pub ece: Interval,
    /// Of the Brier score.
    pub brier: Interval,
    /// Of the log loss.
    pub log_loss: Interval,
}

/// Percentile intervals (Efron 1979) from `resamples` draws of as many pairs with replacement, within
/// the bins of the original. The same seed gives the same intervals. The slices are equally long and
/// not empty, `resamples` is not 0, `level` between 0 and 1.
pub(super) fn intervals(
    predicted: &[f64],
    labels: &[f64],
    edges: &Edges,
    resamples: usize,
    level: f64,
    seed: u64,
) -> Intervals {
    let rows: Vec<Row> = predicted
        .iter()
        .zip(labels)
        .map(|(p, label)| Row { bin: edges.place(*p), excess: p - label, log_loss: log_loss_of(*p, *label) })
        .collect();
    let mut draws = Seeded::new(seed);
    let mut bins = vec![0.0; edges.count()];
    let scores: Vec<[f64; 3]> = (0..resamples).map(|_| resample(&rows, &mut bins, &mut draws)).collect();
    let interval = |at: usize| {
        let mut values: Vec<f64> = scores.iter().map(|score| score[at]).collect();
        values.sort_unstable_by(f64::total_cmp);
        Interval { lo: quantile(&values, (1.0 - level) / 2.0), hi: quantile(&values, (1.0 + level) / 2.0) }
    };
    Intervals { level, ece: interval(0), brier: interval(1), log_loss: interval(2) }
}

struct Row {
    bin: usize,
    /// Prediction less label.
    excess: f64,
    log_loss: f64,
}

/// ECE, Brier score and log loss of one draw.
fn resample(rows: &[Row], bins: &mut [f64], draws: &mut Seeded) -> [f64; 3] {
    bins.fill(0.0);
    let (mut brier, mut log_loss) = (0.0, 0.0);
    for _ in 0..rows.len() {
        let row = &rows[draws.below(rows.len())];
        bins[row.bin] += row.excess;
        brier += row.excess * row.excess;
        log_loss += row.log_loss;
    }
    // share of the pairs times |mean prediction - share of events|: the counts cancel
    let ece = bins.iter().map(|excess| excess.abs()).sum::<f64>();
    [ece, brier, log_loss].map(|sum| sum / rows.len() as f64)
}
