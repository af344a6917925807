//! A broker that goes away and comes back.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::gateway::{Gateway, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::process::Daemon;
use crate::support::tty::Tty;
use crate::support::wait::{PATIENCE, Pace, until_true, within};

/// Lines of two values a second.
const RATE: u32 = 50;

/// How long the broker stays away: seconds from `CALIBD_TEST_OUTAGE`, such as 60.
fn outage() -> Duration {
    let seconds = std::env::var("CALIBD_TEST_OUTAGE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

fn serial(tty: &Tty) -> String {
    format!(
        "[source.line1]\nkind = \"serial\"\nport = \"{}\"\nfirst_line = \"keep\"\n\
         format = {{ kind = \"csv\" }}\nfields = {{ a = {{ column = 0 }}, b = {{ column = 1 }} }}\n\
         [sensor.a]\nsource = \"line1\"\nfield = \"a\"\nunit = \"nA\"\n\
         [sensor.b]\nsource = \"line1\"\nfield = \"b\"\nunit = \"nA\"\n",
        tty.path().display()
    )
}

/// A gateway with an instrument on a serial line, which goes on whatever the broker does.
struct Instrument {
    tty: Tty,
    lines: u32,
    pace: Pace,
}

impl Instrument {
    fn new() -> Instrument {
        Instrument { tty: Tty::new(), lines: 0, pace: Pace::per_second(RATE) }
    }

    fn talk(&mut self, time: Duration) {
        for _ in 0..RATE * u32::try_from(time.as_millis()).unwrap() / 1000 {
            self.pace.step();
            self.tty.write(format!("{},{}\n", self.lines, self.lines));
            self.lines += 1;
        }
    }

    /// What both sensors together have said.
    fn readings(&self) -> usize {
        self.lines as usize * 2
    }
}

/// The sequence numbers in the order of arrival, each the first time it came.
fn first_arrivals(subscriber: &Subscriber) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    let numbers = subscriber.readings().into_iter().map(|reading| reading["seq"].as_u64().unwrap());
    numbers.filter(|seq| seen.insert(*seq)).collect()
}

/// Everything that the instrument has said is in the history and has arrived above, in order.
fn assert_nothing_lost(instrument: &Instrument, gateway: &Gateway, subscriber: &Subscriber) {
    let all = instrument.readings();
    // The longer the broker was away, the longer the gateway waits before it tries again.
    let patience = PATIENCE + 4 * outage();
    within(patience, "every reading to arrive", || (subscriber.distinct_readings() >= all).then_some(()));
    // A live sink is ahead of the commit.
    until_true("every reading to be stored", || gateway.history().rows().len() >= all);
    let rows = gateway.history().by_seq();
    assert_eq!(rows.len(), all);
    let seen = subscriber.readings_by_seq();
    assert_eq!(seen.len(), all);
    for (seq, row) in &rows {
        assert_eq!((&seen[seq]["sensor"], &seen[seq]["raw"]), (&json!(row.sensor), &json!(row.raw)));
    }
    let expected: Vec<_> = (0..instrument.lines).map(|line| Some(f64::from(line))).collect();
    assert_eq!(gateway.history().raw_of("a"), expected);
    let order = first_arrivals(subscriber);
    assert!(order.is_sorted(), "readings arrive in the order of their numbers: {order:?}");
}

fn opened(gateway: &Gateway) -> Daemon {
    let mut daemon = gateway.start();
    daemon.reaches("calibd_source_up{source=\"line1\"}", 1);
    daemon
}

fn outlives_an_outage(sink: &str) {
    let mut broker = Broker::start();
    let mut instrument = Instrument::new();
    let gateway = Gateway::new().linked_to(&broker).with(&serial(&instrument.tty)).with(sink);
    let subscriber = Subscriber::new(&broker, &[&format!("{UP}/reading/+")]);
    let mut daemon = opened(&gateway);
    daemon.linked();
    instrument.talk(Duration::from_millis(500));
    broker.stop();
    instrument.talk(outage());
    broker.resume();
    instrument.talk(Duration::from_secs(1));
    assert_nothing_lost(&instrument, &gateway, &subscriber);
    assert!(daemon.metric("calibd_link_reconnects_total") >= 1);
    // In flight when the broker went are at most a window of messages; no other comes twice.
    let twice = subscriber.readings().len() - instrument.readings();
    assert!(twice <= 64, "{twice} readings came again");
    assert_eq!(daemon.process.stop().code(), Some(0));
}

#[test]
fn a_live_sink_loses_nothing_while_the_broker_is_away() {
    outlives_an_outage(UPLINK);
}

#[test]
fn a_durable_sink_loses_nothing_while_the_broker_is_away() {
    outlives_an_outage(&format!("{UPLINK}delivery = \"durable\"\n"));
}

#[test]
fn a_broker_that_is_away_at_the_start_is_awaited() {
    let mut broker = Broker::start();
    let subscriber = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    broker.stop();
    let mut instrument = Instrument::new();
    let gateway = Gateway::new().linked_to(&broker).with(&serial(&instrument.tty)).with(UPLINK);
    let mut daemon = opened(&gateway);
    instrument.talk(Duration::from_secs(1));
    daemon.reaches("calibd_link_reconnects_total", 1);
    daemon.says("trying again");
    broker.resume();
    assert_nothing_lost(&instrument, &gateway, &subscriber);
    let status = subscriber.await_on(&format!("{UP}/status"), |message| Some(message.json()));
    assert_eq!(status["online"], true);
}

#[test]
fn a_stop_without_a_broker_keeps_everything_for_the_next_start() {
    let mut broker = Broker::start();
    let subscriber = Subscriber::new(&broker, &[&format!("{UP}/reading/+")]);
    let mut instrument = Instrument::new();
    let gateway = Gateway::new().linked_to(&broker).with(&serial(&instrument.tty)).with(UPLINK);
    let mut daemon = opened(&gateway);
    daemon.linked();
    instrument.talk(Duration::from_millis(200));
    broker.stop();
    instrument.talk(Duration::from_millis(500));
    daemon.reaches("calibd_readings_total{source=\"line1\"}", i64::from(instrument.lines) * 2);
    assert_eq!(daemon.process.stop().code(), Some(0));
    broker.resume();
    let _daemon = opened(&gateway);
    assert_nothing_lost(&instrument, &gateway, &subscriber);
}

#[test]
fn a_broker_that_forgot_everything_is_told_again() {
    let mut broker = Broker::start();
    let mut publisher = Publisher::new(&broker);
    let source = crate::support::gateway::MQTT_SOURCE;
    let gateway = Gateway::new().linked_to(&broker).with(source).with(UPLINK);
    let mut daemon = gateway.start();
    daemon.linked();
    publisher.publish("sensors/a/raw", r#"{"v":1}"#);
    broker.stop();
    daemon.reaches("calibd_link_reconnects_total", 1);
    broker.forget();
    broker.resume();
    daemon.linked();
    let subscriber = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    let status: Value = subscriber.await_on(&format!("{UP}/status"), |message| Some(message.json()));
    assert_eq!(status["online"], true, "the retained status is set again");
    publisher.insist("sensors/a/raw", r#"{"v":2}"#);
    let reading = |message: &crate::support::mqtt::Message| (message.json()["raw"] == 2.0).then_some(());
    subscriber.await_on(&format!("{UP}/reading/a"), reading);
}
