use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::domain::comparison::{Comparison, ReferenceSensor};
use crate::domain::id::Id;
use crate::domain::quality::{ReasonCode, Reasons, State};
use crate::domain::reference::{Origin, Span};
use crate::domain::sensor::{Kind, Sensor};
use crate::source::binding::{Owner, Template};
use crate::store::{Added, Options, ReferenceRange, open};
use crate::sync::link::Link;
use crate::tracking::{Wanted, Withdraw};

mod judged;
mod shared;

/// So many seconds after a time no reading beside it is awaited any more.
const NONE_COMES: i64 = 1000;
const HOUR: Duration = Duration::from_secs(3600);

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::parse("2026-11-22T12:00:00Z").unwrap().saturating_add_micros(second * 1_000_000)
}

fn sensor(name: &str, reference: Option<&str>) -> Sensor {
    let reference =
        reference.map(|name| ReferenceSensor { sensor: id(name), uncertainty: None, interval: None });
    let comparison = Arc::new(Comparison { reference, ..Comparison::default() });
    Sensor { comparison, ..Sensor::plain(name, "Cel") }
}

fn owned(sensor: Sensor) -> (Sensor, Owner) {
    (sensor, Owner { source: id("source"), field: "v".to_owned() })
}

/// `s` is compared with `ref`.
fn two() -> Sensors {
    Sensors::new(vec![owned(sensor("s", Some("ref"))), owned(sensor("ref", None))], Vec::new())
}

fn given(second: i64, value: f64) -> Reference {
    Reference {
        id: id("r-1"),
        sensor: id("s"),
        span: Span::point(at(second)),
        value,
        u: None,
        unit: "Cel".into(),
        given: None,
        standard: None,
        due: None,
        flag: State::Valid,
        origin: Origin::Manual,
        source: None,
        event: None,
        received: at(second),
    }
}

fn stored(dir: &std::path::Path, clock: &Clock) -> Store {
    let options = Options {
        dir: dir.to_path_buf(),
        commit_interval: HOUR,
        ack_batch: 10,
        max_age: 90 * 24 * HOUR,
        max_size: 1 << 30,
        max_pages: None,
    };
    open(options, clock.clone()).unwrap().store
}

/// A store that answers nothing.
async fn closed(clock: &Clock) -> (Store, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = stored(dir.path(), clock);
    store.close(HOUR).await.unwrap();
    (store, dir)
}

/// The task, driven by hand, at the time that the clock says.
struct Rig {
    tracking: Tracking,
    clock: Clock,
    seq: u64,
    /// The number of each sensor's last reading.
    last: HashMap<String, u64>,
    _dir: TempDir,
}

