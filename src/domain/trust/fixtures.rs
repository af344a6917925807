//! Keys and a root for the tests of artifacts.

use serde_json::{Value, json};

use super::key::PrivateKey;
use super::root::Root;
use crate::domain::id::Id;

pub const ROOT: u8 = 1;
pub const ENROL: u8 = 2;
pub const FLEET: u8 = 3;
pub const GATEWAY: u8 = 4;
pub const SNAPSHOT: u8 = 5;

pub fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32]).unwrap()
}

pub fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

/// A root of the year 2026 with a key for each role; `scopes` are those of the role `fleet`.
pub fn root(scopes: Value) -> Root {
    let keyid = |seed| key(seed).public().id().to_string();
    let mut keys = json!({});
    for seed in [ROOT, ENROL, FLEET, SNAPSHOT] {
        keys[keyid(seed)] = json!({"public_key": key(seed).public().to_pem()});
    }
    let root = json!({
        "schema": 1, "fleet": "plant-7", "version": 1, "epoch": 1,
        "issued_at": "2026-01-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z", "keys": keys,
        "roles": {
            "root": {"threshold": 1, "keyids": [keyid(ROOT)]},
            "enrol": {"threshold": 1, "keyids": [keyid(ENROL)]},
            "fleet": {"threshold": 1, "keyids": [keyid(FLEET)], "scopes": scopes},
            "snapshot": {"threshold": 1, "keyids": [keyid(SNAPSHOT)]},
        },
    });
    Root::parse(root.to_string().as_bytes()).unwrap()
}
