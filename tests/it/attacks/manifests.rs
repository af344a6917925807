//! Whoever holds back, mixes or makes up what is current, at a gateway that wants everything listed.

use calibd::domain::trust::envelope::Envelope;
use serde_json::{Value, json};

use super::fleet::*;
use super::scene::{Attack, Scene};
use crate::reload::taken_over;
use crate::support::gateway::DOWN;
use crate::support::trust::hours_from_now;
use crate::support::wait::until_true;
use crate::trust::world::{key, keyid, pretty};

const BOTH: [u8; 2] = [ROOT, ROOT_2];
const SNAPSHOT: u8 = 13;
const HERE: &str = "calibd/1/plant-7/down/gw/gw-1/manifest";

/// A root with a key that signs manifests.
fn rooted(version: u64) -> Vec<u8> {
    let mut root = root(version);
    root["keys"][keyid(SNAPSHOT)] = json!({"public_key": key(SNAPSHOT).public().to_pem()});
    root["roles"]["snapshot"] = role(1, &[SNAPSHOT]);
    signed_root(&root, &BOTH)
}

fn scene() -> Scene {
    Scene::of(Some(&rooted(1)), "require_manifest = true\n")
}

/// A manifest for this gateway, as its document.
fn listing(version: u64, transforms: &[&[u8]]) -> Value {
    let listed = transforms.iter().map(|bytes| {
        let envelope = Envelope::parse(bytes).unwrap();
        let payload: Value = serde_json::from_slice(&envelope.payload).unwrap();
        json!([payload["id"], payload["version"], envelope.digest()])
    });
    json!({
        "schema": 1, "fleet": "plant-7", "branch": "gw/gw-1", "version": version, "root_version": 1,
        "transforms": listed.collect::<Vec<_>>(),
        "issued_at": hours_from_now(version as i64 - 50), "expires": hours_from_now(24),
    })
}

fn changed(mut manifest: Value, pointer: &str, value: Value) -> Vec<u8> {
    set(&mut manifest, pointer, value);
    by_snapshot(&manifest)
}

fn by_snapshot(manifest: &Value) -> Vec<u8> {
    signed_as("manifest", pretty(manifest).as_bytes(), &[SNAPSHOT])
}

fn bad(name: &'static str, reason: &'static str, payload: Vec<u8>) -> Attack {
    Attack::known(name, reason, payload).on("gw/gw-1/manifest")
}

/// Waits until something that was refused before is accepted without another push.
fn is_accepted(scene: &Scene, envelope: &[u8]) {
    let digest = json!(Envelope::parse(envelope).unwrap().digest());
    until_true("it to be judged again", || {
        scene.acks().iter().any(|ack| ack["digest"] == digest && ack["verdict"] == "accepted")
    });
}

#[test]
fn stale_manifest() {
    let mut scene = scene();
    let [seven, eight, nine] = [7, 8, 9].map(|version| by_fleet(&transform(version)));
    scene.refuses(&Attack::known("no_manifest", "stale_manifest", seven.clone()));
    let first = by_snapshot(&listing(1, &[&seven]));
    scene.accepts(HERE, &first);
    is_accepted(&scene, &seven);
    scene.runs(7, 1.5);

    // What lists less is older, and what is old says nothing.
    let second = listing(2, &[&eight]);
    scene.accepts(HERE, &by_snapshot(&second));
    scene.refuses(&bad("older_manifest", "rolled_back_version", first));
    let other = changed(second.clone(), "/transforms", json!([]));
    scene.refuses(&bad("manifest_fork", "conflicting_version", other));
    let mut past = listing(3, &[&nine]);
    past["expires"] = json!(hours_from_now(-1));
    scene.refuses(&bad("expired_manifest", "expired", by_snapshot(&past)));
    let third = listing(3, &[&nine]);
    let future = changed(third.clone(), "/issued_at", json!(hours_from_now(2)));
    scene.refuses(&bad("manifest_of_the_future", "not_yet_valid", future));
    let by_fleet = signed_as("manifest", pretty(&third).as_bytes(), &[FLEET, FLEET_2]);
    scene.refuses(&bad("fleet_signs_manifest", "role_not_allowed", by_fleet));
    let stranger = signed_as("manifest", pretty(&third).as_bytes(), &[STRANGER]);
    scene.refuses(&Attack { known: false, ..bad("manifest_by_strangers", "unknown_key", stranger) });

    // With the next root it is to be said anew what is current: before, nothing new comes into force.
    scene.publisher.retain(HERE, by_snapshot(&second));
    scene.accepts("calibd/1/plant-7/down/root/2", &rooted(2));
    scene.refuses(&Attack::known("stale_manifest", "stale_manifest", eight.clone()));
    let fourth = by_snapshot(&listing(4, &[&nine]));
    scene.refuses(&bad("manifest_of_an_older_root", "stale_manifest", fourth));
    scene.runs(7, 2.5);
    scene.restart(|_| {});
    scene.refuses(&Attack::known("stale_after_a_restart", "stale_manifest", nine));
    scene.runs(7, 3.5);
    scene.publisher.retain(&format!("{DOWN}/co"), &eight);
    scene.accepts(HERE, &changed(listing(3, &[&eight]), "/root_version", json!(2)));
    is_accepted(&scene, &eight);
    scene.runs(8, 4.5);
}