impl Rig {
    async fn new(sensors: Sensors) -> Rig {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::manual(at(0)));
        let store = stored(dir.path(), &clock);
        let tracking = tracking(sensors, store, &clock);
        let mut rig = Rig { tracking, clock, seq: 0, last: HashMap::new(), _dir: dir };
        rig.tracking.begin().await;
        rig
    }

    /// Begins again as another process would.
    async fn restart(&mut self, sensors: Sensors) {
        self.tracking.parts.store.flush().await.unwrap();
        self.tracking = tracking(sensors, self.tracking.parts.store.clone(), &self.clock);
        self.tracking.begin().await;
        self.work().await;
    }

    fn reading(&mut self, sensor: &str, time: i64, received: i64, raw: f64) -> Reading {
        self.seq += 1;
        Reading {
            sensor: id(sensor),
            seq: self.seq,
            after: self.last.insert(sensor.to_owned(), self.seq),
            time: at(time),
            received: at(received),
            raw: Some(raw),
            value: None,
            u: None,
            p0_p1: None,
            event: None,
            unit: "Cel".into(),
            state: State::Suspect,
            reasons: Reasons::of(ReasonCode::RawOnly),
            transform: None,
        }
    }

    async fn append(&self, reading: &Reading) {
        self.tracking.parts.store.append(&mut vec![reading.clone()], &mut Vec::new()).await.unwrap();
    }

    async fn takes(&mut self, reading: Reading) {
        self.append(&reading).await;
        self.tracking.readings(&[reading]);
    }

    /// Sensor and reference, at once.
    async fn both(&mut self, second: i64, value: f64, reference: f64) {
        for (sensor, raw) in [("s", value), ("ref", reference)] {
            let reading = self.reading(sensor, second, second, raw);
            self.takes(reading).await;
        }
    }

    async fn work(&mut self) {
        while self.tracking.has_work() {
            self.tracking.work().await;
        }
    }

    async fn tick(&mut self, second: i64) {
        self.clock.set(at(second));
        self.tracking.tick().await;
        self.work().await;
        self.tracking.keep().await;
    }

    /// How many pairs count, and their bias.
    async fn says(&mut self) -> (u64, Option<f64>) {
        let (answer, answered) = oneshot::channel();
        self.tracking.serve(Ask::Drift(Wanted::default(), answer)).await;
        let drift = answered.await.unwrap();
        drift.first().map_or((0, None), |drift| (drift.all.calibrated.n, drift.all.calibrated.bias))
    }

    async fn withdraw(&mut self, ids: Vec<Id>) -> Vec<Id> {
        let (answer, answered) = oneshot::channel();
        let order = Withdraw { sensor: id("s"), ids, actor: "user:ann".to_owned(), reason: None };
        self.tracking.serve(Ask::Withdraw(order, answer)).await;
        answered.await.unwrap().unwrap()
    }

    async fn gives(&mut self, reference: Reference) {
        self.tracking.parts.store.add_references(vec![reference.clone()], "user:ann").await.unwrap();
        self.tracking.serve(Ask::References(vec![reference])).await;
    }
}

fn tracking(sensors: Sensors, store: Store, clock: &Clock) -> Tracking {
    let metrics = Metrics::new();
    let link = Link::new(false, clock.clone(), metrics.clone());
    Tracking::new(Parts {
        beside: Beside::default(),
        sensors,
        store,
        live: Live::new(),
        anew: Arc::default(),
        begun: watch::Sender::new(0),
        clock: clock.clone(),
        time: TimeCheck::new(None, true),
        alerting: Alerting::new(&crate::domain::alert::Policy::default()).0,
        publisher: Publisher::new("up".to_owned(), link, metrics.clone(), mpsc::channel(1).0),
        metrics,
        mounted: HashMap::new(),
    })
}

#[tokio::test]
async fn what_is_withdrawn_before_it_is_written_does_not_come_back() {
    let mut rig = Rig::new(two()).await;
    rig.both(0, 20.0, 21.0).await;
    rig.both(100, 20.0, 23.0).await;
    let first = rig.tracking.pending.first_references(1)[0].id.clone();
    assert_eq!(rig.tracking.pending.first_pairs(9).len(), 1, "its pair waits to be written");
    assert_eq!(rig.withdraw(vec![first.clone()]).await, [first]);
    rig.tick(200).await;
    assert_eq!(rig.says().await, (1, Some(-3.0)));
    rig.restart(two()).await;
    assert_eq!(rig.says().await, (1, Some(-3.0)));
}

#[tokio::test]
async fn a_reference_that_was_withdrawn_before_word_of_it_came_is_not_paired() {
    let mut rig = Rig::new(two()).await;
    let reading = rig.reading("s", 0, 0, 20.0);
    rig.takes(reading).await;
    rig.clock.set(at(200));
    rig.tracking.parts.store.add_references(vec![given(0, 21.0)], "user:ann").await.unwrap();
    assert_eq!(rig.withdraw(vec![id("r-1")]).await, [id("r-1")]);
    rig.tracking.serve(Ask::References(vec![given(0, 21.0)])).await;
    rig.tick(300).await;
    assert_eq!(rig.says().await.0, 0);
}

