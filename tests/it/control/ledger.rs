//! The ledger as a whole: verified, copied while in use, restored.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::ctl::{calibctl, prints};
use super::socket;
use crate::support::broker::Broker;
use crate::support::control::get;
use crate::support::gateway::{DOWN, Gateway, MQTT_SOURCE, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::process::Daemon;
use crate::support::trust::{Authority, calibrated, transform};
use crate::support::wait::until_true;

/// A gateway that takes transforms and readings.
struct Site {
    gateway: Gateway,
    authority: Authority,
    publisher: Publisher,
    above: Subscriber,
    _broker: Broker,
}

impl Site {
    fn new() -> Site {
        let (broker, authority) = (Broker::start(), Authority::new());
        let gateway = Gateway::new().linked_to(&broker).trusting(&authority).with(MQTT_SOURCE).with(UPLINK);
        let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
        let publisher = Publisher::new(&broker);
        Site { gateway, authority, publisher, above, _broker: broker }
    }

    fn start(&self) -> Daemon {
        let mut daemon = self.gateway.start();
        daemon.linked();
        daemon
    }

    /// Pushes a version and waits for its verdict.
    fn push(&mut self, version: u64) {
        let before = self.above.on(&format!("{UP}/ack")).len();
        self.publisher.publish(&format!("{DOWN}/co"), self.authority.signed(&transform(version)));
        let topic = format!("{UP}/ack");
        until_true("a verdict", || self.above.on(&topic).len() > before);
    }

    fn reading(&mut self, raw: f64) -> Value {
        self.publisher.publish("sensors/co-1/raw", json!({"v": raw}).to_string());
        self.above.await_on(&format!("{UP}/reading/co-1"), |message| {
            let reading = message.json();
            (reading["raw"] == raw).then_some(reading)
        })
    }

    fn admin(&self) -> PathBuf {
        self.gateway.path("run/admin.sock")
    }

    fn backup(&self, name: &str) -> PathBuf {
        let file = self.gateway.path(name);
        prints(&["backup", file.to_str().unwrap()], &self.admin());
        file
    }

    fn restore(&self, file: &Path) -> Value {
        let said = prints(&["restore", file.to_str().unwrap(), "--json"], &self.admin());
        serde_json::from_str(&said).unwrap()
    }

    fn in_force(&self) -> Value {
        get(&socket(&self.gateway), "/v1/sensors/co-1").json()["transform"]["version"].clone()
    }

    fn audited(&self, action: &str) -> Vec<Value> {
        let audit = get(&socket(&self.gateway), "/v1/audit?limit=10000").json();
        audit["rows"].as_array().unwrap().iter().filter(|row| row["action"] == action).cloned().collect()
    }

    fn attention(&self) -> String {
        get(&socket(&self.gateway), "/v1/status").json()["attention"].to_string()
    }
}

#[test]
fn backup_restored_floors() {
    let mut site = Site::new();
    let mut daemon = site.start();
    site.push(1);
    site.reading(1.0);
    let backup = site.backup("ledger.db");
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o7777, 0o600);
    site.push(3);
    let last = site.reading(2.0);
    let incarnation = get(&socket(&site.gateway), "/v1/status").json()["incarnation"].clone();

    let told = site.restore(&backup);
    assert_eq!(told["floors"], json!([{"id": "co", "kept": [1, 3], "backup": [1, 1]}]));
    let change = &told["changes"][0];
    assert_eq!(
        (&change["sensor"], &change["now"]["version"], &change["then"]["version"]),
        (&json!("co-1"), &json!(3), &json!(1))
    );
    assert!(site.attention().contains("waits to be restored"), "{}", site.attention());
    // Nothing has changed yet.
    assert_eq!(site.in_force(), 3);
    daemon.process.stop();

    let mut daemon = site.start();
    assert_ne!(get(&socket(&site.gateway), "/v1/status").json()["incarnation"], incarnation);
    let next = site.reading(3.0);
    assert!(next["seq"].as_u64() > last["seq"].as_u64(), "{next}");
    assert_eq!((&next["value"], &site.in_force()), (&json!(calibrated(3.0)), &json!(1)));
    // Versions that were passed once stay refused, and a higher one is taken.
    site.push(2);
    assert_eq!(site.in_force(), 1);
    let refused = site.audited("artifact.refused");
    assert!(
        refused.last().unwrap()["detail"].as_str().unwrap().contains("rolled_back_version"),
        "{refused:?}"
    );
    site.push(4);
    assert_eq!(site.in_force(), 4);
    let restored = site.audited("ledger.restored");
    let actor = restored[0]["actor"].as_str().unwrap();
    assert!(restored.len() == 1 && (actor.starts_with("user:") || actor.starts_with("uid:")), "{restored:?}");
    assert!(restored[0]["detail"].as_str().unwrap().contains("\"replaced\":{\"head\""), "{restored:?}");
    assert!(site.attention().contains("was restored from a backup"), "{}", site.attention());
    assert!(prints(&["audit", "verify"], &socket(&site.gateway)).starts_with("the ledger is whole: "));
    let kept = |name: &str| {
        let entries = fs::read_dir(site.gateway.store()).unwrap().map(|entry| entry.unwrap().file_name());
        entries.filter(|entry| entry.to_string_lossy().starts_with(name)).count()
    };
    assert_eq!(
        (kept("ledger-replaced-"), kept("ledger-restore"), kept("ledger-upload"), kept("ledger-copy")),
        (1, 0, 0, 0)
    );
    daemon.process.stop();
}

