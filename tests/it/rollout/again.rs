//! What comes again: alerts after a crash, and what the broker keeps with each connection.

use calibd::domain::trust::envelope::Envelope;
use serde_json::{Value, json};

use super::{audited, canary, version};
use crate::mqtt_end_to_end::Street;
use crate::support::control::post;
use crate::support::gateway::{DOWN, Gateway, UP};
use crate::support::mqtt::Message;
use crate::support::process::metric;
use crate::support::trust::opened;
use crate::support::wait::{until, until_true};

fn reported(street: &Street, fits: impl Fn(&Value) -> bool) -> Value {
    let key = street.gateway.store().join("gateway.pub.pem");
    street.above.await_on(&format!("{UP}/reported/co-1"), |message| {
        let reported = opened(&message.payload, "reported", &key);
        fits(&reported).then_some(reported)
    })
}

/// Waits for the answer to something, by its name and version, that says this.
fn answer(street: &Street, id: &str, version: u64, verdict: &str) -> Value {
    let key = street.gateway.store().join("gateway.pub.pem");
    street.above.await_on(&format!("{UP}/ack"), |message| {
        let ack = opened(&message.payload, "ack", &key);
        (ack["id"] == id && ack["version"] == version && ack["verdict"] == verdict).then_some(ack)
    })
}

#[test]
fn the_alert_of_a_rollout_outlives_a_crash_right_after_it() {
    let policy = "[rollout]\nwithout_references = \"refuse\"\n[alerts]\nraise_after = \"5s\"\n";
    let gateway = Gateway::new().with(policy);
    let mut street = Street::at(gateway, "");
    let eight = street.authority.signed(&version(8, 0.0, canary("1s")));
    street.push("co", &eight);
    reported(&street, |it| it["verdicts"][0]["stage"] == "rolled_back");
    street.daemon.process.kill();
    street.daemon = street.gateway.start();
    let found = |message: &Message| {
        let alert =
            (message.topic.contains("/alert/") && !message.payload.is_empty()).then(|| message.json())?;
        (alert["cause"] == "rollout co-1").then_some(alert)
    };
    let alert = until("the alert", || street.above.all().iter().find_map(found));
    assert!(alert["message"].as_str().unwrap().contains("is not shown to be good enough"), "{alert}");
}

#[test]
fn what_found_no_room_is_asked_for_again_while_connected() {
    let mut street = Street::at(Gateway::new(), "");
    let seven = street.authority.signed(&version(7, 0.0, Value::Null));
    // Each takes its time, as what strangers send does; together they are twice what may wait.
    let noise = vec![b' '; 256 << 10];
    let ignored = "calibd_downlink_ignored_total{reason=\"busy\"}";
    let connected = street.daemon.metric("calibd_link_reconnects_total");
    let mut noise = || (0..40).for_each(|_| street.publisher.publish(&format!("{DOWN}/noise"), &noise));
    until_true("something to find no room", || {
        noise();
        metric(street.gateway.http, ignored) > 0
    });
    noise();
    street.push("co", &seven);
    answer(&street, "co", 7, "accepted");
    assert_eq!(street.daemon.metric("calibd_link_reconnects_total"), connected);
}

#[test]
fn orders_about_what_others_have_take_no_place_of_those_that_concern_the_gateway() {
    let mut street = Street::at(Gateway::new(), "");
    let seven = street.authority.signed(&version(7, 0.1, Value::Null));
    street.push("co", &seven);
    answer(&street, "co", 7, "accepted");
    let eight = street.authority.signed(&version(8, 0.0, json!({"mode": "shadow", "bake": "1h"})));
    let mut other = version(1, 0.0, json!({"mode": "shadow", "bake": "1h"}));
    (other["id"], other["replaces"]) = (json!("other-70"), json!(["co"]));
    let other = street.authority.signed(&other);
    let digest = |envelope: &[u8]| json!(Envelope::parse(envelope).unwrap().digest());
    let order = |id: &str, about: &Value| {
        json!({
            "schema": 1, "fleet": "plant-7", "id": id, "serial": 1, "action": "promote", "digest": about,
            "targets": {"gateways": ["gw-1"], "sensors": ["co-1"]}, "issued_at": "2026-11-01T00:00:00Z",
        })
    };
    for number in 0..=70 {
        let id = format!("other-{number}");
        let order = street.authority.signed_as("order", "fleet", &order(&id, &digest(&other)));
        street.publisher.retain(&format!("calibd/1/plant-7/down/all/order/{id}"), &order);
    }
    let about_eight = street.authority.signed_as("order", "fleet", &order("co", &digest(&eight)));
    street.publisher.retain("calibd/1/plant-7/down/all/order/co", &about_eight);
    answer(&street, "co", 1, "refused");
    assert!(street.daemon.metric("calibd_downlink_ignored_total{reason=\"no_place\"}") >= 55);
    street.push("co", &eight);
    reported(&street, |it| it["active"]["version"] == 8 && it["active"]["stage"] == "canary");
    // The last of those that found no place comes again with its transform.
    street.push("other-70", &other);
    reported(&street, |it| it["active"]["id"] == "other-70" && it["active"]["stage"] == "canary");
}

