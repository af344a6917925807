//! The messages that a gateway publishes about itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::control::{AuditHead, RolloutStage, SensorDrift};
use crate::domain::digest::Digest;
use crate::domain::drift::latency::LabelScores;
use crate::domain::drift::state::DriftState;
use crate::domain::drift::window::{Report, Scores};
use crate::domain::id::{Id, SensorId};
use crate::domain::rollout::Stage;
use crate::domain::rollout::evidence::Findings;
use crate::domain::time::Timestamp;

/// How far the gateway's clock can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockState {
    /// It follows a better one.
    Synced,
    /// It goes on by itself, and is believed.
    Holdover,
    /// It shows a time that cannot be, or has never been set.
    Untrusted,
}

impl fmt::Display for ClockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClockState::Synced => "synced",
            ClockState::Holdover => "in holdover",
            ClockState::Untrusted => "untrusted",
        })
    }
}

/// `status`, retained, and the last will.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// False in the last will and after an orderly stop.
    pub online: bool,
    /// The program's version.
    pub version: &'static str,
    /// When the daemon was started.
    pub started: Timestamp,
    /// How far the clock can be believed.
    pub clock: ClockState,
    /// Version of the installed trust root.
    pub root_version: Option<u64>,
    /// Names the stream of sequence numbers.
    pub incarnation: Arc<str>,
    /// What waits in the history.
    pub store: StoreStatus,
}

/// What waits in the history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoreStatus {
    /// Readings not yet acknowledged by the slowest sink.
    pub backlog: u64,
    /// The oldest reading in the history.
    pub oldest: Option<Timestamp>,
}

/// What became of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Accepted,
    Refused,
    AlreadyApplied,
}

/// `ack`: the answer to one artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// SHA-256 of the artifact's signed bytes; null if it was no envelope.
    pub digest: Option<Digest>,
    /// The artifact's id, or what the topic says it is.
    pub id: String,
    /// Its version, if it could be read.
    pub version: Option<u64>,
    /// What became of it.
    pub verdict: Verdict,
    /// The reason code of a refusal.
    pub reason: Option<Cow<'static, str>>,
    /// A sentence.
    pub message: String,
    /// The stage it reached, at the sensor where it has come least far; null for what has none.
    pub stage: Option<Cow<'static, str>>,
    /// When it was decided.
    pub time: Timestamp,
}

/// `reply`: the answer to one command.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommandReply {
    /// SHA-256 of the command's signed bytes; null if it was no envelope.
    pub digest: Option<Digest>,
    /// What was asked, where that is known.
    pub command: Option<&'static str>,
    /// The command's serial, if it could be read.
    pub serial: Option<u64>,
    /// What became of it.
    pub verdict: Verdict,
    /// The reason code of a refusal.
    pub reason: Option<Cow<'static, str>>,
    /// A sentence.
    pub message: String,
    /// The sensors that it is about.
    pub sensors: Vec<SensorId>,
    /// When it was decided.
    pub time: Timestamp,
}

/// `checkpoint`: the end of the audit, and what must never fall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// 1.
    pub schema: u64,
    pub fleet: Id,
    pub gateway: Id,
    /// The stream of sequence numbers.
    pub incarnation: String,
    /// When it was made.
    pub time: Timestamp,
    /// The end of the audit.
    pub audit: AuditHead,
    /// The newest version that was accepted of each transform id.
    pub floors: BTreeMap<Id, CheckpointFloor>,
    /// Version of the installed trust root.
    pub root_version: Option<u64>,
    /// The newest serial of each kind of message that has one.
    pub serials: BTreeMap<String, CheckpointSerial>,
    /// The newest time ever proven.
    pub time_floor: Option<Timestamp>,
}

/// A floor in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointFloor {
    pub epoch: u64,
    pub version: u64,
    pub digest: Digest,
}

/// A serial in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointSerial {
    pub serial: u64,
    pub digest: Digest,
}

/// The transform in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportedActive {
    pub id: Id,
    pub version: u64,
    pub digest: Digest,
    pub since: Timestamp,
    pub expires: Timestamp,
    /// `active`, or `canary` while it is in force on trial.
    pub stage: Stage,
    /// When the trial is over if somebody watches all the time.
    pub bake_until: Option<Timestamp>,
    /// What was seen of it on trial.
    pub gate: Option<Findings>,
}

/// `reported/<sensor>`, retained: what is in force at a sensor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reported {
    pub sensor: SensorId,
    pub active: Option<ReportedActive>,
    /// What is to come.
    pub candidate: Option<RolloutStage>,
    /// Transform id to (epoch, version) below which nothing is accepted.
    pub floors: BTreeMap<Id, (u64, u64)>,
    /// Null until it has pairs.
    pub drift: Option<ReportedDrift>,
    /// The last verdict on each artifact for this sensor.
    pub verdicts: Vec<Ack>,
    pub calibration_due: Option<Timestamp>,
}

