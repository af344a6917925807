//! The control sockets of a running calibd.

mod alerts;
mod bundle;
pub mod ctl;
pub mod described;
mod fuzzed;
mod ledger;
mod limits;
mod positions;
mod recorded;
mod references;
mod reprocess;
mod terminals;
mod tested;
mod transforms;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::control::{connect, get, send};
use crate::support::gateway::Gateway;
use crate::support::process::Daemon;
use crate::support::wait::until_true;

/// Minutes that the recorded file covers.
const MINUTES: u32 = 120;

/// A gateway whose sensor `past` has two hours of the year 2026 in a moment, and whose sensor `now`
/// has 50 readings a second.
pub fn gateway() -> Gateway {
    let gateway = Gateway::new();
    let row = |minute: u32| format!("2026-03-10T{:02}:{:02}:30Z;{minute}\n", 8 + minute / 60, minute % 60);
    let past: String = (0..MINUTES).map(row).collect();
    let live: String = (0..50).map(|at| format!("2026-03-10T08:00:00.{:02}Z;{at}\n", at * 2)).collect();
    std::fs::write(gateway.path("past.csv"), format!("time;v\n{past}")).unwrap();
    std::fs::write(gateway.path("live.csv"), format!("time;v\n{live}")).unwrap();
    let source = |name: &str, keys: &str| {
        let file = gateway.path(format!("{name}.csv"));
        format!(
            "[source.{name}]\nkind = \"replay\"\nfile = \"{}\"\n{keys}\nformat = {{ separator = \";\" }}\n\
             fields = {{ v = {{ column = \"v\" }}, time = {{ column = \"time\" }} }}\n",
            file.display()
        )
    };
    let sensors = "[sensor.past]\nsource = \"past\"\nfield = \"v\"\nunit = \"mV\"\n\
                   quantity = \"voltage\"\nserial = \"7\"\n\
                   [sensor.now]\nsource = \"live\"\nfield = \"v\"\nunit = \"mV\"\n";
    let past = source("past", "speed = \"max\"");
    let live = source("live", "speed = 1\nloop = true\ntimes = \"now\"");
    gateway.with(&past).with(&live).with(sensors)
}

pub fn socket(gateway: &Gateway) -> PathBuf {
    gateway.path("run/control.sock")
}

/// Starts it and waits for the recorded readings and some live ones.
pub fn started(gateway: &Gateway) -> Daemon {
    let daemon = gateway.start();
    daemon.says("started: gateway");
    let recorded = || get(&socket(gateway), "/v1/readings?sensor=past&limit=1000").json();
    until_true("the recorded readings", || recorded()["readings"].as_array().unwrap().len() == 120);
    let live = || get(&socket(gateway), "/v1/sensors/now").json();
    until_true("a live reading", || live()["last"].is_object());
    daemon
}

fn minutes(page: &Value) -> Vec<u32> {
    let raw = |reading: &Value| reading["raw"].as_f64().unwrap() as u32;
    page["readings"].as_array().unwrap().iter().map(raw).collect()
}

#[test]
fn the_sockets_have_their_modes_and_survive_a_crash() {
    let gateway = gateway();
    for _ in 0..2 {
        let mut daemon = gateway.start();
        until_true("somebody to answer", || UnixStream::connect(socket(&gateway)).is_ok());
        for (name, modes) in
            [("control", [0o660, 0o660]), ("maintenance", [0o660, 0o600]), ("admin", [0o600, 0o600])]
        {
            let path = gateway.path(format!("run/{name}.sock"));
            let meta = std::fs::symlink_metadata(&path).unwrap();
            assert!(meta.file_type().is_socket(), "{name}");
            assert!(modes.contains(&(meta.permissions().mode() & 0o7777)), "{name}");
            assert_eq!(get(&path, "/v1/status").status, 200);
        }
        // The sockets stay behind, and the next start replaces them.
        daemon.process.kill();
        assert!(socket(&gateway).exists());
    }
}

