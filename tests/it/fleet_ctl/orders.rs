//! Orders, as they lie with the broker.

use serde_json::{Value, json};

use super::road::{FLEET, Road, code, digest};
use crate::support::desk::stderr;
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::trust::{opened, transform};

/// The newest order that the broker keeps on a topic.
fn kept(road: &Road, path: &str) -> Value {
    let topic = format!("{FLEET}/{path}");
    let reader = Subscriber::new(&road.broker, &[&topic]);
    let bytes = reader.await_on(&topic, |message| Some(message.payload.clone()));
    opened(&bytes, "order", &road.path("fleet.pub.pem"))
}

#[test]
fn an_order_is_about_the_transform_that_is_kept_and_has_the_next_serial() {
    let road = Road::new();
    let envelope = road.authority.signed(&transform(7));
    let wanted = digest(&envelope);
    let mut publisher = Publisher::new(&road.broker);
    publisher.retain(&format!("{FLEET}/down/group/north/transform/co"), &envelope);
    let order = |args: &[&str]| {
        road.json(
            &[args, &["--signing-key", "fleet.key.pem", "--wait", "0s", "--root", "root.json"]].concat(),
            0,
        )
    };

    let said = order(&["promote", "co", "--percent", "25"]);
    assert_eq!(
        (&said["type"], &said["id"], &said["version"]),
        (&json!("order"), &json!("co"), &json!(1)),
        "{said}"
    );
    let first = kept(&road, "down/group/north/order/co");
    assert_eq!(
        (&first["action"], &first["percent"], &first["digest"]),
        (&json!("promote"), &json!(25.0), &wanted)
    );
    assert_eq!(
        (&first["schema"], &first["fleet"], &first["targets"]["groups"]),
        (&json!(1), &json!("plant-7"), &json!(["north"]))
    );

    order(&["rollback", "co"]);
    let second = kept(&road, "down/group/north/order/co");
    assert_eq!(
        (&second["action"], &second["serial"], &second["percent"]),
        (&json!("rollback"), &json!(2), &Value::Null)
    );

    // For one gateway only, still counted on; and about another transform, if it is named.
    let other = "11".repeat(32);
    order(&["abort", "co", "--gateway", "gw-1", "--digest", &other]);
    let third = kept(&road, "down/gw/gw-1/order/co");
    assert_eq!(
        (&third["serial"], &third["digest"], &third["targets"]["gateways"]),
        (&json!(3), &json!(other), &json!(["gw-1"]))
    );

    // Somebody without a key can't use up the numbers.
    let forged = json!({"schema": 1, "id": "co", "serial": 9_007_199_254_740_990_u64, "action": "retire", "targets": {}});
    publisher.retain(
        &format!("{FLEET}/down/all/order/co"),
        road.authority.signed_as("order", "stranger", &forged),
    );
    order(&["retire", "co"]);
    assert_eq!(kept(&road, "down/group/north/order/co")["serial"], 4);
    let status = road.json(&["status", "co", "--root", "root.json"], 0);
    let retired = status["desired"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["action"] == "retire" && it["verified"] == true);
    assert_eq!((&retired.unwrap()["number"], &retired.unwrap()["on"]), (&json!(4), &wanted), "{status}");
}

#[test]
fn an_order_can_be_signed_elsewhere() {
    let road = Road::new();
    let envelope = road.authority.signed(&transform(7));
    Publisher::new(&road.broker).retain(&format!("{FLEET}/down/all/transform/co"), &envelope);
    let written = road.run(&["rollback", "co", "-o", "order.json"]);
    assert_eq!(code(&written), 0, "{}", stderr(&written));
    road.authority.ctl(&["sign", "order.json", "--key", "fleet.key.pem", "-o", "order.dsse.json"]);
    road.json(&["push", "order.dsse.json", "--all", "--wait", "0s", "--root", "root.json"], 0);
    assert_eq!(kept(&road, "down/all/order/co")["action"], "rollback");
}

