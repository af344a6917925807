//! The store's thread: the only place that writes to the databases.

pub mod care;

use std::collections::BTreeMap;
use std::fs::File;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use self::care::Care;
use super::error::{FailureKind, StoreError};
use super::file;
use super::history::{self, Extra, History, Limits};
use super::ledger::Ledger;
use super::mailbox::{HistoryWork, Mailbox, Pending, Reply, Request};
use super::queue::Waiting;
use super::types::{Commit, Failure, Health};
use crate::domain::sequence::{Block, Gap, GapReason};
use crate::runtime::clock::Clock;

/// Readings held while the disk takes none; beyond it the oldest are given up.
const HELD: usize = 16_384;
/// How long to wait before trying a failed commit again.
const RETRY: Duration = Duration::from_secs(1);
/// How many steps of old readings make room on a full disk before the commit counts as failed.
const ROOM_STEPS: usize = 4;

/// Everything the thread owns.
pub struct Owner {
    pub dir: PathBuf,
    pub limits: Limits,
    pub interval: Duration,
    pub clock: Clock,
    pub mailbox: Arc<Mailbox>,
    pub commits: UnboundedSender<Commit>,
    pub history: History,
    pub ledger: Ledger,
    pub incarnation: String,
    pub next_unused: u64,
    /// Held for as long as the thread runs.
    #[expect(dead_code, reason = "held, not used")]
    pub lock: File,
    pub state: State,
    pub care: Care,
}

/// What the thread remembers between commits.
#[derive(Default)]
pub struct State {
    batch: Pending,
    health: Health,
    /// Gaps not yet reported, and those of them not yet written.
    gaps: Vec<Gap>,
    unwritten: Vec<Gap>,
    retry_at: Option<Duration>,
    last_commit: Duration,
}

impl State {
    /// At a start, when the databases were last checked as `health` says.
    pub fn new(health: Health) -> State {
        State { health, ..State::default() }
    }
}

struct Shut(Arc<Mailbox>);

impl Drop for Shut {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Owner {
    /// Works until the store is closed or its handles are gone.
    pub fn run(mut self) {
        // However the thread ends, nobody waits for it for ever.
        let _shut = Shut(Arc::clone(&self.mailbox));
        loop {
            self.look();
            // Begin early by what the last commit took, so that the next one ends in time.
            let early = self.state.last_commit.min(self.interval / 2);
            let work = self.mailbox.wait(self.interval - early, self.state.retry_at, self.care.look_at);
            for request in work.requests.into_iter().filter_map(Waiting::begin) {
                if let Some(reply) = self.answer(request) {
                    let closed = self.close();
                    drop(self);
                    // Only now are the files closed and the lock is free.
                    let _ = reply.send(closed);
                    return;
                }
            }
            if work.due || work.orphaned {
                // Failures are reported to `commits`.
                let _ = self.commit();
            }
            if work.orphaned {
                return;
            }
        }
    }

    /// Answers a request; gives back the reply of one that asks to close.
    fn answer(&mut self, request: Request) -> Option<Reply<()>> {
        let now = self.clock.now();
        // A reply that nobody waits for any more is no fault.
        match request {
            Request::Close(reply) => return Some(reply),
            Request::Ping(reply) => drop(reply.send(Ok(()))),
            Request::Flush(reply) => drop(reply.send(self.commit())),
            Request::Reserve(reply) => drop(reply.send(self.reserve())),
            Request::ReadAfter { seq, limit, up_to, reply } => {
                drop(reply.send(self.read(|history| history.read_after(seq, limit, up_to))));
            }
            Request::Select { range, reply } => drop(reply.send(self.read(|history| history.select(&range)))),
            Request::Rollups { range, reply } => {
                drop(reply.send(self.read(|history| history.summaries(&range))));
            }
            Request::Latest { sensors, reply } => {
                drop(reply.send(self.read(|history| history.latest(sensors.as_deref()))));
            }
            Request::AuditAfter { seq, limit, reply } => {
                drop(reply.send(self.ledger.audit_after(seq, limit)));
            }
            Request::Announced { gap, reply } => drop(reply.send(self.announced(&gap))),
            Request::AcceptEnrolment { enrolment, actor, reply } => {
                drop(reply.send(self.ledger.accept_enrolment(now, &enrolment, &actor)));
            }
            Request::InstallRoot { root, reply } => drop(reply.send(self.ledger.install_root(now, &root))),
            Request::Active(reply) => drop(reply.send(self.ledger.active())),
            Request::TransformsNamed { name, reply } => {
                drop(reply.send(self.ledger.transforms_named(&name)));
            }
            Request::Activations { sensor, reply } => drop(reply.send(self.ledger.activations(&sensor))),
            Request::Refusal { refusal, reply } => {
                drop(reply.send(self.ledger.record_refusal(now, &refusal)));
            }
            Request::Audit { texts, reply } => drop(reply.send(self.ledger.audit(now, &texts))),
            Request::VerifyAudit(reply) => drop(reply.send(self.ledger.verify_audit())),
            Request::Ledger(work) => work(&mut self.ledger, now),
            Request::History(work) => self.mend_after(work),
            Request::TimeFloor { time, reply } => drop(reply.send(self.ledger.raise_time_floor(time))),
        }
        None
    }

