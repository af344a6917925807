use serde_json::{Value, json};

use super::super::testing::{compiled, refused};
use crate::domain::quality::State;
use crate::domain::transform::{Compiled, Covariate, Input};

const FACTORS: &str =
    include_str!("../../../../tests/data/collocation/satvam_no2_o3/NO2B43F_temperature_factors.csv");

/// The temperatures and factors of one row.
fn factors(name: &str) -> (Vec<f64>, Vec<f64>) {
    let digits = |text: &str| text.trim_start_matches("TEMP=").trim_end_matches("'C").parse().unwrap();
    let temperatures = FACTORS.lines().next().unwrap().split(',').skip(1).map(digits).collect();
    let row = FACTORS.lines().find(|line| line.split(',').next().unwrap().trim() == name).unwrap();
    (temperatures, row.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect())
}

fn known(value: f64, u: f64) -> Option<Covariate> {
    Some(Covariate { value, u: Some(u) })
}

fn make(stages: Value, outside: &str) -> Compiled {
    compiled(
        json!({"pipeline": stages, "input_unit": "mV", "output_unit": "mV", "domain": {"outside": outside}}),
    )
}

/// WEc = (WEu - WEe) - nT (AEu - AEe), the first algorithm of Alphasense's application note 803, on a
/// factor between the table's temperatures.
#[test]
fn corrects_the_working_electrode_by_the_auxiliary_ones_temperature_factor() {
    let (temperatures, factors) = factors("nT");
    assert_eq!((temperatures.len(), factors[0], factors[8]), (9, 1.3, -1.5));
    let minus: Vec<f64> = factors.iter().map(|n| -n).collect();
    let it = make(
        json!([
            {"kind": "offset", "offset": -220},
            {"kind": "covariate_table", "covariate": "temperature", "x": temperatures, "y": minus,
                "times": "auxiliary"},
            // what the auxiliary electrode reads without gas goes back
            {"kind": "covariate_table", "covariate": "temperature", "x": temperatures,
                "y": factors.iter().map(|n| n * 230.0).collect::<Vec<f64>>()},
        ]),
        "flag",
    );
    assert_eq!(it.covariates(), ["temperature", "auxiliary"]);
    let around = [known(36.7, 0.5), known(206.0, 2.0)];
    let out = it.apply(&Input { raw: 221.0, u_raw: Some(1.0), covariates: &around, age_days: 0.0 });
    let n = 0.4 + 0.67 * (0.2 - 0.4);
    assert!((out.value.unwrap() - (1.0 - n * (206.0 - 230.0))).abs() < 1e-11);
    // the temperature acts through both tables: -0.02 per Cel times the difference
    let expected = (1.0f64 + (0.02 * (206.0 - 230.0) * 0.5f64).powi(2) + (n * 2.0).powi(2)).sqrt();
    assert!((out.u.unwrap() - expected).abs() < 1e-12);
    assert_eq!(out.state, State::Valid);
}

#[test]
fn multiplies_or_adds_and_is_marked_beyond_its_table() {
    let stage = |operation: &str| {
        json!([{"kind": "covariate_table", "covariate": "t", "x": [0, 10], "y": [1, 2], "operation": operation,
            "u": [0.3, 0.4]}])
    };
    let apply = |operation: &str, outside: &str, t: f64| {
        let around = [known(t, 0.0)];
        make(stage(operation), outside).apply(&Input {
            raw: 4.0,
            u_raw: None,
            covariates: &around,
            age_days: 0.0,
        })
    };
    let (added, multiplied) = (apply("add", "flag", 5.0), apply("multiply", "flag", 5.0));
    assert_eq!((added.value, multiplied.value), (Some(5.5), Some(6.0)));
    assert!((added.u.unwrap() - 0.25).abs() < 1e-15, "stated, and by the weights of the line");
    assert!((multiplied.u.unwrap() - 1.0).abs() < 1e-15);
    let beyond = apply("multiply", "flag", 15.0);
    assert_eq!((beyond.value, beyond.state), (Some(10.0), State::Suspect));
    assert_eq!(apply("multiply", "clamp", 15.0).value, Some(8.0));
    assert_eq!(apply("multiply", "reject", 15.0).value, None);
}

#[test]
fn a_polynomial_corrects_around_its_reference() {
    let stage = |operation: Value| {
        json!([{"kind": "covariate_polynomial", "covariate": "t", "reference": 20.0, "coefficients": [0.1, 0.01],
            "operation": operation, "covariance": [[1e-4, 2e-5], [2e-5, 1e-4]]}])
    };
    let apply = |operation: Value, t: f64, u: f64| {
        let around = [known(t, u)];
        make(stage(operation), "flag").apply(&Input {
            raw: 4.0,
            u_raw: None,
            covariates: &around,
            age_days: 0.0,
        })
    };
    assert_eq!(apply(json!("add"), 20.0, 0.0).value, Some(4.0));
    let (added, multiplied) = (apply(json!("add"), 22.0, 0.5), apply(json!("multiply"), 22.0, 0.5));
    assert!((added.value.unwrap() - 4.24).abs() < 1e-14);
    assert!((multiplied.value.unwrap() - 4.0 * 1.24).abs() < 1e-14);
    // p' = 0.1 + 2 0.01 2; (2, 4) S (2, 4)'
    let u = ((0.14f64 * 0.5).powi(2) + 4e-4 + 16e-4 + 2.0 * 8.0 * 2e-5).sqrt();
    assert!((added.u.unwrap() - u).abs() < 1e-14);
    assert!((multiplied.u.unwrap() - 4.0 * u).abs() < 1e-14);
}

#[test]
fn refuses_what_corrects_nothing_known() {
    let cases = [
        (json!({"kind": "covariate_table", "covariate": "", "x": [0, 1], "y": [0, 1]}), "covariate"),
        (
            json!({"kind": "covariate_table", "covariate": "t", "x": [0, 1], "y": [0, 1], "times": " "}),
            "times",
        ),
        (json!({"kind": "covariate_table", "covariate": "t", "x": [1, 0], "y": [0, 1]}), "x[1]"),
        (json!({"kind": "covariate_table", "covariate": "t", "x": [0, 1], "y": [0, 1], "u": [1]}), "u"),
        (
            json!({"kind": "covariate_polynomial", "covariate": "t", "reference": 0, "coefficients": []}),
            "coefficients",
        ),
        (
            json!({"kind": "covariate_polynomial", "covariate": "t", "reference": 0, "coefficients": [1],
                "covariance": [[-1]]}),
            "covariance",
        ),
    ];
    for (stage, path) in cases {
        assert_eq!(refused(json!({"pipeline": [stage]})).path, format!("pipeline[0].{path}"));
    }
}
