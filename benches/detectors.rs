//! What the detectors of drift cost in false alarms, and how soon they find a change: the tables of
//! docs/reference/detectors.md.
//!
//! `cargo bench --bench detectors` prints them, and ends with 1 if the default is not as promised there.

#![expect(clippy::print_stdout, reason = "a bench prints what it finds")]

use std::process::ExitCode;
use std::time::Instant;

use calibd::domain::drift::detector::{
    Adwin, Baseline, Cusum, Detector, DriftWatch, EwmaChart, Ks, MIN_BASELINE, OncePerExcursion, PageHinkley,
    Psi, Turn,
};
use calibd::domain::resample::Seeded;

/// Simulations of each kind.
const SEEDS: u64 = 1_000;
/// Values after the baseline of a stable stream.
const STABLE: usize = 10_000;
/// Values between the baseline and a change.
const QUIET: usize = 500;
/// Values from a change on in which it is looked for.
const CHANGED: usize = 5_000;
/// What `calibctl detect` takes as block.
const BLOCK: u32 = 500;
const NAMES: [&str; 7] = ["whitened-cusum", "cusum", "ewma", "page-hinkley", "adwin", "ks", "psi"];

/// A detector that has learnt its baseline.
enum Running {
    Default(Box<DriftWatch>),
    Raw(OncePerExcursion),
    Standardised(Baseline, OncePerExcursion),
}

impl Running {
    fn all(base: &[f64]) -> Vec<Running> {
        let mut watch = Box::new(DriftWatch::new(base.len()));
        base.iter().for_each(|value| {
            watch.update(*value);
        });
        let baseline = Baseline::of(base).expect("simulated values vary");
        let raw = |detector| Running::Raw(OncePerExcursion::new(detector, 1.0));
        let standardised = |detector| Running::Standardised(baseline, OncePerExcursion::new(detector, 1.0));
        let ks = Ks::new(base, BLOCK, 1e-3, usize::MAX).expect("simulated values are many");
        let psi = Psi::new(base, BLOCK, 0.25).expect("simulated values are many");
        vec![
            Running::Default(watch),
            standardised(Detector::Cusum(Cusum::new(0.5, 5.0))),
            standardised(Detector::Ewma(EwmaChart::new(0.2, 3.0))),
            standardised(Detector::PageHinkley(PageHinkley::new(0.25, 20.0, 1.0))),
            raw(Detector::Adwin(Adwin::new(0.002))),
            raw(Detector::Ks(ks)),
            raw(Detector::Psi(psi)),
        ]
    }

    /// Whether an alarm begins with this value.
    fn alarms(&mut self, value: f64) -> bool {
        match self {
            Running::Default(watch) => watch.update(value) == Some(Turn::Begins),
            Running::Raw(it) => it.update(value).is_some(),
            Running::Standardised(baseline, it) => it.update(baseline.standardised(value)).is_some(),
        }
    }

    /// Bytes of the state as JSON.
    fn bytes(&self) -> usize {
        let text = match self {
            Running::Default(watch) => serde_json::to_string(watch),
            Running::Raw(it) | Running::Standardised(_, it) => serde_json::to_string(it),
        };
        text.expect("states are plain").len()
    }
}

/// Noise of standard deviation 1, with a cycle.
#[derive(Clone, Copy)]
struct Signal {
    phi: f64,
    amplitude: f64,
    period: f64,
}

#[derive(Clone, Copy)]
enum Change {
    Step(f64),
    Ramp(f64),
    Scatter(f64),
}

struct Simulation {
    signal: Signal,
    random: Seeded,
    noise: f64,
    at: usize,
}

impl Simulation {
    fn new(signal: Signal, seed: u64) -> Simulation {
        let mut random = Seeded::new(seed);
        let noise = random.normal();
        Simulation { signal, random, noise, at: 0 }
    }

    /// The next value; `changed`: the change, and how many values ago it began.
    fn next(&mut self, changed: Option<(Change, usize)>) -> f64 {
        let Signal { phi, amplitude, period } = self.signal;
        self.noise = phi * self.noise + (1.0 - phi * phi).sqrt() * self.random.normal();
        let cycle = amplitude * (std::f64::consts::TAU * self.at as f64 / period).sin();
        self.at += 1;
        match changed {
            None => self.noise + cycle,
            Some((Change::Step(by), _)) => self.noise + cycle + by,
            Some((Change::Ramp(by), ago)) => self.noise + cycle + by * (ago + 1) as f64,
            Some((Change::Scatter(by), _)) => self.noise * by + cycle,
        }
    }

