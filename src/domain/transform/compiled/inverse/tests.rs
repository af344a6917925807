use proptest::prelude::*;
use serde_json::{Value, json};

use crate::domain::transform::testing::compiled;
use crate::domain::transform::{Compiled, Covariate, Input};

fn make(pipeline: Value, domain: Value) -> Compiled {
    compiled(json!({"pipeline": pipeline, "domain": domain}))
}

fn value(it: &Compiled, raw: f64, covariates: &[Option<Covariate>]) -> f64 {
    it.apply(&Input { raw, u_raw: None, covariates, age_days: 0.0 }).value.unwrap()
}

#[test]
fn goes_back_by_formula_without_a_range() {
    let it =
        make(json!([{"kind": "affine", "offset": 1, "gain": 2}, {"kind": "offset", "offset": 3}]), json!({}));
    assert_eq!(it.inverse(14.0, &[]), Some(5.0));
    assert_eq!(it.inverse(f64::NAN, &[]), None);
    let bent = make(json!([{"kind": "polynomial", "coefficients": [0, 1, 1]}]), json!({}));
    assert_eq!(bent.inverse(2.0, &[]), None, "two readings give it, and no range tells which");
}

#[test]
fn searches_the_range_where_the_value_only_rises_or_falls() {
    let bent = |low: f64| {
        make(json!([{"kind": "polynomial", "coefficients": [0, 1, 1]}]), json!({"input": [low, 9]}))
    };
    let found = bent(0.0).inverse(2.0, &[]).unwrap();
    assert!((found - 1.0).abs() < 1e-14);
    assert_eq!(bent(0.0).inverse(90.0, &[]), Some(9.0));
    assert_eq!(bent(0.0).inverse(91.0, &[]), None);
    assert_eq!(bent(0.0).inverse(-0.1, &[]), None);
    assert_eq!(bent(-9.0).inverse(2.0, &[]), None);
    let square = make(json!([{"kind": "power", "parameters": [1, 2]}]), json!({"input": [-9, -1]}));
    assert_eq!(square.inverse(4.0, &[]), Some(-2.0));
    let line = make(json!([{"kind": "affine", "offset": 0, "gain": 2}]), json!({"input": [0, 9]}));
    assert_eq!(line.inverse(18.000_001, &[]), None);
    assert_eq!(line.inverse(18.0, &[]), Some(9.0));
}

#[test]
fn needs_the_covariates_that_the_stages_need() {
    let it = make(
        json!([{"kind": "multilinear", "offset": 0, "gain": 2, "terms": [{"covariate": "t", "gain": 3}]}]),
        json!({"covariates": {"h": [0, 1]}}),
    );
    let t = Some(Covariate { value: 5.0, u: None });
    assert_eq!(it.inverse(17.0, &[None, t]), Some(1.0));
    assert_eq!(it.inverse(17.0, &[t, None]), None);
}

proptest! {
    #[test]
    fn applied_again_it_gives_the_value(
        at in 0.0..1.0f64, t in -2.0..2.0f64, slopes in proptest::collection::vec(0.1..2.0f64, 4),
        cubic in any::<bool>(),
    ) {
        let heights: Vec<f64> = slopes.iter().scan(-2.0, |sum, step| { *sum += step; Some(*sum) }).collect();
        let middle = if cubic {
            json!({"kind": "polynomial", "coefficients": [0.5, 1.1, 0.01, 0.02]})
        } else {
            json!({"kind": "pchip", "x": [-20, -1, 3, 20], "y": heights})
        };
        let it = make(
            json!([
                {"kind": "covariate_table", "covariate": "t", "x": [-2, 0, 2], "y": [1.5, 1, 0.8],
                    "operation": "multiply"},
                middle,
                {"kind": "table", "x": [-100, 0, 1, 100], "y": [80, -1, -2, -100]},
            ]),
            json!({"input": [-8, 8]}),
        );
        let around = [Some(Covariate { value: t, u: None })];
        let y = value(&it, -8.0 + 16.0 * at, &around);
        let x = it.inverse(y, &around).unwrap();
        prop_assert!((value(&it, x, &around) - y).abs() <= 1e-9 * y.abs().max(1.0));
        prop_assert!((x - (-8.0 + 16.0 * at)).abs() < 1e-6);
    }
}
