//! Statistics that are gathered value by value and merged.

/// Count, extremes, mean and sum of squared deviations of finite values.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stats {
    /// Values.
    pub n: u64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Their mean.
    pub mean: f64,
    /// Squared deviations from the mean, together.
    pub m2: f64,
}

impl Stats {
    /// Adds a value.
    pub fn push(&mut self, value: f64) {
        if self.n == 0 {
            *self = Stats { n: 1, min: value, max: value, mean: value, m2: 0.0 };
            return;
        }
        let mut moments = self.moments();
        moments.push(value);
        *self = moments.between(self.min.min(value), self.max.max(value));
    }

    /// Both together.
    pub fn merged(self, other: Stats) -> Stats {
        if self.n == 0 || other.n == 0 {
            return if self.n == 0 { other } else { self };
        }
        let moments = self.moments().merged(other.moments());
        moments.between(self.min.min(other.min), self.max.max(other.max))
    }

    fn moments(&self) -> Moments {
        Moments { n: self.n, mean: self.mean, m2: self.m2 }
    }

    /// The standard deviation of the sample (n - 1); `None` for fewer than two values.
    pub fn std(&self) -> Option<f64> {
        self.moments().std()
    }
}

/// Count, mean and sum of squared deviations of finite values.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    /// Values.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Squared deviations from the mean, together.
    pub m2: f64,
}

impl Moments {
    /// Adds a value, by Welford's method (Technometrics 4:419, 1962).
    pub fn push(&mut self, value: f64) {
        self.n += 1;
        let before = value - self.mean;
        self.mean += before / self.n as f64;
        self.m2 += before * (value - self.mean);
    }

    /// Both together, by Chan, Golub and LeVeque (1979).
    pub fn merged(self, other: Moments) -> Moments {
        if self.n == 0 || other.n == 0 {
            return if self.n == 0 { other } else { self };
        }
        let n = self.n + other.n;
        let share = other.n as f64 / n as f64;
        let apart = other.mean - self.mean;
        Moments {
            n,
            mean: self.mean + apart * share,
            m2: self.m2 + other.m2 + apart * apart * self.n as f64 * share,
        }
    }

    /// The standard deviation of the sample (n - 1); `None` for fewer than two values.
    pub fn std(&self) -> Option<f64> {
        (self.n > 1).then(|| (self.m2 / (self.n - 1) as f64).sqrt())
    }

    fn between(self, min: f64, max: f64) -> Stats {
        Stats { n: self.n, min, max, mean: self.mean, m2: self.m2 }
    }
}

/// How many independent values `n` values are worth whose autocorrelation lag1^k fades with the lag:
/// n (1 - lag1) / (1 + lag1), never more than n (Bartlett 1935; Bayley, Hammersley 1946).
pub fn n_effective(n: f64, lag1: f64) -> f64 {
    n * ((1.0 - lag1) / (1.0 + lag1)).min(1.0)
}

/// The quantile of type 7 (Hyndman, Fan 1996) of sorted values, of which there is at least one.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let low = (at.floor() as usize).min(sorted.len() - 1);
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * (at - low as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64, scale: f64) -> bool {
        (a - b).abs() <= 1e-9 * scale.max(1.0)
    }

    proptest! {
        #[test]
        fn statistics_equal_those_of_two_passes(values in prop::collection::vec(-1e6..1e6f64, 1..200), cut in 0usize..200) {
            let cut = cut.min(values.len());
            let gather = |values: &[f64]| values.iter().fold(Stats::default(), |mut stats, value| {
                stats.push(*value);
                stats
            });
            let merged = gather(&values[..cut]).merged(gather(&values[cut..]));
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let m2 = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            for stats in [gather(&values), merged] {
                prop_assert_eq!(stats.n, values.len() as u64);
                prop_assert!(close(stats.mean, mean, 1e6));
                prop_assert!(close(stats.m2, m2, m2));
                prop_assert_eq!(stats.min, values.iter().copied().fold(f64::INFINITY, f64::min));
                prop_assert_eq!(stats.max, values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            }
        }
    }
}
