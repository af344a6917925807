//! Torn and foreign database files at the start.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::json;

use crate::support::broker::Broker;
use crate::support::gateway::{DOWN, Gateway, MQTT_SOURCE, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::trust::{Authority, calibrated, opened, transform};

/// A gateway that has calibrated some readings and was stopped.
struct Before {
    broker: Broker,
    gateway: Gateway,
    authority: Authority,
    publisher: Publisher,
    above: Subscriber,
}

impl Before {
    fn new() -> Before {
        let (broker, authority) = (Broker::start(), Authority::new());
        let gateway = Gateway::new().linked_to(&broker).trusting(&authority).with(MQTT_SOURCE).with(UPLINK);
        let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
        let mut publisher = Publisher::new(&broker);
        let mut daemon = gateway.start();
        daemon.linked();
        publisher.publish(&format!("{DOWN}/co"), authority.signed(&transform(1)));
        above.await_on(&format!("{UP}/ack"), |_| Some(()));
        for raw in 0..200 {
            publisher.publish("sensors/co-1/raw", json!({"v": raw}).to_string());
        }
        let before = Before { broker, gateway, authority, publisher, above };
        before.reading(199.0);
        assert_eq!(daemon.process.stop().code(), Some(0));
        before
    }

    fn reading(&self, raw: f64) -> serde_json::Value {
        self.above.await_on(&format!("{UP}/reading/co-1"), |message| {
            (message.json()["raw"] == raw).then(|| message.json())
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.gateway.store().join(name)
    }

    fn broken_histories(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.gateway.store()).unwrap().map(|entry| entry.unwrap().path());
        let broken = |path: &PathBuf| path.to_string_lossy().contains("history-broken-");
        entries.filter(|path| broken(path) && path.extension().is_some_and(|end| end == "db")).collect()
    }

    /// The daemon starts, puts the broken history aside, and goes on with calibrated readings.
    fn goes_on_with_another_history(mut self) {
        let last = self.reading(199.0);
        let mut daemon = self.gateway.start();
        daemon.linked();
        assert_eq!(self.broken_histories().len(), 1);
        let said = daemon.process.log();
        assert!(
            said.contains("the history was broken and is now") && said.contains("history-broken-"),
            "{said}"
        );
        self.publisher.publish("sensors/co-1/raw", r#"{"v":500.5}"#);
        let reading = self.reading(500.5);
        assert_eq!(reading["value"], json!(calibrated(500.5)));
        assert!(reading["seq"].as_u64() > last["seq"].as_u64(), "no number is used again: {reading}");
        assert_eq!(daemon.process.stop().code(), Some(0));
        assert_eq!(self.gateway.history().raw_of("co-1"), [Some(500.5)]);
    }
}

/// Overwrites the middle of a file.
fn tear(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let (start, end) = (bytes.len() / 4, bytes.len() * 3 / 4);
    bytes[start..end].fill(0x5a);
    fs::write(path, bytes).unwrap();
}

fn foreign(path: &Path) {
    fs::remove_file(path).unwrap();
    let db = Connection::open(path).unwrap();
    db.execute_batch("CREATE TABLE shopping(item TEXT); INSERT INTO shopping VALUES ('bread');").unwrap();
}

#[test]
fn a_torn_history_is_put_aside() {
    let before = Before::new();
    tear(&before.file("history.db"));
    before.goes_on_with_another_history();
}

#[test]
fn a_history_that_is_cut_short_is_put_aside() {
    let before = Before::new();
    let path = before.file("history.db");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2 + 100]).unwrap();
    before.goes_on_with_another_history();
}

#[test]
fn a_file_that_is_no_database_is_put_aside() {
    let before = Before::new();
    fs::write(before.file("history.db"), "Dear diary, ".repeat(1000)).unwrap();
    before.goes_on_with_another_history();
}

#[test]
fn the_database_of_another_program_is_put_aside() {
    let before = Before::new();
    foreign(&before.file("history.db"));
    before.goes_on_with_another_history();
}

fn goes_on_raw_without_its_ledger(damage: fn(&Path)) {
    let mut before = Before::new();
    let ledger = before.file("ledger.db");
    damage(&ledger);
    let damaged = fs::read(&ledger).unwrap();
    let mut daemon = before.gateway.start();
    daemon.linked();
    let said = daemon.process.log();
    assert!(said.contains("restore the ledger from a backup; until then readings go out raw"), "{said}");
    before.publisher.publish("sensors/co-1/raw", r#"{"v":600.5}"#);
    let reading = before.reading(600.5);
    assert!(reading["value"].is_null() && reading["transform"].is_null(), "{reading}");
    assert_eq!(reading["reasons"], json!(["raw_only"]));
    before.publisher.publish(&format!("{DOWN}/co"), before.authority.signed(&transform(2)));
    let key = before.gateway.store().join("gateway.pub.pem");
    before.above.await_on(&format!("{UP}/ack"), |message| {
        (opened(&message.payload, "ack", &key)["verdict"] == "refused").then_some(())
    });
    assert_eq!(daemon.process.stop().code(), Some(0));
    assert!(fs::read(&ledger).unwrap() == damaged, "what may yet be saved is left alone");
    drop(before.broker);
}

#[test]
fn without_a_usable_ledger_readings_go_out_raw() {
    goes_on_raw_without_its_ledger(tear);
}

#[test]
fn a_foreign_ledger_is_left_alone_and_readings_go_out_raw() {
    goes_on_raw_without_its_ledger(foreign);
}

#[test]
fn files_of_a_newer_version_are_not_touched() {
    for name in ["history.db", "ledger.db"] {
        let before = Before::new();
        let path = before.file(name);
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let mut daemon = before.gateway.start();
        assert_ne!(daemon.process.ended().code(), Some(0));
        let said = daemon.process.log();
        assert!(said.contains(name) && said.contains("written by a newer calibd (schema 99"), "{said}");
        assert!(before.broken_histories().is_empty());
    }
}

#[test]
fn a_store_directory_that_cannot_be_made_is_named() {
    let gateway = Gateway::new();
    fs::write(gateway.store(), "a file where a directory should be").unwrap();
    let mut daemon = gateway.start();
    assert_ne!(daemon.process.ended().code(), Some(0));
    let said = daemon.process.log();
    assert!(said.contains(&gateway.store().display().to_string()), "{said}");
}
