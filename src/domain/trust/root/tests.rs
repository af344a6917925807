use serde_json::{Value, json};

use super::*;
use crate::domain::trust::envelope::sign;
use crate::domain::trust::key::PrivateKey;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32]).unwrap()
}

fn keyid(seed: u8) -> String {
    key(seed).public().id().to_string()
}

fn entry(seed: u8) -> Value {
    json!({"public_key": key(seed).public().to_pem()})
}

fn document() -> Value {
    json!({
        "schema": 1, "fleet": "plant-7", "version": 1, "epoch": 1,
        "issued_at": "2026-01-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z",
        "keys": {keyid(1): entry(1), keyid(2): entry(2)},
        "roles": {
            "root": {"threshold": 1, "keyids": [keyid(1)]},
            "fleet": {"threshold": 1, "keyids": [keyid(2)], "scopes": [{"sensors": ["co-1"]}]},
        },
    })
}

fn parse(document: &Value) -> Result<Root, Refusal> {
    Root::parse(document.to_string().as_bytes())
}

fn signed(document: &Value, seeds: &[u8]) -> Vec<u8> {
    let keys: Vec<_> = seeds.iter().map(|seed| key(*seed)).collect();
    sign(&payload_type("root"), document.to_string().as_bytes(), &keys)
}

#[test]
fn a_root_survives_writing_and_reading() {
    let root = parse(&document()).unwrap();
    let again = Root::parse(serde_json::to_string(&root).unwrap().as_bytes()).unwrap();
    assert_eq!(again, root);
    assert_eq!(root.role(RoleName::Fleet).unwrap().scopes.len(), 1);
    assert_eq!(root.keys[&key(1).public().id()].state, KeyState::Active);
}

#[test]
fn every_fault_has_its_reason_and_place() {
    let faults: [(&str, Value, Reason, &str); 14] = [
        ("/schema", json!(2), Reason::UnknownSchema, "schema 2"),
        ("/fleet", json!("a/b"), Reason::Malformed, "fleet"),
        ("/version", json!(0), Reason::InvalidContent, "version"),
        ("/epoch", json!(0), Reason::InvalidContent, "epoch"),
        ("/expires", json!("2025-01-01T00:00:00Z"), Reason::InvalidContent, "expires"),
        ("/keys", json!({keyid(2): entry(1)}), Reason::InvalidContent, "public_key"),
        ("/keys", json!({"x": entry(1)}), Reason::Malformed, "keys"),
        ("/roles/fleet/threshold", json!(0), Reason::InvalidContent, "roles.fleet.threshold"),
        ("/roles/fleet/threshold", json!(2), Reason::InvalidContent, "roles.fleet.threshold"),
        ("/roles/fleet/keyids", json!([keyid(2), keyid(2)]), Reason::InvalidContent, "twice"),
        ("/roles/fleet/keyids", json!([keyid(3)]), Reason::InvalidContent, "not among"),
        ("/roles", json!({}), Reason::InvalidContent, "roles.root"),
        ("/roles/root/keyids", json!("all"), Reason::Malformed, "roles.root.keyids"),
        ("/roles/fleet/scopes/0", json!({"mpe_share": 0.5}), Reason::InvalidContent, "scopes[0].mpe_share"),
    ];
    for (pointer, value, reason, place) in faults {
        let mut document = document();
        *document.pointer_mut(pointer).unwrap() = value;
        let refusal = parse(&document).unwrap_err();
        assert_eq!(refusal.reason, reason, "{pointer}: {refusal}");
        assert!(refusal.message.contains(place), "{pointer}: {refusal}");
    }
}

#[test]
fn unknown_fields_and_roles_and_scopes_of_other_roles_are_refused() {
    let mut extra = document();
    extra["roles"]["admin"] = json!({"threshold": 1, "keyids": [keyid(1)]});
    assert_eq!(parse(&extra).unwrap_err().reason, Reason::Malformed);
    let mut scoped = document();
    scoped["roles"]["root"]["scopes"] = json!([{}]);
    assert_eq!(parse(&scoped).unwrap_err().reason, Reason::InvalidContent);
    let mut field = document();
    field["keys"][keyid(1)]["secret"] = json!("x");
    assert_eq!(parse(&field).unwrap_err().reason, Reason::Malformed);
}

#[test]
fn the_first_root_is_signed_by_its_own_root_role() {
    let bytes = signed(&document(), &[1]);
    let (root, digest) = Root::verify_first(&bytes, None).unwrap();
    assert_eq!((root.version, digest), (1, Envelope::parse(&bytes).unwrap().digest()));
    let reason = |seeds: &[u8]| Root::verify_first(&signed(&document(), seeds), None).unwrap_err().reason;
    assert_eq!(reason(&[]), Reason::ThresholdNotMet);
    assert_eq!(reason(&[2]), Reason::RoleNotAllowed);
    assert_eq!(reason(&[3]), Reason::UnknownKey);
    let mut revoked = document();
    revoked["keys"][keyid(1)]["state"] = json!("revoked");
    let refusal = Root::verify_first(&signed(&revoked, &[1]), None).unwrap_err();
    assert_eq!(refusal.reason, Reason::KeyRevoked);
}

#[test]
fn a_pin_is_the_artifacts_digest_or_the_files() {
    let bytes = signed(&document(), &[1]);
    let digest = Envelope::parse(&bytes).unwrap().digest();
    assert!(Root::verify_first(&bytes, Some(digest)).is_ok());
    assert!(Root::verify_first(&bytes, Some(Digest::of(&[&bytes]))).is_ok());
    let refusal = Root::verify_first(&bytes, Some(Digest::of(&[b"other"]))).unwrap_err();
    assert_eq!(refusal.reason, Reason::NotListed);
}

#[test]
fn a_transform_is_not_a_root() {
    let bytes = sign(&payload_type("transform"), document().to_string().as_bytes(), &[key(1)]);
    assert_eq!(Root::verify_first(&bytes, None).unwrap_err().reason, Reason::WrongType);
}