/// Version 7 of `co` in force, and version 8 in shadow.
fn in_shadow() -> Street {
    let mut street = Street::at(Gateway::new(), "");
    let seven = street.authority.signed(&version(7, 0.1, Value::Null));
    street.push("co", &seven);
    answer(&street, "co", 7, "accepted");
    let eight = street.authority.signed(&version(8, 0.0, canary("1h")));
    street.push("co", &eight);
    answer(&street, "co", 8, "accepted");
    street
}

#[test]
fn of_two_candidates_that_the_broker_keeps_the_last_one_goes_on_after_each_connection() {
    let mut street = in_shadow();
    let mut other = version(1, 0.0, canary("1h"));
    (other["id"], other["replaces"]) = (json!("other"), json!(["co"]));
    let other = street.authority.signed(&other);
    street.push("other", &other);
    answer(&street, "other", 1, "accepted");
    let before = reported(&street, |it| it["candidate"]["id"] == "other");
    street.daemon.process.kill();
    street.daemon = street.gateway.start();
    answer(&street, "co", 8, "already_applied");
    answer(&street, "other", 1, "already_applied");
    let superseded = audited(&street.gateway).into_iter().filter(|it| it == "rollout.superseded").count();
    assert_eq!(superseded, 1);
    let last = street.retained(&format!("{UP}/reported/co-1"));
    let last = opened(&last.payload, "reported", &street.gateway.store().join("gateway.pub.pem"));
    assert_eq!(last["candidate"]["since"], before["candidate"]["since"], "its evidence goes on");
}

#[test]
fn what_does_not_fit_its_sensor_any_more_waits_until_it_does() {
    let street = in_shadow();
    let text = street.gateway.text();
    street.gateway.rewrite(&text.replace("unit = \"nA\"", "unit = \"V\""));
    street.daemon.process.signal("HUP");
    let waiting = reported(&street, |it| it["candidate"]["waits"] == "fit");
    assert_eq!((&waiting["active"], &waiting["candidate"]["stage"]), (&Value::Null, &json!("shadow")));
    let seen = street.above.on(&format!("{UP}/reported/co-1")).len();
    street.gateway.rewrite(text);
    street.daemon.process.signal("HUP");
    let key = street.gateway.store().join("gateway.pub.pem");
    until("it to be computed again", || {
        let told = street.above.on(&format!("{UP}/reported/co-1")).split_off(seen);
        let mut told = told.iter().map(|message| opened(&message.payload, "reported", &key));
        told.find(|it| it["active"]["version"] == 7 && it["candidate"]["waits"].is_null())
    });
}

#[test]
fn another_instrument_begins_the_evidence_anew() {
    let mut street = in_shadow();
    street.measure(2.0);
    street.reading(2.0);
    let admin = street.gateway.path("run/admin.sock");
    let mount = json!({"model": "m", "serial": "8"}).to_string();
    assert_eq!(post(&admin, "/v1/sensors/co-1/instrument", mount.as_bytes()).status, 200);
    let event = street.above.await_on(&format!("{UP}/event"), |message| {
        let event = message.json();
        (event["action"] == "rollout.restarted").then_some(event)
    });
    assert!(event["message"].as_str().unwrap().contains("another instrument (8) is mounted"), "{event}");
    assert_eq!(event["stage"], "shadow");
}
