//! References from the broker: labels that come late, out of order and twice, through the daemon.

use serde_json::{Value, json};

use crate::control::ctl::prints;
use crate::support::broker::Broker;
use crate::support::gateway::{Gateway, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::process::Daemon;
use crate::support::trust::opened;
use crate::support::wait::until_true;

/// The topic of references for this gateway.
const REFERENCE: &str = "calibd/1/plant-7/down/gw/gw-1/reference";

/// A detector that names the event of each probability, and an instrument beside it.
const SENSORS: &str = r#"
[source.detector]
kind = "mqtt"
topic = "sensors/leak-1"
qos = 1
format = { kind = "json" }
fields = { p = { pointer = "/p" }, event = { pointer = "/id" } }

[sensor.leak-1]
source = "detector"
field = "p"
unit = "1"
kind = "probability"

[source.thermometer]
kind = "mqtt"
topic = "sensors/t-1"
qos = 1
format = { kind = "raw" }
fields = { t = {} }

[sensor.t-1]
source = "thermometer"
field = "t"
unit = "Cel"
"#;

struct Site {
    broker: Broker,
    gateway: Gateway,
    daemon: Daemon,
    publisher: Publisher,
}

impl Site {
    fn new() -> Site {
        let broker = Broker::start();
        let gateway = Gateway::new().linked_to(&broker).with(SENSORS).with(UPLINK);
        let publisher = Publisher::new(&broker);
        let mut daemon = gateway.start();
        daemon.linked();
        Site { broker, gateway, daemon, publisher }
    }

    fn measure(&mut self, event: &str, p: f64) {
        self.publisher.publish("sensors/leak-1", json!({"id": event, "p": p}).to_string());
    }

    fn refer(&mut self, sensor: &str, reference: impl AsRef<[u8]>) {
        self.publisher.publish(&format!("{REFERENCE}/{sensor}"), reference);
    }

    fn label(&mut self, event: &str, value: u8) {
        self.refer("leak-1", json!({"event": event, "value": value}).to_string());
    }

    /// The scores of the pairs of the detector.
    fn scores(&self) -> Value {
        let text = prints(&["drift", "leak-1", "--json"], &self.gateway.path("run/control.sock"));
        serde_json::from_str::<Value>(&text).unwrap()["sensors"][0]["all"]["calibrated"].clone()
    }

    /// Waits for so many pairs with this score.
    fn scores_are(&self, n: usize, brier: f64) {
        until_true(&format!("{n} pairs with a Brier score of {brier}"), || {
            let scores = self.scores();
            scores["n"] == n && scores["brier"].as_f64().is_some_and(|it| (it - brier).abs() < 1e-12)
        });
    }

    fn refused(&mut self, reason: &str, count: i64) {
        self.daemon.reaches(&format!("calibd_references_refused_total{{reason=\"{reason}\"}}"), count);
    }

    fn start_again(&mut self) {
        let (config, log) = (self.gateway.path("calibd.toml"), self.gateway.path("log-2"));
        self.daemon = Daemon::start(&config, self.gateway.http, &log);
        self.daemon.linked();
    }
}

fn brier(pairs: &[(f64, u8)]) -> f64 {
    pairs.iter().map(|(p, label)| (p - f64::from(*label)).powi(2)).sum::<f64>() / pairs.len() as f64
}

#[test]
fn labels_late_out_of_order_and_twice_find_the_readings_of_their_events() {
    let mut site = Site::new();
    let topics = ["reading", "reported"].map(|of| format!("{UP}/{of}/leak-1"));
    let above = Subscriber::new(&site.broker, &topics.each_ref().map(String::as_str));
    let mut pairs: Vec<(f64, u8)> =
        (0..20).map(|event| (f64::from(event) / 20.0, u8::from(event % 3 == 0))).collect();
    for (event, (p, _)) in pairs.iter().enumerate() {
        site.measure(&format!("e-{event}"), *p);
    }
    site.daemon.reaches("calibd_readings_stored_total", 20);
    assert_eq!(above.await_on(&topics[0], |reading| Some(reading.json()))["event"], "e-0");
    for (event, (_, label)) in pairs.iter().enumerate().rev() {
        site.label(&format!("e-{event}"), *label);
        site.label(&format!("e-{event}"), *label);
    }
    site.label("never-measured", 1);
    site.scores_are(20, brier(&pairs));
    let total = |outcome: &str| format!("calibd_references_received_total{{outcome=\"{outcome}\"}}");
    site.daemon.reaches(&total("new"), 21);
    site.daemon.reaches(&total("unchanged"), 20);
    let key = site.gateway.store().join("gateway.pub.pem");
    let drift = above.await_on(&topics[1], |reported| {
        let drift = opened(&reported.payload, "reported", &key)["drift"].clone();
        (!drift.is_null()).then_some(drift)
    });
    assert!(drift["bias"].is_number(), "{drift}");
    assert_eq!(
        (&drift["state"], &drift["mpe"], &drift["days_to_mpe"]),
        (&json!("unknown"), &Value::Null, &Value::Null)
    );

    // One that comes before its reading waits for that.
    site.label("early", 1);
    site.daemon.reaches(&total("new"), 22);
    site.measure("early", 0.25);
    pairs.push((0.25, 1));
    site.scores_are(21, brier(&pairs));

    // A correction takes the place of the label.
    site.label("early", 0);
    pairs[20].1 = 0;
    site.scores_are(21, brier(&pairs));

    // A list, of which each is taken or refused on its own.
    site.measure("last", 0.5);
    site.daemon.reaches("calibd_readings_stored_total", 22);
    site.refer("leak-1", json!([{"event": "last", "value": 0.5}, {"event": "last", "value": 1}]).to_string());
    pairs.push((0.5, 1));
    site.scores_are(22, brier(&pairs));
    site.refused("not_a_label", 1);
    assert!(site.daemon.process.stop().success());
}

#[test]
fn labels_that_come_while_the_daemon_is_down_meet_the_readings_of_before() {
    let mut site = Site::new();
    let mut pairs = vec![(0.9, 1u8), (0.2, 0)];
    site.measure("a", 0.9);
    site.measure("b", 0.2);
    site.daemon.reaches("calibd_readings_stored_total", 2);
    site.daemon.process.kill();
    site.label("b", 0);
    site.label("a", 1);
    site.start_again();
    site.scores_are(2, brier(&pairs));

    // What is stored and not paired yet is paired after another start, whenever it was measured.
    site.measure("c", 0.4);
    site.daemon.reaches("calibd_readings_stored_total", 1);
    let long_ago = json!({"event": "c", "value": 1, "time": "2020-01-01T00:00:00Z"}).to_string();
    site.refer("leak-1", long_ago);
    site.daemon.reaches("calibd_references_received_total{outcome=\"new\"}", 3);
    site.daemon.process.kill();
    site.start_again();
    // Its pair is outside of the window; one from now on is in it.
    until_true("the pair of a label of long ago", || site.gateway.history().pairs() == 3);
    site.measure("d", 0.7);
    site.label("d", 1);
    pairs.push((0.7, 1));
    site.scores_are(3, brier(&pairs));
    assert!(site.daemon.process.stop().success());
}

#[test]
fn a_measurement_gets_references_by_the_same_way() {
    let mut site = Site::new();
    site.publisher.publish("sensors/t-1", "20.5");
    site.daemon.reaches("calibd_readings_stored_total", 1);
    // The nearest reading is known once nothing nearer can come.
    let past = "2026-01-01T00:00:00Z";
    site.refer("t-1", json!({"value": 300.0, "unit": "K", "u": 0.1, "time": past}).to_string());
    site.daemon.reaches("calibd_references_received_total{outcome=\"new\"}", 1);
    site.daemon.reaches("calibd_references_unpaired_total{reason=\"no_reading\"}", 1);
    for (reason, bad) in [
        ("unit", json!({"value": 20.0, "time": past})),
        ("event", json!({"value": 20.0, "unit": "Cel", "event": "e-1"})),
        ("uncertainty", json!({"value": 20.0, "unit": "Cel", "u": 0.0, "time": past})),
        ("no_time", json!({"value": 20.0, "unit": "Cel"})),
    ] {
        site.refer("t-1", bad.to_string());
        site.refused(reason, 1);
    }
    assert!(site.daemon.process.stop().success());
}

#[test]
fn hostile_messages_are_counted_and_change_nothing() {
    let mut site = Site::new();
    let good = json!({"event": "e", "value": 1}).to_string();
    let deep = "[".repeat(100_000);
    let bad: [&[u8]; 7] = [
        b"{",
        b"{\"value\":1e999}",
        b"{\"value\":1,\"event\":\"\xff\"}",
        b"{\"value\":1,\"weight\":2}",
        b"{\"value\":1,\"value\":0}",
        b"[[1]]",
        &deep.as_bytes()[..60_000],
    ];
    for payload in bad {
        site.refer("leak-1", payload);
    }
    site.refused("bad_json", 7);
    site.refer("leak-1", vec![b' '; 300_000]);
    site.refused("too_large", 1);
    site.refer("nobody", &good);
    site.refused("unknown_sensor", 1);
    site.refer("leak-1", json!({"value": 1, "time": "2200-01-01T00:00:00Z"}).to_string());
    site.refused("future", 1);
    site.refer("leak-1", json!({"value": 1, "event": "two words"}).to_string());
    site.refused("event", 1);
    site.refer("leak-1", "");
    site.refused("emptied", 1);
    // Retained by mistake: it is one label, and its copies at each new connection are none.
    site.publisher.retain(&format!("{REFERENCE}/leak-1"), &good);
    site.daemon.reaches("calibd_references_received_total{outcome=\"new\"}", 1);
    // More than any packet may have: the broker keeps it from us, and the connection stands.
    site.refer("leak-1", vec![b' '; 10 << 20]);
    site.measure("e", 0.5);
    site.scores_are(1, 0.25);
    assert!(site.daemon.process.stop().success());
    site.start_again();
    site.refused("retained", 1);
    assert_eq!(site.daemon.metric("calibd_link_reconnects_total"), 0);
    site.scores_are(1, 0.25);
    assert!(site.daemon.process.stop().success());
}
