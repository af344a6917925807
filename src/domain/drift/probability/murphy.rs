//! The decomposition of the Brier score.

use serde::Serialize;

use super::bins::Edges;

/// Brier = reliability - resolution + uncertainty + within-bin variance - within-bin covariance.
///
/// Murphy (1973); the terms within bins are those of Stephenson, Coelho, Jolliffe (2008), and 0 where
/// every bin has one prediction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Murphy {
    /// Mean of (mean prediction - share of events)^2: 0 is best.
    pub reliability: f64,
    /// Mean of (share of events - base rate)^2: large is good.
    pub resolution: f64,
    /// Base rate (1 - base rate): nature's.
    pub uncertainty: f64,
    /// Mean of (prediction - mean prediction of its bin)^2.
    pub within_bin_variance: f64,
    /// Twice the mean of (prediction - mean prediction)(label - share of events) within bins.
    pub within_bin_covariance: f64,
}

impl Murphy {
    /// Decomposes by bins. The labels are 0 and 1, the slices equally long and not empty.
    pub fn by_bins(predicted: &[f64], labels: &[f64], edges: &Edges) -> Murphy {
        let places: Vec<usize> = predicted.iter().map(|p| edges.place(*p)).collect();
        decompose(predicted, labels, &places, edges.count())
    }

    /// Decomposes by the predictions that are exactly equal.
    pub fn by_values(predicted: &[f64], labels: &[f64]) -> Murphy {
        let mut order: Vec<usize> = (0..predicted.len()).collect();
        // -0 and 0 are one prediction
        order.sort_unstable_by(|a, b| (predicted[*a] + 0.0).total_cmp(&(predicted[*b] + 0.0)));
        let mut places = vec![0; predicted.len()];
        let mut place = 0;
        for pair in order.windows(2) {
            place += usize::from(predicted[pair[0]] != predicted[pair[1]]);
            places[pair[1]] = place;
        }
        decompose(predicted, labels, &places, place + 1)
    }

    /// The Brier score that the terms add up to.
    pub fn brier(&self) -> f64 {
        self.reliability - self.resolution + self.uncertainty + self.within_bin_variance
            - self.within_bin_covariance
    }
}

fn decompose(predicted: &[f64], labels: &[f64], places: &[usize], count: usize) -> Murphy {
    let n = predicted.len() as f64;
    let rows = || predicted.iter().zip(labels).zip(places);
    let mut sums = vec![(0.0, 0.0, 0.0); count];
    for ((p, label), place) in rows() {
        let (pairs, predictions, events) = &mut sums[*place];
        *pairs += 1.0;
        *predictions += p;
        *events += label;
    }
    let base = labels.iter().sum::<f64>() / n;
    let mut out = Murphy {
        reliability: 0.0,
        resolution: 0.0,
        uncertainty: base * (1.0 - base),
        within_bin_variance: 0.0,
        within_bin_covariance: 0.0,
    };
    for (pairs, predictions, events) in sums.iter().filter(|(pairs, ..)| *pairs > 0.0) {
        out.reliability += (predictions - events) / pairs * ((predictions - events) / n);
        out.resolution += pairs / n * (events / pairs - base).powi(2);
    }
    for ((p, label), place) in rows() {
        let (pairs, predictions, events) = sums[*place];
        let (predicted, observed) = (p - predictions / pairs, label - events / pairs);
        out.within_bin_variance += predicted * predicted / n;
        out.within_bin_covariance += 2.0 * predicted * observed / n;
    }
    out
}
