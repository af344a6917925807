//! Which readings a reference calls for.

use std::sync::Arc;

use super::{How, Method};
use crate::domain::reference::{Reference, Span};
use crate::domain::time::{Timestamp, micros};

/// The furthest that is looked back for a sensor's period, in microseconds.
const DAY: i64 = 86_400_000_000;

/// What is sought.
#[derive(Debug, Clone, PartialEq)]
pub enum Aim {
    /// The mean over an interval.
    Mean(Span),
    /// The reading of the event or, where readings name none, the nearest.
    Nearest(Timestamp, Option<Arc<str>>),
    /// The value between two readings.
    Between(Timestamp),
}

impl Aim {
    /// What a reference calls for. A label is no average: it goes with one reading.
    pub fn of(reference: &Reference, how: &How) -> Aim {
        match &reference.event {
            Some(event) => Aim::Nearest(reference.span.middle(), Some(Arc::clone(event))),
            None => Aim::over(reference.span, how),
        }
    }

    /// What a reference of this time calls for.
    pub fn over(span: Span, how: &How) -> Aim {
        let at = span.end();
        match how.method {
            _ if !span.is_point() => Aim::Mean(span),
            Method::Nearest => Aim::Nearest(at, None),
            Method::Interpolate => Aim::Between(at),
            Method::Mean(window) => {
                let begin = at.saturating_add_micros(-micros(window.min(how.max_age)));
                Span::between(begin, at)
                    .filter(|span| !span.is_point())
                    .map_or(Aim::Nearest(at, None), Aim::Mean)
            }
        }
    }

    /// The times of the readings that count.
    pub fn window(&self, how: &How) -> Window {
        match self {
            Aim::Mean(span) => {
                let back = if how.period.is_none() { (2 * span.micros()).min(DAY) } else { 0 };
                Window { since: span.begin().saturating_add_micros(-back), until: span.end() }
            }
            Aim::Nearest(at, _) | Aim::Between(at) => {
                let reach = micros(how.max_age);
                let until = at.saturating_add_micros(reach.saturating_add(1));
                Window { since: at.saturating_add_micros(-reach), until }
            }
        }
    }
}

/// The times of the readings that a reference needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub since: Timestamp,
    /// The time after the last.
    pub until: Timestamp,
}

/// The times of the readings that a reference needs.
pub fn window(reference: &Reference, how: &How) -> Window {
    Aim::of(reference, how).window(how)
}
