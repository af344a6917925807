use super::*;
use crate::domain::synthetic::{Fault, FaultKind, Generator, Noise, Signal, Sine};
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);
/// Readings until everything is learnt: a day.
const LEARNT: u64 = 1441;

fn noisy(phi: f64) -> Signal {
    Signal { level: 20.0, noise: Some(Noise { std: 1.0, phi }), ..Signal::default() }
}

fn diurnal() -> Signal {
    let sine = Some(Sine { amplitude: 10.0, period: Duration::from_secs(86_400) });
    Signal { sine, noise: Some(Noise { std: 0.5, phi: 0.5 }), ..noisy(0.0) }
}

/// Signals that are as they should be.
fn sound() -> Vec<Signal> {
    let coarse = |signal: Signal, step| Signal { resolution: Some(step), ..signal };
    vec![
        noisy(0.0),
        noisy(0.8),
        diurnal(),
        coarse(noisy(0.0), 1.0),
        coarse(noisy(0.0), 5.0),
        coarse(diurnal(), 2.0),
    ]
}

/// A signal minute by minute.
struct Run {
    generator: Generator,
    values: Vec<Option<f64>>,
    start: Timestamp,
}

impl Run {
    fn new(signal: Signal, seed: u64) -> Run {
        let start = Timestamp::parse("2026-11-22T10:00:00Z").unwrap();
        Run { generator: Generator::new(vec![signal], MINUTE, seed), values: Vec::new(), start }
    }

    fn next(&mut self) -> Option<Observed> {
        let time = self.start.saturating_add_micros(self.generator.due().as_micros() as i64);
        self.generator.next_into(&mut self.values);
        Some(Observed { time, raw: self.values[0]?, out_of_domain: false })
    }
}

/// A fault after `minutes` since everything is learnt.
fn fault(signal: Signal, minutes: u64, kind: FaultKind) -> Signal {
    let at = Duration::from_secs(60 * (LEARNT + minutes));
    let faults = [signal.faults.clone(), vec![Fault { at, until: None, kind }]].concat();
    Signal { faults, ..signal }
}

/// What is raised in so many readings after everything is learnt, and how many of them had reasons.
fn raised(signal: Signal, seed: u64, count: u64, limits: &Limits) -> (Vec<(u64, Kind)>, Vec<u64>) {
    let (mut run, mut monitors) = (Run::new(signal, seed), Monitors::default());
    let (mut raised, mut flagged) = (Vec::new(), Vec::new());
    for minute in 0..LEARNT + count {
        let Some(reading) = run.next() else { continue };
        let seen = monitors.note(reading, limits);
        let after = minute.saturating_sub(LEARNT);
        raised.extend(seen.raised.iter().map(|kind| (after, kind)));
        if !seen.reasons.is_empty() {
            flagged.push(after);
        }
        assert!(monitors.has_learnt() == (minute >= LEARNT - 1), "{minute}");
    }
    (raised, flagged)
}

fn found(signal: Signal, limits: &Limits) -> Vec<(u64, Kind)> {
    raised(signal, 7, 400, limits).0
}

#[test]
fn nothing_stands_against_a_sound_sensor() {
    for (index, signal) in sound().into_iter().enumerate() {
        for seed in 0..3 {
            let (found, flagged) = raised(signal.clone(), seed, 5000, &Limits::default());
            assert_eq!(found, [], "signal {index}");
            assert!(flagged.len() < 3, "signal {index}: {flagged:?}");
        }
    }
}

#[test]
fn a_stuck_sensor_is_found_after_more_equal_values_than_are_usual() {
    for (signal, longest) in [(noisy(0.8), 20), (Signal { resolution: Some(1.0), ..noisy(0.0) }, 45)] {
        let (found, flagged) = raised(fault(signal, 100, FaultKind::Stuck), 7, 400, &Limits::default());
        let at = found.iter().find(|(_, kind)| *kind == Kind::Stuck).map(|(at, _)| *at).unwrap();
        assert!((100 + 19..=100 + longest).contains(&at), "{found:?}");
        // From then on each reading says so. That there is no noise any more is found too.
        assert_eq!(flagged, (at..400).collect::<Vec<_>>());
        assert!(found.iter().all(|(_, kind)| matches!(kind, Kind::Stuck | Kind::NoiseLow)), "{found:?}");
    }
    let given = Limits { stuck: Limit::Given(300.0), ..Limits::default() };
    assert_eq!(found(fault(noisy(0.0), 100, FaultKind::Stuck), &given)[0], (105, Kind::Stuck));
    let off = Limits { stuck: Limit::Off, noise: None, ..Limits::default() };
    assert_eq!(found(fault(noisy(0.0), 100, FaultKind::Stuck), &off), []);
}

