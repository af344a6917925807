use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::artifact::ContentErrorKind;
use super::super::testing::{compiled, refused, transform};
use super::*;

const INSIDE: Input<'static> = Input { raw: 500.0, u_raw: None, covariates: &[], age_days: 0.0 };

fn affine() -> Value {
    json!({"kind": "affine", "offset": -0.5, "gain": 0.01, "covariance": [[4e-4, 0.0], [0.0, 1e-8]]})
}

fn at(raw: f64) -> Input<'static> {
    Input { raw, ..INSIDE }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1.0)
}

#[test]
fn adds_the_components_of_the_budget_once_each() {
    let it = compiled(json!({
        "pipeline": [affine()],
        "uncertainty": {"residual_std": 0.08, "raw_std_at_fit": 0.4, "reference_systematic": 0.02,
            "drift": {"model": "random_walk", "offset": 0.01, "gain": 0.002, "per": "sqrt_day"}},
    }));
    let quiet = it.apply(&INSIDE);
    assert_eq!((quiet.value, quiet.state), (Some(4.5), State::Valid));
    // residuals + references + var(a) + 500^2 var(b)
    let fresh: f64 = 0.0064 + 0.0004 + 4e-4 + 0.0025;
    assert!(close(quiet.u.unwrap(), fresh.sqrt()));
    let noisy = it.apply(&Input { u_raw: Some(3.0), age_days: 9.0, ..INSIDE });
    let aged = fresh + 1e-4 * (9.0 - 0.16) + 9.0 * (1e-4 + 4e-6 * 4.5 * 4.5);
    assert!(close(noisy.u.unwrap(), aged.sqrt()));
}

#[test]
fn without_statements_it_carries_the_raw_uncertainty_or_gives_none() {
    let it = compiled(json!({"pipeline": [{"kind": "affine", "offset": 1, "gain": -2}]}));
    assert_eq!(it.apply(&INSIDE).u, None);
    assert_eq!(it.apply(&Input { u_raw: Some(0.5), ..INSIDE }).u, Some(1.0));
    for bad in [-1.0, f64::NAN] {
        assert_eq!(it.apply(&Input { u_raw: Some(bad), ..INSIDE }).u, None, "{bad}");
    }
}

#[test]
fn an_empty_pipeline_is_the_reading_itself() {
    let it = compiled(json!({"pipeline": [], "output_unit": "nA"}));
    assert_eq!(it.apply(&INSIDE).value, Some(500.0));
    let error = refused(json!({"pipeline": []}));
    assert_eq!((error.kind, error.path.as_str()), (ContentErrorKind::InvalidContent, "output_unit"));
}

#[test]
fn units_convert_at_stated_conditions() {
    let gas = |from: &str, to: &str| {
        json!({
            "pipeline": [{"kind": "unit", "from": from, "to": to, "molar_mass": 28.010, "temperature": 25.0,
                "pressure": 101.325}],
            "input_unit": from, "output_unit": to,
        })
    };
    let there = compiled(gas("ppb", "mg/m3")).apply(&at(1000.0)).value.unwrap();
    assert!((there - 1.14489).abs() < 1e-5, "{there}");
    let back = compiled(gas("mg/m3", "[ppm]")).apply(&at(there)).value.unwrap();
    assert!((back - 1.0).abs() < 1e-12, "{back}");
    let kelvin = compiled(json!({
        "pipeline": [{"kind": "unit", "from": "Cel", "to": "K"}, {"kind": "offset", "offset": 1.0}],
        "input_unit": "Cel", "output_unit": "K",
    }));
    assert_eq!(kelvin.apply(&at(20.0)).value, Some(294.15));
}

fn bounded(outside: &str) -> Compiled {
    compiled(json!({
        "pipeline": [affine()],
        "domain": {"input": [100, 1100], "output": [0, 10], "covariates": {"temperature": [0, 40]},
            "outside": outside},
        "uncertainty": {"residual_std": 0.1},
    }))
}

fn known(value: f64) -> Option<Covariate> {
    Some(Covariate { value, u: None })
}

fn with(raw: f64, temperature: &[Option<Covariate>]) -> Input<'_> {
    Input { raw, covariates: temperature, ..INSIDE }
}

