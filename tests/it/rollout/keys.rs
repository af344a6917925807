//! Keys that are revoked while a transform is tried.

use serde_json::{Value, json};

use super::{audited, canary, version};
use crate::mqtt_end_to_end::Street;
use crate::support::gateway::UP;
use crate::support::trust::opened;

/// A second key of the fleet signs what is tried; the first one what is in force.
fn street(trust: &str, seven: &Value, eight: &Value) -> Street {
    let mut street = Street::with(trust);
    street.authority.ctl(&["key", "generate", "second"]);
    let two = street.authority.next_root(2, &[&["add-key", "--role", "fleet", "--key", "second.pub.pem"]]);
    street.publisher.retain("calibd/1/plant-7/down/root/2", &two);
    answer(&street, "root", 2, "accepted");
    let seven = street.authority.signed(seven);
    street.push("co", &seven);
    answer(&street, "co", 7, "accepted");
    let eight = street.authority.signed_by("second", eight);
    street.push("co", &eight);
    answer(&street, "co", 8, "accepted");
    street
}

fn revoke(street: &mut Street, key: &str) {
    let three = street.authority.next_root(3, &[&["revoke-key", "--key", key]]);
    street.publisher.retain("calibd/1/plant-7/down/root/3", &three);
}

/// Waits for the answer to something, by its name and version, that says this.
fn answer(street: &Street, id: &str, version: u64, verdict: &str) -> Value {
    let key = street.gateway.store().join("gateway.pub.pem");
    street.above.await_on(&format!("{UP}/ack"), |message| {
        let ack = opened(&message.payload, "ack", &key);
        (ack["id"] == id && ack["version"] == version && ack["verdict"] == verdict).then_some(ack)
    })
}

fn reported(street: &Street, fits: impl Fn(&Value) -> bool) -> Value {
    let key = street.gateway.store().join("gateway.pub.pem");
    street.above.await_on(&format!("{UP}/reported/co-1"), |message| {
        let reported = opened(&message.payload, "reported", &key);
        fits(&reported).then_some(reported)
    })
}

#[test]
fn revoke_during_bake() {
    let mut street = street("", &version(7, 0.1, Value::Null), &version(8, 0.0, canary("1h")));
    reported(&street, |it| it["candidate"]["stage"] == "shadow");
    revoke(&mut street, "second");
    let event = street.above.await_on(&format!("{UP}/event"), |message| {
        let event = message.json();
        (event["action"] == "rollout.refused").then_some(event)
    });
    assert!(event["message"].as_str().unwrap().contains("is not valid any more"), "{event}");
    reported(&street, |it| {
        it["candidate"].is_null()
            && it["verdicts"][0]["stage"] == "rolled_back"
            && it["active"]["version"] == 7
    });
    street.measure(2.0);
    assert_eq!(street.reading(2.0)["reasons"], json!([]), "what is in force was not signed by it");
    let actions = audited(&street.gateway);
    let place = |action: &str| actions.iter().rposition(|other| other == action).unwrap();
    assert!(place("rollout.refused") > place("root.installed"), "in one transaction with the root");
}

#[test]
fn a_revoked_key_on_trial_gives_way_to_the_last_good_one() {
    let trial = json!({"mode": "immediate", "bake": "1h", "gate": {"min_pairs": 8}});
    let on_revoked = "on_revoked = \"previous\"";
    let mut street = street(on_revoked, &version(7, 0.1, Value::Null), &version(8, 0.0, trial));
    reported(&street, |it| it["active"]["stage"] == "canary");
    revoke(&mut street, "second");
    reported(&street, |it| it["active"]["version"] == 7 && it["floors"]["co"] == json!([1, 8]));
    street.measure(2.0);
    assert_eq!(street.reading(2.0)["transform"]["version"], 7);
}

#[test]
fn what_a_rollback_would_lead_to_is_gone_with_its_key() {
    let trial = json!({"mode": "immediate", "bake": "1h", "gate": {"min_pairs": 8}});
    let mut street = street("", &version(7, 0.1, Value::Null), &version(8, 0.0, trial));
    reported(&street, |it| it["active"]["stage"] == "canary");
    revoke(&mut street, "fleet");
    answer(&street, "root", 3, "accepted");
    let digest = reported(&street, |it| it["active"]["version"] == 8)["active"]["digest"].clone();
    let order = json!({
        "schema": 1, "fleet": "plant-7", "id": "co", "serial": 1, "action": "rollback", "digest": digest,
        "percent": null, "targets": {"gateways": ["gw-1"], "sensors": ["co-1"]}, "issued_at": "2026-11-01T00:00:00Z",
    });
    let envelope = street.authority.signed_as("order", "second", &order);
    street.publisher.retain("calibd/1/plant-7/down/gw/gw-1/order/co", envelope);
    let ack = answer(&street, "co", 1, "refused");
    assert_eq!(ack["reason"], "conflict", "{ack}");
    street.measure(3.0);
    assert_eq!(street.reading(3.0)["transform"]["version"], 8);
}
