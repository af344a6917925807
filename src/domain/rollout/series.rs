//! Values that follow each other, and what their mean can be told to be beyond: noise that hangs together counts for less.

use serde::{Deserialize, Serialize};

use crate::domain::stats::n_effective;
use crate::domain::uncertainty::distribution::{f_distribution, student};

/// Values are held within this: their third powers stay finite, however many they are.
const LARGEST: f64 = 1e60;
/// Autoregressions are taken to be no stronger: a walk has no mean.
const STRONGEST: f64 = 0.98;

/// Sums over values in the order in which they came, of constant size.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Series {
    n: u64,
    /// The first value; what follows is summed as the distance from it.
    origin: f64,
    /// Of the distances, their squares and their cubes.
    sums: [f64; 3],
    /// Products of distances that follow each other.
    lagged: f64,
    last: f64,
}

/// What values say of the mean that they come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Their mean.
    pub mean: f64,
    /// Its standard error, the dependence of values that follow each other included.
    pub u: f64,
    /// How many independent values they are worth.
    pub n_effective: f64,
    skewness: f64,
}

impl Series {
    /// Adds the next value; what is no number counts as the largest.
    pub fn push(&mut self, value: f64) {
        let value = if value.is_nan() { LARGEST } else { value.clamp(-LARGEST, LARGEST) };
        if self.n == 0 {
            self.origin = value;
        }
        let value = value - self.origin;
        self.n += 1;
        self.sums = [self.sums[0] + value, self.sums[1] + value * value, self.sums[2] + value.powi(3)];
        self.lagged += value * self.last;
        self.last = value;
    }

    /// Values so far.
    pub fn count(&self) -> u64 {
        self.n
    }

    /// Their mean; 0 for none.
    pub fn mean(&self) -> f64 {
        self.origin + self.sums[0] / self.n.max(1) as f64
    }

    /// What they say of the mean; `None` for fewer than three independent values.
    ///
    /// The dependence is that of an autoregression of order 1, its coefficient corrected for its bias (Marriott, Pope,
    /// Biometrika 41:390, 1954) and held within [0, 0.98]; the variance is corrected for what the mean takes from it.
    pub fn estimate(&self) -> Option<Estimate> {
        let n = self.n as f64;
        let mean = self.sums[0] / n;
        let square = self.sums[1] / n - mean * mean;
        let cube = self.sums[2] / n - mean * (3.0 * square + mean * mean);
        // What rounding leaves of a constant is no scatter.
        if self.n > 2 && square <= 1e-14 * (self.sums[1] / n) {
            return Some(Estimate { mean: self.origin + mean, u: 0.0, n_effective: n, skewness: 0.0 });
        }
        let lagged = self.lagged - mean * (2.0 * self.sums[0] - self.last) + (n - 1.0) * mean * mean;
        let lag1 = lagged / (n * square);
        let phi = (lag1 + (1.0 + 4.0 * lag1) / n).clamp(0.0, STRONGEST);
        let n_effective = n_effective(n, phi);
        if n_effective.is_nan() || n_effective < 3.0 {
            return None;
        }
        let u = (square / (n_effective - 1.0)).sqrt();
        // As that of a sample, less biased (Joanes, Gill, The Statistician 47:183, 1998).
        let of_sample = (n_effective * (n_effective - 1.0)).sqrt() / (n_effective - 2.0);
        let skewness = of_sample * cube / square.powf(1.5);
        let estimate = Estimate { mean: self.origin + mean, u, n_effective, skewness };
        (u.is_finite() && skewness.is_finite()).then_some(estimate)
    }
}

impl Estimate {
    /// The probability of a mean like this or a larger one if the true one is at most `limit`: of Student's t, and of t
    /// after Hall's transformation, which takes out skewness (JRSS B 54:221, 1992), the larger. Each alone errs too
    /// often at few values: the first if they are skew, the second if they are not.
    pub fn p_above(&self, limit: f64) -> f64 {
        let over = self.mean - limit;
        if self.u == 0.0 {
            return if over > 0.0 { 0.0 } else { 1.0 };
        }
        let (n, skewness) = (self.n_effective, self.skewness);
        // Beyond this nothing is left to tell, and its third power stays finite.
        let s = (over / (self.u * n.sqrt())).clamp(-1e6, 1e6);
        let bent = s + skewness * s * s / 3.0 + skewness * skewness * s.powi(3) / 27.0 + skewness / (6.0 * n);
        student(s.min(bent) * n.sqrt(), n - 1.0).upper
    }

