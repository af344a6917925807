//! What goes wrong with a signal, and when.

use std::time::Duration;

use super::micros;

/// A fault of a signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// When it begins, since the start.
    pub at: Duration,
    /// When it is over; `None`: never.
    pub until: Option<Duration>,
    /// What it is.
    pub kind: FaultKind,
}

/// What a fault does. All numbers are finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaultKind {
    /// Adds so much.
    Step(f64),
    /// Adds more and more, `by` after `over`, and stays there.
    Ramp { by: f64, over: Duration },
    /// Gives the value before the fault again and again.
    Stuck,
    /// Gives nothing.
    Gap,
    /// Adds so much to one value, the first at or after `at`.
    Spike(f64),
    /// Multiplies the noise by so much.
    Noise(f64),
}

/// What all faults of one moment do together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Disturbance {
    pub(super) added: f64,
    pub(super) noise: f64,
    pub(super) stuck: bool,
    pub(super) gap: bool,
}

/// The faults at `at`, where a value comes every `period`; both in microseconds.
pub(super) fn disturbance(faults: &[Fault], at: u64, period: u64) -> Disturbance {
    let mut all = Disturbance { added: 0.0, noise: 1.0, stuck: false, gap: false };
    for fault in faults {
        let Some(since) = at.checked_sub(micros(fault.at)) else { continue };
        if fault.until.is_some_and(|until| at >= micros(until)) {
            continue;
        }
        match fault.kind {
            FaultKind::Step(by) => all.added += by,
            FaultKind::Ramp { by, over } => {
                all.added += by * (since as f64 / micros(over).max(1) as f64).min(1.0);
            }
            FaultKind::Spike(by) if since < period => all.added += by,
            FaultKind::Spike(_) => {}
            FaultKind::Noise(factor) => all.noise *= factor,
            FaultKind::Stuck => all.stuck = true,
            FaultKind::Gap => all.gap = true,
        }
    }
    all
}
