//! What becomes of readings in the store: each event is one log line and one counter.

use std::sync::atomic::Ordering;

use super::alarm::Alarm;
use super::metrics::Metrics;
use crate::domain::sequence::Gap;

/// Counts and logs the events of the store.
#[derive(Debug)]
pub struct StoreEvents {
    metrics: Metrics,
    alarm: Alarm,
    disk: Alarm,
    ledger: Alarm,
}

/// The disk of the store as last measured.
#[derive(Clone, Copy, Debug)]
pub struct DiskFacts<'a> {
    /// Bytes.
    pub free: u64,
    /// What that calls for, and all that it could.
    pub stage: &'static str,
    pub stages: &'a [&'static str],
    /// What is lost meanwhile; `None`: nothing.
    pub loss: Option<&'static str>,
}

/// What the store counts itself, since the start.
#[derive(Clone, Copy, Debug)]
pub struct StoreCounts {
    /// Readings written.
    pub stored: u64,
    /// Readings given up because they could not be written.
    pub given_up: u64,
    /// Readings deleted by age or size.
    pub expired: u64,
    /// Readings that wait now because they cannot be written.
    pub waiting: u64,
}

impl StoreEvents {
    /// No event yet.
    pub fn new(metrics: &Metrics) -> StoreEvents {
        let part = |name| metrics.alarms.part(name);
        StoreEvents {
            metrics: metrics.clone(),
            alarm: part("store"),
            disk: part("disk"),
            ledger: part("ledger check"),
        }
    }

    /// Readings are on disk.
    pub fn committed(&self, rows: usize) {
        if rows > 0 {
            self.metrics.commits.inc();
        }
        self.alarm.clear();
    }

    /// A commit failed and is tried again: `kind` in a word with what helps, `problem` in the store's words,
    /// and how many readings wait and were given up.
    pub fn failed(&self, kind: &str, remedy: &str, problem: &str, waiting: usize, given_up: u64) {
        self.metrics.commit_failures.get_or_create(&vec![("reason", kind.to_owned())]).inc();
        let mut message = format!("readings cannot be written ({kind}); {waiting} wait in memory");
        if given_up > 0 {
            message.push_str(&format!(", {given_up} were given up since the start"));
        }
        self.alarm.raise(kind, message, remedy);
        tracing::warn!(parent: self.alarm.span(), waiting, given_up, "a commit failed: {problem}");
    }

    /// The disk was measured.
    pub fn disk(&self, facts: DiskFacts<'_>) {
        self.metrics.store_free.set(i64::try_from(facts.free).unwrap_or(i64::MAX));
        for stage in facts.stages {
            let label = vec![("stage", (*stage).to_owned())];
            self.metrics.store_stage.get_or_create(&label).set(i64::from(*stage == facts.stage));
        }
        match facts.loss {
            None => self.disk.clear(),
            Some(loss) => {
                let message =
                    format!("only {} MiB are free on the disk of store.dir: {loss}", facts.free >> 20);
                self.disk.raise(facts.stage, message, "free space there, or lower store.max_size");
            }
        }
    }

    /// Both databases were last checked at `seconds` since 1970; whether both are `whole`, or the ledger is
    /// damaged.
    pub fn checked(&self, seconds: i64, whole: bool, ledger_damaged: bool) {
        self.metrics.store_check_time.set(seconds);
        self.metrics.store_check_ok.set(i64::from(whole));
        if ledger_damaged {
            let message = "the ledger is damaged; after the next start readings will go out raw";
            let remedy = "restore the ledger from a backup, and see what the kernel's log says of the disk";
            self.ledger.raise("damaged", message, remedy);
        } else {
            self.ledger.clear();
        }
    }

    /// Sequence numbers name no reading.
    pub fn gap(&self, gap: &Gap) {
        self.metrics.gaps.inc();
        tracing::warn!(first = gap.first, last = gap.last, reason = %gap.reason, "sequence numbers that name no reading");
    }

    /// Takes over what the store counts itself.
    pub fn counted(&self, counts: StoreCounts) {
        self.metrics.stored.inner().store(counts.stored, Ordering::Relaxed);
        self.metrics.given_up.inner().store(counts.given_up, Ordering::Relaxed);
        self.metrics.expired.inner().store(counts.expired, Ordering::Relaxed);
        self.metrics.waiting.set(i64::try_from(counts.waiting).unwrap_or(i64::MAX));
    }
}
