//! Transforms that must not run here: one gateway withstands them one after the other.

use calibd::domain::trust::envelope::{Envelope, Signature};
use serde_json::{Value, json};

use super::fleet::*;
use super::scene::{Attack, Scene};
use crate::support::trust::hours_from_now;
use crate::trust::world::{keyid, pretty};

/// The version in force.
const RUNS: u64 = 7;

fn good() -> Vec<u8> {
    by_fleet(&transform(8))
}

fn changed(pointer: &str, value: Value) -> Vec<u8> {
    by_fleet(&with(8, pointer, value))
}

#[test]
fn a_gateway_withstands_transforms_of_all_kinds() {
    let mut scene = Scene::new();
    scene.puts(&transform(RUNS));
    scene.runs(RUNS, 1.5);
    let mut own = local("co-2", 1);
    own["pipeline"][0]["offset"] = json!(0.25);
    scene.accepts(&format!("{}/local-co-2", crate::support::gateway::DOWN), &signed(&own, &[MAINTENANCE]));
    for attack in [form(), signatures(), keys(), target(), time(), floor(), content()].into_iter().flatten() {
        scene.refuses(&attack);
    }
    scene.runs(RUNS, 2.5);
    assert_eq!(scene.measures("co-2", 1.0)["transform"]["id"], "local-co-2");
    // It takes what is good all the same.
    scene.puts(&transform(9));
    scene.runs(9, 3.5);
    assert_eq!(scene.daemon.total("calibd_task_restarts_total"), 0);
}

fn form() -> Vec<Attack> {
    let text = pretty(&transform(8));
    let payload = |text: &str| signed_as("transform", text.as_bytes(), &[FLEET, FLEET_2]);
    let twice = text.replacen("\"gain\": 2.0", "\"gain\": 2.0, \"gain\": 3.0", 1);
    assert_ne!(twice, text);
    vec![
        Attack::strange("too_large", "too_large", vec![b' '; 300 << 10]),
        Attack::strange("malformed", "malformed", b"{\"payload\":".to_vec()),
        // An order in the clothes of a transform, and the other way round.
        Attack::strange(
            "wrong_payload_type",
            "wrong_type",
            signed_as("order", text.as_bytes(), &[FLEET, FLEET_2]),
        ),
        Attack::strange(
            "foreign_type",
            "wrong_type",
            signed_as("gadget", text.as_bytes(), &[FLEET, FLEET_2]),
        ),
        Attack::known("duplicate_json_keys", "malformed", payload(&twice)),
        Attack::known("trailing_bytes", "malformed", payload(&format!("{text}{{}}"))),
        Attack::known("dotdot_id", "malformed", changed("/id", json!("../../etc/passwd"))),
        Attack::known("unknown_schema", "unknown_schema", changed("/schema", json!(2))),
        Attack::known("unknown_stage", "unknown_stage", changed("/pipeline/0/kind", json!("magic"))),
    ]
}

fn signatures() -> Vec<Attack> {
    let mut tampered = Envelope::parse(&good()).unwrap();
    tampered.payload = pretty(&with(8, "/pipeline/0/gain", json!(3.4))).into_bytes();
    let mut confused =
        Envelope::parse(&signed_as("order", pretty(&transform(8)).as_bytes(), &[FLEET, FLEET_2])).unwrap();
    confused.payload_type = Envelope::parse(&good()).unwrap().payload_type;
    let mut twice = Envelope::parse(&signed(&transform(8), &[FLEET])).unwrap();
    let copy = Signature { keyid: Some(keyid(FLEET_2)), ..twice.signatures[0].clone() };
    twice.signatures.push(copy);
    vec![
        Attack::strange("tampered_payload", "bad_signature", tampered.to_json()),
        Attack::strange("type_confusion", "bad_signature", confused.to_json()),
        Attack::strange("unknown_key", "unknown_key", signed(&transform(8), &[STRANGER])),
        Attack::strange("unsigned", "threshold_not_met", signed(&transform(8), &[])),
        Attack::known(
            "threshold_not_met",
            "threshold_not_met",
            signed(&with(8, "/version", json!(10)), &[FLEET]),
        ),
        Attack::known("one_key_twice", "threshold_not_met", twice.to_json()),
        Attack::known(
            "roles_summed",
            "threshold_not_met",
            signed(&with(11, "/version", json!(11)), &[FLEET, MAINTENANCE]),
        ),
        Attack::known("role_not_allowed", "role_not_allowed", signed(&transform(12), &[ENROL])),
        Attack::known(
            "maintenance_signs_for_fleet",
            "role_not_allowed",
            signed(&transform(13), &[MAINTENANCE]),
        ),
        Attack::known("fleet_signs_local", "role_not_allowed", by_fleet(&local("co-1", 1))),
    ]
}

