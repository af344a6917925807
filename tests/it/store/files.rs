//! Torn, foreign, newer and missing files.

use std::fs;

use calibd::domain::sensor::Instrument;
use calibd::store::{Mount, PairPage, PairRange, ReferencePage, ReferenceRange};
use rusqlite::Connection;

use super::*;

/// Two hundred readings and a clean end.
async fn filled(dir: &Path) -> Recovered {
    let Opened { store, recovered, .. } = open(dir);
    append(&store, 1..=200).await;
    store.close(LONG).await.unwrap();
    recovered
}

fn lost(last: u64) -> Gap {
    Gap { first: 1, last, reason: GapReason::HistoryLost, sink: None }
}

/// Opens a directory whose history is broken, and checks that everything goes on.
async fn goes_on_with_a_new_history(dir: &Path, before: &Recovered) {
    let opened = open(dir);
    let moved = opened.recovered.history_quarantined.clone().unwrap();
    assert!(
        moved.exists() && moved.file_name().unwrap().to_str().unwrap().starts_with("history-broken-2026")
    );
    assert_eq!(opened.recovered.incarnation, before.incarnation);
    assert_eq!((opened.recovered.next_seq, &opened.recovered.gaps[..]), (201, &[lost(200)][..]));
    append(&opened.store, [201]).await;
    opened.store.close(LONG).await.unwrap();
    let again = open(dir);
    assert_eq!((again.recovered.history_quarantined, again.recovered.next_seq), (None, 202));
    assert_eq!(numbers(&again.store).await, [201]);
}

#[tokio::test]
async fn a_torn_history_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let before = filled(dir.path()).await;
    let path = dir.path().join("history.db");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2 + 100]).unwrap();
    fs::write(dir.path().join("history.db-wal"), b"left over").unwrap();
    goes_on_with_a_new_history(dir.path(), &before).await;
}

#[tokio::test]
async fn a_history_with_damaged_pages_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let before = filled(dir.path()).await;
    let path = dir.path().join("history.db");
    let mut bytes = fs::read(&path).unwrap();
    for byte in &mut bytes[8192..] {
        *byte ^= 0x5a;
    }
    fs::write(&path, bytes).unwrap();
    goes_on_with_a_new_history(dir.path(), &before).await;
}

#[tokio::test]
async fn a_foreign_history_is_moved_aside() {
    for text in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let before = filled(dir.path()).await;
        let path = dir.path().join("history.db");
        fs::remove_file(&path).unwrap();
        if text {
            fs::write(&path, "name,value\n".repeat(1000)).unwrap();
        } else {
            Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine(x)").unwrap();
        }
        goes_on_with_a_new_history(dir.path(), &before).await;
    }
}

#[tokio::test]
async fn a_missing_history_loses_readings_but_no_number() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    fs::remove_file(dir.path().join("history.db")).unwrap();
    let recovered = open(dir.path()).recovered;
    assert_eq!((recovered.next_seq, &recovered.gaps[..]), (201, &[lost(200)][..]));
}

#[tokio::test]
async fn a_history_that_breaks_while_in_use_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    // More than SQLite keeps in memory.
    append(&store, 1..=60_000).await;
    store.close(LONG).await.unwrap();
    let Opened { store, mut commits, .. } = open(dir.path());
    let path = dir.path().join("history.db");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 8..bytes.len() / 2;
    bytes[middle].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    assert!(store.read_after(10_000, 10_000, u64::MAX).await.is_err());
    append(&store, [60_001]).await;
    store.flush().await.unwrap();
    assert_eq!(numbers(&store).await, [60_001]);
    assert_eq!(commits.recv().await.unwrap().gaps, [lost(60_000)]);
    store.close(LONG).await.unwrap();
    let again = open(dir.path());
    assert_eq!((again.recovered.next_seq, again.recovered.gaps), (60_002, vec![lost(60_000)]));
}

#[tokio::test]
async fn a_broken_ledger_leaves_raw_readings_and_is_left_for_restoring() {
    let dir = tempfile::tempdir().unwrap();
    let before = filled(dir.path()).await;
    let path = dir.path().join("ledger.db");
    let good = fs::read(&path).unwrap();
    let bad = b"not a ledger ".repeat(1000);
    fs::write(&path, &bad).unwrap();

    let Opened { store, recovered, .. } = open(dir.path());
    assert!(recovered.ledger_broken.unwrap().contains("ledger.db"));
    assert_ne!(recovered.incarnation, before.incarnation);
    assert_eq!(recovered.next_seq, 201);
    append(&store, [201]).await;
    let refused = store.audit("calibd", "start", "", "").await;
    assert!(matches!(refused, Err(StoreError::LedgerBroken(_))));
    store.close(LONG).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), bad);

    // The old ledger comes back: it does not know number 201, so another incarnation begins.
    fs::write(&path, good).unwrap();
    let Opened { store, recovered: restored, .. } = open(dir.path());
    assert_eq!(restored.ledger_broken, None);
    assert!(restored.incarnation != before.incarnation && restored.incarnation != recovered.incarnation);
    assert!(restored.next_seq > 201);
    assert_eq!(numbers(&store).await.len(), 201);
}

