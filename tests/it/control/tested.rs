//! A source that is tested while it runs.

use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use super::socket;
use crate::support::control::connect;
use crate::support::gateway::Gateway;
use crate::support::tty::Tty;

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
    let mut stream = connect(&socket(&gateway));
    stream.write_all(b"GET /v1/sources/line1/test HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut next = || -> Value {
        let data = lines.find_map(|line| line.unwrap().strip_prefix("data: ").map(str::to_owned)).unwrap();
        serde_json::from_str(&data).unwrap()
    };
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
