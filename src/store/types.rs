//! What goes into the store and what comes out of it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::Store;
use super::alerts::RecoveredAlerts;
use super::commands::Recalibration;
use super::disk::Disk;
use super::error::FailureKind;
use super::manifests::StoredManifest;
use super::priors::StoredPrior;
use super::rollouts::RolloutStep;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::sample::{AckToken, Reading};
use crate::domain::sensor::Instrument;
use crate::domain::sequence::Gap;
use crate::domain::stats::Stats;
use crate::domain::time::Timestamp;
use crate::domain::trust::command::Past;

/// How the store is to work.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory of `history.db` and `ledger.db`; made if it does not exist.
    pub dir: PathBuf,
    /// A reading is on disk within this time of its arrival.
    pub commit_interval: Duration,
    /// Commit early once this many upstream messages wait for their acknowledgement; at least 1.
    pub ack_batch: usize,
    /// Readings older than this are deleted.
    pub max_age: Duration,
    /// The history file's largest size in bytes.
    pub max_size: u64,
    /// The history's largest size in pages, as a test's stand-in for a full disk.
    pub max_pages: Option<u32>,
}

/// An opened store.
#[derive(Debug)]
pub struct Opened {
    /// The handle; clone it freely.
    pub store: Store,
    /// One message for each commit, in order.
    ///
    /// Unbounded, because the store's thread must never wait for a task that waits for the store;
    /// what it can hold is bounded by the acknowledgements that sources have outstanding.
    pub commits: UnboundedReceiver<Commit>,
    /// What was found in the files.
    pub recovered: Recovered,
}

/// What the files said at the start.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// Names the stream of sequence numbers: another one means that numbers may start anew.
    pub incarnation: String,
    /// The first number to give.
    pub next_seq: u64,
    /// The last number of the reserved block.
    pub block_end: u64,
    /// Gaps that are not yet announced, ascending.
    pub gaps: Vec<Gap>,
    /// For each sink the number up to which everything was acknowledged.
    pub cursors: BTreeMap<String, u64>,
    /// The highest number in the history; 0 if it is empty.
    pub last_seq: u64,
    /// The last number of each sensor in the history.
    pub last_seq_of_sensor: HashMap<SensorId, u64>,
    /// The transforms in force.
    pub active: Vec<ActiveTransform>,
    /// For each transform id the version below which nothing is accepted.
    pub floors: Vec<StoredFloor>,
    /// The installed trust roots, the newest last.
    pub roots: Vec<StoredRoot>,
    /// The newest enrolment.
    pub enrolment: Option<StoredEnrolment>,
    /// The newest manifest of each branch.
    pub manifests: Vec<StoredManifest>,
    /// The newest prior of each sensor model.
    pub priors: Vec<StoredPrior>,
    /// What of earlier commands counts.
    pub commands: Past,
    /// The recalibrations that the fleet asks for.
    pub recalibrations: Vec<Recalibration>,
    /// The newest time ever proven.
    pub time_floor: Option<Timestamp>,
    /// The instruments mounted now, by sensor.
    pub mounted: Vec<Mount>,
    /// The sensors in maintenance.
    pub maintenance: Vec<Upkeep>,
    /// The recalibration sessions that are not over: JSON.
    pub sessions: Vec<String>,
    /// The alerts.
    pub alerts: RecoveredAlerts,
    /// When this ledger was restored from a backup, if it was.
    pub restored: Option<Timestamp>,
    /// Where a broken history was moved.
    pub history_quarantined: Option<PathBuf>,
    /// Why the ledger cannot be used: go on raw-only.
    pub ledger_broken: Option<String>,
}

/// A transform in force at one sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveTransform {
    /// The sensor.
    pub sensor: SensorId,
    /// The envelope's bytes, as received.
    pub envelope: Vec<u8>,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
    /// Since when, by the gateway's clock.
    pub since: Timestamp,
    /// Whether a local order went back to it: then nothing that was accepted before takes its place.
    pub rolled_back: bool,
    /// The envelope of the fleet's transform below it, if it is one of maintenance.
    pub baseline: Option<Vec<u8>>,
}

