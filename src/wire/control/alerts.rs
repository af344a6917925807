//! Alerts about sensors.

use serde::{Deserialize, Serialize};

use super::positions::whole;
use crate::domain::alert::{Alert, Tally, Verdict};
use crate::domain::id::SensorId;

/// `GET /v1/alerts`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// Those that are open or wait to be acknowledged: open ones first, pages before tickets, the oldest first.
    /// Of the history: those that are over, the newest first.
    pub alerts: Vec<Alert>,
    /// Counts since the beginning of the ledger.
    pub tally: Tally,
    /// Real / (real + false); null: nobody has said.
    pub precision: Option<f64>,
    /// The share of steps without a person that ended well; null: there was none.
    pub automation_success: Option<f64>,
    /// The `before` to ask for older ones with; null: there are none.
    pub before: Option<u64>,
}

/// The body of `POST /v1/alerts/{id}/acknowledge`; the answer is the alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// Whether there was something; absent: what was said before stands.
    #[serde(default)]
    pub verdict: Option<Verdict>,
}

/// The body of `POST /v1/alerts/{id}/silence`; the answer is the alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hush {
    /// For how long; absent: two hours; 0 ends it.
    #[serde(default, deserialize_with = "whole")]
    pub for_seconds: Option<u64>,
    /// Why.
    pub reason: String,
}

/// The body of `POST /v1/alerts/missed`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missed {
    /// The sensor that was found wrong.
    pub sensor: String,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miss {
    /// The sensor.
    pub sensor: SensorId,
    /// How many were missed since the beginning of the ledger.
    pub missed: u64,
}