/// A restore is no replaced ledger, also if the power fails before there is a checkpoint of it.
#[test]
fn a_restore_accuses_nobody_at_any_start_after_it() {
    let mut site = Site::new();
    let mut daemon = site.start();
    site.push(1);
    let backup = site.backup("ledger.db");
    site.push(3);
    daemon.process.stop();
    let mut daemon = site.start();
    let mirror = |key: &str| -> Option<rusqlite::types::Value> {
        let history = Connection::open(site.gateway.store().join("history.db")).unwrap();
        history.query_row("SELECT value FROM meta WHERE key = ?", [key], |row| row.get(0)).ok()
    };
    let of_backup = Connection::open(&backup).unwrap();
    let end: i64 = of_backup.query_row("SELECT max(seq) FROM audit", [], |row| row.get(0)).unwrap();
    until_true(
        "a checkpoint after the backup",
        || matches!(mirror("checkpoint_rows"), Some(rusqlite::types::Value::Integer(rows)) if rows > end),
    );
    site.restore(&backup);
    daemon.process.stop();
    let mirrored = mirror("checkpoint_head");

    for _ in 0..3 {
        site.start().process.kill();
    }
    assert_eq!(mirror("checkpoint_head"), mirrored, "killed before there was another checkpoint");
    let mut daemon = site.start();
    until_true("a checkpoint after the restore", || mirror("checkpoint_head") != mirrored);
    assert_eq!(site.audited("audit.discontinued"), [] as [Value; 0]);
    assert!(!site.attention().contains("does not go on"), "{}", site.attention());
    // What is put there later is told all the same.
    daemon.process.stop();
    fs::copy(&backup, site.gateway.store().join("ledger.db")).unwrap();
    let mut daemon = site.start();
    until_true("the row of the audit", || site.audited("audit.discontinued").len() == 1);
    daemon.process.stop();
}

