//! The fleet in which the fixtures play: keys from fixed seeds, a root, a transform.

use calibd::domain::trust::envelope::{payload_type, sign};
use calibd::domain::trust::key::PrivateKey;
use serde_json::{Value, json};

/// The time of every fixture that does not say another.
pub const NOW: &str = "2026-11-22T12:00:00Z";

pub const ROOT: u8 = 1;
pub const FLEET: u8 = 2;
pub const FLEET_2: u8 = 3;
pub const MAINTENANCE: u8 = 4;
pub const RETIRED: u8 = 5;
pub const REVOKED: u8 = 6;
pub const FUTURE: u8 = 7;
pub const PAST: u8 = 8;
pub const ENROL: u8 = 9;
/// In no root.
pub const STRANGER: u8 = 10;

pub fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32]).unwrap()
}

pub fn keyid(seed: u8) -> String {
    key(seed).public().id().to_string()
}

fn keyids(seeds: &[u8]) -> Vec<String> {
    seeds.iter().map(|seed| keyid(*seed)).collect()
}

/// The root's own document.
pub fn root() -> Value {
    let mut keys = json!({});
    for (seed, label) in [
        (ROOT, "root"),
        (FLEET, "fleet a"),
        (FLEET_2, "fleet b"),
        (MAINTENANCE, "van 1"),
        (RETIRED, "fleet 2024"),
        (REVOKED, "fleet lost"),
        (FUTURE, "fleet 2030"),
        (PAST, "fleet 2025"),
        (ENROL, "enrolment office"),
    ] {
        keys[keyid(seed)] = json!({"public_key": key(seed).public().to_pem(), "label": label});
    }
    keys[keyid(RETIRED)]["state"] = json!("retired");
    keys[keyid(REVOKED)]["state"] = json!("revoked");
    keys[keyid(FUTURE)]["not_before"] = json!("2030-01-01T00:00:00Z");
    keys[keyid(PAST)]["not_after"] = json!("2026-02-01T00:00:00Z");
    json!({
        "schema": 1, "fleet": "plant-7", "version": 1, "epoch": 2,
        "issued_at": "2026-01-01T00:00:00Z", "expires": "2028-01-01T00:00:00Z",
        "keys": keys,
        "roles": {
            "root": {"threshold": 1, "keyids": keyids(&[ROOT])},
            "enrol": {"threshold": 1, "keyids": keyids(&[ENROL])},
            "fleet": {"threshold": 1, "keyids": keyids(&[FLEET, FLEET_2, RETIRED, REVOKED, FUTURE, PAST])},
            "maintenance": {"threshold": 1, "keyids": keyids(&[MAINTENANCE])},
        },
    })
}

/// The root's document with one role changed: its threshold, its keys and its scopes.
pub fn root_with(role: &str, threshold: usize, seeds: &[u8], scopes: Value) -> Value {
    let mut document = root();
    document["roles"][role] = json!({"threshold": threshold, "keyids": keyids(seeds), "scopes": scopes});
    document
}

/// A root signed by the root key.
pub fn signed_root(document: &Value) -> Vec<u8> {
    sign(&payload_type("root"), pretty(document).as_bytes(), &[key(ROOT)])
}

/// A good transform for sensor co-1 on gateway gw-1.
pub fn transform() -> Value {
    json!({
        "schema": 1, "id": "co-electrochemical", "epoch": 1, "version": 7, "replaces": [],
        "target": {"fleet": "plant-7", "gateways": ["gw-1"], "sensors": ["co-1"]},
        "quantity": "carbon monoxide mass concentration", "input_unit": "nA", "output_unit": "mg/m3",
        "pipeline": [{"kind": "affine", "offset": -0.42, "gain": 0.034}],
        "domain": {"input": [120.0, 980.0]},
        "limits": {"monotone": true},
        "issued_at": "2026-11-01T00:00:00Z", "not_before": null, "expires": "2027-11-22T00:00:00Z",
    })
}

/// A good maintenance transform for the same sensor.
pub fn local() -> Value {
    changed(&[("/id", json!("local-co-1")), ("/provenance", json!({"made_on": "gw-1", "session": "s-17"}))])
}

/// The good transform with fields set; a field that is not there is added.
pub fn changed(changes: &[(&str, Value)]) -> Value {
    let mut document = transform();
    for (pointer, value) in changes {
        set(&mut document, pointer, value.clone());
    }
    document
}

/// Sets the field at a JSON pointer, whose parent must be there.
pub fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[field] = value;
}

pub fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap()
}

/// Signs a transform's bytes.
pub fn signed_bytes(payload: &[u8], seeds: &[u8]) -> Vec<u8> {
    let keys: Vec<_> = seeds.iter().map(|seed| key(*seed)).collect();
    sign(&payload_type("transform"), payload, &keys)
}

/// Signs a transform's document.
pub fn signed(document: &Value, seeds: &[u8]) -> Vec<u8> {
    signed_bytes(pretty(document).as_bytes(), seeds)
}