    fn reserve(&mut self) -> Result<Block, StoreError> {
        self.ledger.reserve(self.history.last_seq())
    }

    /// Reads from the history; one that turns out to be broken is replaced.
    fn read<T>(&mut self, what: impl FnOnce(&History) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let read = what(&self.history);
        if let Err(error) = &read
            && error.kind() == FailureKind::Corrupt
        {
            tracing::warn!(%error, "the history cannot be read");
            self.replace_history()?;
        }
        read
    }

    /// Does something with the history; one that turns out to be broken is replaced.
    fn mend_after(&mut self, work: HistoryWork) {
        if work(&self.history) {
            tracing::warn!("the history is broken");
            if let Err(error) = self.replace_history() {
                tracing::warn!(%error, "the broken history could not be replaced");
            }
        }
    }

    fn announced(&mut self, gap: &Gap) -> Result<(), StoreError> {
        self.state.gaps.retain(|waiting| waiting != gap);
        self.ledger.announced(gap)?;
        self.history.announced(gap)
    }

    fn close(&mut self) -> Result<(), StoreError> {
        // Its connections must be closed before the others: the last one empties the WAL.
        self.care.check = None;
        self.commit()?;
        let cursors = self.mailbox.cursors();
        let extra = Extra { cursors: Some(&cursors), closing: true, ..Extra::default() };
        self.history.commit(&[], &extra, self.clock.monotonic())?;
        self.ledger.end_clean(self.next_unused)
    }

    /// Commits what is pending and makes room; an error has been reported and is tried again.
    fn commit(&mut self) -> Result<(), StoreError> {
        let start = self.clock.monotonic();
        self.measure();
        self.take();
        let cursors = self.mailbox.cursors();
        let mut result = self.write(&cursors, start);
        if let Err(error) = &result {
            result = self.mend(error.kind(), &cursors, start).unwrap_or(result);
        }
        match &result {
            Ok(()) => self.succeeded(&cursors, start),
            Err(error) => self.failed(error),
        }
        result
    }

    /// Takes what is pending, except what must not be stored.
    fn take(&mut self) {
        self.mailbox.take(&mut self.state.batch);
        let mut last = self.history.last_seq();
        let readings = &mut self.state.batch.readings;
        let given = readings.len();
        // A number that is not above all others can only be a fault of the caller: storing the
        // reading is impossible, and trying for ever would stop all others.
        readings.retain(|reading| {
            let above = reading.seq > last;
            last = last.max(reading.seq);
            above
        });
        if readings.len() < given {
            tracing::warn!(readings = given - readings.len(), "readings with used numbers were discarded");
            self.state.health.dropped += (given - readings.len()) as u64;
        }
        self.next_unused = self.next_unused.max(last + 1);
    }

    fn write(&mut self, cursors: &BTreeMap<String, u64>, now: Duration) -> Result<(), StoreError> {
        let readings = &self.state.batch.readings;
        if readings.is_empty() && self.state.unwritten.is_empty() {
            return Ok(());
        }
        let extra = Extra { cursors: Some(cursors), gaps: &self.state.unwritten, closing: false };
        self.history.commit(readings, &extra, now)
    }

    /// Does what can be done about a failed commit; the result of another try, if one makes sense.
    fn mend(
        &mut self,
        kind: FailureKind,
        cursors: &BTreeMap<String, u64>,
        now: Duration,
    ) -> Option<Result<(), StoreError>> {
        match kind {
            FailureKind::DiskFull => self.make_room(cursors, now),
            FailureKind::Corrupt => {
                self.replace_history().ok()?;
                Some(self.write(cursors, now))
            }
            FailureKind::Busy | FailureKind::ReadOnly | FailureKind::Io => None,
        }
    }

    /// Deletes old readings until the new ones fit, but not for long: the next try goes on with it.
    fn make_room(
        &mut self,
        cursors: &BTreeMap<String, u64>,
        now: Duration,
    ) -> Option<Result<(), StoreError>> {
        let wanted = self.state.batch.readings.len().max(1) as u64;
        let mut result = None;
        for _ in 0..ROOM_STEPS {
            if self.retain(cursors, wanted, now).is_err() {
                break;
            }
            let written = self.write(cursors, now);
            let done = written.is_ok();
            result = Some(written);
            if done {
                break;
            }
        }
        result
    }

