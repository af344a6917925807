//! What is said of a sensor model: who may say it, and that it does not run backwards.

use serde_json::{Value, json};

use super::fleet::*;
use super::scene::{Attack, Scene};
use crate::control::described::is_described;
use crate::support::control::get;
use crate::support::trust::hours_from_now;
use crate::trust::world::{self, pretty};

const B4: &str = "calibd/1/plant-7/down/all/prior/b4";

fn prior(version: u64) -> Value {
    json!({
        "schema": 1, "fleet": "plant-7", "model": "b4", "version": version, "input_unit": "nA", "output_unit": "mg/m3",
        "fit": {
            "parameter_names": ["a", "b"], "parameters": [0.5, 2.0], "covariance": [[0.01, 0.0], [0.0, 0.0001]],
            "residual_std": 0.3, "degrees_of_freedom": 40.0,
        },
        "sensors": 30, "issued_at": hours_from_now(-2), "expires": hours_from_now(24),
    })
}

fn by(prior: &Value, seeds: &[u8]) -> Vec<u8> {
    signed_as("prior", pretty(prior).as_bytes(), seeds)
}

fn changed(version: u64, pointer: &str, value: Value) -> Vec<u8> {
    let mut prior = prior(version);
    set(&mut prior, pointer, value);
    by(&prior, &[FLEET, FLEET_2])
}

/// A root whose fleet may say something of `b4` and `b5`.
fn of_models(version: u64) -> Value {
    let mut root = root(version);
    let scopes = root["roles"]["fleet"]["scopes"].as_array_mut().unwrap();
    scopes.push(json!({"models": ["b4", "b5"]}));
    root
}

/// A gateway with a sensor of the model `b4`.
fn scene() -> Scene {
    let mut scene = Scene::of(Some(&signed_root(&of_models(1), &[ROOT, ROOT_2])), "");
    let key = std::fs::read_to_string(scene.gateway.store().join("gateway.pub.pem")).unwrap();
    let enrolment = json!({
        "schema": 1, "fleet": "plant-7", "gateway": "gw-1", "version": 1, "public_key": key,
        "sensors": {"co-1": {"model": "b4"}, "co-2": {}, "co-99": {"model": "b5"}}, "issued_at": "2026-11-01T00:00:00Z",
    });
    let enrolment = signed_as("enrolment", pretty(&enrolment).as_bytes(), &[ENROL]);
    scene.accepts("calibd/1/plant-7/down/gw/gw-1/enrolment", &enrolment);
    scene
}

/// The only prior that the gateway shows.
fn shown(scene: &Scene) -> Value {
    let answer = get(&scene.gateway.path("run/control.sock"), "/v1/priors");
    let document = serde_json::from_slice(include_bytes!("../../../src/control/openapi.json")).unwrap();
    is_described(&document, "/v1/priors", "get", &answer);
    let priors = answer.json();
    assert_eq!(priors["priors"].as_array().unwrap().len(), 1, "{priors}");
    priors["priors"][0].clone()
}

#[test]
fn only_the_fleet_says_what_is_known_of_a_model_and_only_ever_newer() {
    let mut scene = scene();
    let refused = |name, reason, payload| Attack::known(name, reason, payload).on("all/prior/b4");
    scene.refuses(&refused("prior_by_maintenance", "role_not_allowed", by(&prior(1), &[MAINTENANCE])));
    scene.refuses(&refused("prior_by_one_key", "threshold_not_met", by(&prior(1), &[FLEET])));
    scene.refuses(&refused("prior_out_of_scope", "out_of_scope", changed(1, "/model", json!("c1"))));
    // Enrolled, but not there.
    scene.refuses(&refused(
        "prior_of_another_model",
        "not_for_this_gateway",
        changed(1, "/model", json!("b5")),
    ));
    scene.refuses(&refused("prior_of_another_fleet", "wrong_fleet", changed(1, "/fleet", json!("plant-8"))));
    let ended = changed(1, "/expires", json!(hours_from_now(-1)));
    scene.refuses(&refused("expired_prior", "expired", ended));
    let shapeless = changed(1, "/fit/covariance", json!([[1.0, 2.0], [2.0, 1.0]]));
    scene.refuses(&refused("shapeless_prior", "invalid_content", shapeless));
    scene.refuses(&refused("transform_as_prior", "wrong_type", by_fleet(&transform(1))));

    let two = by(&prior(2), &[FLEET, FLEET_2]);
    scene.accepts(B4, &two);
    assert_eq!(scene.push(B4, &two)["verdict"], "already_applied");
    let held = shown(&scene);
    assert_eq!(
        (&held["version"], &held["usable"], &held["sensors"]),
        (&json!(2), &json!(true), &json!(["co-1"]))
    );
    assert_eq!(held["prior"], prior_as_signed(&two));
    let rows = scene.audit();
    let row = rows.iter().find(|row| row.action == "prior.accepted").unwrap();
    assert_eq!((row.actor.as_str(), &row.detail["version"]), ("mqtt", &json!(2)));
    let backwards = |scene: &mut Scene| {
        scene.refuses(&refused("older_prior", "rolled_back_version", by(&prior(1), &[FLEET, FLEET_2])));
        let other = changed(2, "/fit/parameters", json!([9.0, 2.0]));
        scene.refuses(&refused("other_prior_of_this_version", "conflicting_version", other));
    };
    backwards(&mut scene);
    scene.publisher.retain(B4, "");
    scene.restart(|_| {});
    assert_eq!(shown(&scene), held, "removing what is retained changes nothing");
    backwards(&mut scene);
    let verified = get(&scene.gateway.path("run/control.sock"), "/v1/audit/verify").text();
    assert!(verified.contains("\"whole\":true"), "{verified}");
}

fn prior_as_signed(envelope: &[u8]) -> Value {
    let envelope = calibd::domain::trust::envelope::Envelope::parse(envelope).unwrap();
    serde_json::from_slice(&envelope.payload).unwrap()
}

#[test]
fn a_prior_of_a_revoked_key_is_of_no_use_and_its_version_stays() {
    let (mut scene, two) = (scene(), prior(2));
    scene.accepts(B4, &by(&two, &[FLEET, FLEET_2]));
    let mut revoking = of_models(2);
    revoking["keys"][world::keyid(FLEET_2)]["state"] = json!("revoked");
    revoking["keys"][world::keyid(RETIRED)]["state"] = json!("active");
    scene.accepts("calibd/1/plant-7/down/root/2", &signed_root(&revoking, &[ROOT, ROOT_2]));
    for _ in 0..2 {
        let held = shown(&scene);
        assert_eq!((&held["usable"], &held["prior"]), (&json!(false), &Value::Null), "{held}");
        assert!(held["reason"].as_str().unwrap().contains("does not accept"), "{held}");
        let older = Attack::known("older_prior", "rolled_back_version", by(&prior(1), &[FLEET, RETIRED]));
        scene.refuses(&older.on("all/prior/b4"));
        scene.publisher.retain(B4, "");
        scene.restart(|_| {});
    }
    // The same words, by keys that are good.
    scene.accepts(B4, &by(&two, &[FLEET, RETIRED]));
    assert_eq!(shown(&scene)["usable"], true);
}
