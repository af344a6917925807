//! The same value again and again.

use serde::{Deserialize, Serialize};

use super::finding::Evidence;
use super::pace::Step;
use super::{Finding, Limit};
use crate::domain::time::Timestamp;

/// Fewer equal values in a row are nothing, whatever was learnt.
const LEAST: u32 = 20;
/// So many times the longest run that was learnt.
const BEYOND: u32 = 5;
/// Fewer are nothing even where a time is given.
const FEW: u32 = 3;

/// The run of equal values that goes on, and the longest that was learnt.
///
/// A coarse resolution gives long runs by itself: they are learnt.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Stuck {
    value: Option<f64>,
    readings: u32,
    /// Without the gaps between readings.
    seconds: f64,
    longest: u32,
    /// When the first of them came.
    began: Option<Timestamp>,
    found: bool,
    /// Whether a value has come since the start, and another one after it.
    #[serde(skip)]
    fresh: bool,
    #[serde(skip)]
    moved: bool,
}

impl Stuck {
    /// Notes a value that differs from the run's first by more than `tolerance`, or does not.
    /// Says whether the sensor is stuck with it.
    pub(super) fn note(
        &mut self,
        (time, raw): (Timestamp, f64),
        step: Step,
        (limit, tolerance): (Limit, f64),
        learning: bool,
    ) -> bool {
        if self.value.is_some_and(|value| (raw - value).abs() <= tolerance) {
            self.readings = self.readings.saturating_add(1);
            self.seconds += if let Step::Next(seconds) = step { seconds } else { 0.0 };
        } else {
            let (value, began, longest) = (Some(raw), Some(time), self.longest);
            let moved = self.moved || self.fresh;
            *self = Stuck { value, began, longest, moved, readings: 1, ..Stuck::default() };
        }
        self.fresh = true;
        if learning {
            self.longest = self.longest.max(self.readings);
        }
        self.found = match limit {
            Limit::Off => false,
            Limit::Learnt => !learning && self.readings > LEAST.max(self.longest.saturating_mul(BEYOND)),
            Limit::Given(seconds) => self.seconds > seconds && self.readings >= FEW,
        };
        self.found
    }

    /// Whether it is known that the sensor can give more than one value.
    pub(super) fn has_moved(&self) -> bool {
        self.moved
    }

    /// What is found now, since the first of the equal values.
    pub(super) fn finding(&self) -> Option<Finding> {
        let (readings, seconds) = (self.readings, self.seconds);
        let evidence = Evidence::Stuck { value: self.value?, readings, seconds };
        self.began.filter(|_| self.found).map(|since| Finding { since, evidence })
    }
}
