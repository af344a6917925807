//! Invented signals with faults: what a sensor would give, for exercises and documentation.
//!
//! A value is level + sine + walk + gain x what it follows + noise, changed by the faults of the moment, and rounded.
//! The seed, the period and the signal decide all of it. A fault changes nothing outside its time, and one field
//! nothing in another, so that a run with faults can be compared with the same run without.

mod fault;

use std::f64::consts::TAU;
use std::time::Duration;

use super::resample::Seeded;
pub use fault::{Fault, FaultKind};

/// A sine of a signal, 0 at the start and rising.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sine {
    /// Half of what lies between its least and greatest value.
    pub amplitude: f64,
    /// After this long it begins again; at least 1 us.
    pub period: Duration,
}

/// A random walk, 0 at the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Walk {
    /// Standard deviation of how far it gets ...
    pub std: f64,
    /// ... in this time; at least 1 us.
    pub per: Duration,
}

/// Noise of the first autoregressive order: e(n) = phi e(n - 1) + a normal draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Standard deviation of e, at least 0.
    pub std: f64,
    /// Correlation of one value with the one before, between -1 and 1; 0 is white noise.
    pub phi: f64,
}

/// The signal of one field. All numbers are finite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Signal {
    /// The field; its draws depend on it.
    pub name: String,
    /// What everything else is added to.
    pub level: f64,
    /// A sine.
    pub sine: Option<Sine>,
    /// A random walk.
    pub walk: Option<Walk>,
    /// The place of another signal, and how often its level, sine and walk are added. That signal follows none.
    pub follows: Option<(usize, f64)>,
    /// Noise of its own.
    pub noise: Option<Noise>,
    /// Values are multiples of this, which is above 0.
    pub resolution: Option<f64>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// One signal as it runs.
#[derive(Debug)]
struct Running {
    signal: Signal,
    steps: Seeded,
    draws: Seeded,
    walk: f64,
    noise: f64,
    /// Level, sine and walk of this tick: what others may follow.
    truth: f64,
    /// The last value before the signal stuck.
    held: Option<f64>,
}

impl Running {
    fn new(signal: Signal, seed: u64) -> Running {
        let steps = stream(seed, &signal.name, 1);
        let draws = stream(seed, &signal.name, 2);
        Running { signal, steps, draws, walk: 0.0, noise: 0.0, truth: 0.0, held: None }
    }

    /// Goes on to the time `at`; all times are in microseconds since the start.
    fn advance(&mut self, at: u64, period: u64) {
        let first = at == 0;
        if let Some(walk) = self.signal.walk
            && !first
        {
            let step = walk.std * (period as f64 / micros(walk.per).max(1) as f64).sqrt();
            self.walk += step * self.steps.normal();
        }
        if let Some(Noise { std, phi }) = self.signal.noise {
            let drawn = std * self.draws.normal();
            // It begins as it goes on: with its own standard deviation.
            self.noise = if first { drawn } else { phi * self.noise + (1.0 - phi * phi).sqrt() * drawn };
        }
        let sine = self.signal.sine.map_or(0.0, |sine| {
            let whole = micros(sine.period).max(1);
            sine.amplitude * (TAU * ((at % whole) as f64 / whole as f64)).sin()
        });
        self.truth = self.signal.level + sine + self.walk;
    }

    /// The value at `at`; `None`: nothing comes.
    fn value(&mut self, at: u64, period: u64, followed: f64) -> Option<f64> {
        let disturbance = fault::disturbance(&self.signal.faults, at, period);
        let exact = self.truth + followed + self.noise * disturbance.noise + disturbance.added;
        let rounded = self.signal.resolution.map_or(exact, |step| (exact / step).round() * step);
        let value = match self.held {
            Some(held) if disturbance.stuck => held,
            _ => rounded,
        };
        self.held = Some(value);
        (!disturbance.gap).then_some(value)
    }
}

/// Gives the values of signals, tick by tick.
#[derive(Debug)]
pub struct Generator {
    running: Vec<Running>,
    period: u64,
    ticks: u64,
}

impl Generator {
    /// The signals that belong to `seed`, with a value every `period`, which is at least 1 us.
    pub fn new(signals: Vec<Signal>, period: Duration, seed: u64) -> Generator {
        let running = signals.into_iter().map(|signal| Running::new(signal, seed)).collect();
        Generator { running, period: micros(period).max(1), ticks: 0 }
    }

    /// When the next values are due, counted from the start.
    pub fn due(&self) -> Duration {
        Duration::from_micros(self.at())
    }

    fn at(&self) -> u64 {
        self.ticks.saturating_mul(self.period)
    }

    /// Puts the next values into `values`, one for each signal in their order; `None` where nothing comes.
    pub fn next_into(&mut self, values: &mut Vec<Option<f64>>) {
        let (at, period) = (self.at(), self.period);
        self.ticks += 1;
        self.running.iter_mut().for_each(|running| running.advance(at, period));
        values.clear();
        for place in 0..self.running.len() {
            let follows = self.running[place].signal.follows;
            let truth = |(other, gain): (usize, f64)| self.running.get(other).map_or(0.0, |o| gain * o.truth);
            let followed = follows.map_or(0.0, truth);
            values.push(self.running[place].value(at, period, followed));
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The draws of one part of one signal; the name is mixed in as in FNV-1a.
fn stream(seed: u64, name: &str, part: u64) -> Seeded {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    Seeded::new(name.bytes().fold(Seeded::new(seed).bits(), mix).wrapping_add(part))
}

#[cfg(test)]
mod tests;