#[test]
fn every_policy_leaves_the_inside_alone() {
    let expected = bounded("flag").apply(&with(500.0, &[known(20.0)]));
    assert_eq!((expected.value, expected.state, expected.reasons), (Some(4.5), State::Valid, Reasons::NONE));
    for policy in ["clamp", "reject", "extrapolate"] {
        assert_eq!(bounded(policy).apply(&with(500.0, &[known(20.0)])), expected, "{policy}");
    }
}

#[test]
fn flag_computes_marks_and_widens_with_the_distance() {
    let it = bounded("flag");
    let plain = bounded("extrapolate");
    // 0.3 widths above the input range, 1 width below the temperature's
    let cold = [known(-40.0)];
    let input = with(1050.0, &cold);
    let (flagged, bare) = (it.apply(&input), plain.apply(&input));
    assert_eq!((flagged.value, flagged.state), (Some(10.0), State::Suspect));
    assert_eq!(flagged.reasons, Reasons::of(ReasonCode::OutOfDomain));
    assert!(close(flagged.u.unwrap(), 2.0 * bare.u.unwrap()));
    assert_eq!((bare.value, bare.state, bare.reasons), (Some(10.0), State::Valid, Reasons::NONE));
    let both = with(1400.0, &cold);
    let distance = (0.3f64.powi(2) + 1.0 + 0.35f64.powi(2)).sqrt();
    let ratio = it.apply(&both).u.unwrap() / plain.apply(&both).u.unwrap();
    assert!((ratio - (1.0 + distance)).abs() < 1e-9, "{ratio}");
}

#[test]
fn reject_gives_no_value() {
    for input in [with(99.0, &[known(20.0)]), with(500.0, &[known(41.0)]), with(1060.0, &[known(20.0)])] {
        let out = bounded("reject").apply(&input);
        assert_eq!((out.value, out.u, out.state), (None, None, State::Invalid));
        assert_eq!(out.reasons, Reasons::of(ReasonCode::OutOfDomain));
    }
}

#[test]
fn clamp_takes_the_nearest_value_inside_and_owns_up_to_the_difference() {
    let it = bounded("clamp");
    let out = it.apply(&with(1600.0, &[known(20.0)]));
    // input held at 1100 (10.5), output then at 10
    assert_eq!((out.value, out.state), (Some(10.0), State::Suspect));
    // 500 nA cut off times the gain, and var(a) + 1100^2 var(b), and the residuals
    let held = (25.0f64 + 4e-4 + 0.0121 + 0.01).sqrt();
    let grown = held * (1.0 + (0.25f64 + 0.0025).sqrt());
    assert!(close(out.u.unwrap(), grown.hypot(0.5)));
}

#[test]
fn values_that_may_be_zero_are_neither_clamped_nor_marked_at_a_bound_of_zero() {
    let make = |outside: &str| {
        compiled(json!({
            "pipeline": [affine()],
            "domain": {"output": [0, 10], "outside": outside},
            "uncertainty": {"residual_std": 0.1},
        }))
    };
    for policy in ["clamp", "flag", "reject"] {
        let out = make(policy).apply(&at(35.0));
        assert!(close(out.value.unwrap(), -0.15));
        assert_eq!(out.state, State::Valid, "{policy}");
    }
    let far = make("clamp").apply(&at(-50.0));
    assert_eq!((far.value, far.state), (Some(0.0), State::Suspect));
    assert!(far.u.unwrap() > 1.0);
    assert_eq!(make("flag").apply(&at(-50.0)).state, State::Suspect);
}

#[test]
fn a_value_near_zero_far_below_its_range_is_marked_but_stays() {
    let it = compiled(json!({
        "pipeline": [affine()],
        "domain": {"output": [5, 10], "outside": "clamp"},
        "uncertainty": {"residual_std": 0.1},
    }));
    let out = it.apply(&at(55.0));
    assert!(close(out.value.unwrap(), 0.05));
    assert_eq!(out.state, State::Suspect);
}

#[test]
fn a_missing_covariate_makes_suspect_and_is_named() {
    for policy in ["clamp", "flag", "reject", "extrapolate"] {
        for absent in [&[None][..], &[], &[known(f64::NAN)]] {
            let out = bounded(policy).apply(&with(500.0, absent));
            assert_eq!((out.value, out.state), (Some(4.5), State::Suspect), "{policy}");
            assert_eq!(out.reasons, Reasons::of(ReasonCode::CovariateMissing));
        }
    }
    let both = bounded("flag").apply(&with(99.0, &[None]));
    assert!(both.reasons.contains(ReasonCode::OutOfDomain));
    assert!(both.reasons.contains(ReasonCode::CovariateMissing));
    assert_eq!(bounded("flag").covariates(), ["temperature"]);
}

