//! Tests that the curved stages share: derivatives against differences, inverses, refusals.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::stage::{Around, Known, Local, Roles, Stage, StageSpec, compile, parse};
use super::testing::{compiled, refused};
use crate::domain::quality::State;
use crate::domain::transform::Input;

/// A stage of this kind; `above` of a rational's parameters stand above the line.
fn spec(kind: &str, parameters: &[f64], above: usize, covariance: Option<Vec<Vec<f64>>>) -> StageSpec {
    let fields = match kind {
        "rational" => {
            json!({"kind": kind, "numerator": parameters[..above], "denominator": parameters[above..]})
        }
        _ => json!({"kind": kind, "parameters": parameters}),
    };
    let mut fields = fields;
    if let Some(matrix) = covariance {
        fields["covariance"] = json!(matrix);
    }
    parse(&fields, "pipeline[0]").unwrap()
}

fn stage(spec: &StageSpec) -> Stage {
    compile(spec, Known::AsStated, "pipeline[0]", &mut Roles::default()).unwrap().0
}

fn at(spec: &StageSpec, x: f64) -> Local {
    stage(spec).at(x, &Around { covariates: &[], hold: false })
}

/// A central difference, improved once (Richardson), with a step relative to `scale`.
fn derivative(f: impl Fn(f64) -> f64, x: f64, scale: f64) -> f64 {
    let central = |h: f64| (f(x + h) - f(x - h)) / (2.0 * h);
    let h = scale * 2f64.powi(-9);
    (4.0 * central(h / 2.0) - central(h)) / 3.0
}

/// Slope and gradient at `x` against differences.
fn check(kind: &str, parameters: &[f64], above: usize, x: f64) -> Result<(), TestCaseError> {
    let plain = |parameters: &[f64]| spec(kind, parameters, above, None);
    let here = at(&plain(parameters), x);
    let near = |found: f64, expected: f64, size: f64| (found - expected).abs() <= 1e-7 * size.abs();
    let slope = derivative(|x| at(&plain(parameters), x).value, x, x.abs());
    prop_assert!(near(here.slope, slope, slope.abs() + (here.value / x).abs()), "{} {slope}", here.slope);
    for place in 0..parameters.len() {
        let moved = |value: f64| {
            let mut moved = parameters.to_vec();
            moved[place] = value;
            at(&plain(&moved), x).value
        };
        let p = parameters[place];
        let expected = derivative(moved, p, p.abs());
        let mut covariance = vec![vec![0.0; parameters.len()]; parameters.len()];
        covariance[place][place] = 1.0;
        let variance = at(&spec(kind, parameters, above, Some(covariance)), x).variance;
        let size = expected.abs() + (here.value / p).abs();
        prop_assert!(near(variance.sqrt(), expected.abs(), size), "{place}: {variance} {expected}");
    }
    Ok(())
}

fn signed(range: std::ops::Range<f64>) -> impl Strategy<Value = f64> {
    (range, any::<bool>()).prop_map(|(value, minus)| if minus { -value } else { value })
}

/// Inverse of the value is the input, to within what the slope lets through.
fn turn(kind: &str, parameters: &[f64], x: f64) -> Result<(), TestCaseError> {
    let stage = stage(&spec(kind, parameters, 0, None));
    let around = Around { covariates: &[], hold: false };
    let there = stage.at(x, &around);
    let back = match &stage {
        Stage::Exponential(stage) => stage.invert(there.value),
        Stage::Saturation(stage) => stage.invert(there.value),
        Stage::Power(stage) => stage.invert(there.value),
        Stage::Logistic(stage) => stage.invert(there.value),
        _ => None,
    };
    let size = parameters.iter().fold(there.value.abs(), |size, p| size.max(p.abs()));
    let lost = 1e-14 * (x.abs() + size / there.slope.abs());
    prop_assert!((back.unwrap() - x).abs() <= lost, "{back:?} {x}");
    Ok(())
}

proptest! {
    #[test]
    fn derivatives_are_those_of_differences(
        a in signed(0.1..10.0), b in signed(0.1..3.0), c in signed(0.1..3.0), x in signed(0.05..3.0),
    ) {
        check("exponential", &[a, b, c], 0, x)?;
        check("saturation", &[a, b], 0, x)?;
        check("logistic", &[a, b, c], 0, x)?;
        check("power", &[a, b], 0, x.abs())?;
    }

    #[test]
    fn derivatives_of_rationals_are_those_of_differences(
        above in proptest::collection::vec(signed(0.1..5.0), 1..6),
        below in proptest::collection::vec(0.01..2.0f64, 1..6),
        x in 0.05..2.0f64,
    ) {
        let parameters: Vec<f64> = above.iter().chain(&below).copied().collect();
        // more coefficients than one block of the covariance's factor, too
        check("rational", &parameters, above.len(), x)?;
    }

    #[test]
    fn inverses_lead_back(
        a in signed(0.1..10.0), b in signed(0.1..3.0), c in signed(0.1..3.0), x in signed(0.05..3.0),
    ) {
        turn("exponential", &[a, b, c], x)?;
        turn("saturation", &[a, b], x)?;
        turn("logistic", &[a, b, c], x)?;
        turn("power", &[a, b], x.abs())?;
    }

    #[test]
    fn no_numbers_make_them_panic(values in proptest::collection::vec(any::<f64>(), 5)) {
        for kind in ["exponential", "saturation", "power", "logistic", "rational"] {
            let count = if matches!(kind, "saturation" | "power") { 2 } else { 3 };
            if values[..4].iter().all(|value| value.is_finite() && *value != 0.0) {
                let covariance = vec![vec![0.0; count]; count];
                at(&spec(kind, &values[..count], 2, Some(covariance)), values[4]);
            }
        }
    }
}

