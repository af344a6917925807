use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// One stage of each kind, with the range of inputs over which it has values and no pole.
fn examples() -> Vec<(Value, [f64; 2])> {
    let factors = json!({"covariate": "c0", "x": [-2, -0.5, 0.4, 2], "y": [0.7, 1.1, 0.9, 1.4]});
    let with = |base: &Value, fields: Value| {
        let mut out = base.clone();
        fields.as_object().unwrap().iter().for_each(|(name, value)| out[name] = value.clone());
        out
    };
    let curve = json!({"x": [-5, -2, -1, 0.5, 5], "y": [-3, -2.5, 0, 1, 4]});
    let polynomial = json!({"kind": "covariate_polynomial", "covariate": "c0", "reference": 0.2,
        "coefficients": [0.2, -0.05, 0.01]});
    let electrode = json!({"kind": "nernst", "potential": 1, "at": 2, "charge": -1, "efficiency": 0.9});
    let steps = json!({"x": [-2, -0.5, 1, 3]});
    vec![
        (json!({"kind": "offset", "offset": 1.5}), [-9.0, 9.0]),
        (json!({"kind": "affine", "offset": 1.5, "gain": -0.7}), [-9.0, 9.0]),
        (json!({"kind": "polynomial", "coefficients": [1, -2, 0.5, 0.1]}), [-4.0, 4.0]),
        (with(&curve, json!({"kind": "table"})), [-7.0, 7.0]),
        (with(&curve, json!({"kind": "pchip"})), [-7.0, 7.0]),
        (
            json!({"kind": "multilinear", "offset": 1, "gain": -2, "terms": [{"covariate": "c0", "gain": 3},
                {"covariate": "c1", "gain": -1}]}),
            [-9.0, 9.0],
        ),
        (json!({"kind": "steinhart_hart", "coefficients": [1.13e-3, 2.34e-4, 8.8e-8]}), [50.0, 5e5]),
        (json!({"kind": "steinhart_hart", "coefficients": [1.13e-3, 2.34e-4, 0]}), [50.0, 5e5]),
        (
            json!({"kind": "callendar_van_dusen", "r0": 100, "a": 3.9083e-3, "b": -5.775e-7, "c": -4.183e-12}),
            [15.0, 420.0],
        ),
        (polynomial.clone(), [-9.0, 9.0]),
        (with(&polynomial, json!({"operation": "multiply"})), [-9.0, 9.0]),
        (with(&factors, json!({"kind": "covariate_table"})), [-9.0, 9.0]),
        (with(&factors, json!({"kind": "covariate_table", "operation": "multiply"})), [-9.0, 9.0]),
        (with(&factors, json!({"kind": "covariate_table", "times": "c1"})), [-9.0, 9.0]),
        (
            with(&factors, json!({"kind": "covariate_table", "times": "c1", "operation": "multiply"})),
            [-9.0, 9.0],
        ),
        (json!({"kind": "rational", "numerator": [1, -2, 0.5], "denominator": [0.02, 0.03]}), [-4.0, 4.0]),
        (json!({"kind": "exponential", "parameters": [1, -2, 0.3]}), [-9.0, 9.0]),
        (json!({"kind": "saturation", "parameters": [5, 0.3]}), [-9.0, 9.0]),
        (json!({"kind": "power", "parameters": [2, -1.5]}), [0.1, 9.0]),
        (json!({"kind": "logistic", "parameters": [5, 0.5, 0.4]}), [-9.0, 9.0]),
        (json!({"kind": "logarithm", "parameters": [1, -2]}), [1e-3, 1e3]),
        (with(&electrode, json!({"temperature": 20, "output": "activity"})), [-90.0, 90.0]),
        (with(&electrode, json!({"covariate": "c0", "output": "activity"})), [-90.0, 90.0]),
        (with(&electrode, json!({"covariate": "c0", "output": "negative_log10"})), [-90.0, 90.0]),
        (json!({"kind": "unit", "from": "Cel", "to": "K"}), [-9.0, 9.0]),
        (json!({"kind": "platt", "a": -1.3, "b": 0.4}), [-9.0, 9.0]),
        (json!({"kind": "temperature", "temperature": 1.7}), [-9.0, 9.0]),
        (json!({"kind": "temperature", "temperature": 0.6, "logits": ["c0", "c1"]}), [-4.0, 4.0]),
        (json!({"kind": "beta", "a": 0.4, "b": 1.2, "c": -0.6}), [1e-3, 0.999]),
        (with(&steps, json!({"kind": "isotonic", "y": [0.1, 0.3, 0.3, 0.9]})), [-3.0, 4.0]),
        (with(&steps, json!({"kind": "isotonic", "y": [9, 2, 1, -7]})), [-3.0, 4.0]),
        (json!({"kind": "histogram", "edges": [0, 0.2, 0.5, 1], "values": [0.1, 0.9, 0.4]}), [-1.0, 2.0]),
        (
            with(&steps, json!({"kind": "venn_abers", "p0": [0, 0.1, 0.4, 0.6], "p1": [0.2, 0.5, 0.5, 1]})),
            [-3.0, 4.0],
        ),
    ]
}