/// y = 2 x + 3 t - h, then multiplied by 10 with 4 t added: t counts 34 times, h -10 times.
fn surrounded(outside: &str) -> Compiled {
    let multilinear =
        |gain: f64, terms: Value| json!({"kind": "multilinear", "offset": 0, "gain": gain, "terms": terms});
    compiled(json!({
        "pipeline": [
            multilinear(2.0, json!([{"covariate": "t", "gain": 3}, {"covariate": "h", "gain": -1}])),
            multilinear(10.0, json!([{"covariate": "t", "gain": 4}])),
        ],
        "domain": {"covariates": {"p": [90, 110], "t": [0, 40]}, "outside": outside},
        "uncertainty": {"residual_std": 0.3},
    }))
}

fn uncertain(value: f64, u: f64) -> Option<Covariate> {
    Some(Covariate { value, u: Some(u) })
}

#[test]
fn a_covariate_that_two_stages_look_at_adds_once_and_coherently() {
    let it = surrounded("flag");
    assert_eq!(it.covariates(), ["p", "t", "h"]);
    let out = it.apply(&with(1.0, &[uncertain(100.0, 7.0), uncertain(20.0, 0.1), uncertain(50.0, 0.2)]));
    assert_eq!((out.value, out.state), (Some(10.0 * (2.0 + 60.0 - 50.0) + 80.0), State::Valid));
    assert!(close(out.u.unwrap(), (0.09f64 + 3.4 * 3.4 + 4.0).sqrt()), "p bounds, and adds nothing");
    for u in [None, Some(-1.0), Some(f64::NAN)] {
        let t = Some(Covariate { value: 20.0, u });
        assert!(close(it.apply(&with(1.0, &[known(100.0), t, known(50.0)])).u.unwrap(), 0.3));
    }
}

#[test]
fn without_a_covariate_that_a_stage_needs_there_is_no_value() {
    for outside in ["flag", "clamp", "reject", "extrapolate"] {
        let it = surrounded(outside);
        let missing = [None, Some(Covariate { value: f64::NAN, u: None })];
        for absent in missing {
            for around in
                [&[known(100.0), absent, known(50.0)][..], &[known(100.0), known(20.0), absent], &[]]
            {
                let out = it.apply(&with(1.0, around));
                assert_eq!((out.value, out.u, out.state), (None, None, State::Invalid), "{outside}");
                assert_eq!(out.reasons, Reasons::of(ReasonCode::CovariateMissing));
            }
            let bounding = it.apply(&with(1.0, &[absent, known(20.0), known(50.0)]));
            assert_eq!((bounding.value, bounding.state), (Some(200.0), State::Suspect));
            assert_eq!(bounding.reasons, Reasons::of(ReasonCode::CovariateMissing));
        }
    }
    let endless = surrounded("flag").apply(&with(1.0, &[known(100.0), known(f64::INFINITY), known(50.0)]));
    assert_eq!((endless.value, endless.state), (None, State::Invalid));
}

#[test]
fn a_clamped_covariate_is_held_at_its_bound_and_what_was_cut_is_uncertain() {
    let input = [known(100.0), uncertain(45.0, 0.1), known(50.0)];
    let held = surrounded("clamp").apply(&with(1.0, &input));
    assert_eq!((held.value, held.state), (Some(10.0 * (2.0 + 120.0 - 50.0) + 160.0), State::Suspect));
    let u = (0.09 + 34.0f64.powi(2) * (0.01 + 25.0)).sqrt();
    assert!(close(held.u.unwrap(), u * (1.0 + 5.0 / 40.0)));
    assert_eq!(surrounded("flag").apply(&with(1.0, &input)).value, Some(10.0 * (2.0 + 135.0 - 50.0) + 180.0));
}

