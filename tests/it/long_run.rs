//! The real pipeline and the real store, and a clock that is moved by hand: eighteen months in some seconds.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use calibd::alerting::Alerting;
use calibd::domain::alert::Policy;
use calibd::domain::digest::Digest;
use calibd::domain::id::Id;
use calibd::domain::quality::ReasonCode;
use calibd::domain::sample::{Reading, Sample};
use calibd::domain::sensor::{Kind, Sensor};
use calibd::domain::sequence::{BLOCK, Block, Numbers};
use calibd::domain::time::Timestamp;
use calibd::domain::transform::artifact::Transform;
use calibd::domain::transform::compile;
use calibd::pipeline::active::Active;
use calibd::pipeline::beside::Beside;
use calibd::pipeline::calibrate::{Calibrator, OnExpired};
use calibd::pipeline::live::Live;
use calibd::pipeline::run::{Pipeline, Request};
use calibd::pipeline::time::TimeCheck;
use calibd::runtime::clock::Clock;
use calibd::runtime::pulse::Pulse;
use calibd::source::binding::{Owner, Sensors};
use calibd::store::{self, Commit, Opened, Options, Recovered, Store, StoreError};
use calibd::sync::link::Link;
use calibd::telemetry::metrics::Metrics;
use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: i64 = 86_400_000_000;
/// Half a day passes at once, with a sample of each sensor for every half hour of it.
const STEP: Duration = Duration::from_secs(12 * 3600);
const SAMPLES: usize = 24;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const PER_STEP: usize = SAMPLES * NAMES.len();
/// Eighteen months.
const STEPS: usize = 548 * 2;
const MAX_AGE_DAYS: i64 = 90;

fn start() -> Timestamp {
    Timestamp::parse("2026-11-22T00:00:00Z").unwrap()
}

/// When the transform expires.
fn expiry() -> Timestamp {
    start().saturating_add_micros(300 * DAY + 6 * 3_600_000_000)
}

fn sensors() -> Sensors {
    Sensors::new(configured("mV"), Vec::new())
}

/// The sensors as a configuration with this unit has them.
fn configured(unit: &str) -> Vec<(Sensor, Owner)> {
    let sensor = |name: &&str| Sensor {
        id: Id::new(name).unwrap(),
        quantity: "q".to_owned(),
        kind: Kind::Measurement,
        unit: unit.into(),
        model: None,
        serial: None,
        uncertainty: Some(0.5),
        covariates: BTreeMap::new(),
        comparison: Default::default(),
        monitor: None,
        checks: Default::default(),
    };
    let owned = |name| (sensor(name), Owner { source: Id::new("source").unwrap(), field: "v".to_owned() });
    NAMES.iter().map(owned).collect()
}

fn active() -> Arc<Active> {
    let text = format!(
        r#"{{"schema": 1, "id": "t", "epoch": 1, "version": 1, "target": {{"fleet": "f", "sensors": ["a"]}},
            "quantity": "q", "input_unit": "mV", "output_unit": "mg/m3",
            "pipeline": [{{"kind": "affine", "offset": 1, "gain": 2}}],
            "issued_at": "{}", "expires": "{}"}}"#,
        start(),
        expiry()
    );
    let transform = Transform::parse(text.as_bytes()).unwrap();
    let compiled = Arc::new(compile(&transform).unwrap());
    Arc::new(Active::of(&transform, Digest::of(&[b"t"]), compiled, transform.issued_at))
}

/// A gateway between two starts.
struct Run {
    store: Store,
    commits: mpsc::UnboundedReceiver<Commit>,
    recovered: Recovered,
    samples: mpsc::Sender<Sample>,
    requests: mpsc::Sender<Request>,
    sensors: Sensors,
    seen: broadcast::Receiver<Arc<[Reading]>>,
    pipeline: JoinHandle<Result<u64, StoreError>>,
}