/// A transform that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTransform {
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
    /// Its id.
    pub id: Id,
    /// Its epoch.
    pub epoch: u64,
    /// Its version.
    pub version: u64,
    /// The envelope's bytes, as received.
    pub envelope: Vec<u8>,
    /// The keys that signed it.
    pub keyids: Vec<String>,
    /// When it was accepted, by the gateway's clock.
    pub accepted: Timestamp,
}

/// Something that came into force at a sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastActivation {
    /// The transform's digest.
    pub digest: Digest,
    /// Its id.
    pub id: Id,
    /// Its version.
    pub version: u64,
    /// From when on, by the gateway's clock.
    pub since: Timestamp,
    /// By whose word, where the audit says it.
    pub actor: Option<String>,
    /// Whether by going back to it.
    pub rolled_back: bool,
}

/// The newest version of a transform id that was ever accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFloor {
    /// The transform's id.
    pub id: Id,
    /// Its epoch.
    pub epoch: u64,
    /// Its version.
    pub version: u64,
    /// The digest that had this version.
    pub digest: Digest,
}

/// A trust root as installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRoot {
    /// Its version.
    pub version: u64,
    /// The envelope's bytes, as received.
    pub envelope: Vec<u8>,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
}

/// An enrolment as accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEnrolment {
    /// Its version.
    pub version: u64,
    /// The envelope's bytes, as received.
    pub envelope: Vec<u8>,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
}

/// What became of a batch of readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The first number that is now on disk; 0 if `failed`.
    pub first: u64,
    /// The last number that is now on disk; 0 if `failed`.
    pub last: u64,
    /// How many readings were written.
    pub rows: usize,
    /// The upstream messages that may now be acknowledged, in the order of arrival; but none on a connection that was
    /// there when readings were given up, for a message may have begun among those.
    pub acks: Vec<AckToken>,
    /// Gaps that arose since the last report and are to be announced.
    pub gaps: Vec<Gap>,
    /// Set when the batch could not be written; it is kept and tried again.
    pub failed: Option<Failure>,
}

/// Why a batch could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// A sentence for the log.
    pub message: String,
    /// How many readings wait in memory.
    pub held: usize,
    /// How many readings were given up since the start.
    pub dropped: u64,
}

/// Which readings are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Range {
    /// Of this sensor only.
    pub sensor: Option<SensorId>,
    /// Measured at or after this time.
    pub since: Option<Timestamp>,
    /// Measured before this time.
    pub until: Option<Timestamp>,
    /// With numbers below this one.
    pub before: Option<u64>,
    /// At most so many, the newest; never more than 10,000.
    pub limit: usize,
}

/// Readings that were asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// In ascending order of their numbers.
    pub readings: Vec<Reading>,
    /// Where to go on for older ones; `None`: there are none in the range. A page can have no readings
    /// and say where to go on: one request looks at a bounded part of the history.
    pub before: Option<u64>,
}

/// Whose statistics are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupRange {
    /// The sensor.
    pub sensor: SensorId,
    /// The first minute since 1970.
    pub from: i64,
    /// The minute after the last.
    pub to: i64,
    /// Minutes of an interval, at least 1; intervals are counted from 1970.
    pub every: i64,
    /// With numbers above this one.
    pub after: u64,
}

/// Statistics that were asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RollupPage {
    /// By interval and unit. An interval whose readings are on two pages is on both.
    pub rollups: BTreeMap<RollupKey, Summary>,
    /// Where to go on; `None`: that was all. A page can be empty and say where to go on.
    pub after: Option<u64>,
}

/// The first minute of an interval since 1970, and the unit of the readings in it.
pub type RollupKey = (i64, Arc<str>);

/// Statistics of readings that have one unit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Summary {
    /// Readings, those without any value included.
    pub n: u64,
    /// Their raw values.
    pub raw: Stats,
    /// Their calibrated values.
    pub value: Stats,
}

