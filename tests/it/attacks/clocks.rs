//! Clocks that lie, while artifacts come.

use std::time::Duration;

use calibd::domain::quality::ReasonCode;
use calibd::domain::time::Timestamp;
use calibd::domain::trust::envelope::Envelope;
use serde_json::{Value, json};

use crate::clock::{Inside, NOW, at};
use crate::support::broker::Broker;
use crate::support::gateway::{DOWN, Gateway, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::process::metric;
use crate::support::trust::opened;
use crate::support::wait::{rest, until_true};
use crate::trust::world::{FLEET, changed, root, signed, signed_root};

/// A daemon in this process, whose clock stands where the test puts it, and a broker.
struct Lab {
    inside: Inside,
    publisher: Publisher,
    above: Subscriber,
    _broker: Broker,
}

impl Lab {
    fn at(gateway: Gateway, time: &str) -> Lab {
        let broker = Broker::start();
        let path = gateway.path("root.json");
        std::fs::write(&path, signed_root(&root())).unwrap();
        let trust = format!("[trust]\nroot = \"{}\"\n", path.display());
        let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
        let inside = Inside::of(gateway.linked_to(&broker).with(UPLINK).with(&trust), time);
        until_true("the link", || metric(inside.http, "calibd_link_up") == 1);
        Lab { inside, publisher: Publisher::new(&broker), above, _broker: broker }
    }

    /// The answers to an envelope, from the first.
    fn answers(&self, envelope: &[u8]) -> Vec<String> {
        let key = self.inside.gateway.store().join("gateway.pub.pem");
        let digest = json!(Envelope::parse(envelope).unwrap().digest());
        let acks = self.above.on(&format!("{UP}/ack")).into_iter();
        let acks = acks.map(|ack| opened(&ack.payload, "ack", &key)).filter(|ack| ack["digest"] == digest);
        let said = |ack: Value| ack["reason"].as_str().or(ack["verdict"].as_str()).unwrap().to_owned();
        acks.map(said).collect()
    }

    /// Publishes an envelope, and waits until it is answered once more.
    fn answer(&mut self, envelope: &[u8]) -> String {
        let before = self.answers(envelope).len();
        self.publisher.retain(&format!("{DOWN}/co-electrochemical"), envelope);
        until_true("an answer", || self.answers(envelope).len() > before);
        self.answers(envelope).swap_remove(before)
    }

    fn proven(&self) -> Timestamp {
        let db = rusqlite::Connection::open(self.inside.gateway.store().join("ledger.db")).unwrap();
        let sql = "SELECT value FROM meta WHERE key = 'time_floor'";
        Timestamp::from_micros(db.query_row(sql, [], |row| row.get(0)).unwrap()).unwrap()
    }

    fn floor(&self) -> u64 {
        let db = rusqlite::Connection::open(self.inside.gateway.store().join("ledger.db")).unwrap();
        db.query_row("SELECT coalesce(max(version), 0) FROM floors", [], |row| row.get(0)).unwrap()
    }
}

/// The good transform of `a`, of this version, with another field set.
fn version(version: u64, pointer: &str, value: Value) -> Vec<u8> {
    let fields = [
        ("/version", json!(version)),
        ("/target/sensors", json!(["a"])),
        ("/limits", json!({})),
        (pointer, value),
    ];
    signed(&changed(&fields), &[FLEET])
}

fn plain(number: u64) -> Vec<u8> {
    version(number, "/not_before", Value::Null)
}

#[test]
fn clock_2099_then_back() {
    let mut lab = Lab::at(Gateway::new(), NOW);
    lab.inside.clock.disciplined(true);
    assert_eq!(lab.answer(&plain(7)), "accepted");
    lab.inside.measures(1);
    // The network says so, and it is wrong.
    lab.inside.clock.set(at("2099-01-01T00:00:00Z"));
    let eight = plain(8);
    assert_eq!(lab.answer(&eight), "root_expired");
    assert_eq!(
        (lab.floor(), metric(lab.inside.http, "calibd_refusals_total{reason=\"root_expired\"}")),
        (7, 1)
    );
    lab.inside.measures(1);
    lab.inside.clock.set(at(NOW));
    // Nothing is left of it: neither is the root expired, nor was the proven time raised.
    assert_eq!(lab.answer(&eight), "accepted");
    assert_eq!(lab.floor(), 8);
    lab.inside.measures(1);
    assert_eq!(lab.inside.end().len(), 3);
}

#[test]
fn clock_1970_expired() {
    let mut lab = Lab::at(Gateway::new().without_rtc(), "1970-01-01T00:00:10Z");
    lab.inside.clock.disciplined(false);
    // The root was issued in 2026: what ended before has ended, whatever the clock says.
    let fields = [
        ("/target/sensors", json!(["a"])),
        ("/issued_at", json!("2025-01-01T00:00:00Z")),
        ("/expires", json!("2025-12-31T00:00:00Z")),
    ];
    assert_eq!(lab.answer(&signed(&changed(&fields), &[FLEET])), "expired");
    let waits = version(8, "/not_before", json!("2026-06-01T00:00:00Z"));
    assert_eq!(lab.answer(&waits), "clock_untrusted");
    assert_eq!(
        (lab.floor(), metric(lab.inside.http, "calibd_refusals_total{reason=\"clock_untrusted\"}")),
        (0, 1)
    );
    lab.inside.measures(1);
    lab.inside.clock.set(at(NOW));
    lab.inside.clock.disciplined(true);
    until_true("what waited to be accepted", || {
        lab.answers(&waits).last().is_some_and(|last| last == "accepted")
    });
    assert_eq!(lab.floor(), 8);
    lab.inside.measures(1);
    assert_eq!(lab.inside.end().len(), 2);
}

/// No attack, but as bad: what proves the time comes minutes before an hour of uptime is added.
#[test]
fn root_shortly_before_the_hour() {
    let mut lab = Lab::at(Gateway::new(), NOW);
    lab.inside.clock.disciplined(true);
    lab.inside.clock.advance(Duration::from_secs(59 * 60));
    let issued = at("2026-11-22T10:58:00Z");
    let mut next = root();
    (next["version"], next["issued_at"]) = (json!(2), json!(issued));
    let next = signed_root(&next);
    lab.publisher.retain("calibd/1/plant-7/down/root/2", &next);
    until_true("an answer", || !lab.answers(&next).is_empty());
    assert_eq!(lab.answers(&next)[0], "accepted");
    assert_eq!(lab.proven(), issued);
    until_true("an hour to be added", || {
        lab.inside.clock.advance(Duration::from_secs(600));
        rest(Duration::from_millis(200));
        lab.proven() > issued
    });
    let (proven, now) = (lab.proven(), lab.inside.clock.now());
    assert!(proven <= now, "{proven} is proven at {now}");
    lab.inside.measures(1);
    let reasons = lab.inside.end();
    assert!(!reasons[0].contains(ReasonCode::TimeUntrusted), "{reasons:?}");
}
