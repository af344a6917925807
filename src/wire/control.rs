//! The answers of the control interface, written by the daemon and read by calibctl.
//!
//! Both sides use these types. A reader ignores fields that it doesn't know: the daemon may be newer.

mod alerts;
mod certificates;
mod drift;
mod ledger;
mod positions;
mod priors;
mod references;
mod rollout;
mod sessions;
mod transform;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::alerts::{Acknowledge, Alerts, Hush, Miss, Missed};
pub use self::certificates::{CertificateHead, CertificateOffer, Certificates, OneCertificate};
pub use self::drift::{Drift, SensorDrift};
pub use self::ledger::backup;
pub use self::ledger::{AuditHead, KeptFloor, Progress, Restoring, SensorChange, Verified};
pub use self::positions::{Instruments, Maintain, Maintained, Mount, Mounted, Upkeep};
pub use self::priors::{Prior, Priors};
pub use self::references::{
    AddReferences, AddedReference, AddedReferences, AddedStandard, KeptStandard, Reference, References,
    Standards, Withdraw, Withdrawal, Withdrawn,
};
pub use self::rollout::{EndedAs, RolloutStage, SensorRollout};
pub use self::sessions::{
    OpenSession, OpenedSession, SessionCommand, SessionReading, SessionState, Sessions, WholeSession,
};
pub use self::transform::{HeldTransform, InForce, Rollback, SensorTransforms};
use super::message::ClockState;
pub use crate::domain::alert::{Alert, Severity};
use crate::domain::audit::AuditRow;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::sample;
use crate::domain::stats::Stats;
use crate::domain::time::Timestamp;

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A sentence: what is wrong and what would be right.
    pub error: String,
}

/// `GET /v1/status`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// The gateway's identifier.
    pub gateway: Id,
    /// Its fleet.
    pub fleet: Id,
    /// When the daemon was started.
    pub started: Timestamp,
    /// The gateway's time.
    pub time: Timestamp,
    /// How far that can be believed.
    pub clock: ClockState,
    /// Version of the installed trust root.
    pub root_version: Option<u64>,
    /// Names the stream of sequence numbers.
    pub incarnation: String,
    /// The connection to the broker; null: none is configured.
    pub link: Option<LinkStatus>,
    /// The history.
    pub store: StoreStatus,
    /// The sources, in the order of the configuration.
    pub sources: Vec<SourceStatus>,
    /// How many sensors there are.
    pub sensors: SensorCounts,
    /// Recalibration sessions that are not over; null: they are not known.
    #[serde(default)]
    pub sessions: Option<Vec<OpenedSession>>,
    /// What somebody should look at, the most urgent first.
    pub attention: Vec<Attention>,
}

/// `GET /v1/health`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether nobody must act.
    pub healthy: bool,
    /// What somebody must act on.
    pub attention: Vec<Attention>,
}

/// The connection to the broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// Whether it stands.
    pub connected: bool,
    /// Readings not yet acknowledged by the slowest sink.
    pub backlog: u64,
    /// Which broker, and why it does not stand; null: it does, or was not tried yet.
    #[serde(default)]
    pub problem: Option<String>,
}

/// How the history is doing; counts are since the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// Readings written.
    pub written: u64,
    /// Readings that wait in memory because they could not be written.
    pub waiting: u64,
    /// Readings given up because they could not be written.
    pub dropped: u64,
    /// Readings deleted by age or size.
    pub expired: u64,
    /// What fails, in a word: `disk_full`, `busy`, `corrupt`, `read_only` or `io`; null: nothing.
    pub failing: Option<String>,
    /// The oldest reading in the history.
    pub oldest: Option<Timestamp>,
    /// The disk; null: it cannot be measured.
    pub disk: Option<DiskStatus>,
    /// The last check of both databases, page by page; null: none is known.
    pub checked: Option<CheckStatus>,
}

/// The file system of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskStatus {
    /// `ok`, `low`, `retention` or `raw_only`.
    pub stage: String,
    /// Bytes free for the daemon.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

/// A check of both databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckStatus {
    /// When it ended.
    pub time: Timestamp,
    /// `ok`, `history_replaced` or `ledger_broken`.
    pub result: String,
}

/// How a source is doing; counts are since the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Its name.
    pub name: Id,
    /// `serial`, `mqtt`, `replay` or `synthetic`.
    pub kind: String,
    /// Whether it is connected.
    pub up: bool,
    /// Samples taken over.
    pub samples: u64,
    /// Times it was opened again.
    pub reconnects: u64,
}

