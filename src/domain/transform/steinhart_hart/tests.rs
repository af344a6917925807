use serde_json::json;

use super::super::testing::{compiled, refused};
use super::*;
use crate::domain::transform::Input;

/// Coefficients that are usual for a 10 kOhm thermistor.
const USUAL: [f64; 3] = [1.129_148e-3, 2.341_25e-4, 8.767_41e-8];

fn thermistor(coefficients: [f64; 3]) -> SteinhartHart {
    compile(&SteinhartHartSpec { coefficients, covariance: None }, "").unwrap()
}

#[test]
fn ten_kiloohm_are_25_degrees() {
    let local = thermistor(USUAL).at(1e4);
    assert!((local.value - 298.15).abs() < 0.01, "{}", local.value);
    // -4.4 % per kelvin, as the makers state
    assert!((1.0 / (local.slope * 1e4) + 0.044).abs() < 5e-4, "{}", local.slope);
}

#[test]
fn three_points_make_the_coefficients_and_are_met() {
    // from a maker's table for a 10 kOhm thermistor: Ohm and Cel
    let points: [(f64, f64); 3] = [(32_650.0, 0.0), (9950.0, 25.1), (3893.0, 47.5)];
    let rows = points.map(|(r, t)| [r.ln(), r.ln().powi(3), 1.0 / (t + 273.15)]);
    let [p, q, s] = rows;
    let (d1, d2) = ([q[0] - p[0], q[1] - p[1], q[2] - p[2]], [s[0] - p[0], s[1] - p[1], s[2] - p[2]]);
    let c = (d2[2] / d2[0] - d1[2] / d1[0]) / (d2[1] / d2[0] - d1[1] / d1[0]);
    let b = (d1[2] - c * d1[1]) / d1[0];
    let it = thermistor([p[2] - b * p[0] - c * p[1], b, c]);
    for (r, t) in points {
        assert!((it.at(r).value - 273.15 - t).abs() < 1e-9);
        assert!((it.invert(t + 273.15).unwrap() / r - 1.0).abs() < 1e-11);
    }
}

#[test]
fn has_no_value_where_there_is_no_temperature() {
    let it = thermistor(USUAL);
    for x in [0.0, -1.0, 1e-9, f64::NAN] {
        assert!(it.at(x).value.is_nan(), "{x}");
    }
    assert_eq!(it.invert(-3.0), None);
    assert_eq!(thermistor([1e-3, 2e-4, -1e-7]).invert(298.0), None, "it turns somewhere");
    let straight = thermistor([1e-3, 2.5e-4, 0.0]);
    assert!((straight.at(straight.invert(300.0).unwrap()).value - 300.0).abs() < 1e-10);
}

#[test]
fn goes_from_ohm_to_kelvin() {
    let stage = json!({"kind": "steinhart_hart", "coefficients": USUAL,
        "covariance": [[1e-12, 0, 0], [0, 0, 0], [0, 0, 0]]});
    let it = compiled(json!({"pipeline": [stage, {"kind": "unit", "from": "K", "to": "Cel"}],
        "input_unit": "Ohm", "output_unit": "Cel"}));
    let out = it.apply(&Input { raw: 1e4, u_raw: None, covariates: &[], age_days: 0.0 });
    assert!((out.value.unwrap() - 25.0).abs() < 0.01);
    // u(T) = T^2 u(A)
    assert!((out.u.unwrap() - 298.15f64.powi(2) * 1e-6).abs() < 1e-5);
    assert_eq!(refused(json!({"pipeline": [stage], "output_unit": "K"})).path, "pipeline[0]");
    assert_eq!(
        refused(json!({"pipeline": [stage], "input_unit": "Ohm", "output_unit": "Cel"})).path,
        "output_unit"
    );
    let flat = json!({"kind": "steinhart_hart", "coefficients": [1e-3, 0, 0]});
    assert_eq!(refused(json!({"pipeline": [flat], "input_unit": "Ohm"})).path, "pipeline[0].coefficients");
}
