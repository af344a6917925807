use std::path::Path;

use tokio::task::JoinHandle;

use super::*;
use crate::store::{self, Opened, Options};

const HOUR: Duration = Duration::from_secs(3600);

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-22T12:00:00Z").unwrap()
}

fn hours(hours: i64) -> Timestamp {
    noon().saturating_add_micros(hours * 3_600_000_000)
}

/// What runs, and what the pipeline is told.
struct Site {
    maintenance: Maintenance,
    told: mpsc::Receiver<Request>,
    store: Store,
    clock: Clock,
    task: JoinHandle<()>,
}

impl Site {
    fn start(dir: &Path, at: Timestamp) -> Site {
        let clock = Clock::manual(at);
        let options = Options {
            dir: dir.to_path_buf(),
            commit_interval: HOUR,
            ack_batch: 10,
            max_age: 24 * HOUR,
            max_size: 1 << 30,
            max_pages: None,
        };
        let Opened { store, recovered, .. } = store::open(options, clock.clone()).unwrap();
        let (pipeline, told) = mpsc::channel(8);
        let maintenance = Maintenance::new(
            recovered.maintenance,
            store.clone(),
            pipeline,
            Alerting::new(&crate::domain::alert::Policy::default()).0,
            clock.clone(),
        );
        let task = tokio::spawn(maintenance.clone().run());
        Site { maintenance, told, store, clock, task }
    }

    async fn told(&mut self) -> (String, bool) {
        match self.told.recv().await {
            Some(Request::Maintenance(sensor, on)) => (sensor.to_string(), on),
            other => panic!("{other:?}"),
        }
    }

    async fn begin(&self, length: Duration) -> Upkeep {
        let (sensor, reason) = (SensorId::new("co-1").unwrap(), Some("new filter".to_owned()));
        self.maintenance.begin(sensor, length, reason, "user:ann".to_owned()).await.unwrap()
    }

    async fn actions(&self) -> Vec<(String, String)> {
        let rows = self.store.audit_after(0, 100).await.unwrap();
        let ours = rows.into_iter().filter(|row| row.subject == "co-1");
        ours.map(|row| (row.actor, row.action)).collect()
    }

    /// Stops, and gives the directory's lock back.
    async fn stop(self) {
        self.task.abort();
        // Paused time would be over before the store's thread has answered.
        tokio::time::resume();
        self.store.close(HOUR).await.unwrap();
        tokio::time::pause();
    }
}

/// Paused time goes on while the store's thread is waited for, so begins and ends are known to some looks.
fn about(time: Duration, wanted: Duration) -> bool {
    time >= wanted && time < wanted + 10 * LOOK
}

fn pair(one: &str, other: &str) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

#[tokio::test(start_paused = true)]
async fn it_ends_by_itself_and_all_is_audited() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path(), noon());
    let start = Instant::now();
    site.begin(HOUR).await;
    assert_eq!(site.told().await, ("co-1".to_owned(), true));
    assert_eq!(site.told().await, ("co-1".to_owned(), false));
    assert!(about(start.elapsed(), HOUR), "{:?}", start.elapsed());
    assert!(site.maintenance.all().is_empty());
    site.begin(HOUR).await;
    let sensor = SensorId::new("co-1").unwrap();
    assert!(site.maintenance.end(sensor.clone(), "user:bob".to_owned()).await.unwrap());
    assert!(!site.maintenance.end(sensor, "user:bob".to_owned()).await.unwrap());
    let on = pair("user:ann", "maintenance.on");
    let wanted = [on.clone(), pair("calibd", "maintenance.expired"), on, pair("user:bob", "maintenance.off")];
    assert_eq!(site.actions().await, wanted);
    site.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_ends_nothing_early_or_late() {
    for step in [-1000, 1000] {
        let dir = tempfile::tempdir().unwrap();
        let mut site = Site::start(dir.path(), noon());
        let start = Instant::now();
        site.begin(HOUR).await;
        site.told().await;
        site.clock.set(hours(step));
        site.told().await;
        assert!(about(start.elapsed(), HOUR), "{:?}", start.elapsed());
        site.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_survives_a_restart_even_after_the_clock_was_set() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path(), noon());
    site.begin(4 * HOUR).await;
    site.told().await;
    // Set by ten hours; an hour passes, of which this clock shows nothing.
    site.clock.set(hours(10));
    tokio::time::advance(HOUR).await;
    site.maintenance.look().await.unwrap();
    site.stop().await;

    let mut site = Site::start(dir.path(), hours(11));
    assert_eq!(site.told().await, ("co-1".to_owned(), true));
    let all = site.maintenance.all();
    let left = all["co-1"].until.micros_since(hours(11));
    assert!((left - 7_200_000_000).abs() < 10 * 60_000_000, "{left}");
    site.stop().await;

    // A clock at 1970 gives the whole time again and no more.
    let mut site = Site::start(dir.path(), Timestamp::EPOCH);
    site.told().await;
    let start = Instant::now();
    assert_eq!(site.told().await, ("co-1".to_owned(), false));
    assert!(start.elapsed() < 15 * HOUR, "{:?}", start.elapsed());
    site.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_word_changes_the_end_and_not_the_begin() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path(), noon());
    site.begin(HOUR).await;
    site.told().await;
    site.clock.set(hours(1));
    let start = Instant::now();
    let upkeep = site.begin(3 * HOUR).await;
    assert_eq!((upkeep.since, upkeep.until), (noon(), hours(4)));
    assert_eq!(site.told().await, ("co-1".to_owned(), true));
    site.told().await;
    assert!(about(start.elapsed(), 3 * HOUR), "{:?}", start.elapsed());
    site.stop().await;
}
