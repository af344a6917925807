//! Far less or far more noise than is usual.

use serde::{Deserialize, Serialize};

use super::Finding;
use super::finding::{Evidence, Kind};
use super::top::Top;
use crate::domain::time::Timestamp;

/// Changes from reading to reading that make one level.
const WINDOW: u32 = 30;
/// The largest of them are left out, so that a spike is no noise.
const LEFT_OUT: u32 = 3;

/// The level of the noise: the mean change from reading to reading, over windows without their three largest.
///
/// Changes, so that slow signals count little; their mean, because on values of coarse resolution a median would be 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Noise {
    previous: Option<f64>,
    /// Of this window, without the largest.
    sum: f64,
    top: Top,
    count: u32,
    /// What was learnt: windows, the sum of their levels, the least and the greatest.
    windows: u32,
    levels: f64,
    least: f64,
    greatest: f64,
    /// The smallest change that was seen, the resolution of coarse values; 0: none yet.
    finest: f64,
    found: Option<Finding>,
}

impl Noise {
    /// Forgets the reading before: there is no change across a gap.
    pub(super) fn gap(&mut self) {
        self.previous = None;
    }

    /// Notes a value; says what is found at the end of a window that was not before. `factor`: how far
    /// beyond the usual noise is a finding; `None`: none is.
    pub(super) fn note(
        &mut self,
        (time, raw): (Timestamp, f64),
        factor: Option<f64>,
        learning: bool,
    ) -> Option<Kind> {
        // Nobody judges it any more, which would say when it is over.
        self.found = self.found.filter(|_| factor.is_some());
        let change = (raw - self.previous.replace(raw)?).abs();
        if change > 0.0 && (self.finest == 0.0 || change < self.finest) {
            self.finest = change;
        }
        self.sum += self.top.push(change);
        self.count += 1;
        if self.count < WINDOW {
            return None;
        }
        let level = self.sum / f64::from(WINDOW - LEFT_OUT);
        (self.sum, self.top, self.count) = (0.0, Top::default(), 0);
        if learning {
            self.learn(level);
            return None;
        }
        self.judge(time, level, factor?)
    }

    fn learn(&mut self, level: f64) {
        let first = self.windows == 0;
        self.windows += 1;
        self.levels += level;
        self.least = if first { level } else { self.least.min(level) };
        self.greatest = if first { level } else { self.greatest.max(level) };
    }

    fn judge(&mut self, time: Timestamp, level: f64, factor: f64) -> Option<Kind> {
        // What stands is over when the level is well inside again.
        let before = self.found.map(|found| found.evidence.kind());
        let beyond = |kind| if before == Some(kind) { factor.sqrt() } else { factor };
        // One step of the resolution at each reading is no noise, even if no window had it so far.
        let most = self.greatest.max(self.finest);
        let evidence = if self.windows == 0 {
            None
        } else if level > most * beyond(Kind::NoiseHigh) {
            Some(Evidence::NoiseHigh { change: level, usual: most })
        } else if level * beyond(Kind::NoiseLow) < self.least {
            Some(Evidence::NoiseLow { change: level, usual: self.least })
        } else {
            None
        };
        let kind = evidence.as_ref().map(Evidence::kind);
        let since = self.found.filter(|_| kind == before).map_or(time, |found| found.since);
        self.found = evidence.map(|evidence| Finding { since, evidence });
        kind.filter(|_| kind != before)
    }

    /// The sensor is stuck, which says more than that it has no noise: that is over, and this window begins again.
    pub(super) fn give_way(&mut self) {
        (self.sum, self.top, self.count) = (0.0, Top::default(), 0);
        self.found = self.found.filter(|found| found.evidence.kind() != Kind::NoiseLow);
    }

    /// The usual change, at least one step of the resolution; `None` before the first window that has one.
    pub(super) fn usual(&self) -> Option<f64> {
        let level = self.levels / f64::from(self.windows.max(1));
        (self.windows > 0 && self.finest > 0.0).then(|| level.max(self.finest))
    }

    /// What is found now.
    pub(super) fn finding(&self) -> Option<Finding> {
        self.found
    }
}
