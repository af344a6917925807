//! What the monitors say of a reading, beside what it is worth.

use crate::domain::monitor::{Finding, Monitors, Observed};
use crate::domain::quality::{ReasonCode, State};
use crate::domain::sample::Reading;
use crate::domain::sensor::{Monitoring, Sensor};

/// The monitors of one sensor, from its first reading that is watched on.
#[derive(Debug, Default)]
pub(super) struct Watch(Option<Box<Monitors>>);

impl Watch {
    /// Begins anew where these facts tell of another instrument, or of other values from it.
    pub(super) fn follow(&mut self, old: &Sensor, new: &Sensor) {
        let instrument = |sensor: &Sensor| (sensor.serial.clone(), sensor.model.clone(), sensor.unit.clone());
        if instrument(old) != instrument(new) {
            *self = Watch::default();
        }
    }

    /// Notes a reading, and flags it if that is wished. Gives what is found with it, if anything new is.
    pub(super) fn note(&mut self, monitoring: &Monitoring, reading: &mut Reading) -> Option<Vec<Finding>> {
        // What somebody does to a sensor in maintenance is none of its habits.
        if reading.reasons.contains(ReasonCode::Maintenance) {
            return None;
        }
        let out_of_domain = reading.reasons.contains(ReasonCode::OutOfDomain);
        let observed = Observed { time: reading.time, raw: reading.raw?, out_of_domain };
        let monitors = self.0.get_or_insert_default();
        let seen = monitors.note(observed, &monitoring.limits);
        if monitoring.flag && !seen.reasons.is_empty() {
            reading.reasons = reading.reasons.union(seen.reasons);
            reading.state = reading.state.max(State::Suspect);
        }
        if seen.raised.is_empty() {
            return None;
        }
        let new = |finding: &Finding| seen.raised.contains(finding.evidence.kind());
        Some(monitors.findings(&monitoring.limits).filter(new).collect())
    }
}
