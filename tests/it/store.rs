//! The store, through its interface and through the files it leaves behind.

mod alerts;
mod certificates;
mod checked;
mod child;
mod comparisons;
mod files;
mod full;
mod ledger;
mod limits;
mod manifests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use calibd::domain::id::Id;
use calibd::domain::quality::{Reasons, State};
use calibd::domain::sample::{AckToken, Reading};
use calibd::domain::sequence::{Gap, GapReason};
use calibd::domain::time::Timestamp;
use calibd::runtime::clock::Clock;
use calibd::store::{self, Opened, Options, Recovered, Store, StoreError};

const HOUR: Duration = Duration::from_secs(3600);
const LONG: Duration = Duration::from_secs(60);

fn options(dir: &Path) -> Options {
    Options {
        dir: dir.to_path_buf(),
        commit_interval: HOUR,
        ack_batch: 10,
        max_age: 90 * 24 * HOUR,
        max_size: 1 << 30,
        max_pages: None,
    }
}

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-22T12:00:00Z").unwrap()
}

fn open(dir: &Path) -> Opened {
    store::open(options(dir), Clock::manual(noon())).unwrap()
}

fn reading(seq: u64) -> Reading {
    Reading {
        sensor: Id::new("co-1").unwrap(),
        seq,
        after: seq.checked_sub(1).filter(|after| *after > 0),
        time: noon().saturating_add_micros(seq as i64 * 1_000_000),
        received: noon().saturating_add_micros(seq as i64 * 1_000_000),
        raw: Some(seq as f64 / 3.0),
        value: Some(seq as f64 / 7.0),
        u: Some(0.25),
        p0_p1: seq.is_multiple_of(2).then_some([0.25, 0.75]),
        event: None,
        unit: Arc::from("mg/m3"),
        state: State::Valid,
        reasons: Reasons::NONE,
        transform: None,
    }
}

fn ack(position: u64) -> AckToken {
    AckToken { source: 0, connection: 0, position }
}

async fn append(store: &Store, numbers: impl IntoIterator<Item = u64>) {
    let mut readings: Vec<Reading> = numbers.into_iter().map(reading).collect();
    store.append(&mut readings, &mut Vec::new()).await.unwrap();
    assert!(readings.is_empty());
}

/// The numbers in the history.
async fn numbers(store: &Store) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        let after = all.last().copied().unwrap_or(0);
        let some = store.read_after(after, 1000, u64::MAX).await.unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some.iter().map(|reading| reading.seq));
    }
}

/// What a process that dies now leaves on the disk.
fn crash(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for name in ["history.db", "history.db-wal", "ledger.db", "ledger.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.path().join(name)).unwrap();
        }
    }
    to
}

fn unclean(first: u64, last: u64) -> Gap {
    Gap { first, last, reason: GapReason::UncleanEnd, sink: None }
}

#[tokio::test]
async fn commits_by_interval_and_reports_what_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { commit_interval: Duration::from_millis(20), ..options(dir.path()) };
    let Opened { store, mut commits, .. } = store::open(options, Clock::system()).unwrap();
    append(&store, 1..=3).await;
    let commit = tokio::time::timeout(LONG, commits.recv()).await.unwrap().unwrap();
    assert_eq!((commit.first, commit.last, commit.rows, commit.failed), (1, 3, 3, None));
    assert_eq!(numbers(&store).await, [1, 2, 3]);
    let two = store.read_after(1, 1, u64::MAX).await.unwrap();
    assert_eq!(two, [reading(2)]);
    assert_eq!(store.read_after(0, 10, 2).await.unwrap().len(), 2);
    assert_eq!((store.health().rows, store.health().waiting), (3, 0));
}

