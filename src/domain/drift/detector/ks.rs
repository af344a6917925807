//! Kolmogorov and Smirnov's test of two samples.

use serde::{Deserialize, Serialize};

use super::{Alarm, BaselineError, taken};

/// The largest distance D between the distribution of a block of m values and that of the baseline of n,
/// against the one that chance reaches with probability p.
///
/// p = 2 e^(-2 D^2 n m / (n + m)), the first term of the limiting distribution (Smirnov 1939): cautious for
/// short blocks and where values have ties.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ks {
    block: u32,
    baseline: u32,
    /// Values of the baseline, each once, in their order.
    points: Vec<f64>,
    /// Of the baseline: how many values are below each point, and up to it.
    below: Vec<u32>,
    upto: Vec<u32>,
    /// Of the block: how many values are between each point and the one before it, and equal to it.
    between: Vec<u32>,
    equal: Vec<u32>,
    filled: u32,
    /// Beyond this the two differ.
    critical: f64,
    last: Option<f64>,
}

impl Ks {
    /// With the baseline's values, the length of a block, at least 1, the probability p of an alarm of a
    /// block without a change, and how many of the baseline's values are kept to compare at.
    ///
    /// With fewer kept than there are, the distance is less by up to 1 / kept.
    pub fn new(baseline: &[f64], block: u32, p: f64, kept: usize) -> Result<Ks, BaselineError> {
        let mut sorted: Vec<f64> = baseline.iter().filter_map(|value| taken(*value)).collect();
        if sorted.len() < 2 {
            return Err(BaselineError::TooFew { needed: 2, found: sorted.len() });
        }
        sorted.sort_unstable_by(f64::total_cmp);
        let (n, block) = (sorted.len(), block.max(1));
        let kept = kept.clamp(2, n);
        let mut points: Vec<f64> = (0..kept).map(|at| sorted[at * (n - 1) / (kept - 1)]).collect();
        points.dedup();
        let count = |is: fn(f64, f64) -> bool| {
            points.iter().map(|point| sorted.partition_point(|other| is(*other, *point)) as u32).collect()
        };
        let (below, upto) = (count(|other, point| other < point), count(|other, point| other <= point));
        let (between, equal) = (vec![0; points.len()], vec![0; points.len()]);
        let of_both = 1.0 / n as f64 + 1.0 / f64::from(block);
        let critical = ((p / 2.0).ln() / -2.0 * of_both).sqrt();
        let (baseline, filled, last) = (n as u32, 0, None);
        Ok(Ks { block, baseline, points, below, upto, between, equal, filled, critical, last })
    }

    /// Takes the next value; alarms at the end of a block that differs.
    pub fn update(&mut self, value: f64) -> Option<Alarm> {
        let value = taken(value)?;
        let at = self.points.partition_point(|point| *point < value);
        // What is above all points is between none of them, and need not be.
        if let Some(point) = self.points.get(at) {
            let counts = if *point == value { &mut self.equal } else { &mut self.between };
            counts[at] += 1;
        }
        self.filled += 1;
        if self.filled < self.block {
            return None;
        }
        let distance = self.distance();
        self.between.fill(0);
        self.equal.fill(0);
        self.filled = 0;
        self.last = Some(distance);
        (distance > self.critical).then_some(Alarm::Shape)
    }

    /// The distance of the last whole block.
    pub fn last(&self) -> Option<f64> {
        self.last
    }

    /// The distance beyond which it alarms; above 1 if block and baseline are too short for p.
    pub fn critical(&self) -> f64 {
        self.critical
    }

    /// The distance over the critical one; 0 before the first block.
    pub fn ratio(&self) -> f64 {
        self.last.unwrap_or(0.0) / self.critical
    }

    fn distance(&self) -> f64 {
        let (n, m) = (u64::from(self.baseline), u64::from(self.block));
        let apart = |of_baseline: u32, of_block: u64| (u64::from(of_baseline) * m).abs_diff(of_block * n);
        let (mut reached, mut largest) = (0u64, 0);
        for at in 0..self.points.len() {
            reached += u64::from(self.between[at]);
            largest = largest.max(apart(self.below[at], reached));
            reached += u64::from(self.equal[at]);
            largest = largest.max(apart(self.upto[at], reached));
        }
        largest as f64 / (n * m) as f64
    }
}