/// Made to take anything as its input's unit.
fn made(stage: &Value) -> (Stage, usize) {
    let (mut roles, spec) = (Roles::default(), parse(stage, "").unwrap());
    let (stage, _) = compile(&spec, Known::AsStated, "", &mut roles).unwrap();
    // roles come in the order in which the stage names them
    (stage, roles.into_names().len())
}

/// The derivative of `f` at `x`, and how much it bends there.
fn derivative(f: impl Fn(f64) -> f64, x: f64, size: f64) -> (f64, f64) {
    let h = 1e-5 * size;
    let (left, right) = ((f(x) - f(x - h)) / h, (f(x + h) - f(x)) / h);
    ((left + right) / 2.0, (right - left).abs())
}

#[test]
fn there_is_an_example_of_each_kind() {
    let kinds: std::collections::BTreeSet<String> =
        examples().iter().map(|(stage, _)| stage["kind"].as_str().unwrap().to_owned()).collect();
    for kind in KINDS.split(',') {
        assert!(kinds.contains(kind.trim()), "{kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn derivatives_are_those_of_the_values(at in 0.0..1.0f64, c0 in -1.9..1.9f64, c1 in 0.5..2.0f64) {
        for (example, [low, high]) in examples() {
            let (stage, roles) = made(&example);
            let x = low + at * (high - low);
            let covariates = [c0, c1];
            let around = Around { covariates: &covariates, hold: false };
            let local = stage.at(x, &around);
            let value = |x: f64| stage.at(x, &around).value;
            let (slope, bend) = derivative(value, x, (high - low).min(x.abs().max(1e-2)));
            let close = |found: f64, expected: f64, bend: f64| {
                (found - expected).abs() <= 2.0 * bend + 1e-5 * expected.abs().max(1e-3)
            };
            prop_assert!(close(local.slope, slope, bend), "{example} {x}: {} {slope}", local.slope);
            let mut gradient = [0.0; MAX_COVARIATES];
            stage.lean(x, &around, &mut gradient);
            for place in 0..roles {
                let value = |c: f64| {
                    let mut covariates = covariates;
                    covariates[place] = c;
                    stage.at(x, &Around { covariates: &covariates, hold: false }).value
                };
                let (slope, bend) = derivative(value, covariates[place], 1.0);
                prop_assert!(close(gradient[place], slope, bend), "{example} {place}: {} {slope}", gradient[place]);
            }
        }
    }

    #[test]
    fn what_inverts_gives_the_value_back(at in 0.0..1.0f64, c0 in -1.9..1.9f64, c1 in 0.5..2.0f64) {
        for (example, [low, high]) in examples() {
            let (stage, _) = made(&example);
            let around = Around { covariates: &[c0, c1], hold: false };
            let y = stage.at(low + at * (high - low), &around).value;
            match stage.invert(y, &around) {
                Some(x) => {
                    let back = stage.at(x, &around).value;
                    prop_assert!((back - y).abs() <= 1e-10 * y.abs().max(1.0), "{example}: {x} gives {back}, not {y}");
                }
                None => {
                    let several = ["polynomial", "rational", "isotonic", "histogram", "venn_abers"];
                    prop_assert!(several.contains(&example["kind"].as_str().unwrap()), "{example}: {y}");
                }
            }
        }
    }

    #[test]
    fn no_numbers_make_a_stage_panic(x in any::<f64>(), c0 in any::<f64>(), c1 in any::<f64>(), hold in any::<bool>()) {
        for (example, _) in examples() {
            let (stage, _) = made(&example);
            for covariates in [&[c0, c1][..], &[]] {
                let around = Around { covariates, hold };
                let local = stage.at(x, &around);
                prop_assert!(local.value.is_nan() || local.variance.is_nan() || local.variance >= 0.0);
                stage.lean(x, &around, &mut [0.0; MAX_COVARIATES]);
                prop_assert!(stage.invert(x, &around).is_none_or(f64::is_finite));
            }
        }
    }
}
