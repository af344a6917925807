//! How often the monitors cry wolf, how soon they find a fault, and what a reading costs: the tables of
//! docs/reference/monitors.md. `cargo bench --bench monitors`

#![expect(clippy::print_stdout, reason = "its tables are its product")]

use std::hint::black_box;
use std::time::Duration;

use calibd::domain::monitor::peers::{PeerLimits, PeerValue, Peers};
use calibd::domain::monitor::{Kind, Limits, Monitors, Observed, Seen};
use calibd::domain::synthetic::{Fault, FaultKind, Generator, Noise, Signal, Sine, Walk};
use calibd::domain::time::Timestamp;
use calibd::runtime::clock::Clock;

/// Seeds of each signal.
const SEEDS: u64 = 200;
/// Readings until everything is learnt: a day, minute by minute.
const LEARNT: u64 = 1441;
/// Readings that are watched then.
const WATCHED: u64 = 10_000;
/// Readings in which a fault has to be found.
const PATIENCE: u64 = 500;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Every kind of noise has a standard deviation of 1.
fn signals() -> [(&'static str, Signal); 6] {
    let noise = |phi| Signal { noise: Some(Noise { std: 1.0, phi }), ..Signal::default() };
    let diurnal = Signal { sine: Some(Sine { amplitude: 20.0, period: DAY }), ..noise(0.5) };
    let walk = Some(Walk { std: 10.0, per: DAY });
    [
        ("white noise", noise(0.0)),
        ("AR(1), 0.8", noise(0.8)),
        ("in steps of 1", Signal { resolution: Some(1.0), ..noise(0.0) }),
        ("in steps of 5", Signal { resolution: Some(5.0), ..noise(0.0) }),
        ("diurnal, +- 20", diurnal.clone()),
        ("diurnal, a walk, steps of 5", Signal { walk, resolution: Some(5.0), ..diurnal }),
    ]
}

/// Runs a signal for so many readings after everything is learnt; calls `each` with the reading's number from then on,
/// what it has shown.
fn run(signal: &Signal, seed: u64, count: u64, mut each: impl FnMut(u64, Seen)) {
    let mut generator = Generator::new(vec![signal.clone()], MINUTE, seed);
    let (mut monitors, limits, mut values) = (Monitors::default(), Limits::default(), Vec::new());
    for number in 0..LEARNT + count {
        let time = Timestamp::EPOCH.saturating_add_micros(generator.due().as_micros() as i64);
        generator.next_into(&mut values);
        let Some(raw) = values[0] else { continue };
        let seen = monitors.note(Observed { time, raw, out_of_domain: false }, &limits);
        if number >= LEARNT {
            each(number - LEARNT, seen);
        }
    }
}

fn false_findings() {
    let kinds = [Kind::Stuck, Kind::NoiseLow, Kind::NoiseHigh, Kind::Spikes];
    println!(
        "False findings, and flagged readings, per 10,000 readings ({SEEDS} seeds of {WATCHED} readings):\n"
    );
    println!("| signal | stuck | noise_low | noise_high | spikes | readings flagged |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (name, signal) in signals() {
        let (mut found, mut flags) = ([0u32; 8], 0u32);
        for seed in 0..SEEDS {
            run(&signal, seed, WATCHED, |_, seen| {
                seen.raised.iter().for_each(|kind| found[kind as usize] += 1);
                flags += u32::from(!seen.reasons.is_empty());
            });
        }
        let share = |count: u32| f64::from(count) * 1e4 / (SEEDS * WATCHED) as f64;
        let cells: Vec<String> =
            kinds.iter().map(|kind| format!("{:.3}", share(found[*kind as usize]))).collect();
        println!("| {name} | {} | {:.2} |", cells.join(" | "), share(flags));
    }
}

/// What a fault is expected to lead to.
enum Sign {
    Found(Kind),
    /// The reading itself is flagged.
    Flagged,
}

fn faults() -> [(&'static str, FaultKind, Sign); 7] {
    use FaultKind::{Noise, Spike, Stuck};
    [
        ("stuck", Stuck, Sign::Found(Kind::Stuck)),
        ("noise times 2", Noise(2.0), Sign::Found(Kind::NoiseHigh)),
        ("noise times 4", Noise(4.0), Sign::Found(Kind::NoiseHigh)),
        ("noise divided by 4", Noise(0.25), Sign::Found(Kind::NoiseLow)),
        ("noise divided by 10", Noise(0.1), Sign::Found(Kind::NoiseLow)),
        ("a spike of 10", Spike(10.0), Sign::Flagged),
        ("a spike of 20", Spike(20.0), Sign::Flagged),
    ]
}

/// Share of the seeds in which the fault was found, and after how many readings in the median of those.
fn detection(signal: &Signal, kind: FaultKind, sign: &Sign) -> String {
    let at = MINUTE * u32::try_from(LEARNT).unwrap_or(0);
    let faulty = Signal { faults: vec![Fault { at, until: None, kind }], ..signal.clone() };
    let mut delays = Vec::new();
    for seed in 0..SEEDS {
        let mut first = None;
        run(&faulty, seed, PATIENCE, |number, seen| {
            let found = match sign {
                Sign::Found(kind) => seen.raised.contains(*kind),
                Sign::Flagged => !seen.reasons.is_empty() && number == 0,
            };
            first = first.or(found.then_some(number + 1));
        });
        delays.extend(first);
    }
    delays.sort_unstable();
    let share = 100 * delays.len() as u64 / SEEDS;
    match delays.get(delays.len() / 2) {
        Some(median) => format!("{share} %, {median}"),
        None => "0 %".to_owned(),
    }
}

fn detections() {
    println!("\nFaults found within {PATIENCE} readings, and after how many in the median:\n");
    let names: Vec<&str> = signals().iter().map(|(name, _)| *name).collect();
    println!("| fault | {} |", names.join(" | "));
    println!("| --- |{}", " --- |".repeat(names.len()));
    for (name, kind, sign) in faults() {
        let cells: Vec<String> = signals().iter().map(|(_, signal)| detection(signal, kind, &sign)).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

/// Five sensors of one quantity, the last of which has a fault after everything is learnt. Gives the findings
/// against the sound ones, and when the last was found.
fn group(kind: Option<FaultKind>, seed: u64, count: u64) -> (u32, Option<u64>) {
    let at = MINUTE * u32::try_from(LEARNT).unwrap_or(0);
    let truth = Signal {
        name: "truth".into(),
        sine: Some(Sine { amplitude: 20.0, period: DAY }),
        walk: Some(Walk { std: 10.0, per: DAY }),
        ..Signal::default()
    };
    let member = |place: usize| Signal {
        name: format!("sensor {place}"),
        level: place as f64,
        follows: Some((0, 1.0)),
        noise: Some(Noise { std: 1.0, phi: 0.5 }),
        faults: kind.filter(|_| place == 4).map(|kind| Fault { at, until: None, kind }).into_iter().collect(),
        ..Signal::default()
    };
    let signals: Vec<Signal> = std::iter::once(truth).chain((0..5).map(member)).collect();
    let mut generator = Generator::new(signals, MINUTE, seed);
    let limits = PeerLimits { max_age: MINUTE * 5, learn: DAY, tolerance: None };
    let (mut wrong, mut found, mut values) = (0, None, Vec::new());
    let Some(mut peers) = Peers::new(5) else { return (0, None) };
    for number in 0..LEARNT + count {
        let time = Timestamp::EPOCH.saturating_add_micros(generator.due().as_micros() as i64);
        generator.next_into(&mut values);
        for (place, value) in values[1..].iter().flatten().enumerate() {
            let compared = peers.note(place, PeerValue { time, value: *value, u: None }, &limits);
            if compared.is_some_and(|compared| compared.raised) {
                match place {
                    4 if kind.is_some() => {
                        found = found.or(number.checked_sub(LEARNT).map(|after| after + 1));
                    }
                    _ => wrong += 1,
                }
            }
        }
    }
    (wrong, found)
}

fn peers() {
    println!("\nFive sensors side by side, each with an offset of its own ({SEEDS} seeds):\n");
    let wrong: u32 = (0..SEEDS).map(|seed| group(None, seed, WATCHED).0).sum();
    let share = f64::from(wrong) * 1e4 / (5 * SEEDS * WATCHED) as f64;
    println!(
        "| what happens to one of them | found within {PATIENCE} readings | findings against the others |"
    );
    println!("| --- | --- | --- |");
    println!("| nothing | {share:.3} per 10,000 readings | |");
    for (name, kind) in [
        ("a step of 2", FaultKind::Step(2.0)),
        ("a step of 3", FaultKind::Step(3.0)),
        ("a step of 5", FaultKind::Step(5.0)),
        ("a ramp of 5 in 200 readings", FaultKind::Ramp { by: 5.0, over: MINUTE * 200 }),
        ("stuck", FaultKind::Stuck),
    ] {
        let runs: Vec<_> = (0..SEEDS).map(|seed| group(Some(kind), seed, PATIENCE)).collect();
        let mut delays: Vec<u64> = runs.iter().filter_map(|(_, found)| *found).collect();
        delays.sort_unstable();
        let median = delays.get(delays.len() / 2).map_or(String::new(), |median| format!(", after {median}"));
        let wrong: u32 = runs.iter().map(|(wrong, _)| wrong).sum();
        println!("| {name} | {} %{median} | {wrong} in {SEEDS} runs |", 100 * delays.len() as u64 / SEEDS);
    }
}

fn cost() {
    let (_, signal) = &signals()[4];
    let mut generator = Generator::new(vec![signal.clone()], MINUTE, 1);
    let (mut values, mut readings) = (Vec::new(), Vec::new());
    for _ in 0..100_000 {
        let time = Timestamp::EPOCH.saturating_add_micros(generator.due().as_micros() as i64);
        generator.next_into(&mut values);
        readings.extend(values[0].map(|raw| Observed { time, raw, out_of_domain: false }));
    }
    let (clock, mut monitors, limits) = (Clock::system(), Monitors::default(), Limits::default());
    let before = clock.monotonic();
    for reading in &readings {
        black_box(monitors.note(*black_box(reading), &limits));
    }
    let each = (clock.monotonic() - before).as_nanos() as f64 / readings.len() as f64;
    println!("\n{each:.0} ns and {} bytes a sensor", size_of::<Monitors>());
}

fn main() {
    false_findings();
    detections();
    peers();
    cost();
}