#[test]
fn tables_go_on_or_hold_beyond_their_ends_as_the_domain_says() {
    let make = |outside: &str| {
        compiled(json!({
            "pipeline": [{"kind": "table", "x": [0, 10, 20], "y": [0, 1, 5]}],
            "domain": {"outside": outside},
            "uncertainty": {"residual_std": 0.1},
        }))
    };
    let flagged = make("flag").apply(&at(25.0));
    assert_eq!((flagged.value, flagged.state), (Some(7.0), State::Suspect));
    assert!(close(flagged.u.unwrap(), 0.1 * 1.25));
    let held = make("clamp").apply(&at(25.0));
    assert_eq!((held.value, held.state), (Some(5.0), State::Suspect));
    assert!(close(held.u.unwrap(), (0.01f64 + 4.0).sqrt() * 1.25));
    assert_eq!(make("clamp").apply(&at(-5.0)).value, Some(0.0));
    assert_eq!(make("extrapolate").apply(&at(-5.0)).value, Some(-0.5));
    assert_eq!(make("reject").apply(&at(20.1)).value, None);
    for (x, y) in [(0.0, 0.0), (5.0, 0.5), (10.0, 1.0), (15.0, 3.0), (20.0, 5.0)] {
        let out = make("reject").apply(&at(x));
        assert_eq!((out.value, out.state), (Some(y), State::Valid), "{x}");
    }
}

#[test]
fn what_overflows_or_is_not_a_number_has_no_value() {
    let it = compiled(json!({"pipeline": [{"kind": "polynomial", "coefficients": [0, 1, 1e300]}]}));
    for raw in [1e10, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let out = it.apply(&at(raw));
        assert_eq!((out.value, out.u, out.state), (None, None, State::Invalid), "{raw}");
    }
    for policy in ["clamp", "flag", "reject", "extrapolate"] {
        let out = bounded(policy).apply(&with(f64::NAN, &[known(20.0)]));
        assert_eq!((out.value, out.state), (None, State::Invalid), "{policy}");
        let absurd = bounded(policy).apply(&with(500.0, &[known(1e204)]));
        assert!(absurd.u.is_none_or(f64::is_finite), "{policy}");
    }
}

