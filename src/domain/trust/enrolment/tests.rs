use serde_json::{Value, json};

use super::*;
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::fixtures::{ENROL, FLEET, GATEWAY, id, key, root};
use crate::domain::trust::slot::Slot;
use crate::domain::trust::verify::{Context, Verified, verify_transform};

fn document() -> Value {
    json!({
        "schema": 1, "fleet": "plant-7", "gateway": "gw-1", "version": 3,
        "public_key": key(GATEWAY).public().to_pem(), "groups": ["north"], "tags": {"site": "a"},
        "sensors": {
            "co-1": {"model": "b4", "serial": "17", "mpe": {"absolute": 0.5}},
            "co-2": {"model": "b4", "tags": {"site": "b"}},
        },
        "issued_at": "2026-02-01T00:00:00Z",
    })
}

fn signed(document: &Value, seed: u8) -> Vec<u8> {
    sign(&payload_type("enrolment"), document.to_string().as_bytes(), &[key(seed)])
}

fn time() -> TimeView {
    let now = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
    TimeView { now, trusted: true, floor: now }
}

fn judged(bytes: &[u8], floor: Option<(u64, Digest)>) -> Result<Enrolled, Refused> {
    let (root, fleet, gateway) = (root(json!([])), id("plant-7"), id("gw-1"));
    let gateway = Some((&gateway, key(GATEWAY).public().id()));
    verify_enrolment(bytes, &Standpoint { root: Some(&root), fleet: &fleet, gateway, time: time(), floor })
}

fn reason(document: &Value, seed: u8, floor: Option<(u64, Digest)>) -> Reason {
    judged(&signed(document, seed), floor).unwrap_err().refusal.reason
}

fn with(pointer: &str, value: Value) -> Value {
    let mut document = document();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[field] = value;
    document
}

#[test]
fn an_enrolment_is_for_one_gateway_and_its_key_by_the_role_enrol() {
    let enrolled = judged(&signed(&document(), ENROL), None).unwrap();
    assert_eq!((enrolled.enrolment.version, enrolled.already_applied), (3, false));
    assert_eq!(enrolled.keyids, [key(ENROL).public().id()]);
    let floor = Some((3, enrolled.digest));
    assert!(judged(&signed(&document(), ENROL), floor).unwrap().already_applied);
    for (document, seed, floor, expected) in [
        (document(), FLEET, None, Reason::RoleNotAllowed),
        (document(), GATEWAY, None, Reason::UnknownKey),
        (with("/gateway", json!("gw-2")), ENROL, None, Reason::NotForThisGateway),
        (with("/public_key", json!(key(9).public().to_pem())), ENROL, None, Reason::NotForThisGateway),
        (with("/fleet", json!("plant-8")), ENROL, None, Reason::WrongFleet),
        (with("/version", json!(0)), ENROL, None, Reason::InvalidContent),
        (with("/version", json!(2)), ENROL, floor, Reason::RolledBackVersion),
        (with("/groups", json!(["south"])), ENROL, floor, Reason::ConflictingVersion),
        (with("/schema", json!(2)), ENROL, None, Reason::UnknownSchema),
        (with("/role", json!("fleet")), ENROL, None, Reason::Malformed),
        (with("/sensors/co-1/mpe", json!(-1)), ENROL, None, Reason::Malformed),
    ] {
        assert_eq!(reason(&document, seed, floor), expected, "{document}");
    }
    let bytes = sign(&payload_type("transform"), document().to_string().as_bytes(), &[key(ENROL)]);
    assert_eq!(judged(&bytes, None).unwrap_err().refusal.reason, Reason::WrongType);
}

/// A gateway with three sensors, of which two are enrolled.
fn transform(target: Value, scopes: Value, enrolled: bool) -> Result<Verified, Refused> {
    let transform = json!({
        "schema": 1, "id": "co", "epoch": 1, "version": 1, "replaces": [], "target": target,
        "quantity": "concentration", "input_unit": "nA", "output_unit": "nA",
        "pipeline": [{"kind": "offset", "offset": 1.0}],
        "issued_at": "2026-02-01T00:00:00Z", "not_before": null, "expires": "2027-01-01T00:00:00Z",
    });
    let bytes = sign(&payload_type("transform"), transform.to_string().as_bytes(), &[key(FLEET)]);
    let enrolment = Enrolment::parse(document().to_string().as_bytes()).unwrap();
    let serial = |sensor: &SensorId| if sensor.as_str() == "co-1" { Some("17".to_owned()) } else { None };
    let facts = |sensor: &SensorId| {
        let here = ["co-1", "co-2", "co-3"].contains(&sensor.as_str());
        here.then(|| SensorFacts {
            unit: "nA".to_owned(),
            model: Some("b4".to_owned()),
            serial: serial(sensor),
        })
    };
    verify_transform(
        &bytes,
        &Context {
            root: Some(&root(scopes)),
            fleet: &id("plant-7"),
            gateway: Some(&id("gw-1")),
            enrolment: enrolled.then_some(&enrolment),
            sensors: &facts,
            time: time(),
            slots: &|_| Slot::default(),
            floors: &|_| None,
            accepted: &|_| false,
            freshness: None,
        },
    )
}

