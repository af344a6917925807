//! Whether a sensor's raw values are still distributed as when its transform came into force: drift of the input
//! shows without any reference.
//!
//! One value in a while is taken, so that a block covers days, and the daily cycle is no change.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::detector::{Detector, Excursion, Ks, Psi, Turn};
use crate::domain::alert::{Finding, Severity};
use crate::domain::digest::Digest;
use crate::domain::monitor::finding::shown;
use crate::domain::sample::Reading;
use crate::domain::time::{Timestamp, micros};

/// Points of the baseline's distribution that the test of Kolmogorov and Smirnov keeps.
const KEPT: usize = 128;
/// Its significance: a block of an unchanged sensor is beyond it once in so many.
const P: f64 = 0.001;
/// The population stability index from which a change counts as large.
const LIMIT: f64 = 0.25;
/// An excursion is over when the statistic is below this share of its limit.
const BACK: f64 = 0.8;

/// What distributions are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Kolmogorov and Smirnov's distance.
    Ks,
    /// The population stability index.
    Psi,
}

/// How raw values are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputTerms {
    /// By what.
    pub measure: Measure,
    /// The least time between two values that are taken.
    pub every: Duration,
    /// Values of the baseline, and of each block that is compared with it.
    pub block: u32,
}

/// The raw values of one sensor, compared block by block with the first block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputWatch {
    terms: InputTerms,
    /// The transform that was in force.
    transform: Option<Digest>,
    last: Option<Timestamp>,
    baseline: Vec<f64>,
    detector: Option<Detector>,
    excursion: Excursion,
    since: Option<Timestamp>,
}

impl InputWatch {
    /// Nothing has been seen yet.
    pub fn new(terms: InputTerms) -> InputWatch {
        InputWatch {
            terms,
            transform: None,
            last: None,
            baseline: Vec::new(),
            detector: None,
            excursion: Excursion::new(BACK),
            since: None,
        }
    }

    /// How it watches.
    pub fn terms(&self) -> &InputTerms {
        &self.terms
    }

    /// Takes a reading whose raw value can be used, if it is time for one; says whether it did. Another transform
    /// begins anew.
    pub fn reading(&mut self, reading: &Reading) -> bool {
        let every = micros(self.terms.every);
        // A clock that was ahead holds nothing back.
        let rests = self.last.is_some_and(|last| (0..every).contains(&reading.time.micros_since(last)));
        let Some(raw) = reading.raw.filter(|raw| raw.is_finite() && !rests) else { return false };
        let transform = reading.transform.as_ref().map(|transform| transform.digest);
        if transform != self.transform {
            *self = InputWatch { transform, ..InputWatch::new(self.terms) };
        }
        self.last = Some(reading.time);
        self.take(raw, reading.time);
        true
    }

    fn take(&mut self, raw: f64, time: Timestamp) {
        let Some(detector) = &mut self.detector else {
            self.baseline.push(raw);
            if self.baseline.len() >= self.terms.block as usize {
                self.detector = learnt(&self.terms, &std::mem::take(&mut self.baseline));
            }
            return;
        };
        let before = detector.ratio();
        detector.update(raw);
        // It changes where a block is complete.
        if detector.ratio() == before {
            return;
        }
        let turn = self.excursion.follow(detector.ratio().unwrap_or(0.0));
        if let Some(turn) = turn {
            self.since = (turn == Turn::Begins).then_some(time);
        }
    }

    /// What is found.
    pub fn finding(&self) -> Option<Finding> {
        let since = self.since?;
        let ratio = self.detector.as_ref()?.ratio()?;
        let name = match self.terms.measure {
            Measure::Ks => "by the test of Kolmogorov and Smirnov",
            Measure::Psi => "by the population stability index",
        };
        Some(Finding {
            severity: Severity::Ticket,
            message: format!(
                "its raw values have been distributed otherwise since about {since} than when its transform came \
                 into force: {} times what is allowed, {name} of {} values",
                shown(ratio),
                self.terms.block
            ),
            remedy:
                "see whether what it measures has changed, as with a season; else compare it with a reference"
                    .to_owned(),
            snapshot: None,
        })
    }
}

fn learnt(terms: &InputTerms, baseline: &[f64]) -> Option<Detector> {
    // Values that are all the same make a distribution as well; fewer than a block are none, and cannot be here.
    match terms.measure {
        Measure::Ks => Ks::new(baseline, terms.block, P, KEPT).ok().map(Detector::Ks),
        Measure::Psi => Psi::new(baseline, terms.block, LIMIT).ok().map(Detector::Psi),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Id;
    use crate::domain::quality::{Reasons, State};
    use crate::domain::resample::Seeded;
    use crate::domain::sample::TransformRef;

    const MINUTE: i64 = 60_000_000;

    fn reading(minute: i64, raw: Option<f64>, transform: u8) -> Reading {
        let time = Timestamp::EPOCH.saturating_add_micros(minute * MINUTE);
        let id = |name| Id::new(name).unwrap();
        let of = TransformRef { id: id("co"), version: 1, digest: Digest([transform; 32]) };
        Reading {
            sensor: id("co-1"),
            seq: 1,
            after: None,
            time,
            received: time,
            raw,
            value: None,
            u: None,
            p0_p1: None,
            event: None,
            unit: "nA".into(),
            state: State::Valid,
            reasons: Reasons::NONE,
            transform: (transform > 0).then(|| of.into()),
        }
    }

    fn watch(measure: Measure) -> InputWatch {
        InputWatch::new(InputTerms { measure, every: Duration::from_secs(600), block: 500 })
    }

    /// So many values, one in ten minutes, about a level.
    fn fed(watch: &mut InputWatch, draws: &mut Seeded, from: i64, count: i64, level: f64) -> i64 {
        for at in from..from + count {
            assert!(watch.reading(&reading(10 * at, Some(level + draws.normal()), 1)));
        }
        from + count
    }

    #[test]
    fn a_distribution_that_moves_is_found_and_that_it_comes_back() {
        for measure in [Measure::Ks, Measure::Psi] {
            let (mut watch, mut draws) = (watch(measure), Seeded::new(5));
            let at = fed(&mut watch, &mut draws, 0, 500 + 4 * 500, 20.0);
            assert_eq!(watch.finding(), None);
            let at = fed(&mut watch, &mut draws, at, 500, 20.8);
            let finding = watch.finding().expect("the level has moved");
            assert_eq!(finding.severity, Severity::Ticket);
            assert!(finding.message.contains("1970-01-21T"), "{}", finding.message);
            let text = serde_json::to_string(&watch).unwrap();
            assert_eq!(serde_json::from_str::<InputWatch>(&text).unwrap(), watch);
            fed(&mut watch, &mut draws, at, 500, 20.0);
            assert_eq!(watch.finding(), None);
        }
    }

    #[test]
    fn values_between_are_left_out_and_another_transform_begins_anew() {
        let mut watch = watch(Measure::Psi);
        assert!(watch.reading(&reading(0, Some(1.0), 0)));
        assert!(!watch.reading(&reading(9, Some(1.0), 0)));
        assert!(!watch.reading(&reading(10, None, 0)), "there is nothing to take");
        assert!(watch.reading(&reading(10, Some(2.0), 0)));
        assert!(watch.reading(&reading(5, Some(3.0), 0)), "the clock was set back");
        assert_eq!(watch.baseline, [1.0, 2.0, 3.0]);
        assert!(watch.reading(&reading(20, Some(4.0), 1)));
        assert_eq!(watch.baseline, [4.0]);
    }
}
