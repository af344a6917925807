use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::domain::digest::Digest;
use crate::domain::monitor::check::ControlLimits;
use crate::domain::monitor::peers::PeerLimits;
use crate::domain::monitor::scheduled::{Check, Schedule};
use crate::domain::monitor::{self, Limits};
use crate::domain::sensor::{Kind, Monitoring};
use crate::domain::transform::artifact::Transform;
use crate::domain::transform::compile;

const DAY: i64 = 86_400_000_000;
const MOMENT: Moment = Moment { now: Timestamp::EPOCH, trusted: true };

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

fn sensor(name: &str, covariates: &[(&str, &str)]) -> Arc<Sensor> {
    let covariates: BTreeMap<_, _> =
        covariates.iter().map(|(role, sensor)| ((*role).to_owned(), id(sensor))).collect();
    Arc::new(Sensor {
        id: id(name),
        quantity: "q".to_owned(),
        kind: Kind::Measurement,
        unit: "1".into(),
        model: None,
        serial: None,
        uncertainty: Some(0.5),
        covariates,
        comparison: Default::default(),
        monitor: None,
        checks: Default::default(),
    })
}

fn active(pipeline: &str) -> Option<Arc<Active>> {
    let text = format!(
        r#"{{"schema": 1, "id": "t", "epoch": 1, "version": 1, "target": {{"fleet": "f", "sensors": ["s"]}},
            "quantity": "q", "input_unit": "1", "output_unit": "1", "pipeline": [{pipeline}],
            "issued_at": "1970-01-01T00:00:00Z", "expires": "2100-01-01T00:00:00Z"}}"#
    );
    let transform = Transform::parse(text.as_bytes()).unwrap();
    let compiled = Arc::new(compile(&transform).unwrap());
    Some(Arc::new(Active::of(&transform, Digest::of(&[b"t"]), compiled, transform.issued_at)))
}

/// A transform of this version, issued at the day beside it, that drifts by 0.04 in a day.
fn drifting(version: i64, day: i64, provenance: &str) -> Option<Arc<Active>> {
    let day = Timestamp::EPOCH.saturating_add_micros(day * DAY);
    let text = format!(
        r#"{{"schema": 1, "id": "t", "epoch": 1, "version": {version}, "target": {{"fleet": "f", "sensors": ["s"]}},
            "quantity": "q", "input_unit": "1", "output_unit": "1", "pipeline": [{{"kind": "offset", "offset": 1}}],
            "uncertainty": {{"residual_std": 0.05, "drift": {{"model": "random_walk", "offset": 0.04, "per": "sqrt_day"}}}},
            "provenance": {provenance}, "issued_at": "{day}", "expires": "2100-01-01T00:00:00Z"}}"#
    );
    let transform = Transform::parse(text.as_bytes()).unwrap();
    let compiled = Arc::new(compile(&transform).unwrap());
    Some(Arc::new(Active::of(&transform, Digest::of(&[b"t"]), compiled, transform.issued_at)))
}

#[test]
fn a_fit_that_is_signed_again_grows_no_younger() {
    let said = r#"{"last_reference": "1970-01-02T00:00:00Z"}"#;
    let aged = 0.05f64.hypot(0.4);
    for (version, issued, provenance, wanted) in
        [(1, 1, said, aged), (2, 101, said, aged), (1, 1, "{}", aged), (2, 101, "{}", 0.05)]
    {
        let mut it = calibrator(&[Arc::new(Sensor { uncertainty: None, ..(*sensor("a", &[])).clone() })]);
        it.set_active(&id("a"), drifting(version, issued, provenance));
        let moment = Moment { now: Timestamp::EPOCH.saturating_add_micros(101 * DAY), trusted: true };
        let reading = it.reading(&sample("a", 5.0, 101 * 86_400), 1, moment).unwrap();
        assert!((reading.u.unwrap() - wanted).abs() < 1e-12, "version {version}: {:?}", reading.u);
    }
}

