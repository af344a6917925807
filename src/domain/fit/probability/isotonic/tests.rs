use proptest::prelude::*;
use serde_json::Value;

use super::super::testing::{distance, list, pairs, sets, weighted};
use super::*;

fn table(fit: &Fit) -> &Table {
    fit.table.as_ref().unwrap()
}

fn same(fit: &Fit, x: &Value, y: &Value) -> bool {
    table(fit).x == list(x) && distance(&table(fit).y, &list(y)) < 1e-12
}

#[test]
fn agrees_with_exact_pooling_at_every_score() {
    for set in sets() {
        for (scores, name) in [(&set.cal.prob, "isotonic_on_prob"), (&set.cal.score, "isotonic_on_score")] {
            let exact = &set.golden[name]["exact_tie_pav"];
            let fit = fit(&pairs(scores, &set.cal.label), Trend::Rising).unwrap();
            let x = list(&exact["x"]);
            let at = pairs(&x, &vec![0.0; x.len()]);
            let off = distance(&fit.curve(&at).unwrap().values(&at), &list(&exact["y"]));
            assert!(off < 1e-15, "{} {name}: {off:e}", set.name);
        }
        // no two of these scores are closer than what scikit-learn takes for equal
        let golden = &set.golden["isotonic_on_score"];
        let fit = fit(&pairs(&set.cal.score, &set.cal.label), Trend::Rising).unwrap();
        assert!(same(&fit, &golden["x"], &golden["y"]), "{}", set.name);
        let test = pairs(&set.test.score, &set.test.label);
        let off = distance(&fit.curve(&test).unwrap().values(&test), &list(&golden["pred_test"]));
        assert!(off < 1e-12, "{}: {off:e}", set.name);
    }
}

#[test]
fn agrees_with_weights() {
    for set in sets() {
        let weights: Vec<f64> = (0..set.cal.label.len()).map(|i| (1 + i % 3) as f64).collect();
        let golden = &set.golden["isotonic_weighted_1_2_3"];
        // scikit-learn takes probabilities closer than 1e-15 for equal; so do these pairs
        let (x, y) = (list(&golden["x"]), list(&golden["y"]));
        let scores: Vec<f64> = set.cal.prob.iter().map(|p| if *p < 1e-14 { x[0] } else { *p }).collect();
        let fit = fit(&weighted(&scores, &set.cal.label, &weights), Trend::Rising).unwrap();
        assert_eq!(table(&fit).x, x, "{}", set.name);
        assert!(distance(&table(&fit).y, &y) < 1e-12, "{}", set.name);
    }
}

#[test]
fn agrees_on_edge_cases_in_both_directions() {
    let text = include_str!("../../../../../tests/data/probcal/edge_cases.golden.json");
    let golden: Value = serde_json::from_str(text).unwrap();
    for case in golden["isotonic_cases"].as_array().unwrap() {
        let (x, y) = (list(&case["x"]), list(&case["y"]));
        let weights = case["w"].as_array().map_or_else(|| vec![1.0; x.len()], |_| list(&case["w"]));
        let it = weighted(&x, &y, &weights);
        let rising = fit(&it, Trend::Rising).unwrap();
        assert!(same(&rising, &case["X_thresholds"], &case["y_thresholds"]), "{case}: {rising:?}");
        let q = list(&case["q"]);
        let at = pairs(&q, &vec![0.0; q.len()]);
        assert!(distance(&rising.curve(&at).unwrap().values(&at), &list(&case["pred"])) < 1e-12, "{case}");
        let Some(falling) = case.get("decreasing") else { continue };
        let ours = fit(&it, Trend::Falling).unwrap();
        assert!(same(&ours, &falling["X_thresholds"], &falling["y_thresholds"]), "{case}: {ours:?}");
    }
}

#[test]
fn labels_give_counts_and_values_give_residual_statistics() {
    let labels = fit(&pairs(&[1.0, 2.0, 3.0, 4.0], &[0.0, 1.0, 0.0, 1.0]), Trend::Rising).unwrap();
    let StageSpec::Isotonic(spec) = &labels.stages[0] else { panic!() };
    assert_eq!(spec.counts.as_deref(), Some(&[1.0, 2.0, 2.0, 1.0][..]));
    assert_eq!(labels.rss, None);
    let values = fit(&pairs(&[1.0, 2.0, 3.0, 4.0], &[0.0, 3.0, 1.0, 4.0]), Trend::Rising).unwrap();
    let StageSpec::Isotonic(spec) = &values.stages[0] else { panic!() };
    assert_eq!(spec.counts, None);
    assert_eq!((values.rss, values.degrees_of_freedom), (Some(2.0), Some(1.0)));
}

