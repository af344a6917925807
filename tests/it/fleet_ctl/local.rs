//! Local transforms: proposed by the gateway, adopted by the fleet.

use serde_json::{Value, json};

use super::road::{FLEET, Road, code};
use crate::support::desk::stderr;
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::trust::transform;
use crate::support::wait::until_true;

fn local(version: u64) -> Value {
    let mut local = transform(version);
    local["id"] = json!("local-co-1");
    local["uncertainty"] = json!({"residual_std": 0.3, "degrees_of_freedom": 4});
    local["provenance"] = json!({"made_on": "gw-1", "session": "s-17", "method": "affine", "pairs": 6});
    local
}

/// A fleet whose technicians have a key, with one gateway that is enrolled.
fn road() -> (Road, (String, std::path::PathBuf)) {
    let road = Road::new();
    road.authority.ctl(&["key", "generate", "bench"]);
    let bench: &[&str] = &["add-key", "--role", "maintenance", "--key", "bench.pub.pem"];
    road.authority.next_root(3, &[bench]);
    let one = road.gateway("gw-1", None);
    for root in ["root-2.json", "root-3.json"] {
        road.json(&["root", "push", root], 0);
    }
    let enrolment = road.enrolment(&one, &[], 1);
    road.json(&["enrol", &enrolment, "--root", "root.json"], 0);
    (road, one)
}

fn proposals(road: &Road) -> Vec<Value> {
    road.json(&["proposals", "--root", "root.json"], 0)["proposals"].as_array().unwrap().clone()
}

#[test]
fn a_local_transform_is_proposed_until_the_fleet_adopts_it() {
    let (road, _one) = road();
    let topic = format!("{FLEET}/up/gw-1/proposal/co-1");
    let heard = Subscriber::new(&road.broker, &[&topic]);
    assert_eq!(proposals(&road), Vec::<Value>::new());
    let signed = road.authority.signed_by("bench", &local(1));
    std::fs::write(road.path("local.json"), &signed).unwrap();
    road.json(&["push", "local.json", "--gateway", "gw-1", "--root", "root.json"], 0);
    heard.await_on(&topic, |message| (message.payload == signed).then_some(()));
    until_true("the sensor to be reported", || proposals(&road).iter().any(|row| row["in_force"] == true));
    let row = &proposals(&road)[0];
    for (field, value) in [
        ("gateway", json!("gw-1")),
        ("sensor", json!("co-1")),
        ("id", json!("local-co-1")),
        ("version", json!(1)),
        ("method", json!("affine")),
        ("pairs", json!(6)),
        ("made_on", json!("gw-1")),
        ("verified", json!(true)),
    ] {
        assert_eq!(row[field], value, "{row}");
    }
    let text = String::from_utf8(road.run(&["proposals"]).stdout).unwrap();
    assert!(text.contains("local-co-1") && text.contains("MADE ON"), "{text}");

    forged(&road);

    let adopt = ["adopt", "gw-1", "co-1", "--id", "co", "-o", "co.json", "--root", "root.json"];
    let adopted = road.json(&adopt, 0);
    assert_eq!((&adopted["version"], &adopted["supersedes"][0]), (&json!(1), &row["digest"]), "{adopted}");
    let made: Value = serde_json::from_slice(&road.authority.file("co.json")).unwrap();
    assert_eq!((&made["pipeline"], &made["provenance"]["pairs"]), (&local(1)["pipeline"], &json!(6)));
    road.authority.ctl(&["sign", "co.json", "--key", "fleet.key.pem", "-o", "co.dsse.json"]);
    let push = road.json(&["push", "co.dsse.json", "--gateway", "gw-1", "--root", "root.json"], 0);
    assert_eq!(push["counts"], json!({"accepted": 1}), "{push}");
    heard.await_on(&topic, |message| message.payload.is_empty().then_some(()));
    until_true("nothing of it to be proposed any more", || {
        proposals(&road).iter().all(|row| row["gateway"] != "gw-1")
    });
    let gone = road.run(&adopt);
    assert_eq!(code(&gone), 1);
    assert!(stderr(&gone).contains("gw-1 proposes nothing for sensor co-1"), "{}", stderr(&gone));

    // What the gateway has accepted of the id counts, also where the broker has lost it.
    let signed = road.authority.signed_by("bench", &local(2));
    std::fs::write(road.path("local.json"), signed).unwrap();
    road.json(&["push", "local.json", "--gateway", "gw-1", "--root", "root.json"], 0);
    Publisher::new(&road.broker).retain(&format!("{FLEET}/down/gw/gw-1/transform/co"), "");
    until_true("the next version to be the second one", || {
        let adopted = road.run(&[&adopt[..], &["--json"]].concat());
        let adopted: Value = serde_json::from_slice(&adopted.stdout).unwrap_or_default();
        adopted["version"] == 2
    });
}

/// What somebody proposes in a gateway's name, or signed with no key of the maintenance, is not adopted.
fn forged(road: &Road) {
    let mut publisher = Publisher::new(&road.broker);
    publisher.retain(&format!("{FLEET}/up/gw-9/status"), r#"{"online":true}"#);
    let mut strange = local(1);
    (strange["target"]["gateways"], strange["provenance"]["made_on"]) = (json!(["gw-9"]), json!("gw-9"));
    let topic = format!("{FLEET}/up/gw-9/proposal/co-1");
    let adopt = ["adopt", "gw-9", "co-1", "--id", "co", "-o", "no.json", "--root", "root.json"];
    for (key, words) in [("stranger", "unverified"), ("fleet", "role_not_allowed"), ("bench", "does not say")]
    {
        publisher.retain(&topic, road.authority.signed_by(key, &strange));
        let row = proposals(road).into_iter().find(|row| row["gateway"] == "gw-9").unwrap();
        assert_eq!((&row["verified"], &row["in_force"]), (&json!(key == "bench"), &Value::Null), "{row}");
        let refused = road.run(&adopt);
        assert_eq!(code(&refused), 1);
        assert!(stderr(&refused).contains(words), "{}", stderr(&refused));
    }
    // Of another sensor than the topic says.
    publisher.retain(&format!("{FLEET}/up/gw-9/proposal/co-2"), road.authority.signed_by("bench", &strange));
    let ignored = &road.json(&["proposals", "--root", "root.json"], 0)["ignored"];
    assert_eq!(
        (&ignored[0]["problem"], &ignored[0]["count"]),
        (&json!("unreadable"), &json!(1)),
        "{ignored}"
    );
}