    /// The probability of a mean like this or a smaller one if the true one is at least `limit`.
    pub fn p_below(&self, limit: f64) -> f64 {
        Estimate { mean: -self.mean, skewness: -self.skewness, ..*self }.p_above(-limit)
    }
}

/// P(X <= hits) of a binomial distribution of `n` trials that each hit with probability `p`; hits and trials may be
/// broken (Clopper, Pearson 1934; by the incomplete beta function).
pub fn binomial_at_most(hits: f64, n: f64, p: f64) -> f64 {
    if hits >= n {
        return 1.0;
    }
    let (misses, hits) = (n - hits, hits + 1.0);
    f_distribution((1.0 - p) / p * (hits / misses), 2.0 * misses, 2.0 * hits).lower
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resample::Seeded;

    fn series(values: &[f64]) -> Series {
        values.iter().fold(Series::default(), |mut series, value| {
            series.push(*value);
            series
        })
    }

    #[test]
    fn small_numbers_by_hand() {
        let found = series(&[1.0, 2.0, 4.0, 1.0, 2.0]).estimate().unwrap();
        // mean 2, squares 6, lagged 0 - 0 - 2 + 0 = -2: nothing follows anything
        assert_eq!((found.mean, found.n_effective), (2.0, 5.0));
        assert!((found.u - (6.0f64 / 5.0 / 4.0).sqrt()).abs() < 1e-15);
        // cubes -1 + 8 - 1 = 6
        assert!((found.skewness - 20f64.sqrt() / 3.0 * 1.2 / 1.2f64.powf(1.5)).abs() < 1e-12);
        assert_eq!(series(&[1.0, 2.0]).estimate(), None);
        assert_eq!(Series::default().estimate(), None);
    }

    #[test]
    fn without_skewness_it_is_students_t() {
        let found = series(&[1.0, -1.0, 2.0, -2.0, 3.0, -3.0]).estimate().unwrap();
        let t = student(0.5 / found.u, 5.0);
        assert!((found.p_below(0.5) - t.upper).abs() < 1e-12);
        assert!((found.p_above(0.5) - t.lower).abs() < 1e-12);
    }

    #[test]
    fn what_never_varies_is_certain() {
        let found = series(&[0.1 + 0.2; 12]).estimate().unwrap();
        assert_eq!((found.p_above(0.2), found.p_above(0.4), found.p_below(0.4)), (0.0, 1.0, 0.0));
        assert_eq!(series(&[0.0; 12]).estimate().unwrap().p_above(0.0), 1.0);
    }

    #[test]
    fn values_that_hang_together_count_for_less() {
        let mut draws = Seeded::new(3);
        let (mut state, mut values) = (0.0, Vec::new());
        for _ in 0..4_000 {
            state = 0.8 * state + draws.normal();
            values.push(state);
        }
        let found = series(&values).estimate().unwrap();
        assert!((370.0..530.0).contains(&found.n_effective), "{}", found.n_effective);
    }

    #[test]
    fn nothing_makes_it_infinite() {
        for values in [[f64::NAN; 5], [f64::INFINITY; 5], [1e300, -1e300, 1e300, -1e300, 5.0], [1e-300; 5]] {
            let series = series(&values);
            let text = serde_json::to_string(&series).unwrap();
            assert_eq!(serde_json::from_str::<Series>(&text).unwrap(), series);
            let p = series.estimate().map(|found| found.p_above(0.0));
            assert!(p.is_none_or(|p| (0.0..=1.0).contains(&p)), "{values:?}: {p:?}");
        }
    }

    #[test]
    fn binomial_probabilities_are_those_of_scipy() {
        // scipy.stats.binom.cdf(8, 12, 0.9), (0, 5, 0.5), (29, 30, 0.95)
        for (hits, n, p, wanted) in [
            (8.0, 12.0, 0.9, 0.025_637_470_3),
            (0.0, 5.0, 0.5, 0.031_25),
            (29.0, 30.0, 0.95, 0.785_361_236_0),
            (12.0, 12.0, 0.9, 1.0),
        ] {
            let found = binomial_at_most(hits, n, p);
            assert!((found - wanted).abs() < 1e-9, "{hits} of {n}: {found}");
        }
    }
}
