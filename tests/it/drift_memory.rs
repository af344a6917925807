//! What a sensor's comparison with its references holds in memory, counted by the allocator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use calibd::domain::calibration::Moment;
use calibd::domain::comparison::{Comparison, ReferenceSensor};
use calibd::domain::digest::Digest;
use calibd::domain::drift::cohort::{Cohort, Cohorts};
use calibd::domain::drift::forecast::forecast;
use calibd::domain::drift::input::{InputTerms, InputWatch, Measure};
use calibd::domain::drift::judge::{Judge, Terms};
use calibd::domain::drift::pair::{Facts, Pair as Counted};
use calibd::domain::id::Id;
use calibd::domain::pairing::Pair;
use calibd::domain::quality::{Reasons, State};
use calibd::domain::reference::{Origin, Span};
use calibd::domain::resample::Seeded;
use calibd::domain::sample::{Reading, TransformRef};
use calibd::domain::sensor::{Kind, Sensor};
use calibd::domain::time::Timestamp;
use calibd::domain::transform::artifact::Condition;
use calibd::domain::uncertainty::decision::{Combine, Mpe};
use calibd::tracking::Wanted;
use calibd::tracking::tracker::Tracker;

use crate::support::allocator::held;

const YEAR: i64 = 24 * 365;
const COHORTS: usize = 4;

fn time(hour: i64) -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap().saturating_add_micros(hour * 3_600_000_000)
}

fn id(name: &str) -> Id {
    Id::new(name).unwrap()
}

fn mpe() -> Option<Mpe> {
    Some(Mpe { absolute: Some(0.5), relative: Some(0.1), combine: Combine::Max })
}

/// What readings and pairs share with each other and with the sensor.
struct Shared {
    transform: Arc<TransformRef>,
    unit: Arc<str>,
}

impl Shared {
    fn new() -> Shared {
        let transform = TransformRef { id: id("co"), version: 1, digest: Digest([1; 32]) };
        Shared { transform: Arc::new(transform), unit: "mg/m3".into() }
    }
}

fn pair(hour: i64, value: f64, shared: &Shared) -> Pair {
    Pair {
        sensor: id("co-1"),
        reference: id(&format!("r-{hour}")),
        span: Span::point(time(hour)),
        value: Some(value),
        u: Some(0.3),
        raw: Some(value),
        reference_value: 20.0,
        reference_u: Some(0.1),
        u_shared: None,
        unit: shared.unit.clone(),
        transform: Some(shared.transform.clone()),
        readings: 60,
        completeness: 1.0,
        seqs: (1, 60),
        state: State::Valid,
        reasons: Reasons::NONE,
        flag: State::Valid,
        standard: None,
        overdue: false,
        origin: Origin::Sensor,
        lag: 0,
        latency: 0,
        covariates: BTreeMap::from([("temperature".to_owned(), (hour % 40) as f64)]),
    }
}

/// The value of an hour that drifts by what is permitted in two years.
fn value(hour: i64, random: &mut Seeded) -> f64 {
    20.0 + hour as f64 / YEAR as f64 + 0.2 * random.normal()
}

/// A judge with so many hourly pairs; it has its forecast as soon as there can be one.
fn judged(hours: i64) -> Judge {
    let (terms, shared) = (Terms { mpe: mpe(), ..Terms::default() }, Shared::new());
    let (mut judge, mut random) = (Judge::new(&terms), Seeded::new(9));
    for hour in 0..hours {
        let value = value(hour, &mut random);
        let counted = Counted::new(Kind::Measurement, Facts::new(time(hour), value, 20.0)).unwrap();
        judge.pair(&terms, &pair(hour, value, &shared), &counted, time(hour));
    }
    if let Some((past, question)) = judge.forecast_due(&terms, None, time(hours)) {
        judge.foretell(forecast(&past, &question, time(hours)), time(hours));
    }
    judge
}

#[test]
fn a_judge_is_under_8_kb_while_it_learns_and_after() {
    // Above a day a point it has grown as far as it grows: 129 to 256 days have as many points.
    for hours in [0, 1999, 128 * 24, 256 * 24, YEAR] {
        let (judge, bytes) = held(|| judged(hours));
        println!("a judge after {hours} hourly pairs: {bytes} bytes");
        assert_eq!(judge.forecast().is_some(), hours > 0);
        assert!(bytes < 8000, "{hours}: {bytes}");
        // As it is after a start.
        let text = serde_json::to_string(&judge).unwrap();
        let (read, bytes) = held(|| serde_json::from_str::<Judge>(&text).unwrap());
        println!("... and read again: {bytes} bytes");
        assert_eq!(read, judge);
        assert!(bytes < 8000, "{hours}: {bytes}");
    }
}