#[tokio::test]
async fn a_missing_ledger_begins_another_incarnation_above_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let before = filled(dir.path()).await;
    fs::remove_file(dir.path().join("ledger.db")).unwrap();
    let recovered = open(dir.path()).recovered;
    assert_ne!(recovered.incarnation, before.incarnation);
    assert_eq!((recovered.next_seq, recovered.gaps), (201, vec![]));
}

#[tokio::test]
async fn files_of_a_newer_version_are_refused_with_a_sentence() {
    for name in ["history.db", "ledger.db"] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path()).await;
        let db = Connection::open(dir.path().join(name)).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        drop(db);
        let error = store::open(options(dir.path()), Clock::manual(noon())).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("newer calibd (schema 99"), "{error}");
    }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path());
    let second = store::open(options(dir.path()), Clock::manual(noon()));
    assert!(matches!(second, Err(StoreError::InUse { .. })));
}

#[tokio::test]
async fn a_history_of_the_first_schema_is_read_on() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let old = Connection::open(dir.path().join("history.db")).unwrap();
    let back = "DROP INDEX readings_of_events; ALTER TABLE readings DROP COLUMN event;
        ALTER TABLE readings DROP COLUMN p1; ALTER TABLE readings DROP COLUMN p0; DROP TABLE floors;
        DROP TABLE reference_readings; DROP TABLE pairs; DROP TABLE judges; DROP TABLE learnt;
        ALTER TABLE series DROP COLUMN last_seq; PRAGMA user_version = 1";
    old.execute_batch(back).unwrap();
    drop(old);
    let opened = open(dir.path());
    assert_eq!(opened.recovered.history_quarantined, None);
    let before = opened.store.read_after(1, 1, u64::MAX).await.unwrap();
    assert_eq!(before, [Reading { p0_p1: None, ..reading(2) }]);
    append(&opened.store, [202]).await;
    let range = PairRange { sensor: before[0].sensor.clone(), since: noon(), after: None, limit: 1 };
    assert_eq!(opened.store.pairs(range).await.unwrap(), PairPage::default());
    opened.store.close(LONG).await.unwrap();
    let after = open(dir.path()).store.read_after(201, 1, u64::MAX).await.unwrap();
    assert_eq!((after[0].seq, after[0].p0_p1), (202, Some([0.25, 0.75])));
}

#[tokio::test]
async fn a_ledger_of_the_first_schema_is_read_on() {
    let dir = tempfile::tempdir().unwrap();
    let before = filled(dir.path()).await;
    let old = Connection::open(dir.path().join("ledger.db")).unwrap();
    let back = "DROP TABLE instruments; DROP TABLE maintenance; DROP TABLE alerts; DROP TABLE alert_state;
         DROP TABLE alerts_retained; DROP TABLE reference_readings; DROP TABLE standards;
        DROP TABLE enrolments; DROP TABLE rollouts; DROP TABLE orders; DROP TABLE recalibrations;
        DROP TABLE manifests; DROP TABLE priors; DROP TABLE sessions; DROP TABLE certificates;
        DROP INDEX activations_of;
        PRAGMA user_version = 1";
    old.execute_batch(back).unwrap();
    drop(old);
    let opened = open(dir.path());
    assert_eq!((&opened.recovered.ledger_broken, opened.recovered.incarnation), (&None, before.incarnation));
    let co = Id::new("co-1").unwrap();
    let instrument = Instrument {
        model: "m".into(),
        serial: "8".into(),
        make: None,
        element_serial: Some("e".into()),
        firmware: None,
        comment: Some("repaired".into()),
    };
    let mount = Mount {
        sensor: co.clone(),
        at: noon(),
        actor: "user:ann".into(),
        instrument,
        configured_serial: Some("7".into()),
    };
    let older = Mount { configured_serial: None, actor: "user:bob".into(), ..mount.clone() };
    let range = ReferenceRange { limit: 1, ..ReferenceRange::default() };
    assert_eq!(opened.store.references(range).await.unwrap(), ReferencePage::default());
    assert_eq!(opened.store.standards().await.unwrap(), []);
    opened.store.mount(older.clone()).await.unwrap();
    opened.store.mount(mount.clone()).await.unwrap();
    assert_eq!(opened.store.mounts_of(co.clone(), 10).await.unwrap(), [older, mount.clone()]);
    assert_eq!(opened.store.mounts_of(co, 1).await.unwrap(), std::slice::from_ref(&mount));
    opened.store.close(LONG).await.unwrap();
    assert_eq!(open(dir.path()).recovered.mounted, [mount]);
}
