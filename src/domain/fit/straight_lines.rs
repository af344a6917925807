//! The fits of a line against goldens, and what they must not depend on.

use proptest::prelude::*;
use serde_json::Value;

use super::slopes::Slopes;
use super::{Column, Fit, FitError, Pairs, deming, huber, theil_sen, york};
use crate::domain::resample::Seeded;

const GOLDENS: &str = include_str!("../../../tests/data/goldens/regression.json");

fn golden(pointer: &str) -> Value {
    let all: Value = serde_json::from_str(GOLDENS).unwrap();
    all.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn pairs(x: &[f64], y: &[f64]) -> Pairs {
    Pairs::new(vec![Column::new("x", x.to_vec())], Column::new("y", y.to_vec())).unwrap()
}

fn norris() -> Pairs {
    let data = golden("/robust/norris");
    pairs(&numbers(&data["x"]), &numbers(&data["y"]))
}

#[track_caller]
fn close(found: f64, expected: f64, relative: f64) {
    let error = (found - expected).abs() / expected.abs();
    assert!(error <= relative, "found {found:e}, expected {expected:e}: {error:e}");
}

#[test]
fn deming_is_the_golden_one() {
    for ratio in ["1.0", "4.0", "0.25"] {
        let expected = golden(&format!("/errors_in_variables/deming_norris_lambda_{ratio}"));
        let fit = deming::fit(&norris(), ratio.parse().unwrap()).unwrap();
        let errors = fit.standard_errors().unwrap();
        close(fit.parameters[0], expected["intercept"].as_f64().unwrap(), 1e-9);
        close(fit.parameters[1], expected["slope"].as_f64().unwrap(), 1e-12);
        close(errors[0], expected["se_jackknife_intercept"].as_f64().unwrap(), 1e-9);
        close(errors[1], expected["se_jackknife_slope"].as_f64().unwrap(), 1e-9);
    }
}

fn pearson() -> (Pairs, Value) {
    let data = golden("/errors_in_variables/pearson_york");
    let u = |weights: &Value| numbers(weights).into_iter().map(|w| 1.0 / w.sqrt()).collect();
    let pairs = pairs(&numbers(&data["x"]), &numbers(&data["y"]))
        .with_ux(Column::new("ux", u(&data["wx"])))
        .and_then(|pairs| pairs.with_uy(Column::new("uy", u(&data["wy"]))))
        .unwrap();
    (pairs, data)
}

fn is_york(fit: &Fit, expected: &Value) {
    let errors = fit.standard_errors().unwrap();
    let value = |name: &str| expected[name].as_f64().unwrap();
    close(fit.parameters[0], value("intercept"), 1e-13);
    close(fit.parameters[1], value("slope"), 1e-13);
    close(errors[0], value("sigma_intercept"), 1e-12);
    close(errors[1], value("sigma_slope"), 1e-12);
    close(fit.covariance.as_ref().unwrap()[0][1], value("cov"), 1e-12);
    close(fit.rss.unwrap(), value("chi2"), 1e-12);
    close(fit.residual_std.unwrap().powi(2), value("mswd"), 1e-12);
}

#[test]
fn york_is_the_golden_one() {
    let (pairs, data) = pearson();
    is_york(&york::fit(&pairs, None).unwrap(), &data["york2004"]);
    let correlated = york::fit(&pairs, Some(&[0.3; 10])).unwrap();
    is_york(&correlated, &golden("/errors_in_variables/pearson_york_r0.3"));
    assert!(correlated.notes[0].contains("MSWD 1.29306"), "{:?}", correlated.notes);
}

#[test]
fn huber_is_the_golden_one() {
    for set in ["norris", "norris_outliers", "ties"] {
        let data = golden(&format!("/robust/{set}"));
        let fit = huber::fit(&pairs(&numbers(&data["x"]), &numbers(&data["y"]))).unwrap();
        let expected = &data["huber_t1.345_rlm"];
        let errors = fit.standard_errors().unwrap();
        for (found, expected) in fit.parameters.iter().zip(numbers(&expected["params"])) {
            close(*found, expected, 2e-12);
        }
        for (found, expected) in errors.iter().zip(numbers(&expected["bse"])) {
            close(*found, expected, 1e-12);
        }
        let scale = expected["scale"].as_f64().unwrap();
        assert!(fit.notes[0].contains(&format!("{scale:.6e}")), "{:?}", fit.notes);
    }
}

#[test]
fn theil_sen_is_the_golden_one() {
    for set in ["norris", "norris_outliers", "ties"] {
        let data = golden(&format!("/robust/{set}"));
        let pairs = pairs(&numbers(&data["x"]), &numbers(&data["y"]));
        let expected = |name: &str| data["joint"][name].as_f64().unwrap();
        let fit = theil_sen::fit(&pairs).unwrap();
        close(fit.parameters[0], expected("intercept"), 1e-12);
        close(fit.parameters[1], expected("slope"), 1e-15);
        let interval = theil_sen::interval(pairs.x(), pairs.y());
        close(interval.lo, expected("lo"), 1e-15);
        close(interval.hi, expected("hi"), 1e-15);
        let width = 2.0 * 1.959963984540054 * fit.standard_errors().unwrap()[1];
        close(width, expected("hi") - expected("lo"), 1e-12);
    }
}

/// Pairs (x, 3 - 2 x + e).
fn cloud(points: &[(f64, f64)]) -> Pairs {
    let x: Vec<f64> = points.iter().map(|(x, _)| *x).collect();
    let y: Vec<f64> = points.iter().map(|(x, e)| 3.0 - 2.0 * x + e).collect();
    pairs(&x, &y)
}

fn with_u(pairs: Pairs, ux: f64, uy: f64) -> Pairs {
    let n = pairs.len();
    pairs
        .with_ux(Column::new("ux", vec![ux; n]))
        .and_then(|pairs| pairs.with_uy(Column::new("uy", vec![uy; n])))
        .unwrap()
}

type Method = fn(&Pairs) -> Result<Fit, FitError>;

fn all(pairs: &Pairs) -> [Result<Fit, FitError>; 4] {
    [
        deming::fit(pairs, 2.0),
        york::fit(&with_u(pairs.clone(), 0.1, 0.2), None),
        theil_sen::fit(pairs),
        huber::fit(pairs),
    ]
}

fn ols(pairs: &Pairs) -> (f64, f64) {
    let n = pairs.len() as f64;
    let (mx, my) = (pairs.x().iter().sum::<f64>() / n, pairs.y().iter().sum::<f64>() / n);
    let (mut xx, mut xy) = (0.0, 0.0);
    for (x, y) in pairs.x().iter().zip(pairs.y()) {
        xx += (x - mx) * (x - mx);
        xy += (x - mx) * (y - my);
    }
    (my - xy / xx * mx, xy / xx)
}

fn points() -> impl Strategy<Value = Vec<(f64, f64)>> {
    // spread in x, so that there always is a slope
    proptest::collection::vec((0.0..0.8f64, -0.5..0.5f64), 8..40).prop_map(|points| {
        points.into_iter().enumerate().map(|(at, (x, e))| (at as f64 / 2.0 + x, e)).collect()
    })
}

#[test]
fn missing_uncertainties_and_useless_ones_are_told() {
    let plain = cloud(&[(0.0, 0.1), (1.0, 0.0), (2.0, -0.1), (3.0, 0.0)]);
    let error = york::fit(&plain, None).unwrap_err().to_string();
    assert!(error.contains("--ux") && error.contains("deming"), "{error}");
    let full = with_u(plain.clone(), 0.1, 0.1);
    assert!(york::fit(&full, Some(&[0.0; 3])).is_err());
    let error = york::fit(&full, Some(&[0.0, 1.0, 0.0, 0.0])).unwrap_err().to_string();
    assert!(error.starts_with("line 2, column `correlation`"), "{error}");
    for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(deming::fit(&plain, ratio).unwrap_err().to_string().contains("variance ratio"));
    }
    let weighted = full.with_weights(Column::new("w", vec![1.0; 4])).unwrap();
    assert!(york::fit(&weighted, None).is_err() && huber::fit(&weighted).is_err());
    assert!(theil_sen::fit(&weighted).is_err() && deming::fit(&weighted, 1.0).is_ok());
}

