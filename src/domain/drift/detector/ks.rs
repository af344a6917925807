//! Kolmogorov and Smirnov's test of two samples.

use serde::{Deserialize, Serialize};

use super::{Alarm, BaselineError, taken};

/// Beyond so many steps of the exact computation the limiting distribution is as good.
const MAX_STEPS: u64 = 4_000_000;

/// The largest distance between the distribution of a block of values and that of the baseline (Smirnov
/// 1939), against the distance that chance reaches with probability p.
///
/// That is exact for values without ties (Hodges 1958), and cautious where the values have some.
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
        let critical = critical(n as u64, u64::from(block), p);
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

/// Half a step below the least distance whose probability is below p.
fn critical(n: u64, m: u64, p: f64) -> f64 {
    let steps = n * m;
    // Of the limiting distribution: its first term, which is the greatest by far for a small p.
    let limiting = ((p / 2.0).ln() / -2.0 * (n + m) as f64 / steps as f64).sqrt();
    if steps > MAX_STEPS {
        return limiting;
    }
    // The least count of 1 / (n m) with a probability below p lies in (low, high].
    let (mut low, mut high) = (0, steps + 1);
    let guess = (limiting * steps as f64) as u64;
    for (at, below) in [(guess / 10 * 9, false), (guess + 1, true)] {
        if at > low && at < high {
            let found = beyond(n, m, at) < p;
            if found && below {
                high = at;
            } else if !found {
                low = at;
            }
        }
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if beyond(n, m, middle) < p { high = middle } else { low = middle }
    }
    (high as f64 - 0.5) / steps as f64
}

/// The probability that chance makes a distance of at least `count` / (n m).
///
/// A path of n steps to the right and m upwards stays near the diagonal or does not; the share of those that
/// do is built up column by column (Hodges 1958; Schroer, Trenkler 1995).
fn beyond(n: u64, m: u64, count: u64) -> f64 {
    let mut column = vec![0.0; m as usize + 1];
    for i in 0..=n {
        let weight = if i == 0 { 1.0 } else { i as f64 / (i + m) as f64 };
        // Where |i m - j n| < count.
        let low = if i * m < count { 0 } else { (i * m - count) / n + 1 };
        let high = (i * m + count).div_ceil(n).saturating_sub(1).min(m);
        if low > high {
            return 1.0;
        }
        let mut before = 0.0;
        for j in low..=high {
            let here = &mut column[j as usize];
            before = match (i, j) {
                (0, _) => 1.0,
                _ => weight * *here + before,
            };
            *here = before;
        }
        column[..low as usize].fill(0.0);
    }
    1.0 - column[m as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_reaches_a_distance_as_scipy_has_it() {
        // ks_2samp(..., method = "exact") for 500 and 500 values.
        for (count, p) in [(22, 0.7189191850204419), (16, 0.9603008958861495), (39, 0.09546453231155308)] {
            assert!((beyond(500, 500, count * 500) - p).abs() < 1e-12, "{count}");
        }
        assert_eq!(beyond(3, 2, 0), 1.0);
        // Of the 10 orders of three and two values, in two all of one kind come first.
        assert!((beyond(3, 2, 6) - 0.2).abs() < 1e-15);
        assert_eq!(beyond(3, 2, 7), 0.0);
    }

    #[test]
    fn the_critical_distance_is_the_least_below_p() {
        for (n, m, p) in [(500, 500, 1e-3), (2000, 500, 1e-3), (50, 20, 0.05), (7, 9, 0.01), (2, 2, 1e-3)] {
            let count = (critical(n, m, p) * (n * m) as f64).ceil() as u64;
            assert!(beyond(n, m, count) < p, "{n} {m}");
            assert!(beyond(n, m, count - 1) >= p, "{n} {m}");
        }
        let limiting = critical(10_000, 5_000, 1e-3);
        assert!((limiting - 1.9495 * (15_000.0f64 / 5e7).sqrt()).abs() < 1e-4, "{limiting}");
    }
}
