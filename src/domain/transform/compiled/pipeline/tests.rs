use serde_json::{Value, json};

use crate::domain::quality::{ReasonCode, Reasons, State};
use crate::domain::transform::limits::{is_monotone, max_step};
use crate::domain::transform::testing::{compiled, refused};
use crate::domain::transform::{Compiled, Covariate, Input};

fn line(gain: f64) -> Value {
    json!([{"kind": "affine", "offset": 0, "gain": gain}])
}

/// Gains 2 in the cold, 3 from 20 on, 5 where it is humid, else 1.
fn branched(domain: Value) -> Compiled {
    compiled(json!({
        "pipeline": line(1.0),
        "cohorts": [
            {"name": "cold", "when": {"covariate": "t", "below": 0}, "pipeline": line(2.0)},
            {"name": "named only", "when": {"covariate": "t", "below": 5}, "pipeline": []},
            {"name": "warm", "when": {"covariate": "t", "above": 20}, "pipeline": line(3.0)},
            {"name": "humid", "when": {"covariate": "h", "above": 80}, "pipeline": line(5.0)},
        ],
        "domain": domain,
    }))
}

fn around(t: Option<f64>, h: Option<f64>) -> [Option<Covariate>; 2] {
    [t, h].map(|value| value.map(|value| Covariate { value, u: None }))
}

fn apply(it: &Compiled, t: Option<f64>, h: Option<f64>) -> (Option<f64>, State, Reasons) {
    let out = it.apply(&Input { raw: 10.0, u_raw: None, covariates: &around(t, h), age_days: 0.0 });
    (out.value, out.state, out.reasons)
}

#[test]
fn the_first_cohort_that_fits_gives_the_stages() {
    let it = branched(json!({}));
    assert_eq!(it.covariates(), ["t", "h"]);
    let cases =
        [(-0.1, 90.0, 20.0), (0.0, 90.0, 50.0), (3.0, 10.0, 10.0), (19.9, 79.9, 10.0), (20.0, 90.0, 30.0)];
    for (t, h, value) in cases {
        assert_eq!(apply(&it, Some(t), Some(h)), (Some(value), State::Valid, Reasons::NONE), "{t} {h}");
        assert_eq!(it.inverse(value, &around(Some(t), Some(h))), Some(10.0));
    }
}

#[test]
fn without_the_covariate_that_chooses_the_common_stages_are_suspect() {
    let it = branched(json!({}));
    let suspect = (Some(10.0), State::Suspect, Reasons::of(ReasonCode::CovariateMissing));
    assert_eq!(apply(&it, None, Some(90.0)), suspect);
    assert_eq!(apply(&it, Some(f64::NAN), Some(90.0)), suspect);
    assert_eq!(apply(&it, Some(10.0), None), suspect);
    assert_eq!(apply(&it, Some(-1.0), None), (Some(20.0), State::Valid, Reasons::NONE), "decided before");
}

#[test]
fn a_cohort_may_need_covariates_that_others_do_not() {
    let it = compiled(json!({
        "pipeline": line(1.0),
        "cohorts": [{"name": "cold", "when": {"covariate": "t", "below": 0},
            "pipeline": [{"kind": "multilinear", "offset": 0, "gain": 2, "terms": [{"covariate": "h", "gain": 1}]}]}],
        "uncertainty": {"residual_std": 3},
    }));
    assert_eq!(apply(&it, Some(5.0), None), (Some(10.0), State::Valid, Reasons::NONE));
    assert_eq!(apply(&it, Some(-5.0), Some(7.0)).0, Some(27.0));
    let missing = (None, State::Invalid, Reasons::of(ReasonCode::CovariateMissing));
    assert_eq!(apply(&it, Some(-5.0), None), missing);
    let humid = [Some(Covariate { value: -5.0, u: Some(9.0) }), Some(Covariate { value: 7.0, u: Some(4.0) })];
    let input = Input { raw: 10.0, u_raw: None, covariates: &humid, age_days: 0.0 };
    let out = it.expanded(&input, 0.95).unwrap();
    assert!((out.u - 5.0).abs() < 1e-12 && it.apply(&input).u == Some(out.u));
}

#[test]
fn limits_are_held_in_every_cohort() {
    let ranges = json!({"input": [0, 100], "covariates": {"t": [-10, 30], "h": [0, 100]}});
    let plain = compiled(json!({"pipeline": line(1.0), "domain": ranges}));
    let it = branched(ranges.clone());
    assert_eq!(max_step(&it, Some(&plain)), Some(400.0));
    assert_eq!(max_step(&plain, Some(&it)), Some(400.0));
    assert_eq!(max_step(&it, Some(&it)), Some(0.0));
    assert!(is_monotone(&it));
    // a cohort in the middle of the range
    let middle = |gain: f64| {
        compiled(json!({
            "pipeline": line(1.0), "domain": ranges,
            "cohorts": [{"name": "mild", "when": {"covariate": "t", "above": 10, "below": 11}, "pipeline": line(gain)}],
        }))
    };
    assert_eq!(max_step(&middle(1.5), Some(&plain)), Some(50.0));
    assert!(!is_monotone(&middle(-1.0)));
    assert!(!is_monotone(&branched(json!({"input": [0, 100]}))), "no range of t");
}

#[test]
fn faults_are_named_in_their_cohort() {
    let with = |pipeline: Value| {
        refused(json!({"pipeline": line(1.0),
            "cohorts": [{"name": "cold", "when": {"covariate": "t", "below": 0}, "pipeline": pipeline}]}))
    };
    assert_eq!(with(line(0.0)).path, "cohorts[0].pipeline[0].gain");
    assert_eq!(with(json!([{"kind": "offset", "offset": 1}])).path, "cohorts[0].pipeline");
}
