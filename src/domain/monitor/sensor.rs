//! All monitors of one sensor together.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::finding::{Evidence, Finding, Kind, Kinds};
use super::noise::Noise;
use super::pace::{Pace, Step};
use super::spike::Spikes;
use super::stuck::Stuck;
use super::tally::{Bounds, LAST, Tally};
use crate::domain::quality::{ReasonCode, Reasons};
use crate::domain::time::Timestamp;

/// Readings that have to be seen before what is usual is known.
pub(super) const LEARN_READINGS: u32 = 1000;

const SPIKES: Bounds = Bounds { raise: 3, clear: 0 };
const OUTSIDE: Bounds = Bounds { raise: 16, clear: 4 };

/// How far something may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// As far as it likes.
    Off,
    /// Some times as far as it went while what is usual was learnt.
    Learnt,
    /// So far.
    Given(f64),
}

/// What the monitors of a sensor allow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// What is usual is learnt for so long, gaps not counted, and from at least 1,000 readings.
    pub learn: Duration,
    /// Values that differ by no more are the same, in the sensor's unit; at least 0.
    pub tolerance: f64,
    /// Seconds of the same value.
    pub stuck: Limit,
    /// How many times the most, and below the least, noise that is usual is a finding; above 1. `None`: none is.
    pub noise: Option<f64>,
    /// How far from the median of the values before, in their scale.
    pub spike: Limit,
    /// The fastest change, in the sensor's unit per second; above 0. `None`: any.
    pub rate: Option<f64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            learn: Duration::from_secs(86_400),
            tolerance: 0.0,
            stuck: Limit::Learnt,
            noise: Some(2.0),
            spike: Limit::Learnt,
            rate: None,
        }
    }
}

/// One reading as the monitors see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// When it was measured.
    pub time: Timestamp,
    /// Its raw value, finite.
    pub raw: f64,
    /// Whether it lies outside what its transform was made for.
    pub out_of_domain: bool,
}

/// What a reading has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// What stands against the reading.
    pub reasons: Reasons,
    /// What stands against the sensor from this reading on.
    pub raised: Kinds,
}

/// All that the monitors of one sensor know: under 500 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Monitors {
    pace: Pace,
    readings: u32,
    /// Readings since the start, as far as tallies remember: what was stored may be from before what stands.
    #[serde(skip)]
    fresh: u32,
    /// Seconds of readings without gaps, so that a clock that jumps counts for nothing.
    seconds: f64,
    learnt: bool,
    previous: Option<f64>,
    stuck: Stuck,
    noise: Noise,
    spikes: Spikes,
    spiky: Tally,
    fast: Tally,
    outside: Tally,
}

impl Monitors {
    /// Whether what is usual is known.
    pub fn has_learnt(&self) -> bool {
        self.learnt
    }

    /// Notes a reading.
    pub fn note(&mut self, reading: Observed, limits: &Limits) -> Seen {
        let Observed { time, raw, out_of_domain } = reading;
        let mut seen = Seen::default();
        let step = self.pace.step(time);
        self.fresh = LAST.min(self.fresh + 1);
        let learning = self.learning(step, limits);
        if !matches!(step, Step::Next(_)) {
            self.noise.gap();
            self.spikes.gap();
        }
        let was_stuck = self.stuck.finding().is_some();
        if self.stuck.note((time, raw), step, (limits.stuck, limits.tolerance), learning) {
            seen.reasons = seen.reasons.with(ReasonCode::Stuck);
            if !was_stuck {
                seen.raised.insert(Kind::Stuck);
            }
        }
        if let Some(kind) = self.noise.note((time, raw), limits.noise, learning) {
            seen.raised.insert(kind);
        }
        if self.stuck.finding().is_some() {
            self.noise.give_way();
        }
        let usual = self.noise.usual();
        let spike = usual.is_some_and(|usual| self.spikes.note(raw, usual, limits.spike, learning));
        let fast = self.is_fast(raw, step, limits);
        if spike || fast {
            seen.reasons = seen.reasons.with(ReasonCode::Spike);
        }
        for (tally, flag, bounds, kind) in [
            (&mut self.spiky, spike, SPIKES, Kind::Spikes),
            (&mut self.fast, fast, SPIKES, Kind::Rate),
            (&mut self.outside, out_of_domain, OUTSIDE, Kind::OutOfDomain),
        ] {
            if tally.note(flag, time, bounds) {
                seen.raised.insert(kind);
            }
        }
        seen
    }

    /// Whether enough is known to say that nothing of a kind is the matter where nothing is found.
    pub fn can_tell(&self, kind: Kind, limits: &Limits) -> bool {
        let some = self.fresh >= LAST;
        match kind {
            Kind::Stuck => limits.stuck == Limit::Off || self.stuck.has_moved(),
            Kind::NoiseLow | Kind::NoiseHigh => limits.noise.is_none() || (some && self.learnt),
            Kind::Spikes => match limits.spike {
                Limit::Off => true,
                Limit::Learnt => some && self.learnt,
                Limit::Given(_) => some,
            },
            Kind::Rate => limits.rate.is_none() || some,
            Kind::OutOfDomain => some,
            // Others look for these.
            Kind::Silent | Kind::Peers => false,
        }
    }

    fn learning(&mut self, step: Step, limits: &Limits) -> bool {
        if !self.learnt {
            self.readings += 1;
            self.seconds += if let Step::Next(seconds) = step { seconds } else { 0.0 };
            self.learnt = self.seconds >= limits.learn.as_secs_f64() && self.readings > LEARN_READINGS;
        }
        !self.learnt
    }

    fn is_fast(&mut self, raw: f64, step: Step, limits: &Limits) -> bool {
        let previous = self.previous.replace(raw);
        match (previous, step, limits.rate) {
            (Some(previous), Step::Next(seconds), Some(rate)) if seconds > 0.0 => {
                (raw - previous).abs() > rate * seconds
            }
            _ => false,
        }
    }

    /// What stands against the sensor now.
    pub fn findings(&self, limits: &Limits) -> impl Iterator<Item = Finding> {
        let of = LAST;
        let many = |tally: &Tally, evidence: Evidence| tally.since().map(|since| Finding { since, evidence });
        let spikes = Evidence::Spikes { count: self.spiky.count(), of };
        let rate = Evidence::Rate { count: self.fast.count(), of, limit: limits.rate.unwrap_or(0.0) };
        let outside = Evidence::OutOfDomain { count: self.outside.count(), of };
        [
            self.stuck.finding(),
            self.noise.finding(),
            many(&self.spiky, spikes),
            many(&self.fast, rate),
            many(&self.outside, outside),
        ]
        .into_iter()
        .flatten()
    }
}

#[cfg(test)]
mod tests;
