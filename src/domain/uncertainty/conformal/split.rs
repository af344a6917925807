//! Split conformal intervals.

use super::{ConformalError, bounded, check_level, sorted_sizes};

/// What rounding may have added to (n + 1) level.
const ROUNDING: f64 = 1e-9;

/// The half-width that holds a new score with at least the probability `level`, if it and `scores` are
/// exchangeable: the ceil((n + 1) level)-th smallest (Vovk, Gammerman, Shafer 2005; Lei et al. 2018).
///
/// The scores are of pairs that made no part of the fit. Fewer than level / (1 - level) of them (19 for
/// 0.95) give no bound.
pub fn half_width(scores: &[f64], level: f64) -> Result<f64, ConformalError> {
    check_level(level)?;
    let rank = ((scores.len() + 1) as f64 * level - ROUNDING).ceil().max(1.0) as usize;
    match sorted_sizes(scores).get(rank - 1) {
        Some(score) => bounded(*score),
        None => {
            Err(ConformalError::TooFew { level, needed: needed(level), found: scores.len(), what: "scores" })
        }
    }
}

/// The fewest scores, or sessions of scores, that bound anything at this level.
pub(super) fn needed(level: f64) -> usize {
    (level / (1.0 - level) - ROUNDING).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resample::Seeded;
    use proptest::prelude::*;

    #[test]
    fn takes_the_rank_of_finite_samples() {
        let scores: Vec<f64> = (1..=19).map(f64::from).collect();
        assert_eq!(half_width(&scores, 0.95), Ok(19.0));
        assert_eq!(half_width(&scores, 0.9), Ok(18.0));
        assert_eq!(half_width(&scores, 0.5), Ok(10.0));
        let more: Vec<f64> = (1..=39).rev().map(f64::from).collect();
        assert_eq!(half_width(&more, 0.95), Ok(38.0));
        assert_eq!(half_width(&[-3.0, 1.0, -2.0], 0.5), Ok(2.0), "sizes count, not signs");
    }

    #[test]
    fn says_that_nothing_is_bounded() {
        let error = half_width(&[1.0; 18], 0.95).unwrap_err();
        let text = "an interval of 0.95 needs at least 19 scores, and there are 18: add reference readings";
        assert_eq!(error.to_string(), text);
        assert!(half_width(&[], 0.5).is_err());
        for level in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(matches!(half_width(&[1.0; 99], level), Err(ConformalError::Setting { .. })), "{level}");
        }
        let mut scores = vec![1.0; 40];
        scores[3] = f64::NAN;
        assert_eq!(half_width(&scores, 0.95), Ok(1.0), "one unknown of forty counts as a miss");
        scores[5] = f64::NAN;
        scores[6] = f64::INFINITY;
        assert_eq!(half_width(&scores, 0.95), Err(ConformalError::Unbounded));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        // P(new score within) is between level and level + 1/(n + 1); 4,000 trials, five sigma
        #[test]
        fn covers_what_it_says_where_data_are_exchangeable(seed in any::<u64>(), n in 20usize..120) {
            let mut draws = Seeded::new(seed);
            let mut score = || draws.normal().powi(3);
            let mut within = 0;
            for _ in 0..1000 {
                let scores: Vec<f64> = (0..n).map(|_| score()).collect();
                within += u32::from(score().abs() <= half_width(&scores, 0.9).unwrap());
            }
            let share = f64::from(within) / 1000.0;
            let noise = 5.0 * (0.1f64 * 0.9 / 1000.0).sqrt();
            prop_assert!(share >= 0.9 - noise && share <= 0.9 + 1.0 / (n as f64 + 1.0) + noise, "{share}");
        }
    }

    proptest! {
        #[test]
        fn rises_with_the_level(scores in proptest::collection::vec(0.0..1e3f64, 100..200),
                                low in 0.1..0.9f64, more in 0.0..0.09f64) {
            prop_assert!(half_width(&scores, low).unwrap() <= half_width(&scores, low + more).unwrap());
        }

        #[test]
        fn never_nan(scores in proptest::collection::vec(any::<f64>(), 0..60), level in any::<f64>()) {
            if let Ok(width) = half_width(&scores, level) {
                prop_assert!(width >= 0.0 && width.is_finite());
            }
        }
    }
}