#[tokio::test]
async fn commits_early_for_acknowledgements_and_for_a_full_batch() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, mut commits, .. } = open(dir.path());
    for seq in 1..=10 {
        store.append(&mut vec![reading(seq)], &mut vec![ack(seq)]).await.unwrap();
    }
    let commit = tokio::time::timeout(LONG, commits.recv()).await.unwrap().unwrap();
    assert_eq!(commit.acks, (1..=10).map(ack).collect::<Vec<_>>());
    append(&store, 11..=6000).await;
    let commit = tokio::time::timeout(LONG, commits.recv()).await.unwrap().unwrap();
    assert_eq!((commit.first, commit.last), (11, 6000));
}

#[tokio::test]
async fn more_than_the_queue_waits_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    append(&store, 1..=20_000).await;
    for start in (20_001..=60_000).step_by(1000) {
        append(&store, start..start + 1000).await;
    }
    store.flush().await.unwrap();
    assert_eq!(numbers(&store).await, (1..=60_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_clean_end_continues_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, recovered, .. } = open(dir.path());
    assert_eq!((recovered.next_seq, recovered.last_seq), (1, 0));
    append(&store, 1..=5).await;
    store.set_cursor("uplink", 3);
    store.close(LONG).await.unwrap();
    assert!(matches!(store.flush().await, Err(StoreError::Closed)));

    let again = open(dir.path()).recovered;
    assert_eq!((again.next_seq, again.block_end), (6, recovered.block_end));
    assert_eq!((again.gaps, again.incarnation), (vec![], recovered.incarnation));
    assert_eq!(again.cursors.get("uplink"), Some(&3));
    assert_eq!(again.last_seq_of_sensor.get("co-1"), Some(&5));
}

#[tokio::test]
async fn a_crash_gives_up_the_rest_of_the_blocks_until_announced() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, recovered, .. } = open(dir.path());
    append(&store, 1..=5).await;
    store.flush().await.unwrap();
    append(&store, 6..=9).await;
    let more = store.reserve().await.unwrap();
    assert_eq!(more.first, recovered.block_end + 1);

    let second = crash(dir.path());
    let opened = open(second.path());
    let gap = unclean(6, more.last);
    assert_eq!(opened.recovered.next_seq, more.last + 1);
    assert_eq!(opened.recovered.gaps, std::slice::from_ref(&gap));
    assert_eq!(opened.recovered.incarnation, recovered.incarnation);
    assert_eq!(numbers(&opened.store).await, [1, 2, 3, 4, 5]);

    // A second crash at once: the first gap is still there, and one more.
    let third = crash(second.path());
    let opened = open(third.path());
    let next = opened.recovered.next_seq;
    let both: Vec<Gap> = opened.recovered.gaps.clone();
    let covered: u64 = both.iter().map(|gap| gap.last - gap.first + 1).sum();
    assert_eq!((both[0].first, covered), (6, next - 6));
    for gap in both {
        opened.store.announced(gap).await.unwrap();
    }
    opened.store.close(LONG).await.unwrap();
    let last: Recovered = open(third.path()).recovered;
    assert_eq!((last.gaps, last.next_seq), (vec![], next));
}

#[tokio::test]
async fn a_used_number_is_discarded_and_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    append(&store, [1, 2, 2, 1, 3]).await;
    store.flush().await.unwrap();
    append(&store, [3, 4]).await;
    store.flush().await.unwrap();
    assert_eq!(numbers(&store).await, [1, 2, 3, 4]);
    assert_eq!(store.health().dropped, 3);
}

#[tokio::test]
async fn a_clock_at_1970_or_jumping_back_reorders_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let times =
        ["2026-11-22T12:00:00Z", "1970-01-01T00:00:03Z", "2099-01-01T00:00:00Z", "2026-11-22T11:00:00Z"];
    let mut readings: Vec<Reading> = (1..)
        .zip(times)
        .map(|(seq, time)| Reading {
            time: Timestamp::parse(time).unwrap(),
            received: Timestamp::parse(time).unwrap(),
            ..reading(seq)
        })
        .collect();
    let wanted = readings.clone();
    store.append(&mut readings, &mut Vec::new()).await.unwrap();
    store.close(LONG).await.unwrap();
    let again = open(dir.path());
    assert_eq!(again.store.read_after(0, 10, u64::MAX).await.unwrap(), wanted);
}