/// How many sensors there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SensorCounts {
    /// Configured or seen.
    pub known: u64,
    /// With a transform in force; null: the pipeline did not say in time.
    pub calibrated: Option<u64>,
    /// In maintenance.
    #[serde(default)]
    pub in_maintenance: u64,
    /// Alerts that stand about them; null: they are not known.
    #[serde(default)]
    pub alerts: Option<u64>,
}

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// How urgent it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// A reading, as sinks publish it in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub sensor: SensorId,
    pub seq: u64,
    pub after: Option<u64>,
    pub time: Timestamp,
    pub raw: Option<f64>,
    pub value: Option<f64>,
    pub u: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p0: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p1: Option<f64>,
    pub unit: String,
    pub state: String,
    pub reasons: Vec<String>,
    pub transform: Option<TransformName>,
    /// The event that it is about, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// When the gateway got it: told of stored readings, where it is not `time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Timestamp>,
}

/// The exact transform that made a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransformName {
    pub id: Id,
    pub version: u64,
    pub digest: Digest,
}

impl From<&sample::Reading> for Reading {
    fn from(reading: &sample::Reading) -> Reading {
        let name = |transform: &sample::TransformRef| TransformName {
            id: transform.id.clone(),
            version: transform.version,
            digest: transform.digest,
        };
        Reading {
            sensor: reading.sensor.clone(),
            seq: reading.seq,
            after: reading.after,
            time: reading.time,
            raw: reading.raw,
            value: reading.value,
            u: reading.u,
            p0: reading.p0_p1.map(|[p0, _]| p0),
            p1: reading.p0_p1.map(|[_, p1]| p1),
            unit: reading.unit.to_string(),
            state: reading.state.as_str().to_owned(),
            reasons: reading.reasons.names().map(str::to_owned).collect(),
            transform: reading.transform.as_deref().map(name),
            event: reading.event.as_deref().map(str::to_owned),
            received: None,
        }
    }
}

impl Reading {
    /// The same with what only a stored reading tells.
    pub fn stored(reading: &sample::Reading) -> Reading {
        let received = Some(reading.received).filter(|received| *received != reading.time);
        Reading { received, ..Reading::from(reading) }
    }
}

/// A transform in force at a sensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transform {
    /// Where.
    pub sensor: SensorId,
    /// The transform's identifier.
    pub id: Id,
    /// Its version.
    pub version: u64,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
    /// UCUM code of the calibrated value.
    pub unit: String,
    /// When it came into force here.
    pub since: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
}

/// `GET /v1/transforms`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transforms {
    /// By sensor.
    pub transforms: Vec<Transform>,
    /// How others come into force, or have not, by sensor.
    #[serde(default)]
    pub rollouts: Vec<SensorRollout>,
}

/// A sensor, and the last of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sensor {
    /// The position's identifier.
    pub id: SensorId,
    /// The source that reads it.
    pub source: Option<Id>,
    /// The source's field with its value.
    pub field: Option<String>,
    /// The measured quantity, in words.
    pub quantity: String,
    /// `measurement` or `probability`.
    pub kind: String,
    /// UCUM code of the raw value.
    pub unit: String,
    /// Instrument model.
    pub model: Option<String>,
    /// Serial number of the instrument mounted here.
    pub serial: Option<String>,
    /// Standard uncertainty of a raw value, in `unit`, if it is configured.
    #[serde(default)]
    pub uncertainty: Option<f64>,
    /// Roles such as `temperature` and the sensors that play them.
    #[serde(default)]
    pub covariates: BTreeMap<String, SensorId>,
    /// The last reading in the history.
    pub last: Option<Reading>,
    /// What is in force.
    pub transform: Option<Transform>,
    /// Set while it is in maintenance.
    #[serde(default)]
    pub maintenance: Option<Upkeep>,
    /// How transforms come into force; null: none ever did, or the desk did not say in time.
    #[serde(default)]
    pub rollout: Option<SensorRollout>,
}

/// `GET /v1/sensors`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sensors {
    /// By identifier.
    pub sensors: Vec<Sensor>,
}

/// `GET /v1/readings`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Readings {
    /// The newest of the range, in ascending order of their numbers.
    pub readings: Vec<Reading>,
    /// The `before` to ask for older ones with; null: there are none in the range.
    pub before: Option<u64>,
}

