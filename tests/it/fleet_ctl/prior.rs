//! The prior of a sensor model: from the fits in force to the fit of three pairs at a gateway.

use serde_json::{Value, json};

use super::road::{Road, code};
use crate::support::desk::stderr;
use crate::support::trust::transform;

const OFFSETS: [f64; 8] = [0.1, 0.7, -0.4, 0.9, -0.2, 0.3, -0.8, 0.5];

/// The transform of one sensor of the model.
fn fitted(at: usize) -> Value {
    let mut fitted = transform(1);
    let sensor = format!("co-{at}");
    fitted["id"] = json!(sensor);
    fitted["target"]["sensors"] = json!([sensor]);
    fitted["pipeline"][0]["offset"] = json!(OFFSETS[at]);
    fitted["pipeline"][0]["gain"] = json!(2.0 + 0.05 * OFFSETS[(at + 3) % 8]);
    fitted["uncertainty"] = json!({"residual_std": 0.3, "degrees_of_freedom": 18});
    fitted
}

/// A gateway with ten sensors of the model, eight of which are calibrated, and one without any.
fn road() -> Road {
    let road = Road::new();
    let (one, two) = (road.gateway("gw-1", None), road.gateway("gw-2", None));
    road.json(&["root", "push", "root-2.json"], 0);
    let second = road.enrolment(&two, &[], 1);
    road.json(&["enrol", &second, "--root", "root.json"], 0);
    let key = std::fs::read_to_string(&one.1).unwrap();
    let sensors: serde_json::Map<String, Value> =
        (0..10).map(|at| (format!("co-{at}"), json!({"model": "b4"}))).collect();
    let enrolment = json!({
        "schema": 1, "fleet": "plant-7", "gateway": "gw-1", "version": 1, "public_key": key, "sensors": sensors,
        "issued_at": "2026-11-01T00:00:00Z",
    });
    let signed = road.authority.signed_as("enrolment", "office", &enrolment);
    std::fs::write(road.path("one.json"), signed).unwrap();
    road.json(&["enrol", "one.json", "--root", "root.json"], 0);
    road
}

fn push(road: &Road, at: usize) {
    let file = road.signed("fit.json", &fitted(at));
    road.json(&["push", &file, "--gateway", "gw-1", "--root", "root.json"], 0);
}

fn ctl(road: &Road, args: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_calibctl"));
    command.current_dir(road.path("")).args(args).output().unwrap()
}

