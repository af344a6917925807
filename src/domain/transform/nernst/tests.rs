use serde_json::{Value, json};

use super::super::testing::{compiled, refused};
use crate::domain::quality::{ReasonCode, Reasons, State};
use crate::domain::transform::{Compiled, Covariate, Input};

fn electrode(fields: Value) -> Compiled {
    let mut stage = json!({"kind": "nernst", "potential": 0, "charge": 1, "output": "negative_log10"});
    fields.as_object().unwrap().iter().for_each(|(name, value)| stage[name] = value.clone());
    compiled(json!({"pipeline": [stage], "input_unit": "mV", "output_unit": "[pH]"}))
}

fn at(raw: f64) -> Input<'static> {
    Input { raw, u_raw: None, covariates: &[], age_days: 0.0 }
}

fn close(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 1e-9)
}

#[test]
fn a_ph_electrode_moves_by_59_16_mv_at_25_degrees() {
    let it = electrode(json!({"at": 7, "temperature": 25}));
    assert!(close(it.apply(&at(0.0)).value, 7.0));
    // R 298.15 K ln 10 / F
    let slope = 59.159_349_685;
    assert!((it.apply(&at(-slope)).value.unwrap() - 8.0).abs() < 1e-8);
    assert!((it.apply(&at(3.0 * slope)).value.unwrap() - 4.0).abs() < 3e-8);
    let tired = electrode(json!({"at": 7, "temperature": 25, "efficiency": 0.95}));
    assert!((tired.apply(&at(-0.95 * slope)).value.unwrap() - 8.0).abs() < 1e-8);
}

#[test]
fn the_charge_gives_slope_and_sign() {
    let calcium = electrode(json!({"charge": 2, "temperature": 25, "potential": 100, "output": "activity"}));
    assert!(close(calcium.apply(&at(100.0)).value, 1.0));
    assert!((calcium.apply(&at(100.0 - 59.159_349_685)).value.unwrap() - 0.01).abs() < 1e-9);
    let fluoride = electrode(json!({"charge": -1, "temperature": 25}));
    assert!((fluoride.apply(&at(2.0 * 59.159_349_685)).value.unwrap() - 2.0).abs() < 1e-8);
}

#[test]
fn the_temperature_may_be_a_covariate() {
    let it = electrode(json!({"at": 7, "covariate": "temperature"}));
    assert_eq!(it.covariates(), ["temperature"]);
    let around = |value: f64| [Some(Covariate { value, u: Some(1.0) })];
    let apply = |raw: f64, t: f64| it.apply(&Input { covariates: &around(t), ..at(raw) });
    // 54.199 mV at 0 Cel, 74.041 mV at 100 Cel
    assert!((apply(-54.198_814, 0.0).value.unwrap() - 8.0).abs() < 2e-6);
    assert!((apply(-74.040_957, 100.0).value.unwrap() - 8.0).abs() < 1e-5);
    assert!(close(apply(0.0, 50.0).value, 7.0), "nothing changes at the isopotential point");
    let out = apply(-100.0, 25.0);
    assert_eq!(out.state, State::Valid);
    let missing = it.apply(&at(-100.0));
    assert_eq!((missing.value, missing.state), (None, State::Invalid));
    assert_eq!(missing.reasons, Reasons::of(ReasonCode::CovariateMissing));
    assert_eq!(apply(-100.0, -273.15).value, None);
}

#[test]
fn potential_efficiency_and_temperature_propagate() {
    for output in ["negative_log10", "activity"] {
        let make = |potential: f64, efficiency: f64, covariance: Value| {
            let stage = json!({"kind": "nernst", "potential": potential, "at": 2, "charge": -2, "efficiency": efficiency,
                "covariate": "t", "output": output, "covariance": covariance});
            compiled(json!({"pipeline": [stage], "input_unit": "mV", "output_unit": "1"}))
        };
        let value = |potential: f64, efficiency: f64, t: f64| {
            let around = [Some(Covariate { value: t, u: None })];
            make(potential, efficiency, Value::Null)
                .apply(&Input { covariates: &around, ..at(40.0) })
                .value
                .unwrap()
        };
        let slopes = [
            (value(10.001, 0.9, 30.0) - value(9.999, 0.9, 30.0)) / 0.002,
            (value(10.0, 0.9001, 30.0) - value(10.0, 0.8999, 30.0)) / 0.0002,
            (value(10.0, 0.9, 30.01) - value(10.0, 0.9, 29.99)) / 0.02,
        ];
        let expected = (slopes[0].powi(2)
            + 2.0 * 0.005 * slopes[0] * slopes[1]
            + slopes[1].powi(2) * 1e-4
            + slopes[2].powi(2) * 0.25)
            .sqrt();
        let around = [Some(Covariate { value: 30.0, u: Some(0.5) })];
        let it = make(10.0, 0.9, json!([[1, 0.005], [0.005, 1e-4]]));
        let u = it.apply(&Input { covariates: &around, ..at(40.0) }).u.unwrap();
        assert!((u / expected - 1.0).abs() < 1e-6, "{output}: {u} {expected}");
    }
}

#[test]
fn refuses_what_is_no_electrode() {
    let cases = [
        (json!({"charge": 0, "temperature": 25}), "pipeline[0].charge"),
        (json!({"charge": 1}), "pipeline[0].temperature"),
        (json!({"charge": 1, "temperature": 25, "covariate": "t"}), "pipeline[0].temperature"),
        (json!({"charge": 1, "temperature": 25, "efficiency": 0}), "pipeline[0].efficiency"),
        (json!({"charge": 1, "covariate": " "}), "pipeline[0].covariate"),
    ];
    for (mut stage, path) in cases {
        stage["kind"] = json!("nernst");
        stage["potential"] = json!(0);
        stage["output"] = json!("activity");
        assert_eq!(refused(json!({"pipeline": [stage], "input_unit": "mV"})).path, path);
        assert_eq!(refused(json!({"pipeline": [stage], "input_unit": "V"})).path, "pipeline[0]");
    }
}
