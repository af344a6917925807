//! The store: `history.db` for readings, `ledger.db` for what must never be lost.
//!
//! One thread owns both databases. Readings reach it through a bounded buffer and are committed in
//! groups; everything else is a request with a reply. Invariants:
//! - a reading is on disk within the commit interval, and is reported only after that;
//! - no sequence number is used twice: numbers come from blocks reserved in the ledger;
//! - whatever happens to the history, the daemon goes on with another one.

pub mod disk;
pub mod error;
pub mod types;

mod alerts;
mod certificates;
mod check;
mod checkpoints;
mod commands;
mod comparisons;
mod copies;
mod file;
mod history;
mod ledger;
mod mailbox;
mod manifests;
mod owner;
mod positions;
mod priors;
mod queue;
mod rollouts;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub use self::alerts::{AlertChanges, RecoveredAlerts, StoredAlert};
pub use self::certificates::StoredCertificate;
pub use self::checkpoints::{Head, LedgerFacts};
pub use self::commands::{AcceptedCommand, Recalibration};
pub use self::comparisons::{
    Added, Judges, PairPage, PairRange, Paired, ReferencePage, ReferenceRange, StoredReference,
    StoredStandard, Withdrawal,
};
pub use self::copies::{LedgerCopy, Staging, Upload};
use self::disk::{Reserve, Space};
pub use self::error::{FailureKind, StoreError};
use self::history::{History, Limits, OpenedHistory};
pub use self::ledger::examine::Examined;
use self::ledger::{HistoryFacts, Ledger};
use self::mailbox::{Mailbox, Reply, Request};
pub use self::manifests::StoredManifest;
use self::owner::care::Care;
use self::owner::{Owner, State};
pub use self::priors::StoredPrior;
use self::queue::Whose;
pub use self::rollouts::{RolloutStep, StoredOrder};
pub use self::sessions::SessionStep;
pub use self::types::*;
use crate::domain::audit::{AuditRow, Chain, ChainError};
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::order;
use crate::domain::sample::{AckToken, Reading};
use crate::domain::sequence::{Block, Gap};
use crate::domain::time::Timestamp;
use crate::runtime::clock::Clock;

/// A handle to the store's thread. The thread ends when all handles are gone or after `close`.
#[derive(Clone, Debug)]
pub struct Store {
    mailbox: Arc<Mailbox>,
    dir: Arc<Path>,
    whose: Whose,
    _handles: Arc<Handles>,
}

/// Shuts the mailbox when the last handle is gone.
#[derive(Debug)]
struct Handles(Arc<Mailbox>);

