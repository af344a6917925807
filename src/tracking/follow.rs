//! Sensors that are other sensors' references: their readings become references.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::comparison::ReferenceSensor;
use crate::domain::id::SensorId;
use crate::domain::pairing::Observed;
use crate::domain::quality::{ReasonCode, Reasons, State};
use crate::domain::reference::{Given, Known, Origin, Reference, ReferenceError};
use crate::domain::sample::Reading;
use crate::domain::sensor::{Kind, Sensor};

/// A reading with one of these reasons is no reference at all: nobody knows what it measured.
const USELESS: [ReasonCode; 3] = [ReasonCode::Stuck, ReasonCode::Spike, ReasonCode::OutOfDomain];

/// Who is compared with whom, by configuration.
#[derive(Debug, Default)]
pub struct Followers {
    of: HashMap<SensorId, Vec<Arc<Sensor>>>,
    known: HashSet<SensorId>,
}

impl Followers {
    /// Takes up a sensor; one that names no reference changes nothing.
    pub fn add(&mut self, sensor: &Arc<Sensor>) {
        if self.known.insert(sensor.id.clone())
            && let Some(reference) = &sensor.comparison.reference
        {
            self.of.entry(reference.sensor.clone()).or_default().push(sensor.clone());
        }
    }

    /// Whether a sensor was taken up.
    pub fn knows(&self, sensor: &SensorId) -> bool {
        self.known.contains(sensor)
    }

    /// The sensors that this one is the reference of.
    pub fn of(&self, reference: &SensorId) -> &[Arc<Sensor>] {
        self.of.get(reference).map_or(&[], Vec::as_slice)
    }

    /// Every sensor that is a reference, with those that are compared with it.
    pub fn all(&self) -> impl Iterator<Item = (&SensorId, &[Arc<Sensor>])> {
        self.of.iter().map(|(reference, sensors)| (reference, sensors.as_slice()))
    }
}

/// The time between two references of a sensor, as far as that is known.
pub fn spacing(configured: &ReferenceSensor, reference: Option<&Sensor>) -> Option<Duration> {
    let interval = configured.interval.map(|(length, _)| length);
    interval.or_else(|| reference.and_then(|reference| reference.comparison.period))
}

/// The reference that a reading is; `None` where it is no measurement.
pub fn reference_of(sensor: &Sensor, reading: &Reading) -> Option<Result<Reference, ReferenceError>> {
    let configured = sensor.comparison.reference.as_ref()?;
    let observed = Observed::from(reading);
    let value = observed.is_usable().then(|| observed.measured())??;
    let given = Given {
        time: Some(reading.time),
        value,
        unit: Some(reading.unit.to_string()),
        // A label has none.
        u: configured.uncertainty.or(reading.u).filter(|u| *u > 0.0 && sensor.kind == Kind::Measurement),
        interval_seconds: configured.interval.map(|(length, _)| length.as_secs_f64()),
        stamp: configured.interval.map(|(_, stamp)| stamp),
        qc: Some(flag(reading).as_str().to_owned()),
        ..Given::default()
    };
    let known = Known {
        sensor: &sensor.id,
        kind: sensor.kind,
        // It keeps its own, and is converted when it is paired.
        unit: None,
        mpe: sensor.comparison.mpe.as_ref(),
        standard: None,
        // Whenever it is looked at, the same comes of it.
        now: reading.received,
        trusted: !reading.reasons.contains(ReasonCode::TimeUntrusted),
        origin: Origin::Sensor,
        source: Some(&reading.sensor),
    };
    Some(given.check(&known))
}

/// What a reading is worth as a reference: that it is raw says nothing against an instrument that needs no
/// calibration here.
fn flag(reading: &Reading) -> State {
    if USELESS.iter().any(|reason| reading.reasons.contains(*reason)) {
        return State::Invalid;
    }
    let raw_only = reading.reasons == Reasons::NONE.with(ReasonCode::RawOnly);
    if raw_only || reading.reasons == Reasons::NONE { State::Valid } else { State::Suspect }
}
