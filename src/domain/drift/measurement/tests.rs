use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::fit::Column;

fn pairs(value: &[f64], reference: &[f64]) -> Pairs {
    Pairs::new(vec![Column::new("value", value.to_vec())], Column::new("ref", reference.to_vec())).unwrap()
}

fn with_u(pairs: Pairs, ux: &[f64], uy: &[f64]) -> Pairs {
    pairs
        .with_ux(Column::new("ux", ux.to_vec()))
        .and_then(|pairs| pairs.with_uy(Column::new("uy", uy.to_vec())))
        .unwrap()
}

#[test]
fn four_pairs_by_hand() {
    let it = with_u(pairs(&[1.0, 3.0, 4.0, 8.0], &[0.0, 2.0, 4.0, 6.0]), &[0.3; 4], &[0.4; 4]);
    let scores = evaluate(&it, &Agreement::default()).unwrap();
    assert_eq!((scores.n, scores.bias, scores.mae), (4, 1.0, 1.0));
    assert_eq!((scores.rmse, scores.std), (1.5f64.sqrt(), Some((2.0f64 / 3.0).sqrt())));
    // sums about the means: xx 20, xy 22, yy 26
    assert!((scores.slope.unwrap() - 1.1).abs() < 1e-15 && (scores.intercept.unwrap() - 0.7).abs() < 1e-15);
    assert!((scores.r_squared.unwrap() - 484.0 / 520.0).abs() < 1e-15);
    // U = 2 * 0.5 = 1: E_n are the errors 1, 1, 0, 2
    assert!((scores.en_mean.unwrap() - 1.0).abs() < 1e-15);
    assert_eq!(scores.en_fraction_within_1, Some(0.75));
}

#[test]
fn a_shared_standard_makes_differences_more_telling() {
    let it = with_u(pairs(&[1.0, 1.0], &[0.0, 0.0]), &[0.5; 2], &[0.5; 2]);
    let shared = Agreement { coverage_factor: 2.0, shared: Some(&[0.4, 0.4]) };
    // 2 sqrt(0.25 + 0.25 - 0.32)
    let scores = evaluate(&it, &shared).unwrap();
    assert!((scores.en_mean.unwrap() - 1.0 / (2.0 * 0.18f64.sqrt())).abs() < 1e-14);
    let all = Agreement { shared: Some(&[0.4, 0.5]), ..shared };
    let error = evaluate(&it, &all).unwrap_err().to_string();
    assert!(error.starts_with("line 2, column `shared uncertainty`"), "{error}");
    assert!(evaluate(&it, &Agreement { shared: Some(&[0.4]), ..shared }).is_err());
    assert!(evaluate(&it, &Agreement { coverage_factor: 0.0, shared: None }).is_err());
}

#[test]
fn what_is_undefined_is_none() {
    let one = evaluate(&pairs(&[2.0], &[1.0]), &Agreement::default()).unwrap();
    assert_eq!((one.bias, one.std, one.slope, one.r_squared, one.en_mean), (1.0, None, None, None, None));
    let level = evaluate(&pairs(&[2.0, 2.0], &[1.0, 3.0]), &Agreement::default()).unwrap();
    assert_eq!((level.slope, level.r_squared, level.std), (Some(0.0), None, Some(2f64.sqrt())));
    assert!(evaluate(&pairs(&[f64::MAX, 0.0], &[-f64::MAX, 0.0]), &Agreement::default()).is_err());
}

/// CO in mg/m3 fitted to the sensor, as in the goldens.
fn uci(coefficients: &[f64]) -> Pairs {
    let text = include_str!("../../../../tests/data/collocation/uci_air_quality/AirQualityUCI.csv");
    let (mut values, mut references) = (Vec::new(), Vec::new());
    for row in text.lines().skip(1) {
        let cells: Vec<&str> = row.split(';').collect();
        let number = |at: usize| cells[at].replace(',', ".").parse::<f64>();
        if let (Ok(co), Ok(signal)) = (number(2), number(3))
            && co != -200.0
            && signal != -200.0
        {
            let x = signal / 1000.0;
            values.push(coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c));
            references.push(co);
        }
    }
    pairs(&values, &references)
}

