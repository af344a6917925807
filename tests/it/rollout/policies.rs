//! Bakes without references, by each policy, in a real process.

use serde_json::{Value, json};

use super::{audited, canary, version};
use crate::mqtt_end_to_end::Street;
use crate::support::gateway::{Gateway, UP};
use crate::support::trust::opened;

fn street(policy: &str) -> Street {
    let gateway = Gateway::new().with(&format!("[rollout]\n{policy}\n"));
    let mut street = Street::at(gateway, "");
    let seven = street.authority.signed(&version(7, 0.1, Value::Null));
    street.push("co", &seven);
    street.ack(1);
    let eight = street.authority.signed(&version(8, 0.0, canary("2s")));
    street.push("co", &eight);
    assert_eq!(street.ack(2)["stage"], "shadow");
    street.measure(5.0);
    street.reading(5.0);
    street
}

fn event(street: &Street, action: &str) -> Value {
    street.above.await_on(&format!("{UP}/event"), |message| {
        let event = message.json();
        (event["action"] == action).then_some(event)
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
fn without_references_the_bake_goes_on() {
    let street = street("");
    let event = event(&street, "rollout.extended");
    assert!(event["message"].as_str().unwrap().contains("12 pairs are needed"), "{event}");
    assert_eq!(event["stage"], "shadow");
    // Another policy holds for what goes on, too.
    let text = street.gateway.text().replace("[rollout]\n", "[rollout]\nwithout_references = \"refuse\"\n");
    street.gateway.rewrite(&text);
    street.daemon.process.signal("HUP");
    self::event(&street, "rollout.refused");
}

#[test]
fn without_references_the_candidate_is_refused() {
    let street = street("without_references = \"refuse\"");
    let event = event(&street, "rollout.refused");
    assert!(event["message"].as_str().unwrap().contains("not shown to be good enough"), "{event}");
    reported(&street, |it| it["candidate"].is_null() && it["active"]["version"] == 7);
}

#[test]
fn without_references_readings_alone_decide() {
    let mut street = street("without_references = \"sanity_only\"");
    let reported = reported(&street, |it| it["active"]["version"] == 8 && it["active"]["stage"] == "active");
    assert_eq!(reported["candidate"], Value::Null);
    street.measure(6.0);
    assert_eq!(street.reading(6.0)["transform"]["version"], json!(8));
}

#[test]
fn a_power_cut_in_the_bake_does_not_begin_it_anew() {
    let gateway = Gateway::new().with("[rollout]\nwithout_references = \"sanity_only\"\n");
    let mut street = Street::at(gateway, "");
    let eight = street.authority.signed(&version(8, 0.0, canary("10s")));
    street.push("co", &eight);
    street.ack(1);
    street.daemon.process.kill();
    street.daemon = street.gateway.start();
    street.daemon.linked();
    street.measure(5.0);
    event(&street, "rollout.settled");
    let rollout: Vec<_> =
        audited(&street.gateway).into_iter().filter(|action| action.starts_with("rollout.")).collect();
    let wanted = ["rollout.accepted", "rollout.shadow", "rollout.activated", "rollout.settled"];
    assert_eq!(rollout, wanted);
}
