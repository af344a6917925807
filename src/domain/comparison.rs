//! What is known of a sensor for its comparison with references.

use std::collections::BTreeMap;
use std::time::Duration;

use super::drift::cohort::Cohorts;
use super::drift::input::InputTerms;
use super::drift::judge::Terms;
use super::drift::window::{Setup, Span};
use super::id::SensorId;
use super::pairing::{How, Method};
use super::reference::Stamp;
use super::sensor::Kind;
use super::session::Settings;
use super::slo::Objective;
use super::uncertainty::decision::Mpe;

/// How a sensor is compared with references, and how its drift is summed up.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// The time between two of its readings.
    pub period: Option<Duration>,
    /// Its maximum permissible error, in the unit of its values.
    pub mpe: Option<Mpe>,
    /// Free words for selection.
    pub tags: BTreeMap<String, String>,
    /// What a reference without an interval pairs with; `None`: what suits the periods of both.
    pub pairing: Option<Method>,
    /// How long to wait for readings that are on their way; `None`: a minute.
    pub grace: Option<Duration>,
    /// The sensor that it is compared with.
    pub reference: Option<ReferenceSensor>,
    /// How much time the statistics cover; `None`: seven days.
    pub window: Option<Duration>,
    /// What is expected of its pairs.
    pub expected: Expected,
    /// Parts of its pairs that are scored by themselves.
    pub cohorts: Cohorts,
    /// How it is recalibrated.
    pub recalibration: Settings,
}

/// A sensor that is another's reference.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceSensor {
    /// Which.
    pub sensor: SensorId,
    /// Its standard uncertainty, in its unit; `None`: that of its readings.
    pub uncertainty: Option<f64>,
    /// The interval that each of its readings averages, and which point of that its time is.
    pub interval: Option<(Duration, Stamp)>,
}

/// What is expected of a sensor's pairs beside its maximum permissible error.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Expected {
    /// What share of them has to be within that; `None`: the usual one.
    pub objective: Option<Objective>,
    /// Pairs from which it is learnt what is usual; `None`: as many as the detector needs for its false alarms.
    pub baseline: Option<usize>,
    /// The longest time between two calibrations.
    pub interval: Option<Duration>,
    /// How its raw values are watched; `None`: not at all.
    pub input: Option<InputTerms>,
}

impl Comparison {
    /// Whether its readings are looked at as they come.
    pub fn is_followed(&self) -> bool {
        self.reference.is_some() || self.expected.input.is_some()
    }

    /// What its pairs are judged by.
    pub fn terms(&self) -> Terms {
        let Expected { objective, baseline, interval, .. } = self.expected;
        let usual = Terms::default();
        Terms {
            mpe: self.mpe,
            objective: objective.unwrap_or(usual.objective),
            baseline: baseline.unwrap_or(usual.baseline),
            interval,
        }
    }

    /// What it has in common with others by its tags, for alerts: the first tag, `site` before others.
    pub fn group(&self) -> Option<String> {
        let site = self.tags.get_key_value("site");
        site.or_else(|| self.tags.iter().next()).map(|(name, value)| format!("{name}={value}"))
    }

    /// How references are paired, of which those of a sensor come in `reference`.
    pub fn how(&self, reference: Option<Duration>) -> How {
        let suited = How::suited(self.period, reference);
        let (method, grace) = (self.pairing.unwrap_or(suited.method), self.grace.unwrap_or(suited.grace));
        How { method, grace, ..suited }
    }

    /// How the windows are laid out; a length that cannot be is the usual one.
    pub fn setup(&self, kind: Kind) -> Setup {
        let span = self.window.and_then(|window| Span::new(kind, window).ok());
        Setup { kind, span: span.unwrap_or(Span::week(kind)), mpe: self.mpe }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_counts_before_what_suits() {
        let minute = Duration::from_secs(60);
        let suited = Comparison { period: Some(minute), ..Comparison::default() };
        assert_eq!(suited.how(Some(minute * 10)).method, Method::Mean(minute * 10));
        let told = Comparison { pairing: Some(Method::Interpolate), grace: Some(minute / 60), ..suited };
        let how = told.how(Some(minute * 10));
        assert_eq!((how.method, how.grace), (Method::Interpolate, minute / 60));
    }
}
