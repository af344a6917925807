//! The fits of a line against goldens, and what they must not depend on.

use serde_json::Value;

use super::{Column, Fit, Pairs, deming, huber, theil_sen, york};

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
        for k in 0..2 {
            close(fit.parameters[k], numbers(&expected["params"])[k], 2e-12);
            close(errors[k], numbers(&expected["bse"])[k], 1e-12);
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
