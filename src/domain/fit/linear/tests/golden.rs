//! Fits made by statsmodels and by exact arithmetic.

use serde_json::Value;

use super::{all_close, close, digits, pairs};
use crate::domain::fit::linear::prediction::{Predictor, invert};
use crate::domain::fit::linear::{affine, polynomial};
use crate::domain::fit::method::{CovarianceKind, Direction, Options};
use crate::domain::fit::{Column, Fit, Pairs};

fn goldens() -> Value {
    serde_json::from_str(include_str!("../../../../../tests/data/goldens/regression.json")).unwrap()
}

pub(super) fn list(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

pub(super) fn matrix_close(found: &[Vec<f64>], golden: &Value, what: &str) {
    for (row, golden) in found.iter().zip(golden.as_array().unwrap()) {
        all_close(row, &list(golden), what);
    }
}

/// Norris, as the robust goldens carry it.
fn norris() -> Pairs {
    let goldens = goldens();
    let data = &goldens["robust"]["norris"];
    pairs(&list(&data["x"]), &list(&data["y"]))
}

fn known() -> Options {
    Options { covariance: CovarianceKind::Known, ..Options::default() }
}

fn check(fit: &Fit, known: &Fit, golden: &Value, name: &str) {
    all_close(&fit.parameters, &list(&golden["params"]), name);
    all_close(&fit.standard_errors().unwrap(), &list(&golden["bse"]), name);
    matrix_close(fit.covariance.as_ref().unwrap(), &golden["cov"], name);
    matrix_close(known.covariance.as_ref().unwrap(), &golden["cov_known_weights"], name);
    close(fit.residual_std.unwrap().powi(2), number(&golden["scale"]), name);
    close(fit.degrees_of_freedom.unwrap(), number(&golden["df_resid"]), name);
    close(fit.r_squared.unwrap(), number(&golden["rsquared"]), name);
    close(fit.rss.unwrap(), number(&golden["ssr"]), name);
    // statsmodels' AIC doesn't count the variance, and is not corrected
    let (n, k) = (fit.n as f64, fit.parameters.len() as f64 + 1.0);
    let aic = fit.aicc.unwrap() - 2.0 - 2.0 * k * (k + 1.0) / (n - k - 1.0);
    close(aic, number(&golden["aic"]), name);
    let predictor = Predictor::new(fit).unwrap();
    for row in golden["predict"].as_array().unwrap() {
        let at = predictor.at(number(&row["x"]), &[]);
        close(at.mean, number(&row["mean"]), name);
        close(at.u_mean, number(&row["mean_se"]), name);
        // the limits differ from the mean by t times the uncertainty, the same t for both
        let t = (number(&row["mean"]) - number(&row["mean_ci_lower"])) / number(&row["mean_se"]);
        close(at.mean + t * at.u_observation, number(&row["obs_ci_upper"]), name);
        close(at.mean - t * at.u_observation, number(&row["obs_ci_lower"]), name);
    }
}

#[test]
fn norris_by_statsmodels() {
    let goldens = goldens();
    for (degree, name) in [(1, "norris_deg1"), (2, "norris_deg2")] {
        let data = norris();
        let ones = data.clone().with_weights(Column::new("w", vec![1.0; data.len()])).unwrap();
        let fit = polynomial::fit(&data, degree, &Options::default()).unwrap();
        check(&fit, &polynomial::fit(&ones, degree, &known()).unwrap(), &goldens[name], name);
    }
    let line = affine::fit(&norris(), &Options::default()).unwrap();
    all_close(&line.parameters, &list(&goldens["norris_deg1"]["params"]), "affine");
    matrix_close(line.covariance.as_ref().unwrap(), &goldens["norris_deg1"]["cov"], "affine");
}

/// At degree 3 statsmodels keeps 6 digits of the parameters and 8 of the covariance, on powers of x as
/// they are. The numbers here are by exact rational arithmetic on the same doubles.
#[test]
fn norris_by_exact_arithmetic() {
    let parameters =
        [-0.4108980596276111, 1.0028849641610267, 1.1703480517405441e-06, -2.2393133989920648e-09];
    let errors = [0.2941459999172201, 0.0034929646893142505, 9.210010415065676e-06, 6.281979197765375e-09];
    let fit = polynomial::fit(&norris(), 3, &Options::default()).unwrap();
    let golden = &goldens()["norris_deg3"];
    for ((found, right), statsmodels) in fit.parameters.iter().zip(parameters).zip(list(&golden["params"])) {
        assert!(digits(*found, right) > 14.0, "{found} instead of {right}");
        assert!(digits(*found, statsmodels) > 6.0, "{found}, {statsmodels} by statsmodels");
    }
    for (found, right) in fit.standard_errors().unwrap().into_iter().zip(errors) {
        assert!(digits(found, right) > 14.0, "{found} instead of {right}");
    }
    for (row, golden) in fit.covariance.unwrap().iter().zip(golden["cov"].as_array().unwrap()) {
        assert!(row.iter().zip(list(golden)).all(|(found, right)| digits(*found, right) > 8.0));
    }
    close(fit.rss.unwrap(), 25.191122600734523, "rss");
}

#[test]
fn weighted_norris_by_statsmodels() {
    let goldens = goldens();
    for (degree, name) in [(1, "norris_deg1_wls"), (2, "norris_deg2_wls")] {
        let weights = list(&goldens[name]["weights"]);
        let uy = weights.iter().map(|w| 1.0 / w.sqrt()).collect();
        let weighted = norris().with_weights(Column::new("w", weights)).unwrap();
        let fit = polynomial::fit(&weighted, degree, &Options::default()).unwrap();
        let by_uy = norris().with_uy(Column::new("u", uy)).unwrap();
        check(&fit, &polynomial::fit(&by_uy, degree, &known()).unwrap(), &goldens[name], name);
    }
}

#[test]
fn the_sensor_on_the_reference() {
    let goldens = goldens();
    let golden = &goldens["norris_inverse_deg1"];
    let data = norris();
    let ones = |data: Pairs| data.with_weights(Column::new("w", vec![1.0; 36])).unwrap();
    let swapped = pairs(data.y(), data.x());
    let forward = polynomial::fit(&swapped, 1, &Options::default()).unwrap();
    check(&forward, &polynomial::fit(&ones(swapped), 1, &known()).unwrap(), golden, "swapped");

    let options = Options { direction: Direction::SensorOnReference, ..Options::default() };
    let fit = affine::fit(&data, &options).unwrap();
    let [a, b] = list(&golden["params"])[..] else { panic!("two parameters") };
    all_close(&fit.parameters, &[-a / b, 1.0 / b], "inverted");
    // u(b) = u(b') / b'^2; and u of y where the line passes its centre is u of x there over b'
    let errors = fit.standard_errors().unwrap();
    close(errors[1], list(&golden["bse"])[1] / (b * b), "inverted");
    let center = data.y().iter().sum::<f64>() / 36.0;
    let at_center = Predictor::new(&fit).unwrap().at(a + b * center, &[]);
    close(at_center.mean, center, "inverted");
    let s = number(&golden["scale"]).sqrt();
    close(at_center.u_mean, s / 6.0 / b, "inverted");
    close(fit.residual_std.unwrap(), s / b, "inverted");
    assert!(fit.notes.iter().any(|note| note.contains("top-decile bias")), "{:?}", fit.notes);
    assert!(polynomial::fit(&data, 2, &options).unwrap_err().to_string().contains("affine"));
}

#[test]
fn which_x_made_a_y() {
    let goldens = goldens();
    let fit = affine::fit(&norris(), &Options::default()).unwrap();
    let t_95_34 = 2.032244509317718;
    for row in goldens["norris_inverse_prediction"]["rows"].as_array().unwrap() {
        let found = invert(&fit, number(&row["y0"]), t_95_34).unwrap();
        close(found.x, number(&row["x0"]), "x0");
        close(found.u, number(&row["u_x0_delta"]), "u");
        close(found.low, number(&row["fieller_lo"]), "low");
        close(found.high, number(&row["fieller_hi"]), "high");
        close(found.g, number(&row["g"]), "g");
    }
    let noise =
        affine::fit(&pairs(&[1.0, 2.0, 3.0, 4.0], &[1.0, -2.0, 3.0, -1.0]), &Options::default()).unwrap();
    assert!(invert(&noise, 0.0, 2.0).unwrap_err().to_string().contains("can't be told from 0"));
}

/// statsmodels 0.15.0: OLS and WLS with cov_type="HAC", maxlags=3, use_correction=True. The
/// autocorrelation of Norris asks for 3 lags.
#[test]
fn newey_west_by_statsmodels() {
    let options = Options { covariance: CovarianceKind::Hac, ..Options::default() };
    let fit = affine::fit(&norris(), &options).unwrap();
    assert!(fit.notes[0].contains("with 3 lags"), "{:?}", fit.notes);
    let golden = serde_json::json!([
        [0.018166723489502285, -3.464054434886576e-05],
        [-3.46405443488657e-05, 3.22019946079969e-07]
    ]);
    matrix_close(fit.covariance.as_ref().unwrap(), &golden, "HAC");
    let weights = norris().x().iter().map(|x| 1.0 / (0.1 + x / 100.0)).collect();
    let weighted = norris().with_weights(Column::new("w", weights)).unwrap();
    let fit = polynomial::fit(&weighted, 1, &options).unwrap();
    assert!(fit.notes[0].contains("with 3 lags"), "{:?}", fit.notes);
    let golden = serde_json::json!([
        [0.01691853616309467, -3.699846261683077e-05],
        [-3.699846261683077e-05, 3.40866046605647e-07]
    ]);
    matrix_close(fit.covariance.as_ref().unwrap(), &golden, "weighted HAC");
}

#[test]
fn thermometer_of_the_gum() {
    let text = include_str!("../../../../../tests/data/gum_h3/gum_h3.json");
    let data: Value = serde_json::from_str(text).unwrap();
    let t0 = number(&data["t0"]);
    let t: Vec<f64> = list(&data["t"]).iter().map(|t| t - t0).collect();
    let corrections = pairs(&t, &list(&data["b"]));
    let fit = affine::fit(&corrections, &Options::default()).unwrap();
    let (exact, published) = (&data["exact"], &data["published"]);
    let errors = fit.standard_errors().unwrap();
    let covariance = fit.covariance.as_ref().unwrap();
    let at_30 = Predictor::new(&fit).unwrap().at(30.0 - t0, &[]);
    let found = [
        ("y1", fit.parameters[0], 4),
        ("y2", fit.parameters[1], 5),
        ("s_y1", errors[0], 4),
        ("s_y2", errors[1], 5),
        ("r", covariance[0][1] / (errors[0] * errors[1]), 2),
        ("s", fit.residual_std.unwrap(), 4),
        ("b30", at_30.mean, 4),
        ("u_b30", at_30.u_mean, 4),
        ("dof", fit.degrees_of_freedom.unwrap(), 0),
    ];
    for (name, value, decimals) in found {
        close(value, number(&exact[name]), name);
        let printed = format!("{value:.decimals$}").parse::<f64>().unwrap();
        assert_eq!(printed, number(&published[name]), "{name}");
    }
    close(covariance[0][1], number(&exact["cov12"]), "cov12");
    close(fit.rss.unwrap(), number(&exact["ssr"]), "ssr");
    let coverage = &data["coverage"];
    close(number(&coverage["k"]) * at_30.u_mean, number(&coverage["U_b30"]), "U_b30");

    let sure = corrections.with_uy(Column::new("u", vec![0.001; 11])).unwrap();
    let fit = affine::fit(&sure, &known()).unwrap();
    let errors = fit.standard_errors().unwrap();
    let golden = &data["known_u_0.001"];
    close(errors[0], number(&golden["u1"]), "u1");
    close(errors[1], number(&golden["u2"]), "u2");
    close(fit.covariance.unwrap()[0][1] / (errors[0] * errors[1]), number(&golden["r"]), "r");
}

/// What all reference values share moves the intercept alone, and adds to its variance.
#[test]
fn a_systematic_uncertainty_of_the_reference_is_the_intercepts() {
    let text = include_str!("../../../../../tests/data/gum_h3/gum_h3.json");
    let data: Value = serde_json::from_str(text).unwrap();
    let t: Vec<f64> = list(&data["t"]).iter().map(|t| t - 20.0).collect();
    let moved = |by: f64| {
        let b: Vec<f64> = list(&data["b"]).iter().map(|b| b + by).collect();
        affine::fit(&pairs(&t, &b), &Options::default()).unwrap()
    };
    let (fit, high) = (moved(0.0), moved(0.005));
    let slopes: Vec<f64> = (0..2).map(|at| (high.parameters[at] - fit.parameters[at]) / 0.005).collect();
    let errors = fit.standard_errors().unwrap();
    let golden = &data["systematic_u_0.005"];
    close(errors[0].hypot(slopes[0] * 0.005), number(&golden["u_y1"]), "u_y1");
    close(errors[1].hypot(slopes[1] * 0.005), number(&golden["u_y2"]), "u_y2");
}
