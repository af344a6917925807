use super::*;

/// The example of the reference documentation.
pub(crate) const EXAMPLE: &str = r#"{ "schema": 1, "id": "co-electrochemical", "epoch": 1, "version": 7, "replaces": [],
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
  "provenance": { "method": "ols", "pairs": 36, "dataset_sha256": "...", "standards": [], "made_on": null, "session": null, "author": "...", "comment": "..." } }"#;

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
    assert_eq!(transform.rollout.unwrap().bake, Some(SignedDuration::from_hours(24)));
    assert_eq!(transform.expires.to_string(), "2027-11-22T00:00:00.000000Z");
}

#[test]
fn writing_and_reading_gives_the_same_transform() {
    let transform = Transform::parse(EXAMPLE.as_bytes()).unwrap();
    let text = serde_json::to_vec(&transform).unwrap();
    assert_eq!(Transform::parse(&text).unwrap(), transform);
}

#[test]
fn refuses_with_the_class_and_the_field() {
    use ContentErrorKind::*;
    let cases = [
        ("\"schema\": 1", "\"schema\": 2", UnknownSchema, "schema"),
        ("\"schema\": 1", "\"schema\": \"1\"", Malformed, "schema"),
        ("\"kind\": \"affine\"", "\"kind\": \"covariate_polynomial\"", UnknownStage, "pipeline[0].kind"),
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
