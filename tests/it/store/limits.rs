//! Age, size, a full disk, a disk that takes nothing.

use calibd::domain::quality::ReasonCode;
use calibd::store::FailureKind;
use rusqlite::Connection;

use super::*;

fn size(dir: &Path) -> u64 {
    std::fs::metadata(dir.join("history.db")).unwrap().len()
}

#[tokio::test]
async fn size_is_bounded_and_unsent_readings_that_go_are_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_size: 400 << 10, ..options(dir.path()) };
    let Opened { store, mut commits, .. } = store::open(options, Clock::manual(noon())).unwrap();
    store.set_sinks(vec![("sent".into(), 0), ("behind".into(), 0)]);
    let mut gaps = Vec::new();
    for start in (1..=40_000).step_by(500) {
        append(&store, start..start + 500).await;
        store.set_cursor("sent", start + 499);
        store.flush().await.unwrap();
        gaps.extend(commits.recv().await.unwrap().gaps);
    }
    store.close(LONG).await.unwrap();
    // Each table and index has a page of its own, and readings go in steps.
    assert!(size(dir.path()) <= 540 << 10, "{}", size(dir.path()));
    let Opened { store, recovered, .. } = open(dir.path());
    let kept = numbers(&store).await;
    assert_eq!(kept, (kept[0]..=40_000).collect::<Vec<_>>());
    assert!(kept.len() > 3000, "{}", kept.len());
    // What is not sent and not there is announced, and nothing else.
    let told = |gap: &Gap| gap.reason == GapReason::SizeLimit && gap.sink.as_deref() == Some("behind");
    assert!(gaps.iter().all(told));
    assert!(gaps.windows(2).all(|pair| pair[0].last + 1 == pair[1].first));
    let whole =
        Gap { first: 1, last: kept[0] - 1, reason: GapReason::SizeLimit, sink: Some("behind".into()) };
    assert_eq!((gaps[0].first, gaps.last().unwrap().last), (1, kept[0] - 1));
    assert_eq!(recovered.gaps, [whole]);
    let rollups: u64 = Connection::open(dir.path().join("history.db"))
        .unwrap()
        .query_row("SELECT min(last_seq) FROM rollups", [], |row| row.get(0))
        .unwrap();
    assert!(rollups >= kept[0]);
}

#[tokio::test]
async fn a_smaller_limit_gives_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    append(&store, 1..=20_000).await;
    store.close(LONG).await.unwrap();
    let before = size(dir.path());
    let options = Options { max_size: 256 << 10, ..options(dir.path()) };
    let Opened { store, .. } = store::open(options, Clock::manual(noon())).unwrap();
    for seq in 20_001..20_060 {
        append(&store, [seq]).await;
        store.flush().await.unwrap();
    }
    store.close(LONG).await.unwrap();
    assert!(size(dir.path()) < before / 2, "{} of {before}", size(dir.path()));
}

/// Stores one reading that came at `received`, and says how many are left after it.
async fn at(dir: &Path, seq: u64, received: &str, reasons: Reasons) -> usize {
    let options = Options { max_age: HOUR, ..options(dir) };
    let received = Timestamp::parse(received).unwrap();
    let Opened { store, .. } = store::open(options, Clock::manual(received)).unwrap();
    let mut readings = vec![Reading { received, time: received, reasons, ..reading(seq) }];
    store.append(&mut readings, &mut Vec::new()).await.unwrap();
    store.flush().await.unwrap();
    let left = numbers(&store).await.len();
    store.close(LONG).await.unwrap();
    left
}

#[tokio::test]
async fn age_deletes_by_trusted_time_only() {
    let dir = tempfile::tempdir().unwrap();
    let none = Reasons::NONE;
    let untrusted = Reasons::of(ReasonCode::TimeUntrusted);
    assert_eq!(at(dir.path(), 1, "2026-11-22T12:00:00Z", none).await, 1);
    assert_eq!(at(dir.path(), 2, "2026-11-22T12:30:00Z", none).await, 2);
    // Clocks that are wrong, flagged or not, delete nothing.
    assert_eq!(at(dir.path(), 3, "2099-01-01T00:00:00Z", none).await, 3);
    assert_eq!(at(dir.path(), 4, "1970-01-01T00:00:00Z", none).await, 4);
    assert_eq!(at(dir.path(), 5, "2026-11-22T14:00:00Z", untrusted).await, 5);
    // The right time comes back: what is older than an hour goes.
    assert_eq!(at(dir.path(), 6, "2026-11-22T13:10:00Z", none).await, 5);
}

#[tokio::test]
async fn age_spares_what_a_sink_has_not_got() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(at(dir.path(), 1, "2026-11-22T12:00:00Z", Reasons::NONE).await, 1);
    let Opened { store, .. } = open(dir.path());
    store.set_sinks(vec![("uplink".into(), 0)]);
    store.close(LONG).await.unwrap();
    assert_eq!(at(dir.path(), 2, "2026-11-22T14:00:00Z", Reasons::NONE).await, 2);
}