fn reading(hour: i64, raw: f64, shared: &Shared) -> Reading {
    Reading {
        sensor: id("co-1"),
        seq: hour as u64 + 1,
        after: None,
        time: time(hour),
        received: time(hour),
        raw: Some(raw),
        value: Some(raw),
        u: Some(0.3),
        p0_p1: None,
        event: None,
        unit: shared.unit.clone(),
        state: State::Valid,
        reasons: Reasons::NONE,
        transform: Some(shared.transform.clone()),
    }
}

#[test]
fn a_watch_of_raw_values_is_under_5_kb() {
    for measure in [Measure::Psi, Measure::Ks] {
        for hours in [499, 2000] {
            let (shared, mut random) = (Shared::new(), Seeded::new(3));
            let terms = InputTerms { measure, every: Duration::from_secs(3600), block: 500 };
            let (_watch, bytes) = held(|| {
                let mut watch = InputWatch::new(terms);
                for hour in 0..hours {
                    assert!(watch.reading(&reading(hour, random.normal(), &shared)));
                }
                watch
            });
            println!("raw values by {measure:?}, {hours} of them: {bytes} bytes");
            assert!(bytes < 5000, "{measure:?}, {hours}: {bytes}");
        }
    }
}

/// A sensor with four cohorts, compared with another one or by hand.
fn sensor(reference: bool) -> Arc<Sensor> {
    let cohort = |at: usize| {
        let below = Some(10.0 * (at + 1) as f64);
        let when = vec![Condition { covariate: "temperature".to_owned(), below, above: None }];
        Cohort { name: format!("below-{at}"), when, ..Cohort::default() }
    };
    let comparison = Comparison {
        period: Some(Duration::from_secs(3600)),
        mpe: mpe(),
        reference: reference.then(|| ReferenceSensor {
            sensor: id("ref"),
            uncertainty: None,
            interval: None,
        }),
        cohorts: Cohorts::new((0..COHORTS).map(cohort).collect(), 30).unwrap(),
        ..Comparison::default()
    };
    Arc::new(Sensor {
        id: id("co-1"),
        quantity: "mass concentration".to_owned(),
        kind: Kind::Measurement,
        unit: "mg/m3".into(),
        model: None,
        serial: None,
        uncertainty: None,
        covariates: BTreeMap::from([("temperature".to_owned(), id("temp-1"))]),
        comparison: Arc::new(comparison),
        monitor: None,
        checks: [].into(),
    })
}

/// All that is held for a sensor after a year of hourly readings and pairs, without what it shares.
fn tracked(sensor: &Arc<Sensor>, shared: &Shared) -> Tracker {
    let (mut tracker, mut random) = (Tracker::new(sensor.clone(), None, None), Seeded::new(9));
    for hour in 0..YEAR {
        let value = value(hour, &mut random);
        tracker.reading(&reading(hour, value, shared));
        tracker.pair(&pair(hour, value, shared), Moment { now: time(hour), trusted: true });
    }
    let (past, question) = tracker.judging().forecast_due(time(YEAR)).unwrap();
    tracker.judging_mut().foretell(forecast(&past, &question, time(YEAR)), time(YEAR));
    tracker
}

#[test]
fn all_that_is_held_of_a_sensor_with_four_cohorts_is_bounded() {
    let shared = Shared::new();
    // The readings that a configured reference may be paired with come on top.
    for (reference, most) in [(false, 24_000), (true, 60_000)] {
        let sensor = sensor(reference);
        let (tracker, bytes) = held(|| tracked(&sensor, &shared));
        println!("a sensor, with a configured reference: {reference}: {bytes} bytes");
        let cohorts = tracker.drift(&Wanted::default(), time(YEAR)).unwrap().cohorts;
        assert_eq!(cohorts.iter().filter(|cohort| cohort.fallback.is_none()).count(), COHORTS);
        assert!(bytes < most, "{reference}: {bytes}");
    }
}
