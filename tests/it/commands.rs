//! What the fleet asks for once, by messages alone: followed, answered, and never followed twice.

use calibd::domain::time::Timestamp;
use calibd::runtime::clock::system_now;
use serde_json::{Value, json};

use crate::mqtt_end_to_end::Street;
use crate::support::control::{get, post};
use crate::support::gateway::UP;
use crate::support::mqtt::Subscriber;
use crate::support::trust::{Authority, hours_from_now, opened, transform};
use crate::support::wait::until_true;

const COMMAND: &str = "calibd/1/plant-7/down/gw/gw-1/command";
const REPLY: &str = "calibd/1/plant-7/up/gw-1/reply";

fn recalibrate(serial: u64) -> Value {
    json!({
        "schema": 1, "fleet": "plant-7", "targets": {"gateways": ["gw-1"], "sensors": ["co-1"]},
        "command": "recalibrate", "serial": serial, "issued_at": system_now(), "expires": hours_from_now(12),
        "arguments": {"reason": "the span gas of May was off"},
    })
}

fn log_level(serial: u64, level: &str, expires: Timestamp) -> Value {
    json!({
        "schema": 1, "fleet": "plant-7", "targets": {"gateways": ["gw-1"]},
        "command": "log_level", "serial": serial, "issued_at": system_now(), "expires": expires,
        "arguments": {"level": level},
    })
}

/// Sends a command and waits for the answer to it, which echoes its number.
fn asked(street: &mut Street, number: u32, envelope: &[u8]) -> Value {
    let correlation = number.to_be_bytes();
    street.publisher.ask(COMMAND, envelope, REPLY, &correlation);
    let key = street.gateway.store().join("gateway.pub.pem");
    street.above.await_on(REPLY, |message| {
        let ours = message.correlation.as_deref() == Some(&correlation);
        ours.then(|| opened(&message.payload, "reply", &key))
    })
}

fn command(authority: &Authority, document: &Value) -> Vec<u8> {
    authority.signed_as("command", "fleet", document)
}

