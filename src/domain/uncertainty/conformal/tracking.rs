//! A half-width that follows the errors of a stream.

use super::{ConformalError, check_level, split};

/// By how much a miss widens: a factor of e^(0.1 level). The published choice for steps relative to the
/// scores' size (Angelopoulos, Candes, Tibshirani 2023, 4.1).
pub const STEP: f64 = 0.1;

/// The largest half-width.
const LARGEST: f64 = 1e300;

/// A half-width that a miss widens and a hit narrows, so that in the long run the share `level` of all
/// scores is within, however they drift.
///
/// Quantile tracking (Gibbs, Candes 2021; Angelopoulos, Candes, Tibshirani 2023, "Conformal PID control"),
/// on the logarithm of the score, which needs no scale: ln h <- ln h + step (miss - (1 - level)). Over T
/// scores the share of misses is off by (ln h_T - ln h_0) / (step T). It is one number, always finite, and
/// needs no window of scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracking {
    level: f64,
    floor: f64,
    half_width: f64,
}

impl Tracking {
    /// Starts at the split conformal half-width of `scores`; never goes below `floor`, the resolution of
    /// value and reference, above 0.
    pub fn new(scores: &[f64], level: f64, floor: f64) -> Result<Tracking, ConformalError> {
        let start = split::half_width(scores, level)?;
        Tracking::resume(start, level, floor)
    }

    /// Goes on from a half-width.
    pub fn resume(half_width: f64, level: f64, floor: f64) -> Result<Tracking, ConformalError> {
        check_level(level)?;
        if !(floor > 0.0 && floor <= LARGEST) {
            return Err(ConformalError::Setting {
                name: "floor",
                wanted: "a resolution above 0",
                found: floor,
            });
        }
        if !(half_width >= 0.0 && half_width.is_finite()) {
            let wanted = "a half-width of 0 or more";
            return Err(ConformalError::Setting { name: "half-width", wanted, found: half_width });
        }
        Ok(Tracking { level, floor, half_width: half_width.clamp(floor, LARGEST) })
    }

    /// The half-width for the next value.
    pub fn half_width(&self) -> f64 {
        self.half_width
    }

    /// Takes in a score, and returns whether it was within; nothing changes and nothing is returned if it
    /// is no number.
    pub fn observe(&mut self, score: f64) -> Option<bool> {
        if score.is_nan() {
            return None;
        }
        let miss = score.abs() > self.half_width;
        let off = f64::from(u8::from(miss)) - (1.0 - self.level);
        self.half_width = (self.half_width * (STEP * off).exp()).clamp(self.floor, LARGEST);
        Some(!miss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resample::Seeded;
    use proptest::prelude::*;

    #[test]
    fn a_miss_widens_and_a_hit_narrows() {
        let mut it = Tracking::resume(2.0, 0.95, 0.1).unwrap();
        assert_eq!(it.observe(-2.5), Some(false));
        assert!((it.half_width() / (2.0 * 0.095f64.exp()) - 1.0).abs() < 1e-12);
        assert_eq!(it.observe(1.0), Some(true));
        assert!((it.half_width() / (2.0 * 0.09f64.exp()) - 1.0).abs() < 1e-12);
        assert_eq!(it.observe(f64::NAN), None);
        assert_eq!(it.observe(f64::INFINITY), Some(false));
        assert!(it.half_width().is_finite());
    }

    #[test]
    fn stays_between_the_floor_and_all_numbers() {
        let mut it = Tracking::resume(1.0, 0.5, 0.25).unwrap();
        (0..100).for_each(|_| assert!(it.observe(0.0).is_some()));
        assert_eq!(it.half_width(), 0.25);
        (0..100_000).for_each(|_| assert!(it.observe(f64::INFINITY).is_some()));
        assert!(it.half_width() <= LARGEST);
    }

    #[test]
    fn refuses_what_bounds_nothing() {
        assert!(matches!(Tracking::new(&[1.0; 5], 0.95, 0.1), Err(ConformalError::TooFew { .. })));
        for (half_width, level, floor) in
            [(f64::NAN, 0.9, 0.1), (-1.0, 0.9, 0.1), (1.0, 1.0, 0.1), (1.0, 0.9, 0.0), (1.0, 0.9, f64::NAN)]
        {
            assert!(Tracking::resume(half_width, level, floor).is_err(), "{half_width} {level} {floor}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        // the errors grow a thousandfold, jump and shrink; none of it moves the long run
        #[test]
        fn covers_in_the_long_run_whatever_drifts(
            seed in any::<u64>(), rates in proptest::collection::vec(-3.0..4.0f64, 6), level in 0.8..0.97f64,
        ) {
            let mut draws = Seeded::new(seed);
            let mut it = Tracking::resume(1.0, level, 1e-9).unwrap();
            let (mut ln_scale, mut hits, total) = (0.0f64, 0u32, 6000);
            for at in 0..total {
                let stretch = rates[at / 1000];
                ln_scale = if at % 1000 == 0 { ln_scale + stretch / 2.0 } else { ln_scale + stretch / 2000.0 };
                hits += u32::from(it.observe(draws.normal() * ln_scale.exp()).unwrap());
            }
            let share = f64::from(hits) / total as f64;
            let bound = it.half_width().ln().abs() / (STEP * total as f64);
            prop_assert!((share - level).abs() <= bound + 1e-9, "{share} for {level}, bound {bound}");
            prop_assert!((share - level).abs() < 0.05, "{share} for {level}");
        }
    }

    proptest! {
        #[test]
        fn never_nan(scores in proptest::collection::vec(any::<f64>(), 1..100), level in 0.01..0.99f64) {
            let mut it = Tracking::resume(1.0, level, 1e-3).unwrap();
            for score in scores {
                it.observe(score);
                prop_assert!(it.half_width() >= 1e-3 && it.half_width() <= LARGEST);
            }
        }
    }
}
