//! How tasks reach the store's thread: a buffer of readings and a queue of requests.
//!
//! Handing over a reading must not wake the thread: it is woken for the first pending reading (to
//! set its deadline), for a full batch and for requests, so two or three times a commit.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::error::StoreError;
use super::history::History;
use super::ledger::Ledger;
use super::queue::{Queue, Waiting, Whose, Wish};
use super::types::{
    ActiveTransform, Health, Page, PastActivation, Range, RefusalRecord, RollupPage, RollupRange,
    RootInstallation, StoredEnrolment, StoredTransform,
};
use crate::domain::audit::{AuditRow, Chain, ChainError};
use crate::domain::id::SensorId;
use crate::domain::sample::{AckToken, Reading};
use crate::domain::sequence::{Block, Gap};
use crate::domain::time::Timestamp;
use crate::runtime::clock::Clock;

/// Readings that may wait before `append` waits too.
pub const QUEUE: usize = 8192;
/// Readings that make a commit without waiting for the interval.
pub const BATCH: usize = 4096;

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// Something done with the ledger at a time of the gateway's clock.
pub type LedgerWork = Box<dyn FnOnce(&mut Ledger, Timestamp) + Send>;

/// Something done with the history; says whether that turned out to be broken.
pub type HistoryWork = Box<dyn FnOnce(&History) -> bool + Send>;

/// Something asked of the store's thread.
pub enum Request {
    /// Asks for a sign of life.
    Ping(Reply<()>),
    Flush(Reply<()>),
    Reserve(Reply<Block>),
    ReadAfter {
        seq: u64,
        limit: usize,
        up_to: u64,
        reply: Reply<Vec<Reading>>,
    },
    Select {
        range: Range,
        reply: Reply<Page>,
    },
    Rollups {
        range: RollupRange,
        reply: Reply<RollupPage>,
    },
    Latest {
        sensors: Option<Vec<SensorId>>,
        reply: Reply<Vec<Reading>>,
    },
    AuditAfter {
        seq: u64,
        limit: usize,
        reply: Reply<Vec<AuditRow>>,
    },
    Announced {
        gap: Gap,
        reply: Reply<()>,
    },
    AcceptEnrolment {
        enrolment: StoredEnrolment,
        actor: String,
        reply: Reply<()>,
    },
    InstallRoot {
        root: Box<RootInstallation>,
        reply: Reply<()>,
    },
    Active(Reply<Vec<ActiveTransform>>),
    TransformsNamed {
        name: String,
        reply: Reply<Vec<StoredTransform>>,
    },
    Activations {
        sensor: SensorId,
        reply: Reply<Vec<PastActivation>>,
    },
    Refusal {
        refusal: RefusalRecord,
        reply: Reply<bool>,
    },
    Audit {
        texts: [String; 4],
        reply: Reply<()>,
    },
    VerifyAudit(Reply<Result<Chain, ChainError>>),
    TimeFloor {
        time: Timestamp,
        reply: Reply<()>,
    },
    /// Does something with the ledger and answers by itself.
    Ledger(LedgerWork),
    /// Does something with the history and answers by itself.
    History(HistoryWork),
    Close(Reply<()>),
}

/// Readings and acknowledgements that wait for a commit.
#[derive(Default)]
pub struct Pending {
    pub readings: Vec<Reading>,
    pub acks: Vec<AckToken>,
    /// When the oldest reading came, by the monotonic clock.
    pub since: Option<Duration>,
    permits: u32,
}

#[derive(Default)]
struct Inner {
    pending: Pending,
    requests: Queue,
    cursors: BTreeMap<String, u64>,
    health: Health,
    /// The thread is to look after the files at once.
    nudged: bool,
    closed: bool,
}

/// What the thread is to do next.
pub struct Work {
    pub requests: VecDeque<Waiting>,
    /// Whether the pending readings are due.
    pub due: bool,
    /// Whether all handles are gone.
    pub orphaned: bool,
}

