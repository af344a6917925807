//! The transforms that `calibctl fit` writes.

use super::*;

#[test]
fn what_it_writes_can_be_signed_and_does_what_was_fitted() {
    let desk = Desk::new();
    let said = desk.run(&["fit", &norris(), "--method", "affine", "--out", "t.json"]);
    assert!(stderr(&said).contains("edit target and units before you sign"), "{}", stderr(&said));
    let transform = Transform::parse(desk.read("t.json").as_bytes()).unwrap();
    compile(&transform).unwrap();
    assert_eq!(transform.domain.input, Some([0.2, 999.0]));
    assert!(transform.limits.monotone);
    assert_eq!(transform.uncertainty.degrees_of_freedom, Some(34.0));
    assert_eq!(transform.provenance.last_reference, None);
    let digest = transform.provenance.dataset_sha256.unwrap();
    let bytes = fs::read(norris()).unwrap();
    assert_eq!(digest, calibd::domain::digest::Digest::of(&[&bytes]).to_string());

    desk.done(&["key", "generate", "fleet"]);
    let signed = desk.run(&["sign", "t.json", "--key", "fleet.key.pem", "-o", "t.dsse.json"]);
    assert!(signed.status.success() && !stderr(&signed).contains("warning"), "{}", stderr(&signed));
    desk.write("one.csv", "x\n500\n");
    for file in ["t.json", "t.dsse.json"] {
        let rows = desk.json(&["apply", "one.csv", "--transform", file]);
        near(&rows["rows"][0]["value"], -0.262323073774029 + 500.0 * 1.00211681802045, 13);
    }
}

#[test]
fn what_it_writes_is_as_old_as_its_newest_pair() {
    let desk = Desk::new();
    desk.write(
        "t.csv",
        "t,x,y\n2026-01-03T00:00:00Z,3,6\n2026-01-01T00:00:00Z,1,2\n2026-01-02T00:00:00Z,2,4.1\n",
    );
    let args =
        ["fit", "t.csv", "--method", "affine", "--x", "x", "--y", "y", "--time", "t", "--out", "t.json"];
    desk.done(&args);
    let transform = Transform::parse(desk.read("t.json").as_bytes()).unwrap();
    assert_eq!(transform.calibrated_at().to_string(), "2026-01-03T00:00:00.000000Z");
    // A clock that is ahead makes no calibration of times to come.
    desk.write(
        "t.csv",
        "t,x,y\n2026-01-01T00:00:00Z,1,2\n2026-01-02T00:00:00Z,2,4.1\n2999-01-01T00:00:00Z,3,6\n",
    );
    desk.done(&args);
    let transform = Transform::parse(desk.read("t.json").as_bytes()).unwrap();
    assert_eq!(transform.provenance.last_reference, Some(transform.issued_at));
}

#[test]
fn weights_do_not_change_the_unit_of_the_scatter_that_it_writes() {
    let desk = Desk::new();
    let scatter = |name: &str, options: &[&str]| {
        desk.done(&[&["fit", "d.csv", "--method", name, "--out", "t.json"], options].concat());
        Transform::parse(desk.read("t.json").as_bytes()).unwrap().uncertainty.residual_std.unwrap()
    };
    desk.write("d.csv", "x,y,u\n1,2.1,0.01\n2,3.9,0.01\n3,6.2,0.01\n4,7.8,0.01\n5,10.1,0.01\n");
    let plain = scatter("affine", &[]);
    assert!((0.1..0.3).contains(&plain), "{plain}");
    for (method, options) in [
        ("affine", &["--uy", "u"][..]),
        ("affine", &["--weights", "u"]),
        ("affine", &["--direction", "sensor-on-reference", "--ux", "u"]),
        ("york", &["--ux", "u", "--uy", "u"]),
        ("power", &["--uy", "u"]),
        ("piecewise:2", &["--uy", "u"]),
    ] {
        let weighted = scatter(method, options);
        assert!((weighted / plain - 1.0).abs() < 0.3, "{method} {options:?}: {weighted} beside {plain}");
    }
}

#[test]
fn pairs_without_residuals_are_not_taken_for_certainty() {
    let desk = Desk::new();
    desk.write("d.csv", "x,y\n1,6\n2,4\n3,2\n");
    let run = desk.run(&["fit", "d.csv", "--method", "affine", "--out", "t.json"]);
    assert!(stderr(&run).contains("states no uncertainty"), "{}", stderr(&run));
    desk.write("one.csv", "x\n2\n");
    let rows = desk.json(&["apply", "one.csv", "--transform", "t.json"]);
    assert_eq!((rows["rows"][0]["value"].as_f64(), rows["rows"][0]["u"].as_f64()), (Some(4.0), None));
    // What is known of the pairs is not told by residuals.
    desk.write("d.csv", "x,y,u\n1,6,0.1\n2,4,0.1\n3,2,0.1\n");
    desk.done(&[
        "fit",
        "d.csv",
        "--method",
        "affine",
        "--uy",
        "u",
        "--covariance",
        "known",
        "--out",
        "t.json",
    ]);
    let rows = desk.json(&["apply", "one.csv", "--transform", "t.json"]);
    near(&rows["rows"][0]["u"], 0.1 / 3f64.sqrt(), 12);
}

