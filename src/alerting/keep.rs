//! What has changed of the alerts, until the ledger has it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::alert::{Action, Alert, Stored};
use crate::store::{AlertChanges, Store};
use crate::telemetry::alerts::NotWritten;
use crate::telemetry::metrics::Metrics;

/// Rows, and notes of messages, that wait while the ledger takes none; beyond it those rows are given up that were
/// raised first and are over.
const MOST: usize = 1024;
/// Wait after the ledger did not take a change.
const RETRY: Duration = Duration::from_secs(10);
/// A state of so many bytes is written once a second at most, a larger one more seldom: the disk has to last.
const BYTES_A_SECOND: u32 = 32 * 1024;

/// Writes what has changed, gathered.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    metrics: Metrics,
    rows: BTreeMap<String, Alert>,
    retained: BTreeSet<String>,
    emptied: BTreeSet<String>,
    changed: bool,
    failing: bool,
    left_out: u64,
    /// Nothing is written before, unless somebody waits for it (monotonic).
    rests_until: Duration,
}

impl Keeper {
    /// Nothing has changed yet.
    pub fn new(store: Store, metrics: Metrics) -> Keeper {
        Keeper {
            store,
            metrics,
            rows: BTreeMap::new(),
            retained: BTreeSet::new(),
            emptied: BTreeSet::new(),
            changed: false,
            failing: false,
            left_out: 0,
            rests_until: Duration::ZERO,
        }
    }

    /// The state is another than the ledger has.
    pub fn changed(&mut self) {
        self.changed = true;
    }

    /// Takes what an action asks to be written.
    pub fn note(&mut self, action: &Action) {
        let (Action::Raise(alert) | Action::Update(alert) | Action::Clear(alert)) = action else { return };
        self.rows.insert(alert.id.clone(), alert.clone());
        if self.rows.len() > MOST {
            let over = self.rows.values().filter(|row| row.cleared.is_some()).min_by_key(|row| row.raised);
            if let Some(id) = over.map(|row| row.id.clone()) {
                self.rows.remove(&id);
                self.left_out += 1;
            }
        }
    }

    /// The broker is about to be told of an alert.
    pub fn retained(&mut self, id: &str) {
        self.emptied.remove(id);
        self.retained.insert(id.to_owned());
        if self.retained.len() > MOST {
            self.retained.pop_first();
        }
    }

    /// The broker holds nothing of an alert any more. It is no loss where that is found out again.
    pub fn emptied(&mut self, id: String) {
        self.retained.remove(&id);
        self.emptied.insert(id);
        if self.emptied.len() > MOST {
            self.emptied.pop_first();
        }
    }

    /// How many notes wait: of messages that the broker may hold, and of those that it does not any more.
    #[cfg(test)]
    pub fn waiting(&self) -> (usize, usize) {
        (self.retained.len(), self.emptied.len())
    }

    /// Whether what is known may be told: it is in the ledger, or cannot get there for now.
    pub fn may_tell(&self) -> bool {
        self.failing || !self.changed
    }

    /// Writes what has changed if it is time to, `urgent`: at any time.
    pub async fn write(&mut self, stored: &Stored, now: Duration, urgent: bool) {
        if !self.changed || (!urgent && now < self.rests_until) {
            return;
        }
        // Structs of texts and finite numbers always serialise.
        let state = serde_json::to_string(stored).unwrap_or_default();
        let rest = Duration::from_secs(1) * u32::try_from(state.len()).unwrap_or(u32::MAX) / BYTES_A_SECOND;
        let changes = AlertChanges {
            rows: self.rows.values().cloned().collect(),
            state,
            retained: self.retained.iter().cloned().collect(),
            emptied: self.emptied.iter().cloned().collect(),
        };
        match self.store.keep_alerts(changes).await {
            Ok(()) => {
                self.rows.clear();
                self.retained.clear();
                self.emptied.clear();
                self.changed = false;
                self.rests_until = now + rest;
                if std::mem::take(&mut self.failing) {
                    NotWritten::over(std::mem::take(&mut self.left_out));
                }
            }
            Err(error) => {
                self.rests_until = now + RETRY.max(rest);
                let first = !std::mem::replace(&mut self.failing, true);
                NotWritten { first, problem: &error.to_string() }.record(&self.metrics);
            }
        }
    }
}
