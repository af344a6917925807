//! Errors one after the other: mean, scatter, and how alike neighbours are.

use crate::domain::stats::{Moments, n_effective};

/// Statistics of errors in their order, exact when sequences are put one behind the other.
///
/// All sums are of differences from the first error, so that a large bias costs no digits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sequence {
    /// Of the errors less the first one.
    moments: Moments,
    first: f64,
    last: f64,
    /// sum (e_i - mean)(e_{i-1} - mean).
    lagged: f64,
    /// sum |e_i|.
    sizes: f64,
}

impl Sequence {
    pub fn push(&mut self, error: f64) {
        if self.moments.n == 0 {
            self.first = error;
            self.last = error;
        }
        let last = self.last - self.first;
        let before = *self;
        self.moments.push(error - self.first);
        if before.moments.n > 0 {
            let mean = self.moments.mean;
            self.lagged = before.lagged_about(mean) + (last - mean) * (error - self.first - mean);
        }
        self.last = error;
        self.sizes += error.abs();
    }

    /// This sequence followed by another.
    pub fn followed_by(self, next: Sequence) -> Sequence {
        if self.moments.n == 0 || next.moments.n == 0 {
            return if self.moments.n == 0 { next } else { self };
        }
        let apart = next.first - self.first;
        let shifted = Moments { mean: next.moments.mean + apart, ..next.moments };
        let moments = self.moments.merged(shifted);
        let mean = moments.mean;
        let across = (self.last - self.first - mean) * (apart - mean);
        Sequence {
            moments,
            first: self.first,
            last: next.last,
            lagged: self.lagged_about(mean) + next.lagged_about(mean - apart) + across,
            sizes: self.sizes + next.sizes,
        }
    }

    /// sum (e_i - c)(e_{i-1} - c), c counted from the first error: with d = e - mean, which add up to 0,
    /// lagged - (mean - c)(d_1 + d_n) + (n - 1)(mean - c)^2.
    fn lagged_about(&self, c: f64) -> f64 {
        let mean = self.moments.mean;
        let moved = mean - c;
        let ends = -mean + (self.last - self.first - mean);
        self.lagged - moved * ends + (self.moments.n as f64 - 1.0) * moved * moved
    }

    pub fn n(&self) -> u64 {
        self.moments.n
    }

    /// Mean error.
    pub fn bias(&self) -> f64 {
        self.first + self.moments.mean
    }

    /// Mean squared error.
    pub fn mean_square(&self) -> f64 {
        self.moments.m2 / self.moments.n as f64 + self.bias() * self.bias()
    }

    /// Mean absolute error.
    pub fn mean_size(&self) -> f64 {
        self.sizes / self.moments.n as f64
    }

    /// Over n - 1.
    pub fn std(&self) -> Option<f64> {
        self.moments.std()
    }

    /// Autocorrelation at lag 1; `None` for fewer than three errors or if all are equal.
    pub fn lag1(&self) -> Option<f64> {
        (self.moments.n > 2 && self.moments.m2 > 0.0).then(|| self.lagged / self.moments.m2)
    }

    /// How many independent errors they are worth.
    pub fn n_effective(&self) -> f64 {
        let n = self.moments.n as f64;
        self.lag1().map_or(n, |lag1| n_effective(n, lag1))
    }
}
