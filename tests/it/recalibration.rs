//! Recalibration sessions on a running gateway: scripted, interrupted, refused.

mod bench;
mod certified;
mod held;
mod interrupted;
mod pushed;
mod typed;
mod undisturbed;
mod unwritten;

use std::process::Output;

use serde_json::{Value, json};

use self::bench::Bench;

/// What points are measured: the sensor shows 1.2 x + 0.8 of what it is offered.
const POINTS: &str = "role,reference,unit,standard\nzero,0,mg/m3,zero-air\nspan,20,mg/m3,co-20\n";

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_scripted_session_leaves_the_sensor_within_tolerance() {
    let bench = Bench::new();
    let points = bench.file("points.csv", POINTS);
    let key = bench.key("technician");
    let words = ["recalibrate", "co-1", "--points", &points, "--key", &key, "--yes", "--customer", "Plant 7"];
    let output = bench.calibctl(&words);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    assert!(text.contains("as found: fail") && text.contains("as left: pass"), "{text}");
    assert!(text.contains("by affine") && text.contains("BEFORE"), "{text}");

    let sessions = bench.get("/v1/sessions?all=true");
    let state = &sessions["sessions"][0];
    assert_eq!(
        (&state["stage"], &state["found"], &state["left"]),
        (&json!("ended"), &json!("fail"), &json!("pass"))
    );
    let whole = bench.get(&format!("/v1/sessions/{}", state["id"].as_str().unwrap()));
    let session = &whole["session"];
    let point = &session["as_found"][1];
    assert!((point["error"].as_f64().unwrap() - 4.8).abs() < 0.1, "{point}");
    assert_eq!(point["offered"]["standard"], "co-20");
    assert_eq!(session["standards"].as_array().unwrap().len(), 2);
    assert_eq!(session["plan"]["item"]["element_serial"], "E-1");
    assert_eq!(session["plan"]["words"]["customer"], "Plant 7");
    // It runs, it names its session, and it was written before it ran.
    let sensor = bench.get("/v1/sensors/co-1");
    assert_eq!((&sensor["transform"]["id"], &sensor["maintenance"]), (&json!("local-co-1"), &Value::Null));
    let payload: Value = serde_json::from_str(session["candidate"]["payload"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&payload["provenance"]["session"], &payload["provenance"]["made_on"]),
        (&state["id"], &json!("gw-1"))
    );
    let wanted = [
        "session.opened",
        "session.point",
        "session.point",
        "session.verdict",
        "session.approved",
        "session.activated",
        "session.point",
        "session.point",
        "session.verdict",
        "session.ended",
    ];
    assert_eq!(bench.audited("session."), wanted);
    // Readings of the session are flagged.
    let flagged = bench.get("/v1/readings?sensor=co-1&limit=1000")["readings"].take();
    let count = |reason: &str| {
        let has = |it: &&Value| it["reasons"].as_array().unwrap().iter().any(|it| it == reason);
        flagged.as_array().unwrap().iter().filter(has).count()
    };
    assert!(count("maintenance") > 50, "{}", count("maintenance"));
    // What is too uncertain does not pass, though there is no error.
    let vague = bench.file("vague.csv", "role,reference,unit,u\nzero,0,mg/m3,0.4\n");
    let output = bench.calibctl(&["recalibrate", "co-1", "--points", &vague, "--spot-check", "--yes"]);
    let text = stdout(&output);
    assert!(text.contains("conditional pass (U is above the MPE"), "{text}");
    assert_eq!(output.status.code(), Some(1), "{text}{}", stderr(&output));
}

