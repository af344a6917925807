//! `calibctl evaluate` on files.

use std::fs;

use serde_json::Value;

use crate::support::desk::{Desk, shipped};

fn measured() -> Desk {
    let desk = Desk::new();
    desk.write(
        "m.csv",
        "value,ref,u,ur,site\n1.5,1,0.3,0.4,a\n2.5,2,0.3,0.4,a\n2,3,0.3,0.4,b\n4,4,0.3,0.4,b\n",
    );
    desk
}

#[test]
fn measurements_are_scored_by_the_definitions() {
    let desk = measured();
    let all = desk.json(&["evaluate", "m.csv", "--kind", "measurement", "--ux", "u", "--uy", "ur"]);
    // errors 0.5, 0.5, -1, 0; U = 2 * 0.5 = 1
    for (name, want) in [
        ("bias", 0.0),
        ("rmse", (1.5f64 / 4.0).sqrt()),
        ("mae", 0.5),
        ("std", 0.5f64.sqrt()),
        ("en_mean", 0.0),
        ("en_fraction_within_1", 1.0),
        ("n", 4.0),
    ] {
        assert!((all[name].as_f64().unwrap() - want).abs() < 1e-12, "{name}: {all}");
    }
    for name in ["r_squared", "slope", "intercept"] {
        assert!(all[name].is_f64(), "{name}");
    }
    let expanded = ["evaluate", "m.csv", "--kind", "measurement", "--Ux", "u", "--Uy", "ur"];
    assert_eq!(desk.json(&expanded)["en_fraction_within_1"], 0.75, "U = 0.5: one E_n is -2");
}

#[test]
fn cohorts_and_intervals_come_when_asked() {
    let desk = measured();
    let args =
        ["evaluate", "m.csv", "--kind", "measurement", "--by", "site", "--bootstrap", "200", "--seed", "7"];
    let scores = desk.json(&args);
    assert_eq!(
        (scores["cohorts"]["a"]["bias"].as_f64(), scores["cohorts"]["b"]["bias"].as_f64()),
        (Some(0.5), Some(-0.5))
    );
    let bias = &scores["intervals"]["bias"];
    assert!(bias[0].as_f64().unwrap() < 0.0 && bias[1].as_f64().unwrap() > 0.0);
    assert_eq!(scores, desk.json(&args), "a seed gives the same again");
    assert!(desk.done(&args).contains("bias"));
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let desk = measured();
    let base = ["evaluate", "m.csv", "--kind", "measurement"];
    desk.refuses(&[&base[..], &["--ux", "u"]].concat(), &["--uy"]);
    desk.refuses(&[&base[..], &["--y", "site"]].concat(), &["line 2", "`site`"]);
    desk.refuses(&[&base[..], &["--k", "0", "--ux", "u", "--uy", "ur"]].concat(), &["--k"]);
}

