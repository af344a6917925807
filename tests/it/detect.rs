//! `calibctl detect` on files.

use std::fs;

use serde_json::{Value, json};

use crate::support::desk::{Desk, shipped, stderr};

fn golden(stream: &str) -> Value {
    let text = fs::read_to_string(shipped("tests/data/drift/drift.golden.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["streams"][stream].take()
}

const STEP: &str = "step_up_1sigma_at_2500";

fn file(stream: &str) -> String {
    shipped(&format!("tests/data/drift/{stream}.csv"))
}

fn detected(stream: &str, more: &[&str]) -> Value {
    let file = file(stream);
    Desk::new().json(&[&["detect", file.as_str(), "--x", "value", "--detector"], more].concat())
}

/// The first number of each entry.
fn first(golden: &Value) -> Value {
    golden.as_array().unwrap().iter().map(|entry| entry[0].clone()).collect()
}

#[test]
fn detections_are_those_of_the_goldens() {
    for stream in ["stable_gauss", STEP, "bernoulli_0.1_to_0.3_at_3000"] {
        let golden = golden(stream);
        let found = detected(stream, &["cusum"]);
        assert_eq!(found["detections"], first(&golden["cusum_k0.5_h5_reset"]), "{stream}");
        let found = detected(stream, &["cusum", "--k", "0.25", "--h", "8"]);
        assert_eq!(found["detections"], first(&golden["cusum_k0.25_h8_reset"]), "{stream}");

        let found = detected(stream, &["ewma"]);
        let golden_ewma = &golden["ewma_l0.2_L3_exact_limits"];
        let outside = found["outside"].as_array().unwrap();
        assert_eq!(golden_ewma["n"], outside.len(), "{stream}");
        assert!(outside.starts_with(golden_ewma["first20"].as_array().unwrap()), "{stream}");
        let starts = golden_ewma["run_starts"].as_array().unwrap();
        assert!(found["detections"].as_array().unwrap().starts_with(starts), "{stream}");

        let found = detected(stream, &["page-hinkley"]);
        let want = &golden["page_hinkley_standardised_thr20_delta0.25_alpha1"];
        assert_eq!(found["detections"], *want, "{stream}");
        let river = ["page-hinkley", "--raw", "--delta", "0.005", "--threshold", "50", "--alpha", "0.9999"];
        assert_eq!(detected(stream, &river)["detections"], golden["page_hinkley_default_both"], "{stream}");

        let found = detected(stream, &["adwin"]);
        assert_eq!(found["detections"], first(&golden["adwin_canonical_delta0.002"]["fires"]), "{stream}");
        let found = detected(stream, &["adwin", "--delta", "0.05"]);
        assert_eq!(found["detections"], first(&golden["adwin_canonical_delta0.05"]["fires"]), "{stream}");

        let psi = golden["psi_deciles_first_500"]["blocks"].as_array().unwrap();
        for (detector, key, blocks) in
            [("ks", "D", golden["ks_vs_first_500_blocks"].as_array().unwrap()), ("psi", "psi", psi)]
        {
            let found = detected(stream, &[detector]);
            assert_eq!(found["blocks"].as_array().unwrap().len(), blocks.len(), "{stream} {detector}");
            for (found, want) in found["blocks"].as_array().unwrap().iter().zip(blocks) {
                assert_eq!(found["start"], want["start"], "{stream} {detector}");
                let off = found["statistic"].as_f64().unwrap() - want[key].as_f64().unwrap();
                assert!(off.abs() < 1e-12, "{stream} {detector}: {found} {want}");
            }
        }
    }
    assert_eq!(
        detected(STEP, &["ks"])["detections"],
        json!([2999]),
        "the last row of the first block that differs"
    );
    assert_eq!(detected(STEP, &["psi"])["detections"], json!([2999]));
    assert_eq!(detected("stable_gauss", &["ks"])["detections"], json!([]));
}

#[test]
fn parameters_and_what_was_learnt_are_reported() {
    let found = detected(STEP, &["cusum"]);
    let baseline = &golden(STEP)["baseline_first_500"];
    for (name, want) in [("mean", &baseline["mean"]), ("sd", &baseline["sd_ddof1"])] {
        let off = found[name].as_f64().unwrap() - want.as_f64().unwrap();
        assert!(off.abs() < 1e-12, "{name}: {found}");
    }
    for (name, want) in [
        ("detector", json!("cusum")),
        ("k", json!(0.5)),
        ("h", json!(5.0)),
        ("n", json!(5000)),
        ("baseline", json!(500)),
        ("raw", json!(false)),
        ("skipped", json!(0)),
    ] {
        assert_eq!(found[name], want, "{name}");
    }
    assert_eq!(found["lines"][0].as_u64(), found["detections"][0].as_u64().map(|row| row + 2));
    assert_eq!(found["directions"][0], "down");
    let defaults = [
        ("ewma", json!({"lambda": 0.2, "limit": 3.0})),
        ("page-hinkley", json!({"delta": 0.25, "threshold": 20.0, "alpha": 1.0})),
        ("adwin", json!({"delta": 0.002, "raw": true})),
        ("ks", json!({"block": 500, "p": 0.001, "baseline": 500})),
        ("psi", json!({"block": 500, "limit": 0.25, "baseline": 500})),
    ];
    for (detector, want) in defaults {
        let found = detected(STEP, &[detector]);
        assert_eq!(found["detector"], detector);
        for (name, want) in want.as_object().unwrap() {
            assert_eq!(&found[name], want, "{detector} {name}");
        }
    }
}

#[test]
fn the_default_of_calibd_tells_each_excursion_once() {
    let found = detected(STEP, &["whitened-cusum"]);
    let detections = found["detections"].as_array().unwrap();
    assert_eq!(detections.len(), 1, "{found}");
    assert!((2500..2520).contains(&detections[0].as_u64().unwrap()), "{found}");
    assert_eq!((&found["directions"], &found["ended"]), (&json!(["up"]), &json!([])));
    assert_eq!(found["baseline"], 2000);
    for name in ["k", "h", "phi", "mean", "sd"] {
        assert!(found[name].is_f64(), "{name}: {found}");
    }
    let stable = detected("stable_gauss", &["whitened-cusum"]);
    assert_eq!(stable["detections"], json!([]));
    let short = detected(STEP, &["whitened-cusum", "--baseline", "1000"]);
    assert!(short["notes"][0].as_str().unwrap().contains("2000"), "{short}");
}

#[test]
fn people_read_rows_lines_and_directions() {
    let file = file(STEP);
    let text = Desk::new().done(&["detect", &file, "--detector", "whitened-cusum"]);
    for word in ["whitened-cusum", "alarms", "1", "phi", "ended", "up", "5000"] {
        assert!(text.contains(word), "`{word}` is not in {text}");
    }
    let text = Desk::new().done(&["detect", &file, "--detector", "ks"]);
    assert!(text.contains("distribution") && text.contains("blocks beyond the limit"), "{text}");
    let stable = shipped("tests/data/drift/stable_gauss.csv");
    let text = Desk::new().done(&["detect", &stable, "--detector", "psi"]);
    assert!(text.lines().last().unwrap().starts_with("alarms"), "{text}");
}

#[test]
fn what_cannot_be_looked_at_is_refused() {
    let desk = Desk::new();
    let rows = |values: &[&str]| format!("v,w\n{}\n", values.join(",1\n"));
    desk.write("short.csv", rows(&["1", "2", "3"]));
    desk.write("flat.csv", rows(&["7"; 600]));
    desk.write("word.csv", rows(&["1", "x"]));
    desk.write("gap.csv", rows(&["1", "", "3", "5", "4"]));
    desk.refuses(&["detect", "short.csv", "--x", "none", "--detector", "cusum"], &["short.csv", "none"]);
    desk.refuses(&["detect", "nowhere.csv", "--detector", "cusum"], &["nowhere.csv"]);
    desk.refuses(
        &["detect", "short.csv", "--detector", "cusum"],
        &["short.csv", "`v`", "500", "3", "--baseline"],
    );
    desk.refuses(&["detect", "short.csv", "--detector", "ks", "--baseline", "4"], &["4", "3", "--baseline"]);
    desk.refuses(&["detect", "short.csv", "--detector", "psi", "--baseline", "3"], &["10", "3"]);
    desk.refuses(&["detect", "flat.csv", "--detector", "cusum"], &["flat.csv", "`v`", "500", "7", "--raw"]);
    let whitened = ["detect", "flat.csv", "--detector", "whitened-cusum", "--baseline", "100"];
    desk.refuses(&whitened, &["flat.csv", "`v`", "100", "7"]);
    desk.refuses(&["detect", "word.csv", "--detector", "adwin"], &["line 3", "`v`", "x"]);
    desk.refuses(&["detect", "gap.csv", "--detector", "adwin"], &["line 3", "--skip-missing"]);
    let found = desk.json(&["detect", "gap.csv", "--detector", "adwin", "--skip-missing"]);
    assert_eq!((&found["n"], &found["skipped"]), (&json!(4), &json!(1)));
    let flat = desk.json(&["detect", "flat.csv", "--detector", "cusum", "--raw"]);
    assert_eq!(flat["detections"].as_array().unwrap().len(), 600, "7 is beyond 5");
    assert!(flat.get("baseline").is_none() && flat.get("mean").is_none(), "{flat}");
    let note = desk.run(&["detect", "short.csv", "--detector", "adwin", "--baseline", "2"]);
    assert!(
        note.status.success() && stderr(&note).contains("--baseline changes nothing"),
        "{}",
        stderr(&note)
    );
}

#[test]
fn options_must_fit_the_detector_and_make_sense() {
    let desk = Desk::new();
    desk.write("v.csv", "v\n1\n2\n3\n");
    let base = ["detect", "v.csv", "--baseline", "2", "--detector"];
    for (options, words) in [
        (&["cusum", "--lambda", "0.1"][..], &["cusum", "--lambda"][..]),
        (&["ewma", "--k", "1"], &["ewma", "--k"]),
        (&["adwin", "--threshold", "1"], &["adwin", "--threshold"]),
        (&["whitened-cusum", "--h", "5"], &["whitened-cusum", "--h"]),
        (&["whitened-cusum"], &["--baseline", "10"]),
        (&["ks", "--limit", "1"], &["ks", "--limit"]),
        (&["psi", "--p", "0.1"], &["psi", "--p"]),
        (&["cusum", "--h", "0"], &["--h", "above 0"]),
        (&["cusum", "--k", "nan"], &["--k"]),
        (&["ewma", "--lambda", "1.5"], &["--lambda"]),
        (&["ewma", "--limit=-1"], &["--limit"]),
        (&["page-hinkley", "--alpha", "0"], &["--alpha"]),
        (&["adwin", "--delta", "1"], &["--delta"]),
        (&["ks", "--p", "0"], &["--p"]),
        (&["ks", "--block", "0"], &["--block", "1"]),
        (&["shewhart"], &["shewhart", "page-hinkley"]),
    ] {
        desk.refuses(&[&base[..], options].concat(), words);
    }
    desk.refuses(&["detect", "v.csv", "--detector", "cusum", "--baseline", "1"], &["--baseline", "2"]);
    let raw = ["detect", "v.csv", "--detector", "whitened-cusum", "--raw"];
    desk.refuses(&raw, &["whitened-cusum", "--raw"]);
}