#[test]
fn what_says_nothing_is_told_or_refused() {
    let one_class = fit(&pairs(&[1.0, 2.0], &[1.0, 1.0]), Trend::Rising).unwrap_err();
    assert!(one_class.to_string().contains("every label is 1"));
    let flat = fit(&pairs(&[1.0, 2.0], &[1.0, 0.0]), Trend::Rising).unwrap();
    assert!(flat.notes[0].contains("nowhere does the reference rise"));
    let huge = fit(&pairs(&[1.0, 2.0], &[f64::MAX, f64::MAX]), Trend::Rising).unwrap_err();
    assert!(huge.to_string().contains("scale them down"));
    let many: Vec<f64> = (0..20_000).map(f64::from).collect();
    assert!(
        fit(&pairs(&many, &many), Trend::Rising).unwrap_err().to_string().contains("more than the 16384")
    );
}

#[test]
fn a_million_violations_are_pooled_in_linear_time() {
    // would take hours if each one looked at all before it
    let x: Vec<f64> = (0..200_000).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| 1e6 - x).collect();
    assert_eq!(table(&fit(&pairs(&x, &y), Trend::Rising).unwrap()).x, [0.0, 199_999.0]);
}

/// Readings with ties, values, weights.
fn data() -> impl Strategy<Value = Vec<(f64, f64, f64)>> {
    let x = (-8..8i32).prop_map(|x| f64::from(x) / 2.0);
    proptest::collection::vec((x, -10.0..10.0f64, 1..4u32), 1..40)
        .prop_map(|rows| rows.into_iter().map(|(x, y, w)| (x, y, f64::from(w))).collect())
}

fn of(rows: &[(f64, f64, f64)]) -> Pairs {
    let column = |pick: fn(&(f64, f64, f64)) -> f64| rows.iter().map(pick).collect::<Vec<_>>();
    weighted(&column(|row| row.0), &column(|row| row.1), &column(|row| row.2))
}

proptest! {
    #[test]
    fn values_rise_and_a_second_fit_changes_nothing(rows in data()) {
        let it = of(&rows);
        let once = fit(&it, Trend::Rising).unwrap();
        prop_assert!(table(&once).x.windows(2).all(|x| x[0] < x[1]));
        prop_assert!(table(&once).y.windows(2).all(|y| y[0] <= y[1]));
        let fitted = once.curve(&it).unwrap().values(&it);
        let weights: Vec<f64> = rows.iter().map(|row| row.2).collect();
        let again = fit(&weighted(it.x(), &fitted, &weights), Trend::Rising).unwrap();
        prop_assert!(distance(&again.curve(&it).unwrap().values(&it), &fitted) < 1e-12);
        // falling is rising, seen upside down
        let down: Vec<_> = rows.iter().map(|(x, y, w)| (*x, -y, *w)).collect();
        let down = fit(&of(&down), Trend::Falling).unwrap();
        let turned: Vec<f64> = table(&down).y.iter().map(|y| -y).collect();
        prop_assert_eq!(&table(&down).x, &table(&once).x);
        prop_assert!(distance(&turned, &table(&once).y) < 1e-12);
    }

    #[test]
    fn no_monotone_values_fit_better(rows in data(), other in proptest::collection::vec(-10.0..10.0f64, 16)) {
        let it = of(&rows);
        let fitted = fit(&it, Trend::Rising).unwrap().curve(&it).unwrap().values(&it);
        let mut other = other;
        other.sort_by(f64::total_cmp);
        let loss = |value: &dyn Fn(usize) -> f64| -> f64 {
            rows.iter().enumerate().map(|(at, (_, y, w))| w * (y - value(at)).powi(2)).sum()
        };
        let best = loss(&|at| fitted[at]);
        prop_assert!(best <= loss(&|at| other[(rows[at].0 * 2.0 + 8.0) as usize]) + 1e-9);
        // nor does anything close by
        let mix = |at: usize| 0.99 * fitted[at] + 0.01 * other[(rows[at].0 * 2.0 + 8.0) as usize];
        prop_assert!(best <= loss(&mix) + 1e-9);
    }

    #[test]
    fn a_weight_is_as_good_as_as_many_rows_and_their_order_does_not_matter(rows in data()) {
        let one = fit(&of(&rows), Trend::Rising).unwrap();
        let reversed: Vec<_> = rows.iter().rev().copied().collect();
        let turned = fit(&of(&reversed), Trend::Rising).unwrap();
        prop_assert_eq!(table(&one), table(&turned));
        let copies = rows.iter().flat_map(|(x, y, w)| std::iter::repeat_n((*x, *y, 1.0), *w as usize));
        let copied = fit(&of(&copies.collect::<Vec<_>>()), Trend::Rising).unwrap();
        let at = of(&rows);
        let (a, b) = (one.curve(&at).unwrap().values(&at), copied.curve(&at).unwrap().values(&at));
        prop_assert!(distance(&a, &b) < 1e-12);
    }
}