#[test]
fn what_is_typed_wrong_is_refused_with_what_to_do() {
    let bench = Bench::new();
    let refused = |points: &str| {
        let points = bench.file("points.csv", points);
        let output = bench.calibctl(&["recalibrate", "co-1", "--points", &points, "--spot-check", "--yes"]);
        bench.calibctl(&["recalibrate", "co-1", "--abort"]);
        assert_ne!(output.status.code(), Some(0));
        stderr(&output)
    };
    for (points, said) in [
        ("reference,u\n\"20,0 mg/m3\",0.1\n", "line 2: `20,0 mg/m3` has a comma"),
        ("reference,unit,u\n20,mg/m3,0.1\n20,Cel,0.1\n", "line 3: the reference of this point"),
        ("reference,unit,u\n20,Cel,0.1\n", "give the value in a unit of its kind"),
        ("reference,unit,u\n20000,mg/m3,0.1\n", "outside 0 to 30 mg/m3"),
        ("reference,unit\n20,mg/m3\n", "nothing says how uncertain the reference"),
        ("reference,standard\n20 mg/m3,old-20\n", "take one that is not overdue"),
        ("reference,standard\n20 mg/m3,other\n", "line 2: there is no standard `other`: add it with"),
        (
            "reference,unit,standard\n20,ug/m3,co-20\n",
            "is not what the standard co-20 is certified for, 20 mg/m3",
        ),
        (
            "reference,unit,standard\n20,mg/m3,zero-air\n",
            "is not what the standard zero-air is certified for",
        ),
        ("role,source\nlinearity,none\n", "there is no sensor `none`"),
        ("role,source\nlinearity,co-1\n", "line 2: co-1 is no reference for itself"),
    ] {
        let message = refused(points);
        assert!(message.contains(said), "{points}: {message}");
    }
    assert_eq!(bench.audited("session."), [""; 0], "all of that is known before a session is opened");
}

#[test]
fn what_a_session_would_end_at_is_found_before_it_is_opened() {
    let bench = Bench::with(
        "[sensor.bare]\nsource = \"line\"\nfield = \"co\"\nunit = \"nA\"\nmpe = { absolute = 1 }\n\
         [sensor.bare.recalibration]\nt90 = \"200ms\"\n",
    );
    let (key, points) = (bench.key("technician"), bench.file("points.csv", POINTS));
    let found = bench.file("found.csv", "reference,standard,round\n20 mg/m3,co-20,as_found\n");
    for (words, said) in [
        (vec!["co-1", "--points", &found, "--key", &key], "no row is to be measured as left"),
        (vec!["co-1", "--points", &points], "this gateway holds none: give --key FILE"),
        (
            vec!["bare", "--points", &points, "--key", &key, "--unit", "mg/m3"],
            "set `quantity` in [sensor.bare]",
        ),
    ] {
        let output = bench.calibctl(&[&["recalibrate", "--yes"], &words[..]].concat());
        let message = stderr(&output);
        assert!(message.contains(said), "{words:?}: {message}");
        assert!(!message.contains("stays open"), "{message}");
    }
    assert_eq!(bench.audited("session."), [""; 0]);
    // A spot check has no use for either.
    let output = bench.calibctl(&["recalibrate", "co-1", "--points", &found, "--spot-check", "--yes"]);
    assert!(stdout(&output).contains("as found fail, not adjusted"), "{}", stderr(&output));
}

#[test]
fn a_time_limit_is_told_once_and_maintenance_stays_on() {
    // What scatters at all never settles.
    let bench = Bench::with("max_scatter = 1e-9\ntime_limit = \"1s\"\n");
    bench.open(json!({"sensor": "co-1", "mode": "spot_check"}));
    let off = bench.calibctl(&["maintenance", "off", "co-1"]);
    assert_eq!(off.status.code(), Some(1));
    let told = stderr(&off);
    assert!(told.contains("stays in maintenance until its recalibration session s-"), "{told}");
    assert_eq!(bench.audited("maintenance."), ["maintenance.on"]);
    let points = bench.file("points.csv", POINTS);
    let output = bench.calibctl(&["recalibrate", "co-1", "--points", &points, "--yes", "--resume"]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(told.matches("has not settled within").count(), 1, "{told}");
    assert!(told.contains("the session stays open: `calibctl recalibrate co-1 --resume`"), "{told}");
}

#[test]
fn a_second_technician_and_a_wrong_key_are_told_what_to_do() {
    let bench = Bench::new();
    let points = bench.file("points.csv", POINTS);
    let stranger = bench.key("stranger");
    let output = bench.calibctl(&["recalibrate", "co-1", "--points", &points, "--key", &stranger, "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("unknown_key"), "{}", stderr(&output));
    let again = bench.calibctl(&["recalibrate", "co-1", "--points", &points, "--key", &stranger, "--yes"]);
    let told = stderr(&again);
    assert!(told.contains("co-1 has a session already") && told.contains("--resume"), "{told}");
    // With a key that may, it goes on where it was.
    let key = bench.key("technician");
    let output =
        bench.calibctl(&["recalibrate", "co-1", "--points", &points, "--key", &key, "--yes", "--resume"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