#[test]
fn without_a_good_transform_or_key_there_is_no_order() {
    let road = Road::new();
    let none = road.run(&["rollback", "co", "--signing-key", "fleet.key.pem"]);
    assert!(stderr(&none).contains("keeps no transform co; say for whom"), "{}", stderr(&none));
    let none = road.run(&["rollback", "co", "--signing-key", "fleet.key.pem", "--all"]);
    assert!(stderr(&none).contains("no gateway reports a transform co"), "{}", stderr(&none));
    let mut publisher = Publisher::new(&road.broker);
    publisher.retain(
        &format!("{FLEET}/down/all/transform/co"),
        road.authority.signed_by("stranger", &transform(7)),
    );
    let forged = road.run(&["rollback", "co", "--signing-key", "fleet.key.pem", "--root", "root.json"]);
    assert!(stderr(&forged).contains("is not signed by the fleet"), "{}", stderr(&forged));
    publisher.retain(&format!("{FLEET}/down/all/transform/co"), road.authority.signed(&transform(7)));
    let stranger = road.run(&["rollback", "co", "--signing-key", "stranger.key.pem", "--root", "root.json"]);
    assert_eq!(code(&stranger), 1);
    assert!(stderr(&stranger).contains("not sent: gateways refuse it: unknown_key"), "{}", stderr(&stranger));
    publisher.retain(&format!("{FLEET}/down/gw/gw-1/transform/co"), road.authority.signed(&transform(7)));
    let two = road.run(&["rollback", "co", "--signing-key", "fleet.key.pem"]);
    assert!(stderr(&two).contains("for all gateways and for gateway gw-1"), "{}", stderr(&two));
}

#[test]
fn a_running_gateway_follows_them() {
    let road = Road::new();
    let one = road.gateway("gw-1", None);
    Publisher::new(&road.broker).retain(&format!("{FLEET}/down/root/2"), road.authority.file("root-2.json"));
    let file = road.enrolment(&one, &[], 1);
    road.json(&["enrol", &file, "--root", "root.json"], 0);
    let push = |version: u64, rollout: Value| {
        let mut transform = transform(version);
        if !rollout.is_null() {
            transform["rollout"] = rollout;
        }
        let file = road.signed("co.json", &transform);
        road.json(&["push", &file, "--gateway", "gw-1", "--root", "root.json"], 0)["gateways"][0].clone()
    };
    let order = |action: &str, code| {
        let args = [action, "co", "--signing-key", "fleet.key.pem", "--root", "root.json"];
        road.json(&args, code)["gateways"][0].clone()
    };
    let stages = || {
        let status = road.json(&["status", "co", "--root", "root.json"], 0);
        let groups = status["groups"].as_array().unwrap().clone();
        groups.iter().map(|it| json!([it["version"], it["stage"], it["verified"]])).collect::<Vec<_>>()
    };
    assert_eq!(push(7, Value::Null)["stage"], "active");
    assert_eq!(push(8, json!({"mode": "shadow", "bake": "1h"}))["stage"], "shadow");
    assert_eq!(stages(), [json!([8, "shadow", 1]), json!([7, "active", 1])]);
    assert_eq!(road.json(&["list"], 0)["gateways"][0]["candidates"], 1);
    let answer = order("promote", 0);
    assert_eq!((&answer["standing"], &answer["stage"]), (&json!("accepted"), &json!("canary")), "{answer}");
    assert_eq!(stages(), [json!([8, "canary", 1])]);
    let answer = order("rollback", 0);
    assert_eq!(
        (&answer["standing"], &answer["stage"]),
        (&json!("accepted"), &json!("rolled_back")),
        "{answer}"
    );
    assert_eq!(stages(), [json!([7, "active", 1])]);
    // What has been taken back is not promoted again; the gateway says why.
    let answer = order("promote", 1);
    assert_eq!(answer["standing"], "refused", "{answer}");
}