#[test]
fn uncertainties_that_the_residuals_contradict_are_told() {
    let desk = Desk::new();
    let fit = |data: &str| {
        desk.write("d.csv", data);
        let run = desk.run(&["fit", "d.csv", "--method", "affine", "--uy", "u", "--covariance", "known"]);
        assert!(run.status.success(), "{}", stderr(&run));
        stderr(&run)
    };
    let told = fit("x,y,u\n0,0,0.01\n1,1.2,0.01\n2,2,0.01\n");
    assert!(told.contains("chi^2 266.6667 with 1 degrees of freedom"), "{told}");
    assert!(!fit("x,y,u\n0,0,0.2\n1,1.2,0.2\n2,2,0.2\n").contains("chi^2"));
}

#[test]
fn a_target_that_is_said_needs_no_edit() {
    let desk = Desk::new();
    let target = ["--id", "o3", "--fleet", "plant-7", "--gateway", "gw-1", "--sensor", "o3-1"];
    let units = ["--input-unit", "ppb", "--output-unit", "ppb", "--version", "3", "--expires", "30d"];
    let data = norris();
    let args = [&["fit", &data, "--method", "affine", "--out", "t.json"], &target[..], &units[..]].concat();
    assert!(!stderr(&desk.run(&args)).contains("edit"));
    let transform = Transform::parse(desk.read("t.json").as_bytes()).unwrap();
    assert_eq!((transform.id.as_str(), transform.version), ("o3", 3));
    assert_eq!(transform.expires.micros_since(transform.issued_at), 30 * 86_400_000_000);
}

/// What statsmodels predicts of Norris, inside the range of the pairs: x, mean and its standard error.
fn predicted(golden: &Value) -> Vec<[f64; 3]> {
    let rows = golden["predict"].as_array().unwrap().iter();
    let rows = rows.map(|row| ["x", "mean", "mean_se"].map(|field| row[field].as_f64().unwrap()));
    rows.filter(|[x, ..]| (0.2..=999.0).contains(x)).collect()
}

#[test]
fn the_uncertainty_of_a_written_transform_is_that_of_a_prediction() {
    let goldens = fs::read_to_string(repository().join("tests/data/goldens/regression.json")).unwrap();
    let goldens: Value = serde_json::from_str(&goldens).unwrap();
    let desk = Desk::new();
    for degree in 1..=3 {
        let golden = &goldens[format!("norris_deg{degree}")];
        let scale = golden["scale"].as_f64().unwrap();
        desk.done(&["fit", &norris(), "--method", &format!("polynomial:{degree}"), "--out", "t.json"]);
        let rows = predicted(golden);
        assert!(!rows.is_empty());
        let readings: String = rows.iter().map(|[x, ..]| format!("{x}\n")).collect();
        desk.write("x.csv", format!("x\n{readings}"));
        let out = desk.json(&["apply", "x.csv", "--transform", "t.json"]);
        for (at, [_, mean, mean_se]) in rows.iter().enumerate() {
            near(&out["rows"][at]["value"], *mean, 9);
            near(&out["rows"][at]["u"], (mean_se * mean_se + scale).sqrt(), 9);
        }
    }
}

#[test]
fn a_weighted_fit_states_its_scatter_in_the_unit_of_the_reference() {
    let desk = Desk::new();
    // y = 3 + x, off by turns, by as much as is stated
    let row = |at: usize, unit: f64| {
        let u = if at < 20 { 0.01 } else { 0.03 };
        let off = if at.is_multiple_of(2) { u } else { -u };
        format!("{at},{},{},{}\n", 3.0 + at as f64 + off, u * unit, 0.001 * unit)
    };
    for (method, unit) in [("affine", 1.0), ("affine", 100.0), ("york", 1.0), ("york", 100.0)] {
        let rows: String = (0..40).map(|at| row(at, unit)).collect();
        desk.write("w.csv", format!("x,y,uy,ux\n{rows}"));
        desk.run(&["fit", "w.csv", "--method", method, "--ux", "ux", "--uy", "uy", "--out", "t.json"]);
        let out = desk.json(&["apply", "w.csv", "--transform", "t.json", "--x", "x"]);
        let u = out["rows"][10]["u"].as_f64().unwrap();
        // the root mean square of 0.01 and 0.03 is 0.0224
        let most = if method == "york" && unit > 1.0 { 0.5 } else { 0.0245 };
        assert!((0.0223..most).contains(&u), "{method}, uncertainties times {unit}: {u}");
    }
}
