use serde_json::{Value, json};

use super::*;
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::fixtures::{FLEET, id, key, root};

fn order() -> Value {
    json!({
        "schema": 1, "fleet": "plant-7", "id": "co", "serial": 4, "action": "promote", "digest": Digest([8; 32]),
        "percent": 10, "targets": {"gateways": ["gw-1"], "sensors": ["co-1", "co-2"]}, "issued_at": "2026-02-01T00:00:00Z",
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut order = order();
    order[field] = value;
    order
}

fn signed(order: &Value) -> Vec<u8> {
    sign(&payload_type("order"), order.to_string().as_bytes(), &[key(FLEET)])
}

/// Judged on a gateway of which sensors `co-1` and `co-2` hold the transform.
fn judged(bytes: &[u8], scopes: Value, now: &str, last: Option<(u64, Digest)>) -> Result<Ordered, Refused> {
    let (root, fleet, gateway) = (root(scopes), id("plant-7"), id("gw-1"));
    let now = Timestamp::parse(now).unwrap();
    let holding = |named: &Id, digest: &Digest| {
        let facts = |serial: &str| SensorFacts { serial: Some(serial.to_owned()), ..SensorFacts::default() };
        let held = *digest == Digest([8; 32]) && named.as_str() == "co";
        let both = [(id("co-1"), facts("17")), (id("co-2"), facts("18"))];
        both.into_iter().filter(|_| held).collect()
    };
    verify_order(
        bytes,
        &Standpoint {
            root: Some(&root),
            fleet: &fleet,
            place: Place { gateway: Some(&gateway), enrolment: None },
            time: TimeView { now, trusted: true, floor: now },
            holding: &holding,
            last: &|_| last,
        },
    )
}

const NOW: &str = "2026-06-01T00:00:00Z";

fn sensors(order: &Value) -> Vec<String> {
    let ordered = judged(&signed(order), json!([]), NOW, None).unwrap();
    ordered.sensors.iter().map(Id::to_string).collect()
}

fn reason(order: &Value) -> Reason {
    judged(&signed(order), json!([]), NOW, None).unwrap_err().refusal.reason
}

#[test]
fn an_order_is_for_the_sensors_that_hold_its_transform_and_that_it_names() {
    assert_eq!(sensors(&order()), ["co-1", "co-2"]);
    assert_eq!(sensors(&with("targets", json!({"gateways": ["gw-1"], "sensors": ["co-2"]}))), ["co-2"]);
    let with_serial = json!({"gateways": ["gw-1"], "sensors": ["co-1", "co-2"], "serials": ["17"]});
    assert_eq!(sensors(&with("targets", with_serial)), ["co-1"]);
    for (targets, wanted) in [
        (json!({"gateways": ["gw-2"]}), Reason::NotForThisGateway),
        (json!({"groups": ["north"]}), Reason::NotForThisGateway),
        (json!({"gateways": ["gw-1"], "sensors": ["co-3"]}), Reason::UnknownSensor),
        (json!({"fleet": "plant-7"}), Reason::Malformed),
    ] {
        assert_eq!(reason(&with("targets", targets.clone())), wanted, "{targets}");
    }
    assert_eq!(reason(&with("digest", json!(Digest([9; 32])))), Reason::UnknownSensor);
    assert_eq!(
        reason(&with("id", json!("other"))),
        Reason::UnknownSensor,
        "serials count by the transform's own id"
    );
}

#[test]
fn a_gateway_that_is_not_enrolled_takes_only_orders_that_name_it_and_its_sensors() {
    for targets in [
        json!({}),
        json!({"gateways": ["gw-1"]}),
        json!({"sensors": ["co-1"]}),
        json!({"models": ["b4"]}),
        json!({"gateways": ["gw-1"], "sensors": ["co-1"], "groups": ["north"]}),
        json!({"gateways": ["gw-1"], "sensors": ["co-1"], "models": ["b4"]}),
    ] {
        assert_eq!(reason(&with("targets", targets.clone())), Reason::NotForThisGateway, "{targets}");
    }
}

#[test]
fn what_an_order_says_is_read_strictly() {
    for (field, value, wanted) in [
        ("schema", json!(2), Reason::UnknownSchema),
        ("fleet", json!("plant-8"), Reason::WrongFleet),
        ("serial", json!(0), Reason::InvalidContent),
        ("action", json!("explode"), Reason::Malformed),
        ("percent", json!(0), Reason::InvalidContent),
        ("percent", json!(101), Reason::InvalidContent),
        ("colour", json!("red"), Reason::Malformed),
        ("targets", json!(null), Reason::Malformed),
    ] {
        assert_eq!(reason(&with(field, value)), wanted, "{field}");
    }
    assert_eq!(reason(&with("action", json!("retire"))), Reason::InvalidContent, "a share of a retirement");
}

#[test]
fn a_serial_only_rises() {
    let bytes = signed(&order());
    let digest = judged(&bytes, json!([]), NOW, None).unwrap().digest;
    let of = |last| judged(&bytes, json!([]), NOW, last).map_err(|refused| refused.refusal.reason);
    assert!(!of(Some((3, Digest([1; 32])))).unwrap().already_applied);
    assert!(of(Some((4, digest))).unwrap().already_applied);
    assert_eq!(of(Some((4, Digest([1; 32])))).unwrap_err(), Reason::ConflictingVersion);
    assert_eq!(of(Some((5, digest))).unwrap_err(), Reason::RolledBackVersion);
}

#[test]
fn only_the_fleets_keys_give_orders_within_their_scopes_and_while_the_root_lasts() {
    let stranger = sign(&payload_type("order"), order().to_string().as_bytes(), &[key(9)]);
    let of = |bytes: &[u8], scopes, now| judged(bytes, scopes, now, None).unwrap_err().refusal.reason;
    assert_eq!(of(&stranger, json!([]), NOW), Reason::UnknownKey);
    let by_root = sign(&payload_type("order"), order().to_string().as_bytes(), &[key(1)]);
    assert_eq!(of(&by_root, json!([]), NOW), Reason::RoleNotAllowed);
    let as_transform = sign(&payload_type("transform"), order().to_string().as_bytes(), &[key(FLEET)]);
    assert_eq!(of(&as_transform, json!([]), NOW), Reason::WrongType);
    assert_eq!(of(&signed(&order()), json!([{"sensors": ["co-1"]}]), NOW), Reason::OutOfScope);
    assert_eq!(of(&signed(&order()), json!([]), "2027-02-01T00:00:00Z"), Reason::RootExpired);
}
