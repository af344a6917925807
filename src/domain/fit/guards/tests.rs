use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::resample::Seeded;
use crate::domain::transform::artifact::Transform;
use crate::domain::transform::compile;

/// From raw 0 to 100 nA, with these fields in place of the common ones.
fn make(fields: Value) -> Compiled {
    let mut all = json!({
        "schema": 1, "id": "t", "epoch": 1, "version": 1, "target": {"fleet": "f", "sensors": ["s"]},
        "quantity": "q", "input_unit": "nA", "output_unit": "mg/m3", "domain": {"input": [0, 100]},
        "uncertainty": {"residual_std": 0.1, "degrees_of_freedom": 30},
        "issued_at": "2026-11-22T10:00:00Z", "expires": "2027-11-22T00:00:00Z",
    });
    for (name, value) in fields.as_object().unwrap() {
        all[name] = value.clone();
    }
    compile(&Transform::parse(all.to_string().as_bytes()).unwrap()).unwrap()
}

fn line(offset: f64, gain: f64) -> Compiled {
    make(json!({"pipeline": [{"kind": "affine", "offset": offset, "gain": gain}]}))
}

/// Pairs whose reference is 1 + 0.5 raw + noise of 0.1.
fn pairs(count: usize, from: f64, cohort: &[&str]) -> Vec<Pair> {
    let mut draws = Seeded::new(from as u64 + 1);
    let pair = |at| {
        let raw = 100.0 * draws.uniform();
        Pair {
            raw,
            reference: 1.0 + 0.5 * raw + 0.1 * draws.normal(),
            time: from + at as f64,
            cohort: cohort.iter().map(|name| (*name).to_owned()).collect(),
            ..Pair::default()
        }
    };
    (0..count).map(pair).collect()
}

fn evidence() -> Evidence {
    let seen = Seen { input: Some([5.0, 95.0]), covariates: BTreeMap::new() };
    Evidence { training: pairs(40, 0.0, &[]), held_out: pairs(30, 100.0, &[]), seen, ..Evidence::default() }
}

fn told(verdict: &Verdict) -> Vec<String> {
    verdict.reasons.iter().map(Reason::to_string).collect()
}

#[test]
fn a_better_candidate_is_accepted_with_its_numbers() {
    let verdict = judge(Some(&line(0.0, 0.5)), &line(1.0, 0.5), &evidence(), &Policy::default());
    assert!(verdict.is_accepted(), "{:?}", told(&verdict));
    let [score] = &verdict.scores[..] else { panic!("{:?}", verdict.scores) };
    assert_eq!((score.held_out, score.cohort.len()), (30, 0));
    assert!((0.05..0.15).contains(&score.rmse) && (0.9..1.1).contains(&score.active_rmse.unwrap()));
    assert!((verdict.step.unwrap() - 1.0).abs() < 1e-9);
}

#[test]
fn a_worse_and_biased_one_is_refused() {
    let policy = Policy { max_bias: Some(0.5), ..Policy::default() };
    let verdict = judge(Some(&line(1.0, 0.5)), &line(0.0, 0.5), &evidence(), &policy);
    let told = told(&verdict);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("held-out rmse") && told[0].ends_with("more than 1 of it"), "{told:?}");
    assert!(told[1].starts_with("mean held-out error -"), "{told:?}");
}

#[test]
fn too_few_pairs_are_counted() {
    let mut few = evidence();
    few.held_out.truncate(11);
    let verdict = judge(None, &line(1.0, 0.5), &few, &Policy::default());
    assert_eq!(verdict.reasons, [Reason::TooFew { kind: "held-out", found: 11, needed: 12 }]);
    few.training.truncate(2);
    let verdict = judge(None, &line(1.0, 0.5), &few, &Policy::default());
    assert_eq!(verdict.reasons, [Reason::TooFew { kind: "training", found: 2, needed: 12 }]);
    // a transform from afar leaves its training pairs where it was made
    few.training.clear();
    let policy = Policy { min_held_out: 11, ..Policy::default() };
    assert!(judge(None, &line(1.0, 0.5), &few, &policy).is_accepted());
    few.held_out.clear();
    let none = Policy { min_held_out: 0, ..Policy::default() };
    assert!(!judge(None, &line(1.0, 0.5), &few, &none).is_accepted(), "nothing is no evidence");
}

