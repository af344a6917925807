//! What follows a commit: acknowledge upstream, move the sinks' cursors, announce gaps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};

use crate::domain::sequence::Gap;
use crate::runtime::clock::Clock;
use crate::store::disk::Stage;
use crate::store::{CheckResult, Commit, Store};
use crate::sync::control::Purpose;
use crate::sync::link::Link;
use crate::telemetry::store::{DiskFacts, StoreCounts, StoreEvents};
use crate::wire::message::GapEvent;

/// The links that there are now. Cheap to clone; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Links(Arc<Mutex<Arc<[Link]>>>);

impl Links {
    fn lock(&self) -> MutexGuard<'_, Arc<[Link]>> {
        // No code panics while holding the lock with a half-made change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them.
    pub fn all(&self) -> Arc<[Link]> {
        self.lock().clone()
    }

    /// Says which there are from now on.
    pub fn set(&self, links: Vec<Link>) {
        *self.lock() = links.into();
    }
}

/// Everything that follows a commit.
#[derive(Debug)]
pub struct Aftermath {
    /// All links, the uplink among them.
    pub links: Links,
    /// The uplink, and the topic of its events.
    pub uplink: (Link, String),
    /// The stream of sequence numbers.
    pub incarnation: Arc<str>,
    /// Where cursors are kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Counters and log lines.
    pub events: StoreEvents,
    /// Readings given up because the store could not take them.
    pub given_up: AtomicU64,
    /// How many of these their brokers have been asked for again.
    pub made_good: AtomicU64,
    /// The last committed sequence number, for the drain.
    pub committed: watch::Sender<u64>,
}

impl Aftermath {
    /// Runs until the store has ended.
    pub async fn run(self: Arc<Self>, mut commits: mpsc::UnboundedReceiver<Commit>) {
        while let Some(commit) = commits.recv().await {
            self.after(&commit);
            self.progress().await;
        }
    }

    fn after(&self, commit: &Commit) {
        for gap in &commit.gaps {
            self.announce(gap);
        }
        if let Some(failure) = &commit.failed {
            let (kind, remedy) = (failure.kind.as_str(), failure.kind.remedy());
            self.events.failed(kind, remedy, &failure.message, failure.held, failure.dropped);
            self.given_up.fetch_max(failure.dropped, Ordering::Relaxed);
            return;
        }
        let given_up = self.given_up.load(Ordering::Relaxed);
        if self.made_good.swap(given_up, Ordering::Relaxed) < given_up {
            // Messages whose readings were given up are unacknowledged: let the brokers send them again. This comes
            // before the acknowledgements of the commit: a message may have begun among those readings.
            self.links.all().iter().for_each(Link::reconnect);
        }
        self.events.committed(commit.rows);
        for link in self.links.all().iter() {
            link.committed(commit.last, &commit.acks);
        }
        self.committed.send_if_modified(|last| {
            let newer = commit.last > *last;
            *last = (*last).max(commit.last);
            newer
        });
    }

    /// Announces sequence numbers that name no reading.
    pub fn announce(&self, gap: &Gap) {
        self.events.gap(gap);
        let (link, topic) = &self.uplink;
        let event = GapEvent {
            event: "gap",
            incarnation: self.incarnation.clone(),
            first: gap.first,
            last: gap.last,
            reason: gap.reason.to_string(),
            sink: gap.sink.clone(),
            time: self.clock.now(),
        };
        // Flat structs of texts and numbers always serialise.
        let payload = serde_json::to_vec(&event).unwrap_or_default();
        link.publish(topic.clone(), payload, Purpose::Gap(gap.clone()));
    }

    /// Takes over what the store counts itself.
    pub fn measure(&self) {
        let health = self.store.health();
        self.events.counted(StoreCounts {
            stored: health.rows,
            given_up: health.dropped,
            expired: health.expired,
            waiting: health.waiting,
        });
        if let Some(disk) = health.disk {
            let stages = Stage::ALL.map(Stage::as_str);
            let (free, stage, loss) = (disk.space.free, disk.stage.as_str(), disk.stage.loss());
            self.events.disk(DiskFacts { free, stage, stages: &stages, loss });
        }
        if let Some(check) = health.checked {
            let whole = check.result == CheckResult::Ok;
            let ledger_damaged = check.result == CheckResult::LedgerBroken;
            self.events.checked(check.at.as_micros() / 1_000_000, whole, ledger_damaged);
        }
    }

    /// Writes down what the brokers have acknowledged since the last call.
    pub async fn progress(&self) {
        for link in self.links.all().iter() {
            let (cursors, gaps) = link.take_progress();
            for (sink, seq) in cursors {
                self.store.set_cursor(&sink, seq);
            }
            for gap in gaps {
                if let Err(error) = self.store.announced(gap).await {
                    tracing::warn!("an announced gap is not noted and will be announced again: {error}");
                }
            }
        }
    }
}
