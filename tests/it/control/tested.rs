//! A source that is tested while it runs.

use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use super::socket;
use crate::support::broker::Broker;
use crate::support::control::connect;
use crate::support::gateway::Gateway;
use crate::support::mqtt::Publisher;
use crate::support::tty::Tty;

/// The events of a test of `source`, one after the other.
fn events_of(gateway: &Gateway, source: &str) -> impl FnMut() -> Value + use<> {
    let mut stream = connect(&socket(gateway));
    write!(stream, "GET /v1/sources/{source}/test HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    move || {
        let data = lines.find_map(|line| line.unwrap().strip_prefix("data: ").map(str::to_owned)).unwrap();
        serde_json::from_str(&data).unwrap()
    }
}

#[test]
fn a_tested_source_shows_what_it_takes_in_and_what_it_makes_of_it() {
    let mut tty = Tty::new();
    let line = format!(
        "[source.line1]\nkind = \"serial\"\nport = \"{}\"\nbaud = 9600\n\
         format = {{ kind = \"csv\", separator = \";\" }}\n\
         fields = {{ co = {{ column = 1 }}, spare = {{ column = 2 }} }}\n\
         [sensor.co-1]\nsource = \"line1\"\nfield = \"co\"\nunit = \"nA\"\n",
        tty.path().display()
    );
    let gateway = Gateway::new().with(&line);
    let mut daemon = gateway.start();
    daemon.reaches("calibd_source_up{source=\"line1\"}", 1);
    let mut next = events_of(&gateway, "line1");
    let first = next();
    assert_eq!(
        (&first["event"], &first["name"], &first["kind"]),
        (&"source".into(), &"line1".into(), &"serial".into())
    );
    assert_eq!(next()["event"], "connected");
    let silence = next();
    assert!(silence["hints"].to_string().contains("baud"), "{silence}");
    tty.write("cut\na;4.5;7\na;x;8\n");
    let record = next();
    assert_eq!((&record["event"], &record["input"]), (&"record".into(), &"a;4.5;7".into()));
    assert_eq!(record["values"][0], serde_json::json!({"field": "co", "raw": 4.5, "sensors": ["co-1"]}));
    assert_eq!(record["values"][1], serde_json::json!({"field": "spare", "raw": 7.0, "sensors": []}));
    assert_eq!(next()["values"][0]["field"], "spare");
    let fault = next();
    assert_eq!((&fault["event"], &fault["reason"]), (&"fault".into(), &"bad_number".into()));
    tty.unplug();
    assert_eq!(next()["event"], "disconnected");
    // The source has gone on as ever.
    daemon.reaches("calibd_readings_total{source=\"line1\"}", 1);
}

#[test]
fn a_tested_source_with_a_broker_of_its_own_shows_topics() {
    let broker = Broker::start();
    let source = format!(
        "[source.own]\nkind = \"mqtt\"\nurl = \"mqtt://127.0.0.1:{}\"\ntopic = \"plant/+name/raw\"\n\
         format = {{ kind = \"json\" }}\nfields = {{ v = {{ pointer = \"/v\" }} }}\n\
         [sensors.\"t-{{name}}\"]\nsource = \"own\"\nfield = \"v\"\nunit = \"Cel\"\nmax = 9\n",
        broker.port
    );
    let gateway = Gateway::new().with(&source);
    let mut daemon = gateway.start();
    daemon.reaches("calibd_source_up{source=\"own\"}", 1);
    assert_eq!(daemon.metric("calibd_link_up"), 0, "that is the uplink's");
    let mut next = events_of(&gateway, "own");
    assert_eq!(next()["kind"], "mqtt");
    let mut publisher = Publisher::new(&broker);
    let mut event = |wanted: &str| loop {
        let event = next();
        if event["event"] == wanted {
            return event;
        }
    };
    publisher.publish("plant/a/raw", "{\"v\": 4.5}");
    let record = event("record");
    assert_eq!(record["topic"], "plant/a/raw", "{record}");
    assert_eq!(record["values"][0], serde_json::json!({"field": "v", "raw": 4.5, "sensors": ["t-a"]}));
    publisher.publish("plant/a/raw", "{\"v\": ");
    assert_eq!(event("fault")["reason"], "bad_json");
}
