use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::key::PrivateKey;

const A: u8 = 1;
const B: u8 = 2;
const C: u8 = 3;
const FLEET: u8 = 4;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32]).unwrap()
}

fn keyid(seed: u8) -> String {
    key(seed).public().id().to_string()
}

/// A root whose root role has these keys.
fn document(version: u64, threshold: usize, seeds: &[u8]) -> Value {
    let mut keys = json!({});
    for seed in seeds.iter().chain(&[FLEET]) {
        keys[keyid(*seed)] = json!({"public_key": key(*seed).public().to_pem()});
    }
    let keyids: Vec<String> = seeds.iter().map(|seed| keyid(*seed)).collect();
    json!({
        "schema": 1, "fleet": "plant-7", "version": version, "epoch": 1,
        "issued_at": format!("2026-01-{version:02}T00:00:00Z"), "expires": "2027-01-01T00:00:00Z",
        "keys": keys,
        "roles": {
            "root": {"threshold": threshold, "keyids": keyids},
            "fleet": {"threshold": 1, "keyids": [keyid(FLEET)]},
        },
    })
}

fn signed(document: &Value, seeds: &[u8]) -> Vec<u8> {
    let keys: Vec<_> = seeds.iter().map(|seed| key(*seed)).collect();
    sign(&payload_type("root"), document.to_string().as_bytes(), &keys)
}

fn root(document: &Value) -> Root {
    Root::parse(document.to_string().as_bytes()).unwrap()
}

fn fleet() -> Id {
    Id::new("plant-7").unwrap()
}

fn verify(bytes: &[u8], installed: &Value) -> Result<Succession, Refused> {
    let digest = Envelope::parse(&signed(installed, &[])).unwrap().digest();
    let installed = root(installed);
    verify_successor(bytes, Some(&installed), &[(installed.version, digest)], &fleet())
}

fn reason(bytes: &[u8], installed: &Value) -> Reason {
    verify(bytes, installed).unwrap_err().refusal.reason
}

#[test]
fn the_next_version_passes_by_the_thresholds_of_both() {
    let (one, two) = (document(1, 2, &[A, B]), document(2, 1, &[C]));
    let Ok(Succession::Next(next)) = verify(&signed(&two, &[A, B, C]), &one) else { panic!("refused") };
    assert_eq!((next.root.version, next.root), (2, root(&two)));
    let again = verify(&signed(&one, &[]), &one);
    assert!(matches!(again, Ok(Succession::Known(1, _))), "whoever signed: {again:?}");
}

#[test]
fn root_old_threshold_only() {
    let (one, two) = (document(1, 1, &[A]), document(2, 2, &[B, C]));
    // A's signature is by no key that the new root knows.
    assert_eq!(reason(&signed(&two, &[A]), &one), Reason::UnknownKey);
    let refused = verify(&signed(&two, &[A, B]), &one).unwrap_err();
    assert_eq!(refused.refusal.reason, Reason::ThresholdNotMet);
    assert!(refused.refusal.message.contains("new root itself"), "{refused}");
    assert!(refused.by_known_key);
}

#[test]
fn root_new_threshold_only() {
    let (one, two) = (document(1, 2, &[A, B]), document(2, 1, &[C]));
    assert_eq!(reason(&signed(&two, &[C]), &one), Reason::UnknownKey);
    assert_eq!(reason(&signed(&two, &[A, C]), &one), Reason::ThresholdNotMet);
    assert!(!verify(&signed(&two, &[C]), &one).unwrap_err().by_known_key);
}

#[test]
fn root_skip_two() {
    let (one, three) = (document(1, 1, &[A]), document(3, 1, &[A]));
    let refused = verify(&signed(&three, &[A]), &one).unwrap_err();
    assert_eq!((refused.refusal.reason, refused.version), (Reason::NotYetValid, Some(3)));
    assert!(refused.refusal.message.contains("root 2"), "{refused}");
}

#[test]
fn root_fork() {
    let (one, two) = (document(1, 1, &[A]), document(2, 1, &[A]));
    let mut other = two.clone();
    other["roles"]["fleet"]["keyids"] = json!([keyid(A)]);
    assert!(matches!(verify(&signed(&two, &[A]), &one), Ok(Succession::Next(_))));
    assert_eq!(reason(&signed(&other, &[A]), &two), Reason::ConflictingVersion);
    assert_eq!(reason(&signed(&one, &[A]), &two), Reason::RolledBackVersion);
}

