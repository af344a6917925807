//! Labels: how late references come, and how many readings get one.

use serde::{Deserialize, Serialize};

use super::window::Span;
use super::window::ring::Ring;
use crate::domain::time::Timestamp;

/// Octaves from a second on: up to 2^23 s, which is 97 days.
const OCTAVES: usize = 23;
/// Bins of an octave begin at these multiples of its start.
const STEPS: [f64; 2] = [1.0, std::f64::consts::SQRT_2];
/// Below a second, the octaves, and what is beyond them.
const BINS: usize = 2 + OCTAVES * STEPS.len();

/// What a pane keeps: of the readings of its time, and of the references that arrived in its time.
#[derive(Debug, Clone)]
struct Pane {
    readings: u64,
    labelled: u64,
    latencies: [u32; BINS],
}

impl Default for Pane {
    fn default() -> Pane {
        Pane { readings: 0, labelled: 0, latencies: [0; BINS] }
    }
}

/// How late and how complete the references of a sensor are, over a window that slides by panes.
///
/// Counts only: they are the same in whatever order they come.
#[derive(Debug, Clone)]
pub struct Labels {
    span: Span,
    panes: Ring<Pane>,
}

/// As published; `None` where nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LabelScores {
    /// Share of the readings of the window that have a reference; the youngest may still get one.
    pub completeness: Option<f64>,
    /// Half of the references that arrived in the window came within so many seconds after the reading.
    pub latency_p50: Option<f64>,
    /// 95 % of them did.
    pub latency_p95: Option<f64>,
}

impl Labels {
    /// No readings and no references yet, and no memory for them; the window is cut into 7 panes.
    pub fn new(span: Span) -> Labels {
        let span = span.coarse();
        Labels { span, panes: Ring::new(span.slots()) }
    }

    /// Counts readings of a time, those without a reference too. False if they are from outside the window.
    pub fn readings(&mut self, time: Timestamp, count: u64, now: Timestamp) -> bool {
        let Some(pane) = self.pane(time, now) else { return false };
        pane.readings = pane.readings.saturating_add(count);
        true
    }

    /// Counts readings of a time that got their first reference. False if they are from outside the
    /// window.
    pub fn labelled(&mut self, time: Timestamp, count: u64, now: Timestamp) -> bool {
        let Some(pane) = self.pane(time, now) else { return false };
        pane.labelled = pane.labelled.saturating_add(count);
        true
    }

    /// Counts a reference for a reading of a time, or for an interval that ended then. A reference that
    /// came before its reading, by clocks that disagree, came at once. False if it arrived outside the
    /// window.
    pub fn reference(&mut self, time: Timestamp, arrived: Timestamp, now: Timestamp) -> bool {
        let Some(pane) = self.pane(arrived, now) else { return false };
        let latencies = &mut pane.latencies[place(arrived.micros_since(time))];
        *latencies = latencies.saturating_add(1);
        true
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.panes.clear();
    }

    fn pane(&mut self, time: Timestamp, now: Timestamp) -> Option<&mut Pane> {
        let (at, latest) = (self.span.index(time), self.span.index(now));
        let within = at > latest - self.span.panes() && at <= latest + 1;
        within.then(|| self.panes.pane(at))
    }

    /// What the window says. Latencies are the middles of bins of two to an octave, at most 18 % off;
    /// below a second they read as 0.5, from 97 days on as that.
    pub fn scores(&self, now: Timestamp) -> LabelScores {
        let (mut readings, mut labelled, mut latencies) = (0u64, 0u64, [0u64; BINS]);
        for pane in self.panes.covered(self.span.index(now), self.span.panes()) {
            readings = readings.saturating_add(pane.readings);
            labelled = labelled.saturating_add(pane.labelled);
            latencies.iter_mut().zip(pane.latencies).for_each(|(sum, more)| *sum += u64::from(more));
        }
        LabelScores {
            completeness: (readings > 0).then(|| (labelled as f64 / readings as f64).min(1.0)),
            latency_p50: quantile(&latencies, 0.5),
            latency_p95: quantile(&latencies, 0.95),
        }
    }

    /// Bytes, the heap included.
    pub fn bytes(&self) -> usize {
        size_of::<Labels>() + self.panes.heap()
    }
}

fn place(micros: i64) -> usize {
    // below 0: the clocks disagree
    let whole = u64::try_from(micros).unwrap_or(0) / 1_000_000;
    if whole == 0 {
        return 0;
    }
    let octave = whole.ilog2();
    let multiple = micros as f64 / 1e6 / (1u64 << octave) as f64;
    let step = STEPS.iter().rposition(|step| *step <= multiple).unwrap_or(0);
    (1 + octave as usize * STEPS.len() + step).min(BINS - 1)
}

/// Seconds in the middle of a bin: equally far from both ends in relation to them.
fn middle(bin: usize) -> f64 {
    let Some(at) = bin.checked_sub(1) else { return 0.5 };
    if bin == BINS - 1 {
        return (1u64 << OCTAVES) as f64;
    }
    let start = STEPS[at % STEPS.len()] * (1u64 << (at / STEPS.len())) as f64;
    start * 2.0 * STEPS[1] / (1.0 + STEPS[1])
}

/// The bin of the least value that so large a share is not above.
fn quantile(counts: &[u64; BINS], share: f64) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    let rank = (share * all as f64).ceil() as u64;
    let mut seen = 0;
    let reaches = |count: &u64| {
        seen += count;
        seen >= rank
    };
    if all == 0 { None } else { counts.iter().position(reaches).map(middle) }
}

#[cfg(test)]
mod tests;
