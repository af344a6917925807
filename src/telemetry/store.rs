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
        StoreEvents { metrics: metrics.clone(), alarm: metrics.alarms.part("store") }
    }

    /// Readings are on disk.
    pub fn committed(&self, rows: usize) {
        if rows > 0 {
            self.metrics.commits.inc();
        }
        self.alarm.clear();
    }

    /// A commit failed and is tried again: `kind` in a word, `problem` in the store's words, and how many
    /// readings wait and were given up.
    pub fn failed(&self, kind: &str, problem: &str, waiting: usize, given_up: u64) {
        self.metrics.commit_failures.get_or_create(&vec![("reason", kind.to_owned())]).inc();
        let mut message = format!("readings cannot be written ({kind}); {waiting} wait in memory");
        if given_up > 0 {
            message.push_str(&format!(", {given_up} were given up since the start"));
        }
        self.alarm.raise(
            kind,
            message,
            "free space on the disk of store.dir, or see what it says in the log",
        );
        tracing::warn!(parent: self.alarm.span(), waiting, given_up, "a commit failed: {problem}");
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