#[test]
fn a_small_cohort_is_judged_with_its_parent() {
    let mut it = evidence();
    it.training = [pairs(20, 0.0, &["cold", "night"]), pairs(20, 20.0, &["warm"])].concat();
    it.held_out = [
        pairs(20, 100.0, &["cold", "night"]),
        pairs(4, 130.0, &["cold", "day"]),
        pairs(20, 140.0, &["warm"]),
    ]
    .concat();
    let verdict = judge(None, &line(1.0, 0.5), &it, &Policy::default());
    let judged: Vec<(String, usize)> =
        verdict.scores.iter().map(|score| (score.cohort.join("/"), score.held_out)).collect();
    let expected = [("cold", 24), ("cold/night", 20), ("warm", 20)];
    assert_eq!(judged, expected.map(|(name, count)| (name.to_owned(), count)));
    // a cohort alone can speak against a candidate
    for pair in it.held_out.iter_mut().filter(|pair| pair.cohort == ["warm"]) {
        pair.reference += 5.0;
    }
    let verdict = judge(None, &line(1.0, 0.5), &it, &Policy { max_bias: Some(2.9), ..Policy::default() });
    let told = told(&verdict);
    assert!(told[0].starts_with("cohort `warm`: mean held-out error -"), "{told:?}");
    assert!(told.iter().all(|reason| reason.starts_with("cohort `warm`")), "{told:?}");
}

#[test]
fn pairs_of_the_fit_prove_nothing() {
    let mut it = evidence();
    it.held_out = it.training.clone();
    let verdict = judge(None, &line(1.0, 0.5), &it, &Policy::default());
    assert_eq!(verdict.reasons, [Reason::NotLater { pairs: 40, of: 40 }]);
    // unless a fit without them says the same
    for pair in &mut it.held_out {
        pair.out_of_fold = Some(1.0 + 0.5 * pair.raw);
    }
    assert!(judge(None, &line(1.0, 0.5), &it, &Policy::default()).is_accepted());
    it.held_out.iter_mut().for_each(|pair| pair.out_of_fold = Some(0.5 * pair.raw));
    let verdict = judge(None, &line(1.0, 0.5), &it, &Policy::default());
    assert!(matches!(verdict.reasons[..], [Reason::Overfit { .. }]), "{:?}", told(&verdict));
}

#[test]
fn an_overfit_is_told_from_chance() {
    // a table through every training pair
    let mut it = evidence();
    it.training.sort_by(|a, b| a.raw.total_cmp(&b.raw));
    let column = |f: fn(&Pair) -> f64| it.training.iter().map(f).collect::<Vec<_>>();
    let table = json!({"kind": "table", "x": column(|p| p.raw), "y": column(|p| p.reference)});
    let verdict = judge(None, &make(json!({"pipeline": [table]})), &it, &Policy::default());
    let told = told(&verdict);
    assert!(matches!(verdict.reasons[..], [Reason::Overfit { .. }]), "{told:?}");
    assert!(told[0].contains("take a simpler method"), "{told:?}");
    // three pairs may be three times as bad by accident
    let far = Pair { reference: 1.3, ..Pair { time: 200.0, ..Pair::default() } };
    it.held_out = vec![Pair { reference: 1.1, ..far.clone() }, Pair { reference: 0.9, ..far.clone() }, far];
    let policy = Policy { min_held_out: 3, max_overfit: 1.1, ..Policy::default() };
    assert!(judge(None, &line(1.0, 0.5), &it, &policy).is_accepted());
}

#[test]
fn a_domain_narrower_than_what_was_seen_is_refused() {
    let bounded = make(json!({
        "pipeline": [{"kind": "affine", "offset": 1.0, "gain": 0.5}],
        "domain": {"input": [0, 100], "covariates": {"temperature": [-10, 40]}},
    }));
    let mut it = evidence();
    it.roles = vec!["humidity".to_owned(), "temperature".to_owned()];
    it.training.iter_mut().chain(&mut it.held_out).for_each(|p| p.covariates = vec![None, Some(20.0)]);
    it.seen.covariates =
        [("temperature".to_owned(), [-5.0, 30.0]), ("humidity".to_owned(), [0.0, 1.0])].into();
    assert!(judge(None, &bounded, &it, &Policy::default()).is_accepted());
    it.seen.covariates.insert("temperature".to_owned(), [-15.0, 30.0]);
    it.seen.input = Some([-1.0, 99.0]);
    let verdict = judge(None, &bounded, &it, &Policy::default());
    let told = told(&verdict);
    assert!(
        told[0].starts_with("the domain of the raw reading is 0 to 100, and -1 to 99 was seen"),
        "{told:?}"
    );
    assert!(told[1].starts_with("the domain of the temperature is -10 to 40"), "{told:?}");
    assert_eq!(told.len(), 2);
}