/// `GET /v1/rollups`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollups {
    /// By time, then by unit. An interval whose readings are on two pages is on both.
    pub rollups: Vec<Rollup>,
    /// The `after` to ask for the next ones with; null: there are no more in the range.
    pub after: Option<u64>,
}

/// Statistics of the readings of an interval that have one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollup {
    /// When the interval begins.
    pub start: Timestamp,
    /// UCUM code of the readings: of the calibrated values, or of the raw ones where there are no others.
    pub unit: String,
    /// Readings.
    pub n: u64,
    /// Of the raw values; null: there are none.
    pub raw: Option<Summary>,
    /// Of the calibrated values; null: there are none.
    pub value: Option<Summary>,
}

/// Statistics of values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Values.
    pub n: u64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation of the sample (n - 1); null for one value.
    pub std: Option<f64>,
}

impl Summary {
    /// What there is to tell of the values; `None` if there are none.
    pub fn of(stats: &Stats) -> Option<Summary> {
        let Stats { n, min, max, mean, .. } = *stats;
        (n > 0).then(|| Summary { n, min, max, mean, std: stats.std() })
    }

    /// The statistics, to be merged with others.
    pub fn stats(&self) -> Stats {
        let Summary { n, min, max, mean, std } = *self;
        Stats { n, min, max, mean, m2: std.unwrap_or(0.0).powi(2) * n.saturating_sub(1) as f64 }
    }
}

/// `GET /v1/audit`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// In ascending order of their numbers.
    pub rows: Vec<AuditRow>,
    /// The `after` to ask for the next ones with; null: there are no more.
    pub after: Option<u64>,
}

/// The event `test` of `GET /v1/sources/{name}/test`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Tested {
    /// The first event: which source this is.
    Source { time: Timestamp, name: String, kind: String },
    /// It is connected to this.
    Connected { time: Timestamp, message: String },
    /// It is not connected, and why.
    Disconnected { time: Timestamp, message: String },
    /// A line, frame, message or row. `input` is its bytes, escaped and cut; null where they are no longer
    /// at hand.
    Record { time: Timestamp, topic: Option<String>, input: Option<String>, values: Vec<FieldValue> },
    /// Input, or one field of it, that gave nothing.
    Fault { time: Timestamp, reason: String, message: String },
    /// Nothing came for so long, and what may be the cause.
    Silence { seconds: u64, hints: Vec<String> },
    /// A newer calibd has more to say.
    #[serde(other)]
    Other,
}

/// What was read for one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldValue {
    /// The field; null where it is no longer known.
    pub field: Option<String>,
    /// Its value; null: the input says that there is none.
    pub raw: Option<f64>,
    /// The sensors that it feeds.
    pub sensors: Vec<SensorId>,
}

/// The body of a request that needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// `POST /v1/reload`: what became of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Whether the configuration in the files is now in force.
    pub applied: bool,
    /// What is different in the files, key by key.
    pub changes: Vec<String>,
    /// Why it is not in force.
    pub faults: Vec<String>,
    /// What is accepted but probably not meant.
    pub warnings: Vec<String>,
}

/// The event `lost` of `GET /v1/watch`: the client was too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Readings that it did not get since the last event.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::quality::{Reasons, State};
    use crate::wire::reading::ReadingFormat;

    #[test]
    fn a_reading_looks_the_same_as_on_its_topic() {
        let reading = sample::Reading {
            sensor: Id::new("fire").unwrap(),
            seq: 7,
            after: Some(5),
            time: Timestamp::EPOCH,
            received: Timestamp::EPOCH,
            raw: Some(0.1),
            value: Some(0.3),
            u: None,
            p0_p1: Some([0.25, 0.35]),
            unit: "1".into(),
            state: State::Suspect,
            reasons: Reasons::from_bits(0b101),
            transform: Some(std::sync::Arc::new(sample::TransformRef {
                id: Id::new("t").unwrap(),
                version: 2,
                digest: Digest([7; 32]),
            })),
            event: Some("e-1".into()),
        };
        let mut published = Vec::new();
        ReadingFormat::full().write(&reading, &mut published);
        let ours = Reading::from(&reading);
        assert_eq!(serde_json::to_vec(&ours).unwrap(), published);
        assert_eq!(serde_json::from_slice::<Reading>(&published).unwrap(), ours);
    }
}