    fn retain(
        &mut self,
        cursors: &BTreeMap<String, u64>,
        wanted: u64,
        now: Duration,
    ) -> Result<(), StoreError> {
        let retained = self.history.retain(cursors, wanted, now)?;
        self.state.health.expired += retained.deleted;
        for gap in retained.gaps {
            if let Some(sink) = &gap.sink {
                self.mailbox.set_cursor(sink, retained.cut);
            }
            self.state.gaps.push(gap);
        }
        Ok(())
    }

    /// Moves the broken history aside and starts another.
    fn replace_history(&mut self) -> Result<(), StoreError> {
        let last = self.next_unused.saturating_sub(self.state.batch.readings.len() as u64 + 1);
        // The old connections must be closed first: closing deletes the -wal file by its name.
        self.care.check = None;
        self.history.detach()?;
        let now = self.clock.now();
        let moved = file::quarantine(self.history.path(), now)?;
        self.history = history::open(&self.dir, self.limits, false, now)?.history;
        self.history.set_incarnation(&self.incarnation)?;
        tracing::warn!(moved = %moved.display(), "the history was broken: a new one is started");
        let gap = self.ledger.history_lost(last)?;
        self.state.gaps.push(gap);
        let floors = self.ledger.floors().and_then(|floors| Ok((floors, self.ledger.time_floor()?)));
        let command = self.ledger.commands_past().ok().and_then(|past| past.newest);
        let mirrored = floors.and_then(|(floors, time)| self.history.mirror(&floors, time));
        let mirrored = mirrored.and_then(|()| command.map_or(Ok(()), |it| self.history.mirror_command(it)));
        if let Err(error) = mirrored {
            tracing::warn!(%error, "the floors are not mirrored in the new history before the next start");
        }
        Ok(())
    }

    fn succeeded(&mut self, cursors: &BTreeMap<String, u64>, start: Duration) {
        let state = &mut self.state;
        let rows = state.batch.readings.len();
        let (first, last) = match (state.batch.readings.first(), state.batch.readings.last()) {
            (Some(first), Some(last)) => (first.seq, last.seq),
            _ => (0, 0),
        };
        state.batch.readings.clear();
        state.batch.since = None;
        state.retry_at = None;
        state.unwritten.clear();
        state.health.commits += u64::from(rows > 0);
        state.health.rows += rows as u64;
        state.health.waiting = 0;
        state.health.failing = None;
        let acks = mem::take(&mut state.batch.acks);
        let now = self.clock.monotonic();
        self.state.last_commit = now.saturating_sub(start);
        if rows > 0
            && let Err(error) = self.retain(cursors, 0, now)
        {
            // The readings are safe; the next commit tries again.
            tracing::warn!(%error, "old readings could not be deleted");
            if error.kind() == FailureKind::Corrupt
                && let Err(error) = self.replace_history()
            {
                tracing::warn!(%error, "the broken history could not be replaced");
            }
        }
        let gaps = mem::take(&mut self.state.gaps);
        self.mailbox.set_health(self.state.health);
        if rows > 0 || !acks.is_empty() || !gaps.is_empty() {
            // A receiver that is gone wants no reports.
            let _ = self.commits.send(Commit { first, last, rows, acks, gaps, failed: None });
        }
    }

    fn failed(&mut self, error: &StoreError) {
        let state = &mut self.state;
        let readings = &mut state.batch.readings;
        if readings.len() > HELD {
            let over = readings.len() - HELD;
            let gap = Gap {
                first: readings[0].seq,
                last: readings[over - 1].seq,
                reason: GapReason::NotStored,
                sink: None,
            };
            readings.drain(..over);
            state.health.dropped += over as u64;
            state.gaps.push(gap.clone());
            match state.unwritten.last_mut() {
                Some(before) if before.last + 1 == gap.first => before.last = gap.last,
                _ => state.unwritten.push(gap),
            }
            // Which acknowledgements belong to the lost readings is not known, so none that waits is given.
            // Whoever is told of the loss has the brokers send those messages again.
            state.batch.acks.clear();
        }
        state.health.failures += 1;
        state.health.failing = Some(error.kind());
        state.health.waiting = state.batch.readings.len() as u64;
        state.retry_at = Some(self.clock.monotonic() + RETRY.min(self.interval));
        let failure = Failure {
            kind: error.kind(),
            message: error.to_string(),
            held: state.batch.readings.len(),
            dropped: state.health.dropped,
        };
        let gaps = mem::take(&mut state.gaps);
        self.mailbox.set_health(state.health);
        let failed = Some(failure);
        let _ = self.commits.send(Commit { first: 0, last: 0, rows: 0, acks: Vec::new(), gaps, failed });
    }
}
