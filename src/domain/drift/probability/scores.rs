//! The scores of probabilities against labels.

use serde::Serialize;

use super::bins::{Bin, Binning, Edges};
use super::bootstrap::{self, Intervals};
use super::murphy::Murphy;
use super::threshold::{Costs, LeastCost, Rates, least_cost};
use crate::domain::fit::{FitError, Pairs};

/// How to score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Bins asked for.
    pub bins: usize,
    /// How their bounds are chosen.
    pub binning: Binning,
    /// Bins with fewer pairs are merged; 0 keeps empty ones.
    pub min_count: usize,
    /// Draws for the confidence intervals; 0 for none.
    pub resamples: usize,
    /// The level of the confidence intervals.
    pub level: f64,
    /// Of the draws.
    pub seed: u64,
    /// A threshold to count decisions at.
    pub threshold: Option<f64>,
    /// Costs for which to find a threshold.
    pub costs: Option<Costs>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            bins: 15,
            binning: Binning::EqualWidth,
            min_count: 0,
            resamples: 0,
            level: 0.95,
            seed: 1,
            threshold: None,
            costs: None,
        }
    }
}

/// Scores of probabilities; fields as `calibctl evaluate --kind probability --json` prints them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbabilityScores {
    /// Expected calibration error: mean over the pairs of |mean prediction - share of events| of their
    /// bins (Naeini, Cooper, Hauskrecht 2015).
    pub ece: f64,
    /// The largest of those differences.
    pub mce: f64,
    /// Mean of (prediction - label)^2 (Brier 1950).
    pub brier: f64,
    /// Mean of -ln of the probability that was given to what happened; probabilities closer than 1e-15
    /// to 0 or 1 are taken to be that far away.
    pub log_loss: f64,
    /// The decomposition of the Brier score by the bins: reliability, resolution, uncertainty, and the
    /// terms within bins.
    #[serde(flatten)]
    pub murphy: Murphy,
    /// The decomposition by exactly equal predictions.
    pub murphy_by_values: Murphy,
    /// Variance of the predictions: how far they dare to leave the base rate.
    pub sharpness: f64,
    /// The bins.
    pub bins: Vec<Bin>,
    /// Pairs.
    pub n: usize,
    /// Confidence intervals, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intervals: Option<Intervals>,
    /// Decisions at the threshold that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decisions: Option<Rates>,
    /// The thresholds of least cost, if costs were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_cost: Option<LeastCost>,
    /// What the user should know: merged bins.
    pub notes: Vec<String>,
}

/// Most draws of pairs in a bootstrap: a minute's work.
const MAX_DRAWS: usize = 4_000_000_000;

/// Scores predictions, the sensor's own values of the pairs, by the labels 0 and 1 of what happened, the
/// reference values.
///
/// Bins are [lo, hi), the last one closed. Weights don't count. Fails for a prediction outside [0, 1],
/// another label, and options that mean nothing. One class missing is no error: the scores are defined,
/// and a good season has no events.
pub fn evaluate(pairs: &Pairs, options: &Options) -> Result<ProbabilityScores, FitError> {
    check(pairs)?;
    check_options(options, pairs.len())?;
    let (predicted, labels) = (pairs.x(), pairs.y());
    let edges =
        Edges::new(predicted, [0.0, 1.0], options.bins, options.binning).map_err(FitError::Unsupported)?;
    let (edges, merged) = match options.min_count {
        0 => (edges, 0),
        least => edges.merged(predicted, least),
    };
    let bins = edges.bins(predicted, labels);
    let (ece, mce) = calibration_errors(&bins, predicted.len());
    let intervals = (options.resamples > 0).then(|| {
        bootstrap::intervals(predicted, labels, &edges, options.resamples, options.level, options.seed)
    });
    Ok(ProbabilityScores {
        ece,
        mce,
        brier: mean(predicted.iter().zip(labels).map(|(p, label)| (p - label) * (p - label))),
        log_loss: mean(predicted.iter().zip(labels).map(|(p, label)| log_loss_of(*p, *label))),
        murphy: Murphy::by_bins(predicted, labels, &edges),
        murphy_by_values: Murphy::by_values(predicted, labels),
        sharpness: variance(predicted),
        notes: notes(options, &edges, merged),
        bins,
        n: predicted.len(),
        intervals,
        decisions: options.threshold.map(|threshold| Rates::at(threshold, predicted, labels)),
        least_cost: options.costs.map(|costs| least_cost(predicted, labels, costs)),
    })
}

fn check(pairs: &Pairs) -> Result<(), FitError> {
    if let Some(at) = pairs.x().iter().position(|p| !(0.0..=1.0).contains(p)) {
        let problem = format!(
            "expected a probability from 0 to 1, found {}: calibrate scores before they are evaluated",
            pairs.x()[at]
        );
        return Err(pairs.fault(at, pairs.columns()[0].name(), problem));
    }
    if let Some(at) = pairs.y().iter().position(|label| *label != 0.0 && *label != 1.0) {
        let problem =
            format!("expected a label, 0 or 1, found {}: correct it or leave the row out", pairs.y()[at]);
        return Err(pairs.fault(at, pairs.reference().name(), problem));
    }
    Ok(())
}

fn check_options(options: &Options, n: usize) -> Result<(), FitError> {
    let refuse = |problem: &str| Err(FitError::Unsupported(problem.to_owned()));
    if options.resamples.saturating_mul(n) > MAX_DRAWS {
        return refuse("too many resamples for so many pairs: take at most 4e9 divided by the pairs");
    }
    if options.resamples > 0 && !(options.level > 0.0 && options.level < 1.0) {
        return refuse("expected a level of confidence between 0 and 1");
    }
    if options.threshold.is_some_and(f64::is_nan) {
        return refuse("expected a number as a threshold");
    }
    let cost = |cost: f64| cost > 0.0 && cost.is_finite();
    match options.costs {
        Some(costs) if !(cost(costs.false_positive) && cost(costs.false_negative)) => {
            refuse("expected costs that are finite and above 0")
        }
        _ => Ok(()),
    }
}

/// ECE and MCE of the bins of n pairs.
pub(in crate::domain::drift) fn calibration_errors(bins: &[Bin], n: usize) -> (f64, f64) {
    let (mut expected, mut largest) = (0.0, 0.0f64);
    for bin in bins {
        if let (Some(predicted), Some(observed)) = (bin.mean_predicted, bin.observed) {
            let error = (predicted - observed).abs();
            expected += bin.count as f64 / n as f64 * error;
            largest = largest.max(error);
        }
    }
    (expected, largest)
}

/// -ln of the probability that was given to what happened, at most 34.5.
pub(in crate::domain::drift) fn log_loss_of(p: f64, label: f64) -> f64 {
    let clipped = p.clamp(1e-15, 1.0 - 1e-15);
    if label == 1.0 { -clipped.ln() } else { -(-clipped).ln_1p() }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

fn variance(values: &[f64]) -> f64 {
    let centre = mean(values.iter().copied());
    mean(values.iter().map(|value| (value - centre) * (value - centre)))
}

fn notes(options: &Options, edges: &Edges, merged: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if merged > 0 {
        notes.push(format!(
            "bins with fewer than {} pairs are merged with their neighbours: {} bins are left",
            options.min_count,
            edges.count()
        ));
    }
    let found = edges.count() + merged;
    if found < options.bins {
        notes.push(format!("equal predictions stay in one bin: {found} bins instead of {}", options.bins));
    }
    notes
}

#[cfg(test)]
mod tests;