impl Drop for Handles {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// How long a request of a client waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// With less than this free, in bytes, what is set aside is given to the files that SQLite makes when it opens databases.
const TO_OPEN: u64 = 512 << 10;

/// Opens both databases and starts their thread; blocks until the files are checked.
///
/// Errors only where going on would be wrong: another process has the directory, it cannot be
/// written, or a newer version wrote it. A broken history is moved aside, a broken ledger is
/// reported; both are no errors.
pub fn open(options: Options, clock: Clock) -> Result<Opened, StoreError> {
    let dir = options.dir.clone();
    let lock = file::lock(&dir)?;
    let limits =
        Limits { max_age: options.max_age, max_size: options.max_size, max_pages: options.max_pages };
    ledger::copy::clear_passing(&dir)?;
    ledger::restore::apply(&dir, clock.now())?;
    let reserve = Reserve::of(&dir);
    let given = Space::of(&dir).is_ok_and(|space| space.free < TO_OPEN) && reserve.release();
    let mut ledger = Ledger::open(&dir)?;
    let check = !ledger.ended_clean()?;
    let OpenedHistory { history, quarantined, checked } = history::open(&dir, limits, check, clock.now())?;
    if given {
        reserve.keep();
    }
    let facts = HistoryFacts { last_seq: history.last_seq(), incarnation: history.incarnation()? };
    let settled = ledger.settle(&facts, random_name()?, clock.now())?;
    if facts.incarnation.as_ref() != Some(&settled.incarnation) {
        history.set_incarnation(&settled.incarnation)?;
    }
    if let Some((moved, fault)) = &quarantined
        && ledger.broken().is_none()
    {
        let texts = ["calibd", "history.quarantined", &moved.display().to_string(), fault];
        ledger.audit(clock.now(), &texts.map(str::to_owned))?;
    }
    if ledger.broken().is_none() {
        ledger.note_replaced_checkpoint(history.checkpoint_head()?)?;
        let (floors, time) = history.floors()?;
        ledger.catch_up(clock.now(), &floors, time, "history.db")?;
        history.mirror(&ledger.floors()?, ledger.time_floor()?)?;
        ledger.catch_up_commands(clock.now(), history.command()?, "history.db")?;
        if let Some(newest) = ledger.commands_past()?.newest {
            history.mirror_command(newest)?;
        }
    }
    let last_check = last_check(&mut ledger, checked, quarantined.is_some(), &clock)?;
    let mut gaps = settled.gaps.clone();
    gaps.extend(history.gaps()?);
    order::sort(&mut gaps);
    let recovered = Recovered {
        incarnation: settled.incarnation.clone(),
        next_seq: settled.block.first,
        block_end: settled.block.last,
        gaps,
        cursors: history.cursors()?,
        last_seq: history.last_seq(),
        last_seq_of_sensor: history
            .last_of_sensors()
            .map(|(name, seq)| (name.clone(), seq))
            .collect::<HashMap<_, _>>(),
        active: ledger.active()?,
        floors: ledger.floors()?,
        roots: ledger.roots()?,
        enrolment: ledger.enrolment()?,
        manifests: ledger.manifests()?,
        priors: ledger.priors()?,
        commands: ledger.commands_past()?,
        recalibrations: ledger.recalibrations()?,
        time_floor: ledger.time_floor()?,
        mounted: ledger.mounted()?,
        maintenance: ledger.maintenance()?,
        sessions: ledger.open_sessions()?,
        alerts: ledger.recovered_alerts()?,
        restored: ledger.restored()?,
        history_quarantined: quarantined.map(|(moved, _)| moved),
        ledger_broken: ledger.broken().map(str::to_owned),
    };
    let mailbox = Arc::new(Mailbox::new(clock.clone(), options.ack_batch));
    for (sink, seq) in &recovered.cursors {
        mailbox.set_cursor(sink, *seq);
    }
    let health = Health { checked: last_check, ..Health::default() };
    mailbox.set_health(health);
    #[expect(
        clippy::disallowed_methods,
        reason = "the store must never wait for its reader; see `Opened::commits` for the bound"
    )]
    let (sender, commits) = mpsc::unbounded_channel();
    let care = Care::new(clock.monotonic(), checked);
    let owner = Owner {
        dir: dir.clone(),
        limits,
        interval: options.commit_interval,
        clock,
        mailbox: Arc::clone(&mailbox),
        commits: sender,
        history,
        ledger,
        incarnation: settled.incarnation,
        next_unused: settled.block.first,
        lock,
        state: State::new(health),
        care,
    };
    start(owner, &dir)?;
    let handles = Arc::new(Handles(Arc::clone(&mailbox)));
    let store = Store { mailbox, dir: dir.into(), whose: Whose::Own, _handles: handles };
    Ok(Opened { store, commits, recovered })
}

fn start(owner: Owner, dir: &Path) -> Result<(), StoreError> {
    let thread = std::thread::Builder::new().name("store".to_owned());
    thread.spawn(move || owner.run()).map(|_| ()).map_err(|error| StoreError::file(dir, error))
}