#[test]
fn values_within_the_tolerance_are_the_same() {
    let dither = Signal { noise: Some(Noise { std: 1e-3, phi: 0.0 }), ..noisy(0.0) };
    let limits = Limits { tolerance: 0.1, stuck: Limit::Given(600.0), ..Limits::default() };
    let (found, _) = raised(dither, 1, 10, &limits);
    assert_eq!(found.iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), [Kind::Stuck]);
}

#[test]
fn noise_that_explodes_or_collapses_is_found_within_three_windows() {
    for signal in [noisy(0.0), noisy(0.8), diurnal(), Signal { resolution: Some(0.5), ..noisy(0.0) }] {
        for (factor, kind) in [(5.0, Kind::NoiseHigh), (0.1, Kind::NoiseLow)] {
            let found = found(fault(signal.clone(), 100, FaultKind::Noise(factor)), &Limits::default());
            // Noise that is gone under the resolution makes it stuck, which says more.
            let said = |of: Kind| of == kind || kind == Kind::NoiseLow && of == Kind::Stuck;
            let at = found.iter().find(|(_, found)| said(*found)).map(|(at, _)| *at);
            assert!(at.is_some_and(|at| (100..190).contains(&at)), "{factor}: {found:?}");
        }
    }
}

#[test]
fn a_spike_is_flagged_and_many_are_a_finding() {
    let spike = |signal, minutes| fault(signal, minutes, FaultKind::Spike(15.0));
    let (found, flagged) = raised(spike(noisy(0.0), 100), 7, 400, &Limits::default());
    assert_eq!((found, flagged), (vec![], vec![100]));
    let many = [110, 120].into_iter().fold(spike(noisy(0.0), 100), spike);
    let (found, flagged) = raised(many, 7, 400, &Limits::default());
    assert_eq!((found, flagged), (vec![(120, Kind::Spikes)], vec![100, 110, 120]));
}

#[test]
fn a_step_is_no_spike_for_long_and_no_finding() {
    let (found, flagged) = raised(fault(noisy(0.0), 100, FaultKind::Step(30.0)), 7, 400, &Limits::default());
    assert_eq!((found, flagged), (vec![], vec![100, 101]));
}

#[test]
fn changes_beyond_the_rate_are_flagged_and_found() {
    let limits = Limits { rate: Some(12.0 / 60.0), spike: Limit::Off, ..Limits::default() };
    let spike = |signal, minutes| fault(signal, minutes, FaultKind::Spike(20.0));
    let (found, flagged) = raised(spike(spike(noisy(0.0), 100), 110), 7, 400, &limits);
    assert_eq!((found, flagged), (vec![(110, Kind::Rate)], vec![100, 101, 110, 111]));
}

#[test]
fn across_a_gap_nothing_is_a_change() {
    let gap = Fault {
        at: Duration::from_secs(60 * (LEARNT + 100)),
        until: Some(Duration::from_secs(60 * (LEARNT + 200))),
        kind: FaultKind::Gap,
    };
    let limits = Limits { rate: Some(0.2), ..Limits::default() };
    let signal = fault(Signal { faults: vec![gap], ..noisy(0.0) }, 150, FaultKind::Step(30.0));
    assert_eq!(raised(signal, 7, 400, &limits), (vec![], vec![]));
}

