//! Instruments and maintenance.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::Transform;
use crate::domain::id::SensorId;
use crate::domain::sensor::Instrument;
use crate::domain::time::Timestamp;

/// An instrument that was mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// When, by the gateway's clock.
    pub mounted: Timestamp,
    /// Who said so.
    pub actor: String,
    /// The instrument.
    pub instrument: Instrument,
}

/// `POST /v1/sensors/{id}/instrument`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// Where.
    pub sensor: SensorId,
    /// What was noted.
    pub mount: Mount,
    /// What was in force before.
    pub before: Option<Transform>,
    /// What is in force now.
    pub transform: Option<Transform>,
}

/// `GET /v1/sensors/{id}/instruments`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruments {
    /// Where.
    pub sensor: SensorId,
    /// The model that counts now.
    pub model: Option<String>,
    /// The serial number that counts now.
    pub serial: Option<String>,
    /// What was mounted, the oldest first.
    pub mounts: Vec<Mount>,
}

/// The body of `POST /v1/sensors/{id}/maintenance`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintain {
    /// Whether it is to be in maintenance.
    pub on: bool,
    /// For how long; absent: two hours.
    #[serde(default, deserialize_with = "whole")]
    pub for_seconds: Option<u64>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintained {
    /// Where.
    pub sensor: SensorId,
    /// How it is now; null: not in maintenance.
    pub maintenance: Option<Upkeep>,
}

/// That a sensor is in maintenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upkeep {
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself, by the gateway's clock.
    pub until: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// Who said so.
    pub actor: String,
}

/// A whole number, also one that is written with a point: JSON makes no difference between 60 and 60.0.
pub(super) fn whole<'de, D: Deserializer<'de>>(source: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(source)? else { return Ok(None) };
    let as_float = || number.as_f64().filter(|value| value.fract() == 0.0 && (0.0..1e15).contains(value));
    let whole = number.as_u64().or_else(|| as_float().map(|value| value as u64));
    whole.map(Some).ok_or_else(|| D::Error::custom(format!("{number} is not a whole number of at least 0")))
}
