//! Sliding windows: what the pairs of the last days say, kept pair by pair in bounded memory.
//!
//! Time is cut into panes that begin at whole multiples of their length since 1970. A window covers
//! the pane of now and those before it, so that it slides a pane at a time, and every pair that a
//! covered pane holds counts exactly as it would in a computation over all of them.

mod by_cohort;
mod pane;
mod reliability;
pub(in crate::domain::drift) mod ring;
mod scores;
mod sequence;
mod span;

use std::time::Duration;

pub use by_cohort::Windows;
pub use scores::{Fallback, Report, Scores};
pub use span::{Span, SpanError};

use super::pair::{Pair, is_probability};
use crate::domain::sensor::Kind;
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::Mpe;
use pane::Pane;
use reliability::Reliability;
use ring::Ring;

/// What a window is of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setup {
    /// What the sensor's value means: probabilities have reliability bins.
    pub kind: Kind,
    /// How long the window is.
    pub span: Span,
    /// The sensor's maximum permissible error, for the share of pairs within it.
    pub mpe: Option<Mpe>,
}

impl Setup {
    /// Seven days, no maximum permissible error.
    pub fn new(kind: Kind) -> Setup {
        Setup { kind, span: Span::week(kind), mpe: None }
    }
}

/// What became of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It counts.
    InOrder,
    /// It counts, but an earlier one of its pane came after a later one: the autocorrelation takes them
    /// in the order in which they came until [`Window::rebuild_pane`] puts them in order.
    OutOfOrder,
    /// It is from before the window, or from before its restart.
    TooOld,
    /// It is from the future, by more than a pane.
    Future,
    /// It is of another kind of sensor.
    OtherKind,
    /// Its pane holds 2^32 - 1 pairs already.
    Full,
}

/// The statistics of the last days' pairs of one sensor, or of one of its cohorts.
///
/// They depend on nothing but the pairs of each pane and their order in it: pairs that are read from a
/// store in the order of their times give the same numbers to the last bit, as long as panes with pairs
/// out of order were rebuilt. Times are those of the pairs; `now` is the caller's, and may step.
#[derive(Debug, Clone)]
pub struct Window {
    setup: Setup,
    since: Option<Timestamp>,
    panes: Ring<Pane>,
    reliability: Ring<Reliability>,
    raw_reliability: Ring<Reliability>,
}

impl Window {
    /// A window without pairs, and without memory for them.
    pub fn new(setup: Setup) -> Window {
        let ring = setup.span.slots();
        Window {
            setup,
            since: None,
            panes: Ring::new(ring),
            reliability: Ring::new(ring),
            raw_reliability: Ring::new(ring),
        }
    }

    /// Counts a pair in the pane of its time, late or not.
    pub fn add(&mut self, pair: &Pair, now: Timestamp) -> Placed {
        let (at, latest) = (self.setup.span.index(pair.time), self.setup.span.index(now));
        if pair.kind() != self.setup.kind {
            return Placed::OtherKind;
        }
        if at > latest + 1 {
            return Placed::Future;
        }
        if at <= latest - self.setup.span.panes() || self.start(now).is_some_and(|start| pair.time < start) {
            return Placed::TooOld;
        }
        let pane = self.panes.pane(at);
        if pane.is_full() {
            return Placed::Full;
        }
        let placed = if pane.add(pair, &self.setup) { Placed::InOrder } else { Placed::OutOfOrder };
        if self.setup.kind == Kind::Probability {
            self.reliability.pane(at).add(pair.value, pair.reference);
            if let Some(raw) = pair.raw.filter(|raw| is_probability(*raw)) {
                self.raw_reliability.pane(at).add(raw, pair.reference);
            }
        }
        placed
    }

    /// Forgets all pairs, and takes none from before `since`: for a change of the instrument or of the
    /// transform. By a clock that was ahead, it holds nothing back once the clock is right.
    pub fn restart(&mut self, since: Timestamp) {
        self.clear();
        self.since = Some(since);
    }

    fn start(&self, now: Timestamp) -> Option<Timestamp> {
        self.since.filter(|since| *since <= now)
    }

    /// Forgets all pairs and counts these, the stored ones, in the order of their times: after a start,
    /// a step of the clock, or a change of the setup.
    pub fn rebuild(&mut self, pairs: &mut dyn Iterator<Item = Pair>, now: Timestamp) {
        self.clear();
        pairs.for_each(|pair| {
            self.add(&pair, now);
        });
    }

    /// Forgets the pairs of the pane of `time` and counts those of `pairs` that belong to it, in their
    /// order: after one was withdrawn, revised, or came out of order.
    pub fn rebuild_pane(&mut self, time: Timestamp, pairs: &mut dyn Iterator<Item = Pair>, now: Timestamp) {
        let [first, last] = self.pane(time);
        self.forget_pane(time);
        pairs.filter(|pair| (first..=last).contains(&pair.time)).for_each(|pair| {
            self.add(&pair, now);
        });
    }

    fn forget_pane(&mut self, time: Timestamp) {
        let at = self.setup.span.index(time);
        self.panes.forget(at);
        self.reliability.forget(at);
        self.raw_reliability.forget(at);
    }

    fn clear(&mut self) {
        self.panes.clear();
        self.reliability.clear();
        self.raw_reliability.clear();
    }

    /// First and last microsecond of the pane that a time falls into: which pairs
    /// [`Window::rebuild_pane`] wants.
    pub fn pane(&self, time: Timestamp) -> [Timestamp; 2] {
        self.setup.span.bounds(self.setup.span.index(time))
    }

    /// The setup.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Pairs in the window.
    pub fn count(&self, now: Timestamp) -> u64 {
        let latest = self.setup.span.index(now);
        self.panes.covered(latest, self.setup.span.panes()).map(Pane::count).sum()
    }

    /// The statistics of the window, or of its last part, in whole panes, at least one.
    pub fn report(&self, now: Timestamp, part: Option<Duration>) -> Report {
        let latest = self.setup.span.index(now);
        let count = part.map_or(self.setup.span.panes(), |part| self.setup.span.panes_in(part));
        let start = self.setup.span.bounds(latest + 1 - count)[0];
        let start = self.start(now).map_or(start, |since| since.max(start));
        let pane = self.panes.covered(latest, count).fold(Pane::default(), |all, pane| all.merged(pane));
        let bins = |ring: &Ring<Reliability>| {
            ring.covered(latest, count).fold(Reliability::default(), |all, one| all.merged(one))
        };
        let (calibrated, raw) = (bins(&self.reliability), bins(&self.raw_reliability));
        Report {
            window: [start, now],
            cohort: None,
            fallback: None,
            calibrated: calibrated.complete(pane.scores()),
            raw: raw.complete(pane.raw_scores()),
            bins: calibrated.bins(),
            raw_bins: raw.bins(),
            overdue: pane.overdue(),
        }
    }

    /// Bytes of the window, its heap included.
    pub fn bytes(&self) -> usize {
        size_of::<Window>() + self.panes.heap() + self.reliability.heap() + self.raw_reliability.heap()
    }
}

#[cfg(test)]
mod tests;
