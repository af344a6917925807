//! Adaptive windowing.

use serde::{Deserialize, Serialize};

use super::{Alarm, taken};

/// Buckets of one size before two of them become one of double the size.
const PER_SIZE: usize = 5;
/// Values between two searches for a change.
const CLOCK: u64 = 32;
/// The window is not searched before it has more values than this.
const FIRST: u64 = 10;
/// Neither part of a window has fewer values.
const SHORTEST: u64 = 5;

/// What is kept of 2^row values that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bucket {
    total: f64,
    /// Squared deviations from the bucket's mean, together.
    m2: f64,
}

/// ADWIN2 (Bifet, Gavalda, SDM 2007): a window that drops its oldest values as long as two parts of it have
/// different means, and keeps the recent ones. Its buckets are those of Babcock et al. (PODS 2003).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adwin {
    delta: f64,
    taken: u64,
    /// By size, the smallest first; in a row the oldest first. At most 64 rows of 6.
    rows: Vec<Vec<Bucket>>,
    width: u64,
    total: f64,
    m2: f64,
}

impl Adwin {
    /// With the probability `delta` of an alarm without a change, in (0, 1), for a search of the window.
    pub fn new(delta: f64) -> Adwin {
        Adwin { delta, taken: 0, rows: vec![Vec::with_capacity(PER_SIZE + 1)], width: 0, total: 0.0, m2: 0.0 }
    }

    /// Takes the next value; alarms where the window was cut.
    pub fn update(&mut self, value: f64) -> Option<Alarm> {
        self.insert(taken(value)?);
        self.taken += 1;
        if !self.taken.is_multiple_of(CLOCK) || self.width <= FIRST {
            return None;
        }
        let before = self.mean();
        let mut cut = false;
        while self.differs() {
            self.drop_oldest();
            cut = true;
        }
        cut.then(|| if self.mean() >= before { Alarm::Up } else { Alarm::Down })
    }

    /// Values in the window.
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Their mean; 0 for none.
    pub fn mean(&self) -> f64 {
        if self.width == 0 { 0.0 } else { self.total / self.width as f64 }
    }

    /// Their variance over n; 0 for none.
    pub fn variance(&self) -> f64 {
        if self.width == 0 { 0.0 } else { self.m2.max(0.0) / self.width as f64 }
    }

    fn insert(&mut self, value: f64) {
        if self.width > 0 {
            let n = self.width as f64;
            self.m2 += n * (value - self.mean()).powi(2) / (n + 1.0);
        }
        self.width += 1;
        self.total += value;
        self.rows[0].push(Bucket { total: value, m2: 0.0 });
        let mut row = 0;
        while self.rows[row].len() > PER_SIZE {
            let size = (1u64 << row) as f64;
            let [old, new] = [0, 1].map(|at| self.rows[row][at]);
            let apart = (old.total - new.total) / size;
            let both =
                Bucket { total: old.total + new.total, m2: old.m2 + new.m2 + size * apart * apart / 2.0 };
            self.rows[row].drain(..2);
            row += 1;
            if row == self.rows.len() {
                self.rows.push(Vec::with_capacity(PER_SIZE + 1));
            }
            self.rows[row].push(both);
        }
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.rows.last_mut().filter(|row| !row.is_empty()).map(|row| row.remove(0)) else {
            return;
        };
        let size = 1u64 << (self.rows.len() - 1);
        if self.rows.len() > 1 && self.rows.last().is_some_and(Vec::is_empty) {
            self.rows.pop();
        }
        self.width -= size;
        // Added up again: what a value that was far too large has rounded away must come back with it gone.
        self.total = self.rows.iter().rev().flatten().map(|bucket| bucket.total).sum();
        let (n, rest) = (size as f64, self.width as f64);
        let apart = oldest.total / n - self.mean();
        self.m2 = (self.m2 - oldest.m2 - n * rest * apart * apart / (n + rest)).max(0.0);
    }

    /// Whether the window can be cut into an older and a newer part of different means.
    fn differs(&self) -> bool {
        let (mut older, mut older_total) = (0u64, 0.0);
        let confidence = (2.0 * (self.width as f64).ln() / self.delta).ln();
        let variance = self.variance();
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            for bucket in buckets {
                older += 1 << row;
                older_total += bucket.total;
                let newer = self.width - older;
                if older < SHORTEST || newer < SHORTEST {
                    continue;
                }
                let apart = older_total / older as f64 - (self.total - older_total) / newer as f64;
                let part = |n: u64| 1.0 / (n - SHORTEST + 1) as f64;
                let m = part(older) + part(newer);
                let epsilon = (2.0 * m * variance * confidence).sqrt() + 2.0 / 3.0 * confidence * m;
                if apart.abs() > epsilon {
                    return true;
                }
            }
        }
        false
    }
}
