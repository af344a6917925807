//! The trust root changes while a gateway runs: keys come and go, made with calibctl, by messages alone.

use serde_json::{Value, json};

use crate::attacks::fleet::{self, ROOT, ROOT_2, signed_root};
use crate::attacks::scene::Scene;
use crate::mqtt_end_to_end::Street;
use crate::support::broker::Broker;
use crate::support::control::get;
use crate::support::gateway::{Gateway, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::trust::{Authority, calibrated, hours_from_now, opened, transform};
use crate::support::wait::{until, until_true};

const ROOTS: &str = "calibd/1/plant-7/down/root";

/// A second key of the fleet, beside the first.
const SECOND: &[&str] = &["add-key", "--role", "fleet", "--key", "second.pub.pem"];
const REVOKE_FIRST: &[&str] = &["revoke-key", "--key", "fleet"];

fn street(trust: &str) -> Street {
    let street = Street::with(trust);
    street.authority.ctl(&["key", "generate", "second"]);
    street
}

fn publish(street: &mut Street, version: u64, root: &[u8]) {
    street.publisher.retain(&format!("{ROOTS}/{version}"), root);
}

/// Waits for the answer to a root or transform, by its version, that says this.
fn answer(street: &Street, id: &str, version: u64, verdict: &str) -> Value {
    let key = street.gateway.store().join("gateway.pub.pem");
    street.above.await_on(&format!("{UP}/ack"), |message| {
        let ack = opened(&message.payload, "ack", &key);
        (ack["id"] == id && ack["version"] == version && ack["verdict"] == verdict).then_some(ack)
    })
}

/// Waits until something of this name is refused for this reason.
fn refuses(street: &Street, id: &str, reason: &str) {
    let key = street.gateway.store().join("gateway.pub.pem");
    street.above.await_on(&format!("{UP}/ack"), |message| {
        let ack = opened(&message.payload, "ack", &key);
        (ack["id"] == id && ack["reason"] == reason).then_some(())
    });
}

fn root_version(street: &Street) -> Value {
    street.retained(&format!("{UP}/status")).json()["root_version"].clone()
}

fn audited(street: &Street) -> Vec<String> {
    let db = rusqlite::Connection::open(street.gateway.store().join("ledger.db")).unwrap();
    let mut rows = db.prepare("SELECT action FROM audit ORDER BY seq").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_lost_key_is_revoked_and_another_one_goes_on_without_a_touch() {
    let mut street = street("");
    let seven = street.authority.signed(&transform(7));
    street.push("co", &seven);
    answer(&street, "co", 7, "accepted");

    let two = street.authority.next_root(2, &[SECOND, REVOKE_FIRST]);
    publish(&mut street, 2, &two);
    let ack = answer(&street, "root", 2, "accepted");
    assert!(ack["message"].as_str().unwrap().contains("stays in force, flagged"), "{ack}");
    until_true("the status to name the new root", || root_version(&street) == 2);
    street.measure(2.0);
    let reading = street.reading(2.0);
    assert_eq!((&reading["value"], &reading["state"]), (&json!(calibrated(2.0)), &json!("suspect")));
    assert_eq!(reading["reasons"], json!(["transform_revoked"]));
    street.daemon.says("does not accept the transform of co-1 any more");

    let lost = street.authority.signed(&transform(8));
    street.push("co", &lost);
    refuses(&street, "co", "key_revoked");
    // The very same bytes, signed by the key that is left.
    let again = street.authority.signed_by("second", &serde_json::from_slice(&payload(&seven)).unwrap());
    street.push("co", &again);
    until_true("the transform to be accepted again", || {
        audited(&street).contains(&"transform.signed_anew".to_owned())
    });
    let nine = street.authority.signed_by("second", &transform(9));
    street.push("co", &nine);
    answer(&street, "co", 9, "accepted");
    street.measure(3.0);
    assert_eq!(
        (&street.reading(3.0)["state"], &street.reading(3.0)["reasons"]),
        (&json!("valid"), &json!([]))
    );

    assert_eq!(street.daemon.process.stop().code(), Some(0));
    street.daemon = street.gateway.start();
    street.daemon.linked();
    street.measure(4.0);
    assert_eq!(street.reading(4.0)["reasons"], json!([]));
    until_true("the status after the restart", || root_version(&street) == 2);
}

fn payload(envelope: &[u8]) -> Vec<u8> {
    calibd::domain::trust::envelope::Envelope::parse(envelope).unwrap().payload
}

#[test]
fn what_a_revoked_key_signed_stays_flagged_over_a_restart() {
    let mut street = street("");
    let seven = street.authority.signed(&transform(7));
    street.push("co", &seven);
    answer(&street, "co", 7, "accepted");
    let two = street.authority.next_root(2, &[SECOND, REVOKE_FIRST]);
    publish(&mut street, 2, &two);
    answer(&street, "root", 2, "accepted");
    street.daemon.process.kill();
    street.daemon = street.gateway.start();
    street.daemon.linked();
    street.measure(2.0);
    let reading = street.reading(2.0);
    assert_eq!(
        (&reading["transform"]["version"], &reading["reasons"]),
        (&json!(7), &json!(["transform_revoked"]))
    );
    assert!(audited(&street).contains(&"transform.kept".to_owned()));
}

#[test]
fn what_another_key_signed_before_takes_its_place() {
    let mut street = street("on_revoked = \"previous\"");
    let six = street.authority.signed(&transform(6));
    street.push("co", &six);
    answer(&street, "co", 6, "accepted");
    let two = street.authority.next_root(2, &[SECOND]);
    publish(&mut street, 2, &two);
    answer(&street, "root", 2, "accepted");
    for version in [7, 8] {
        let envelope = street.authority.signed_by("second", &transform(version));
        street.push("co", &envelope);
        answer(&street, "co", version, "accepted");
    }
    let three = street.authority.next_root(3, &[&["revoke-key", "--key", "second"]]);
    publish(&mut street, 3, &three);
    let ack = answer(&street, "root", 3, "accepted");
    assert!(ack["message"].as_str().unwrap().contains("gave way to the one before it"), "{ack}");
    street.measure(2.0);
    let reading = street.reading(2.0);
    assert_eq!((&reading["transform"]["version"], &reading["reasons"]), (&json!(6), &json!([])));
    // The floor stays.
    let seven = street.authority.signed(&transform(7));
    street.push("co", &seven);
    refuses(&street, "co", "rolled_back_version");
}

#[test]
fn revoke_previous_same_key() {
    let mut street = street("on_revoked = \"previous\"");
    for version in [6, 7] {
        let envelope = street.authority.signed(&transform(version));
        street.push("co", &envelope);
        answer(&street, "co", version, "accepted");
    }
    let two = street.authority.next_root(2, &[SECOND, REVOKE_FIRST]);
    publish(&mut street, 2, &two);
    let ack = answer(&street, "root", 2, "accepted");
    assert!(ack["message"].as_str().unwrap().contains("was withdrawn"), "{ack}");
    street.measure(2.0);
    assert_eq!(street.reading(2.0)["reasons"], json!(["raw_only"]));
    assert!(audited(&street).contains(&"transform.withdrawn".to_owned()));
}

#[test]
fn a_retired_key_keeps_what_was_accepted_and_signs_nothing_new() {
    let mut street = street("on_revoked = \"uncalibrated\"");
    let seven = street.authority.signed(&transform(7));
    street.push("co", &seven);
    answer(&street, "co", 7, "accepted");
    let two = street.authority.next_root(2, &[SECOND, &["retire-key", "--key", "fleet"]]);
    publish(&mut street, 2, &two);
    assert_eq!(answer(&street, "root", 2, "accepted")["message"], "root 2 is installed");
    let eight = street.authority.signed(&transform(8));
    street.push("co", &eight);
    refuses(&street, "co", "key_retired");
    street.measure(2.0);
    let reading = street.reading(2.0);
    assert_eq!((&reading["transform"]["version"], &reading["reasons"]), (&json!(7), &json!([])));
}

#[test]
fn roots_that_come_in_any_order_are_installed_in_theirs() {
    let mut street = street("");
    let two = street.authority.next_root(2, &[]);
    let three = street.authority.next_root(3, &[SECOND]);
    let early = street.authority.signed_by("second", &transform(7));
    street.push("co", &early);
    refuses(&street, "co", "unknown_key");
    publish(&mut street, 3, &three);
    refuses(&street, "root", "not_yet_valid");
    assert_eq!(root_version(&street), 1);
    publish(&mut street, 2, &two);
    answer(&street, "root", 2, "accepted");
    answer(&street, "root", 3, "accepted");
    // What was refused for its key is asked for again.
    answer(&street, "co", 7, "accepted");
    until_true("the status to name the last root", || root_version(&street) == 3);
    let installed = audited(&street).iter().filter(|action| *action == "root.installed").count();
    assert_eq!(installed, 3);

    // A fork of the installed root, by the same keys.
    let fork = Authority::new();
    publish(&mut street, 3, &fork.next_root(2, &[]));
    refuses(&street, "root", "unknown_key");
    assert_eq!(root_version(&street), 3);
}

#[test]
fn root_first_over_mqtt_is_refused() {
    let broker = Broker::start();
    let authority = Authority::new();
    let gateway = Gateway::new().linked_to(&broker).with(UPLINK);
    let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    let mut daemon = gateway.start();
    daemon.linked();
    Publisher::new(&broker).retain(&format!("{ROOTS}/1"), authority.file("root.json"));
    let key = gateway.store().join("gateway.pub.pem");
    let ack = above.await_on(&format!("{UP}/ack"), |message| Some(opened(&message.payload, "ack", &key)));
    assert_eq!((&ack["id"], &ack["reason"]), (&json!("root"), &json!("no_root")), "{ack}");
    let status = above.await_on(&format!("{UP}/status"), |message| Some(message.json()));
    assert_eq!(status["root_version"], Value::Null);
}

#[test]
fn a_group_is_what_the_fleet_says_and_not_what_the_gateway_claims() {
    let mut street = Street::at(Gateway::new().in_group("north"), "");
    street.authority.ctl(&["key", "generate", "office"]);
    let office: &[&str] = &["add-key", "--role", "enrol", "--key", "office.pub.pem"];
    let two = street.authority.next_root(2, &[office]);
    publish(&mut street, 2, &two);
    answer(&street, "root", 2, "accepted");

    let mut seven = transform(7);
    seven["target"] = json!({"fleet": "plant-7", "groups": ["north"], "models": ["b4"]});
    let seven = street.authority.signed(&seven);
    street.publisher.retain("calibd/1/plant-7/down/group/north/transform/co", &seven);
    refuses(&street, "co", "not_for_this_gateway");

    let public = std::fs::read_to_string(street.gateway.store().join("gateway.pub.pem")).unwrap();
    let enrolment = |version: u64, group: &str, key: &str| {
        json!({
            "schema": 1, "fleet": "plant-7", "gateway": "gw-1", "version": version, "public_key": key,
            "groups": [group], "sensors": {"co-1": {"model": "b4"}}, "issued_at": "2026-11-01T00:00:00Z",
        })
    };
    let topic = "calibd/1/plant-7/down/gw/gw-1/enrolment";
    let stranger = String::from_utf8(street.authority.file("stranger.pub.pem")).unwrap();
    let other = street.authority.signed_as("enrolment", "office", &enrolment(1, "north", &stranger));
    street.publisher.retain(topic, other);
    refuses(&street, "enrolment", "not_for_this_gateway");
    let north = street.authority.signed_as("enrolment", "office", &enrolment(2, "north", &public));
    street.publisher.retain(topic, &north);
    answer(&street, "enrolment", 2, "accepted");
    // The transform is asked for again, and proven now.
    answer(&street, "co", 7, "accepted");
    street.measure(2.0);
    assert_eq!(street.reading(2.0)["transform"]["version"], 7);

    assert_eq!(street.daemon.process.stop().code(), Some(0));
    street.daemon = street.gateway.start();
    street.daemon.linked();
    street.measure(3.0);
    assert_eq!(street.reading(3.0)["transform"]["version"], 7, "the ledger has the enrolment");
    let south = street.authority.signed_as("enrolment", "office", &enrolment(3, "south", &public));
    street.publisher.retain(topic, &south);
    answer(&street, "enrolment", 3, "accepted");
    street.measure(4.0);
    assert_eq!(street.reading(4.0)["reasons"], json!(["raw_only"]));
    let back = street.authority.signed_as("enrolment", "office", &enrolment(2, "north", &public));
    street.publisher.retain(topic, back);
    refuses(&street, "enrolment", "rolled_back_version");
}

#[test]
fn a_root_that_ends_is_told_of_until_its_successor_is_there() {
    let mut first = fleet::root(1);
    first["expires"] = json!(hours_from_now(20 * 24));
    let mut scene = Scene::of(Some(&signed_root(&first, &[ROOT, ROOT_2])), "");
    let told = |scene: &Scene, is_over: bool| {
        until("the alert", || {
            let alerts = scene.above.all().into_iter().filter(|message| message.topic.contains("/alert/"));
            let mut alerts = alerts.map(|message| message.json());
            alerts.find(|it| it["cause"] == "root_expiry gateway" && it["cleared"].is_null() != is_over)
        })
    };
    let alert = told(&scene, false);
    assert_eq!(
        (&alert["severity"], &alert["sensors"], &alert["count"]),
        (&json!("ticket"), &json!([]), &json!(0)),
        "{alert}"
    );
    assert!(alert["message"].as_str().unwrap().starts_with("the trust root 1 expires at "), "{alert}");
    let socket = scene.gateway.path("run/control.sock");
    assert_eq!(get(&socket, "/v1/status").text().matches("the trust root 1 expires at").count(), 1);
    let shown = scene.daemon.metric("calibd_root_expires_timestamp_seconds");
    let seconds = |text: &Value| {
        calibd::domain::time::Timestamp::parse(text.as_str().unwrap()).unwrap().as_micros() / 1_000_000
    };
    assert_eq!(shown, seconds(&first["expires"]));

    let second = fleet::root(2);
    scene.accepts(&format!("{ROOTS}/2"), &signed_root(&second, &[ROOT, ROOT_2]));
    assert_eq!(told(&scene, true)["id"], alert["id"]);
    assert!(!get(&socket, "/v1/status").text().contains("the trust root 1 expires at"));
    assert_eq!(scene.daemon.metric("calibd_root_expires_timestamp_seconds"), seconds(&second["expires"]));
}

/// So many that all processors verify them.
#[test]
fn of_many_transforms_those_of_a_revoked_key_fall_and_stay_down_over_a_restart() {
    const MANY: usize = 96;
    let mut street = street("on_revoked = \"uncalibrated\"");
    let two = street.authority.next_root(2, &[SECOND]);
    publish(&mut street, 2, &two);
    answer(&street, "root", 2, "accepted");
    for number in 0..MANY {
        let (id, sensor) = (format!("t-{number}"), format!("s-{number}"));
        let mut one = transform(1);
        one["id"] = json!(id);
        one["target"]["sensors"] = json!([sensor]);
        let key = if number % 2 == 0 { "fleet" } else { "second" };
        let envelope = street.authority.signed_by(key, &one);
        street.push(&id, envelope);
    }
    let in_force = |street: &Street| -> Vec<Value> {
        let listed = get(&street.gateway.path("run/control.sock"), "/v1/transforms").json();
        let all = listed["transforms"].as_array().unwrap();
        all.iter().map(|one| one["id"].clone()).collect()
    };
    until_true("all to be in force", || in_force(&street).len() == MANY);

    let three = street.authority.next_root(3, &[REVOKE_FIRST]);
    publish(&mut street, 3, &three);
    answer(&street, "root", 3, "accepted");
    let all_of_the_second = |street: &Street| {
        let names = in_force(street);
        let odd = |number: &usize| number % 2 == 1;
        names.len() == MANY / 2
            && (0..MANY).filter(odd).all(|number| names.contains(&json!(format!("t-{number}"))))
    };
    until_true("those of the revoked key to fall", || all_of_the_second(&street));
    street.daemon.process.kill();
    street.daemon = street.gateway.start();
    street.daemon.linked();
    assert!(all_of_the_second(&street), "{:?}", in_force(&street));
}
