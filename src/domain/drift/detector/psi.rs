//! The population stability index.

use serde::{Deserialize, Serialize};

use super::{Alarm, BaselineError, taken};
use crate::domain::stats::quantile;

/// Bins have equally many values of the baseline, as far as it has no equal values.
const BINS: usize = 10;
/// A share is not taken as less than this.
const LEAST: f64 = 1e-4;

/// PSI of a block of values against the baseline: the sum of (q - p) ln(q / p) over the bins (lo, hi] between
/// the baseline's deciles (type 7 of Hyndman, Fan 1996), with shares of at least 1e-4; Jeffreys's
/// divergence of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Psi {
    limit: f64,
    block: u32,
    edges: Vec<f64>,
    expected: Vec<f64>,
    counts: Vec<u32>,
    filled: u32,
    last: Option<f64>,
}

impl Psi {
    /// With the baseline's values, the length of a block, at least 1, and the limit.
    pub fn new(baseline: &[f64], block: u32, limit: f64) -> Result<Psi, BaselineError> {
        let mut sorted: Vec<f64> = baseline.iter().filter_map(|value| taken(*value)).collect();
        if sorted.len() < BINS {
            return Err(BaselineError::TooFew { needed: BINS, found: sorted.len() });
        }
        sorted.sort_unstable_by(f64::total_cmp);
        let edges = (1..BINS).map(|at| quantile(&sorted, at as f64 / BINS as f64)).collect();
        let mut psi = Psi {
            limit,
            block: block.max(1),
            edges,
            expected: Vec::new(),
            counts: vec![0; BINS],
            filled: 0,
            last: None,
        };
        for value in &sorted {
            let bin = psi.bin(*value);
            psi.counts[bin] += 1;
        }
        psi.expected = psi.counts.iter().map(|count| share(*count, sorted.len() as f64)).collect();
        psi.counts.fill(0);
        Ok(psi)
    }

    /// Takes the next value; alarms at the end of a block that is beyond the limit.
    pub fn update(&mut self, value: f64) -> Option<Alarm> {
        let bin = self.bin(taken(value)?);
        self.counts[bin] += 1;
        self.filled += 1;
        if self.filled < self.block {
            return None;
        }
        let n = f64::from(self.filled);
        let shares = self.counts.iter().map(|count| share(*count, n));
        let psi = shares.zip(&self.expected).map(|(q, p)| (q - p) * (q / p).ln()).sum();
        self.counts.fill(0);
        self.filled = 0;
        self.last = Some(psi);
        (psi > self.limit).then_some(Alarm::Shape)
    }

    /// The index of the last whole block.
    pub fn last(&self) -> Option<f64> {
        self.last
    }

    /// That over the limit; 0 before the first block.
    pub fn ratio(&self) -> f64 {
        self.last.unwrap_or(0.0) / self.limit
    }

    fn bin(&self, value: f64) -> usize {
        self.edges.partition_point(|edge| *edge < value)
    }
}

fn share(count: u32, of: f64) -> f64 {
    (f64::from(count) / of).max(LEAST)
}
