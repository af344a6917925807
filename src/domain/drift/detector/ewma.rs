//! Exponentially weighted moving averages.

use serde::{Deserialize, Serialize};

use super::{Alarm, taken};

/// EWMA chart of standardised values with exact limits (Roberts, Technometrics 1:239, 1959).
///
/// w = lambda z + (1 - lambda) w, from 0; its standard deviation after i values is
/// sqrt(lambda / (2 - lambda) (1 - (1 - lambda)^(2 i))).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EwmaChart {
    lambda: f64,
    limit: f64,
    average: f64,
    /// (1 - lambda)^(2 i): 1 before the first value.
    fading: f64,
}

impl EwmaChart {
    /// With the weight `lambda` of the newest value, in (0, 1], and the limit in standard deviations of the
    /// average.
    pub fn new(lambda: f64, limit: f64) -> EwmaChart {
        EwmaChart { lambda, limit, average: 0.0, fading: 1.0 }
    }

    /// Takes the next standardised value; alarms as long as the average is outside the limits.
    pub fn update(&mut self, value: f64) -> Option<Alarm> {
        let z = taken(value)?;
        self.average = self.lambda * z + (1.0 - self.lambda) * self.average;
        let fading = self.fading * (1.0 - self.lambda).powi(2);
        // It counts no more, and numbers that small are slow.
        self.fading = if fading < f64::EPSILON / 4.0 { 0.0 } else { fading };
        (self.ratio() > 1.0).then_some(if self.average > 0.0 { Alarm::Up } else { Alarm::Down })
    }

    /// The average's distance from 0 over its limit; 0 before the first value.
    pub fn ratio(&self) -> f64 {
        let sd = (self.lambda / (2.0 - self.lambda) * (1.0 - self.fading)).sqrt();
        if sd == 0.0 { 0.0 } else { self.average.abs() / (self.limit * sd) }
    }
}