impl Summary {
    /// Both together.
    pub fn merged(self, other: Summary) -> Summary {
        Summary {
            n: self.n + other.n,
            raw: self.raw.merged(other.raw),
            value: self.value.merged(other.value),
        }
    }
}

/// How the store is doing, for metrics and the status page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Commits of readings since the start.
    pub commits: u64,
    /// Readings written since the start.
    pub rows: u64,
    /// Commits that failed since the start.
    pub failures: u64,
    /// Readings given up since the start because the store was full.
    pub dropped: u64,
    /// Readings deleted by age or size since the start.
    pub expired: u64,
    /// Readings that wait to be written.
    pub waiting: u64,
    /// The last thing that failed, until a commit works again.
    pub failing: Option<FailureKind>,
    /// The disk as last measured; `None`: it cannot be.
    pub disk: Option<Disk>,
    /// When both databases were last read page by page, and what that found.
    pub checked: Option<Checked>,
}

/// A check of both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// When it ended, by the gateway's clock.
    pub at: Timestamp,
    /// What it found.
    pub result: CheckResult,
}

/// What a check of both databases found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckResult {
    /// Both are whole.
    Ok,
    /// The history was damaged and has been replaced.
    HistoryReplaced,
    /// The ledger is damaged: it has to be restored.
    LedgerBroken,
}

impl CheckResult {
    /// The result's name, for JSON and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            CheckResult::Ok => "ok",
            CheckResult::HistoryReplaced => "history_replaced",
            CheckResult::LedgerBroken => "ledger_broken",
        }
    }
}

/// A verified transform to be put in force.
#[derive(Debug, Clone)]
pub struct Activation {
    /// The envelope's bytes, as received.
    pub envelope: Vec<u8>,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
    /// The transform's id.
    pub id: Id,
    /// Its epoch.
    pub epoch: u64,
    /// Its version.
    pub version: u64,
    /// The keys that signed it.
    pub keyids: Vec<String>,
    /// The sensors it takes charge of.
    pub sensors: Vec<SensorId>,
    /// When, by the gateway's clock.
    pub at: Timestamp,
    /// Where it came from, for the audit chain.
    pub actor: String,
    /// Whether a local order goes back to it.
    pub rolled_back: bool,
}

impl Activation {
    /// The floor that it sets.
    pub fn floor(&self) -> StoredFloor {
        let Activation { id, epoch, version, digest, .. } = self;
        StoredFloor { id: id.clone(), epoch: *epoch, version: *version, digest: *digest }
    }
}

/// A verified trust root to be installed.
#[derive(Debug, Clone)]
pub struct RootInstallation {
    /// The root.
    pub root: StoredRoot,
    /// A time that its acceptance proves, if it names one.
    pub time_floor: Option<Timestamp>,
    /// Where it came from, for the audit chain.
    pub actor: String,
    /// What becomes of what it does not let stand.
    pub rollouts: RolloutStep,
}

/// A refused artifact.
#[derive(Debug, Clone)]
pub struct RefusalRecord {
    /// Its digest, where it could be computed.
    pub digest: Option<Digest>,
    /// Whether a key of the root signed it: such refusals are audited once per digest, all others
    /// once per reason and hour.
    pub by_known_key: bool,
    /// The reason code.
    pub reason: String,
    /// What it is about: a transform id or a topic.
    pub subject: String,
    /// A sentence.
    pub detail: String,
    /// Where it came from.
    pub actor: String,
}

/// An instrument that was mounted at a sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The sensor.
    pub sensor: SensorId,
    /// When, by the gateway's clock.
    pub at: Timestamp,
    /// Who said so.
    pub actor: String,
    /// The instrument.
    pub instrument: Instrument,
    /// The serial number that the configuration named at the time.
    pub configured_serial: Option<String>,
}

/// A sensor in maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upkeep {
    /// The sensor.
    pub sensor: SensorId,
    /// Since when, by the gateway's clock.
    pub since: Timestamp,
    /// When it ends by itself, by the gateway's clock.
    pub until: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// Who said so.
    pub actor: String,
}
