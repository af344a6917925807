//! Sensors: measuring positions, and the facts about them that a gateway knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::comparison::Comparison;
use super::id::{Id, SensorId};
use super::monitor::scheduled::Check;
use super::monitor::{Limit, Limits};

/// What a sensor's value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A quantity with a unit.
    Measurement,
    /// A probability or score between 0 and 1.
    Probability,
}

/// What is mounted at a sensor's position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    /// The model, as in the configuration and in targets of transforms.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Who made it.
    #[serde(default)]
    pub make: Option<String>,
    /// Serial number of the sensing element in it.
    #[serde(default)]
    pub element_serial: Option<String>,
    /// Version of its firmware.
    #[serde(default)]
    pub firmware: Option<String>,
    /// Whatever else is to be remembered.
    #[serde(default)]
    pub comment: Option<String>,
}

/// One sensor as configured on this gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    /// The position's identifier.
    pub id: SensorId,
    /// The measured quantity, in words.
    pub quantity: String,
    /// What its value means.
    pub kind: Kind,
    /// UCUM code of the raw value.
    pub unit: Arc<str>,
    /// Instrument model.
    pub model: Option<String>,
    /// Serial number of the instrument mounted here.
    pub serial: Option<String>,
    /// Standard uncertainty of a raw value, in `unit`, for sources that state none.
    pub uncertainty: Option<f64>,
    /// Roles such as `temperature` and the sensors that play them.
    pub covariates: BTreeMap<String, Id>,
    /// How it is compared with references.
    pub comparison: Arc<Comparison>,
    /// How its readings are watched; `None`: not at all.
    pub monitor: Option<Monitoring>,
    /// Checks on known inputs that come by the clock.
    pub checks: Arc<[Check]>,
}

#[cfg(test)]
impl Sensor {
    /// One that measures in this unit and has nothing else.
    pub fn plain(id: &str, unit: &str) -> Sensor {
        Sensor {
            id: Id::new(id).unwrap(),
            quantity: "temperature".to_owned(),
            kind: Kind::Measurement,
            unit: unit.into(),
            model: None,
            serial: None,
            uncertainty: None,
            covariates: BTreeMap::new(),
            comparison: Arc::default(),
            monitor: None,
            checks: [].into(),
        }
    }
}

/// How the readings of a sensor are watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Monitoring {
    /// What is allowed.
    pub limits: Limits,
    /// Seconds without a reading.
    pub silence: Limit,
    /// The time between two readings, if that is known.
    pub period: Option<Duration>,
    /// Whether a reading that something stands against becomes suspect.
    pub flag: bool,
}

impl Default for Monitoring {
    fn default() -> Monitoring {
        Monitoring { limits: Limits::default(), silence: Limit::Learnt, period: None, flag: false }
    }
}
