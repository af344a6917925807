//! How far sensors are from their references.

use serde::{Deserialize, Serialize};

use crate::domain::drift::judge::{Detection, Forecasted};
use crate::domain::drift::latency::LabelScores;
use crate::domain::drift::state::DriftState;
use crate::domain::drift::window::Report;
use crate::domain::id::SensorId;
use crate::domain::slo::Burn;
use crate::domain::time::Timestamp;

/// `GET /v1/drift`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The sensors that have pairs, by id.
    pub sensors: Vec<SensorDrift>,
}

/// What the pairs of a sensor say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SensorDrift {
    /// The sensor.
    pub sensor: SensorId,
    /// All its pairs.
    pub all: Report,
    /// Those of each cohort, in the order of the configuration.
    pub cohorts: Vec<Report>,
    /// How late and how complete its references are.
    pub labels: LabelScores,
    /// How it stands to them, in a word.
    #[serde(default)]
    pub state: DriftState,
    /// The maximum permissible error at the newest reference, if there is one.
    #[serde(default)]
    pub mpe: Option<f64>,
    /// UCUM code of the newest pair's values.
    #[serde(default)]
    pub unit: Option<String>,
    /// When the newest reference was measured; of an average its end.
    #[serde(default)]
    pub newest: Option<Timestamp>,
    /// Whether it agrees with its references as it did.
    pub detector: Detection,
    /// How fast its objective is used up; null without a maximum permissible error.
    pub burn: Option<Burn>,
    /// When the maximum permissible error will be crossed; null as long as too little is known.
    pub forecast: Option<Forecasted>,
    /// When the fixed interval of its calibrations ends.
    pub calibration_due: Option<Timestamp>,
}