fn keys() -> Vec<Attack> {
    let by = |name, reason, version, seed| {
        Attack::known(name, reason, signed(&transform(version), &[FLEET, seed]))
    };
    vec![
        by("key_retired", "key_retired", 20, RETIRED),
        by("key_revoked", "key_revoked", 21, REVOKED),
        by("key_not_valid_yet", "key_not_valid_now", 22, FUTURE),
        by("key_not_valid_any_more", "key_not_valid_now", 23, PAST),
        // What a revoked key signs may be anybody's.
        Attack::strange("revoked_alone", "threshold_not_met", signed(&transform(24), &[REVOKED])),
    ]
}

fn target() -> Vec<Attack> {
    let target = |extra: Value| {
        let mut target = json!({"fleet": "plant-7", "sensors": ["co-1"]});
        target.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        by_fleet(&with(8, "/target", target))
    };
    let foreign = |fields: &[(&str, Value)]| {
        let mut local = local("co-1", 1);
        fields.iter().for_each(|(pointer, value)| set(&mut local, pointer, value.clone()));
        signed(&local, &[MAINTENANCE])
    };
    let made_on = ("/provenance/made_on", json!("gw-2"));
    vec![
        Attack::known("cross_fleet", "wrong_fleet", changed("/target/fleet", json!("plant-8"))),
        Attack::known("out_of_scope", "out_of_scope", changed("/target/sensors", json!(["no2-1"]))),
        Attack::known("fast_forward_epoch", "out_of_scope", changed("/epoch", json!(3))),
        Attack::known("other_gateway", "not_for_this_gateway", changed("/target/gateways", json!(["gw-2"]))),
        // The gateway's own configuration says that it is in the group, and topics only route.
        Attack::known("claimed_group", "not_for_this_gateway", target(json!({"groups": ["north"]})))
            .on("group/north/transform/co"),
        Attack::known("every_gateway", "not_for_this_gateway", target(json!({}))).on("all/transform/co"),
        Attack::known("unknown_sensor", "unknown_sensor", changed("/target/sensors", json!(["co-9"]))),
        Attack::known("local_fit_elsewhere", "out_of_scope", foreign(std::slice::from_ref(&made_on))),
        Attack::known(
            "local_for_other_sensor",
            "out_of_scope",
            foreign(&[("/target/sensors", json!(["co-2"]))]),
        ),
        Attack::known(
            "local_for_other_gateway",
            "not_for_this_gateway",
            foreign(&[made_on, ("/target/gateways", json!(["gw-2"]))]),
        ),
    ]
}

fn time() -> Vec<Attack> {
    let mut expired = transform(8);
    expired["issued_at"] = json!(hours_from_now(-5));
    expired["expires"] = json!(hours_from_now(-1));
    vec![
        Attack::known("expired", "expired", by_fleet(&expired)),
        Attack::known("not_yet_valid", "not_yet_valid", changed("/not_before", json!(hours_from_now(24)))),
    ]
}

fn floor() -> Vec<Attack> {
    vec![
        Attack::known("rolled_back_version", "rolled_back_version", by_fleet(&transform(6))),
        Attack::known(
            "same_version_conflict",
            "conflicting_version",
            by_fleet(&with(RUNS, "/pipeline/0/offset", json!(9.0))),
        ),
        Attack::known("conflict", "conflict", changed("/id", json!("other"))),
        Attack::known("local_in_force", "local_in_force", changed("/target/sensors", json!(["co-2"]))),
    ]
}

fn content() -> Vec<Attack> {
    let unit = changed("/input_unit", json!("V"));
    vec![
        Attack::known("unit_mismatch", "unit_mismatch", unit),
        // The root allows 50 mg/m3; with another unit the step could not be told.
        Attack::known("limits_exceeded", "limits_exceeded", changed("/pipeline/0/gain", json!(3.0))),
        Attack::known("step_in_another_unit", "limits_exceeded", changed("/output_unit", json!("Cel"))),
        Attack::known("invalid_content", "invalid_content", changed("/domain/input", json!([100.0, 0.0]))),
    ]
}