fn calibrator(sensors: &[Arc<Sensor>]) -> Calibrator {
    let mut it = Calibrator::new(HashMap::new(), OnExpired::Keep);
    sensors.iter().for_each(|sensor| it.add(Arc::clone(sensor)));
    it
}

/// What comes of a sensor that is watched: 1,100 readings that alternate, and then `count` that don't.
fn watched(it: &mut Calibrator, count: i64) -> Vec<Reading> {
    let raw = |second: i64| if second < 1100 { (second % 2) as f64 } else { 7.0 };
    let reading = |second| it.reading(&sample("a", raw(second), second), 1, MOMENT).unwrap();
    (0..1100 + count).map(reading).collect()
}

fn watching(flag: bool) -> Arc<Sensor> {
    let limits = Limits { learn: Duration::ZERO, noise: None, ..Limits::default() };
    let monitoring = Monitoring { limits, flag, ..Monitoring::default() };
    Arc::new(Sensor { monitor: Some(monitoring), ..(*sensor("a", &[])).clone() })
}

fn stuck(readings: &[Reading]) -> usize {
    readings.iter().filter(|reading| reading.reasons.contains(ReasonCode::Stuck)).count()
}

#[test]
fn monitors_find_and_flag_only_where_that_is_wished() {
    for flag in [false, true] {
        let mut it = calibrator(&[watching(flag)]);
        it.set_active(&id("a"), active(r#"{"kind": "offset", "offset": 1}"#));
        let readings = watched(&mut it, 30);
        assert_eq!(stuck(&readings), if flag { 10 } else { 0 });
        let last = readings.last().unwrap();
        assert_eq!(last.state, if flag { State::Suspect } else { State::Valid });
        let kinds: Vec<_> = it.findings().iter().map(|(_, finding)| finding.evidence.kind()).collect();
        assert_eq!(kinds, [monitor::Kind::Stuck]);
        assert_eq!(it.findings(), []);
    }
    let mut unwatched = calibrator(&[sensor("a", &[])]);
    watched(&mut unwatched, 30);
    assert_eq!(unwatched.findings(), []);
}

#[test]
fn a_sensor_that_has_fallen_silent_is_found_once_until_it_speaks() {
    let period = Some(Duration::from_secs(10));
    let monitor = Some(Monitoring { period, ..Monitoring::default() });
    let mut it = calibrator(&[Arc::new(Sensor { monitor, ..(*sensor("a", &[])).clone() })]);
    let found = |it: &mut Calibrator, at: i64| {
        it.pass(Duration::from_secs(at as u64));
        it.look(Timestamp::EPOCH.saturating_add_micros(at * 1_000_000));
        it.findings().into_iter().map(|(_, finding)| finding).collect::<Vec<_>>()
    };
    assert_eq!(found(&mut it, 50), []);
    // It has never spoken.
    assert_eq!(found(&mut it, 1000).len(), 1);
    it.reading(&sample("a", 1.0, 1000), 1, MOMENT).unwrap();
    assert_eq!(found(&mut it, 1050), []);
    let silent = found(&mut it, 1051);
    assert_eq!(silent[0].evidence, monitor::Evidence::Silent { seconds: 51.0, allowed: 50.0 });
    assert_eq!(silent[0].since, Timestamp::EPOCH.saturating_add_micros(1_000_000_000));
    assert_eq!(found(&mut it, 1100), []);
    it.reading(&sample("a", 1.0, 1100), 2, MOMENT).unwrap();
    it.maintain(id("a"), true);
    assert_eq!(found(&mut it, 1200), []);
    it.maintain(id("a"), false);
    assert_eq!(found(&mut it, 1200).len(), 1);
    it.reading(&sample("a", 1.0, 1200), 3, MOMENT).unwrap();
    it.follow(|_| None);
    assert_eq!(found(&mut it, 2000), []);
}

#[test]
fn maintenance_is_not_watched_and_another_instrument_is_learnt_anew() {
    let mut it = calibrator(&[watching(true)]);
    it.maintain(id("a"), true);
    assert_eq!(stuck(&watched(&mut it, 30)), 0);
    it.maintain(id("a"), false);
    let mounted = Arc::new(Sensor { serial: Some("2".into()), ..(*watching(true)).clone() });
    assert_eq!(stuck(&watched(&mut it, 30)), 10);
    let mut longer = (*watching(true)).clone();
    longer.monitor.as_mut().unwrap().limits.learn = Duration::from_secs(1);
    assert_eq!(it.findings().len(), 1);
    let mut copy = calibrator(&[]);
    copy.resume(it.learnt(0..1).into_iter().map(|(id, state)| (id, state.unwrap())).collect());
    copy.add(Arc::new(longer.clone()));
    assert_eq!(
        copy.reading(&sample("a", 7.0, 2000), 1, MOMENT).unwrap().reasons,
        Reasons::of(ReasonCode::RawOnly)
    );
    for (sensor, expected) in [(watching(true), 5), (Arc::new(longer), 0)] {
        it.reconfigure(|_| Some(sensor.clone()), OnExpired::Keep);
        let still: Vec<_> =
            (2000..2005).map(|s| it.reading(&sample("a", 7.0, s), 1, MOMENT).unwrap()).collect();
        assert_eq!(stuck(&still), expected);
    }
    it = calibrator(&[watching(true)]);
    watched(&mut it, 30);
    for (sensor, expected) in [(watching(true), 5), (mounted, 0)] {
        it.reconfigure(|_| Some(sensor.clone()), OnExpired::Keep);
        let still: Vec<_> =
            (2000..2005).map(|s| it.reading(&sample("a", 7.0, s), 1, MOMENT).unwrap()).collect();
        assert_eq!(stuck(&still), expected);
    }
}

#[test]
fn readings_of_a_check_are_no_measurement_and_nobodys_covariate() {
    let schedule = |length| {
        let [every, at, length] = [1000, 500, length].map(Duration::from_secs);
        Schedule::new(every, at, length, Duration::ZERO).unwrap()
    };
    let check = |kind| Check {
        name: id("c"),
        limits: ControlLimits::new(kind, 0.0, 1.0, 2.0).unwrap(),
        schedule: schedule(100),
        least: 5,
    };
    for (kind, reason) in [
        (CheckKind::Zero, ReasonCode::ZeroCheck),
        (CheckKind::Span, ReasonCode::SpanCheck),
        (CheckKind::Precision, ReasonCode::SpanCheck),
    ] {
        let checked = Sensor { checks: vec![check(kind)].into(), ..(*sensor("a", &[])).clone() };
        let mut it = calibrator(&[Arc::new(checked)]);
        for (second, during) in [(499, false), (500, true), (599, true), (600, false)] {
            let reading = it.reading(&sample("a", second as f64, second), 1, MOMENT).unwrap();
            assert_eq!(reading.reasons.contains(reason), during, "{second}");
            assert_eq!(reading.state, if during { State::Invalid } else { State::Suspect });
            let latest = it.slots[0].latest.as_ref().unwrap().beside(sample("a", 0.0, second).gateway_time);
            assert_eq!(latest.unwrap().value, if during { 499.0 } else { second as f64 });
        }
        let outcomes = it.outcomes();
        assert_eq!((outcomes.len(), outcomes[0].1.readings), (1, 2));
        assert_eq!(outcomes[0].1.state, None);
        assert_eq!(it.outcomes(), []);
    }
}

/// A sample `seconds` after the epoch.
fn sample(name: &str, raw: f64, seconds: i64) -> Sample {
    let gateway_time = Timestamp::EPOCH.saturating_add_micros(seconds * 1_000_000);
    Sample {
        sensor: id(name),
        device_time: None,
        gateway_time,
        raw: Some(raw),
        u: None,
        event: None,
        ack: None,
    }
}

#[test]
fn a_probability_by_venn_abers_carries_both_that_it_merges() {
    let mut it = calibrator(&[sensor("p", &[])]);
    it.set_active(
        &id("p"),
        active(r#"{"kind": "venn_abers", "x": [-1, 1], "p0": [0.1, 0.5], "p1": [0.4, 0.8]}"#),
    );
    let reading = it.reading(&sample("p", 0.0, 0), 1, MOMENT).unwrap();
    assert_eq!(reading.p0_p1, Some([0.1, 0.8]));
    assert!((reading.value.unwrap() - 0.8 / 1.7).abs() < 1e-15);
    it.set_active(&id("p"), active(r#"{"kind": "platt", "a": -1, "b": 0}"#));
    assert_eq!(it.reading(&sample("p", 0.0, 1), 2, MOMENT).unwrap().p0_p1, None);
}

#[test]
fn a_covariate_brings_its_latest_value_and_its_uncertainty() {
    let mut it = calibrator(&[sensor("s", &[("temperature", "t")]), sensor("t", &[])]);
    it.set_active(
        &id("s"),
        active(
            r#"{"kind": "multilinear", "offset": 0, "gain": 1, "terms": [{"covariate": "temperature", "gain": 2}]}"#,
        ),
    );
    let lonely = it.reading(&sample("s", 1.0, 0), 1, MOMENT).unwrap();
    assert_eq!((lonely.value, lonely.state), (None, State::Invalid));
    assert!(lonely.reasons.contains(ReasonCode::CovariateMissing));
    // calibrated: 2 x with u = 2 * 0.5
    it.set_active(&id("t"), active(r#"{"kind": "affine", "offset": 0, "gain": 2}"#));
    it.reading(&sample("t", 10.0, 1), 2, MOMENT).unwrap();
    let reading = it.reading(&sample("s", 1.0, 2), 3, MOMENT).unwrap();
    assert_eq!((reading.value, reading.state), (Some(41.0), State::Valid));
    assert!((reading.u.unwrap() - 0.5f64.hypot(2.0)).abs() < 1e-12);
    let late = it.reading(&sample("s", 1.0, 2 + 15 * 60), 4, MOMENT).unwrap();
    assert_eq!(late.value, None, "older than a quarter of an hour");
}

#[test]
fn readings_of_a_sensor_in_maintenance_are_suspect_and_say_so() {
    let mut it = calibrator(&[sensor("s", &[]), sensor("t", &[])]);
    it.maintain(id("s"), true);
    it.maintain(id("later"), true);
    let reading = it.reading(&sample("s", 1.0, 0), 1, MOMENT).unwrap();
    assert_eq!(reading.state, State::Suspect);
    assert!(reading.reasons.contains(ReasonCode::Maintenance));
    let silent = Sample { raw: None, ..sample("s", 1.0, 1) };
    let reading = it.reading(&silent, 2, MOMENT).unwrap();
    assert_eq!(reading.state, State::Missing);
    assert!(reading.reasons.contains(ReasonCode::Maintenance));
    assert!(!it.reading(&sample("t", 1.0, 2), 3, MOMENT).unwrap().reasons.contains(ReasonCode::Maintenance));
    it.add(sensor("later", &[]));
    assert!(
        it.reading(&sample("later", 1.0, 3), 4, MOMENT).unwrap().reasons.contains(ReasonCode::Maintenance)
    );
    it.maintain(id("s"), false);
    assert!(!it.reading(&sample("s", 1.0, 4), 5, MOMENT).unwrap().reasons.contains(ReasonCode::Maintenance));
}

/// Every 1,000 seconds, from 500 on for 100 of them.
fn checked() -> Arc<Sensor> {
    let [every, at, length] = [1000, 500, 100].map(Duration::from_secs);
    let schedule = Schedule::new(every, at, length, Duration::ZERO).unwrap();
    let limits = ControlLimits::new(CheckKind::Zero, 0.0, 1.0, 2.0).unwrap();
    let check = Check { name: id("c"), limits, schedule, least: 1 };
    Arc::new(Sensor { checks: vec![check].into(), ..(*sensor("a", &[])).clone() })
}

#[test]
fn a_gateway_that_does_not_know_the_time_makes_no_check_of_its_readings() {
    let untrusted = Moment { trusted: false, ..MOMENT };
    for (moment, device, during) in
        [(untrusted, false, false), (untrusted, true, true), (MOMENT, false, true), (MOMENT, true, true)]
    {
        let mut it = calibrator(&[checked()]);
        for second in [550, 700] {
            let sample = sample("a", 50.0, second);
            let device_time = Some(sample.gateway_time).filter(|_| device);
            let reading = it.reading(&Sample { device_time, ..sample }, 1, moment).unwrap();
            let is_check = reading.reasons.contains(ReasonCode::ZeroCheck);
            assert_eq!(is_check, during && second == 550);
        }
        assert_eq!(it.outcomes().len(), usize::from(during));
    }
}

#[test]
fn a_check_during_which_the_clock_jumps_has_no_result() {
    for jumps in [false, true] {
        let mut it = calibrator(&[checked()]);
        it.reading(&sample("a", 50.0, 550), 1, MOMENT).unwrap();
        if jumps {
            it.clock_jumped();
        }
        it.reading(&sample("a", 50.0, 900), 2, MOMENT).unwrap();
        assert_eq!(it.outcomes().len(), usize::from(!jumps));
    }
}

#[test]
fn a_restart_changes_nothing_and_another_instrument_is_learnt_anew() {
    let other = |name: &str| Arc::new(Sensor { id: id(name), ..(*watching(true)).clone() });
    let names = ["a", "b", "c"];
    let begin = |first: Arc<Sensor>, learnt: Vec<(Id, String)>| {
        let last_seqs = HashMap::from(names.map(|name| (id(name), 1)));
        let mut it = Calibrator::new(last_seqs, OnExpired::Keep);
        let limits = PeerLimits { max_age: Duration::from_secs(60), learn: Duration::ZERO, tolerance: None };
        let sensors = names.map(id).to_vec();
        it.compare(vec![PeersConfig { name: id("hall"), sensors, unit: "1".into(), limits }]);
        it.resume(learnt);
        [first, other("b"), other("c")].into_iter().for_each(|sensor| it.add(sensor));
        it
    };
    let read = |it: &mut Calibrator, second: i64| {
        let raw = |name: &str| match name {
            "a" if second >= 1100 => 7.0,
            _ => (second % 2) as f64,
        };
        let reading = |name| it.reading(&sample(name, raw(name), second), 1, MOMENT).unwrap();
        let readings = names.map(reading);
        (readings, it.findings())
    };
    let mut it = begin(watching(true), vec![]);
    (0..1110).for_each(|second| drop(read(&mut it, second)));
    let learnt: Vec<_> = it.learnt(0..9).into_iter().map(|(id, state)| (id, state.unwrap())).collect();
    assert!(learnt.iter().all(|(_, state)| state.len() < 3000), "{learnt:?}");
    let mut again = begin(watching(true), learnt.clone());
    let mounted = Sensor { serial: Some("2".into()), ..(*watching(true)).clone() };
    let mut anew = begin(Arc::new(mounted), learnt);
    let mut kinds = Vec::new();
    for second in 1110..1200 {
        let (readings, findings) = read(&mut it, second);
        assert_eq!(read(&mut again, second), (readings, findings.clone()));
        kinds.extend(findings.iter().map(|(_, finding)| finding.evidence.kind()));
        assert!(read(&mut anew, second).1.iter().all(|(sensor, _)| *sensor != id("a")));
    }
    assert!(kinds[0] == monitor::Kind::Stuck && kinds.contains(&monitor::Kind::Peers), "{kinds:?}");
}