    fn learnt(&mut self) -> Vec<Running> {
        let base: Vec<f64> = (0..MIN_BASELINE).map(|_| self.next(None)).collect();
        Running::all(&base)
    }
}

/// False alarms per 10,000 values, by detector.
fn false_alarms(signal: Signal) -> Vec<f64> {
    let mut alarms = vec![0.0; NAMES.len()];
    for seed in 0..SEEDS {
        let mut simulation = Simulation::new(signal, seed);
        let mut running = simulation.learnt();
        for _ in 0..STABLE {
            let value = simulation.next(None);
            for (count, it) in alarms.iter_mut().zip(&mut running) {
                *count += f64::from(u8::from(it.alarms(value)));
            }
        }
    }
    alarms.iter().map(|count| count / SEEDS as f64 * 10_000.0 / STABLE as f64).collect()
}

/// The median of the values from the change up to the alarm, that one included; infinite if most are missed.
fn delays(signal: Signal, change: Change) -> Vec<f64> {
    let mut found = vec![Vec::new(); NAMES.len()];
    for seed in 0..SEEDS {
        let mut simulation = Simulation::new(signal, 1_000 + seed);
        let mut running = simulation.learnt();
        for _ in 0..QUIET {
            let value = simulation.next(None);
            running.iter_mut().for_each(|it| {
                it.alarms(value);
            });
        }
        let mut first = vec![f64::INFINITY; NAMES.len()];
        for ago in 0..CHANGED {
            let value = simulation.next(Some((change, ago)));
            for (first, it) in first.iter_mut().zip(&mut running).filter(|(first, _)| first.is_infinite()) {
                if it.alarms(value) {
                    *first = (ago + 1) as f64;
                }
            }
        }
        found.iter_mut().zip(first).for_each(|(found, first)| found.push(first));
    }
    found.into_iter().map(median).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

fn row(name: &str, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    println!("| {name} | {} |", cells.join(" | "));
}

fn head(first: &str) {
    row(first, NAMES.map(|name| format!("`{name}`")));
    println!("|{}", " --- |".repeat(NAMES.len() + 1));
}

const fn noise(phi: f64) -> Signal {
    Signal { phi, amplitude: 0.0, period: 1.0 }
}

const NOISES: [(&str, Signal); 3] =
    [("independent", noise(0.0)), ("AR 0.5", noise(0.5)), ("AR 0.8", noise(0.8))];

/// What the default must hold.
struct Promise {
    what: String,
    at_most: f64,
    found: f64,
}

fn stable(promises: &mut Vec<Promise>) {
    println!("False alarms per 10,000 stable values:\n");
    head("noise");
    let cycle = |amplitude, period| Signal { phi: 0.0, amplitude, period };
    let more = [
        ("cycle of 24 values, amplitude 0.5", cycle(0.5, 24.0)),
        ("cycle of 24 values, amplitude 1", cycle(1.0, 24.0)),
        ("cycle of 288 values, amplitude 0.5", cycle(0.5, 288.0)),
        ("cycle of 288 values, amplitude 1", cycle(1.0, 288.0)),
    ];
    for (place, (name, signal)) in NOISES.into_iter().chain(more).enumerate() {
        let alarms = false_alarms(signal);
        if place < NOISES.len() + 2 {
            promises.push(Promise { what: format!("false alarms, {name}"), at_most: 1.0, found: alarms[0] });
        }
        row(name, alarms.iter().map(|count| format!("{count:.2}")));
    }
}

fn changed(promises: &mut Vec<Promise>) {
    println!("\nMedian of the values until the alarm:\n");
    head("change");
    let shown = |delay: f64| if delay.is_finite() { format!("{delay:.0}") } else { format!("> {CHANGED}") };
    let most = |step: f64, phi: f64| match (step, phi) {
        (1.0, 0.0) => Some(20.0),
        (1.0, 0.5) => Some(40.0),
        (1.0, 0.8) => Some(100.0),
        (2.0, 0.8) => Some(40.0),
        _ => None,
    };
    for step in [0.5, 1.0, 2.0] {
        for (name, signal) in NOISES {
            let found = delays(signal, Change::Step(step));
            let name = format!("step of {step} sd, {name}");
            if let Some(at_most) = most(step, signal.phi) {
                promises.push(Promise { what: name.clone(), at_most, found: found[0] });
            }
            row(&name, found.into_iter().map(shown));
        }
    }
    let cycle = Signal { phi: 0.0, amplitude: 0.5, period: 24.0 };
    for (name, signal, change) in [
        ("step of 1 sd on a cycle of 24 values, amplitude 0.5", cycle, Change::Step(1.0)),
        ("ramp of 0.001 sd a value, independent", noise(0.0), Change::Ramp(0.001)),
        ("ramp of 0.01 sd a value, AR 0.5", noise(0.5), Change::Ramp(0.01)),
        ("sd 1.5 times as large, independent", noise(0.0), Change::Scatter(1.5)),
        ("sd 3 times as large, independent", noise(0.0), Change::Scatter(3.0)),
    ] {
        row(name, delays(signal, change).into_iter().map(shown));
    }
}

/// The recorded streams: name, values, where they change, baseline of the default.
fn streams() -> Vec<(&'static str, Vec<f64>, usize, usize)> {
    let read = |text: &str| text.lines().skip(1).filter_map(|line| line.parse().ok()).collect();
    vec![
        ("stable_gauss", read(include_str!("../tests/data/drift/stable_gauss.csv")), usize::MAX, 2_000),
        (
            "step_up_1sigma_at_2500",
            read(include_str!("../tests/data/drift/step_up_1sigma_at_2500.csv")),
            2_500,
            2_000,
        ),
        (
            "ramp_0.001_per_sample_from_2000",
            read(include_str!("../tests/data/drift/ramp_0.001_per_sample_from_2000.csv")),
            2_000,
            2_000,
        ),
        (
            "variance_x3_at_2000",
            read(include_str!("../tests/data/drift/variance_x3_at_2000.csv")),
            2_000,
            2_000,
        ),
        (
            "bernoulli_0.1_to_0.3_at_3000",
            read(include_str!("../tests/data/drift/bernoulli_0.1_to_0.3_at_3000.csv")),
            3_000,
            2_000,
        ),
        ("river_docstring", read(include_str!("../tests/data/drift/river_docstring.csv")), 1_000, 500),
    ]
}

fn recorded() {
    println!(
        "\nThe recorded streams: alarms after the baseline before the change; values until the alarm:\n"
    );
    head("stream");
    for (name, values, change, of_default) in streams() {
        let cells = (0..NAMES.len()).map(|which| {
            let base = if which == 0 { of_default } else { 500 };
            let mut it = Running::all(&values[..base]).swap_remove(which);
            let alarms: Vec<usize> = (base..values.len()).filter(|at| it.alarms(values[*at])).collect();
            let early = alarms.iter().filter(|at| **at < change).count();
            match alarms.iter().find(|at| **at >= change) {
                Some(at) => format!("{early}; {}", at + 1 - change),
                None => format!("{early}; -"),
            }
        });
        row(name, cells.collect::<Vec<_>>());
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures the time that passes")]
fn costs() {
    println!("\nCosts after 100,000 values, AR 0.5:\n");
    head("");
    let mut simulation = Simulation::new(NOISES[1].1, 7);
    let mut running = simulation.learnt();
    let values: Vec<f64> = (0..100_000).map(|_| simulation.next(None)).collect();
    let times = running.iter_mut().map(|it| {
        let begun = Instant::now();
        let alarms = values.iter().filter(|value| it.alarms(**value)).count();
        let nanoseconds = begun.elapsed().as_nanos() as f64 / values.len() as f64;
        std::hint::black_box(alarms);
        format!("{nanoseconds:.0}")
    });
    row("nanoseconds an update", times.collect::<Vec<_>>());
    row("bytes of the state as JSON", running.iter().map(|it| it.bytes().to_string()));
}

fn main() -> ExitCode {
    let mut promises = Vec::new();
    stable(&mut promises);
    changed(&mut promises);
    recorded();
    costs();
    let broken: Vec<&Promise> = promises.iter().filter(|it| it.found > it.at_most).collect();
    for Promise { what, at_most, found } in &broken {
        println!("\nnot as promised: {what}: {found:.2}, not at most {at_most}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
