//! Stored readings, computed again.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::transforms::{Bench, times};
use crate::support::control::get;
use crate::support::wait::until_true;

/// Rows of a reprocessing over the last hour.
fn rows(answer: &Value) -> &Vec<Value> {
    answer["rows"].as_array().unwrap()
}

/// Waits until this many more readings of `co-1` are stored.
fn more(bench: &Bench, count: u64) {
    let last = || get(&bench.socket("control"), "/v1/sensors/co-1").json()["last"]["seq"].as_u64().unwrap();
    let from = last();
    // Both sensors take numbers.
    until_true("more readings", || last() >= from + 2 * count);
}

#[test]
fn the_same_transform_gives_the_stored_values_to_the_last_digit() {
    let bench = Bench::new();
    let mut affine = times(1, 2.0);
    affine["pipeline"][0]["covariance"] = json!([[0.01, 1e-5], [1e-5, 0.0001]]);
    bench.install(&affine);
    more(&bench, 60);
    let mut covariate = times(2, 2.0);
    covariate["pipeline"] = json!([
        {"kind": "affine", "offset": 0.5, "gain": 2.1, "covariance": [[0.01, 0.0], [0.0, 0.0001]]},
        {"kind": "covariate_polynomial", "covariate": "temperature", "reference": 20, "coefficients": [0.0021]},
    ]);
    bench.install(&covariate);
    more(&bench, 60);
    for version in [1, 2] {
        let past = bench.json(&["transform", "history", "co-1"]);
        let put = past["transforms"].as_array().unwrap().iter().find(|put| put["version"] == version);
        let put = put.unwrap();
        let stored = bench.json(&["readings", "co-1", "--since", "1h"]);
        let by_it: Vec<&Value> = stored["readings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|reading| reading["transform"]["digest"] == put["digest"])
            .collect();
        assert!(by_it.len() > 50, "{}", by_it.len());
        let digest = put["digest"].as_str().unwrap();
        let answer = bench.json(&["reprocess", "co-1", "--since", "1h", "--transform", digest]);
        assert_eq!((&answer["sensor"], &answer["unit"]), (&json!("co-1"), &json!("mg/m3")));
        let again: Vec<&Value> = rows(&answer)
            .iter()
            .filter(|row| by_it.iter().any(|reading| reading["seq"] == row["seq"]))
            .collect();
        assert_eq!(again.len(), by_it.len());
        for (row, reading) in again.iter().zip(&by_it) {
            assert_eq!(
                [&row["value_new"], &row["u_new"], &row["state"], &row["reasons"]],
                [&reading["value"], &reading["u"], &reading["state"], &reading["reasons"]],
                "{row} {reading}"
            );
            assert!(row["value_new"].is_f64() && row["u_new"].is_f64(), "{row}");
            assert_eq!((&row["value_stored"], &row["u_stored"]), (&reading["value"], &reading["u"]));
        }
    }
}

#[test]
fn a_file_shows_what_would_have_been_and_nothing_is_changed() {
    let bench = Bench::new();
    let words = ["reprocess", "co-1", "--since", "1h"];
    let none = bench.calibctl(&words);
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8(none.stderr).unwrap().contains("name one with --transform"));

    bench.install(&times(1, 2.0));
    more(&bench, 60);
    let what_if = bench.file("what-if.json", times(9, 3.0).to_string());
    let out = bench.gateway.path("out.csv");
    let with_file = [&words[..], &["--transform", &what_if, "--out", out.to_str().unwrap()]].concat();
    let output = bench.calibctl(&with_file);
    assert!(output.status.success() && output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("|new - stored|") && said.contains("without a new value: 0"), "{said}");
    let csv = std::fs::read_to_string(&out).unwrap();
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o644);
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("time,seq,raw,value_stored,u_stored,value_new,u_new,state,reasons"));
    let mut compared = 0;
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |at: usize| cells[at].parse::<f64>().ok();
        assert_eq!(number(5).unwrap(), number(2).unwrap() * 3.0);
        if let Some(stored) = number(3) {
            assert_eq!(stored, number(2).unwrap() * 2.0);
            compared += 1;
        }
    }
    assert!(compared >= 20, "{csv}");
    let mut other = times(9, 3.0);
    other["input_unit"] = json!("Cel");
    let other = bench.file("other.json", other.to_string());
    let refused = bench.calibctl(&[&words[..], &["--transform", &other]].concat());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("takes `Cel`, co-1 gives `nA`"), "{said}");
}
