//! Orders of the fleet, through the broker and the daemon.

use serde_json::{Value, json};

use super::{audited, canary, version};
use crate::mqtt_end_to_end::Street;
use crate::support::gateway::{Gateway, UP};
use crate::support::trust::opened;

const ORDERS: &str = "calibd/1/plant-7/down/all/order/co";

/// A gateway on which version 7 is in force, and version 8 comes with this rollout; with the digests of both.
fn street(rollout: Value) -> (Street, Value, Value) {
    let mut street = Street::at(Gateway::new(), "");
    let seven = street.authority.signed(&version(7, 0.1, Value::Null));
    street.push("co", &seven);
    let seven = street.ack(1)["digest"].clone();
    let eight = street.authority.signed(&version(8, 0.0, rollout));
    street.push("co", &eight);
    let eight = street.ack(2)["digest"].clone();
    (street, seven, eight)
}

fn order(serial: u64, action: &str, digest: &Value, percent: Value) -> Value {
    json!({
        "schema": 1, "fleet": "plant-7", "id": "co", "serial": serial, "action": action, "digest": digest,
        "percent": percent, "targets": {"gateways": ["gw-1"], "sensors": ["co-1"]}, "issued_at": "2026-11-01T00:00:00Z",
    })
}

/// Publishes an order; the answer to it.
fn give(street: &mut Street, order: &Value) -> Value {
    let envelope = street.authority.signed_as("order", "fleet", order);
    let digest = calibd::domain::trust::envelope::Envelope::parse(&envelope).unwrap().digest().to_string();
    let before = street.acks().len();
    street.publisher.retain(ORDERS, envelope);
    let key = street.gateway.store().join("gateway.pub.pem");
    crate::support::wait::until("the answer", || {
        let acks = street.above.on(&format!("{UP}/ack"));
        let new = acks.iter().skip(before).map(|ack| opened(&ack.payload, "ack", &key));
        new.into_iter().find(|ack| ack["digest"] == json!(digest))
    })
}

fn reported(street: &Street, fits: impl Fn(&Value) -> bool) -> Value {
    let key = street.gateway.store().join("gateway.pub.pem");
    street.above.await_on(&format!("{UP}/reported/co-1"), |message| {
        let reported = opened(&message.payload, "reported", &key);
        fits(&reported).then_some(reported)
    })
}

fn runs(street: &mut Street, raw: f64) -> Value {
    street.measure(raw);
    street.reading(raw)["transform"]["version"].clone()
}

#[test]
fn a_promotion_a_rollback_and_a_retirement_by_order() {
    let (mut street, seven, eight) = street(json!({"mode": "shadow", "bake": "1h"}));
    assert_eq!(runs(&mut street, 1.0), 7);
    let ack = give(&mut street, &order(1, "promote", &eight, Value::Null));
    assert_eq!((&ack["verdict"], &ack["stage"]), (&json!("accepted"), &json!("canary")), "{ack}");
    assert!(ack["message"].as_str().unwrap().contains("by order of the fleet (order 1)"), "{ack}");
    assert_eq!(runs(&mut street, 2.0), 8);
    let ack = give(&mut street, &order(2, "rollback", &eight, Value::Null));
    assert_eq!((&ack["verdict"], &ack["stage"]), (&json!("accepted"), &json!("rolled_back")), "{ack}");
    assert_eq!(runs(&mut street, 3.0), 7);
    reported(&street, |it| it["active"]["version"] == 7 && it["floors"]["co"] == json!([1, 8]));
    // A serial only rises, and what was followed is followed once, also after a restart.
    let again = give(&mut street, &order(2, "rollback", &eight, Value::Null));
    assert_eq!(again["verdict"], "already_applied");
    street.daemon.process.kill();
    street.daemon = street.gateway.start();
    street.daemon.linked();
    let replayed = give(&mut street, &order(1, "promote", &eight, Value::Null));
    assert_eq!(replayed["reason"], "rolled_back_version", "{replayed}");
    let other = give(&mut street, &order(2, "retire", &seven, Value::Null));
    assert_eq!(other["reason"], "conflicting_version", "{other}");
    let ended = give(&mut street, &order(3, "promote", &eight, Value::Null));
    assert_eq!(ended["reason"], "rolled_back_version", "{ended}");
    assert_eq!(runs(&mut street, 4.0), 7);
    let ack = give(&mut street, &order(3, "retire", &seven, Value::Null));
    assert_eq!(ack["verdict"], "accepted", "{ack}");
    assert_eq!(runs(&mut street, 5.0), Value::Null);
    let followed = audited(&street.gateway).into_iter().filter(|action| action == "order.followed").count();
    assert_eq!(followed, 3);
}