#[tokio::test]
async fn a_revised_reference_without_a_pair_takes_that_of_the_version_before_along() {
    let mut rig = Rig::new(two()).await;
    let reading = rig.reading("s", 0, 0, 20.0);
    rig.takes(reading).await;
    rig.clock.set(at(200));
    rig.gives(given(0, 21.0)).await;
    rig.tick(200).await;
    assert_eq!(rig.says().await, (1, Some(-1.0)));
    rig.gives(Reference { flag: State::Invalid, ..given(0, 21.0) }).await;
    rig.tick(201).await;
    assert_eq!(rig.says().await.0, 0);
    // Word of it was lost with the power.
    rig.gives(given(0, 22.0)).await;
    rig.tick(202).await;
    assert_eq!(rig.says().await, (1, Some(-2.0)));
    rig.tracking.parts.store.add_references(vec![given(0, 24.0)], "user:ann").await.unwrap();
    rig.restart(two()).await;
    // Whoever remembers no reading looks one up once none can come any more.
    rig.tick(NONE_COMES).await;
    assert_eq!(rig.says().await, (1, Some(-4.0)));
}

#[tokio::test]
async fn a_reading_of_a_reference_that_is_revised_takes_the_pair_along() {
    let mut rig = Rig::new(two()).await;
    rig.both(0, 20.0, 21.0).await;
    rig.tick(100).await;
    assert_eq!(rig.says().await, (1, Some(-1.0)));
    let stuck = rig.reading("ref", 0, 100, 22.0);
    rig.takes(Reading { reasons: Reasons::of(ReasonCode::Stuck), ..stuck }).await;
    rig.tick(300).await;
    assert_eq!(rig.says().await.0, 0);
}

/// `s` is made by a template, when it is first seen.
fn templated() -> Sensors {
    let model = sensor("model", Some("ref"));
    let (pattern, source, field) = ("{name}".to_owned(), id("source"), "v".to_owned());
    let template = Template { pattern, source, field, model, max: 10 };
    Sensors::new(vec![owned(sensor("ref", None))], vec![template])
}

#[tokio::test]
async fn sensors_of_templates_are_there_after_a_restart() {
    let mut rig = Rig::new(two()).await;
    rig.both(0, 20.0, 21.0).await;
    rig.tick(100).await;
    rig.both(200, 20.0, 23.0).await;
    rig.tracking.keep_references().await.unwrap();
    rig.clock.set(at(300));
    // One reference has no pair yet, and the sensor has not been seen again.
    let sensors = templated();
    rig.restart(sensors.clone()).await;
    rig.tick(200 + NONE_COMES).await;
    assert_eq!(rig.says().await, (2, Some(-2.0)));
    sensors.replace(vec![owned(sensor("s", Some("ref"))), owned(sensor("ref", None))], Vec::new());
    rig.both(300 + NONE_COMES, 20.0, 28.0).await;
    rig.tick(400 + NONE_COMES).await;
    assert_eq!(rig.says().await, (3, Some(-4.0)));
    // An instrument that was mounted before it was seen again.
    rig.tracking.parts.mounted.insert(id("s"), at(250 + NONE_COMES));
    rig.tracking.begin().await;
    assert_eq!(rig.says().await, (1, Some(-8.0)));
}

#[tokio::test]
async fn a_start_looks_through_the_store_page_by_page() {
    const ALL: i64 = 700;
    let mut rig = Rig::new(Sensors::default()).await;
    for second in 0..ALL {
        for (name, raw) in [("s", 20.0), ("ref", 21.0)] {
            let reading = rig.reading(name, second, second, raw);
            rig.append(&reading).await;
        }
    }
    rig.clock.set(at(ALL + 100));
    rig.tracking.parts.store.flush().await.unwrap();
    rig.tracking = tracking(two(), rig.tracking.parts.store.clone(), &rig.clock);
    rig.tracking.begin().await;
    assert_eq!((rig.tracking.late.len(), rig.tracking.chores.len()), (0, 3), "nobody waits for that");
    while rig.tracking.has_work() {
        rig.tracking.work().await;
        assert!(rig.tracking.late.len() <= 256, "a page at a time");
    }
    rig.tick(ALL + NONE_COMES).await;
    rig.tick(ALL + NONE_COMES + 1).await;
    assert_eq!(rig.says().await, (ALL as u64, Some(-1.0)));
}

