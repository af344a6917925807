//! The store: `history.db` for readings, `ledger.db` for what must never be lost.
//!
//! One thread owns both databases. Readings reach it through a bounded buffer and are committed in
//! groups; everything else is a request with a reply. Invariants:
//! - a reading is on disk within the commit interval, and is reported only after that;
//! - no sequence number is used twice: numbers come from blocks reserved in the ledger;
//! - whatever happens to the history, the daemon goes on with another one.

pub mod error;
pub mod types;

mod mailbox;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

pub use self::error::{FailureKind, StoreError};
use self::mailbox::{Mailbox, Reply, Request};
pub use self::types::*;
use crate::domain::audit::Chain;
use crate::domain::sample::{AckToken, Reading};
use crate::domain::sequence::{Block, Gap};
use crate::domain::time::Timestamp;
use crate::runtime::clock::Clock;

/// A handle to the store's thread. The thread ends when all handles are gone or after `close`.
#[derive(Clone, Debug)]
pub struct Store {
    mailbox: Arc<Mailbox>,
}

/// Opens both databases and starts their thread; blocks until the files are checked.
///
/// Errors only where going on would be wrong: another process has the directory, it cannot be
/// written, or a newer version wrote it. A broken history is moved aside, a broken ledger is
/// reported; both are no errors.
pub fn open(options: Options, clock: Clock) -> Result<Opened, StoreError> {
    let _ = (options, clock);
    todo!("skeleton")
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

    /// Says which sinks there are: size retention announces gaps to them, and cursors of others are
    /// forgotten. A sink without a cursor starts with the one given here.
    pub async fn set_sinks(&self, sinks: Vec<(String, u64)>) -> Result<(), StoreError> {
        self.ask(|reply| Request::Sinks { sinks, reply }).await
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
        self.ask(|reply| Request::InstallRoot { root, reply }).await
    }

    /// Puts a verified transform in force: accepted, floor, active per sensor and audit rows in one
    /// durable transaction. It is in effect for readings only after this returned `Ok`.
    pub async fn activate(&self, activation: Activation) -> Result<(), StoreError> {
        self.ask(|reply| Request::Activate { activation, reply }).await
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
    pub async fn verify_audit(&self) -> Result<Result<Chain, crate::domain::audit::ChainError>, StoreError> {
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

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.send(request(reply))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}
