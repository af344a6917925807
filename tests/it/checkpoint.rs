//! Checkpoints: what the broker and the history know of a ledger that is lost, replaced or changed.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::mqtt_end_to_end::Street;
use crate::support::control::get;
use crate::support::gateway::UP;
use crate::support::trust::{opened, transform};
use crate::support::wait::{until, until_true};

fn db(street: &Street, file: &str) -> Connection {
    Connection::open(street.gateway.store().join(file)).unwrap()
}

/// The checkpoint that the broker keeps, signed by the gateway.
fn kept(street: &Street) -> Value {
    let key = street.gateway.store().join("gateway.pub.pem");
    opened(&street.retained(&format!("{UP}/checkpoint")).payload, "checkpoint", &key)
}

fn accept(street: &mut Street, version: u64) {
    let envelope = street.authority.signed(&transform(version));
    street.push("co", &envelope);
    answered(street, version, "accepted");
}

fn answered(street: &Street, version: u64, wanted: &str) {
    until_true(&format!("version {version} to be {wanted}"), || {
        street
            .acks()
            .iter()
            .any(|ack| ack["version"] == version && (ack["verdict"] == wanted || ack["reason"] == wanted))
    });
}

/// Waits for a checkpoint with this floor of `co`.
fn floor(street: &Street, version: u64) -> Value {
    until(&format!("a checkpoint with version {version}"), || {
        let checkpoint = kept(street);
        (checkpoint["floors"]["co"]["version"] == version).then_some(checkpoint)
    })
}

fn audited(street: &Street, action: &str) -> u64 {
    let sql = "SELECT count(*) FROM audit WHERE action = ?";
    db(street, "ledger.db").query_row(sql, [action], |row| row.get(0)).unwrap()
}

fn restart(street: &mut Street, change: impl FnOnce(&Street)) {
    assert_eq!(street.daemon.process.stop().code(), Some(0));
    change(street);
    street.daemon = street.gateway.start();
    street.daemon.linked();
}

fn verified(street: &Street) -> String {
    get(&street.gateway.path("run/control.sock"), "/v1/audit/verify").text()
}

#[test]
fn the_end_of_the_audit_is_said_and_signed() {
    let mut street = Street::new();
    accept(&mut street, 7);
    let checkpoint = floor(&street, 7);
    let status = street.retained(&format!("{UP}/status")).json();
    assert_eq!(checkpoint["incarnation"], status["incarnation"]);
    assert_eq!((&checkpoint["schema"], &checkpoint["root_version"]), (&json!(1), &json!(1)));
    let rows = checkpoint["audit"]["rows"].as_u64().unwrap();
    let ledger = db(&street, "ledger.db");
    let hash: Vec<u8> =
        ledger.query_row("SELECT hash FROM audit WHERE seq = ?", [rows], |row| row.get(0)).unwrap();
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(checkpoint["audit"]["head"], json!(hash));
    assert!(verified(&street).contains("\"whole\":true"), "{}", verified(&street));
    // Somebody changes where the audit is said to have ended.
    db(&street, "history.db")
        .execute("UPDATE meta SET value = zeroblob(32) WHERE key = 'checkpoint_head'", [])
        .unwrap();
    assert!(verified(&street).contains("is not the one of the last checkpoint"), "{}", verified(&street));
}

#[test]
fn ledger_deleted() {
    let mut street = Street::new();
    accept(&mut street, 6);
    accept(&mut street, 7);
    floor(&street, 7);
    let six = street.authority.signed(&transform(6));
    restart(&mut street, |street| {
        for file in ["ledger.db", "history.db"] {
            std::fs::remove_file(street.gateway.store().join(file)).unwrap();
        }
    });
    street.push("co", &six);
    answered(&street, 6, "rolled_back_version");
    assert_eq!(audited(&street, "floors.raised"), 1);
    assert_eq!(kept(&street)["floors"]["co"]["version"], 7);

    // What somebody else puts there, or what another gateway signed, raises nothing.
    let forged = street.authority.signed_as("checkpoint", "stranger", &kept(&street));
    assert_eq!(street.daemon.process.stop().code(), Some(0));
    street.publisher.retain(&format!("{UP}/checkpoint"), forged);
    street.daemon = street.gateway.start();
    street.daemon.linked();
    street.daemon.reaches("calibd_refusals_total{reason=\"bad_signature\"}", 1);
    floor(&street, 7);
}

#[test]
fn backup_restored_floors() {
    let mut street = Street::new();
    accept(&mut street, 6);
    let copy = |street: &Street, from: &str, to: &str| {
        std::fs::copy(street.gateway.store().join(from), street.gateway.store().join(to)).unwrap();
    };
    restart(&mut street, |street| copy(street, "ledger.db", "old.db"));
    accept(&mut street, 7);
    floor(&street, 7);
    restart(&mut street, |street| copy(street, "old.db", "ledger.db"));
    street.daemon.says("the ledger does not go on from its last checkpoint");
    until_true("the row of the audit", || audited(&street, "audit.discontinued") == 1);
    let six = street.authority.signed(&transform(6));
    street.push("co", &six);
    answered(&street, 6, "rolled_back_version");
}
