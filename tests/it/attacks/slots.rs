//! Whose a sensor is, and how far maintenance may go there.

use serde_json::{Value, json};

use super::fleet::*;
use super::scene::{Attack, Scene};
use crate::support::gateway::DOWN;
use crate::support::wait::until_true;
use crate::trust::world::pretty;

fn named(id: &str, version: u64, replaces: &[&str]) -> Value {
    let mut transform = with(version, "/id", json!(id));
    transform["replaces"] = json!(replaces);
    transform
}

/// Two ids that have followed each other at a sensor: what was in force first does not come back by its old bytes.
#[test]
fn sibling_id_downgrade() {
    let mut scene = Scene::new();
    let first = by_fleet(&named("co", 1, &[]));
    let sibling = by_fleet(&named("co-other", 1, &["co"]));
    scene.accepts(&format!("{DOWN}/co"), &first);
    scene.accepts(&format!("{DOWN}/co-other"), &sibling);
    scene.refuses(&Attack::known("the one before", "conflict", first));
    scene.puts(&named("co", 2, &["co-other"]));
    scene.runs(2, 1.5);
    let back = Attack::known("sibling_id_downgrade", "rolled_back_version", sibling);
    scene.refuses(&Attack { topic: format!("{DOWN}/co-other"), ..back });
    scene.runs(2, 2.5);
    // The broker says it again with each connection.
    let answers = scene.acks().len();
    scene.restart(|_| {});
    until_true("both to be answered again", || scene.acks().len() >= answers + 2);
    scene.runs(2, 3.5);
    // A new version takes its place.
    scene.puts(&named("co-other", 2, &["co"]));
    assert_eq!(scene.measures("co-1", 4.5)["transform"]["id"], "co-other");
}

/// What was refused leaves nothing behind, so that it neither keeps out what is right nor gets in later by itself.
#[test]
fn refused_then_retry() {
    let mut scene = Scene::new();
    scene.puts(&transform(7));
    let refused = by_fleet(&with(9, "/input_unit", json!("V")));
    scene.refuses(&Attack::known("refused_then_retry", "unit_mismatch", refused.clone()));
    // Its version is not used up, and those below it are not too old.
    scene.puts(&transform(8));
    scene.runs(8, 1.5);
    scene.restart(|_| {});
    let again = scene.push(&format!("{DOWN}/co"), &refused);
    assert_eq!(again["reason"], "unit_mismatch", "{again}");
    scene.puts(&transform(9));
    scene.runs(9, 2.5);
    let late = scene.push(&format!("{DOWN}/co"), &refused);
    assert_eq!(late["reason"], "conflicting_version", "{late}");
    scene.runs(9, 3.5);
}

#[test]
fn below_a_local_transform_the_sensor_stays_the_fleets() {
    let mut scene = Scene::new();
    let seven = transform(7);
    scene.puts(&seven);
    let site = signed(&local("co-1", 1), &[MAINTENANCE]);
    scene.accepts(&format!("{DOWN}/local-co-1"), &site);
    let digest = scene.acks().pop().unwrap()["digest"].clone();
    // The broker says again what lies below: that is no refusal, and what is one is audited once.
    let refusals =
        |scene: &Scene| scene.audit().iter().filter(|row| row.action == "artifact.refused").count();
    let seven = by_fleet(&seven);
    for _ in 0..2 {
        let again = scene.push(&format!("{DOWN}/co"), &seven);
        assert_eq!(again["verdict"], "already_applied", "{again}");
    }
    assert_eq!(refusals(&scene), 0);
    let eight = Attack::known("over_the_local_one", "local_in_force", by_fleet(&transform(8)));
    scene.refuses(&eight);
    scene.restart(|_| {});
    assert_eq!(refusals(&scene), 1);
    let mut sibling = named("co-other", 1, &[]);
    sibling["supersedes"] = json!([digest]);
    for _ in 0..2 {
        scene.refuses(&Attack::known("takes_it_below_the_local_one", "conflict", by_fleet(&sibling)));
        sibling["version"] = json!(2);
        // What lies below is known after a restart, too.
        scene.restart(|_| {});
    }
    let mut eight = transform(8);
    eight["supersedes"] = json!([digest]);
    scene.puts(&eight);
    // With the local one gone the gateway has the broker send all again, that one included.
    until_true("the local one to be refused", || {
        scene.acks().iter().any(|ack| ack["digest"] == digest && ack["reason"] == "rolled_back_version")
    });
    scene.refuses(&Attack {
        topic: format!("{DOWN}/local-co-1"),
        ..Attack::known("local_comes_back", "rolled_back_version", site)
    });
    scene.runs(8, 1.5);
}

/// Waits until the last report names this transform: it comes after the answer.
fn reports(scene: &Scene, id: &str) {
    until_true(&format!("the report to name {id}"), || {
        scene.reported().pop().is_some_and(|(_, active, _)| active["id"] == *id)
    });
}