#[test]
fn manifest_mix() {
    let mut scene = scene();
    let [seven, eight, nine] = [7, 8, 9].map(|version| by_fleet(&transform(version)));
    scene.accepts(HERE, &by_snapshot(&listing(1, &[&seven])));
    scene.accepts(&format!("{DOWN}/co"), &seven);
    scene.runs(7, 1.5);
    scene.refuses(&Attack::known("not_listed", "not_listed", eight.clone()));
    let same_version = with(8, "/pipeline/0/offset", json!(0.6));
    let same_version = by_fleet(&same_version);
    scene.accepts(HERE, &by_snapshot(&listing(2, &[&eight])));
    is_accepted(&scene, &eight);
    scene.runs(8, 2.5);
    scene.refuses(&Attack::known("listed_otherwise", "conflicting_version", same_version));

    // A manifest of one branch says nothing of another one, whichever way it comes.
    let of = |branch: &str| changed(listing(3, &[&nine]), "/branch", json!(branch));
    for (name, branch) in
        [("manifest_mix", "all"), ("manifest_of_a_group", "group/north"), ("manifest_of_another", "gw/gw-2")]
    {
        scene.refuses(&bad(name, "not_for_this_gateway", of(branch)));
    }
    scene.accepts("calibd/1/plant-7/down/all/manifest", &of("all"));
    scene.refuses(&Attack::known("listed_elsewhere", "not_listed", nine.clone()));
    let unlisted = by_fleet(&transform(10));
    scene.refuses(
        &Attack::known("group_without_one", "stale_manifest", unlisted).on("group/north/transform/co"),
    );
    // One of a root that is held back proves that there is one: it waits for it.
    let mut later = listing(3, &[&eight]);
    later["root_version"] = json!(2);
    scene.refuses(&bad("manifest_of_a_later_root", "not_yet_valid", by_snapshot(&later)));
    let twice = changed(listing(4, &[&eight, &eight]), "/version", json!(4));
    scene.refuses(&bad("listed_twice", "invalid_content", twice));
    scene.refuses(&bad(
        "cross_fleet",
        "wrong_fleet",
        changed(listing(4, &[&eight]), "/fleet", json!("plant-8")),
    ));
    scene.accepts("calibd/1/plant-7/down/all/transform/co", &nine);
    scene.runs(9, 3.5);

    // A technician's own fit asks nobody who is far away.
    let mut site = local("co-2", 1);
    site["pipeline"][0]["offset"] = json!(0.5);
    scene.accepts(&format!("{DOWN}/local-co-2"), &signed(&site, &[MAINTENANCE]));

    // What waited for its root counts once that is there.
    scene.accepts("calibd/1/plant-7/down/root/2", &rooted(2));
    is_accepted(&scene, &by_snapshot(&later));
}

#[test]
fn whether_manifests_are_required_changes_while_it_runs() {
    let mut scene = scene();
    let seven = by_fleet(&transform(7));
    scene.refuses(&Attack::known("nothing_listed", "stale_manifest", seven.clone()));
    let required = scene.gateway.text().to_owned();
    let free = required.replace("require_manifest = true", "require_manifest = false");
    assert_eq!(taken_over(&scene.gateway, &free), ["trust.require_manifest: true -> false"]);
    is_accepted(&scene, &seven);
    scene.runs(7, 1.5);
    taken_over(&scene.gateway, &required);
    let eight = by_fleet(&transform(8));
    scene.refuses(&Attack::known("nothing_listed_again", "stale_manifest", eight));
    scene.runs(7, 2.5);
}
