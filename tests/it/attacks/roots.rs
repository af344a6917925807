//! Roots that must not be installed.

use calibd::domain::trust::envelope::{Envelope, Signature};
use serde_json::{Value, json};

use super::fleet::*;
use super::scene::{Attack, Scene};
use crate::support::gateway::UP;
use crate::support::trust::hours_from_now;
use crate::support::wait::until_true;
use crate::trust::world::{keyid, pretty};

const BOTH: [u8; 2] = [ROOT, ROOT_2];

fn topic(version: u64) -> String {
    format!("calibd/1/plant-7/down/root/{version}")
}

fn next(pointer: &str, value: Value) -> Value {
    let mut root = root(2);
    set(&mut root, pointer, value);
    root
}

/// Before the second root is installed.
fn before() -> Vec<Attack> {
    let known = |name, reason, payload: Vec<u8>| Attack::known(name, reason, payload).on("root/2");
    let strange = |name, reason, payload: Vec<u8>| Attack::strange(name, reason, payload).on("root/2");
    let mut twice = Envelope::parse(&signed_root(&next("/epoch", json!(4)), &[ROOT])).unwrap();
    let copy = Signature { keyid: Some(keyid(ROOT_2)), ..twice.signatures[0].clone() };
    twice.signatures.push(copy);
    let others = || next("/roles/root", role(2, &[ROOT_2, ROOT_3]));
    let entry = format!("\"{}\": {{", keyid(ROOT));
    let doubled = pretty(&root(2)).replacen(&entry, &format!("\"{}\": {{}}, {entry}", keyid(ROOT)), 1);
    assert_ne!(doubled, pretty(&root(2)));
    vec![
        Attack::known("root_skip_two", "not_yet_valid", signed_root(&root(4), &BOTH)).on("root/4"),
        known("root_old_threshold_only", "threshold_not_met", signed_root(&others(), &BOTH)),
        known("root_new_threshold_only", "threshold_not_met", signed_root(&others(), &[ROOT_2, ROOT_3])),
        known("one_key_twice", "threshold_not_met", twice.to_json()),
        known(
            "root_duplicate_keyid",
            "invalid_content",
            signed_root(&next("/roles/root", role(2, &[ROOT, ROOT])), &BOTH),
        ),
        known("root_duplicate_json_key", "malformed", signed_as("root", doubled.as_bytes(), &BOTH)),
        known("epoch_falls", "invalid_content", signed_root(&next("/epoch", json!(1)), &BOTH)),
        known("cross_fleet", "wrong_fleet", signed_root(&next("/fleet", json!("plant-8")), &BOTH)),
        known("fleet_signs_root", "role_not_allowed", signed_root(&root(2), &[FLEET, FLEET_2])),
        strange("root_by_strangers", "unknown_key", signed_root(&root(2), &[STRANGER])),
        strange(
            "wrong_payload_type",
            "wrong_type",
            signed_as("transform", pretty(&root(2)).as_bytes(), &BOTH),
        ),
    ]
}

/// After it.
fn after() -> Vec<Attack> {
    vec![
        Attack::known("root_fork", "conflicting_version", signed_root(&next("/epoch", json!(5)), &BOTH))
            .on("root/2"),
        Attack::known("root_rolled_back", "rolled_back_version", {
            let mut other = root(1);
            other["epoch"] = json!(3);
            signed_root(&other, &BOTH)
        })
        .on("root/1"),
    ]
}

#[test]
fn a_gateway_withstands_roots_of_all_kinds() {
    let mut scene = Scene::new();
    scene.puts(&transform(7));
    let version = |scene: &Scene| {
        let told = scene.above.on(&format!("{UP}/status"));
        told.last().map(|status| status.json()["root_version"].clone())
    };
    for attack in before() {
        scene.refuses(&attack);
        assert_eq!(version(&scene), Some(json!(1)), "{}", attack.name);
    }
    scene.accepts(&topic(2), &signed_root(&root(2), &BOTH));
    until_true("the status to name the second root", || version(&scene) == Some(json!(2)));
    for attack in after() {
        scene.refuses(&attack);
        assert_eq!(version(&scene), Some(json!(2)), "{}", attack.name);
    }
    // The first one again takes nothing back.
    let (first, held) = (std::fs::read(scene.gateway.path("root.json")).unwrap(), scene.held());
    assert_eq!(scene.push(&topic(1), &first)["verdict"], "already_applied");
    assert_eq!((scene.held(), version(&scene)), (held, Some(json!(2))));
    scene.runs(7, 1.5);
}

#[test]
fn root_first_over_mqtt() {
    let mut scene = Scene::of(None, "");
    scene.refuses(&Attack::strange("root", "no_root", signed_root(&root(1), &BOTH)).on("root/1"));
    scene.refuses(&Attack::strange("transform", "no_root", by_fleet(&transform(1))));
    assert_eq!(scene.measures("co-1", 1.5)["reasons"], json!(["raw_only"]));
}

#[test]
fn root_expired_successor() {
    let ended = |version: u64, hours: i64| {
        let mut root = root(version);
        root["expires"] = json!(hours_from_now(hours));
        signed_root(&root, &BOTH)
    };
    let mut scene = Scene::of(Some(&ended(1, -90)), "");
    scene.refuses(&Attack::known("root_expired", "root_expired", by_fleet(&transform(7))));
    // Its successor has run out, too, and lets the one after it in.
    scene.accepts(&topic(2), &ended(2, -80));
    scene.refuses(&Attack::known("root_expired", "root_expired", by_fleet(&transform(8))));
    scene.accepts(&topic(3), &ended(3, 24));
    // What the broker retains is asked for again by itself.
    until_true("the transform to be accepted", || {
        scene.acks().iter().any(|ack| ack["id"] == "co" && ack["verdict"] == "accepted")
    });
    scene.runs(8, 1.5);
}
