//! From one version of the package to another.

use std::path::Path;

use rusqlite::Connection;

use super::machine::Machine;
use crate::support::wait::until_true;

const STATE: &str = "/var/lib/calibd";

fn open(state: &Path, name: &str) -> Connection {
    Connection::open(state.join(name)).unwrap()
}

fn schema(state: &Path, name: &str) -> i64 {
    open(state, name).pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// What the schemas before this one had not.
fn take_back(state: &Path) {
    let history = "DROP TABLE learnt; ALTER TABLE series DROP COLUMN last_seq; PRAGMA user_version = 5";
    let ledger = "DROP TABLE manifests; DROP TABLE priors; DROP TABLE sessions; DROP TABLE certificates;
        DROP INDEX activations_of; PRAGMA user_version = 5";
    open(state, "history.db").execute_batch(history).unwrap();
    open(state, "ledger.db").execute_batch(ledger).unwrap();
}

#[test]
fn an_upgrade_takes_the_data_along_and_a_downgrade_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path();
    let machine = Machine::boot(&[(state, STATE)]);
    machine.does(&["dpkg", "-i", "/packages/old.deb"]);
    machine.measures();
    let before = machine.status();
    machine.does(&["systemctl", "stop", "calibd.service"]);
    let known = ["history.db", "ledger.db"].map(|name| schema(state, name));
    take_back(state);

    machine.does(&["dpkg", "-i", "/packages/new.deb"]);
    machine.stores();
    assert_eq!(["history.db", "ledger.db"].map(|name| schema(state, name)), known);
    let after = machine.status();
    assert_eq!(after["incarnation"], before["incarnation"]);
    assert_eq!(after["store"]["oldest"], before["store"]["oldest"], "no reading is lost");
    assert!(!machine.journal().contains("broken"), "{}", machine.journal());

    machine.does(&["systemctl", "stop", "calibd.service"]);
    open(state, "ledger.db").pragma_update(None, "user_version", known[1] + 1).unwrap();
    // The installation itself goes through, or dpkg would be left in between.
    machine.does(&["dpkg", "-i", "/packages/old.deb"]);
    let newer = format!("ledger.db: written by a newer calibd (schema {}", known[1] + 1);
    machine.says(&newer);
    assert_eq!(schema(state, "ledger.db"), known[1] + 1, "nothing was changed");
    // The newer version, which knows that schema, is installed again.
    open(state, "ledger.db").pragma_update(None, "user_version", known[1]).unwrap();
    machine.does(&["dpkg", "-i", "/packages/new.deb"]);
    until_true("the service", || machine.runs("calibd.service"));
    machine.stores();
    assert_eq!(machine.status()["store"]["oldest"], before["store"]["oldest"]);
}