#[test]
fn real_data_score_as_the_goldens_do() {
    let goldens = include_str!("../../../../tests/data/goldens/real_data_regression.json");
    let goldens: Value = serde_json::from_str(goldens).unwrap();
    for degree in 1..=3 {
        let golden = &goldens[format!("uci_CO_from_PT08S1_div1000_deg{degree}")];
        let number = |name: &str| golden[name].as_f64().unwrap();
        let parameters: Vec<f64> =
            golden["params"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
        let scores = evaluate(&uci(&parameters), &Agreement::default()).unwrap();
        assert_eq!(scores.n as u64, golden["n"].as_u64().unwrap());
        let residual_sd =
            (scores.rmse * scores.rmse * number("n") / (number("n") - degree as f64 - 1.0)).sqrt();
        let found = [scores.rmse, scores.mae, scores.r_squared.unwrap(), residual_sd];
        for (found, name) in found.into_iter().zip(["rmse", "mae", "r2", "residual_sd"]) {
            assert!((found / number(name) - 1.0).abs() < 1e-12, "{name} {found} {}", number(name));
        }
        assert!(scores.bias.abs() < 1e-9, "least squares leave no bias");
    }
}

#[test]
fn cohorts_are_scored_apart() {
    let it = pairs(&[1.0, 2.0, 5.0], &[0.0, 0.0, 0.0]);
    let names = ["warm", "cold", "warm"].map(str::to_owned);
    let scores = evaluate_by(&it, &names, &Agreement::default()).unwrap();
    assert_eq!((scores["warm"].n, scores["warm"].bias, scores["cold"].bias), (2, 3.0, 2.0));
    assert!(evaluate_by(&it, &names[..2], &Agreement::default()).is_err());
}

fn normal_errors(n: usize, seed: u64) -> Vec<f64> {
    let mut draws = Seeded::new(seed);
    (0..n).map(|_| 0.5 + draws.normal()).collect()
}

#[test]
fn intervals_are_as_wide_as_theory_says() {
    let errors = normal_errors(400, 3);
    let it = intervals(&errors, &Bootstrap::default()).unwrap();
    let moments = Moments::of(&errors);
    let width = it.bias[1] - it.bias[0];
    let expected = 2.0 * 1.96 * deviation(&errors, moments.bias).unwrap() / 20.0;
    assert!((width / expected - 1.0).abs() < 0.08, "{width} {expected}");
    for (interval, score) in [(it.bias, moments.bias), (it.rmse, moments.rmse), (it.mae, moments.mae)] {
        assert!(interval[0] < score && score < interval[1], "{interval:?} {score}");
    }
    assert_eq!(intervals(&errors, &Bootstrap::default()), Some(it), "a seed gives the same interval");
    assert_ne!(intervals(&errors, &Bootstrap { seed: 2, ..Bootstrap::default() }), Some(it));
    assert_eq!(intervals(&errors[..1], &Bootstrap::default()), None);
}

#[test]
fn a_block_goes_on_from_the_last_error_to_the_first() {
    let errors = [1.0, 2.0, 3.0, 4.0, 5.0];
    let (mut draws, mut drawn) = (Seeded::new(1), Vec::new());
    let mut starts = std::collections::BTreeSet::new();
    for _ in 0..50 {
        resample(&errors, 3, &mut draws, &mut drawn);
        assert_eq!(drawn.len(), 5);
        for (block, length) in [(&drawn[..3], 3), (&drawn[3..], 2)] {
            assert_eq!(block.len(), length);
            assert!(block.windows(2).all(|pair| pair[1] == pair[0] % 5.0 + 1.0), "{drawn:?}");
        }
        starts.insert(drawn[0] as u32);
    }
    assert_eq!(starts.len(), 5, "any error may come first");
}

#[test]
fn blocks_widen_the_interval_of_errors_that_persist() {
    // each error stays for ten pairs: worth a tenth of the pairs
    let errors: Vec<f64> = normal_errors(60, 3).into_iter().flat_map(|error| [error; 10]).collect();
    let width = |block| {
        let it = intervals(&errors, &Bootstrap { block, ..Bootstrap::default() }).unwrap();
        it.bias[1] - it.bias[0]
    };
    let ratio = width(30) / width(1);
    assert!((2.4..3.6).contains(&ratio), "{ratio}, sqrt(10) is expected");
}

#[test]
fn ninety_five_percent_intervals_hold_the_truth_as_often() {
    let how = Bootstrap { replicates: 300, ..Bootstrap::default() };
    let held = (0..200).filter(|seed| {
        let it = intervals(&normal_errors(60, 100 + seed), &how).unwrap();
        (it.bias[0]..=it.bias[1]).contains(&0.5)
    });
    let held = held.count();
    assert!((180..=198).contains(&held), "{held} of 200");
}

proptest! {
    #[test]
    fn scores_follow_the_unit_and_not_the_order(
        rows in proptest::collection::vec((-1e3..1e3f64, -1e3..1e3f64), 2..30), power in -20i32..20,
    ) {
        let unit = f64::from(power).exp2();
        let take = |f: &dyn Fn(&(f64, f64)) -> f64| rows.iter().map(f).collect::<Vec<f64>>();
        let it = evaluate(&pairs(&take(&|r| r.0), &take(&|r| r.1)), &Agreement::default()).unwrap();
        let scaled = pairs(&take(&|r| r.0 * unit), &take(&|r| r.1 * unit));
        let scaled = evaluate(&scaled, &Agreement::default()).unwrap();
        prop_assert_eq!((it.bias * unit, it.rmse * unit, it.slope), (scaled.bias, scaled.rmse, scaled.slope));
        let mut turned = rows.clone();
        turned.reverse();
        let take = |f: &dyn Fn(&(f64, f64)) -> f64| turned.iter().map(f).collect::<Vec<f64>>();
        let back = evaluate(&pairs(&take(&|r| r.0), &take(&|r| r.1)), &Agreement::default()).unwrap();
        prop_assert!((it.rmse - back.rmse).abs() < 1e-11 && (it.bias - back.bias).abs() < 1e-11);
        // rmse^2 = bias^2 + (n - 1)/n std^2
        let n = rows.len() as f64;
        let sum = it.bias * it.bias + (n - 1.0) / n * it.std.unwrap().powi(2);
        prop_assert!((it.rmse * it.rmse / sum - 1.0).abs() < 1e-11);
    }

    #[test]
    fn never_a_number_that_is_none(rows in proptest::collection::vec((any::<f64>(), any::<f64>()), 1..6)) {
        let finite = |value: f64| if value.is_finite() { value } else { 1.0 };
        let value: Vec<f64> = rows.iter().map(|row| finite(row.0)).collect();
        let reference: Vec<f64> = rows.iter().map(|row| finite(row.1)).collect();
        if let Ok(it) = evaluate(&pairs(&value, &reference), &Agreement::default()) {
            let optional = [it.std, it.slope, it.intercept, it.r_squared].into_iter().flatten();
            prop_assert!([it.bias, it.rmse, it.mae].into_iter().chain(optional).all(f64::is_finite), "{it:?}");
        }
    }
}