fn selects(target: Value, scopes: Value) -> Vec<String> {
    let verified = transform(target, scopes, true).unwrap();
    verified.sensors.iter().map(ToString::to_string).collect()
}

#[test]
fn groups_models_and_tags_select_what_is_enrolled() {
    let all = json!([]);
    for (target, sensors) in [
        (json!({"fleet": "plant-7", "groups": ["north", "west"], "models": ["b4"]}), &["co-1", "co-2"][..]),
        (json!({"fleet": "plant-7", "models": ["b4"]}), &["co-1", "co-2"]),
        (json!({"fleet": "plant-7", "models": ["b4"], "sensors": ["co-1", "co-3"]}), &["co-1"]),
        (json!({"fleet": "plant-7", "groups": ["north"], "tags": {"site": "b"}}), &["co-2"]),
        (json!({"fleet": "plant-7", "tags": {"site": "a"}}), &["co-1"]),
        // Named outright, a sensor need not be enrolled.
        (json!({"fleet": "plant-7", "gateways": ["gw-1"], "sensors": ["co-3"]}), &["co-3"]),
    ] {
        assert_eq!(selects(target.clone(), all.clone()), sensors, "{target}");
        let explicit = target.get("gateways").is_some();
        assert_eq!(transform(target.clone(), all.clone(), false).is_ok(), explicit, "{target}");
    }
}

#[test]
fn claimed_group() {
    let target = json!({"fleet": "plant-7", "groups": ["south"], "models": ["b4"]});
    let refused = transform(target, json!([]), true).unwrap_err();
    assert_eq!(refused.refusal.reason, Reason::NotForThisGateway);
    let target = json!({"fleet": "plant-7", "groups": ["north"], "sensors": ["co-3"]});
    assert_eq!(transform(target, json!([]), true).unwrap_err().refusal.reason, Reason::UnknownSensor);
}

#[test]
fn a_scope_covers_what_the_enrolment_proves() {
    let target = |sensor: &str| json!({"fleet": "plant-7", "gateways": ["gw-1"], "sensors": [sensor]});
    for (scope, sensor, covered) in [
        (json!({"groups": ["north"]}), "co-3", true),
        (json!({"groups": ["south"]}), "co-1", false),
        (json!({"models": ["b4"]}), "co-1", true),
        (json!({"models": ["b4"]}), "co-3", false),
        (json!({"tags": {"site": ["a", "c"]}}), "co-1", true),
        (json!({"tags": {"site": ["a", "c"]}}), "co-2", false),
        (json!({"groups": ["north"], "models": ["a4"]}), "co-1", false),
    ] {
        let outcome = transform(target(sensor), json!([scope]), true);
        assert_eq!(outcome.is_ok(), covered, "{scope} {sensor}");
        let bare = transform(target(sensor), json!([scope]), false).unwrap_err();
        assert_eq!(bare.refusal.reason, Reason::OutOfScope);
    }
}

#[test]
fn another_instrument_or_model_than_the_enrolled_one_is_not_enrolled() {
    let enrolment = Enrolment::parse(document().to_string().as_bytes()).unwrap();
    let facts = |model: Option<&str>, serial: Option<&str>| SensorFacts {
        model: model.map(str::to_owned),
        serial: serial.map(str::to_owned),
        ..SensorFacts::default()
    };
    for (model, serial, enrolled) in [
        (None, Some("17"), true),
        (Some("b4"), Some("17"), true),
        (Some("c4"), Some("17"), false),
        (None, Some("18"), false),
        (None, None, false),
    ] {
        assert_eq!(enrolment.sensor(&id("co-1"), &facts(model, serial)).is_some(), enrolled);
    }
    assert!(enrolment.sensor(&id("co-2"), &facts(None, Some("any"))).is_some());
}
