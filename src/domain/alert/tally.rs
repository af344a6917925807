//! Counts of how well the alerts serve.

use serde::{Deserialize, Serialize};

use super::{Severity, Verdict};

/// Upper ends of the classes in which times are counted, in seconds: an hour, a quarter of a day, 1, 3, 7, 30 and 90 days.
pub const LATENCIES: [f64; 7] = [3600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0, 2_592_000.0, 7_776_000.0];

/// Times that were measured, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// All together.
    pub total: f64,
    /// The longest.
    pub longest: f64,
    /// How many by class of [`LATENCIES`], each in one class only; longer ones are in none.
    #[serde(default)]
    pub classes: [u64; LATENCIES.len()],
}

impl Latency {
    pub(super) fn add(&mut self, micros: i64) {
        let seconds = micros.max(0) as f64 / 1e6;
        self.count += 1;
        self.total += seconds;
        self.longest = self.longest.max(seconds);
        if let Some(class) = LATENCIES.iter().position(|end| seconds <= *end) {
            self.classes[class] += 1;
        }
    }

    /// The mean in seconds.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.total / self.count as f64)
    }
}

/// Counts since the beginning of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Pages that were raised.
    pub pages: u64,
    /// Tickets that were raised.
    pub tickets: u64,
    /// Alerts that were cleared.
    pub cleared: u64,
    /// Alerts that somebody found to be real.
    pub real: u64,
    /// Alerts that somebody found to be false.
    pub false_alarms: u64,
    /// Sensors that somebody found wrong, of which no alert told.
    pub missed: u64,
    /// From an alert to the next transform in force for one of its sensors.
    pub calibration: Latency,
    /// Steps without a person that have ended.
    pub automated: u64,
    /// Those of them that ended well.
    pub automated_well: u64,
    /// Cleared alerts that were let go before anybody looked, to make room.
    pub unseen: u64,
    /// Findings that were let go, for too many stood.
    pub overlooked: u64,
}

impl Tally {
    /// Alert precision: real / (real + false); `None` while nobody has said.
    pub fn precision(&self) -> Option<f64> {
        share(self.real, self.real + self.false_alarms)
    }

    /// The share of automatic steps that ended well.
    pub fn automation_success(&self) -> Option<f64> {
        share(self.automated_well, self.automated)
    }

    /// How many were raised.
    pub fn raised(&self) -> u64 {
        self.pages + self.tickets
    }

    pub(super) fn raise(&mut self, severity: Severity) {
        match severity {
            Severity::Page => self.pages += 1,
            Severity::Ticket => self.tickets += 1,
        }
    }

    /// Counts a verdict in place of the one that was given before.
    pub(super) fn judge(&mut self, before: Option<Verdict>, verdict: Option<Verdict>) {
        for (verdict, more) in [(before, false), (verdict, true)] {
            let count = match verdict {
                Some(Verdict::Real) => &mut self.real,
                Some(Verdict::False) => &mut self.false_alarms,
                None => continue,
            };
            *count = if more { *count + 1 } else { count.saturating_sub(1) };
        }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
