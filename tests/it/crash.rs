//! A process that is killed without warning, again and again, under load.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::gateway::{Gateway, MQTT_SOURCE, UP, UPLINK};
use crate::support::history::Row;
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::wait::{Pace, until_true};

const KILLS: u32 = 20;
const RATE: u32 = 100;

/// Publishes numbered messages at a steady rate until it is told to end.
struct Load {
    end: Arc<AtomicBool>,
    thread: JoinHandle<u32>,
}

impl Load {
    fn start(broker: &Broker) -> Load {
        let end = Arc::new(AtomicBool::new(false));
        let (ended, mut publisher) = (Arc::clone(&end), Publisher::new(broker));
        let thread = std::thread::spawn(move || {
            let mut pace = Pace::per_second(RATE);
            let mut number = 0;
            while !ended.load(Ordering::SeqCst) {
                pace.step();
                let sensor = ["a", "b", "c"][number as usize % 3];
                publisher.publish(&format!("sensors/{sensor}/raw"), json!({"v": number}).to_string());
                number += 1;
            }
            number
        });
        Load { end, thread }
    }

    /// Ends it; answers how many messages the broker has acknowledged: all numbers below that.
    fn end(self) -> u32 {
        self.end.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// First and last number of each announced gap.
fn gaps(subscriber: &Subscriber) -> BTreeSet<(u64, u64)> {
    let events = subscriber.on(&format!("{UP}/event"));
    let gaps = events.iter().map(|event| event.json()).filter(|event| event["event"] == "gap");
    gaps.map(|gap| (gap["first"].as_u64().unwrap(), gap["last"].as_u64().unwrap())).collect()
}

/// Every number up to the highest names a stored reading or lies in an announced gap.
fn assert_only_announced_gaps(rows: &BTreeMap<u64, Row>, gaps: &BTreeSet<(u64, u64)>) {
    let mut next = 1;
    for seq in rows.keys() {
        while next < *seq {
            let gap = gaps.iter().find(|(first, last)| (*first..=*last).contains(&next));
            next = gap.unwrap_or_else(|| panic!("{next} is no reading and no gap was announced: {gaps:?}")).1
                + 1;
        }
        assert_eq!(next, *seq, "a stored reading lies in the announced gap before {next}");
        next += 1;
    }
}

#[test]
fn twenty_kills_under_load_lose_nothing_and_use_no_number_twice() {
    let broker = Broker::start();
    let subscriber = Subscriber::new(&broker, &[&format!("{UP}/reading/+"), &format!("{UP}/event")]);
    let gateway = Gateway::new().linked_to(&broker).with(MQTT_SOURCE).with(UPLINK);
    let mut daemon = gateway.start();
    daemon.linked();
    let load = Load::start(&broker);
    for kill in 0..KILLS {
        // Killed at another point of its life each time.
        let readings = i64::from(1 + kill * 37 % 90);
        daemon.reaches("calibd_readings_total{source=\"broker\"}", readings);
        daemon.process.kill();
        daemon = gateway.start();
    }
    daemon.linked();
    let published = load.end();

    let wanted: BTreeSet<u32> = (0..published).collect();
    let stored = |rows: &BTreeMap<u64, Row>| -> BTreeSet<u32> {
        rows.values().map(|row| row.raw.unwrap() as u32).collect()
    };
    until_true("every acknowledged message to be in the history", || {
        stored(&gateway.history().by_seq()) == wanted
    });
    // The stop publishes the last committed readings.
    assert_eq!(daemon.process.stop().code(), Some(0));
    let rows = gateway.history().by_seq();
    assert_eq!(stored(&rows), wanted);
    assert!(published > KILLS * 10, "{published} messages are no load");

    let missing = || {
        let seen = subscriber.readings_by_seq();
        rows.keys().filter(|seq| !seen.contains_key(seq)).count()
    };
    until_true("each stored reading to arrive above", || missing() == 0);
    let seen = subscriber.readings_by_seq();
    for (seq, row) in &rows {
        let reading = &seen[seq];
        let same = (json!(row.sensor), json!(row.raw));
        assert_eq!(
            (&reading["sensor"], &reading["raw"]),
            (&same.0, &same.1),
            "two readings have the number {seq}"
        );
    }
    let announced = gaps(&subscriber);
    assert_only_announced_gaps(&rows, &announced);
    for (seq, reading) in seen.iter().filter(|(seq, _)| !rows.contains_key(seq)) {
        let explained = announced.iter().any(|(first, last)| (first..=last).contains(&seq));
        assert!(explained, "published, neither stored nor in an announced gap: {reading}");
    }
    assert_after_is_the_sensors_last(&rows, &seen);
}

/// `after` names the sensor's reading before, as far as it was stored.
fn assert_after_is_the_sensors_last(rows: &BTreeMap<u64, Row>, seen: &BTreeMap<u64, Value>) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for (seq, row) in rows {
        let before = last.insert(&row.sensor, *seq);
        assert_eq!(seen[seq]["after"].as_u64(), before, "after reading {seq} of {}", row.sensor);
    }
}
