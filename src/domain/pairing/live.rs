//! The pairing of one sensor while its readings come.

use std::collections::VecDeque;
use std::time::Duration;

use super::open::Open;
use super::{Gather, How, Observed, Outcome, Window, window};
use crate::domain::id::Id;
use crate::domain::reference::Reference;
use crate::domain::time::{Timestamp, micros};

/// References that may wait for readings at a time.
const WAITING: usize = 256;

/// Before every other time: the reading that a reference waits for has come.
const NOW: Timestamp = Timestamp::EPOCH;

/// What is known of the references to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The interval that each averages; it begins at a whole multiple of this since 1970.
    pub length: Duration,
}

/// What has become of a reference.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It is paired, or will not be.
    Settled(Reference, Outcome),
    /// What is remembered does not reach back far enough: [`super::pair`] it with the stored readings of
    /// this window.
    Look(Reference, Window),
}

/// A sensor's latest readings, and its references that wait for more. Both are bounded.
#[derive(Debug)]
pub struct Pairing {
    how: How,
    most: usize,
    recent: VecDeque<Observed>,
    /// Readings of earlier times may be missing in `recent`.
    lost: Timestamp,
    open: Option<Open>,
    /// With the time before which it makes no sense to look at them again.
    waiting: VecDeque<(Timestamp, Reference)>,
}

impl Pairing {
    /// Remembers up to `most` readings, and what falls into the intervals of references to come, if their
    /// length is known; of the readings before `now` nothing is known.
    pub fn new(how: How, most: usize, interval: Option<Interval>, now: Timestamp) -> Pairing {
        let open = interval.map(|interval| Open::new(interval, &how, now));
        Pairing { how, most, recent: VecDeque::new(), lost: now, open, waiting: VecDeque::new() }
    }

    /// Takes the sensor's next reading.
    pub fn reading(&mut self, reading: Observed) {
        if reading.event.is_some() {
            let named = self.waiting.iter_mut().filter(|(_, waiting)| waiting.event == reading.event);
            named.for_each(|(until, _)| *until = NOW);
        }
        if let Some(open) = &mut self.open {
            open.push(&reading);
        }
        if self.recent.len() >= self.most
            && let Some(oldest) = self.recent.pop_front()
        {
            self.lost = self.lost.max(oldest.time.saturating_add_micros(1));
        }
        if self.most > 0 {
            self.recent.push_back(reading);
        } else {
            self.lost = self.lost.max(reading.time.saturating_add_micros(1));
        }
    }

    /// Readings of up to this time may have been missed.
    pub fn missed(&mut self, until: Timestamp) {
        self.lost = self.lost.max(until);
        if let Some(open) = &mut self.open {
            open.missed(until);
        }
    }

    /// Takes a reference. It is given back if too many wait already: it is stored, to be paired later.
    pub fn reference(&mut self, reference: Reference, now: Timestamp) -> Result<(), Box<Reference>> {
        if self.waiting.len() >= WAITING {
            return Err(Box::new(reference));
        }
        // What is withdrawn or corrected before it is paired needs no pair.
        self.waiting.retain(|(_, waiting)| waiting.id != reference.id);
        self.waiting.push_back((now, reference));
        Ok(())
    }

    /// Forgets a reference that waits.
    pub fn withdraw(&mut self, id: &Id) {
        self.waiting.retain(|(_, waiting)| waiting.id != *id);
    }

    /// When [`Pairing::settle`] can have something to tell; `None`: nothing waits.
    pub fn due(&self) -> Option<Timestamp> {
        self.waiting.iter().map(|(until, _)| *until).min()
    }

    /// What has become of the references that waited.
    pub fn settle(&mut self, now: Timestamp) -> Vec<Decision> {
        let mut settled = Vec::new();
        for (until, reference) in std::mem::take(&mut self.waiting) {
            if now < until {
                self.waiting.push_back((until, reference));
                continue;
            }
            match self.decide(&reference, now) {
                // The reading of its event has come, and is remembered by the store only.
                Found::Outcome(Outcome::Waiting { .. }) if until == NOW && reference.event.is_some() => {
                    let window = window(&reference, &self.how);
                    settled.push(Decision::Look(reference, window));
                }
                Found::Outcome(Outcome::Waiting { until }) => self.waiting.push_back((until, reference)),
                Found::Outcome(outcome) => settled.push(Decision::Settled(reference, outcome)),
                Found::Unknown(window) => settled.push(Decision::Look(reference, window)),
            }
        }
        settled
    }

    fn decide(&self, reference: &Reference, now: Timestamp) -> Found {
        if let Some(gather) = self.open.as_ref().and_then(|open| open.whole(reference.span)) {
            return Found::Outcome(gather.finish(reference, now));
        }
        let window = window(reference, &self.how);
        let mut gather = Gather::of(reference, &self.how);
        self.recent.iter().for_each(|reading| gather.push(reading));
        // Whatever may be missing: as long as it says to wait, nothing has to be looked up.
        // Whoever remembers nothing has not seen what came.
        let whole = self.most > 0 && window.since >= self.lost || gather.is_certain();
        match gather.finish(reference, now) {
            // The store may have a reading so near that none that could come would be nearer. A label waits for the
            // reading of its event, which says so when it comes.
            Outcome::Waiting { until } if !whole && gather.is_empty() && reference.event.is_none() => {
                let soon = reference.span.end().saturating_add_micros(micros(self.how.grace));
                match now < soon.min(until) {
                    true => Found::Outcome(Outcome::Waiting { until: soon.min(until) }),
                    false => Found::Unknown(window),
                }
            }
            outcome if whole || outcome.is_waiting() => Found::Outcome(outcome),
            Outcome::Flagged => Found::Outcome(Outcome::Flagged),
            _ => Found::Unknown(window),
        }
    }
}

enum Found {
    Outcome(Outcome),
    Unknown(Window),
}
