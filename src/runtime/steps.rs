//! Whether the wall clock was set.

use std::time::Duration;

use crate::domain::time::{Timestamp, micros};

/// A thousandth of the time passed is no step: a clock that is led back to the true time runs up to 0.05 % fast or slow.
const SLEW: i64 = 1000;

/// Compares the wall clock with the monotonic one.
#[derive(Debug, Clone)]
pub struct Steps {
    least: i64,
    last: Option<(Timestamp, Duration)>,
}

impl Steps {
    /// Only more than `least` microseconds are a step.
    pub fn new(least: i64) -> Steps {
        Steps { least, last: None }
    }

    /// Notes the time on both clocks; answers by how much the wall clock was set since the last call, in microseconds
    /// and negative if back, if it was.
    pub fn observe(&mut self, wall: Timestamp, monotonic: Duration) -> Option<i64> {
        let (last_wall, last_monotonic) = self.last.replace((wall, monotonic))?;
        let passed = micros(monotonic.saturating_sub(last_monotonic));
        let micros = wall.micros_since(last_wall).saturating_sub(passed);
        (micros.abs() > self.least.saturating_add(passed / SLEW)).then_some(micros)
    }
}
