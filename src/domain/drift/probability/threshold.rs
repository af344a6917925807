//! Decisions: an event is expected where the prediction is at least a threshold.

use serde::Serialize;

/// What comes of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rates {
    /// Events are expected from here on.
    pub threshold: f64,
    /// Expected and happened.
    pub true_positives: usize,
    /// Expected and did not happen.
    pub false_positives: usize,
    /// Not expected and did not happen.
    pub true_negatives: usize,
    /// Not expected and happened.
    pub false_negatives: usize,
    /// Share of events in what was expected; `None` where nothing was.
    pub precision: Option<f64>,
    /// Share of what was expected in the events; `None` without an event.
    pub recall: Option<f64>,
    /// Share of what was expected in the non-events; `None` without one.
    pub false_positive_rate: Option<f64>,
    /// Share of what was not expected in the events; `None` without one.
    pub false_negative_rate: Option<f64>,
}

impl Rates {
    /// Counts at a threshold. The labels are 0 and 1, the slices equally long.
    pub fn at(threshold: f64, predicted: &[f64], labels: &[f64]) -> Rates {
        let count = |expected: bool, label: f64| {
            predicted
                .iter()
                .zip(labels)
                .filter(|(p, it)| (**p >= threshold) == expected && **it == label)
                .count()
        };
        let (tp, fp) = (count(true, 1.0), count(true, 0.0));
        let (tn, r#fn) = (count(false, 0.0), count(false, 1.0));
        let share = |part: usize, rest: usize| (part + rest > 0).then(|| part as f64 / (part + rest) as f64);
        Rates {
            threshold,
            true_positives: tp,
            false_positives: fp,
            true_negatives: tn,
            false_negatives: r#fn,
            precision: share(tp, fp),
            recall: share(tp, r#fn),
            false_positive_rate: share(fp, tn),
            false_negative_rate: share(r#fn, tp),
        }
    }
}

/// What wrong decisions cost, in any one unit; both finite and above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Of expecting what does not happen.
    pub false_positive: f64,
    /// Of not expecting what happens.
    pub false_negative: f64,
}

/// The thresholds of least cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LeastCost {
    /// With the least cost on these pairs; above the highest prediction where nothing should be
    /// expected. Of several, the one nearest to `theoretical_threshold`.
    pub threshold: f64,
    /// Mean cost of a pair there.
    pub cost: f64,
    /// c_fp / (c_fp + c_fn): the least expected cost where the probabilities are calibrated (Elkan
    /// 2001).
    pub theoretical_threshold: f64,
    /// Mean cost of a pair there.
    pub theoretical_cost: f64,
}

/// Finds the threshold of least cost among the predictions, in the time of sorting them. The labels are
/// 0 and 1, the slices equally long and not empty.
pub fn least_cost(predicted: &[f64], labels: &[f64], costs: Costs) -> LeastCost {
    let n = predicted.len() as f64;
    let mut rows: Vec<(f64, f64)> = predicted.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    // scaled first: sums of costs near the largest number would overflow
    let largest = costs.false_positive.max(costs.false_negative);
    let (fp, r#fn) = (costs.false_positive / largest, costs.false_negative / largest);
    let theoretical = fp / (fp + r#fn);
    let events = rows.iter().filter(|row| row.1 == 1.0).count();
    let cost = |expected: usize, hits: usize| {
        (fp * (expected - hits) as f64 + r#fn * (events - hits) as f64) / n * largest
    };
    let (mut expected, mut hits) = (0, 0);
    let mut best = (rows[0].0.next_up(), cost(0, 0));
    let mut at_theory = best.1;
    for tie in rows.chunk_by(|a, b| a.0 == b.0) {
        expected += tie.len();
        hits += tie.iter().filter(|row| row.1 == 1.0).count();
        let here = (tie[0].0, cost(expected, hits));
        if here.0 >= theoretical {
            at_theory = here.1;
        }
        let nearer = (here.0 - theoretical).abs() < (best.0 - theoretical).abs();
        if here.1 < best.1 || here.1 == best.1 && nearer {
            best = here;
        }
    }
    LeastCost {
        threshold: best.0,
        cost: best.1,
        theoretical_threshold: theoretical,
        theoretical_cost: at_theory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const P: [f64; 6] = [0.9, 0.8, 0.6, 0.4, 0.4, 0.1];
    const Y: [f64; 6] = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0];

    #[test]
    fn rates_at_a_threshold() {
        let rates = Rates::at(0.6, &P, &Y);
        assert_eq!((rates.true_positives, rates.false_positives), (2, 1));
        assert_eq!((rates.true_negatives, rates.false_negatives), (2, 1));
        assert_eq!((rates.precision, rates.recall), (Some(2.0 / 3.0), Some(2.0 / 3.0)));
        assert_eq!(
            (rates.false_positive_rate, rates.false_negative_rate),
            (Some(1.0 / 3.0), Some(1.0 / 3.0))
        );
        assert_eq!(Rates::at(2.0, &P, &Y).precision, None);
        assert_eq!(Rates::at(0.5, &P, &[0.0; 6]).recall, None);
    }

    #[test]
    fn costs_move_the_threshold() {
        let costs = |false_positive, false_negative| Costs { false_positive, false_negative };
        let dear = least_cost(&P, &Y, costs(100.0, 1.0));
        assert_eq!(dear.threshold, 0.9);
        assert!((dear.cost - 2.0 / 6.0).abs() < 1e-12);
        let missed = least_cost(&P, &Y, costs(1.0, 100.0));
        assert_eq!(missed.threshold, 0.4);
        assert!((missed.cost - 2.0 / 6.0).abs() < 1e-12);
        assert!((missed.theoretical_threshold - 1.0 / 101.0).abs() < 1e-15);
        assert!((missed.theoretical_cost - 3.0 / 6.0).abs() < 1e-12);
        // nothing to be expected
        assert_eq!(least_cost(&[1.0, 0.5], &[0.0, 0.0], costs(1.0, 1.0)).threshold, 1.0f64.next_up());
        assert!(least_cost(&P, &Y, costs(f64::MAX, f64::MAX)).cost.is_finite());
    }

    proptest! {
        #[test]
        fn no_threshold_costs_less(
            rows in proptest::collection::vec((0..8u32, any::<bool>()), 1..30), fp in 0.1..10.0f64, other in 0..80u32,
        ) {
            let p: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 8.0).collect();
            let y: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
            let least = least_cost(&p, &y, Costs { false_positive: fp, false_negative: 1.0 });
            let cost = |threshold: f64| {
                let rates = Rates::at(threshold, &p, &y);
                (fp * rates.false_positives as f64 + rates.false_negatives as f64) / p.len() as f64
            };
            prop_assert!((least.cost - cost(least.threshold)).abs() < 1e-12);
            prop_assert!((least.theoretical_cost - cost(least.theoretical_threshold)).abs() < 1e-12);
            prop_assert!(least.cost <= cost(f64::from(other) / 72.0) + 1e-12);
        }
    }
}
