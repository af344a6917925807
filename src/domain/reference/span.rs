//! When a reference was measured: a point in time, or an interval.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ReferenceError;
use crate::domain::time::Timestamp;

/// How long an interval may be.
pub const INTERVALS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(366 * 86_400);

/// Which point of its interval an average is stamped with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stamp {
    /// Its begin.
    Begin,
    /// Its middle.
    Mid,
    /// Its end.
    #[default]
    End,
}

/// The time that a reference is about. An interval holds its begin and not its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    begin: Timestamp,
    end: Timestamp,
}

impl Span {
    /// A point in time.
    pub fn point(at: Timestamp) -> Span {
        Span { begin: at, end: at }
    }

    /// The interval of this length that is stamped with `time`.
    pub fn over(time: Timestamp, length: Duration, stamp: Stamp) -> Result<Span, ReferenceError> {
        if !INTERVALS.contains(&length) {
            return Err(ReferenceError::Interval(length));
        }
        let length = length.as_micros() as i64;
        let before = match stamp {
            Stamp::Begin => 0,
            Stamp::Mid => length / 2,
            Stamp::End => length,
        };
        let begin = time.saturating_add_micros(-before);
        Ok(Span { begin, end: begin.saturating_add_micros(length) })
    }

    /// From `begin` to `end`, as stored; `None` if they are the wrong way round.
    pub fn between(begin: Timestamp, end: Timestamp) -> Option<Span> {
        (begin <= end).then_some(Span { begin, end })
    }

    /// The begin.
    pub fn begin(&self) -> Timestamp {
        self.begin
    }

    /// The end; of a point the point itself.
    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// The length in microseconds; 0 of a point.
    pub fn micros(&self) -> i64 {
        self.end.micros_since(self.begin)
    }

    /// Whether it is a point in time.
    pub fn is_point(&self) -> bool {
        self.begin == self.end
    }

    /// Whether `time` lies in the interval; nothing lies in a point.
    pub fn holds(&self, time: Timestamp) -> bool {
        self.begin <= time && time < self.end
    }

    /// The middle; of a point the point itself.
    pub fn middle(&self) -> Timestamp {
        self.begin.saturating_add_micros(self.micros() / 2)
    }
}