#[test]
fn what_gives_no_line_is_refused() {
    for result in all(&pairs(&[1.0, 2.0], &[1.0, 2.0])) {
        assert!(matches!(result, Err(FitError::TooFew { needed: 3, found: 2, .. })), "{result:?}");
    }
    for result in all(&pairs(&[5.0; 4], &[1.0, 2.0, 3.0, 4.0])) {
        assert!(matches!(&result, Err(FitError::Column { column, .. }) if column == "x"), "{result:?}");
    }
    for result in all(&pairs(&[1.0, 2.0, 3.0, 4.0], &[7.0; 4])) {
        assert!(matches!(&result, Err(FitError::Unsupported(_))), "{result:?}");
    }
}

#[test]
fn half_of_the_pairs_on_a_line_leave_no_scale() {
    let fit = huber::fit(&pairs(&[0.0, 1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0, 5.0])).unwrap();
    assert!((fit.parameters[1] - 1.0).abs() < 1e-14 && fit.covariance.is_none(), "{fit:?}");
    assert!(fit.notes[0].contains("exactly on the line"), "{:?}", fit.notes);
}

proptest! {
    #[test]
    fn neither_order_nor_unit_matters(points in points(), seed in any::<u64>(), power in -30i32..30) {
        let pairs = cloud(&points);
        let mut places: Vec<usize> = (0..pairs.len()).collect();
        let mut draws = Seeded::new(seed);
        (1..places.len()).for_each(|at| places.swap(at, draws.below(at + 1)));
        let shuffled = pairs.select(&places).unwrap();
        let unit = f64::from(power).exp2();
        let scaled = self::pairs(&pairs.x().iter().map(|x| x * unit).collect::<Vec<_>>(), pairs.y());
        let methods: [Method; 3] = [|p| deming::fit(p, 2.0), theil_sen::fit, huber::fit];
        for (at, method) in methods.into_iter().enumerate() {
            let it = method(&pairs).unwrap();
            let other = method(&shuffled).unwrap();
            for k in 0..2 {
                prop_assert!((it.parameters[k] / other.parameters[k] - 1.0).abs() < 1e-11, "{at}");
                let (a, b) = (it.standard_errors().unwrap()[k], other.standard_errors().unwrap()[k]);
                prop_assert!((a - b).abs() <= 1e-9 * a, "{at}: {a} {b}");
            }
            // the ratio of deming is one of units, too
            if at > 0 {
                let other = method(&scaled).unwrap();
                prop_assert_eq!(it.parameters[0], other.parameters[0]);
                prop_assert_eq!(it.parameters[1], other.parameters[1] * unit);
            }
        }
        let other = deming::fit(&scaled, 2.0 / unit / unit).unwrap();
        prop_assert_eq!(deming::fit(&pairs, 2.0).unwrap().parameters[1], other.parameters[1] * unit);
    }

    #[test]
    fn deming_is_least_squares_at_either_end(points in points()) {
        let pairs = cloud(&points);
        let (offset, gain) = ols(&pairs);
        let fit = deming::fit(&pairs, 1e15).unwrap();
        prop_assert!((fit.parameters[1] / gain - 1.0).abs() < 1e-12);
        prop_assert!((fit.parameters[0] - offset).abs() < 1e-11);
        let turned = self::pairs(pairs.y(), pairs.x());
        let fit = deming::fit(&pairs, 1e-15).unwrap();
        prop_assert!((fit.parameters[1] * ols(&turned).1 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn york_with_equal_uncertainties_is_deming(points in points(), ux in 0.01..1.0f64, uy in 0.01..1.0f64) {
        let pairs = cloud(&points);
        let deming = deming::fit(&pairs, (uy / ux) * (uy / ux)).unwrap();
        let york = york::fit(&with_u(pairs, ux, uy), None).unwrap();
        for k in 0..2 {
            prop_assert!((york.parameters[k] / deming.parameters[k] - 1.0).abs() < 1e-11);
        }
    }

    #[test]
    fn york_is_where_chi_squared_is_least(
        points in points(),
        u in proptest::collection::vec((-3.0..0.0f64, -3.0..0.0f64, -0.9..0.9f64), 40),
    ) {
        let plain = cloud(&points);
        let n = plain.len();
        let column = |f: fn(&(f64, f64, f64)) -> f64| u[..n].iter().map(f).collect::<Vec<f64>>();
        let (ux, uy, r) = (column(|u| u.0.exp()), column(|u| u.1.exp()), column(|u| u.2));
        let pairs = plain
            .with_ux(Column::new("ux", ux.clone()))
            .and_then(|pairs| pairs.with_uy(Column::new("uy", uy.clone())))
            .unwrap();
        let fit = york::fit(&pairs, Some(&r)).unwrap();
        let chi2 = |a: f64, b: f64| -> f64 {
            let term = |at: usize| {
                let residual = pairs.y()[at] - a - b * pairs.x()[at];
                let cross = 2.0 * b * r[at] * ux[at] * uy[at];
                residual * residual / (uy[at] * uy[at] + b * b * ux[at] * ux[at] - cross)
            };
            (0..n).map(term).sum()
        };
        let (a, b) = (fit.parameters[0], fit.parameters[1]);
        let least = chi2(a, b);
        prop_assert!((least / fit.rss.unwrap() - 1.0).abs() < 1e-11);
        let errors = fit.standard_errors().unwrap();
        for (da, db) in [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
            prop_assert!(chi2(a + 1e-3 * da * errors[0], b + 1e-3 * db * errors[1]) > least);
        }
    }

    #[test]
    fn weights_of_deming_are_replication(points in points(), seed in any::<u64>()) {
        let pairs = cloud(&points);
        let mut draws = Seeded::new(seed);
        let counts: Vec<usize> = (0..pairs.len()).map(|_| 1 + draws.below(3)).collect();
        let places: Vec<usize> = counts.iter().enumerate().flat_map(|(at, count)| vec![at; *count]).collect();
        let repeated = deming::fit(&pairs.select(&places).unwrap(), 0.5).unwrap();
        let weights = counts.iter().map(|count| *count as f64).collect();
        let weighted = deming::fit(&pairs.with_weights(Column::new("w", weights)).unwrap(), 0.5).unwrap();
        for k in 0..2 {
            prop_assert!((weighted.parameters[k] / repeated.parameters[k] - 1.0).abs() < 1e-12);
        }
        prop_assert!((weighted.rss.unwrap() / repeated.rss.unwrap() - 1.0).abs() < 1e-11);
    }

    #[test]
    fn a_quarter_of_outliers_does_not_move_theil_sen_away(points in points(), far in 1e2..1e9f64) {
        let spoilt: Vec<(f64, f64)> = points
            .iter()
            .enumerate()
            .map(|(at, (x, e))| if at % 4 == 3 { (*x, e + far) } else { (*x, *e) })
            .collect();
        let fit = theil_sen::fit(&cloud(&spoilt)).unwrap();
        // 9/16 of the slopes are between good pairs; those have at most the error of their ends
        let clean: Vec<(f64, f64)> =
            points.iter().enumerate().filter(|(at, _)| at % 4 != 3).map(|(_, p)| *p).collect();
        let good = cloud(&clean);
        let slopes = Slopes::new(good.x(), good.y());
        let (low, high) = (slopes.rank(0), slopes.rank(slopes.count() - 1));
        prop_assert!((low..=high).contains(&fit.parameters[1]), "{low} {high} {:?}", fit.parameters);
    }

    #[test]
    fn never_a_number_that_is_none(
        points in proptest::collection::vec((any::<f64>(), any::<f64>(), -3i32..9), 3..10),
        u in (1e-300..1e300f64, 1e-300..1e300f64),
    ) {
        let finite = |value: f64, k: i32| if value.is_finite() && k < 0 { value } else { f64::from(k) };
        let x: Vec<f64> = points.iter().map(|(x, _, k)| finite(*x, *k)).collect();
        let y: Vec<f64> = points.iter().map(|(_, y, k)| finite(*y, k / 2 - 1)).collect();
        let pairs = pairs(&x, &y);
        let york = york::fit(&with_u(pairs.clone(), u.0, u.1), None);
        for fit in all(&pairs).into_iter().chain([york]).flatten() {
            let errors = fit.standard_errors().unwrap_or_default();
            let statistics = [fit.rss, fit.residual_std, fit.r_squared, fit.aicc].into_iter().flatten();
            for number in fit.parameters.iter().copied().chain(errors).chain(statistics) {
                prop_assert!(number.is_finite(), "{fit:?}");
            }
            prop_assert!(fit.curve(&pairs).is_ok(), "{fit:?}");
        }
    }
}

/// Standard errors of the slope over the scatter of the slope, by simulation.
fn honesty(method: Method, u: (f64, f64)) -> f64 {
    let mut draws = Seeded::new(17);
    let (mut slopes, mut errors) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        let (x, y): (Vec<f64>, Vec<f64>) = (0..60)
            .map(|at| {
                let truth = f64::from(at) / 6.0;
                (truth + u.0 * draws.normal(), 3.0 + 2.0 * truth + u.1 * draws.normal())
            })
            .unzip();
        let pairs = pairs(&x, &y);
        let pairs = if u.0 > 0.0 { with_u(pairs, u.0, u.1) } else { pairs };
        let fit = method(&pairs).unwrap();
        slopes.push(fit.parameters[1]);
        errors.push(fit.standard_errors().unwrap()[1]);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let centre = mean(&slopes);
    let scatter = mean(&slopes.iter().map(|s| (s - centre).powi(2)).collect::<Vec<_>>()).sqrt();
    assert!((centre - 2.0).abs() < 4.0 * scatter / 300f64.sqrt(), "biased: {centre}");
    mean(&errors) / scatter
}

#[test]
fn standard_errors_are_the_scatter_of_the_slopes() {
    let cases: [(Method, (f64, f64)); 4] = [
        (|pairs| deming::fit(pairs, 4.0), (0.3, 0.6)),
        (|pairs| york::fit(pairs, None), (0.3, 0.6)),
        (theil_sen::fit, (0.0, 0.6)),
        (huber::fit, (0.0, 0.6)),
    ];
    for (at, (method, u)) in cases.into_iter().enumerate() {
        let ratio = honesty(method, u);
        // 300 scatters give it to 4 %
        assert!((0.88..1.12).contains(&ratio), "{at}: {ratio}");
    }
}
