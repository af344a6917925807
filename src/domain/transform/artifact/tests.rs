use proptest::prelude::*;

use super::super::affine::AffineSpec;
use super::super::callendar_van_dusen::CallendarVanDusenSpec;
use super::super::covariate_polynomial::CovariatePolynomialSpec;
use super::super::covariate_table::CovariateTableSpec;
use super::super::logarithm::LogarithmSpec;
use super::super::nernst::{Ion, NernstSpec};
use super::super::offset::OffsetSpec;
use super::super::operation::Operation;
use super::super::pchip::PchipSpec;
use super::super::polynomial::PolynomialSpec;
use super::super::steinhart_hart::SteinhartHartSpec;
use super::super::table::TableSpec;
use super::super::unit::UnitSpec;
use super::*;

/// Every field there is.
const EXAMPLE: &str = r#"{ "schema": 1, "id": "co-electrochemical", "epoch": 1, "version": 7, "replaces": [],
  "target": { "fleet": "plant-7", "gateways": [], "groups": ["north"], "sensors": ["co-1"], "models": [], "serials": [], "tags": {} },
  "quantity": "carbon monoxide mass concentration", "input_unit": "nA", "output_unit": "mg/m3",
  "pipeline": [ { "kind": "affine", "offset": -0.42, "gain": 1.034, "covariance": [[1.2e-4, -3e-6], [-3e-6, 8e-7]] } ],
  "cohorts": [ { "name": "cold", "when": { "covariate": "temperature", "below": 10.0 }, "pipeline": [] } ],
  "domain": { "input": [120.0, 980.0], "output": [0.0, 50.0], "covariates": { "temperature": [-10.0, 40.0] }, "outside": "flag" },
  "uncertainty": { "residual_std": 0.08, "degrees_of_freedom": 34, "raw_std_at_fit": 0.4, "reference_systematic": 0.02, "averaging": "1h",
                   "drift": { "model": "random_walk", "offset": 0.01, "gain": 0.002, "per": "sqrt_day" } },
  "limits": { "max_step": 2.0, "monotone": true }, "supersedes": [],
  "issued_at": "2026-11-22T10:00:00Z", "not_before": null, "expires": "2027-11-22T00:00:00Z",
  "rollout": { "mode": "canary", "percent": 10, "seed": "2026-11", "bake": "24h", "gate": { "min_pairs": 12, "max_rmse_ratio": 1.05, "max_bias": 0.3 } },
  "provenance": { "method": "ols", "pairs": 36, "dataset_sha256": "...", "standards": [], "last_reference": "2026-11-21T16:00:00Z", "made_on": null, "session": null, "author": "...", "comment": "..." } }"#;

fn refused(text: &str) -> ContentError {
    Transform::parse(text.as_bytes()).expect_err(text)
}

#[test]
fn reads_every_field_of_the_example() {
    let transform = Transform::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(transform.id.as_str(), "co-electrochemical");
    assert_eq!((transform.epoch, transform.version), (1, 7));
    assert_eq!(transform.pipeline.len(), 1);
    assert_eq!(transform.cohorts[0].when.below, Some(10.0));
    assert_eq!(transform.domain.covariates["temperature"], [-10.0, 40.0]);
    assert_eq!(transform.uncertainty.averaging, Some(SignedDuration::from_hours(1)));
    assert_eq!(transform.calibrated_at().to_string(), "2026-11-21T16:00:00.000000Z");
    assert_eq!(transform.rollout.unwrap().bake, Some(SignedDuration::from_hours(24)));
    assert_eq!(transform.expires.to_string(), "2027-11-22T00:00:00.000000Z");
}

