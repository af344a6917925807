//! All windows of a sensor.

use std::time::Duration;

use super::scores::{Fallback, Report};
use super::{Placed, Setup, Window};
use crate::domain::drift::cohort::Cohorts;
use crate::domain::drift::pair::Pair;
use crate::domain::time::Timestamp;

/// The windows of a sensor: of all its pairs, and of each cohort.
#[derive(Debug, Clone)]
pub struct Windows {
    all: Window,
    cohorts: Box<[Window]>,
}

impl Windows {
    /// Windows without pairs, one for all and `cohorts` more.
    pub fn new(setup: Setup, cohorts: usize) -> Windows {
        Windows { all: Window::new(setup), cohorts: (0..cohorts).map(|_| Window::new(setup)).collect() }
    }

    /// Counts a pair, once for the sensor and once for its cohort.
    pub fn add(&mut self, pair: &Pair, now: Timestamp) -> Placed {
        if let Some(window) = pair.cohort.and_then(|at| self.cohorts.get_mut(usize::from(at))) {
            window.add(pair, now);
        }
        // whatever becomes of it in the cohort's window becomes of it here
        self.all.add(pair, now)
    }

    /// See [`Window::restart`].
    pub fn restart(&mut self, since: Timestamp) {
        self.each(|window| window.restart(since));
    }

    /// See [`Window::rebuild`].
    pub fn rebuild(&mut self, pairs: &mut dyn Iterator<Item = Pair>, now: Timestamp) {
        self.each(Window::clear);
        pairs.for_each(|pair| {
            self.add(&pair, now);
        });
    }

    /// See [`Window::rebuild_pane`].
    pub fn rebuild_pane(&mut self, time: Timestamp, pairs: &mut dyn Iterator<Item = Pair>, now: Timestamp) {
        let [first, last] = self.all.pane(time);
        self.each(|window| window.forget_pane(time));
        pairs.filter(|pair| (first..=last).contains(&pair.time)).for_each(|pair| {
            self.add(&pair, now);
        });
    }

    fn each(&mut self, change: impl Fn(&mut Window)) {
        change(&mut self.all);
        self.cohorts.iter_mut().for_each(change);
    }

    /// The window of all pairs.
    pub fn all(&self) -> &Window {
        &self.all
    }

    /// The statistics of a cohort, by its place among `cohorts`, those of the sensor; of all pairs where
    /// the cohort has fewer than it needs; `None` if there is no such cohort.
    pub fn of_cohort(
        &self,
        cohorts: &Cohorts,
        at: usize,
        now: Timestamp,
        part: Option<Duration>,
    ) -> Option<Report> {
        let cohort = Some(cohorts.name(at)?.to_owned());
        let report = self.cohorts.get(at)?.report(now, part);
        let (n, needed) = (report.calibrated.n, cohorts.least());
        if n >= needed {
            return Some(Report { cohort, ..report });
        }
        Some(Report { cohort, fallback: Some(Fallback { n, needed }), ..self.all.report(now, part) })
    }

    /// Bytes of all windows, the heap included.
    pub fn bytes(&self) -> usize {
        size_of::<Windows>() - size_of::<Window>()
            + self.all.bytes()
            + self.cohorts.iter().map(Window::bytes).sum::<usize>()
    }
}
