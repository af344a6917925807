//! Properly signed transforms that must not run on this gateway, or not now.

use calibd::domain::digest::Digest;
use calibd::domain::trust::reason::Reason;
use serde_json::{Value, json};

use super::fixtures::Fixture;
use super::world::*;

pub fn fixtures() -> Vec<Fixture> {
    [scope(), target(), maintenance(), time(), floor(), content()].into_iter().flatten().collect()
}

/// The good transform with one field changed, signed by the fleet.
fn with(name: &'static str, reason: Reason, pointer: &str, value: Value) -> Fixture {
    Fixture::new(name, reason, signed(&changed(&[(pointer, value)]), &[FLEET]))
}

fn good(name: &'static str, reason: Reason) -> Fixture {
    Fixture::new(name, reason, signed(&transform(), &[FLEET]))
}

fn scoped(scope: Value) -> Value {
    root_with("fleet", 1, &[FLEET], json!([scope]))
}

fn scope() -> Vec<Fixture> {
    let out = |name, scope| good(name, Reason::OutOfScope).root(&scoped(scope));
    let mut other_fleet = root();
    set(&mut other_fleet, "/fleet", json!("plant-8"));
    vec![
        with("cross_fleet", Reason::WrongFleet, "/target/fleet", json!("plant-8")),
        // The root itself is another fleet's; away from the gateway nobody knows which one it belongs to.
        with("cross_fleet_root", Reason::WrongFleet, "/target/fleet", json!("plant-8"))
            .root(&other_fleet)
            .offline(None),
        out("out_of_scope", json!({"sensors": ["no2-1"]})),
        out("out_of_scope_gateway", json!({"gateways": ["gw-2"]})),
        out("out_of_scope_group_unproven", json!({"groups": ["north"]})),
        out("out_of_scope_model_unproven", json!({"models": ["alphasense-co-b4"]})),
        out("out_of_scope_tag_unproven", json!({"tags": {"site": ["north"]}})),
        with("epoch_above_root", Reason::OutOfScope, "/epoch", json!(3)),
    ]
}

fn target() -> Vec<Fixture> {
    let elsewhere = Reason::NotForThisGateway;
    let target = |extra: Value| {
        let mut target = json!({"fleet": "plant-7", "gateways": ["gw-1"], "sensors": ["co-1"]});
        target.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        target
    };
    vec![
        with("other_gateway", elsewhere, "/target/gateways", json!(["gw-2"])),
        with("claimed_group", elsewhere, "/target", target(json!({"gateways": [], "groups": ["north"]}))),
        with("claimed_model", elsewhere, "/target", target(json!({"models": ["alphasense-co-b4"]})))
            .context(json!({"sensors": {"co-1": {"unit": "nA", "model": "alphasense-co-b4"}}})),
        with("claimed_tag", elsewhere, "/target", target(json!({"tags": {"site": "north"}}))),
        with("every_gateway", elsewhere, "/target", target(json!({"gateways": []}))),
        with("unknown_sensor", Reason::UnknownSensor, "/target/sensors", json!(["co-9"])).offline(None),
        with("swapped_instrument", Reason::UnknownSensor, "/target", target(json!({"serials": ["162740"]})))
            .offline(None),
    ]
}

fn maintenance() -> Vec<Fixture> {
    let local = |name, reason, pointer: &str, value: Value| {
        let mut document = local();
        set(&mut document, pointer, value);
        Fixture::new(name, reason, signed(&document, &[MAINTENANCE]))
    };
    let share = root_with("maintenance", 1, &[MAINTENANCE], json!([{"mpe_share": 0.5}]));
    let out = Reason::OutOfScope;
    vec![
        local("local_without_session", out, "/provenance", json!({"made_on": "gw-1"})),
        local("local_for_two_sensors", out, "/target/sensors", json!(["co-1", "co-2"])),
        local("local_for_other_sensor", out, "/id", json!("local-co-2")),
        local("local_made_elsewhere", out, "/provenance/made_on", json!("gw-2")),
        Fixture::new(
            "local_from_other_gateway",
            Reason::NotForThisGateway,
            signed(&super::world::local(), &[MAINTENANCE]),
        )
        .context(json!({"gateway": "gw-2"})),
        Fixture::new("local_mpe_unproven", out, signed(&super::world::local(), &[MAINTENANCE])).root(&share),
        Fixture::new(
            "local_root_expired_long_ago",
            Reason::RootExpired,
            signed(&late_local(), &[MAINTENANCE]),
        )
        .context(json!({"now": "2028-03-31T00:00:00Z"})),
    ]
}

