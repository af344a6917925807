//! What other transforms make of a sensor's readings, beside the one in force.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Calibrator, Moment};
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::sample::{Reading, Sample};
use crate::pipeline::active::Active;
use crate::pipeline::beside::{Beside, MOST_BESIDE, Shelved, Watch, shelved};

/// What is computed beside, by sensor.
#[derive(Debug, Default)]
pub(super) struct Others {
    of: HashMap<SensorId, Vec<Arc<Active>>>,
    /// Readings that were computed since they were taken last.
    readings: Vec<(SensorId, Option<Digest>, Shelved)>,
}

impl Calibrator {
    /// Changes what is computed beside the transform in force at a sensor; it need not be known yet.
    pub fn watch(&mut self, sensor: &SensorId, watch: &Watch) {
        match watch.versus.is_empty() {
            true => drop(self.others.of.remove(sensor)),
            false => drop(self.others.of.insert(sensor.clone(), watch.others.clone())),
        }
    }

    /// Puts on the shelves what was computed since.
    pub fn shelve(&mut self, shelves: &Beside) {
        shelves.put(&mut self.others.readings);
    }

    /// Computes the others for a reading that is made.
    pub(super) fn compute_others(
        &mut self,
        index: usize,
        sample: &Sample,
        moment: Moment,
        reading: &Reading,
    ) {
        if self.others.of.is_empty() {
            return;
        }
        let Some(others) = self.others.of.get(&reading.sensor) else { return };
        let mut shelved = shelved(reading);
        for (place, other) in shelved.others.iter_mut().zip(others.iter().take(MOST_BESIDE)) {
            let Some(raw) = sample.raw else { continue };
            let output = self.apply(other, &self.slots[index], sample, raw, moment);
            *place = [output.value.unwrap_or(f64::NAN), output.u.unwrap_or(f64::NAN)];
        }
        let active = reading.transform.as_ref().map(|transform| transform.digest);
        self.others.readings.push((reading.sensor.clone(), active, shelved));
    }
}