#[test]
fn a_file_in_the_way_of_a_socket_is_named_and_kept() {
    let gateway = gateway();
    std::fs::create_dir(gateway.path("run")).unwrap();
    std::fs::write(gateway.path("run/admin.sock"), "kept").unwrap();
    let mut daemon = gateway.start();
    assert!(!daemon.process.ended().success());
    let log = daemon.process.log();
    assert!(log.contains("run/admin.sock: is in the way and no socket"), "{log}");
    assert_eq!(std::fs::read(gateway.path("run/admin.sock")).unwrap(), b"kept");
}

#[test]
fn readings_come_by_sensor_and_time_and_in_pages() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let page = |query: &str| get(&socket(&gateway), &format!("/v1/readings?sensor=past&{query}")).json();
    let range = "since=2026-03-10T08:10:00Z&until=2026-03-10T09:05:00%2B00:00";
    assert_eq!(minutes(&page(range)), (10..65).collect::<Vec<_>>());
    let newest = page(&format!("{range}&limit=20"));
    assert_eq!(minutes(&newest), (45..65).collect::<Vec<_>>());
    let older = page(&format!("{range}&limit=50&before={}", newest["before"]));
    assert_eq!((minutes(&older), &older["before"]), ((10..45).collect::<Vec<_>>(), &Value::Null));
    assert_eq!(minutes(&page("until=2026-03-10T08:00:00Z")), [0; 0]);
    // Without a sensor, both: the live ones are of today.
    let all = get(&socket(&gateway), "/v1/readings?until=2026-03-11T00:00:00Z&limit=10000").json();
    assert_eq!(minutes(&all), (0..MINUTES).collect::<Vec<_>>());
}

#[test]
fn the_status_says_what_needs_attention() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let status = get(&socket(&gateway), "/v1/status").json();
    assert_eq!((&status["gateway"], &status["link"]), (&"gw-1".into(), &Value::Null));
    assert_eq!(status["sensors"]["known"], 2);
    assert!(status["store"]["written"].as_u64().unwrap() > 120, "{status}");
    let texts: Vec<&str> = status["attention"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["message"].as_str().unwrap())
        .collect();
    assert!(texts[0].starts_with("the replay past is not running"), "{texts:?}");
    assert!(texts[1].starts_with("no trust root is installed"), "{texts:?}");
}

#[test]
fn watching_gives_readings_as_they_are_made() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let mut stream = connect(&socket(&gateway));
    stream.write_all(b"GET /v1/watch?sensors=now HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut seqs = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let reading: Value = serde_json::from_str(data).unwrap();
        assert_eq!(reading["sensor"], "now");
        seqs.push(reading["seq"].as_u64().unwrap());
        if seqs.len() == 20 {
            break;
        }
    }
    assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
}

#[test]
fn what_cannot_be_answered_is_a_problem_with_a_sentence() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    for (path, status, says) in [
        ("/v1/sensors/nobody", 404, "there is no sensor `nobody`"),
        ("/v1/sensors/%20", 404, "there is no sensor ` `"),
        ("/v1/readings?sensor=nobody", 404, "there is no sensor `nobody`"),
        ("/v1/watch?sensors=now,nobody", 404, "there is no sensor `nobody`"),
        ("/v1/readings?since=yesterday", 400, "yesterday"),
        ("/v1/readings?limit=0", 400, "limit is 0"),
        ("/v1/readings?limit=-1", 400, "limit"),
        ("/v1/audit?upto=3", 400, "upto"),
        ("/v1/rollups?sensor=past&after=18446744073709551615", 400, "after is 18446744073709551615"),
        ("/v1/audit?after=18446744073709551615", 400, "after is 18446744073709551615"),
        ("/v1/references?after=18446744073709551615", 400, "after is 18446744073709551615"),
        ("/v1/readings?before=18446744073709551615", 400, "before is 18446744073709551615"),
        ("/v1/alerts?history=true&before=18446744073709551615", 400, "before is 18446744073709551615"),
        ("/v1/certificates?before=18446744073709551615", 400, "before is 18446744073709551615"),
        ("/v2/status", 404, "there is no /v2/status"),
    ] {
        let answer = get(&socket(&gateway), path);
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(answer.status == status && error.contains(says), "{path}: {} {error}", answer.status);
    }
    let answer = send(&socket(&gateway), b"DELETE /v1/status HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(answer.status, 405);
    assert!(answer.head.to_lowercase().contains("allow: get"), "{}", answer.head);
}