/// How a sensor stands to its references.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReportedDrift {
    pub state: DriftState,
    /// Mean error of the calibrated values over the window.
    pub bias: Option<f64>,
    /// Its standard uncertainty.
    pub u_bias: Option<f64>,
    /// The maximum permissible error at the newest reference.
    pub mpe: Option<f64>,
    /// In how many days the bias is beyond that with 5, 50 and 95 %; null in the list: later than was looked.
    pub days_to_mpe: Option<[Option<f64>; 3]>,
    /// When the next calibration is due; stands beside these.
    #[serde(skip)]
    pub calibration_due: Option<Timestamp>,
}

impl From<&SensorDrift> for ReportedDrift {
    fn from(drift: &SensorDrift) -> ReportedDrift {
        let Scores { bias, u_bias, .. } = drift.all.calibrated;
        let forecast = drift.forecast.as_ref().map(|forecast| &forecast.forecast);
        let days_to_mpe = forecast.map(|forecast| forecast.days_to_mpe);
        // What is proposed is never later than the fixed interval's end.
        let proposed = forecast.and_then(|forecast| forecast.next_calibration);
        let calibration_due = proposed.or(drift.calibration_due);
        ReportedDrift { state: drift.state, bias, u_bias, mpe: drift.mpe, days_to_mpe, calibration_due }
    }
}

/// `event` of kind `gap`: sequence numbers that name no reading.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GapEvent {
    /// Always `gap`.
    pub event: &'static str,
    /// The stream of sequence numbers.
    pub incarnation: Arc<str>,
    /// First missing sequence number.
    pub first: u64,
    /// Last missing sequence number.
    pub last: u64,
    /// Why, in a word.
    pub reason: String,
    /// The only sink that misses them; null: every sink.
    pub sink: Option<String>,
    /// When it was announced.
    pub time: Timestamp,
}

/// `event` of kind `rollout`: a transform has come to another place at a sensor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RolloutEvent<'a> {
    /// Always `rollout`.
    pub event: &'static str,
    /// What happened, as in the audit.
    pub action: &'static str,
    pub sensor: &'a SensorId,
    pub id: &'a Id,
    pub version: u64,
    pub digest: Digest,
    /// Where it stands since.
    pub stage: Option<Stage>,
    /// A sentence with its numbers.
    pub message: &'a str,
    pub time: Timestamp,
}

/// `event` of kind `session`: a step of a recalibration session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionEvent<'a> {
    /// Always `session`.
    pub event: &'static str,
    /// What happened, as in the audit.
    pub action: &'static str,
    pub sensor: &'a SensorId,
    pub session: &'a Id,
    /// Where it is since.
    pub stage: &'static str,
    /// As in the audit.
    pub detail: &'a serde_json::Value,
    pub time: Timestamp,
}

/// `event` of kind `certificate`: one was issued.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CertificateEvent<'a> {
    /// Always `certificate`.
    pub event: &'static str,
    /// As in the audit.
    pub action: &'static str,
    pub sensor: &'a SensorId,
    pub session: &'a str,
    pub number: &'a str,
    /// Of what was signed.
    pub digest: Digest,
    /// What is stated of all points as found.
    pub as_found: Option<&'a str>,
    /// And as left; null also where nothing was adjusted.
    pub as_left: Option<&'a str>,
    /// When it was issued.
    pub time: Timestamp,
}

/// `metrics/<sensor>`, retained: how far a sensor is from its references.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftMetrics<'a> {
    pub sensor: &'a SensorId,
    /// All its pairs.
    #[serde(flatten)]
    pub all: Part<'a>,
    /// How late and how complete its references are.
    pub labels: LabelScores,
    /// Those of each cohort that has enough of its own.
    pub cohorts: Vec<Part<'a>>,
}

/// The pairs of a sensor, or of a cohort.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part<'a> {
    /// From when to when.
    pub window: [Timestamp; 2],
    /// The cohort; null: all pairs.
    pub cohort: Option<&'a str>,
    /// As far as raw values are in the unit of the references.
    pub raw: Scores,
    pub calibrated: Scores,
    /// Pairs whose standard was overdue.
    pub overdue: u64,
}

impl<'a> DriftMetrics<'a> {
    /// The message of a sensor.
    pub fn of(drift: &'a SensorDrift) -> DriftMetrics<'a> {
        let own = |report: &&Report| report.fallback.is_none();
        DriftMetrics {
            sensor: &drift.sensor,
            all: Part::of(&drift.all),
            labels: drift.labels,
            cohorts: drift.cohorts.iter().filter(own).map(Part::of).collect(),
        }
    }
}

impl<'a> Part<'a> {
    fn of(report: &'a Report) -> Part<'a> {
        let Report { window, cohort, raw, calibrated, overdue, .. } = report;
        let (window, cohort) = (*window, cohort.as_deref());
        Part { window, cohort, raw: *raw, calibrated: *calibrated, overdue: *overdue }
    }
}
