//! What the fleet sends while a session is open.

use serde_json::{Value, json};

use super::bench::{Bench, factory};
use super::{POINTS, stderr, stdout};
use crate::support::broker::Broker;
use crate::support::gateway::{DOWN, UP};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::trust::opened;
use crate::support::wait::{rest, until, until_true};

/// A bench whose gateway hears the fleet.
fn linked(broker: &Broker) -> Bench {
    Bench::with(&format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port))
}

/// The fleet sends this version of what the sensor came with; the answer once that is as wanted.
fn pushed(bench: &Bench, broker: &Broker, heard: &Subscriber, version: u64, wanted: [&str; 2]) -> Value {
    let envelope = match version {
        1 => std::fs::read(bench.path("factory.json")).unwrap(),
        _ => bench.authority.signed(&factory(version)),
    };
    Publisher::new(broker).retain(&format!("{DOWN}/co"), envelope);
    let key = bench.gateway.store().join("gateway.pub.pem");
    heard.await_on(&format!("{UP}/ack"), |message| {
        let ack = opened(&message.payload, "ack", &key);
        let [verdict, reason] = wanted;
        (ack["version"] == version
            && ack["verdict"] == verdict
            && ack["reason"].as_str().unwrap_or("") == reason)
            .then_some(ack)
    })
}

#[test]
fn what_is_in_force_already_is_no_push() {
    let broker = Broker::start();
    let bench = linked(&broker);
    let heard = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    let id = bench.open(json!({"sensor": "co-1"}))["session"]["id"].as_str().unwrap().to_owned();
    let open = bench.get("/v1/status")["sessions"].take();
    assert_eq!((&open[0]["id"], &open[0]["stage"]), (&json!(id), &json!("as_found")), "{open}");
    let refused = bench.audited("artifact.refused").len();
    let ack = pushed(&bench, &broker, &heard, 1, ["already_applied", ""]);
    assert!(ack["message"].as_str().unwrap().contains("in force already"), "{ack}");
    assert_eq!(bench.audited("artifact.refused").len(), refused);
    // A push that waits is told after it, so nothing was told before.
    pushed(&bench, &broker, &heard, 2, ["refused", "session_open"]);
    let session = until("the session to know", || {
        let whole = bench.get(&format!("/v1/sessions/{id}"));
        whole["session"]["waiting"].is_array().then_some(whole)
    });
    // Opened, and the one push.
    assert_eq!((&session["session"]["waiting"][1], &session["session"]["revision"]), (&json!(2), &json!(2)));
}

#[test]
fn a_push_waits_for_the_end_of_the_session_and_an_abort_puts_back_what_ran() {
    let broker = Broker::start();
    let bench = linked(&broker);
    let heard = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    let points = bench.file("points.csv", POINTS);
    let key = bench.key("technician");
    let mut session = bench.open(json!({"sensor": "co-1"}));
    pushed(&bench, &broker, &heard, 2, ["refused", "session_open"]);
    session = until("the session to know", || {
        let whole = bench.get(&format!("/v1/sessions/{}", session["session"]["id"].as_str().unwrap()));
        whole["state"]["told"].as_str()?.contains("it waits until this session ends").then_some(whole)
    });
    assert_eq!(session["session"]["waiting"][1], 2);
    // Through to the new transform in force, and back.
    let through = ["recalibrate", "co-1", "--points", &points, "--key", &key, "--yes", "--resume"];
    let handle = bench.spawn(&through);
    until("the new transform in force", || {
        (bench.get("/v1/sensors/co-1")["transform"]["id"] == "local-co-1").then_some(())
    });
    let output = bench.calibctl(&["recalibrate", "co-1", "--abort", "--reason", "rain"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("aborted: rain"), "{}", stdout(&output));
    let _ = handle.join().unwrap();
    assert!(bench.audited("session.").ends_with(&["session.aborted".into(), "session.restored".into()]));
    // What waited is judged now.
    until_true("the push in force", || {
        let transform = bench.get("/v1/sensors/co-1")["transform"].take();
        transform["id"] == "co" && transform["version"] == 2
    });
}

#[test]
fn what_is_brought_here_during_a_session_is_refused_and_does_not_wait() {
    let bench = Bench::new();
    let id = bench.open(json!({"sensor": "co-1"}))["session"]["id"].as_str().unwrap().to_owned();
    let brought = bench.file("brought.json", bench.authority.signed(&factory(2)));
    let refused = bench.calibctl(&["transform", "install", &brought, "--json"]);
    let ack: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((&ack["verdict"], &ack["reason"]), (&json!("refused"), &json!("session_open")), "{ack}");
    assert!(!ack["message"].as_str().unwrap().contains("it waits here"), "{ack}");
    bench.session(&id, "abort", json!({"reason": "rain"}));
    rest(super::unwritten::JUDGED_AGAIN);
    assert_eq!(bench.get("/v1/sensors/co-1")["transform"]["version"], 1);
}
