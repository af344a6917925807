//! Page and Hinkley's test.

use serde::{Deserialize, Serialize};

use super::{Alarm, taken};

/// Values after a start before which it does not alarm: its mean is of too few.
const FIRST: u64 = 30;

/// Two-sided Page-Hinkley test (Page 1954; Hinkley, Biometrika 58:509, 1971): a CUSUM against the running
/// mean, which includes the newest value. It begins anew after an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PageHinkley {
    delta: f64,
    threshold: f64,
    alpha: f64,
    n: u64,
    mean: f64,
    up: f64,
    least: f64,
    down: f64,
    most: f64,
}

impl PageHinkley {
    /// With the allowance `delta` and the `threshold`, both in the unit of the values, and the factor `alpha`
    /// by which older deviations count less, in (0, 1].
    pub fn new(delta: f64, threshold: f64, alpha: f64) -> PageHinkley {
        PageHinkley { delta, threshold, alpha, n: 0, mean: 0.0, up: 0.0, least: 0.0, down: 0.0, most: 0.0 }
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Option<Alarm> {
        let value = taken(value)?;
        self.n += 1;
        self.mean += (value - self.mean) / self.n as f64;
        let off = value - self.mean;
        self.up = self.alpha * self.up + off - self.delta;
        self.down = self.alpha * self.down + off + self.delta;
        let first = self.n == 1;
        self.least = if first { self.up } else { self.least.min(self.up) };
        self.most = if first { self.down } else { self.most.max(self.down) };
        if self.n < FIRST {
            return None;
        }
        let alarm = match (self.up - self.least > self.threshold, self.most - self.down > self.threshold) {
            (true, _) => Alarm::Up,
            (_, true) => Alarm::Down,
            _ => return None,
        };
        *self = PageHinkley::new(self.delta, self.threshold, self.alpha);
        Some(alarm)
    }
}
