//! The fleet that is attacked: two of its keys sign everything, and roots and transforms are of today.

use calibd::domain::trust::envelope::{payload_type, sign};
use serde_json::{Value, json};

use crate::support::trust::{hours_from_now, transform as of_today};
use crate::trust::world;
pub use crate::trust::world::{
    ENROL, FLEET, FLEET_2, FUTURE, MAINTENANCE, PAST, RETIRED, REVOKED, ROOT, STRANGER, set,
};

/// Second keys of roles, beside those of [`world`].
pub const ROOT_2: u8 = 11;
pub const ROOT_3: u8 = 12;

const DAY: i64 = 24;

/// A role of these keys.
pub fn role(threshold: usize, seeds: &[u8]) -> Value {
    let keyids: Vec<_> = seeds.iter().map(|seed| world::keyid(*seed)).collect();
    json!({"threshold": threshold, "keyids": keyids})
}

/// A root in which two keys of a role have to sign, but for maintenance and enrolments.
pub fn root(version: u64) -> Value {
    let mut root = world::root();
    root["version"] = json!(version);
    root["issued_at"] = json!(hours_from_now(version as i64 - 100));
    root["expires"] = json!(hours_from_now(365 * DAY));
    for seed in [ROOT_2, ROOT_3] {
        root["keys"][world::keyid(seed)] = json!({"public_key": world::key(seed).public().to_pem()});
    }
    root["keys"][world::keyid(FUTURE)]["not_before"] = json!(hours_from_now(30 * DAY));
    root["keys"][world::keyid(PAST)]["not_after"] = json!(hours_from_now(-30 * DAY));
    root["roles"]["root"] = role(2, &[ROOT, ROOT_2]);
    let mut fleet = role(2, &[FLEET, FLEET_2, RETIRED, REVOKED, FUTURE, PAST]);
    fleet["scopes"] = json!([{"sensors": ["co-1", "co-2", "co-9"], "limits": {"max_step": 50.0}}]);
    root["roles"]["fleet"] = fleet;
    root
}

/// A good transform of `co-1` over readings from 0 to 100.
pub fn transform(version: u64) -> Value {
    let mut transform = of_today(version);
    transform["domain"] = json!({"input": [0.0, 100.0]});
    transform
}

/// The same with one field set.
pub fn with(version: u64, pointer: &str, value: Value) -> Value {
    let mut transform = transform(version);
    set(&mut transform, pointer, value);
    transform
}

/// A good maintenance transform of a sensor.
pub fn local(sensor: &str, version: u64) -> Value {
    let mut local = transform(version);
    local["id"] = json!(format!("local-{sensor}"));
    local["target"]["sensors"] = json!([sensor]);
    local["provenance"] = json!({"made_on": "gw-1", "session": "s-17"});
    local
}

/// Anything, signed as an artifact of this kind.
pub fn signed_as(kind: &str, payload: &[u8], seeds: &[u8]) -> Vec<u8> {
    let keys: Vec<_> = seeds.iter().map(|seed| world::key(*seed)).collect();
    sign(&payload_type(kind), payload, &keys)
}

/// A transform signed by these keys.
pub fn signed(transform: &Value, seeds: &[u8]) -> Vec<u8> {
    signed_as("transform", world::pretty(transform).as_bytes(), seeds)
}

/// A transform that the fleet has signed.
pub fn by_fleet(transform: &Value) -> Vec<u8> {
    signed(transform, &[FLEET, FLEET_2])
}

/// A root signed by these keys.
pub fn signed_root(root: &Value, seeds: &[u8]) -> Vec<u8> {
    signed_as("root", world::pretty(root).as_bytes(), seeds)
}