/// A maintenance transform that outlives the root.
pub fn late_local() -> Value {
    let mut document = local();
    set(&mut document, "/expires", json!("2029-01-01T00:00:00Z"));
    document
}

fn time() -> Vec<Fixture> {
    let (begin, end) = (json!("2027-01-01T00:00:00Z"), json!("2026-11-22T12:00:00Z"));
    let untrusted = |floor: &str| json!({"trusted": false, "now": "1970-01-01T00:00:10Z", "floor": floor});
    vec![
        good("no_root", Reason::NoRoot).context(json!({"root": false})),
        good("root_expired", Reason::RootExpired).context(json!({"now": "2028-01-01T00:00:00Z"})),
        with("expired", Reason::Expired, "/expires", end),
        // The clock stands at 1970; the floor knows better.
        good("expired_by_the_floor", Reason::Expired)
            .context(untrusted("2027-12-01T00:00:00Z"))
            .offline(None),
        with("not_yet_valid", Reason::NotYetValid, "/not_before", begin.clone()),
        with("clock_untrusted", Reason::ClockUntrusted, "/not_before", begin)
            .context(json!({"trusted": false, "now": "2027-06-01T00:00:00Z"}))
            .offline(None),
    ]
}

fn floor() -> Vec<Fixture> {
    let digest = Digest::of(&[b"accepted before"]);
    let at = |name, reason, epoch: u64, version: u64| {
        let floor = json!({"co-electrochemical": {"epoch": epoch, "version": version, "digest": digest}});
        good(name, reason).context(json!({"floors": floor})).offline(None)
    };
    let slot = |value: Value| json!({"slots": {"co-1": value}});
    vec![
        at("rolled_back_version", Reason::RolledBackVersion, 1, 8),
        at("rolled_back_epoch", Reason::RolledBackVersion, 2, 1),
        at("conflicting_version", Reason::ConflictingVersion, 1, 7),
        good("conflict", Reason::Conflict).context(slot(json!({"active_id": "co-other"}))).offline(None),
        good("local_in_force", Reason::LocalInForce).context(slot(json!({"local": digest}))).offline(None),
    ]
}

fn content() -> Vec<Fixture> {
    let (limits, invalid) = (Reason::LimitsExceeded, Reason::InvalidContent);
    let step = json!([{"kind": "offset", "offset": 5.0}]);
    let stepping = |limits: Value| {
        let changes = [("/pipeline", step.clone()), ("/output_unit", json!("nA")), ("/limits", limits)];
        signed(&changed(&changes), &[FLEET])
    };
    let hill = json!([{"kind": "polynomial", "coefficients": [0.0, 1.0, -0.001]}]);
    let back = json!([{"kind": "table", "x": [120.0, 500.0, 400.0], "y": [0.0, 1.0, 2.0]}]);
    vec![
        good("unit_mismatch", Reason::UnitMismatch)
            .context(json!({"sensors": {"co-1": {"unit": "mV"}}}))
            .offline(None),
        Fixture::new("limits_exceeded", limits, stepping(json!({"max_step": 2.0}))).offline(None),
        // The signer allows itself more than the root allows the signer.
        Fixture::new("limits_exceeded_scope", limits, stepping(json!({"max_step": 100.0})))
            .root(&scoped(json!({"limits": {"max_step": 2.0}})))
            .offline(None),
        with("not_monotone", limits, "/pipeline", hill.clone()),
        Fixture::new("not_monotone_scope", limits, unlimited(hill))
            .root(&scoped(json!({"limits": {"monotone": true}}))),
        with("invalid_content", invalid, "/pipeline", back),
        with("inverted_domain", invalid, "/domain/input", json!([980.0, 120.0])),
    ]
}

fn unlimited(pipeline: Value) -> Vec<u8> {
    signed(&changed(&[("/pipeline", pipeline), ("/limits", json!({}))]), &[FLEET])
}
