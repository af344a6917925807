//! Both databases are read page by page once a week, while everything goes on.

use calibd::store::{CheckResult, Checked};
use rusqlite::Connection;

use super::*;
use crate::support::wait::until;

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Damages the pages of a file from the third on.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    assert!(bytes.len() > 20_000, "{} bytes are too few", bytes.len());
    bytes[8192..].fill(0x5a);
    std::fs::write(path, bytes).unwrap();
}

/// A store with 2,000 readings and 200 audit rows, all of them in the main files, and its clock.
async fn filled(dir: &Path) -> (Opened, Clock) {
    let Opened { store, .. } = open(dir);
    append(&store, 1..=2000).await;
    for number in 0..200 {
        store.audit("test", "filled", &number.to_string(), "").await.unwrap();
    }
    store.close(LONG).await.unwrap();
    let clock = Clock::manual(noon());
    (store::open(options(dir), clock.clone()).unwrap(), clock)
}

/// Waits for the check that a week calls for.
async fn after_a_week(store: &Store, clock: &Clock) -> Checked {
    let before = store.health().checked;
    clock.advance(WEEK);
    store.ping().await.unwrap();
    until("the check", || store.health().checked.filter(|checked| Some(*checked) != before))
}

#[tokio::test]
async fn whole_files_are_checked_once_a_week() {
    let dir = tempfile::tempdir().unwrap();
    let (Opened { store, .. }, clock) = filled(dir.path()).await;
    let start = Checked { at: noon(), result: CheckResult::Ok };
    assert_eq!(store.health().checked, Some(start));
    clock.advance(WEEK - Duration::from_secs(3600));
    for _ in 0..3 {
        store.ping().await.unwrap();
    }
    assert_eq!(store.health().checked, Some(start));
    for _ in 0..2 {
        let checked = after_a_week(&store, &clock).await;
        assert_eq!(checked, Checked { at: clock.now(), result: CheckResult::Ok });
    }
    store.close(LONG).await.unwrap();
    let ledger = Connection::open(dir.path().join("ledger.db")).unwrap();
    let noted = ledger.query_row("SELECT value FROM meta WHERE key = 'checked'", [], |row| row.get(0));
    assert_eq!(noted, Ok(clock.now().as_micros()));
}

#[tokio::test]
async fn a_damaged_history_is_found_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (Opened { store, mut commits, .. }, clock) = filled(dir.path()).await;
    damage(&dir.path().join("history.db"));
    assert_eq!(after_a_week(&store, &clock).await.result, CheckResult::HistoryReplaced);
    append(&store, [2001]).await;
    store.flush().await.unwrap();
    assert_eq!(numbers(&store).await, [2001]);
    let lost = Gap { first: 1, last: 2000, reason: GapReason::HistoryLost, sink: None };
    assert_eq!(commits.recv().await.unwrap().gaps, [lost]);
    assert_eq!(after_a_week(&store, &clock).await.result, CheckResult::Ok);
}

#[tokio::test]
async fn a_damaged_ledger_is_told_and_everything_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (Opened { store, .. }, clock) = filled(dir.path()).await;
    damage(&dir.path().join("ledger.db"));
    assert_eq!(after_a_week(&store, &clock).await.result, CheckResult::LedgerBroken);
    append(&store, [2001]).await;
    store.flush().await.unwrap();
    assert_eq!(numbers(&store).await.len(), 2001);
    drop(store);
    let again = until("the files to be free", || store::open(options(dir.path()), clock.clone()).ok());
    assert!(again.recovered.ledger_broken.is_some());
    assert_eq!(again.store.health().checked.unwrap().result, CheckResult::LedgerBroken);
}

#[tokio::test]
async fn a_store_that_closes_waits_for_no_check() {
    let dir = tempfile::tempdir().unwrap();
    let (Opened { store, .. }, clock) = filled(dir.path()).await;
    clock.advance(WEEK);
    store.ping().await.unwrap();
    store.close(LONG).await.unwrap();
    assert!(!dir.path().join("history.db-wal").exists());
    let again = store::open(options(dir.path()), clock).unwrap();
    assert_eq!((again.recovered.next_seq, again.recovered.gaps), (2001, vec![]));
}