impl Run {
    fn start(dir: &Path, clock: &Clock) -> Run {
        let options = Options {
            dir: dir.to_path_buf(),
            commit_interval: HOUR,
            ack_batch: 10,
            max_age: Duration::from_secs(86_400 * MAX_AGE_DAYS as u64),
            max_size: 1 << 30,
            max_pages: None,
        };
        let Opened { store, commits, recovered } = store::open(options, clock.clone()).unwrap();
        store.set_sinks(vec![("uplink".into(), 0)]);
        let mut calibrator = Calibrator::new(recovered.last_seq_of_sensor.clone(), OnExpired::Keep);
        calibrator.set_active(&Id::new("a").unwrap(), Some(active()));
        let sensors = sensors();
        let (samples, source) = mpsc::channel(PER_STEP);
        let (requests, asked) = mpsc::channel(1);
        let live = Live::new();
        let (seen, metrics) = (live.watch(), Metrics::new());
        let pipeline = Pipeline {
            beside: Beside::default(),
            sources: vec![source],
            requests: asked,
            sensors: sensors.clone(),
            calibrator,
            numbers: Numbers::new(Block { first: recovered.next_seq, last: recovered.block_end }),
            store: store.clone(),
            uplink: Link::new(false, clock.clone(), metrics.clone()),
            live,
            alerting: Alerting::new(&Policy::default()).0,
            time: TimeCheck::new(None, true),
            clock: clock.clone(),
            metrics,
            pulse: Pulse::new(),
        };
        let pipeline = tokio::spawn(pipeline.run());
        Run { store, commits, recovered, samples, requests, sensors, seen, pipeline }
    }

    /// Half a day's samples become readings on disk.
    async fn half_a_day(&mut self, clock: &Clock) -> Vec<Reading> {
        clock.advance(STEP);
        tokio::time::advance(STEP).await;
        let now = clock.now();
        for sample in 0..SAMPLES {
            let before = (SAMPLES - 1 - sample) as i64 * 1_800_000_000;
            let device_time = Some(now.saturating_add_micros(-before));
            for name in NAMES {
                let (sensor, raw) = (Id::new(name).unwrap(), Some(sample as f64));
                let sample =
                    Sample { sensor, device_time, gateway_time: now, raw, u: None, event: None, ack: None };
                self.samples.send(sample).await.unwrap();
            }
        }
        let mut readings = Vec::new();
        while readings.len() < PER_STEP {
            readings.extend_from_slice(&self.seen.recv().await.unwrap());
        }
        self.store.flush().await.unwrap();
        self.store.set_cursor("uplink", readings.last().unwrap().seq);
        readings
    }

    /// Ends in order; answers with the last number given.
    async fn end(self) -> u64 {
        self.requests.send(Request::Finish).await.unwrap();
        let last = self.pipeline.await.unwrap().unwrap();
        // The store's thread takes real time, and the deadline must not pass meanwhile.
        tokio::time::resume();
        self.store.close(HOUR).await.unwrap();
        tokio::time::pause();
        last
    }
}

/// What is checked along the way.
#[derive(Default)]
struct Seen {
    last: u64,
    last_of: HashMap<Id, u64>,
    committed: u64,
    expired: usize,
}

impl Seen {
    fn half_a_day(
        &mut self,
        readings: &[Reading],
        now: Timestamp,
        commits: &mut mpsc::UnboundedReceiver<Commit>,
    ) {
        for reading in readings {
            assert_eq!(reading.seq, self.last + 1, "numbers follow each other");
            self.last = reading.seq;
            assert_eq!(reading.after, self.last_of.insert(reading.sensor.clone(), reading.seq));
            assert!(!reading.reasons.contains(ReasonCode::TimeUntrusted));
            let calibrated = reading.sensor.as_str() == "a";
            assert_eq!(reading.value, reading.raw.filter(|_| calibrated).map(|raw| 1.0 + 2.0 * raw));
            let expired = reading.reasons.contains(ReasonCode::TransformExpired);
            assert_eq!(expired, calibrated && now > expiry(), "reading {} of {now}", reading.seq);
            self.expired += usize::from(expired);
        }
        while let Ok(commit) = commits.try_recv() {
            assert_eq!((commit.failed, commit.gaps), (None, vec![]));
            if commit.rows > 0 {
                assert_eq!(commit.first, self.committed + 1, "nothing is left out, nothing comes twice");
                self.committed = commit.last;
            }
        }
        assert_eq!(self.committed, self.last);
    }
}

fn size(dir: &Path, name: &str) -> u64 {
    std::fs::metadata(dir.join(name)).map_or(0, |file| file.len())
}