/// When both databases were last checked, which may be just now, and what that found.
fn last_check(
    ledger: &mut Ledger,
    now: bool,
    replaced: bool,
    clock: &Clock,
) -> Result<Option<Checked>, StoreError> {
    let at = clock.now();
    let result = match (ledger.broken(), replaced) {
        (Some(_), _) => return Ok(Some(Checked { at, result: CheckResult::LedgerBroken })),
        (None, true) => CheckResult::HistoryReplaced,
        (None, false) => CheckResult::Ok,
    };
    if now {
        if let Err(error) = ledger.note_checked(at) {
            tracing::warn!(%error, "the check of the databases is not noted");
        }
        return Ok(Some(Checked { at, result }));
    }
    Ok(ledger.checked()?.map(|at| Checked { at, result }))
}

/// 64 random bits as text: two incarnations never have the same name.
fn random_name() -> Result<String, StoreError> {
    let mut bytes = [0u8; 8];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|error| StoreError::file(Path::new("the random source"), std::io::Error::other(error)))?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

impl Store {
    /// Hands over readings, in ascending order of their numbers, and the upstream messages that are
    /// complete with them; both are left empty, to be used again.
    ///
    /// Waits while too many readings are pending. Cancelling it loses nothing: the arguments are
    /// emptied at the very end.
    pub async fn append(
        &self,
        readings: &mut Vec<Reading>,
        acks: &mut Vec<AckToken>,
    ) -> Result<(), StoreError> {
        self.mailbox.append(readings, acks).await
    }