#[tokio::test]
async fn a_reload_waits_for_nobody_and_is_not_lost() {
    let mut rig = Rig::new(two()).await;
    rig.both(0, 20.0, 21.0).await;
    rig.tick(100).await;
    let sensors = Sensors::default();
    let again = tracking(sensors.clone(), rig.tracking.parts.store.clone(), &rig.clock);
    let (anew, (asks, asked)) = (again.parts.anew.clone(), mpsc::channel(1));
    let drift = async || {
        let (answer, answered) = oneshot::channel();
        asks.send(Ask::Drift(Wanted::default(), answer)).await.unwrap();
        answered.await.unwrap()
    };
    let (answer, unasked) = oneshot::channel();
    asks.try_send(Ask::Drift(Wanted::default(), answer)).unwrap();
    sensors.replace(vec![owned(sensor("s", Some("ref"))), owned(sensor("ref", None))], Vec::new());
    // There is no room for another ask, and the task has not even begun.
    anew.notify_one();
    let task = tokio::spawn(again.run(asked));
    unasked.await.unwrap();
    assert_eq!(drift().await[0].all.calibrated.n, 1);
    sensors.replace(Vec::new(), Vec::new());
    anew.notify_one();
    let gone = async { while !drift().await.is_empty() {} };
    tokio::time::timeout(HOUR / 60, gone).await.expect("the reload is not lost");
    drop(asks);
    task.await.unwrap();
}

#[tokio::test]
async fn readings_that_come_after_their_reference_was_given_up_still_make_a_pair() {
    let mut rig = Rig::new(two()).await;
    let reference = rig.reading("ref", 0, 0, 21.0);
    rig.takes(reference).await;
    rig.tick(1000).await;
    assert_eq!((rig.says().await.0, rig.tracking.unpaired.len()), (0, 1));
    for (second, raw) in [(-20, 18.0), (0, 20.0)] {
        let reading = rig.reading("s", second, 1100, raw);
        rig.takes(reading).await;
    }
    rig.tick(1159).await;
    assert_eq!(rig.says().await.0, 0, "more may be on their way");
    rig.tick(1160).await;
    assert_eq!(rig.says().await, (1, Some(-1.0)));
    assert_eq!(rig.tracking.unpaired.len(), 0);
}

#[tokio::test]
async fn nothing_is_lost_while_the_store_does_not_answer() {
    let mut rig = Rig::new(two()).await;
    let (closed, _dir) = closed(&rig.clock).await;
    let open = std::mem::replace(&mut rig.tracking.parts.store, closed.clone());
    // Readings were missed, ...
    for (name, raw) in [("s", 20.0), ("ref", 21.0)] {
        let reading = rig.reading(name, 0, 0, raw);
        open.append(&mut vec![reading], &mut Vec::new()).await.unwrap();
    }
    rig.tracking.behind = true;
    rig.work().await;
    assert!(rig.tracking.behind && rig.tracking.last == 0);
    rig.tracking.tick().await;
    assert!(!rig.tracking.resting && rig.tracking.behind, "it tries again after a tick");
    rig.tracking.parts.store = open.clone();
    rig.tick(100).await;
    rig.tick(101).await;
    assert_eq!(rig.says().await, (1, Some(-1.0)));
    // ... and a reference is to be looked up.
    rig.clock.set(at(200));
    let reference = given(0, 23.0);
    open.add_references(vec![reference.clone()], "user:ann").await.unwrap();
    rig.tracking.late.push_back(reference);
    rig.tracking.parts.store = closed;
    rig.work().await;
    assert_eq!(rig.tracking.late.len(), 1);
    rig.tracking.parts.store = open;
    rig.tick(201).await;
    assert_eq!(rig.says().await, (2, Some(-2.0)));
}