#[test]
fn many_readings_outside_the_domain_are_a_finding_until_they_are_few() {
    let (mut run, mut monitors, limits) = (Run::new(noisy(0.0), 1), Monitors::default(), Limits::default());
    let mut standing = Vec::new();
    for minute in 0..200 {
        let reading = Observed { out_of_domain: minute < 30, ..run.next().unwrap() };
        let raised: Vec<_> = monitors.note(reading, &limits).raised.iter().collect();
        assert_eq!(raised, if minute == 15 { vec![Kind::OutOfDomain] } else { vec![] });
        standing.push(monitors.findings(&limits).next());
    }
    assert_eq!(standing.iter().flatten().count(), 89 - 15);
    let first = standing[89 - 1].unwrap();
    assert_eq!(first.evidence, Evidence::OutOfDomain { count: 5, of: 64 });
    assert_eq!(first.since, run.start.saturating_add_micros(15 * 60_000_000));
}

#[test]
fn the_state_is_small() {
    assert!(size_of::<Monitors>() < 500, "{}", size_of::<Monitors>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_restart_changes_nothing(seed: u64, at in 0u64..2500, which in 0usize..6, minutes in 0u64..900) {
        let signal = fault(fault(sound()[which].clone(), minutes, FaultKind::Noise(5.0)), 500, FaultKind::Stuck);
        let (mut run, limits) = (Run::new(signal, seed), Limits::default());
        let mut monitors = Monitors::default();
        let mut copy = None;
        for minute in 0..2500 {
            if minute == at {
                let text = serde_json::to_string(&monitors).unwrap();
                copy = Some(serde_json::from_str::<Monitors>(&text).unwrap());
            }
            let reading = run.next().unwrap();
            let seen = monitors.note(reading, &limits);
            if let Some(copy) = &mut copy {
                prop_assert_eq!(copy.note(reading, &limits), seen);
                prop_assert!(copy.findings(&limits).eq(monitors.findings(&limits)));
                prop_assert_eq!(copy.has_learnt(), monitors.has_learnt());
            }
        }
    }

    #[test]
    fn no_number_and_no_clock_breaks_it(
        readings in prop::collection::vec((any::<i64>(), any::<f64>(), any::<bool>()), 1..300),
    ) {
        let limits = Limits { learn: Duration::ZERO, rate: Some(1.0), ..Limits::default() };
        let mut monitors = Monitors::default();
        for (micros, raw, out_of_domain) in readings {
            let time = Timestamp::EPOCH.saturating_add_micros(micros);
            let raw = if raw.is_finite() { raw } else { f64::MAX };
            monitors.note(Observed { time, raw, out_of_domain }, &limits);
            let finite = monitors.findings(&limits).map(|finding| finding.sentence().len());
            prop_assert!(finite.sum::<usize>() < 2000);
        }
    }
}

#[test]
fn noise_that_is_not_judged_any_more_is_over() {
    let loud = fault(noisy(0.0), 0, FaultKind::Noise(10.0));
    let (mut run, mut monitors) = (Run::new(loud, 7), Monitors::default());
    let unjudged = Limits { noise: None, ..Limits::default() };
    for minute in 0..LEARNT + 200 {
        let limits = if minute < LEARNT + 199 { Limits::default() } else { unjudged };
        monitors.note(run.next().unwrap(), &limits);
        let noise = monitors.findings(&limits).any(|it| it.evidence.kind() == Kind::NoiseHigh);
        if minute >= LEARNT + 198 {
            assert_eq!(noise, minute < LEARNT + 199);
        }
    }
}

#[test]
fn what_was_stored_is_not_enough_to_say_that_something_is_over() {
    let (mut run, limits) = (Run::new(noisy(0.0), 7), Limits::default());
    let mut monitors = Monitors::default();
    for _ in 0..=LEARNT {
        monitors.note(run.next().unwrap(), &limits);
    }
    let kinds = [Kind::Stuck, Kind::NoiseHigh, Kind::Spikes, Kind::OutOfDomain];
    let known = |monitors: &Monitors| kinds.map(|kind| monitors.can_tell(kind, &limits));
    assert_eq!(known(&monitors), [true; 4]);
    let text = serde_json::to_string(&monitors).unwrap();
    let mut after: Monitors = serde_json::from_str(&text).unwrap();
    for reading in 1..100 {
        assert_eq!(known(&after), [reading > 2, reading > 64, reading > 64, reading > 64]);
        after.note(run.next().unwrap(), &limits);
    }
}
