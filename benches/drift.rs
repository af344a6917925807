//! What it costs to count a pair in the windows of a sensor, to report them, and to build those of
//! 1,000 sensors with 4 cohorts each from a week of hourly pairs.

use std::hint::black_box;

use calibd::domain::digest::Digest;
use calibd::domain::drift::cohort::{Cohort, Cohorts};
use calibd::domain::drift::judge::{Judge, Terms};
use calibd::domain::drift::pair::{Facts, Pair};
use calibd::domain::drift::window::{Setup, Windows};
use calibd::domain::id::Id;
use calibd::domain::pairing::Pair as Stored;
use calibd::domain::quality::{Reasons, State};
use calibd::domain::reference::{Origin, Span};
use calibd::domain::resample::Seeded;
use calibd::domain::sample::TransformRef;
use calibd::domain::sensor::Kind;
use calibd::domain::time::Timestamp;
use calibd::domain::transform::artifact::Condition;
use calibd::domain::uncertainty::decision::{Combine, Mpe};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

const SENSORS: usize = 1000;
const COHORTS: usize = 4;
/// A week of hourly references.
const HOURS: i64 = 168;
const HOUR: i64 = 3_600_000_000;

fn time(hours: i64) -> Timestamp {
    Timestamp::from_micros(1_795_305_600_000_000 + hours * HOUR).unwrap_or(Timestamp::EPOCH)
}

fn setup(kind: Kind) -> Setup {
    let mpe = Mpe { absolute: Some(0.5), relative: Some(0.1), combine: Combine::Max };
    Setup { mpe: Some(mpe), ..Setup::new(kind) }
}

fn week(kind: Kind, seed: u64) -> Vec<Pair> {
    let mut random = Seeded::new(seed);
    let mut pair = |hours: i64| {
        let (value, reference) = match kind {
            Kind::Measurement => (20.0 + random.normal(), 20.0 + random.normal()),
            Kind::Probability => (random.uniform(), f64::from(u8::from(random.uniform() < 0.5))),
        };
        let facts = Facts {
            raw: Some(random.uniform()),
            u: Some(0.3),
            u_reference: Some(0.1),
            cohort: Some(random.below(COHORTS) as u8),
            ..Facts::new(time(hours), value, reference)
        };
        Pair::new(kind, facts).expect("the bench's pairs are sound")
    };
    (0..HOURS).map(&mut pair).collect()
}

fn cohorts() -> Cohorts {
    let cohort = |at: usize| {
        let below = Some(10.0 * at as f64);
        let when = vec![Condition { covariate: "temperature".to_owned(), below, above: None }];
        Cohort { name: format!("below-{at}"), when, ..Cohort::default() }
    };
    Cohorts::new((0..COHORTS).map(cohort).collect(), 30).expect("the bench's cohorts are sound")
}

fn windows(c: &mut Criterion) {
    let mut group = c.benchmark_group("drift");
    for (name, kind) in [("measurement", Kind::Measurement), ("probability", Kind::Probability)] {
        let pairs = week(kind, 1);
        let mut windows = Windows::new(setup(kind), COHORTS);
        let mut places = pairs.iter().cycle();
        group.bench_function(format!("add, {name}"), |b| {
            b.iter(|| {
                let pair = places.next().unwrap_or(&pairs[0]);
                windows.add(black_box(pair), time(HOURS))
            });
        });
        let cohorts = cohorts();
        group.bench_function(format!("report of a cohort, {name}"), |b| {
            b.iter(|| windows.of_cohort(black_box(&cohorts), 1, time(HOURS), None));
        });
        let stored: Vec<Vec<Pair>> = (0..SENSORS as u64).map(|seed| week(kind, seed)).collect();
        group.sample_size(10);
        let empty = || vec![Windows::new(setup(kind), COHORTS); SENSORS];
        group.bench_function(format!("rebuild of {SENSORS} sensors x {COHORTS} cohorts, {name}"), |b| {
            b.iter_batched_ref(
                empty,
                |all| {
                    for (windows, pairs) in all.iter_mut().zip(&stored) {
                        windows.rebuild(&mut pairs.iter().copied(), time(HOURS));
                    }
                },
                BatchSize::PerIteration,
            );
        });
        group.sample_size(100);
    }
    group.finish();
}

/// The pair of an hour as it is stored, by a transform.
fn stored(hours: i64) -> Stored {
    let id = |name: &str| Id::new(name).expect("a name");
    let transform = TransformRef { id: id("co"), version: 1, digest: Digest([1; 32]) };
    Stored {
        sensor: id("co-1"),
        reference: id(&format!("r-{hours}")),
        span: Span::point(time(hours)),
        value: Some(20.0),
        u: Some(0.3),
        raw: Some(0.5),
        reference_value: 20.0,
        reference_u: Some(0.1),
        u_shared: None,
        unit: "mg/m3".into(),
        transform: Some(transform.into()),
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
        covariates: Default::default(),
    }
}

/// A judge that has learnt, with a past of a year; what comes after it.
fn judged(terms: &Terms) -> (Judge, i64) {
    let (mut judge, mut random) = (Judge::new(terms), Seeded::new(9));
    let year = 24 * 365;
    for hours in 0..year {
        let facts = Facts::new(time(hours), 20.0 + 0.2 * random.normal(), 20.0);
        let pair = Pair::new(Kind::Measurement, facts).expect("the bench's pairs are sound");
        judge.pair(terms, &stored(hours), &pair, time(hours));
    }
    (judge, year)
}

#[expect(clippy::print_stdout, reason = "a bench reports there")]
fn judges(c: &mut Criterion) {
    let mut group = c.benchmark_group("judge");
    let terms = Terms { mpe: setup(Kind::Measurement).mpe, ..Terms::default() };
    let (mut judge, mut hours) = judged(&terms);
    let text = serde_json::to_string(&judge).expect("it is written");
    println!("a judge of a year: {} bytes of JSON", text.len());
    let pair = |hours: i64| {
        let facts = Facts::new(time(hours), 20.1, 20.0);
        (stored(hours), Pair::new(Kind::Measurement, facts).expect("the bench's pairs are sound"))
    };
    group.bench_function("pair", |b| {
        b.iter_batched_ref(
            || {
                hours += 1;
                pair(hours)
            },
            |(stored, pair)| judge.pair(&terms, black_box(stored), black_box(pair), pair.time),
            BatchSize::SmallInput,
        );
    });
    group.sample_size(10);
    group.bench_function(format!("{SENSORS} of them read from JSON"), |b| {
        b.iter(|| {
            let read = |_| serde_json::from_str::<Judge>(black_box(&text)).expect("it is read");
            (0..SENSORS).map(read).collect::<Vec<_>>()
        });
    });
    group.finish();
}

criterion_group!(benches, windows, judges);
criterion_main!(benches);
