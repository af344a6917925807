//! What monitors, checks and peers have learnt, for the next start.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Calibrator, Slot};
use crate::domain::id::SensorId;
use crate::domain::monitor::scheduled::{Checked, Checking};
use crate::domain::sensor::Sensor;
use crate::pipeline::side_by_side::Beside;
use crate::pipeline::watch::{self, Watch};

/// What was learnt of one sensor, and of which instrument.
#[derive(Debug, Serialize, Deserialize)]
struct Learnt {
    serial: Option<String>,
    model: Option<String>,
    unit: String,
    watch: watch::Learnt,
    checks: Checked,
    beside: Option<Beside>,
}

impl Learnt {
    fn is_of(&self, sensor: &Sensor) -> bool {
        (&self.serial, &self.model, &*self.unit) == (&sensor.serial, &sensor.model, &*sensor.unit)
    }
}

impl Calibrator {
    /// Takes what was learnt before the start, as [`Calibrator::learnt`] gave it, for sensors that have no place yet.
    /// They go on from there, but for those where another instrument is now.
    pub fn resume(&mut self, learnt: Vec<(SensorId, String)>) {
        self.learnt.extend(learnt);
    }

    /// The monitors and the checks of a sensor that gets its place.
    pub(super) fn go_on(&mut self, sensor: &Sensor) -> (Watch, Checking) {
        // What another version wrote, and this one cannot read, is learnt anew.
        let known =
            self.learnt.remove(&sensor.id).and_then(|text| serde_json::from_str::<Learnt>(&text).ok());
        let Some(known) = known.filter(|known| known.is_of(sensor)) else {
            return (Watch::expecting(self.elapsed), Checking::default());
        };
        known.beside.into_iter().for_each(|beside| self.groups.resume(&sensor.id, beside));
        (Watch::resume(known.watch, sensor, self.elapsed), Checking::resume(&sensor.checks, known.checks))
    }

    /// What was learnt of the sensors at these places, in the order in which they came; `None`: nothing, or it is to be
    /// forgotten. Empty: there are no such places.
    pub fn learnt(&self, places: Range<usize>) -> Vec<(SensorId, Option<String>)> {
        let end = places.end.min(self.slots.len());
        let slots = self.slots.get(places.start..end).unwrap_or_default();
        slots.iter().map(|slot| (slot.sensor.id.clone(), self.learnt_of(slot))).collect()
    }

    fn learnt_of(&self, slot: &Slot) -> Option<String> {
        let (watch, checks) = (slot.watch.learnt(&slot.sensor), slot.checking.checked(&slot.sensor.checks));
        let beside = self.groups.known(&slot.sensor.id);
        if slot.gone || (watch.is_empty() && checks.is_empty() && beside.is_none()) {
            return None;
        }
        let Sensor { serial, model, unit, .. } = &*slot.sensor;
        let (serial, model, unit) = (serial.clone(), model.clone(), unit.to_string());
        serde_json::to_string(&Learnt { serial, model, unit, watch, checks, beside }).ok()
    }
}
