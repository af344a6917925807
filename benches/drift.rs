//! What it costs to count a pair in the windows of a sensor, to report them, and to build those of
//! 1,000 sensors with 4 cohorts each from a week of hourly pairs.

use std::hint::black_box;

use calibd::domain::drift::cohort::{Cohort, Cohorts};
use calibd::domain::drift::pair::{Facts, Pair};
use calibd::domain::drift::window::{Setup, Windows};
use calibd::domain::resample::Seeded;
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

criterion_group!(benches, windows);
criterion_main!(benches);
