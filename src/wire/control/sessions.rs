//! Recalibration sessions.

use serde::{Deserialize, Serialize};

use super::positions::whole;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::session::{Ending, Mode, Progress, Role, Session, Stage, Words};
use crate::domain::time::Timestamp;
use crate::domain::trust::key::KeyId;
use crate::domain::uncertainty::decision::{Outcome, Rule};

/// The body of `POST /v1/sessions`: what is opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// The sensor.
    pub sensor: SensorId,
    /// What is to be done; absent: an adjustment.
    #[serde(default)]
    pub mode: Mode,
    /// UCUM code of its values, where no transform says it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Its response time t90; absent: as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t90_seconds: Option<f64>,
    /// The time limit of a point; absent: as configured, or the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_seconds: Option<f64>,
    /// How verdicts heed the uncertainty; absent: as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// Whether a clock that can't be believed is accepted.
    #[serde(default)]
    pub untrusted_clock: bool,
    /// What people say for the certificate.
    #[serde(default)]
    pub words: Words,
    /// The points that will be measured, each as `point` will be told it: if one of them could not be, none is opened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<SessionCommand>,
}

/// The body of `POST /v1/sessions/{id}/{command}`; which fields belong to which command says the documentation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionCommand {
    /// The revision that was looked at: another one is refused.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole")]
    pub revision: Option<u64>,
    /// `point`: what it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// `point`: the reference as it is typed, `4.98 mg/m3`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// ... its standard uncertainty in the same unit, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub u: Option<f64>,
    /// ... or its expanded uncertainty, ...
    #[serde(rename = "U", skip_serializing_if = "Option::is_none")]
    pub expanded: Option<f64>,
    /// ... and the coverage factor in that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<f64>,
    /// `point`: the sensor whose values are the reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SensorId>,
    /// `point`: the standard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard: Option<Id>,
    /// `fit`: the method; absent: auto.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// `approve`: the signed transform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envelope: Option<String>,
    /// `approve`: instead of it, whether the gateway is to sign with the maintenance key that it holds.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gateway_key: bool,
    /// `abort`: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The last reading of a session's sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionReading {
    /// When it was measured.
    pub time: Timestamp,
    /// As measured, in the raw unit.
    pub raw: Option<f64>,
    /// Calibrated, in the session's unit.
    pub value: Option<f64>,
    /// The reference source's value, in the session's unit.
    pub reference: Option<f64>,
}

/// Where a session is: what its stream shows, and what lists show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionState {
    pub id: Id,
    pub sensor: SensorId,
    pub mode: Mode,
    pub stage: Stage,
    pub paused: bool,
    /// Rises with everything that changes it, but for readings.
    pub revision: u64,
    /// Who has it.
    pub by: String,
    pub opened: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How.
    pub ending: Option<Ending>,
    /// As-found and as-left points.
    pub points: [usize; 2],
    /// The verdicts on them.
    pub found: Option<Outcome>,
    pub left: Option<Outcome>,
    /// The digest of the new transform.
    pub transform: Option<Digest>,
    /// How far the point is that is being measured; null: none is.
    pub progress: Option<Progress>,
    /// The last reading.
    pub reading: Option<SessionReading>,
    /// What the technician was told last.
    pub told: Option<String>,
    /// What may be done next.
    pub next: String,
}

/// A session that is not over, in the status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenedSession {
    pub id: Id,
    pub sensor: SensorId,
    pub stage: Stage,
    pub paused: bool,
    /// Who has it.
    pub by: String,
    pub opened: Timestamp,
}

impl From<SessionState> for OpenedSession {
    fn from(state: SessionState) -> OpenedSession {
        let SessionState { id, sensor, stage, paused, by, opened, .. } = state;
        OpenedSession { id, sensor, stage, paused, by, opened }
    }
}

impl SessionState {
    /// Where a session is, as far as it says so itself.
    pub fn of(session: &Session) -> SessionState {
        let ended = session.ended.clone().filter(|_| !session.is_open());
        SessionState {
            id: session.id.clone(),
            sensor: session.plan.sensor.clone(),
            mode: session.plan.mode,
            stage: session.stage,
            paused: session.paused,
            revision: session.revision,
            by: session.holder().to_owned(),
            opened: session.plan.opened,
            ended: ended.as_ref().map(|(_, at)| *at),
            ending: ended.map(|(ending, _)| ending),
            points: [session.as_found.len(), session.as_left.len()],
            found: session.found(),
            left: session.left(),
            transform: session.candidate.as_ref().map(|candidate| candidate.digest),
            progress: None,
            reading: None,
            told: session.told.clone(),
            next: session.stage.words(session.plan.mode).1.to_owned(),
        }
    }
}

/// `GET /v1/sessions`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sessions {
    /// The newest first.
    pub sessions: Vec<SessionState>,
    /// The maintenance key that the gateway holds and signs with for whoever has a session; null: none.
    pub gateway_key: Option<KeyId>,
}

/// `GET /v1/sessions/{id}`, and the answer to what is done with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WholeSession {
    /// Where it is.
    pub state: SessionState,
    /// All there is to know of it.
    pub session: Session,
}