fn fit(road: &Road, args: &[&str]) -> Value {
    let output = ctl(road, &[&["fit", "three.csv", "--method", "affine", "--json"], args].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_fits_of_a_fleet_help_the_fit_of_three_pairs() {
    let road = road();
    (0..7).for_each(|at| push(&road, at));
    let make = ["prior", "b4", "-o", "prior.json", "--root", "root.json"];
    let refused = road.run(&make);
    assert_eq!(code(&refused), 1);
    let said = stderr(&refused);
    assert!(said.contains("7 sensors can count, and it needs 8") && said.contains("3 left out"), "{said}");

    push(&road, 7);
    let made = road.json(&make, 0);
    assert_eq!(made["prior"]["version"], 1);
    assert_eq!((made["used"].as_array().unwrap().len(), made["prior"]["sensors"].as_u64()), (8, Some(8)));
    let left = &made["left_out"];
    assert_eq!((&left[0]["sensor"], left.as_array().unwrap().len()), (&json!("co-8"), 2), "{left}");
    let shown = String::from_utf8(road.run(&make).stdout).unwrap();
    assert!(shown.contains("of 8 sensors out of 10") && shown.contains("MEAN"), "{shown}");
    assert_eq!(code(&road.run(&["prior", "c1", "-o", "none.json", "--root", "root.json"])), 1);

    road.authority.ctl(&["sign", "prior.json", "--key", "fleet.key.pem", "-o", "prior.dsse.json"]);
    let pushed = road.json(&["push", "prior.dsse.json", "--all", "--root", "root.json"], 0);
    assert_eq!(
        (&pushed["topic"], &pushed["accepted"]),
        (&json!("calibd/1/plant-7/down/all/prior/b4"), &json!(true))
    );
    let row = |gateway: &str| {
        pushed["gateways"].as_array().unwrap().iter().find(|row| row["gateway"] == gateway).cloned()
    };
    assert_eq!(row("gw-1").unwrap()["standing"], "accepted", "{pushed}");
    assert!(row("gw-2").is_none_or(|row| row["standing"] == "not_concerned"), "{pushed}");
    assert_eq!(road.json(&make, 0)["prior"]["version"], 2, "the next one");

    std::fs::write(road.path("three.csv"), "x,y\n10,20.9\n11,22.2\n12,25.0\n").unwrap();
    let socket = road.socket(0).display().to_string();
    let from_gateway = ["--prior", "gateway:b4", "--socket", &socket];
    let with = fit(&road, &[&from_gateway[..], &["--out", "t.json"]].concat());
    let alone = fit(&road, &[]);
    let gain = |fit: &Value| fit["parameters"][1].as_f64().unwrap();
    assert!((gain(&with) - 2.0).abs() < 0.1 && (gain(&alone) - 2.0).abs() > 0.04, "{with} {alone}");
    let error = |fit: &Value| fit["standard_errors"][1].as_f64().unwrap();
    assert!(error(&with) < error(&alone), "{with} {alone}");
    let artifact: Value = serde_json::from_slice(&road.authority.file("t.json")).unwrap();
    let units = (&artifact["input_unit"], &artifact["output_unit"]);
    assert_eq!(
        (units, &artifact["provenance"]["method"]),
        ((&json!("nA"), &json!("mg/m3")), &json!("affine with a prior"))
    );
    // What was signed, as a file.
    road.json(&[&make[..], &["--version", "1"]].concat(), 0);
    assert_eq!(fit(&road, &["--prior", "prior.json"])["parameters"], with["parameters"]);
    for (args, words) in [
        (&["--prior", "gateway:c1", "--socket", &socket][..], "no prior of the model `c1`, only of: b4"),
        (&[&from_gateway[..], &["--out", "t.json", "--input-unit", "mV"]].concat(), "the prior is for nA"),
    ] {
        let refused = ctl(&road, &[&["fit", "three.csv", "--method", "affine"], args].concat());
        assert!(code(&refused) != 0 && stderr(&refused).contains(words), "{}", stderr(&refused));
    }
}

#[test]
fn pairs_that_are_at_odds_with_the_prior_and_many_pairs_are_told_of() {
    let road = Road::new();
    let prior = json!({
        "schema": 1, "fleet": "plant-7", "model": "b4", "version": 1, "input_unit": "nA", "output_unit": "mg/m3",
        "fit": {
            "parameter_names": ["a", "b"], "parameters": [0.0, 2.0], "covariance": [[0.2, 0.0], [0.0, 0.001]],
            "residual_std": 0.3, "degrees_of_freedom": 40.0,
        },
        "sensors": 30, "issued_at": "2026-02-01T00:00:00Z", "expires": "2027-12-01T00:00:00Z",
    });
    std::fs::write(road.path("prior.json"), prior.to_string()).unwrap();
    let notes = |rows: &[(f64, f64)]| {
        let rows: String = rows.iter().map(|(x, y)| format!("{x},{y}\n")).collect();
        std::fs::write(road.path("three.csv"), format!("x,y\n{rows}")).unwrap();
        let said = fit(&road, &["--prior", "prior.json"])["notes"].to_string();
        (said.contains("not what the prior expects"), said.contains("enough for a fit without"))
    };
    let line = |n: u32, offset: f64| {
        (0..n)
            .map(|at| (f64::from(at), offset + 2.0 * f64::from(at) + 0.2 * f64::from(at % 2)))
            .collect::<Vec<_>>()
    };
    assert_eq!(notes(&line(3, 0.1)), (false, false));
    assert_eq!(notes(&line(10, 0.1)), (false, false));
    assert_eq!(notes(&line(11, 0.1)), (false, true));
    assert_eq!(notes(&line(3, 30.0)), (true, false));
}
