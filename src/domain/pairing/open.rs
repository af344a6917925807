//! Intervals of a known length that are averaged while they last, so that nothing has to be read again.

use super::{Gather, How, Interval, Observed};
use crate::domain::reference::Span;
use crate::domain::time::{Timestamp, micros};

/// Intervals that are kept beside those that a reading falls into: a reference may be late by some.
const KEPT: usize = 3;

/// The intervals that are being averaged. They begin at whole multiples of their length since 1970.
#[derive(Debug)]
pub struct Open {
    length: i64,
    how: How,
    gathers: Vec<(Span, Gather)>,
    /// Readings of earlier times may be missing.
    lost: Timestamp,
}

impl Open {
    /// For intervals of a length, where nothing is known of the readings before `now`.
    pub fn new(interval: Interval, how: &How, now: Timestamp) -> Open {
        Open { length: micros(interval.length).max(1), how: *how, gathers: Vec::new(), lost: now }
    }

    /// Readings of up to this time may have been missed.
    pub fn missed(&mut self, until: Timestamp) {
        self.lost = self.lost.max(until);
    }

    /// Takes the next reading.
    pub fn push(&mut self, reading: &Observed) {
        let mut needed = 0;
        for ahead in 0.. {
            let Some(span) = self.interval(reading.time, ahead) else { break };
            let place = self.gathers.iter().position(|(known, _)| *known == span);
            if place.is_none() {
                let gather = Gather::over(span, &self.how);
                if gather.window().since > reading.time {
                    break;
                }
                self.gathers.push((span, gather));
            }
            let at = place.unwrap_or(self.gathers.len() - 1);
            if self.gathers[at].1.window().since > reading.time {
                break;
            }
            self.gathers[at].1.push(reading);
            needed += 1;
        }
        while self.gathers.len() > needed + KEPT {
            self.forget_farthest(reading.time);
        }
    }

    /// The interval so many after the one that holds `time`.
    fn interval(&self, time: Timestamp, ahead: i64) -> Option<Span> {
        let begin = (time.as_micros().div_euclid(self.length) + ahead) * self.length;
        Span::between(Timestamp::from_micros(begin)?, Timestamp::from_micros(begin + self.length)?)
    }

    /// After a step of the clock far ahead and back, what was gathered there must not push out what counts.
    fn forget_farthest(&mut self, from: Timestamp) {
        let distance = |(_, (span, _)): &(usize, &(Span, Gather))| span.begin().micros_since(from).abs();
        let Some((place, _)) = self.gathers.iter().enumerate().max_by_key(distance) else { return };
        let (span, _) = self.gathers.swap_remove(place);
        if span.end() <= from {
            self.lost = self.lost.max(span.end());
        }
    }

    /// What was gathered in exactly this interval, if nothing of it is missing.
    pub fn whole(&self, span: Span) -> Option<&Gather> {
        let found = self.gathers.iter().find(|(known, _)| *known == span).map(|(_, gather)| gather);
        found.filter(|gather| gather.window().since >= self.lost)
    }
}