fn count(dir: &Path, file: &str, sql: &str) -> u64 {
    Connection::open(dir.join(file)).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn eighteen_months_of_four_sensors() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let clock = Clock::manual(start());
    let mut run = Run::start(dir, &clock);
    let (mut seen, mut settled) = (Seen::default(), 0);
    for step in 1..=STEPS {
        let readings = run.half_a_day(&clock).await;
        seen.half_a_day(&readings, clock.now(), &mut run.commits);
        let days = step as i64 / 2;
        if days > MAX_AGE_DAYS + 2 && step % 60 == 0 {
            let oldest = run.store.read_after(0, 1, u64::MAX).await.unwrap().remove(0);
            let age = clock.now().micros_since(oldest.received) / DAY;
            assert!((MAX_AGE_DAYS - 1..=MAX_AGE_DAYS + 2).contains(&age), "{age} days old after {days}");
        }
        if days == 2 * MAX_AGE_DAYS {
            settled = size(dir, "history.db");
        }
        assert!(size(dir, "history.db-wal") <= 9 << 20 && size(dir, "ledger.db-wal") <= 1 << 20);
        if step == STEPS / 2 {
            let incarnation = run.recovered.incarnation.clone();
            let last = run.end().await;
            run = Run::start(dir, &clock);
            let recovered = &run.recovered;
            assert_eq!((last, recovered.next_seq, &recovered.gaps), (seen.last, seen.last + 1, &vec![]));
            assert_eq!(recovered.incarnation, incarnation);
        }
    }
    assert!(seen.expired > 10_000 && seen.last > BLOCK, "{} {}", seen.expired, seen.last);
    run.end().await;

    let (history, ledger) = (size(dir, "history.db"), size(dir, "ledger.db"));
    assert!(history <= settled + settled / 4, "{history} bytes, {settled} a year before");
    assert!(ledger < 1 << 20, "{ledger} bytes");
    let readings = count(dir, "history.db", "SELECT count(*) FROM readings");
    let kept = MAX_AGE_DAYS as u64 * 2 * PER_STEP as u64;
    assert!((kept - kept / 20..=kept + kept / 20).contains(&readings), "{readings} readings are kept");
    // Half an hour lies between two readings of a sensor, so that each has its own minute.
    let rollups = count(dir, "history.db", "SELECT count(*) FROM rollups");
    assert!((readings..=readings + 5000).contains(&rollups), "{rollups} rollups for {readings} readings");
    let minutes = count(dir, "history.db", "SELECT count(*) FROM minutes");
    assert!(minutes < readings / 2, "{minutes} minutes");
    assert!(count(dir, "history.db", "SELECT count(*) FROM marks") < 400);
    // The last block and the one before it, whose readings were not yet stored when the last was reserved.
    assert_eq!(count(dir, "ledger.db", "SELECT count(*) FROM blocks"), 2);
    assert_eq!(count(dir, "ledger.db", "SELECT max(last) FROM blocks"), 2 * BLOCK);
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_before_a_change_of_units_is_read_in_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(start());
    let mut run = Run::start(dir.path(), &clock);
    let (id, now) = (Id::new("b").unwrap(), clock.now());
    let sample = |raw| Sample {
        sensor: id.clone(),
        device_time: None,
        gateway_time: now,
        raw: Some(raw),
        u: None,
        event: None,
        ack: None,
    };
    run.samples.try_send(sample(0.0)).unwrap();
    run.seen.recv().await.unwrap();
    // The pipeline cannot run before the next `await`, so all of this finds it together.
    (1..=PER_STEP).for_each(|raw| run.samples.try_send(sample(raw as f64)).unwrap());
    run.sensors.replace(configured("V"), Vec::new());
    let (done, changed) = oneshot::channel();
    run.requests.try_send(Request::Reconfigure(Vec::new(), OnExpired::Keep, done)).unwrap();
    changed.await.unwrap();
    run.samples.try_send(sample(101.0)).unwrap();
    let mut units = Vec::new();
    while units.len() < PER_STEP + 1 {
        units.extend(run.seen.recv().await.unwrap().iter().map(|reading| reading.unit.to_string()));
    }
    assert!(units[..PER_STEP].iter().all(|unit| unit == "mV") && units[PER_STEP] == "V", "{units:?}");
    run.end().await;
}
