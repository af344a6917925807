//! `/v1/priors`

use serde::{Deserialize, Serialize};

use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::domain::trust::prior::ModelPrior;

/// `GET /v1/priors`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Priors {
    /// By their models.
    pub priors: Vec<Prior>,
}

/// The newest prior of a sensor model that was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: u64,
    /// Its digest.
    pub digest: Digest,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Whether fits may use it.
    pub usable: bool,
    /// Why not.
    pub reason: Option<String>,
    /// The sensors of this model.
    pub sensors: Vec<SensorId>,
    /// What it says; null where the trust root does not accept it, or only its version is known.
    pub prior: Option<ModelPrior>,
}
