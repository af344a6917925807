//! Manifests, made with calibctl, at a gateway that wants everything listed.

use serde_json::{Value, json};

use super::road::{FLEET, Road, code, digest};
use crate::support::desk::stderr;
use crate::support::mqtt::Publisher;
use crate::support::trust::transform;
use crate::support::wait::until_true;

/// A fleet with a key that signs manifests.
fn road() -> Road {
    let road = Road::new();
    road.authority.ctl(&["key", "generate", "snapshot"]);
    road.authority.next_root(3, &[&["add-key", "--role", "snapshot", "--key", "snapshot.pub.pem"]]);
    let mut publisher = Publisher::new(&road.broker);
    for version in [2, 3] {
        publisher.retain(
            &format!("{FLEET}/down/root/{version}"),
            road.authority.file(&format!("root-{version}.json")),
        );
    }
    road
}

fn make(road: &Road, args: &[&str]) -> Value {
    let args = [&["manifest", "-o", "m.json", "--root", "root.json"], args].concat();
    road.json(&args, 0)["manifest"].take()
}

/// Signs the manifest that was made, and pushes it.
fn push(road: &Road, to: &[&str]) -> Value {
    road.authority.ctl(&["sign", "m.json", "--key", "snapshot.key.pem", "-o", "m.dsse.json"]);
    road.json(&[&["push", "m.dsse.json", "--root", "root.json"], to].concat(), 0)
}

fn stage(road: &Road, version: u64) -> bool {
    let status = road.json(&["status", "co", "--root", "root.json"], 0);
    status["groups"][0]["version"] == version && status["groups"][0]["stage"] == "active"
}

#[test]
fn what_is_listed_comes_into_force_and_nothing_else() {
    let road = road();
    let one = road.gateway_with("gw-1", None, "require_manifest = true\n");
    let enrolment = road.enrolment(&one, &[], 1);
    road.json(&["enrol", &enrolment, "--root", "root.json"], 0);
    let here = ["--gateway", "gw-1"];
    let send = |file: &str, wanted| {
        let args = ["push", file, "--gateway", "gw-1", "--root", "root.json"];
        road.json(&args, wanted)["gateways"][0].clone()
    };

    // Pushed first, it is refused, and comes into force once it is listed.
    let seven = road.signed("co-7.json", &transform(7));
    assert_eq!(send(&seven, 1)["reason"], "stale_manifest");
    let forged = road.authority.signed_by("stranger", &transform(99));
    let mut publisher = Publisher::new(&road.broker);
    publisher.retain(&format!("{FLEET}/down/gw/gw-1/transform/forged"), forged);
    let first = make(&road, &here);
    let wanted = json!([["co", 7, digest(&road.authority.file("co-7.json"))]]);
    assert_eq!((&first["version"], &first["root_version"]), (&json!(1), &json!(3)), "{first}");
    assert_eq!((&first["branch"], &first["transforms"]), (&json!("gw/gw-1"), &wanted), "{first}");
    let answer = push(&road, &here);
    let row = &answer["gateways"][0];
    assert_eq!((&row["standing"], &row["verified"]), (&json!("accepted"), &json!(true)), "{answer}");
    assert_eq!(answer["topic"], "calibd/1/plant-7/down/gw/gw-1/manifest");
    until_true("what is listed to come into force", || stage(&road, 7));

    // Listed first, it comes into force at once.
    let eight = road.signed("co-8.json", &transform(8));
    assert_eq!(send(&eight, 1)["reason"], "not_listed");
    publisher.retain(&format!("{FLEET}/down/gw/gw-1/transform/co"), road.authority.file("co-7.json"));
    let second = make(&road, &["--gateway", "gw-1", "--with", "co-8.json", "--valid", "2h"]);
    let wanted = json!([["co", 8, digest(&road.authority.file("co-8.json"))]]);
    assert_eq!((&second["version"], &second["transforms"]), (&json!(2), &wanted), "{second}");
    assert_eq!(push(&road, &here)["counts"], json!({"accepted": 1}));
    assert_eq!(send(&eight, 0)["stage"], "active");
    assert_eq!(push(&road, &here)["counts"], json!({"already_applied": 1}));
}

#[test]
fn what_is_no_good_manifest_is_not_made_or_sent() {
    let road = road();
    let refused = |args: &[&str], wanted: &str| {
        let output = road.run(args);
        assert_ne!(code(&output), 0, "{args:?}");
        assert!(stderr(&output).contains(wanted), "{args:?}: {}", stderr(&output));
    };
    refused(&["manifest", "--all", "-o", "m.json"], "--root is needed");
    let forged = road.authority.signed_by("stranger", &transform(9));
    std::fs::write(road.path("forged.json"), forged).unwrap();
    let with =
        |file: &'static str| ["manifest", "--all", "-o", "m.json", "--root", "root.json", "--with", file];
    refused(&with("forged.json"), "forged.json: gateways refuse it: unknown_key");
    refused(&with("root-2.json"), "a manifest lists transforms");
    refused(&["manifest", "--all", "--valid", "0s", "-o", "m.json"], "366 days at most");

    let none = make(&road, &["--all"]);
    assert_eq!((&none["version"], &none["transforms"]), (&json!(1), &json!([])), "{none}");
    road.authority.ctl(&["sign", "m.json", "--key", "snapshot.key.pem", "-o", "m.dsse.json"]);
    let to = |branch: &[&'static str]| [&["push", "m.dsse.json", "--root", "root.json"], branch].concat();
    refused(&to(&["--group", "north"]), "the manifest is for all gateways, not for group north");
    road.authority.ctl(&["sign", "m.json", "--key", "fleet.key.pem", "-o", "m.dsse.json"]);
    refused(&to(&["--all"]), "not sent: gateways refuse it: role_not_allowed");
}
