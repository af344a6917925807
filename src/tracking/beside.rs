//! The latest readings of sensors that play a role for others, so that they need not be read again.

use std::collections::{HashMap, VecDeque};

use crate::domain::calibration::COVARIATE_MAX_AGE;
use crate::domain::id::SensorId;
use crate::domain::pairing::{self, Observed, Pair};
use crate::domain::sample::Reading;
use crate::domain::sensor::Sensor;
use crate::domain::time::Timestamp;

/// Readings that are remembered of each.
const MOST: usize = 256;

/// What is remembered of one sensor.
#[derive(Debug)]
struct Recent {
    readings: VecDeque<Observed>,
    /// Readings of earlier times may be missing.
    lost: Timestamp,
}

/// The covariates' latest readings.
#[derive(Debug, Default)]
pub struct Covariates(HashMap<SensorId, Recent>);

impl Covariates {
    /// Remembers what plays a role for a sensor; of readings before `lost` nothing is known.
    pub fn add(&mut self, sensor: &Sensor, lost: impl Fn(&SensorId) -> Timestamp) {
        for id in sensor.covariates.values() {
            let recent = || Recent { readings: VecDeque::new(), lost: lost(id) };
            self.0.entry(id.clone()).or_insert_with(recent);
        }
    }

    /// Takes a reading.
    pub fn reading(&mut self, reading: &Reading) {
        let Some(recent) = self.0.get_mut(&reading.sensor) else { return };
        if recent.readings.len() >= MOST
            && let Some(oldest) = recent.readings.pop_front()
        {
            recent.lost = recent.lost.max(oldest.time.saturating_add_micros(1));
        }
        recent.readings.push_back(Observed::from(reading));
    }

    /// Notes beside a pair what is remembered of its covariates; gives back the others, by role.
    pub fn note(&self, sensor: &Sensor, pair: &mut Pair) -> Vec<(String, SensorId)> {
        let since = pair.span.begin().saturating_add_micros(-COVARIATE_MAX_AGE);
        let mut left = Vec::new();
        for (role, id) in &sensor.covariates {
            match self.0.get(id).filter(|recent| recent.lost <= since) {
                None => left.push((role.clone(), id.clone())),
                Some(recent) => {
                    let value = pairing::beside(pair.span, &mut recent.readings.iter().cloned());
                    pair.covariates.extend(value.map(|value| (role.clone(), value)));
                }
            }
        }
        left
    }
}
