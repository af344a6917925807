//! Transforms that the gateway holds, and what was in force when.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::time::Timestamp;

/// `GET /v1/transforms/{name}`: a transform that was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldTransform {
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
    /// Its identifier.
    pub id: Id,
    /// Its epoch.
    pub epoch: u64,
    /// Its version.
    pub version: u64,
    /// The keys that signed it, by which it was accepted.
    pub keyids: Vec<String>,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Where it is in force now.
    pub sensors: Vec<SensorId>,
    /// What was signed.
    pub transform: Value,
    /// The signed envelope, which can be verified anywhere.
    pub envelope: Value,
}

/// Something that is or was in force at a sensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// The transform's identifier.
    pub id: Id,
    /// Its version.
    pub version: u64,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
    /// From when on.
    pub since: Timestamp,
    /// Until when; null: it is in force.
    pub until: Option<Timestamp>,
    /// By whose word, as in the audit.
    pub actor: Option<String>,
    /// Whether by a rollback.
    pub rolled_back: bool,
}

/// `GET /v1/sensors/{id}/transforms`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensorTransforms {
    /// Where.
    pub sensor: SensorId,
    /// From the newest.
    pub transforms: Vec<InForce>,
    /// Where a rollback leads that names nothing; null: there was nothing before.
    pub previous: Option<Digest>,
}

/// The body of `POST /v1/sensors/{id}/rollback`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// To what; null or absent: to what was in force before.
    #[serde(default)]
    pub digest: Option<Digest>,
}
