//! Canaries: one that passes, one that fails in shadow, one that fails on trial, one that waits for its share.

use serde_json::{Value, json};

use super::{Trial, canary, version};
use crate::support::process::metric;
use crate::support::wait::until_true;

#[test]
fn a_canary_that_passes_its_gate_is_in_force_for_good_in_the_end() {
    let mut trial = Trial::new("");
    trial.push(&version(7, 1.0, Value::Null));
    assert_eq!(trial.ack(7, |_| true)["stage"], "active");
    trial.push(&version(8, 0.0, canary("10m")));
    let ack = trial.ack(8, |_| true);
    assert_eq!((&ack["verdict"], &ack["stage"]), (&json!("accepted"), &json!("shadow")), "{ack}");
    assert!(ack["message"].as_str().unwrap().contains("is computed beside co version 7"), "{ack}");
    let reported = trial.reported(|it| it["candidate"]["stage"] == "shadow");
    assert_eq!(reported["active"]["version"], 7);
    assert_eq!(reported["candidate"]["version"], 8);
    assert_eq!(reported["floors"], json!({"co": [1, 8]}), "the floor has risen already");

    trial.compare(1);
    let reading = trial.above.readings().into_iter().find(|it| it["sensor"] == "co-1").unwrap();
    assert_eq!(reading["transform"]["version"], 7, "what goes out is by the one in force");
    trial.compare(11);
    let reported = trial.reported(|it| it["active"]["version"] == 8 && it["active"]["stage"] == "canary");
    assert!(reported["active"]["gate"].is_object() && reported["candidate"].is_null(), "{reported}");
    let event = trial.event("rollout.activated");
    let sentence = event["message"].as_str().unwrap();
    assert!(sentence.contains("its gate is passed") && sentence.contains("RMSE"), "{sentence}");
    trial.compare(8);
    let reported = trial.reported(|it| it["active"]["stage"] == "active" && it["active"]["version"] == 8);
    assert_eq!(reported["candidate"], Value::Null);
    assert_eq!(reported["verdicts"][0]["stage"], "active");
    trial.event("rollout.settled");
    trial.compare(1);
    let last = trial.above.readings().into_iter().rev().find(|it| it["sensor"] == "co-1").unwrap();
    assert_eq!(last["transform"]["version"], 8);
    let mut rollout = trial.audited();
    // How many pairs there are when the bake ends is up to the machine that tests.
    rollout.retain(|action| action.starts_with("rollout.") && action != "rollout.extended");
    let wanted = ["rollout.accepted", "rollout.shadow", "rollout.activated", "rollout.settled"];
    assert_eq!(rollout, wanted);
    let steps = "calibd_automated_steps_total{ended=\"well\"}";
    until_true("the step to be counted", || metric(trial.gateway.http, steps) == 1);
}

#[test]
fn a_bad_candidate_never_leaves_the_shadow() {
    let mut trial = Trial::new("");
    trial.push(&version(7, 0.0, Value::Null));
    trial.ack(7, |_| true);
    trial.push(&version(8, 1.0, canary("10m")));
    trial.reported(|it| it["candidate"]["stage"] == "shadow");
    trial.compare(12);
    let event = trial.event("rollout.refused");
    assert!(event["message"].as_str().unwrap().contains("fails its gate in shadow"), "{event}");
    assert_eq!(event["stage"], "rolled_back");
    let reported = trial.reported(|it| it["verdicts"][0]["stage"] == "rolled_back");
    assert_eq!((&reported["active"]["version"], &reported["candidate"]), (&json!(7), &Value::Null));
    trial.above.await_on("calibd/1/plant-7/up/gw-1/event", |message| {
        (message.json()["action"] == "rollout.refused").then_some(())
    });
    // The same bytes again change nothing.
    trial.push(&version(9, 0.0, Value::Null));
    trial.ack(9, |ack| ack["verdict"] == "accepted");
}

#[test]
fn what_fails_on_trial_is_taken_back_by_itself() {
    let mut trial = Trial::new("");
    trial.push(&version(7, 0.0, Value::Null));
    trial.ack(7, |_| true);
    trial.push(&version(8, 1.0, json!({"mode": "immediate", "bake": "48h", "gate": {"min_pairs": 8}})));
    assert_eq!(trial.ack(8, |_| true)["stage"], "canary");
    trial.compare(12);
    let event = trial.event("rollout.rolled_back");
    let sentence = event["message"].as_str().unwrap();
    assert!(
        sentence.contains("fails its gate in force") && sentence.contains("co version 7 is in force again"),
        "{sentence}"
    );
    let reported = trial.reported(|it| it["active"]["version"] == 7 && it["floors"]["co"] == json!([1, 8]));
    assert_eq!(reported["active"]["stage"], "active");
    trial.compare(1);
    let last = trial.above.readings().into_iter().rev().find(|it| it["sensor"] == "co-1").unwrap();
    assert_eq!(last["transform"]["version"], 7);
    assert!(trial.audited().contains(&"transform.rolled_back".to_owned()));
}

#[test]
fn evidence_goes_on_after_a_restart() {
    let mut trial = Trial::new("");
    trial.push(&version(7, 1.0, Value::Null));
    trial.ack(7, |_| true);
    trial.push(&version(8, 0.0, canary("2h")));
    trial.reported(|it| it["candidate"]["stage"] == "shadow");
    trial.compare(10);
    let before = trial.reported(|it| it["candidate"]["gate"]["pairs"].as_u64() >= Some(9));
    trial.end();
    trial.begin();
    let pairs = before["candidate"]["gate"]["pairs"].as_u64();
    let seen = trial.above.on("calibd/1/plant-7/up/gw-1/reported/co-1").len();
    trial.compare(2);
    let after = trial.reported_after(seen, |it| it["candidate"]["gate"]["pairs"].as_u64() > pairs);
    assert_eq!(after["candidate"]["since"], before["candidate"]["since"]);
    let shadows = trial.audited().into_iter().filter(|action| action == "rollout.shadow").count();
    assert_eq!(shadows, 1, "it goes on, it does not begin anew");
}
