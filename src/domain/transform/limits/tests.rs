use serde_json::{Value, json};

use super::super::testing::compiled;
use super::*;

fn make(pipeline: Value) -> Compiled {
    compiled(json!({"pipeline": pipeline, "domain": {"input": [0, 100]}}))
}

fn line(offset: f64, gain: f64) -> Value {
    json!({"kind": "affine", "offset": offset, "gain": gain})
}

fn close(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 1e-9 * expected.max(1.0))
}

#[test]
fn finds_the_largest_step_at_an_end_or_between() {
    let old = make(json!([line(0.0, 1.0)]));
    assert!(close(max_step(&make(json!([line(1.0, 1.02)])), Some(&old)), 3.0));
    // x + 0.01 x (100 - x) differs most at 50, between two places looked at
    let bow = make(json!([{"kind": "polynomial", "coefficients": [0, 2, -0.01]}]));
    assert!(close(max_step(&bow, Some(&old)), 25.0));
    assert!(close(max_step(&old, Some(&old)), 0.0));
}

#[test]
fn a_narrow_spike_in_a_table_does_not_hide() {
    let spike = json!({"kind": "table", "x": [0, 50.0001, 50.0002, 50.0003, 100],
        "y": [0, 50.0001, 950.0, 50.0003, 100]});
    let old = make(json!([line(0.0, 1.0)]));
    assert!(close(max_step(&make(json!([spike])), Some(&old)), 950.0 - 50.0002));
    // nor behind another stage, falling or rising, nor in the old one
    let behind = make(json!([line(100.0, -1.0), spike, line(100.0, -1.0)]));
    assert!(close(max_step(&behind, Some(&old)), 950.0 - 50.0002));
    assert!(close(max_step(&old, Some(&behind)), 950.0 - 50.0002));
    assert!(!is_monotone(&make(json!([line(100.0, -1.0), spike]))));
}

#[test]
fn what_is_too_intricate_to_check_is_within_no_limit() {
    let points: Vec<f64> = (0..4096).map(f64::from).collect();
    let folds: Vec<f64> = (0..4096).map(|i| f64::from(i % 2) * 4095.0).collect();
    let zigzag = json!({"kind": "table", "x": points, "y": folds});
    let old = make(json!([line(0.0, 1.0)]));
    let folded = compiled(json!({
        "pipeline": [zigzag, zigzag], "domain": {"input": [0, 4095]}, "limits": {"max_step": 1e9},
    }));
    assert_eq!(max_step(&folded, Some(&old)), Some(f64::INFINITY));
    assert_eq!(
        max_step(&old, Some(&compiled(json!({"pipeline": [zigzag]})))).map(f64::is_finite),
        Some(true)
    );
    assert!(folded.within_limits(Some(&old)).is_err() && !is_monotone(&folded));
}

#[test]
fn units_are_converted_before_comparing() {
    let old = make(json!([line(0.0, 1.0)]));
    let micro = compiled(json!({
        "pipeline": [line(0.0, 1010.0)], "domain": {"input": [0, 100]}, "output_unit": "ug/m3",
    }));
    assert!(close(max_step(&micro, Some(&old)), 1000.0));
    let amperes = compiled(json!({
        "pipeline": [line(0.0, 1001.0)], "domain": {"input": [0, 0.1]}, "input_unit": "uA",
    }));
    assert!(close(max_step(&amperes, Some(&old)), 0.1));
    let other = compiled(json!({"pipeline": [line(0.0, 1.0)], "output_unit": "Pa"}));
    assert_eq!(max_step(&old, Some(&other)), None);
}

#[test]
fn without_an_old_one_the_raw_reading_is_compared_where_it_has_the_unit() {
    let same = compiled(json!({
        "pipeline": [{"kind": "offset", "offset": -2}], "domain": {"input": [0, 100]}, "output_unit": "nA",
    }));
    assert!(close(max_step(&same, None), 2.0));
    assert_eq!(max_step(&make(json!([line(0.0, 1.0)])), None), None);
    assert_eq!(max_step(&compiled(json!({"pipeline": [line(0.0, 1.0)]})), None), None, "no range");
}

#[test]
fn tells_monotone_from_not() {
    let polynomial = |c: Value| make(json!([{"kind": "polynomial", "coefficients": c}]));
    assert!(is_monotone(&make(json!([line(0.0, -1.0)]))));
    assert!(is_monotone(&polynomial(json!([-125_000.0, 7500.0, -150.0, 1.0]))), "(x - 50)^3 is flat once");
    assert!(is_monotone(&polynomial(json!([0, 200, -1]))), "its top is at the end");
    assert!(!is_monotone(&polynomial(json!([0, 190, -1]))));
    assert!(!is_monotone(&make(json!([{"kind": "table", "x": [0, 1, 1.001, 100], "y": [0, 1, 0.9, 100]}]))));
    assert!(!is_monotone(&compiled(json!({"pipeline": [line(0.0, 1.0)]}))), "no range");
}