#[test]
fn the_documented_example_compiles_and_keeps_its_limits() {
    let text = include_str!("../../../../docs/reference/transforms.md");
    let (_, rest) = text.split_once("```json\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let compiled = super::super::compile(&Transform::parse(example.as_bytes()).unwrap()).unwrap();
    assert_eq!(compiled.within_limits(None), Ok(()));
}

#[test]
fn writing_and_reading_gives_the_same_transform() {
    let transform = Transform::parse(EXAMPLE.as_bytes()).unwrap();
    let text = serde_json::to_vec(&transform).unwrap();
    assert_eq!(Transform::parse(&text).unwrap(), transform);
}

#[test]
fn a_last_reference_that_is_not_known_is_not_written() {
    let text = EXAMPLE.replace(r#""last_reference": "2026-11-21T16:00:00Z", "#, "");
    let transform = Transform::parse(text.as_bytes()).unwrap();
    assert_eq!(transform.calibrated_at(), transform.issued_at);
    assert!(!serde_json::to_string(&transform).unwrap().contains("last_reference"));
}

#[test]
fn refuses_with_the_class_and_the_field() {
    use ContentErrorKind::*;
    let cases = [
        ("\"schema\": 1", "\"schema\": 2", UnknownSchema, "schema"),
        ("\"schema\": 1", "\"schema\": \"1\"", Malformed, "schema"),
        ("\"kind\": \"affine\"", "\"kind\": \"clairvoyant\"", UnknownStage, "pipeline[0].kind"),
        ("\"gain\": 1.034", "\"gian\": 1.034", Malformed, "pipeline[0].gian"),
        ("\"gain\": 1.034", "\"gain\": \"1\"", Malformed, "pipeline[0].gain"),
        ("\"kind\": \"affine\", ", "", Malformed, "pipeline[0].kind"),
        ("\"version\": 7", "\"version\": 7.0", Malformed, "version"),
        ("\"version\": 7", "\"version\": 9007199254740992", Malformed, "version"),
        ("\"version\": 7", "\"version\": 7, \"version\": 8", Malformed, "version"),
        ("\"version\": 7", "\"version\": 7, \"extra\": 8", Malformed, "extra"),
        ("\"fleet\": \"plant-7\", ", "", Malformed, "target.fleet"),
        ("\"fleet\": \"plant-7\"", "\"fleet\": \"a/b\"", Malformed, "target.fleet"),
        ("\"sensors\": [\"co-1\"]", "\"sensors\": []", Malformed, "target"),
        ("\"outside\": \"flag\"", "\"outside\": \"ignore\"", Malformed, "domain.outside"),
        ("[120.0, 980.0]", "[120.0, 980.0, 1]", Malformed, "domain.input"),
        ("\"below\": 10.0", "\"under\": 10.0", Malformed, "cohorts[0].when.under"),
        (
            "\"pipeline\": [] }",
            "\"pipeline\": [{\"kind\": \"x\"}] }",
            UnknownStage,
            "cohorts[0].pipeline[0].kind",
        ),
        ("\"averaging\": \"1h\"", "\"averaging\": \"soon\"", Malformed, "uncertainty.averaging"),
        ("2026-11-22T10:00:00Z", "yesterday", Malformed, "issued_at"),
        ("\"comment\": \"...\" } }", "\"comment\": \"...\" } } {}", Malformed, ""),
    ];
    for (from, to, kind, path) in cases {
        assert!(EXAMPLE.contains(from), "{from}");
        let error = refused(&EXAMPLE.replacen(from, to, 1));
        assert_eq!((error.kind, error.path.as_str()), (kind, path), "{to}: {error}");
    }
}

#[test]
fn refuses_more_stages_than_it_would_run() {
    let stage = r#"{"kind":"offset","offset":1}"#;
    let many = [stage; MAX_STAGES + 1].join(",");
    let start = EXAMPLE.find("[ { \"kind\"").unwrap();
    let end = EXAMPLE.find("\"cohorts\"").unwrap();
    let text = format!("{}[{many}],{}", &EXAMPLE[..start], &EXAMPLE[end..]);
    assert_eq!(refused(&text).path, "pipeline");
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>().prop_filter("finite", |x| x.is_finite()), -1e3..1e3f64, Just(-0.0)]
}

fn name() -> impl Strategy<Value = Id> {
    "[A-Za-z0-9][A-Za-z0-9_-]{0,20}".prop_map(|text| Id::new(&text).unwrap())
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![Just(Operation::Add), Just(Operation::Multiply)]
}

fn stage() -> impl Strategy<Value = StageSpec> {
    let numbers = || proptest::collection::vec(number(), 0..5);
    let matrix = || proptest::option::of(proptest::collection::vec(numbers(), 0..3));
    let gas = || proptest::option::of(number());
    prop_oneof![
        (number(), matrix())
            .prop_map(|(offset, covariance)| StageSpec::Offset(OffsetSpec { offset, covariance })),
        (number(), number(), matrix()).prop_map(|(offset, gain, covariance)| {
            StageSpec::Affine(AffineSpec { offset, gain, covariance })
        }),
        (numbers(), matrix()).prop_map(|(coefficients, covariance)| {
            StageSpec::Polynomial(PolynomialSpec { coefficients, center: 0.0, scale: 1.0, covariance })
        }),
        (numbers(), numbers(), proptest::option::of(numbers()))
            .prop_map(|(x, y, u)| StageSpec::Table(TableSpec { x, y, u })),
        (numbers(), numbers(), proptest::option::of(numbers()))
            .prop_map(|(x, y, u)| StageSpec::Pchip(PchipSpec { x, y, u })),
        ([number(), number()], matrix()).prop_map(|(parameters, covariance)| {
            StageSpec::Logarithm(LogarithmSpec { parameters, covariance })
        }),
        ([number(), number(), number()], matrix()).prop_map(|(coefficients, covariance)| {
            StageSpec::SteinhartHart(SteinhartHartSpec { coefficients, covariance })
        }),
        ([number(), number(), number(), number()], matrix()).prop_map(|([r0, a, b, c], covariance)| {
            StageSpec::CallendarVanDusen(CallendarVanDusenSpec { r0, a, b, c, covariance })
        }),
        (".{0,8}", number(), numbers(), operation(), matrix()).prop_map(
            |(covariate, reference, coefficients, operation, covariance)| {
                let it =
                    CovariatePolynomialSpec { covariate, reference, coefficients, operation, covariance };
                StageSpec::CovariatePolynomial(it)
            }
        ),
        (".{0,8}", numbers(), numbers(), operation(), proptest::option::of(".{0,8}"), gas()).prop_map(
            |(covariate, x, y, operation, times, u)| {
                let u = u.map(|u| vec![u]);
                StageSpec::CovariateTable(CovariateTableSpec { covariate, x, y, operation, times, u })
            }
        ),
        (number(), number(), any::<i8>(), number(), gas(), proptest::option::of(".{0,8}"), matrix())
            .prop_map(|(potential, at, charge, efficiency, temperature, covariate, covariance)| {
                let output = if charge > 0 { Ion::Activity } else { Ion::NegativeLog10 };
                StageSpec::Nernst(NernstSpec {
                    potential,
                    at,
                    charge,
                    efficiency,
                    temperature,
                    covariate,
                    output,
                    covariance,
                })
            }),
        (".{0,8}", ".{0,8}", gas(), gas(), gas()).prop_map(
            |(from, to, molar_mass, temperature, pressure)| {
                StageSpec::Unit(UnitSpec { from, to, molar_mass, temperature, pressure })
            }
        ),
    ]
}

prop_compose! {
    fn domain()(
        input in proptest::option::of([number(), number()]),
        output in proptest::option::of([number(), number()]),
        covariates in proptest::collection::btree_map(".{0,10}", [number(), number()], 0..3),
        outside in prop_oneof![
            Just(Outside::Clamp), Just(Outside::Flag), Just(Outside::Reject), Just(Outside::Extrapolate)
        ],
    ) -> DomainSpec {
        DomainSpec { input, output, covariates, outside }
    }
}

prop_compose! {
    fn uncertainty()(
        figures in [proptest::option::of(number()), proptest::option::of(number())],
        seconds in proptest::option::of(0..1_000_000i64),
        drift in proptest::option::of((number(), number(), any::<bool>())),
    ) -> UncertaintySpec {
        UncertaintySpec {
            residual_std: figures[0],
            degrees_of_freedom: figures[1],
            raw_std_at_fit: figures[1],
            reference_systematic: figures[0],
            averaging: seconds.map(SignedDuration::from_secs),
            drift: drift.map(|(offset, gain, trend)| DriftSpec {
                model: if trend { DriftModel::Trend } else { DriftModel::RandomWalk },
                offset,
                gain,
                per: if trend { DriftPer::Day } else { DriftPer::SqrtDay },
            }),
        }
    }
}

prop_compose! {
    fn any_transform()(
        (id, fleet, sensors) in (name(), name(), proptest::collection::vec(name(), 1..3)),
        (epoch, version) in (0..1u64 << 53, 0..1u64 << 53),
        (quantity, input_unit, output_unit, tag) in (".{0,20}", ".{0,10}", ".{0,10}", ".{0,10}"),
        pipeline in proptest::collection::vec(stage(), 0..4),
        cohort in proptest::option::of((".{0,10}", proptest::option::of(number()), stage())),
        domain in domain(),
        uncertainty in uncertainty(),
        (max_step, monotone) in (proptest::option::of(number()), any::<bool>()),
        (digest, micros) in (any::<[u8; 32]>(), 0..4_000_000_000_000_000i64),
        (percent, bake) in (proptest::option::of(number()), proptest::option::of(0..1_000_000i64)),
        comment in proptest::option::of(".{0,30}"),
    ) -> Transform {
        let time = Timestamp::from_micros(micros).unwrap();
        Transform {
            schema: SCHEMA, id: id.clone(), epoch, version, replaces: vec![id.clone()],
            target: Target {
                fleet, gateways: vec![id.clone()], groups: Vec::new(), sensors,
                models: vec![quantity.clone()], serials: Vec::new(),
                tags: BTreeMap::from([(tag.clone(), input_unit.clone())]),
            },
            quantity, input_unit, output_unit, pipeline,
            cohorts: cohort.into_iter().map(|(name, below, stage)| Cohort {
                name, when: Condition { covariate: tag.clone(), below, above: None }, pipeline: vec![stage],
            }).collect(),
            domain, uncertainty,
            limits: Limits { max_step, monotone },
            supersedes: vec![Digest(digest)],
            issued_at: time, not_before: monotone.then_some(time), expires: time,
            rollout: bake.map(|seconds| Rollout {
                mode: RolloutMode::Canary, percent, seed: comment.clone(),
                bake: Some(SignedDuration::from_secs(seconds)),
                gate: Some(Gate { min_pairs: Some(epoch), max_rmse_ratio: percent, max_bias: None }),
            }),
            provenance: Provenance { comment, pairs: Some(version), made_on: Some(id), ..Provenance::default() },
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back_the_same(transform in any_transform()) {
        let text = serde_json::to_vec(&transform).unwrap();
        prop_assert_eq!(Transform::parse(&text).unwrap(), transform);
    }

    #[test]
    fn no_damaged_artifact_makes_it_panic(
        at in 0..EXAMPLE.len(), byte in any::<u8>(), cut in 0..20usize
    ) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        bytes[at] = byte;
        bytes.drain(at..(at + cut).min(EXAMPLE.len()));
        if let Ok(transform) = Transform::parse(&bytes) {
            let _ = super::super::compile(&transform);
        }
    }
}