#[test]
fn root_duplicate_keyid() {
    let (one, mut two) = (document(1, 1, &[A]), document(2, 2, &[A, B]));
    two["roles"]["root"]["keyids"] = json!([keyid(A), keyid(A)]);
    assert_eq!(reason(&signed(&two, &[A]), &one), Reason::InvalidContent);
    // The same key under two names is impossible, for the name is its hash; the same name twice is no JSON of ours.
    let entry = format!("\"{}\":", keyid(A));
    let text = document(2, 1, &[A]).to_string().replacen(&entry, &format!("{entry}{{}},{entry}"), 1);
    let twice = sign(&payload_type("root"), text.as_bytes(), &[key(A)]);
    assert_eq!(reason(&twice, &one), Reason::Malformed);
}

#[test]
fn one_key_twice() {
    let (one, two) = (document(1, 2, &[A, B]), document(2, 1, &[A]));
    let mut envelope = Envelope::parse(&signed(&two, &[A])).unwrap();
    let mut second = envelope.signatures[0].clone();
    second.keyid = Some(keyid(B));
    envelope.signatures.push(second);
    assert_eq!(reason(&envelope.to_json(), &one), Reason::ThresholdNotMet);
}

#[test]
fn root_first_over_mqtt() {
    let first = signed(&document(1, 1, &[A]), &[A]);
    let refused = verify_successor(&first, None, &[], &fleet()).unwrap_err();
    assert_eq!(refused.refusal.reason, Reason::NoRoot);
}

#[test]
fn root_expired_successor() {
    // Both the installed root and its successor have run out long ago: the one after them has to get in.
    let (mut one, mut two, three) = (document(1, 1, &[A]), document(2, 1, &[B]), document(3, 1, &[B]));
    one["expires"] = json!("2026-01-01T12:00:00Z");
    two["expires"] = json!("2026-01-02T12:00:00Z");
    assert!(matches!(verify(&signed(&two, &[A, B]), &one), Ok(Succession::Next(_))));
    assert!(matches!(verify(&signed(&three, &[B]), &two), Ok(Succession::Next(_))));
}

#[test]
fn keys_that_are_retired_revoked_or_out_of_their_time_sign_no_successor() {
    let two = document(2, 1, &[A, B]);
    for (field, value, expected) in [
        ("state", json!("retired"), Reason::KeyRetired),
        ("state", json!("revoked"), Reason::KeyRevoked),
        ("not_after", json!("2026-01-02T00:00:00Z"), Reason::KeyNotValidNow),
        ("not_before", json!("2026-01-03T00:00:00Z"), Reason::KeyNotValidNow),
    ] {
        let mut one = document(1, 1, &[A, B]);
        one["keys"][keyid(A)][field] = value.clone();
        assert_eq!(reason(&signed(&two, &[A]), &one), expected, "{field} {value}");
        assert!(verify(&signed(&two, &[A, B]), &one).is_ok(), "the other key is enough");
        let mut own = two.clone();
        own["keys"][keyid(A)][field] = value;
        assert_eq!(reason(&signed(&own, &[A]), &document(1, 1, &[A, B])), expected);
    }
}

#[test]
fn neither_epoch_nor_time_runs_backwards_and_the_fleet_stays() {
    let mut one = document(1, 1, &[A]);
    one["epoch"] = json!(3);
    let mut raised = document(2, 1, &[A]);
    assert_eq!(reason(&signed(&raised, &[A]), &one), Reason::InvalidContent);
    raised["epoch"] = json!(4);
    assert!(verify(&signed(&raised, &[A]), &one).is_ok());
    let mut early = raised.clone();
    early["issued_at"] = json!("2025-12-31T00:00:00Z");
    assert_eq!(reason(&signed(&early, &[A]), &one), Reason::InvalidContent);
    let mut foreign = raised;
    foreign["fleet"] = json!("plant-8");
    assert_eq!(reason(&signed(&foreign, &[A]), &one), Reason::WrongFleet);
}

#[test]
fn wrong_payload_type() {
    let text = document(2, 1, &[A]).to_string();
    let transform = sign(&payload_type("transform"), text.as_bytes(), &[key(A)]);
    assert_eq!(reason(&transform, &document(1, 1, &[A])), Reason::WrongType);
}

proptest! {
    /// Nothing but the threshold of distinct keys of both roots lets a successor in.
    #[test]
    fn only_enough_of_both_pass(
        old in 1usize..=3, new in 1usize..=3, signers in proptest::collection::vec(1u8..=6, 0..8)
    ) {
        let (one, two) = (document(1, old, &[1, 2, 3]), document(2, new, &[3, 5, 6]));
        let mut distinct = BTreeSet::new();
        distinct.extend(signers.iter().copied());
        let of = |role: &[u8]| role.iter().filter(|seed| distinct.contains(seed)).count();
        let enough = of(&[1, 2, 3]) >= old && of(&[3, 5, 6]) >= new;
        prop_assert_eq!(verify(&signed(&two, &signers), &one).is_ok(), enough);
    }
}