/// y = x (1 + 0.01 t) or y = x (1 + 0.01 t + 0.01 h + ...), each from -10 to 10.
fn leaning(gains: &[f64], domain: Value) -> Compiled {
    let stages: Vec<Value> = gains
        .iter()
        .enumerate()
        .map(|(at, gain)| {
            json!({"kind": "covariate_polynomial", "covariate": format!("c{at}"), "reference": 0.0,
                "coefficients": [gain], "operation": "multiply"})
        })
        .collect();
    let mut all = json!({"input": [0, 100]});
    domain.as_object().unwrap().iter().for_each(|(name, value)| all[name] = value.clone());
    compiled(json!({"pipeline": stages, "domain": all, "output_unit": "nA", "limits": {"max_step": 25.0}}))
}

#[test]
fn a_step_is_looked_for_at_every_corner_of_the_covariates_ranges() {
    let ranges = json!({"covariates": {"c0": [-10, 10], "c1": [0, 20], "unused": [0, 1]}});
    // 100 (1.1 1.1) - 100
    let it = leaning(&[0.01, 0.005], ranges.clone());
    assert!(close(max_step(&it, None), 21.0));
    assert_eq!(it.within_limits(None), Ok(()));
    // against one that leans the other way: 1.21 against 0.9
    assert!(close(max_step(&it, Some(&leaning(&[-0.01], ranges.clone()))), 31.0));
    // the old one's range serves where the new one states none
    let straight = compiled(json!({"pipeline": [], "domain": {"input": [0, 100]}, "output_unit": "nA"}));
    assert!(close(max_step(&straight, Some(&leaning(&[0.03], ranges))), 30.0));
}

#[test]
fn a_covariate_without_a_range_holds_no_limit() {
    let it = leaning(&[0.01], json!({}));
    assert_eq!(max_step(&it, None), Some(f64::INFINITY));
    assert!(it.within_limits(None).is_err() && !is_monotone(&it));
    let many: Vec<f64> = vec![0.001; 6];
    let ranges = |count: usize| -> Value {
        (0..count).map(|at| (format!("c{at}"), json!([-10, 10]))).collect::<serde_json::Map<_, _>>().into()
    };
    assert_eq!(max_step(&leaning(&many, json!({"covariates": ranges(5)})), None), Some(f64::INFINITY));
    // six covariates: the centres and each one's ends
    assert!(close(max_step(&leaning(&many, json!({"covariates": ranges(6)})), None), 1.0));
}

#[test]
fn monotone_means_under_all_covariates_and_in_one_direction() {
    let monotone = |gain: f64| is_monotone(&leaning(&[gain], json!({"covariates": {"c0": [-10, 10]}})));
    assert!(monotone(0.09));
    assert!(!monotone(0.11), "it falls in the cold");
}

#[test]
fn corners_of_a_pchip_are_looked_at() {
    let bump = json!({"kind": "pchip", "x": [0, 50.0001, 50.0002, 50.0003, 100], "y": [0, 50.0001, 950.0, 50.0003, 100]});
    let old = make(json!([line(0.0, 1.0)]));
    assert!(close(max_step(&make(json!([bump])), Some(&old)), 950.0 - 50.0002));
    assert!(!is_monotone(&make(json!([bump]))));
}

#[test]
fn holds_a_transform_to_its_own_limits() {
    let limited = |gain: f64, limits: Value| {
        compiled(json!({"pipeline": [line(0.0, gain)], "domain": {"input": [0, 100]}, "limits": limits}))
    };
    let old = limited(1.0, json!({}));
    let step = limited(1.03, json!({"max_step": 2.5}));
    assert!(matches!(step.within_limits(Some(&old)), Err(LimitError::Step { max: 2.5, .. })));
    assert_eq!(step.within_limits(None), Ok(()), "nA and mg/m3: nothing to compare with");
    assert_eq!(limited(1.02, json!({"max_step": 2.5})).within_limits(Some(&old)), Ok(()));
    let other = compiled(json!({"pipeline": [line(0.0, 1.0)], "output_unit": "Pa"}));
    assert_eq!(step.within_limits(Some(&other)), Err(LimitError::Incomparable));
    let bent = compiled(json!({
        "pipeline": [{"kind": "polynomial", "coefficients": [0, 50, -1]}], "domain": {"input": [0, 100]},
        "limits": {"monotone": true},
    }));
    assert_eq!(bent.within_limits(None), Err(LimitError::NotMonotone));
}