#[test]
fn shape_and_step_are_held() {
    let bow = make(json!({
        "pipeline": [{"kind": "polynomial", "coefficients": [1.0, 0.5, -0.004]}], "limits": {"monotone": true},
    }));
    let policy = Policy { max_step: Some(3.0), monotone: true, max_rmse_ratio: 1e9, ..Policy::default() };
    let verdict = judge(Some(&line(1.0, 0.5)), &bow, &evidence(), &policy);
    let limits: Vec<&Reason> = verdict.reasons.iter().filter(|r| matches!(r, Reason::Limit(_))).collect();
    assert_eq!(limits.len(), 2, "told once each: {:?}", told(&verdict));
    assert!(matches!(limits[1], Reason::Limit(LimitError::Step { step, .. }) if (step - 40.0).abs() < 1e-6));
    let promised = make(json!({
        "pipeline": [{"kind": "affine", "offset": 3.0, "gain": 0.5}], "limits": {"max_step": 1.0},
    }));
    let verdict = judge(Some(&line(1.0, 0.5)), &promised, &evidence(), &Policy::default());
    assert!(matches!(verdict.reasons[0], Reason::Limit(LimitError::Step { .. })), "{:?}", told(&verdict));
}

#[test]
fn other_units_are_converted_and_other_quantities_refused() {
    let micro = make(json!({
        "pipeline": [{"kind": "affine", "offset": 1000.0, "gain": 500.0}], "output_unit": "ug/m3",
    }));
    let verdict = judge(
        Some(&micro),
        &line(1.0, 0.5),
        &evidence(),
        &Policy { max_step: Some(1e-9), ..Policy::default() },
    );
    assert!(verdict.is_accepted(), "{:?}", told(&verdict));
    let pressure =
        make(json!({"pipeline": [{"kind": "affine", "offset": 1, "gain": 1}], "output_unit": "Pa"}));
    let verdict = judge(Some(&pressure), &line(1.0, 0.5), &evidence(), &Policy::default());
    assert_eq!(verdict.reasons, [Reason::Limit(LimitError::Incomparable)]);
}

#[test]
fn values_and_their_uncertainty_have_to_be_there() {
    let bare = make(json!({"pipeline": [{"kind": "affine", "offset": 1.0, "gain": 0.5}], "uncertainty": {}}));
    assert_eq!(judge(None, &bare, &evidence(), &Policy::default()).reasons, [Reason::NoUncertainty]);
    let narrow = make(json!({
        "pipeline": [{"kind": "affine", "offset": 1.0, "gain": 0.5}],
        "domain": {"input": [5, 95], "outside": "reject"},
    }));
    let mut it = evidence();
    it.held_out[0].raw = 2.0;
    it.held_out[0].reference = 2.0;
    it.held_out[1].raw = 99.0;
    it.training.clear();
    let beyond = it.held_out.iter().filter(|pair| !(5.0..=95.0).contains(&pair.raw)).count();
    let verdict = judge(None, &narrow, &it, &Policy::default());
    assert_eq!(verdict.reasons, [Reason::NoValue { pairs: beyond, of: 30 }]);
    // what neither has says nothing
    assert!(judge(Some(&narrow), &narrow, &it, &Policy::default()).is_accepted());
    it.held_out[3].reference = f64::NAN;
    assert_eq!(judge(None, &bare, &it, &Policy::default()).reasons, [Reason::NotFinite { pairs: 1 }]);
}

proptest! {
    #[test]
    fn any_numbers_give_a_verdict_and_only_sound_ones_pass(
        rows in proptest::collection::vec((any::<f64>(), any::<f64>(), any::<f64>()), 0..20),
        offset in -10.0..10.0f64,
    ) {
        let pair = |(raw, reference, time): &(f64, f64, f64)| {
            Pair { raw: *raw, reference: *reference, time: *time, ..Pair::default() }
        };
        let held_out: Vec<Pair> = rows.iter().map(pair).collect();
        let it = Evidence { held_out, ..Evidence::default() };
        let policy = Policy { min_held_out: 1, max_bias: Some(1e3), ..Policy::default() };
        let verdict = judge(Some(&line(0.0, 1.0)), &line(offset, 1.0), &it, &policy);
        if verdict.is_accepted() {
            prop_assert!(verdict.scores.iter().all(|score| score.rmse <= score.active_rmse.unwrap()));
            prop_assert!(verdict.scores.iter().all(|score| score.bias.abs() <= 1e3));
        }
        prop_assert!(told(&verdict).iter().all(|reason| !reason.is_empty()));
    }
}