#[test]
fn refuses_content_without_meaning_and_names_the_field() {
    let table = |x: Value, y: Value| json!({"pipeline": [{"kind": "table", "x": x, "y": y}]});
    let unit = |from: &str, to: &str| json!({"pipeline": [{"kind": "unit", "from": from, "to": to}], "input_unit": from, "output_unit": to});
    let domain = |domain: Value| json!({"pipeline": [affine()], "domain": domain});
    let budget = |budget: Value| json!({"pipeline": [affine()], "uncertainty": budget});
    let limits = |limits: Value| json!({"pipeline": [affine()], "limits": limits});
    let plain = |field: &str, value: Value| json!({"pipeline": [affine()], field: value});
    let cases = [
        (json!({"pipeline": [{"kind": "affine", "offset": 0, "gain": 0}]}), "pipeline[0].gain"),
        (
            json!({"pipeline": [{"kind": "affine", "offset": 0, "gain": 1, "covariance": [[1.0]]}]}),
            "pipeline[0].covariance",
        ),
        (
            json!({"pipeline": [affine(), {"kind": "offset", "offset": 0, "covariance": [[-1.0]]}]}),
            "pipeline[1].covariance",
        ),
        (json!({"pipeline": [{"kind": "polynomial", "coefficients": []}]}), "pipeline[0].coefficients"),
        (
            json!({"pipeline": [{"kind": "polynomial", "coefficients": [1.0, 0.0]}]}),
            "pipeline[0].coefficients",
        ),
        (
            json!({"pipeline": [{"kind": "polynomial", "coefficients": vec![1.0; 17]}]}),
            "pipeline[0].coefficients",
        ),
        (table(json!([1, 2, 2]), json!([1, 2, 3])), "pipeline[0].x[2]"),
        (table(json!([1, 2, 3]), json!([1, 2])), "pipeline[0].y"),
        (table(json!([1]), json!([1])), "pipeline[0].x"),
        (table(json!([1, 2]), json!([3, 3])), "pipeline[0].y"),
        (table(json!([0, 1e-300]), json!([0, 1e300])), "pipeline[0].y[1]"),
        (unit("nA", "mg/m3"), "pipeline[0].to"),
        (unit("ppb", "ug/m3"), "pipeline[0].molar_mass"),
        (unit("µg/m³", "ug/m3"), "input_unit"),
        (json!({"pipeline": [{"kind": "unit", "from": "ppb", "to": "[ppm]"}]}), "pipeline[0].from"),
        (json!({"pipeline": [affine(), {"kind": "unit", "from": "ppb", "to": "[ppm]"}]}), "output_unit"),
        (
            json!({"pipeline": [{"kind": "unit", "from": "Cel", "to": "K", "pressure": 101.3}], "input_unit": "Cel"}),
            "pipeline[0].pressure",
        ),
        (domain(json!({"input": [1, 1]})), "domain.input"),
        (domain(json!({"output": [2, 1]})), "domain.output"),
        (domain(json!({"input": [-1.7e308, 1.7e308]})), "domain.input"),
        (domain(json!({"covariates": {"temperature": [2, 1]}})), "domain.covariates.temperature"),
        (domain(json!({"covariates": {" ": [1, 2]}})), "domain.covariates"),
        (
            domain(
                json!({"covariates": (0..17).map(|i| (i.to_string(), json!([0, 1]))).collect::<serde_json::Map<_, _>>()}),
            ),
            "domain.covariates",
        ),
        (budget(json!({"residual_std": -1})), "uncertainty.residual_std"),
        (budget(json!({"degrees_of_freedom": 0})), "uncertainty.degrees_of_freedom"),
        (budget(json!({"averaging": "-1h"})), "uncertainty.averaging"),
        (
            budget(json!({"drift": {"model": "trend", "offset": 1, "per": "sqrt_day"}})),
            "uncertainty.drift.per",
        ),
        (
            budget(json!({"drift": {"model": "trend", "offset": -1, "per": "day"}})),
            "uncertainty.drift.offset",
        ),
        (limits(json!({"max_step": 1})), "limits.max_step"),
        (limits(json!({"monotone": true})), "limits.monotone"),
        (plain("expires", json!("2026-01-01T00:00:00Z")), "expires"),
        (plain("provenance", json!({"last_reference": "2026-11-22T10:00:01Z"})), "provenance.last_reference"),
        (plain("not_before", json!("2099-01-01T00:00:00Z")), "not_before"),
        (plain("quantity", json!(" ")), "quantity"),
        (plain("replaces", json!(["t"])), "replaces"),
        (plain("rollout", json!({"mode": "canary"})), "rollout.percent"),
        (plain("rollout", json!({"mode": "canary", "percent": 101})), "rollout.percent"),
        (plain("rollout", json!({"mode": "canary", "percent": 1})), "rollout.seed"),
        (plain("rollout", json!({"mode": "canary", "percent": 1, "seed": "a\nb"})), "rollout.seed"),
        (plain("rollout", json!({"mode": "shadow", "percent": 1})), "rollout.percent"),
        (plain("rollout", json!({"mode": "immediate", "seed": "a"})), "rollout.seed"),
        (plain("rollout", json!({"mode": "immediate", "bake": "1h"})), "rollout.bake"),
        (plain("rollout", json!({"mode": "shadow", "bake": "0s"})), "rollout.bake"),
        (plain("rollout", json!({"mode": "shadow", "bake": "9000h"})), "rollout.bake"),
        (plain("rollout", json!({"mode": "shadow", "gate": {"min_pairs": 0}})), "rollout.gate.min_pairs"),
        (
            plain("rollout", json!({"mode": "shadow", "gate": {"max_rmse_ratio": 0}})),
            "rollout.gate.max_rmse_ratio",
        ),
        (plain("rollout", json!({"mode": "shadow", "gate": {"max_bias": 0}})), "rollout.gate.max_bias"),
        (
            plain("cohorts", json!([{"name": "a", "when": {"covariate": "t"}, "pipeline": []}])),
            "cohorts[0].when",
        ),
        (
            plain(
                "cohorts",
                json!([{"name": "a", "when": {"covariate": "t", "below": 1}, "pipeline": [{"kind": "offset", "offset": 1}]}]),
            ),
            "cohorts[0].pipeline",
        ),
    ];
    for (fields, path) in cases {
        let error = refused(fields.clone());
        assert_eq!((error.kind, error.path.as_str()), (ContentErrorKind::InvalidContent, path), "{fields}");
    }
}