/// The meeting point of the tasks and the store's thread.
pub struct Mailbox {
    inner: Mutex<Inner>,
    wake: Condvar,
    room: Semaphore,
    clock: Clock,
    ack_batch: usize,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

impl Mailbox {
    /// An empty mailbox that calls for a commit at `ack_batch` waiting acknowledgements.
    pub fn new(clock: Clock, ack_batch: usize) -> Mailbox {
        Mailbox {
            inner: Mutex::default(),
            wake: Condvar::new(),
            room: Semaphore::new(QUEUE),
            clock,
            ack_batch: ack_batch.max(1),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code panics while holding the lock in a way that leaves it half-changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`super::Store::append`].
    pub async fn append(
        &self,
        readings: &mut Vec<Reading>,
        acks: &mut Vec<AckToken>,
    ) -> Result<(), StoreError> {
        let permit = self.room.acquire_many(permits(readings.len())).await.map_err(|_| StoreError::Closed)?;
        let mut inner = self.lock();
        if inner.closed {
            return Err(StoreError::Closed);
        }
        permit.forget();
        let pending = &mut inner.pending;
        pending.permits += permits(readings.len());
        let (rows, waiting) = (pending.readings.len(), pending.acks.len());
        pending.readings.append(readings);
        pending.acks.append(acks);
        let first = pending.since.is_none();
        if first {
            pending.since = Some(self.clock.monotonic());
        }
        let full = rows < BATCH && pending.readings.len() >= BATCH;
        let due = waiting < self.ack_batch && pending.acks.len() >= self.ack_batch;
        drop(inner);
        if first || full || due {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Queues a request; it is withdrawn when the wish for it is dropped.
    pub fn send(&self, whose: Whose, request: Request) -> Result<Wish, StoreError> {
        let (waiting, wish) = Waiting::new(request);
        let mut inner = self.lock();
        if inner.closed {
            return Err(StoreError::Closed);
        }
        inner.requests.push(whose, waiting)?;
        drop(inner);
        self.wake.notify_one();
        Ok(wish)
    }

    /// Notes a cursor; it never goes back.
    pub fn set_cursor(&self, sink: &str, seq: u64) {
        let mut inner = self.lock();
        match inner.cursors.get_mut(sink) {
            Some(cursor) => *cursor = seq.max(*cursor),
            None => {
                inner.cursors.insert(sink.to_owned(), seq);
            }
        }
    }

    /// Replaces the sinks, keeping the cursors of those that stay.
    pub fn set_sinks(&self, sinks: Vec<(String, u64)>) {
        let mut inner = self.lock();
        let old = std::mem::take(&mut inner.cursors);
        let cursor = |(sink, start): (String, u64)| (sink.clone(), *old.get(&sink).unwrap_or(&start));
        inner.cursors.extend(sinks.into_iter().map(cursor));
    }

    /// The cursors as they are now.
    pub fn cursors(&self) -> BTreeMap<String, u64> {
        self.lock().cursors.clone()
    }

    /// The health as last reported, with what waits now.
    pub fn health(&self) -> Health {
        let inner = self.lock();
        Health { waiting: inner.health.waiting + inner.pending.readings.len() as u64, ..inner.health }
    }

    /// Reports the health.
    pub fn set_health(&self, health: Health) {
        self.lock().health = health;
    }

    /// Waits until there is something to do. `interval` is how long readings may wait; `retry_at`
    /// (monotonic) is set while commits fail, and then decides alone, but for a full batch. At `look_at`
    /// it ends in any case.
    pub fn wait(&self, interval: Duration, retry_at: Option<Duration>, look_at: Duration) -> Work {
        let mut inner = self.lock();
        loop {
            let now = self.clock.monotonic();
            let deadline = retry_at.or_else(|| inner.pending.since.map(|since| since + interval));
            let full = inner.pending.readings.len() >= BATCH
                || retry_at.is_none() && inner.pending.acks.len() >= self.ack_batch;
            let due = full || deadline.is_some_and(|deadline| deadline <= now);
            let look = std::mem::take(&mut inner.nudged) || look_at <= now;
            if due || look || inner.closed || !inner.requests.is_empty() {
                let requests = inner.requests.turn();
                return Work { requests, due, orphaned: inner.closed };
            }
            let until = deadline.map_or(look_at, |deadline| deadline.min(look_at));
            let waited = self.wake.wait_timeout(inner, until - now);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets the thread look after the files at once.
    pub fn nudge(&self) {
        self.lock().nudged = true;
        self.wake.notify_one();
    }

    /// Moves what is pending to the end of `batch`, and makes room for as much.
    pub fn take(&self, batch: &mut Pending) {
        let mut inner = self.lock();
        let pending = &mut inner.pending;
        if batch.readings.is_empty() {
            std::mem::swap(&mut pending.readings, &mut batch.readings);
        } else {
            batch.readings.append(&mut pending.readings);
        }
        batch.acks.append(&mut pending.acks);
        batch.since = batch.since.or(pending.since.take());
        pending.since = None;
        let permits = std::mem::take(&mut pending.permits);
        drop(inner);
        self.room.add_permits(permits as usize);
    }

    /// Refuses everything from now on, and what waits too.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let refused = std::mem::take(&mut inner.requests);
        drop(inner);
        drop(refused);
        self.room.close();
        self.wake.notify_one();
    }
}

fn permits(readings: usize) -> u32 {
    // QUEUE fits: a batch larger than the queue waits for all of it, not for ever.
    readings.min(QUEUE) as u32
}