#[tokio::test]
async fn a_full_disk_makes_room_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_pages: Some(60), ..options(dir.path()) };
    let Opened { store, mut commits, .. } = store::open(options, Clock::manual(noon())).unwrap();
    for start in (1..=10_000).step_by(200) {
        append(&store, start..start + 200).await;
        store.flush().await.unwrap();
        assert_eq!(commits.recv().await.unwrap().last, start + 199);
    }
    assert!(store.health().expired > 5000);
    assert_eq!(numbers(&store).await.last(), Some(&10_000));
}

#[tokio::test]
async fn what_the_disk_does_not_take_is_held_then_given_up_as_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let pages = u32::try_from(size_after_settling(dir.path()).await / 4096).unwrap();
    // Room for some dozens of readings, never for what comes at once.
    let full = Options { max_pages: Some(pages + 1), ack_batch: 1_000_000, ..options(dir.path()) };
    let Opened { store, mut commits, recovered } = store::open(full, Clock::manual(noon())).unwrap();
    let first = recovered.next_seq;
    store.append(&mut (first..first + 4000).map(reading).collect(), &mut vec![ack(0)]).await.unwrap();
    assert!(store.flush().await.is_err());
    let failed = commits.recv().await.unwrap();
    assert_eq!(failed.failed.as_ref().unwrap().kind, FailureKind::DiskFull);
    assert!(failed.acks.is_empty());
    for start in (first + 4000..first + 24_000).step_by(4000) {
        append(&store, start..start + 4000).await;
        let error = store.flush().await.unwrap_err().to_string();
        assert!(error.contains("history.db") && error.contains("full"), "{error}");
    }
    let health = store.health();
    assert_eq!((health.failing, health.waiting), (Some(FailureKind::DiskFull), 16_384));
    assert_eq!(health.dropped, 24_000 - 16_384);
    drop((store, commits));
}

async fn size_after_settling(dir: &Path) -> u64 {
    loop {
        match store::open(options(dir), Clock::manual(noon())) {
            Ok(opened) => {
                opened.store.close(LONG).await.unwrap();
                return size(dir);
            }
            Err(StoreError::InUse { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_busy_history_is_tried_again_and_acknowledgements_wait() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, mut commits, .. } = open(dir.path());
    let other = Connection::open(dir.path().join("history.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.append(&mut vec![reading(1)], &mut vec![ack(1)]).await.unwrap();
    assert!(store.flush().await.is_err());
    let failed = commits.recv().await.unwrap();
    assert_eq!((failed.failed.unwrap().kind, failed.acks), (FailureKind::Busy, vec![]));
    other.execute_batch("ROLLBACK").unwrap();
    let commit = tokio::time::timeout(LONG, commits.recv()).await.unwrap().unwrap();
    assert_eq!((commit.last, commit.acks), (1, vec![ack(1)]));
    assert_eq!(store.health().failing, None);
}

/// One reading at the clock's time, on disk.
async fn now(store: &Store, clock: &Clock, seq: u64) {
    let received = clock.now();
    store
        .append(&mut vec![Reading { received, time: received, ..reading(seq) }], &mut Vec::new())
        .await
        .unwrap();
    store.flush().await.unwrap();
}

#[tokio::test]
async fn what_age_deletes_is_given_back_in_steps() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(noon());
    let options = Options { max_age: HOUR, ..options(dir.path()) };
    let Opened { store, .. } = store::open(options, clock.clone()).unwrap();
    append(&store, 1..=60_000).await;
    now(&store, &clock, 60_001).await;
    clock.advance(HOUR / 2);
    now(&store, &clock, 60_002).await;
    let db = Connection::open(dir.path().join("history.db")).unwrap();
    let pages = |what: &str| db.query_row(&format!("PRAGMA {what}"), [], |row| row.get::<_, u64>(0)).unwrap();
    let before = pages("page_count");
    clock.advance(2 * HOUR);
    let mut left = before;
    for seq in 60_003..60_043 {
        now(&store, &clock, seq).await;
        let steps = left.saturating_sub(pages("page_count")) / 256;
        assert!(steps <= 1, "{steps} steps at once");
        left = pages("page_count");
    }
    let free = pages("freelist_count");
    assert!(
        left < before / 2 && free <= 256.max(left / 4),
        "{free} of {left} pages are free, {before} before"
    );
    // The file itself shrinks with the next checkpoint.
    drop(db);
    store.close(LONG).await.unwrap();
    assert_eq!(size(dir.path()), left * 4096);
}

#[tokio::test]
async fn a_wal_that_a_reader_let_grow_is_cut_back() {
    let dir = tempfile::tempdir().unwrap();
    let wal = || std::fs::metadata(dir.path().join("history.db-wal")).unwrap().len();
    let Opened { store, .. } = open(dir.path());
    append(&store, 1..=10).await;
    store.flush().await.unwrap();
    let reader = Connection::open(dir.path().join("history.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM readings").unwrap();
    let mut next = 11;
    while wal() < 12 << 20 {
        append(&store, next..next + 4000).await;
        store.flush().await.unwrap();
        next += 4000;
    }
    reader.execute_batch("ROLLBACK").unwrap();
    for seq in next..next + 3 {
        append(&store, [seq]).await;
        store.flush().await.unwrap();
    }
    assert!(wal() <= 8 << 20, "{} bytes", wal());
}