#[test]
fn numbers_that_json_has_not_are_refused_too() {
    let mut it = transform(json!({"pipeline": [affine()]}));
    it.uncertainty.residual_std = Some(f64::NAN);
    assert_eq!(compile(&it).unwrap_err().path, "uncertainty.residual_std");
    it.uncertainty.residual_std = None;
    it.domain.input = Some([f64::NEG_INFINITY, 0.0]);
    assert_eq!(compile(&it).unwrap_err().path, "domain.input");
}

/// One stage of each kind, with parameters of moderate size.
fn any_stage() -> impl Strategy<Value = Value> {
    let number = || -3.0..3.0f64;
    let rising = proptest::collection::vec(0.1..2.0f64, 3..7);
    prop_oneof![
        number().prop_map(|a| json!({"kind": "offset", "offset": a})),
        (number(), 0.1..3.0f64).prop_map(|(a, b)| json!({"kind": "affine", "offset": a, "gain": b})),
        (number(), 0.1..3.0f64, number()).prop_map(|(a, b, c)| json!({"kind": "multilinear", "offset": a,
            "gain": b, "terms": [{"covariate": "t", "gain": c}]})),
        proptest::collection::vec(number(), 2..6)
            .prop_map(|c| json!({"kind": "polynomial", "coefficients": c})),
        (rising.clone(), rising).prop_map(|(dx, dy)| {
            let sums = |steps: &[f64]| -> Vec<f64> {
                steps
                    .iter()
                    .scan(-4.0, |sum, step| {
                        *sum += step;
                        Some(*sum)
                    })
                    .collect()
            };
            let size = dx.len().min(dy.len());
            json!({"kind": "table", "x": sums(&dx[..size]), "y": sums(&dy[..size])})
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_derivative_is_the_finite_difference(
        stages in proptest::collection::vec(any_stage(), 1..4), x in -3.0..3.0f64
    ) {
        prop_assume!(stages.iter().any(|s| s["kind"] != "offset"));
        let mut full = json!({"pipeline": stages});
        full["pipeline"].as_array_mut().unwrap().push(json!({"kind": "affine", "offset": 0, "gain": 1}));
        prop_assume!(compile(&transform(full.clone())).is_ok());
        let it = compiled(full);
        let h = 1e-6;
        let run = |x: f64| it.run(x, 0.0, &[0.7]);
        let (left, here, right) = (run(x - h), run(x), run(x + h));
        let difference = (right.value - left.value) / (2.0 * h);
        // within a cell without a corner the slopes on both sides agree too
        let bend = (right.sensitivity - left.sensitivity).abs();
        let scale = here.sensitivity.abs().max(here.value.abs()).max(1.0);
        prop_assert!(
            (difference - here.sensitivity).abs() <= 2.0 * bend + 1e-6 * scale,
            "{difference} {}", here.sensitivity
        );
    }

    #[test]
    fn no_reading_makes_it_panic_or_give_what_is_not_a_number(
        stages in proptest::collection::vec(any_stage(), 0..4),
        raw in any::<f64>(), u in any::<Option<f64>>(), t in any::<Option<f64>>(), u_t in any::<Option<f64>>(), age in any::<f64>(),
        outside in prop_oneof![Just("clamp"), Just("flag"), Just("reject"), Just("extrapolate")],
    ) {
        let mut stages = stages;
        stages.push(affine());
        let it = compile(&transform(json!({
            "pipeline": stages,
            "domain": {"input": [-5, 5], "output": [0, 5], "covariates": {"t": [0, 1]}, "outside": outside},
            "uncertainty": {"residual_std": 0.1,
                "drift": {"model": "trend", "offset": 0.1, "gain": 0.1, "per": "day"}},
        })));
        prop_assume!(it.is_ok());
        let out = it.unwrap().apply(&Input { raw, u_raw: u, covariates: &[t.map(|value| Covariate { value, u: u_t })], age_days: age });
        prop_assert!(out.value.is_none_or(f64::is_finite));
        prop_assert!(out.u.is_none_or(|u| u >= 0.0 && u.is_finite()));
        prop_assert_eq!(out.value.is_none(), out.state == State::Invalid);
        prop_assert_eq!(out.state == State::Valid, out.reasons.is_empty());
        prop_assert!(out.value.is_some() || out.u.is_none());
    }
}
