use proptest::prelude::*;

use super::super::isotonic::{self, Trend};
use super::super::testing::{distance, list, pairs, sets, weighted};
use super::*;
use crate::domain::transform::venn_abers::VennAbersSpec;

fn spec(fit: &Fit) -> &VennAbersSpec {
    let StageSpec::VennAbers(spec) = &fit.stages[0] else { panic!("{fit:?}") };
    spec
}

/// p0 and p1 by the definition of the steps.
fn both(spec: &VennAbersSpec, x: f64) -> [f64; 2] {
    let p0 = spec.x.iter().rposition(|score| *score <= x).map_or(0.0, |at| spec.p0[at]);
    let p1 = spec.x.iter().position(|score| *score >= x).map_or(1.0, |at| spec.p1[at]);
    [p0, p1]
}

/// p0 and p1 by the definition of the prediction: two isotonic fits.
fn by_refitting(x: &[f64], y: &[f64], weights: &[f64], score: f64) -> [f64; 2] {
    let value = |label: f64| {
        let with = |values: &[f64], more: f64| [values, &[more]].concat();
        let (x, y) = (with(x, score), with(y, label));
        if y.iter().all(|y| *y == label) {
            return label;
        }
        let fit = isotonic::fit(&weighted(&x, &y, &with(weights, 1.0)), Trend::Rising).unwrap();
        let at = pairs(&[score], &[0.0]);
        fit.curve(&at).unwrap().value(&at, 0)
    };
    [value(0.0), value(1.0)]
}

#[test]
fn agrees_with_the_definition_and_the_library() {
    for set in sets() {
        let fit = fit(&pairs(&set.cal.score, &set.cal.label)).unwrap();
        let on_prob = super::fit(&pairs(&set.cal.prob, &set.cal.label)).unwrap();
        for source in ["definition_bruteforce", "venn_abers_lib"] {
            let golden = &set.golden["venn_abers"][source];
            let (p0, p1): (Vec<f64>, Vec<f64>) =
                set.test.prob.iter().map(|s| both(spec(&on_prob), *s)).map(|[a, b]| (a, b)).unzip();
            assert!(distance(&p0, &list(&golden["p0"])) < 1e-15, "{} {source}", set.name);
            assert!(distance(&p1, &list(&golden["p1"])) < 1e-15, "{} {source}", set.name);
            let test = pairs(&set.test.prob, &set.test.label);
            let merged = on_prob.curve(&test).unwrap().values(&test);
            assert!(distance(&merged, &list(&golden["p_merged"])) < 1e-15, "{} {source}", set.name);
        }
        assert!(spec(&fit).x.len() < set.cal.label.len());
    }
}

#[test]
fn a_hundred_thousand_scores_take_no_time_and_few_steps() {
    let mut draws = crate::domain::resample::Seeded::new(3);
    let x: Vec<f64> = (0..100_000).map(|_| draws.uniform()).collect();
    let y: Vec<f64> = x.iter().map(|x| f64::from(draws.uniform() < *x)).collect();
    let fit = fit(&pairs(&x, &y)).unwrap();
    let steps = spec(&fit).x.len();
    assert!((500..MAX_STEPS).contains(&steps), "{steps}");
}

/// Scores with ties, labels of both classes, weights.
fn data() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<f64>)> {
    let row = ((-4..5i32).prop_map(f64::from), any::<bool>().prop_map(f64::from), 1..4u32);
    proptest::collection::vec(row, 1..25).prop_map(|rows| {
        let column = |pick: fn(&(f64, f64, u32)) -> f64| rows.iter().map(pick).collect::<Vec<_>>();
        let (mut x, mut y) = (column(|row| row.0), column(|row| row.1));
        let mut weights = column(|row| f64::from(row.2));
        x.extend([-1.0, 1.0]);
        y.extend([1.0, 0.0]);
        weights.extend([1.0, 1.0]);
        (x, y, weights)
    })
}

proptest! {
    #[test]
    fn equals_refitting_for_every_score((x, y, weights) in data(), scale in 0.1..3.0f64) {
        // with scale, weights that are no whole numbers
        for factor in [1.0, scale] {
            let weights: Vec<f64> = weights.iter().map(|w| w * factor).collect();
            let fit = fit(&weighted(&x, &y, &weights)).unwrap();
            for at in -11..12 {
                let score = f64::from(at) / 2.0;
                let (ours, wanted) = (both(spec(&fit), score), by_refitting(&x, &y, &weights, score));
                prop_assert!(distance(&ours, &wanted) < 1e-12, "{score}: {ours:?} {wanted:?}");
                prop_assert!(ours[0] < ours[1]);
                let place = pairs(&[score], &[0.0]);
                let p = fit.curve(&place).unwrap().value(&place, 0);
                prop_assert!((ours[0]..=ours[1]).contains(&p), "{p} {ours:?}");
            }
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter((x, y, _) in data()) {
        let turned = |values: &[f64]| values.iter().rev().copied().collect::<Vec<_>>();
        prop_assert_eq!(fit(&pairs(&x, &y)).unwrap(), fit(&pairs(&turned(&x), &turned(&y))).unwrap());
    }
}
