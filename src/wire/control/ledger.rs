//! The ledger as a whole: verified, copied, restored.

use serde::{Deserialize, Serialize};

use super::TransformName;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::time::Timestamp;

/// The event `progress` of long work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is done.
    pub done: u64,
    /// Of so much.
    pub total: u64,
}

/// The event `result` of `GET /v1/audit/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Whether the chain and every envelope are as they were written.
    pub whole: bool,
    /// Where they are not.
    pub fault: Option<String>,
    /// Rows and head of the audit; null where it is not whole.
    pub audit: Option<AuditHead>,
    /// Trust roots that were checked.
    pub roots: u64,
    /// Transforms that were checked.
    pub transforms: u64,
}

/// The end of an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Its rows.
    pub rows: u64,
    /// The hash of the last one.
    pub head: Digest,
}

/// `POST /v1/restore`: what the backup holds, and what will change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restoring {
    /// The backup's audit.
    pub audit: AuditHead,
    /// When its last row was written.
    pub last: Option<Timestamp>,
    /// Its newest trust root.
    pub root_version: Option<u64>,
    /// How many transforms it holds.
    pub transforms: u64,
    /// The audit of the ledger in use; null: it is broken.
    pub present: Option<AuditHead>,
    /// Floors that stay above the backup's.
    pub floors: Vec<KeptFloor>,
    /// Sensors at which another transform will be in force.
    pub changes: Vec<SensorChange>,
}

/// A floor that stays above the backup's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFloor {
    /// The transform's id.
    pub id: Id,
    /// Epoch and version below which nothing is accepted.
    pub kept: [u64; 2],
    /// What the backup says; null: nothing.
    pub backup: Option<[u64; 2]>,
}

/// What is in force at a sensor, and what will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensorChange {
    /// Where.
    pub sensor: SensorId,
    /// In force now, by the ledger.
    pub now: Option<TransformName>,
    /// In force once the backup is restored, if it still fits.
    pub then: Option<TransformName>,
}

/// Headers of the answer to `GET /v1/backup`.
pub mod backup {
    /// SHA-256 of the body.
    pub const SHA256: &str = "calibd-sha256";
    /// Rows of the audit in it.
    pub const AUDIT_ROWS: &str = "calibd-audit-rows";
    /// The hash of the last of them.
    pub const AUDIT_HEAD: &str = "calibd-audit-head";
}
