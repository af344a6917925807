//! What a source delivers, and what leaves the pipeline.

use std::sync::Arc;

use super::digest::Digest;
use super::id::{Id, SensorId};
use super::quality::{Reasons, State};
use super::time::Timestamp;

/// Names one upstream message that waits for its acknowledgement.
///
/// `connection` counts the connections of the source, so that an acknowledgement of an earlier
/// connection can be told and discarded; `position` counts the messages of that connection from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AckToken {
    /// The source, by its place in the configuration.
    pub source: u16,
    /// Which connection of the source, counted from 0.
    pub connection: u32,
    /// Which message of that connection, counted from 0.
    pub position: u64,
}

/// One raw measurement of one sensor, as a source delivers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The sensor that was read.
    pub sensor: SensorId,
    /// When the device says it measured, if it says.
    pub device_time: Option<Timestamp>,
    /// When the gateway got it, by the gateway's clock.
    pub gateway_time: Timestamp,
    /// The value in the sensor's unit, finite; `None` if the instrument gave none.
    pub raw: Option<f64>,
    /// Its standard uncertainty in the sensor's unit, if stated; finite, at least 0.
    pub u: Option<f64>,
    /// The event that it is about, if the instrument names one; see [`crate::domain::event::is_event`].
    pub event: Option<Arc<str>>,
    /// Set on the last sample of an upstream message that is to be acknowledged after the commit.
    pub ack: Option<AckToken>,
}

/// Names the exact transform that made a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct TransformRef {
    /// The transform's identifier.
    pub id: Id,
    /// Its version.
    pub version: u64,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
}

/// One reading: the raw value, the calibrated one beside it, and what made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The sensor.
    pub sensor: SensorId,
    /// Counts the readings of this gateway in this incarnation, from 1.
    pub seq: u64,
    /// The sequence number of the sensor's previous reading.
    pub after: Option<u64>,
    /// When it was measured: the device's time if it gave one, else the gateway's.
    pub time: Timestamp,
    /// When the gateway got it.
    pub received: Timestamp,
    /// As measured, in the sensor's unit.
    pub raw: Option<f64>,
    /// Calibrated, in `unit`.
    pub value: Option<f64>,
    /// Standard uncertainty of `value`, in `unit`.
    pub u: Option<f64>,
    /// Of a probability by Venn-Abers: the two that `value` merges, lower and upper.
    pub p0_p1: Option<[f64; 2]>,
    /// UCUM code of `value`, or of `raw` where there is no transform.
    pub unit: Arc<str>,
    /// What it is worth.
    pub state: State,
    /// Why.
    pub reasons: Reasons,
    /// What made `value`; `None` for a raw reading.
    pub transform: Option<Arc<TransformRef>>,
    /// The event that it is about, if the instrument names one: labels find it by that.
    pub event: Option<Arc<str>>,
}
