//! Cumulative sums.

use serde::{Deserialize, Serialize};

use super::{Alarm, taken};

/// Two-sided CUSUM of standardised values (Page, Biometrika 41:100, 1954): it begins anew after an alarm.
///
/// up = max(0, up + z - k), down = max(0, down - z - k); an alarm where one of them is above h.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cusum {
    k: f64,
    h: f64,
    up: f64,
    down: f64,
}

impl Cusum {
    /// With the allowance `k`, half the shift that is looked for, and the limit `h`, both in standard
    /// deviations.
    pub fn new(k: f64, h: f64) -> Cusum {
        Cusum { k, h, up: 0.0, down: 0.0 }
    }

    /// Takes the next standardised value.
    pub fn update(&mut self, value: f64) -> Option<Alarm> {
        let z = taken(value)?;
        self.up = (self.up + z - self.k).max(0.0);
        self.down = (self.down - z - self.k).max(0.0);
        let alarm = match (self.up > self.h, self.down > self.h) {
            (true, _) => Alarm::Up,
            (_, true) => Alarm::Down,
            _ => return None,
        };
        *self = Cusum::new(self.k, self.h);
        Some(alarm)
    }

    /// Begins anew on the side of this alarm.
    pub fn restart(&mut self, side: Alarm) {
        match side {
            Alarm::Up => self.up = 0.0,
            Alarm::Down => self.down = 0.0,
            Alarm::Shape => {}
        }
    }

    /// The sums upwards and downwards, in standard deviations.
    pub fn sums(&self) -> [f64; 2] {
        [self.up, self.down]
    }
}