fn audited(street: &Street, action: &str) -> Vec<(String, String)> {
    let db = rusqlite::Connection::open(street.gateway.store().join("ledger.db")).unwrap();
    let sql = "SELECT actor, subject FROM audit WHERE action = ? ORDER BY seq";
    let mut rows = db.prepare(sql).unwrap();
    rows.query_map([action], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// The alert that a recalibration is asked for, once it is (or is not) over.
fn alert(street: &Street, over: bool) -> Value {
    let found = |message: &crate::support::mqtt::Message| {
        let alert =
            (message.topic.contains("/alert/") && !message.payload.is_empty()).then(|| message.json())?;
        (alert["cause"] == "recalibration co-1" && alert["cleared"].is_null() != over).then_some(alert)
    };
    crate::support::wait::until("the alert", || street.above.all().iter().rev().find_map(found))
}

#[test]
fn a_command_is_acknowledged_to_the_broker_only_when_it_is_in_the_ledger() {
    let mut street = Street::new();
    // From its first answer on it is known since when commands are followed.
    let first =
        command(&street.authority, &log_level(1, "info", system_now().saturating_add_micros(60_000_000)));
    assert_eq!(asked(&mut street, 1, &first)["verdict"], "accepted");
    let second = command(&street.authority, &recalibrate(2));
    let mut ledger = rusqlite::Connection::open(street.gateway.store().join("ledger.db")).unwrap();
    let held = ledger.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    street.publisher.ask(COMMAND, &second, REPLY, b"second");
    // What was sent after it is there: so is it, and what would have acknowledged it.
    street.measure(4.0);
    street.reading(4.0);
    street.daemon.process.kill();
    held.rollback().unwrap();
    drop(ledger);
    street.daemon = street.gateway.start();
    let key = street.gateway.store().join("gateway.pub.pem");
    let reply = street.above.await_on(REPLY, |message| {
        let ours = message.correlation.as_deref() == Some(b"second".as_slice());
        ours.then(|| opened(&message.payload, "reply", &key))
    });
    assert_eq!((&reply["verdict"], &reply["serial"]), (&json!("accepted"), &json!(2)), "{reply}");
}

fn attention(street: &Street) -> String {
    get(&street.gateway.path("run/control.sock"), "/v1/status").json()["attention"].to_string()
}

#[test]
fn a_recalibration_is_asked_for_until_a_new_transform_is_in_force() {
    let mut street = Street::new();
    street.measure(1.0);
    street.reading(1.0);
    let envelope = command(&street.authority, &recalibrate(12));
    let reply = asked(&mut street, 1, &envelope);
    assert_eq!((&reply["verdict"], &reply["reason"]), (&json!("accepted"), &Value::Null), "{reply}");
    assert_eq!((&reply["command"], &reply["serial"]), (&json!("recalibrate"), &json!(12)));
    assert_eq!(reply["sensors"], json!(["co-1"]));
    let raised = alert(&street, false);
    assert!(raised["message"].as_str().unwrap().contains("the span gas of May was off"), "{raised}");
    assert!(attention(&street).contains("the span gas of May was off"));
    assert_eq!(audited(&street, "command.accepted"), [("mqtt:fleet".to_owned(), "recalibrate".to_owned())]);

    // It stands over a restart.
    assert_eq!(street.daemon.process.stop().code(), Some(0));
    street.daemon = street.gateway.start();
    street.daemon.linked();
    until_true("the request after the restart", || {
        attention(&street).contains("the span gas of May was off")
    });
    let seven = street.authority.signed(&transform(7));
    street.push("co", &seven);
    let cleared = alert(&street, true);
    assert_eq!(cleared["id"], raised["id"]);
    assert_eq!(audited(&street, "recalibration.done").len(), 1);

    let thirteen = command(&street.authority, &recalibrate(13));
    let reply = asked(&mut street, 2, &thirteen);
    assert_eq!(reply["verdict"], "accepted");
    let mut withdrawn = recalibrate(14);
    withdrawn["arguments"] = json!({"reason": "it was the other cylinder", "withdraw": true});
    let withdrawn = command(&street.authority, &withdrawn);
    let reply = asked(&mut street, 3, &withdrawn);
    assert_eq!(reply["verdict"], "accepted", "{reply}");
    until_true("the withdrawn request to be gone", || {
        !attention(&street).contains("asks for a recalibration")
    });
}

#[test]
fn more_is_logged_until_a_command_expires() {
    let mut street = Street::new();
    let said = |street: &Street| street.daemon.process.log().contains("DEBUG");
    assert!(!said(&street));
    let nonsense = command(
        &street.authority,
        &log_level(1, "calibd=loud", system_now().saturating_add_micros(60_000_000)),
    );
    assert_eq!(asked(&mut street, 1, &nonsense)["reason"], "invalid_content");
    let soon = system_now().saturating_add_micros(20_000_000);
    let debug = command(&street.authority, &log_level(2, "debug", soon));
    let reply = asked(&mut street, 2, &debug);
    assert_eq!(reply["verdict"], "accepted", "{reply}");
    // A refusal that was told before is told again at DEBUG only.
    for number in [3, 4] {
        asked(&mut street, number, &nonsense);
    }
    until_true("a line at DEBUG", || said(&street));
    street.daemon.says("the log level is what it was before the command");
    let lines = |street: &Street| street.daemon.process.log().matches("DEBUG").count();
    let before = lines(&street);
    asked(&mut street, 5, &nonsense);
    assert_eq!(lines(&street), before);
}

#[test]
fn command_wrong_expect() {
    let mut street = Street::new();
    let with = |pointer: &str, value: Value| {
        let mut document = recalibrate(12);
        *document.pointer_mut(pointer).unwrap() = value;
        document
    };
    let wrong = [
        (with("/fleet", json!("plant-8")), "wrong_fleet"),
        (with("/targets", json!({"gateways": ["gw-2"], "sensors": ["co-1"]})), "not_for_this_gateway"),
        (with("/targets", json!({"groups": ["north"], "models": ["b4"]})), "not_for_this_gateway"),
        (with("/targets", json!({"gateways": ["gw-1"], "sensors": [".."]})), "malformed"),
        (with("/expires", json!(hours_from_now(-1))), "expired"),
        (with("/issued_at", json!(hours_from_now(2))), "not_yet_valid"),
        (with("/issued_at", json!(hours_from_now(-20))), "rolled_back_version"),
        (with("/expires", json!(hours_from_now(25))), "invalid_content"),
        (with("/command", json!("reboot")), "malformed"),
        (with("/arguments", json!({"reason": "x", "shell": "id"})), "invalid_content"),
    ];
    let mut number = 0;
    let mut refuses = |street: &mut Street, envelope: &[u8], reason: &str| {
        number += 1;
        let reply = asked(street, number, envelope);
        assert_eq!((&reply["verdict"], &reply["reason"]), (&json!("refused"), &json!(reason)), "{reply}");
    };
    for (document, reason) in &wrong {
        let envelope = command(&street.authority, document);
        refuses(&mut street, &envelope, reason);
    }
    let good = recalibrate(12);
    for (envelope, reason) in [
        (street.authority.signed_as("command", "stranger", &good), "unknown_key"),
        (street.authority.signed_as("command", "root", &good), "role_not_allowed"),
        (street.authority.signed_as("order", "fleet", &good), "wrong_type"),
        (b"garbage".to_vec(), "malformed"),
        (vec![b'{'; 300_000], "too_large"),
    ] {
        refuses(&mut street, &envelope, reason);
    }
    assert_eq!(audited(&street, "command.accepted"), []);
    assert!(!attention(&street).contains("asks for a recalibration"));
    assert_eq!(street.above.on(&format!("{UP}/ack")).len(), 0, "commands are answered as replies only");

    let envelope = command(&street.authority, &good);
    assert_eq!(asked(&mut street, 100, &envelope)["verdict"], "accepted");
    assert_eq!(asked(&mut street, 101, &envelope)["verdict"], "already_applied");
    let another = command(&street.authority, &with("/arguments/reason", json!("another")));
    assert_eq!(asked(&mut street, 102, &another)["reason"], "conflicting_version");
    let older = command(&street.authority, &recalibrate(11));
    assert_eq!(asked(&mut street, 103, &older)["reason"], "rolled_back_version");
    assert_eq!(audited(&street, "command.accepted").len(), 1);
    // Root on the gateway may bring one, too.
    let thirteen = command(&street.authority, &recalibrate(13));
    let answer = post(&street.gateway.path("run/admin.sock"), "/v1/transforms", &thirteen).json();
    assert_eq!(
        (&answer["verdict"], &answer["id"], &answer["version"]),
        (&json!("accepted"), &json!("command"), &json!(13))
    );
}

#[test]
fn response_topic_deputy() {
    let mut street = Street::new();
    let elsewhere = Subscriber::new(&street.broker, &["calibd/#"]);
    let envelope = command(&street.authority, &recalibrate(1));
    for topic in ["calibd/1/plant-7/down/all/transform/co", "calibd/1/plant-7/up/gw-2/reply", "calibd/#"] {
        street.publisher.ask(COMMAND, &envelope, topic, b"7");
    }
    let echoes =
        || street.above.on(REPLY).iter().filter(|it| it.correlation.as_deref() == Some(b"7")).count();
    until_true("three answers", || echoes() == 3);
    // More than is echoed.
    street.publisher.ask(COMMAND, &envelope, REPLY, &[b'x'; 300]);
    until_true("the answer without an echo", || {
        street.above.on(REPLY).iter().any(|reply| reply.correlation.is_none())
    });
    let (own, asked) = (format!("{UP}/"), COMMAND);
    until_true("every message to have come", || elsewhere.on(REPLY).len() == 4);
    let strange: Vec<_> =
        elsewhere.all().into_iter().filter(|it| !it.topic.starts_with(&own) && it.topic != asked).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

/// Starts a stopped gateway without its databases.
fn restart_lost(street: &mut Street) {
    for file in ["ledger.db", "history.db"] {
        std::fs::remove_file(street.gateway.store().join(file)).unwrap();
    }
    street.daemon = street.gateway.start();
    street.daemon.linked();
}

#[test]
fn command_replay_after_restore() {
    let mut street = Street::new();
    let before = command(&street.authority, &recalibrate(6));
    let five = command(&street.authority, &recalibrate(5));
    assert_eq!(asked(&mut street, 1, &five)["verdict"], "accepted");
    let key = street.gateway.store().join("gateway.pub.pem");
    street.above.await_on(&format!("{UP}/checkpoint"), |message| {
        let checkpoint = opened(&message.payload, "checkpoint", &key);
        (checkpoint["serials"]["command"]["serial"] == 5).then_some(())
    });
    let restart = |street: &mut Street, lost: &[&str]| {
        assert_eq!(street.daemon.process.stop().code(), Some(0));
        for file in lost {
            std::fs::remove_file(street.gateway.store().join(file)).unwrap();
        }
        street.daemon = street.gateway.start();
        street.daemon.linked();
    };
    restart(&mut street, &[]);
    assert_eq!(asked(&mut street, 2, &five)["verdict"], "already_applied");

    restart(&mut street, &["ledger.db"]);
    let reply = asked(&mut street, 3, &five);
    assert_eq!(reply["verdict"], "already_applied", "the history knows it: {reply}");
    let reply = asked(&mut street, 4, &before);
    assert_eq!(reply["reason"], "rolled_back_version", "{reply}");
    assert!(reply["message"].as_str().unwrap().contains("issue it anew"), "{reply}");
    assert_eq!(audited(&street, "command.accepted"), [], "nothing was followed again");

    restart(&mut street, &["ledger.db", "history.db"]);
    assert_eq!(asked(&mut street, 5, &five)["verdict"], "already_applied", "the broker knows it");
    assert_eq!(asked(&mut street, 6, &before)["reason"], "rolled_back_version");

    // Nobody knows anything any more, but that the gateway began anew.
    assert_eq!(street.daemon.process.stop().code(), Some(0));
    street.publisher.retain(&format!("{UP}/checkpoint"), b"");
    restart_lost(&mut street);
    for (number, envelope) in [(7, &five), (8, &before)] {
        assert_eq!(asked(&mut street, number, envelope)["reason"], "rolled_back_version");
    }
    let after = command(&street.authority, &recalibrate(5));
    assert_eq!(asked(&mut street, 9, &after)["verdict"], "accepted");
    restart(&mut street, &[]);
    let six = command(&street.authority, &recalibrate(6));
    assert_eq!(asked(&mut street, 10, &six)["verdict"], "accepted");
}

#[test]
fn a_retained_command_is_followed_when_it_comes_and_not_with_the_next_connection() {
    let mut street = Street::new();
    street.publisher.retain(COMMAND, command(&street.authority, &recalibrate(1)));
    street.above.await_on(REPLY, |_| Some(()));
    assert_eq!(street.daemon.process.stop().code(), Some(0));
    street.daemon = street.gateway.start();
    street.daemon.linked();
    street.daemon.reaches("calibd_downlink_ignored_total{reason=\"retained\"}", 1);
    assert_eq!(street.above.on(REPLY).len(), 1);
}