#[test]
fn an_odd_power_is_inverted_below_zero_and_an_even_one_above() {
    let invert = |parameters: &[f64], y: f64| match stage(&spec("power", parameters, 0, None)) {
        Stage::Power(stage) => stage.invert(y),
        _ => None,
    };
    assert_eq!(invert(&[2.0, 3.0], -16.0).map(f64::round), Some(-2.0));
    assert_eq!(invert(&[2.0, 2.0], 8.0), Some(2.0));
    assert_eq!(invert(&[2.0, 2.0], -8.0), None);
}

#[test]
fn values_have_all_digits_where_terms_cancel_or_overflow() {
    // b x = 1e-12: 1 - (1 - 1e-12) would keep four digits
    assert_eq!(at(&spec("saturation", &[1e12, 1e-12], 0, None), 1.0).value, 0.9999999999995);
    // e^1000 overflows, the value doesn't
    let low = at(&spec("logistic", &[5.0, 1000.0, 1.0], 0, None), 0.0);
    assert_eq!((low.value, low.slope), (0.0, 0.0));
    let high = at(&spec("logistic", &[5.0, 1.0, 1.0], 0, Some(vec![vec![1.0; 3]; 3])), 1e300);
    assert_eq!((high.value, high.slope, high.variance), (5.0, 0.0, 1.0));
    assert_eq!(at(&spec("exponential", &[5.0, 1.0, -1.0], 0, None), 1e300).value, 5.0);
}

/// What a transform with this single stage makes of a reading.
fn apply(fields: Value, raw: f64) -> (Option<f64>, State) {
    let input = Input { raw, u_raw: Some(0.1), covariates: &[], age_days: 0.0 };
    let out = compiled(json!({ "pipeline": [fields] })).apply(&input);
    (out.value, out.state)
}

#[test]
fn no_value_where_the_formula_has_none() {
    let rational = json!({"kind": "rational", "numerator": [1.0], "denominator": [-0.5]});
    assert_eq!(apply(rational.clone(), 2.0), (None, State::Invalid));
    assert_eq!(apply(rational, 1.0), (Some(2.0), State::Valid));
    let root = json!({"kind": "power", "parameters": [1.0, 0.5]});
    assert_eq!(apply(root.clone(), -4.0), (None, State::Invalid));
    assert_eq!(apply(root, 4.0), (Some(2.0), State::Valid));
    let inverse = json!({"kind": "power", "parameters": [1.0, -1.0]});
    assert_eq!(apply(inverse, 0.0), (None, State::Invalid));
    let square = json!({"kind": "power", "parameters": [2.0, 2.0]});
    assert_eq!(apply(square.clone(), 0.0), (Some(0.0), State::Valid));
    assert_eq!(apply(square, -3.0), (Some(18.0), State::Valid));
    let growth = json!({"kind": "exponential", "parameters": [0.0, 1.0, 1.0]});
    assert_eq!(apply(growth, 1e4), (None, State::Invalid));
}

#[test]
fn constants_and_wrong_shapes_are_refused_with_their_field() {
    for (fields, path) in [
        (json!({"kind": "exponential", "parameters": [1.0, 0.0, 1.0]}), "parameters[1]"),
        (json!({"kind": "exponential", "parameters": [1.0, 1.0, 0.0]}), "parameters[2]"),
        (json!({"kind": "saturation", "parameters": [0.0, 1.0]}), "parameters[0]"),
        (json!({"kind": "saturation", "parameters": [1.0, 0.0]}), "parameters[1]"),
        (json!({"kind": "power", "parameters": [0.0, 1.0]}), "parameters[0]"),
        (json!({"kind": "power", "parameters": [1.0, 0.0]}), "parameters[1]"),
        (json!({"kind": "logistic", "parameters": [0.0, 1.0, 1.0]}), "parameters[0]"),
        (json!({"kind": "logistic", "parameters": [1.0, 1.0, 0.0]}), "parameters[2]"),
        (json!({"kind": "rational", "numerator": [0.0], "denominator": [1.0]}), "numerator"),
        (json!({"kind": "rational", "numerator": [2.0, 6.0], "denominator": [3.0]}), "numerator"),
        (json!({"kind": "rational", "numerator": [1.0], "denominator": []}), "denominator"),
        (json!({"kind": "rational", "numerator": [], "denominator": [1.0]}), "numerator"),
        (json!({"kind": "power", "parameters": [1.0, 2.0], "covariance": [[1.0]]}), "covariance"),
    ] {
        let error = refused(json!({ "pipeline": [fields.clone()] }));
        assert_eq!(error.path, format!("pipeline[0].{path}"), "{fields}");
    }
}