#[tokio::test]
async fn what_cannot_be_written_does_not_keep_the_rest_and_is_counted() {
    let mut rig = Rig::new(two()).await;
    let (closed, _dir) = closed(&rig.clock).await;
    rig.both(0, 20.0, 21.0).await;
    rig.tracking.make_stale(&id("s"));
    let open = std::mem::replace(&mut rig.tracking.parts.store, closed);
    rig.tracking.keep().await;
    assert_eq!(rig.tracking.pending.first_references(9).len(), 1);
    assert!(rig.tracking.trackers[&id("s")].is_stale());
    rig.tracking.parts.store = open;
    rig.tick(100).await;
    assert_eq!(rig.says().await, (1, Some(-1.0)));
    let range = ReferenceRange { automatic: true, limit: 9, ..ReferenceRange::default() };
    assert_eq!(rig.tracking.parts.store.references(range).await.unwrap().references.len(), 1);
    for _ in 0..10_003 {
        rig.tracking.pending.reference(given(0, 1.0));
    }
    assert_eq!((rig.tracking.pending.shorten(), rig.tracking.pending.shorten()), (3, 0));
}

#[tokio::test]
async fn labels_without_room_to_wait_are_set_aside_and_found_in_time() {
    let labelled = Sensor { kind: Kind::Probability, unit: "1".into(), ..sensor("s", None) };
    let mut rig = Rig::new(Sensors::new(vec![owned(labelled)], Vec::new())).await;
    let label = |number: usize| Reference {
        id: id(&format!("l-{number}")),
        unit: "1".into(),
        event: Some(format!("e-{number}").into()),
        origin: Origin::Mqtt,
        ..given(0, 1.0)
    };
    let (answer, answered) = oneshot::channel();
    rig.tracking.serve(Ask::Keep((0..300).map(label).collect(), answer)).await;
    assert_eq!(answered.await.unwrap().unwrap(), [Added::New; 300]);
    rig.work().await;
    assert_eq!((rig.tracking.late.len(), rig.tracking.aside.len()), (0, 44));
    for number in [0, 299] {
        let event = Some(format!("e-{number}").into());
        let reading = Reading { unit: "1".into(), event, ..rig.reading("s", 1, 1, 0.25) };
        rig.takes(reading).await;
    }
    rig.tick(2).await;
    assert_eq!(rig.says().await, (1, Some(-0.75)), "of the one that its sensor remembers");
    // A label that is corrected is one label.
    let (answer, answered) = oneshot::channel();
    let corrected = Reference { value: 0.0, ..label(0) };
    rig.tracking.serve(Ask::Keep(vec![corrected.clone(), corrected], answer)).await;
    assert_eq!(answered.await.unwrap().unwrap(), [Added::Revised(1), Added::Unchanged]);
    rig.tick(3).await;
    assert_eq!(rig.says().await, (1, Some(0.25)));
    rig.tick(1000).await;
    assert_eq!(rig.says().await, (2, Some(-0.25)));
    assert!(rig.tracking.aside.is_empty());
}

#[tokio::test]
async fn a_reference_by_hand_is_paired_as_soon_as_no_nearer_reading_can_come() {
    let mut rig = Rig::new(Sensors::new(vec![owned(sensor("s", None))], Vec::new())).await;
    for second in [0, 8] {
        let reading = rig.reading("s", second, second, 20.0);
        rig.takes(reading).await;
    }
    rig.clock.set(at(10));
    rig.gives(given(10, 21.0)).await;
    // None is nearer than two seconds, and what is on its way comes within a minute.
    for second in [11, 40, 71] {
        rig.tick(second).await;
        assert_eq!(rig.says().await.0, 0, "{second}");
    }
    rig.tick(72).await;
    assert_eq!(rig.says().await, (1, Some(-1.0)));
    assert!(rig.tracking.aside.is_empty());
}