#[test]
fn a_broken_ledger_is_restored_and_its_transforms_are_in_force_again() {
    let mut site = Site::new();
    let mut daemon = site.start();
    site.push(1);
    site.reading(1.0);
    let backup = site.backup("ledger.db");
    site.push(2);
    site.reading(2.0);
    daemon.process.stop();
    let ledger = site.gateway.store().join("ledger.db");
    fs::write(&ledger, b"not a ledger ".repeat(1000)).unwrap();

    let mut daemon = site.start();
    assert_eq!(site.reading(3.0)["value"], Value::Null);
    let output = calibctl(&["backup", site.gateway.path("none.db").to_str().unwrap()], &site.admin());
    assert_eq!((output.status.code(), site.gateway.path("none.db").exists()), (Some(1), false));
    let told = site.restore(&backup);
    assert_eq!((&told["present"], &told["transforms"]), (&Value::Null, &json!(1)));
    daemon.process.stop();

    let mut daemon = site.start();
    assert_eq!(site.reading(4.0)["value"], json!(calibrated(4.0)));
    // The broken ledger knew of version 2, and so does the history.
    let raised = site.audited("floors.raised");
    assert_eq!(raised[0]["detail"], json!(r#"[["co",[1,2]]]"#), "{raised:?}");
    assert!(prints(&["audit", "verify"], &socket(&site.gateway)).starts_with("the ledger is whole: "));
    daemon.process.stop();
}

#[test]
fn what_is_no_backup_is_refused_and_changes_nothing() {
    let mut site = Site::new();
    let _daemon = site.start();
    site.push(1);
    let backup = site.backup("ledger.db");
    let bytes = fs::read(&backup).unwrap();
    let altered = |name: &str, sql: &str| {
        let file = site.gateway.path(name);
        fs::write(&file, &bytes).unwrap();
        Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        file
    };
    let written = |name: &str, bytes: &[u8]| {
        let file = site.gateway.path(name);
        fs::write(&file, bytes).unwrap();
        file
    };
    for (file, says) in [
        (written("empty", b""), "holds no ledger"),
        (written("text", b"dear diary "), "not a database"),
        (written("cut", &bytes[..bytes.len() / 2]), "malformed"),
        (altered("newer", "PRAGMA user_version = 99"), "a newer calibd wrote it (schema 99"),
        (altered("foreign", "PRAGMA application_id = 7"), "not calibd's ledger"),
        (altered("changed", "UPDATE audit SET detail = '' WHERE seq = 2"), "audit row 2 was changed"),
        (
            altered(
                "forged",
                "UPDATE transforms SET envelope = CAST(replace(CAST(envelope AS TEXT), 'a', 'b') AS BLOB)",
            ),
            "transform co 1",
        ),
        (altered("swapped", "UPDATE transforms SET version = 9"), "under another digest, id or version"),
        (altered("added", "UPDATE active SET digest = zeroblob(32)"), "not among the accepted"),
    ] {
        let output = calibctl(&["restore", file.to_str().unwrap()], &site.admin());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(says), "{}: {error}", file.display());
    }
    assert!(!site.gateway.store().join("ledger-restore.db").exists());
    let output = calibctl(&["backup", backup.to_str().unwrap()], &site.admin());
    assert_eq!((output.status.code(), fs::read(&backup).unwrap() == bytes), (Some(2), true));
    prints(&["backup", "--force", backup.to_str().unwrap()], &site.admin());
    for words in [["backup", "x.db"], ["restore", backup.to_str().unwrap()]] {
        assert_eq!(
            calibctl(&words, &site.gateway.path("run/maintenance.sock")).status.code(),
            Some(4),
            "{words:?}"
        );
    }
}

#[test]
fn a_ledger_that_was_changed_is_found_out() {
    let mut site = Site::new();
    let mut daemon = site.start();
    site.push(1);
    daemon.process.stop();
    let db = Connection::open(site.gateway.store().join("ledger.db")).unwrap();
    db.execute_batch("UPDATE audit SET actor = 'nobody' WHERE seq = 2").unwrap();
    drop(db);
    let _daemon = site.start();
    let output = calibctl(&["audit", "verify", "--json"], &socket(&site.gateway));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &found["whole"]), (Some(1), &json!(false)));
    assert!(found["fault"].as_str().unwrap().starts_with("audit row 2 was changed"), "{found}");
    let file = site.gateway.path("none.db");
    let output = calibctl(&["backup", file.to_str().unwrap()], &site.admin());
    assert_eq!((output.status.code(), file.exists()), (Some(1), false));
}