/// What was left for the local transform is not what lies below it.
#[test]
fn a_rollback_to_the_local_one_gives_the_sensor_back_to_whom_it_lies_over() {
    let mut scene = Scene::new();
    scene.puts(&transform(7));
    let site = signed(&local("co-1", 1), &[MAINTENANCE]);
    scene.accepts(&format!("{DOWN}/local-co-1"), &site);
    let digest = scene.acks().pop().unwrap()["digest"].clone();
    let mut other = named("co-other", 1, &["co"]);
    other["supersedes"] = json!([digest]);
    scene.accepts(&format!("{DOWN}/co-other"), &by_fleet(&other));
    reports(&scene, "co-other");
    let admin = scene.gateway.path("run/admin.sock");
    let back = crate::support::control::post(&admin, "/v1/sensors/co-1/rollback", b"").json();
    assert_eq!((&back["verdict"], &back["id"]), (&json!("accepted"), &json!("local-co-1")), "{back}");
    reports(&scene, "local-co-1");
    let mut sibling = named("co-other", 2, &[]);
    sibling["supersedes"] = json!([digest]);
    // What lies below is the same after a restart, and below the next local one.
    for version in [2, 3, 4] {
        sibling["version"] = json!(version);
        let attack = Attack::known("left_and_still_the_owner", "conflict", by_fleet(&sibling));
        scene.refuses(&attack.on("gw/gw-1/transform/co-other"));
        scene.restart(|_| {});
        if version == 3 {
            scene.accepts(&format!("{DOWN}/local-co-1"), &signed(&local("co-1", 2), &[MAINTENANCE]));
            scene.restart(|_| {});
        }
    }
    let digest = scene.acks().into_iter().rfind(|ack| ack["id"] == "local-co-1").unwrap()["digest"].clone();
    let mut eight = transform(8);
    eight["supersedes"] = json!([digest]);
    scene.puts(&eight);
    scene.runs(8, 1.5);
}

/// A gateway whose technicians may go half the permissible error, or 1 mg/m3 at the second sensor.
fn watched() -> Scene {
    let mut root = root(1);
    root["roles"]["maintenance"]["scopes"] = json!([
        {"mpe_share": 0.5}, {"sensors": ["co-2"], "limits": {"max_step": 1.0}},
    ]);
    let mut scene = Scene::of(Some(&signed_root(&root, &[ROOT, ROOT_2])), "");
    let key = std::fs::read_to_string(scene.gateway.store().join("gateway.pub.pem")).unwrap();
    let enrolment = json!({
        "schema": 1, "fleet": "plant-7", "gateway": "gw-1", "version": 1, "public_key": key,
        "sensors": {"co-1": {"mpe": {"absolute": 1.0, "relative": 0.01}}, "co-2": {}},
        "issued_at": "2026-11-01T00:00:00Z",
    });
    let enrolment = signed_as("enrolment", pretty(&enrolment).as_bytes(), &[ENROL]);
    scene.accepts("calibd/1/plant-7/down/gw/gw-1/enrolment", &enrolment);
    scene
}

/// A local transform that is so much above what the fleet signed.
fn above(sensor: &str, version: u64, step: f64) -> Vec<u8> {
    let mut local = local(sensor, version);
    local["pipeline"][0]["offset"] = json!(0.5 + step);
    signed(&local, &[MAINTENANCE])
}

#[test]
fn salami_steps() {
    let mut scene = watched();
    let on = |sensor: &str| format!("{DOWN}/local-{sensor}");
    let refused =
        |name, payload| Attack::known(name, "limits_exceeded", payload).on("gw/gw-1/transform/local-co-1");
    scene.refuses(&refused("self_declared_baseline", above("co-1", 1, 0.1)));
    scene.puts(&transform(7));
    let mut other = transform(7);
    other["id"] = json!("two");
    other["target"]["sensors"] = json!(["co-2"]);
    scene.puts(&other);

    // The permissible error is 1 where values are small, and the gateway's own configuration says 1,000.
    scene.refuses(&refused("self_declared_mpe", above("co-1", 2, 0.6)));
    scene.accepts(&on("co-1"), &above("co-1", 3, 0.3));
    scene.refuses(&refused("salami_steps", above("co-1", 4, 0.6)));
    scene.accepts(&on("co-1"), &above("co-1", 5, 0.5));
    scene.refuses(&refused("salami_steps", above("co-1", 6, 0.8)));
    scene.restart(|_| {});
    scene.refuses(&refused("salami_steps_after_a_restart", above("co-1", 7, 0.8)));
    scene.accepts(&on("co-1"), &above("co-1", 8, -0.5));

    // A step in the unit of the values counts from there, too.
    scene.accepts(&on("co-2"), &above("co-2", 1, 0.9));
    let step = Attack::known("salami_steps_in_units", "limits_exceeded", above("co-2", 2, 1.8));
    scene.refuses(&step.on("gw/gw-1/transform/local-co-2"));
    scene.accepts(&on("co-2"), &above("co-2", 3, -0.9 + 1.0));
    around_the_scope(&mut scene);
}

/// What the signer states itself does not widen what the root allows it.
fn around_the_scope(scene: &mut Scene) {
    let forged = |pointer: &str, value: Value, version: u64| {
        let mut local = local("co-2", version);
        local["pipeline"][0]["offset"] = json!(0.5);
        set(&mut local, pointer, value);
        signed(&local, &[MAINTENANCE])
    };
    let refused =
        |name, payload| Attack::known(name, "limits_exceeded", payload).on("gw/gw-1/transform/local-co-2");
    let mut narrow = json!({"input": [0.0, 0.001], "outside": "extrapolate"});
    let steep = |mut local: Value, domain: &Value| {
        local["pipeline"][0]["gain"] = json!(90.0);
        local["domain"] = domain.clone();
        signed(&local, &[MAINTENANCE])
    };
    scene.refuses(&refused("narrow_domain", steep(local("co-2", 10), &narrow)));
    scene.refuses(&refused("other_unit", forged("/output_unit", json!("g/m3"), 11)));
    narrow["outside"] = json!("flag");
    scene.accepts(&format!("{DOWN}/local-co-2"), &steep(local("co-2", 12), &narrow));
    assert_eq!(scene.measures("co-2", 50.0)["state"], "suspect");
}
