//! A disk that turns read-only under calibd, as the kernel does with one that fails.

use serde_json::json;

use crate::control::ctl::calibctl;
use crate::support::broker::Broker;
use crate::support::control::get;
use crate::support::disk::Disk;
use crate::support::gateway::{Gateway, MQTT_SOURCE, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::wait::{until, until_true};

#[test]
fn readings_wait_in_memory_and_live_sinks_go_on() {
    let (broker, mut gateway) = (Broker::start(), Gateway::new().with(MQTT_SOURCE).with(UPLINK));
    gateway = gateway.linked_to(&broker);
    let disk = Disk::ext4(&gateway.store(), 32);
    let above = Subscriber::new(&broker, &[&format!("{UP}/reading/a")]);
    let mut publisher = Publisher::new(&broker);
    let mut measured = |value: f64| {
        publisher.publish("sensors/a/raw", json!({"v": value}).to_string());
        let topic = format!("{UP}/reading/a");
        above.await_on(&topic, |message| (message.json()["raw"] == value).then(|| message.json()))
    };
    let mut daemon = gateway.start();
    daemon.linked();
    measured(1.0);
    daemon.reaches("calibd_commits_total", 1);

    disk.fails();
    measured(2.0);
    daemon.reaches("calibd_commit_failures_total{reason=\"read_only\"}", 1);
    measured(3.0);
    let status = || get(&gateway.path("run/control.sock"), "/v1/status").json();
    until_true("both to wait", || status()["store"]["waiting"] == 2);
    assert_eq!(status()["store"]["failing"], "read_only");
    let message = "readings cannot be written (read_only); 2 wait in memory";
    let entry = until("what to do to be said", || {
        let said = status();
        said["attention"].as_array().unwrap().iter().find(|entry| entry["message"] == message).cloned()
    });
    assert!(entry["remedy"].as_str().unwrap().contains("mount it writable"), "{entry}");
    daemon.says("history.db: read-only; see what the kernel's log says of the disk");
    assert!(daemon.process.stop().success() || !daemon.process.runs());

    // The machine is started again, and its disk is mended.
    disk.mended();
    let mut daemon = gateway.start();
    daemon.linked();
    let last = measured(4.0);
    let stored = || gateway.history().rows();
    until_true("the reading to be stored", || stored().iter().any(|row| row.raw == Some(4.0)));
    assert!(daemon.process.stop().success());
    // What nobody acknowledged comes again from the broker of the source; no number does.
    let numbers: Vec<u64> = stored().iter().map(|row| row.seq).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(last["seq"].as_u64().unwrap() > 3, "{last}");
    for raw in [1.0, 2.0, 3.0] {
        assert!(stored().iter().any(|row| row.raw == Some(raw)), "{raw} is lost: {:?}", stored());
    }
}

/// Ten thousand readings a second, of no interest.
const FLOOD: &str = r#"
[source.flood]
kind = "synthetic"
period = "1ms"
[source.flood.fields]
f0 = { level = 0 }
f1 = { level = 1 }
f2 = { level = 2 }
f3 = { level = 3 }
f4 = { level = 4 }
f5 = { level = 5 }
f6 = { level = 6 }
f7 = { level = 7 }
f8 = { level = 8 }
f9 = { level = 9 }
"#;

#[test]
fn what_was_given_up_comes_again_and_what_comes_later_is_acknowledged() {
    let broker = Broker::start();
    let sensors: String = (0..10)
        .map(|of| format!("[sensor.f{of}]\nsource = \"flood\"\nfield = \"f{of}\"\nunit = \"nA\"\n"))
        .collect();
    let gateway = Gateway::new().linked_to(&broker).with(MQTT_SOURCE).with(FLOOD).with(&sensors);
    let mut publisher = Publisher::new(&broker);
    let mut measured = |value: f64| publisher.publish("sensors/quiet/raw", json!({"v": value}).to_string());
    let history = gateway.store().join("history.db");
    let stored = |value: f64| {
        let db = rusqlite::Connection::open(&history).unwrap();
        let sql = "SELECT count(*) FROM readings WHERE raw = ?";
        db.query_row(sql, [value], |row| row.get::<_, i64>(0)).unwrap()
    };
    let mut daemon = gateway.start();
    daemon.linked();
    measured(1001.0);
    until_true("the first to be stored", || stored(1001.0) == 1);

    let other = rusqlite::Connection::open(&history).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    measured(1002.0);
    let given_up =
        || get(&gateway.path("run/control.sock"), "/v1/status").json()["store"]["dropped"].as_u64();
    until_true("readings to be given up", || given_up() > Some(5_000));
    other.execute_batch("ROLLBACK").unwrap();
    for value in [1002.0, 1003.0, 1004.0] {
        if value > 1002.0 {
            measured(value);
        }
        until_true(&format!("{value} to be stored"), || stored(value) > 0);
    }
    assert!(daemon.process.stop().success());
    // What is not acknowledged comes once more with the next connection, before anything newer.
    daemon = gateway.start();
    daemon.linked();
    measured(1005.0);
    until_true("the last to be stored", || stored(1005.0) > 0);
    assert_eq!(stored(1003.0), 1, "it was acknowledged");
    assert!(daemon.process.stop().success());
}

#[test]
fn an_upload_leaves_the_readings_their_room() {
    let gateway = Gateway::new();
    // Its limits are at 2, 1 and 0.5 MiB.
    let _disk = Disk::tmpfs(&gateway.store(), 8);
    let upload = gateway.store().join("ledger-upload.tmp");
    std::fs::write(&upload, [0; 1 << 20]).unwrap();
    let mut daemon = gateway.start();
    daemon.says("started: gateway");
    assert!(!upload.exists(), "what an upload left that a power cut ended");
    let large = gateway.path("large");
    std::fs::write(&large, [b"SQLite format 3\0".to_vec(), vec![0; 32 << 20]].concat()).unwrap();
    let output = calibctl(&["restore", large.to_str().unwrap()], &gateway.path("run/admin.sock"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("has no room for it"), "{said}");
    until_true("it to be gone", || !upload.exists());
    assert_eq!(get(&gateway.path("run/control.sock"), "/v1/status").json()["store"]["failing"], json!(null));
    assert!(daemon.process.stop().success());
}

#[test]
fn a_read_only_directory_is_an_error_that_names_it_and_the_remedy() {
    let gateway = Gateway::new();
    let disk = Disk::tmpfs(&gateway.store(), 8);
    for before in [false, true] {
        if before {
            // With files that are there already.
            disk.remount("rw");
            let mut daemon = gateway.start();
            daemon.says("started: gateway");
            assert!(daemon.process.stop().success());
        }
        disk.remount("ro");
        let mut daemon = gateway.start();
        assert!(!daemon.process.ended().success());
        let log = daemon.process.log();
        let named =
            format!("{}: read-only; see what the kernel's log says", gateway.store().join("lock").display());
        assert!(log.contains(&named), "{log}");
    }
}
