use std::collections::BTreeMap;

use super::*;
use crate::domain::id::Id;
use crate::domain::quality::{ReasonCode, Reasons, State};
use crate::domain::reference::{Origin, Span};
use crate::domain::sample::TransformRef;

fn at(second: i64) -> Timestamp {
    Timestamp::parse("2026-11-22T12:00:00Z").unwrap().saturating_add_micros(second * 1_000_000)
}

/// What a clock shows that can be believed.
fn clock(second: i64) -> Moment {
    Moment { now: at(second), trusted: true }
}

fn tracker(mounted: Option<Timestamp>) -> Tracker {
    let sensor = Sensor::plain("s", "Cel");
    Tracker::new(Arc::new(sensor), None, mounted)
}

fn reading(seq: u64, time: i64, received: i64) -> Reading {
    Reading {
        sensor: Id::new("s").unwrap(),
        seq,
        after: None,
        time: at(time),
        received: at(received),
        raw: Some(20.0),
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

fn pair(second: i64, version: u64) -> Pair {
    let digest = Digest::of(&[&version.to_be_bytes()]);
    Pair {
        sensor: Id::new("s").unwrap(),
        reference: Id::new(&format!("r-{second}")).unwrap(),
        span: Span::point(at(second)),
        value: Some(20.0 + second as f64 / 7.0),
        u: None,
        raw: None,
        reference_value: 20.0,
        reference_u: None,
        u_shared: None,
        unit: "Cel".into(),
        transform: Some(Arc::new(TransformRef { id: Id::new("t").unwrap(), version, digest })),
        readings: 1,
        completeness: 1.0,
        seqs: (1, 1),
        state: State::Valid,
        reasons: Reasons::NONE,
        flag: State::Valid,
        standard: None,
        overdue: false,
        origin: Origin::Manual,
        lag: 0,
        latency: 0,
        covariates: BTreeMap::new(),
    }
}

#[test]
fn now_is_as_late_as_the_later_of_sensor_and_reference() {
    let mut tracker = tracker(None);
    assert_eq!(tracker.now(at(0)), at(0));
    tracker.reading(&reading(1, 0, 600));
    tracker.note(&reading(2, 600, 600));
    assert_eq!(tracker.now(at(700)), at(100), "the reference comes at once, the sensor after ten minutes");
    tracker.note(&reading(3, 700, 1500));
    tracker.reading(&reading(4, 1500, 1500));
    assert_eq!(tracker.now(at(1500)), at(700), "and the reverse");
}

#[test]
fn mounts_are_by_the_gateways_clock_and_pairs_by_the_readings() {
    let mut tracker = tracker(Some(at(1000)));
    tracker.resume(&reading(1, 0, 600));
    for (second, counts) in [(399, false), (400, true)] {
        tracker.pair(&pair(second, 1), clock(1000));
        assert_eq!(tracker.drift(&Wanted::default(), at(1000)).is_some(), counts, "{second}");
    }
}

/// What the stored pairs say, which come in the order of their ends.
fn recounted(pairs: &[Pair]) -> Option<SensorDrift> {
    let (mut tracker, mut sorted) = (tracker(None), pairs.to_vec());
    sorted.sort_by_key(|pair| pair.span.end());
    tracker.begin_recount();
    sorted.iter().for_each(|pair| tracker.recount(pair, clock(100)));
    tracker.drift(&Wanted::default(), at(100))
}

#[test]
fn whatever_comes_late_says_the_same_as_after_a_restart() {
    // Late pairs of the transform in force, of the one before, and of another in between.
    for order in [
        vec![(10, 1), (30, 1), (20, 1)],
        vec![(10, 1), (20, 2), (15, 2)],
        vec![(10, 1), (20, 2), (15, 1)],
        vec![(10, 1), (30, 1), (20, 2)],
        vec![(5, 3), (10, 1), (30, 1), (20, 2), (7, 2)],
    ] {
        let pairs: Vec<Pair> = order.iter().map(|(second, version)| pair(*second, *version)).collect();
        let mut tracker = tracker(None);
        for pair in &pairs {
            tracker.pair(pair, clock(100));
        }
        let wanted = recounted(&pairs).unwrap().all;
        if !tracker.is_stale() {
            assert_eq!(tracker.drift(&Wanted::default(), at(100)).unwrap().all, wanted, "{order:?}");
        }
        if order == [(10, 1), (30, 1), (20, 2)] || order == [(10, 1), (20, 2), (15, 2)] {
            assert!(tracker.is_stale(), "{order:?}");
        }
    }
}

#[test]
fn what_a_clock_ahead_has_dated_is_not_the_newest_for_ever() {
    let year = 365 * 86_400;
    let mut tracker = tracker(None);
    tracker.pair(&pair(10, 1), clock(20));
    // Nobody believes the clock, which is a year ahead, and then it is set right.
    let ahead = Moment { now: at(year), trusted: false };
    tracker.pair(&pair(year, 1), ahead);
    assert_eq!(tracker.judged_at(Moment { now: at(0), trusted: false }), at(year), "else 1970 would be now");
    assert_eq!(tracker.judged_at(clock(1000)), at(1000 + 300));
    tracker.pair(&pair(1400, 2), clock(1500));
    let drift = tracker.drift(&Wanted::default(), at(1500)).unwrap();
    assert_eq!(
        (drift.newest, drift.all.calibrated.n),
        (Some(at(1400)), 1),
        "the new transform's pair counts"
    );
}