#[test]
fn an_abort_ends_a_candidate_and_a_stranger_orders_nothing() {
    let (mut street, seven, eight) = street(canary("1h"));
    let settled = give(&mut street, &order(1, "abort", &seven, Value::Null));
    assert_eq!(settled["reason"], "conflict", "{settled}");
    let stranger = street.authority.signed_as("order", "stranger", &order(1, "abort", &eight, Value::Null));
    street.publisher.retain(ORDERS, stranger);
    let key = street.gateway.store().join("gateway.pub.pem");
    street.above.await_on(&format!("{UP}/ack"), |message| {
        (opened(&message.payload, "ack", &key)["reason"] == "unknown_key").then_some(())
    });
    let ack = give(&mut street, &order(1, "abort", &eight, Value::Null));
    assert_eq!((&ack["verdict"], &ack["stage"]), (&json!("accepted"), &json!("rolled_back")), "{ack}");
    reported(&street, |it| it["candidate"].is_null() && it["active"]["version"] == 7);
    // Whoever wants a reply of his own gets it on the gateway's branch, wherever he would have it.
    let envelope = street.authority.signed_as("order", "fleet", &order(2, "retire", &seven, Value::Null));
    street.publisher.ask(ORDERS, envelope, "elsewhere", b"7f");
    let reply = street.above.await_on(&format!("{UP}/reply"), |message| {
        (message.correlation.as_deref() == Some(b"7f".as_slice()))
            .then(|| opened(&message.payload, "reply", &key))
    });
    assert_eq!((&reply["command"], &reply["serial"]), (&json!("retire"), &json!(2)), "{reply}");
    assert_eq!((&reply["verdict"], &reply["sensors"]), (&json!("accepted"), &json!(["co-1"])), "{reply}");
}

#[test]
fn canary_widen_superset() {
    // Gateway gw-1 stands at 14.53 % for this id and seed.
    let (mut street, _, eight) = street(json!({"mode": "canary", "percent": 1, "seed": "s", "bake": "1h"}));
    let waiting = reported(&street, |it| it["candidate"]["stage"] == "candidate");
    assert_eq!((&waiting["candidate"]["waits"], &waiting["floors"]["co"]), (&json!("share"), &json!([1, 8])));
    let ack = give(&mut street, &order(1, "promote", &eight, json!(10)));
    assert_eq!((&ack["verdict"], &ack["stage"]), (&json!("accepted"), &json!("candidate")), "{ack}");
    let ack = give(&mut street, &order(2, "promote", &eight, json!(100)));
    assert_eq!((&ack["verdict"], &ack["stage"]), (&json!("accepted"), &json!("shadow")), "{ack}");
    // Nothing older comes in behind the candidate: canary_excluded_floor.
    let old = street.authority.signed(&version(7, 0.2, Value::Null));
    street.push("co", &old);
    let key = street.gateway.store().join("gateway.pub.pem");
    street.above.await_on(&format!("{UP}/ack"), |message| {
        (opened(&message.payload, "ack", &key)["reason"] == "rolled_back_version").then_some(())
    });
}

#[test]
fn an_order_that_comes_before_its_transform_waits_for_it() {
    let mut street = Street::at(Gateway::new(), "");
    let eight = street.authority.signed(&version(8, 0.0, json!({"mode": "shadow", "bake": "1h"})));
    let digest = json!(calibd::domain::trust::envelope::Envelope::parse(&eight).unwrap().digest());
    let ack = give(&mut street, &order(1, "promote", &digest, Value::Null));
    assert_eq!(ack["reason"], "unknown_sensor", "{ack}");
    street.push("co", &eight);
    let reported = reported(&street, |it| it["active"]["version"] == 8);
    assert_eq!(reported["active"]["stage"], "canary");
}
