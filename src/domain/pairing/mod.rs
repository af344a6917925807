//! Reading and reference to a pair.
//!
//! [`pair`] is all there is to it: the daemon feeds it from what it remembers ([`Pairing`]), or from the
//! history where that does not reach back far enough; both give the same pair, in whichever order readings
//! and references came. Values are calibrated first and averaged then.

mod aim;
mod gather;
pub mod lag;
mod live;
mod observed;
mod open;
mod outcome;
mod spacing;

use std::time::Duration;

pub use self::aim::{Window, window};
pub use self::gather::Gather;
pub use self::live::{Decision, Interval, Pairing};
pub use self::observed::Observed;
pub use self::outcome::{Outcome, Pair};
use super::reference::{Reference, Span};
use super::time::Timestamp;

/// The share of an interval's readings that its mean needs.
pub const COMPLETENESS: f64 = 0.75;
/// How far a reading may be from a reference without an interval, unless said.
pub const MAX_AGE: Duration = Duration::from_secs(900);
/// How long to wait for readings that are on their way, unless said.
pub const GRACE: Duration = Duration::from_secs(60);
/// A reference that comes this many times more rarely than the sensor's readings is a slow one.
const SLOW: u32 = 4;

/// How readings and references are paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// The time between two readings of the sensor; `None`: the median of what is found in the interval,
    /// and for as long again twice before it, but at most a day.
    pub period: Option<Duration>,
    /// What a reference without an interval pairs with.
    pub method: Method,
    /// How far a reading may be from a reference without an interval.
    pub max_age: Duration,
    /// How long after the last moment that counts to wait for readings that are on their way.
    pub grace: Duration,
}

/// What a reference without an interval pairs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The reading nearest in time; of two as near the earlier one.
    Nearest,
    /// The mean of the readings in so long a window that ends with the reference, under the rules of an
    /// interval: what a slow reference shows is what it saw until then.
    Mean(Duration),
    /// The value at the reference's time on the line from the last reading until then to the next one.
    Interpolate,
}

impl How {
    /// How to pair a sensor of this period with a reference whose values come at that: with the mean over
    /// the reference's period (at most [`MAX_AGE`]) if that is at least four of the sensor's, else with
    /// the nearest reading.
    pub fn suited(sensor: Option<Duration>, reference: Option<Duration>) -> How {
        let method = match (sensor, reference) {
            (Some(fast), Some(slow)) if slow >= fast * SLOW => Method::Mean(slow.min(MAX_AGE)),
            _ => Method::Nearest,
        };
        How { period: sensor, method, max_age: MAX_AGE, grace: GRACE }
    }
}

/// Pairs a reference with a sensor's readings, which come in the order of their numbers, ascending or
/// descending; those outside of [`window`] change nothing, and one that comes twice counts once.
pub fn pair(
    reference: &Reference,
    readings: &mut dyn Iterator<Item = Observed>,
    how: &How,
    now: Timestamp,
) -> Outcome {
    let mut gather = Gather::of(reference, how);
    readings.for_each(|reading| gather.push(&reading));
    gather.finish(reference, now)
}

/// The value of a covariate beside a pair: its mean over the pair's interval, else the reading nearest in
/// time, as it would have been used for a value; in the unit in which most of its readings are.
pub fn beside(span: Span, readings: &mut dyn Iterator<Item = Observed>) -> Option<f64> {
    let mut gather = Gather::beside(span);
    readings.for_each(|reading| gather.push(&reading));
    gather.value()
}

#[cfg(test)]
mod tests;