    /// Waits for a sign of life of the store's thread: between two commits, and however the disk is.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.ask(Request::Ping).await
    }

    /// Writes what is pending now and waits for it.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.ask(Request::Flush).await
    }

    /// Reserves the next block of sequence numbers.
    pub async fn reserve(&self) -> Result<Block, StoreError> {
        self.ask(Request::Reserve).await
    }

    /// Up to `limit` committed readings with numbers above `seq` and not above `up_to`, ascending.
    pub async fn read_after(&self, seq: u64, limit: usize, up_to: u64) -> Result<Vec<Reading>, StoreError> {
        self.ask(|reply| Request::ReadAfter { seq, limit, up_to, reply }).await
    }

    /// The newest committed readings of a range, a page of them.
    pub async fn select(&self, range: Range) -> Result<Page, StoreError> {
        self.ask(|reply| Request::Select { range, reply }).await
    }

    /// Statistics of a sensor's readings by interval, a page of them.
    pub async fn rollups(&self, range: RollupRange) -> Result<RollupPage, StoreError> {
        self.ask(|reply| Request::Rollups { range, reply }).await
    }

    /// The last committed reading of each of these sensors, or of all that the history knows.
    pub async fn latest(&self, sensors: Option<Vec<SensorId>>) -> Result<Vec<Reading>, StoreError> {
        self.ask(|reply| Request::Latest { sensors, reply }).await
    }

    /// Up to `limit` (at most 10,000) rows of the audit with numbers above `seq`, ascending.
    pub async fn audit_after(&self, seq: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.ask(|reply| Request::AuditAfter { seq, limit, reply }).await
    }

    /// Says which sinks there are: size retention announces gaps to them, and cursors of others are
    /// forgotten. A sink without a cursor starts with the one given here.
    pub fn set_sinks(&self, sinks: Vec<(String, u64)>) {
        self.mailbox.set_sinks(sinks);
    }

    /// Notes that `sink` has everything up to `seq`. Returns at once; the cursor is written with a
    /// later commit, so after a crash up to 1,000 readings or a minute of them are sent again.
    pub fn set_cursor(&self, sink: &str, seq: u64) {
        self.mailbox.set_cursor(sink, seq);
    }

    /// Forgets a gap that has been announced.
    pub async fn announced(&self, gap: Gap) -> Result<(), StoreError> {
        self.ask(|reply| Request::Announced { gap, reply }).await
    }

    /// Installs a verified trust root: one durable transaction with its audit row.
    pub async fn install_root(&self, root: RootInstallation) -> Result<(), StoreError> {
        let root = Box::new(root);
        self.ask(|reply| Request::InstallRoot { root, reply }).await
    }

    /// Accepts a verified enrolment: one durable transaction with its audit row.
    pub async fn accept_enrolment(
        &self,
        enrolment: StoredEnrolment,
        actor: String,
    ) -> Result<(), StoreError> {
        self.ask(|reply| Request::AcceptEnrolment { enrolment, actor, reply }).await
    }

    /// The transforms in force, as the ledger has them.
    pub async fn active(&self) -> Result<Vec<ActiveTransform>, StoreError> {
        self.ask(Request::Active).await
    }

    /// The accepted transforms of this name: a digest, an id (then the newest of it), or at least eight digits
    /// that a digest begins with; several only of the last.
    pub async fn transforms_named(&self, name: &str) -> Result<Vec<StoredTransform>, StoreError> {
        let name = name.to_owned();
        self.ask(|reply| Request::TransformsNamed { name, reply }).await
    }

    /// What came into force at a sensor, from the oldest; of very many the newest thousand.
    pub async fn activations(&self, sensor: SensorId) -> Result<Vec<PastActivation>, StoreError> {
        self.ask(|reply| Request::Activations { sensor, reply }).await
    }

    /// Whether a transform was ever in force at a sensor.
    pub async fn was_in_force(&self, sensor: SensorId, digest: Digest) -> Result<bool, StoreError> {
        self.with_ledger(move |ledger, _| ledger.was_in_force(&sensor, &digest)).await
    }

    /// What lies below this local transform at a sensor: the fleet's, as received.
    pub async fn below(&self, sensor: SensorId, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.with_ledger(move |ledger, _| ledger.below(&sensor, digest)).await
    }

    /// The sensors at which a local transform has ever been in force.
    pub async fn had_local(&self) -> Result<Vec<SensorId>, StoreError> {
        self.with_ledger(|ledger, _| ledger.had_local()).await
    }

    /// Audits a refusal; says whether a row was written or one like it is there already.
    pub async fn record_refusal(&self, refusal: RefusalRecord) -> Result<bool, StoreError> {
        self.ask(|reply| Request::Refusal { refusal, reply }).await
    }

    /// Appends a row to the audit chain.
    pub async fn audit(
        &self,
        actor: &str,
        action: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        let texts = [actor, action, subject, detail].map(str::to_owned);
        self.ask(|reply| Request::Audit { texts, reply }).await
    }

    /// Checks the whole audit chain: `Ok(Err(_))` says where it is broken.
    pub async fn verify_audit(&self) -> Result<Result<Chain, ChainError>, StoreError> {
        self.ask(Request::VerifyAudit).await
    }

    /// Raises the proven time; a lower one changes nothing.
    pub async fn raise_time_floor(&self, time: Timestamp) -> Result<(), StoreError> {
        self.ask(|reply| Request::TimeFloor { time, reply }).await
    }

    /// How the store is doing.
    pub fn health(&self) -> Health {
        self.mailbox.health()
    }

    /// Writes what is pending, cursors and the mark of a clean end, and stops the thread.
    ///
    /// Every number taken from a block must have been appended before; the unused rest of the block
    /// is used at the next start. `Deadline` if it takes longer than `deadline`.
    pub async fn close(&self, deadline: Duration) -> Result<(), StoreError> {
        let done = self.ask(Request::Close);
        tokio::time::timeout(deadline, done).await.unwrap_or(Err(StoreError::Deadline))
    }

    /// The same store for what clients ask: they have room of their own, and get [`StoreError::Busy`] where it is
    /// full or their turn does not come within five seconds.
    pub fn for_clients(&self) -> Store {
        Store { whose: Whose::Client, ..self.clone() }
    }

    /// Asks the store's thread. If the future is dropped before the thread has begun, nothing is done.
    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, StoreError> {
        let (reply, mut answer) = oneshot::channel();
        let wish = self.mailbox.send(self.whose, request(reply))?;
        if self.whose == Whose::Client {
            match tokio::time::timeout(PATIENCE, &mut answer).await {
                Ok(answered) => return answered.unwrap_or(Err(StoreError::Closed)),
                Err(_) if wish.withdraw() => return Err(StoreError::Busy),
                // It has been begun, so its outcome counts.
                Err(_) => {}
            }
        }
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}
