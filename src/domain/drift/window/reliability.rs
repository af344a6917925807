//! What was predicted and observed, by bins of the prediction.

use super::scores::Scores;
use crate::domain::drift::probability::bins::Bin;
use crate::domain::drift::probability::scores::{calibration_errors, log_loss_of};

/// Bins of equal width, [lo, hi), the last one closed: as many as `calibctl evaluate` has by default.
const BINS: usize = 15;

/// Sums over predictions and their labels, which merge.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Reliability {
    bins: [Sums; BINS],
    /// sum (p - label)^2.
    squares: f64,
    log_loss: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Sums {
    count: u32,
    events: u32,
    predicted: f64,
}

impl Reliability {
    /// Adds a probability and its label, 0 or 1.
    pub fn add(&mut self, p: f64, label: f64) {
        let sums = &mut self.bins[place(p)];
        sums.count += 1;
        sums.events += u32::from(label == 1.0);
        sums.predicted += p;
        self.squares += (p - label) * (p - label);
        self.log_loss += log_loss_of(p, label);
    }

    pub fn merged(mut self, other: &Reliability) -> Reliability {
        for (sums, more) in self.bins.iter_mut().zip(&other.bins) {
            sums.count = sums.count.saturating_add(more.count);
            sums.events = sums.events.saturating_add(more.events);
            sums.predicted += more.predicted;
        }
        self.squares += other.squares;
        self.log_loss += other.log_loss;
        self
    }

    /// The bins; none without a pair.
    pub fn bins(&self) -> Vec<Bin> {
        if self.count() == 0 {
            return Vec::new();
        }
        let bin = |(at, sums): (usize, &Sums)| {
            let n = f64::from(sums.count);
            Bin {
                lo: bound(at),
                hi: bound(at + 1),
                count: sums.count as usize,
                mean_predicted: (sums.count > 0).then(|| sums.predicted / n),
                observed: (sums.count > 0).then(|| f64::from(sums.events) / n),
            }
        };
        self.bins.iter().enumerate().map(bin).collect()
    }

    /// Adds the scores of probabilities to others.
    pub fn complete(&self, scores: Scores) -> Scores {
        let count = self.count();
        if count == 0 {
            return scores;
        }
        let (ece, mce) = calibration_errors(&self.bins(), count);
        Scores {
            ece: Some(ece),
            mce: Some(mce),
            brier: Some(self.squares / count as f64),
            log_loss: Some(self.log_loss / count as f64),
            ..scores
        }
    }

    fn count(&self) -> usize {
        self.bins.iter().map(|sums| sums.count as usize).sum()
    }
}

fn bound(at: usize) -> f64 {
    at as f64 / BINS as f64
}

/// The bin of a probability.
fn place(p: f64) -> usize {
    let near = (p * BINS as f64) as usize;
    // the product may have been rounded across a bound
    let exact = if p < bound(near) {
        near - 1
    } else if p >= bound(near + 1) {
        near + 1
    } else {
        near
    };
    exact.min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::drift::probability::Binning;
    use crate::domain::drift::probability::bins::Edges;

    #[test]
    fn places_are_those_of_the_bins_over_all_pairs() {
        let edges = Edges::new(&[], [0.0, 1.0], BINS, Binning::EqualWidth).unwrap();
        for (at, edge) in edges.bounds().iter().enumerate() {
            assert_eq!(bound(at), *edge);
            for p in [edge.next_down(), *edge, edge.next_up(), edge + 0.01] {
                let p = p.clamp(0.0, 1.0);
                assert_eq!(place(p), edges.place(p), "{p}");
            }
        }
    }
}