#[test]
fn probabilities_are_scored_as_the_goldens_say() {
    let golden = fs::read_to_string(shipped("tests/data/probcal/breast_cancer_gnb.golden.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let golden = &golden["metrics_uncalibrated_test"];
    let (bins, murphy) =
        (&golden["equal_width_15_left_closed"], &golden["murphy_equal_width_15_right_closed"]);
    let file = shipped("tests/data/probcal/breast_cancer_gnb.test.csv");
    let args = ["evaluate", &file, "--kind", "probability", "--x", "prob", "--label", "label"];
    let scores = Desk::new().json(&args);
    for (name, want) in [
        ("ece", &bins["ece"]),
        ("mce", &bins["mce"]),
        ("brier", &golden["brier"]),
        ("log_loss", &golden["log_loss_clip1e-15"]),
        ("reliability", &murphy["reliability"]),
        ("resolution", &murphy["resolution"]),
        ("uncertainty", &murphy["uncertainty"]),
        ("n", &golden["n"]),
    ] {
        let (got, want) = (scores[name].as_f64().unwrap(), want.as_f64().unwrap());
        assert!((got - want).abs() <= 1e-12 * want, "{name}: {got}, not {want}");
    }
    assert_eq!(scores["bins"].as_array().unwrap().len(), 15);
    for name in ["lo", "hi", "count", "mean_predicted", "observed"] {
        assert!(scores["bins"][0].as_object().unwrap().contains_key(name), "{name}");
    }
    let more = ["--bootstrap", "50", "--threshold", "0.5", "--cost-fp", "1", "--cost-fn", "9"];
    let scores = Desk::new().json(&[&args[..], &more].concat());
    assert!(scores["intervals"]["ece"]["lo"].is_number() && scores["decisions"]["recall"].is_number());
    assert!((scores["least_cost"]["theoretical_threshold"].as_f64().unwrap() - 0.1).abs() < 1e-12);
}

#[test]
fn what_is_no_probability_is_refused() {
    let desk = Desk::new();
    desk.write("p.csv", "p,label\n0.5,1\n1.5,0\n");
    desk.refuses(&["evaluate", "p.csv", "--kind", "probability"], &["p.csv", "line 3", "`p`"]);
    desk.write("p.csv", "p,label\n0.5,1\n0.5,2\n");
    desk.refuses(&["evaluate", "p.csv", "--kind", "probability"], &["p.csv", "line 3", "`label`"]);
    desk.refuses(&["evaluate", "p.csv", "--kind", "probability", "--cost-fp", "1"], &["--cost-fn"]);
}

#[test]
fn options_out_of_their_range_or_of_the_other_kind_are_refused() {
    let desk = measured();
    desk.write("p.csv", "p,label\n0.5,1\n0.2,0\n");
    let probability = ["evaluate", "p.csv", "--kind", "probability"];
    for (options, word) in [
        (&["--bins", "0"][..], "--bins: expected 1 to 10000"),
        (&["--bins", "100000"], "--bins"),
        (&["--threshold", "2"], "--threshold: expected a probability from 0 to 1, found 2"),
        (&["--threshold", "-0.1"], "--threshold"),
        (&["--threshold", "nan"], "--threshold"),
        (&["--cost-fp", "-1", "--cost-fn", "2"], "--cost-fp: expected a number above 0"),
        (&["--cost-fp", "1", "--cost-fn", "inf"], "--cost-fn"),
        (&["--ux", "p"], "does not take --ux"),
        (&["--block", "2"], "does not take --block"),
    ] {
        desk.refuses(&[&probability[..], options].concat(), &[word]);
    }
    let measurement = ["evaluate", "m.csv", "--kind", "measurement", "--threshold", "0.5"];
    desk.refuses(&measurement, &["does not take --threshold: leave that out"]);
}

#[test]
fn probabilities_that_say_little_are_scored_with_numbers() {
    let desk = Desk::new();
    let numbers =
        ["ece", "mce", "brier", "log_loss", "reliability", "resolution", "uncertainty", "sharpness"];
    for (rows, one_class) in [
        ("0.5,1\n", true),
        ("0.5,0\n0.2,0\n", true),
        ("0.5,1\n0.5,0\n0.5,0\n", false),
        ("0,1\n1,0\n", false),
        ("0,0\n1,1\n", false),
    ] {
        desk.write("p.csv", format!("p,label\n{rows}"));
        for more in [&[][..], &["--binning", "equal-mass"], &["--min-count", "3"], &["--bootstrap", "20"]] {
            let args = [&["evaluate", "p.csv", "--kind", "probability", "--threshold", "0.5"], more].concat();
            let scores = desk.json(&args);
            assert!(numbers.iter().all(|name| scores[name].is_number()), "{rows:?}: {scores}");
            let said = scores["notes"].to_string().contains("every label is");
            assert_eq!(said, one_class, "{rows:?}: {scores}");
            assert!(!desk.done(&args).contains("NaN"));
        }
    }
    for (row, place) in
        [("NaN,1", "`p`"), ("1e400,1", "`p`"), (",1", "`p`"), ("0.5,", "`label`"), ("0.5,x", "`label`")]
    {
        desk.write("p.csv", format!("p,label\n0.5,1\n{row}\n"));
        desk.refuses(&["evaluate", "p.csv", "--kind", "probability"], &["p.csv: line 3", place]);
    }
}

#[test]
fn measurements_that_say_little_are_scored_with_numbers() {
    let desk = Desk::new();
    for rows in ["1,2\n", "1,2\n1,2\n", "1,2\n1,3\n", "2,1\n3,1\n"] {
        desk.write("m.csv", format!("v,r\n{rows}"));
        let args = ["evaluate", "m.csv", "--kind", "measurement", "--bootstrap", "20", "--block", "9"];
        let scores = desk.json(&args);
        assert!(["bias", "rmse", "mae", "n"].iter().all(|name| scores[name].is_number()), "{scores}");
        assert!(!desk.done(&args).contains("NaN"));
    }
    desk.write("m.csv", "v,r\n1e200,-1e200\n1,3\n");
    desk.refuses(&["evaluate", "m.csv", "--kind", "measurement"], &["m.csv", "too large", "units"]);
}
