//! A real disk that fills up.

use calibd::domain::quality::ReasonCode;
use calibd::store::disk::Stage;

use rusqlite::Connection;

use super::*;
use crate::support::disk::Disk;

const MIB: u64 = 1 << 20;

/// A store on a disk of 300 MiB, whose limits are at 64, 32 and 16 MiB; its history has about 8 MiB.
struct Small {
    disk: Disk,
    opened: Opened,
    clock: Clock,
    next: u64,
    /// After the store's thread has ended.
    _dir: tempfile::TempDir,
}

impl Small {
    async fn new() -> Small {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::ext4(&dir.path().join("store"), 320);
        let clock = Clock::manual(noon());
        let options = Options { max_size: 16 * MIB, ..options(&dir.path().join("store")) };
        let opened = store::open(options, clock.clone()).unwrap();
        let mut small = Small { disk, opened, clock, next: 1, _dir: dir };
        small.opened.store.set_sinks(vec![("uplink".into(), 0)]);
        while small.pages() < 2048 {
            small.stores(4000).await;
        }
        small
    }

    fn store(&self) -> &Store {
        &self.opened.store
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self._dir.path().join("store").join(name)
    }

    fn pages(&self) -> u64 {
        let history = Connection::open(self.path("history.db")).unwrap();
        history.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap()
    }

    async fn stores(&mut self, readings: u64) {
        append(self.store(), self.next..self.next + readings).await;
        self.store().flush().await.unwrap();
        self.next += readings;
    }

    fn stage(&self) -> Stage {
        self.store().health().disk.unwrap().stage
    }

    async fn last(&self) -> Reading {
        self.store().read_after(self.next - 2, 1, u64::MAX).await.unwrap().remove(0)
    }
}

#[tokio::test]
async fn old_readings_go_before_their_time_but_not_all() {
    let mut small = Small::new().await;
    small.disk.leave(50 * MIB);
    small.stores(10).await;
    assert_eq!((small.stage(), small.store().health().expired), (Stage::Low, 0));
    small.disk.leave(25 * MIB);
    let before = small.pages();
    small.stores(10).await;
    assert_eq!(small.stage(), Stage::Retention);
    assert!(small.pages() + 256 >= before, "{} of {before} pages at once", small.pages());
    for _ in 0..150 {
        small.stores(10).await;
    }
    // An eighth of `max_size` is kept, and with it the newest readings, whole.
    let left = small.pages();
    assert!((480..=800).contains(&left), "{left} pages");
    assert_eq!((small.stage(), small.last().await), (Stage::Retention, reading(small.next - 1)));
    small.disk.leave(100 * MIB);
    let expired = small.store().health().expired;
    small.stores(10).await;
    assert_eq!((small.stage(), small.store().health().expired), (Stage::Ok, expired));

    let kept = numbers(small.store()).await;
    assert_eq!(kept, (kept[0]..small.next).collect::<Vec<_>>());
    assert!(kept[0] > 1 && kept.len() > 20_000, "{} from {}", kept.len(), kept[0]);
    let mut gaps = Vec::new();
    while let Ok(commit) = small.opened.commits.try_recv() {
        gaps.extend(commit.gaps);
    }
    let size_limit = |gap: &Gap| gap.reason == GapReason::SizeLimit && gap.sink.as_deref() == Some("uplink");
    assert!(gaps.iter().all(size_limit), "{gaps:?}");
    assert_eq!((gaps[0].first, gaps.last().unwrap().last), (1, kept[0] - 1));
}

#[tokio::test]
async fn a_nearly_full_disk_takes_raw_values_in_the_place_of_old_ones() {
    let mut small = Small::new().await;
    small.disk.leave(14 * MIB);
    small.stores(10).await;
    assert_eq!(small.stage(), Stage::RawOnly);
    let whole = reading(small.next - 1);
    let raw = small.last().await;
    assert_eq!((raw.seq, raw.raw, raw.time, raw.after), (whole.seq, whole.raw, whole.time, whole.after));
    assert_eq!((raw.value, raw.u, raw.p0_p1), (None, None, None));
    assert_eq!((raw.state, raw.reasons), (State::Suspect, Reasons::of(ReasonCode::RawOnly)));

    let before = small.pages();
    for _ in 0..60 {
        small.stores(1000).await;
        let now = small.pages();
        assert!(now <= before + 256, "the file has grown from {before} to {now} pages");
    }
    assert!(small.pages() < 800, "{} pages", small.pages());
    assert_eq!(small.store().health().failures, 0);

    // Nothing at all is left: the ledger goes on with what was set aside for it.
    small.disk.leave(0);
    let reserve = small.path("reserve");
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), MIB);
    for number in 0..400 {
        small.store().audit("test", "full", &number.to_string(), "").await.unwrap();
    }
    assert!(std::fs::metadata(&reserve).map_or(0, |file| file.len()) < MIB, "the reserve was not needed");

    small.disk.leave(100 * MIB);
    small.clock.advance(Duration::from_secs(11));
    small.stores(10).await;
    assert_eq!((small.stage(), small.last().await), (Stage::Ok, reading(small.next - 1)));
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), MIB);
    // Numbers, minutes and the last reading of the sensor are right after all this.
    small.store().close(LONG).await.unwrap();
    let again = open(&small.path("")).recovered;
    assert_eq!((again.last_seq_of_sensor["co-1"], again.next_seq), (small.next - 1, small.next));
}
