//! Keeps what monitors have learnt for the next start: page by page each hour, and all of it at the stop.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::calibrate::Calibrator;
use crate::domain::id::SensorId;
use crate::runtime::task;
use crate::store::{Store, StoreError};

/// Between two times that everything is kept.
const EVERY: Duration = Duration::from_secs(3600);
/// Sensors that are kept at a time: readings flow on meanwhile.
const PAGE: usize = 64;
/// Nothing else is to be done at the stop.
const LAST: usize = 256;

/// What was learnt before the start of sensors that are `possible` still; the rest is forgotten.
pub async fn recover(store: &Store, possible: impl Fn(&SensorId) -> bool) -> Vec<(SensorId, String)> {
    let all = store.learnt().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what is usual is learnt anew: what was known cannot be read");
        Vec::new()
    });
    let (known, gone): (Vec<_>, Vec<_>) = all.into_iter().partition(|(sensor, _)| possible(sensor));
    if !gone.is_empty() {
        say(store.keep_learnt(gone.into_iter().map(|(sensor, _)| (sensor, None)).collect()).await);
    }
    known
}

fn say(kept: Result<(), StoreError>) {
    if let Err(error) = kept {
        tracing::warn!(%error, "what the monitors have learnt is not stored; it is tried again within the hour");
    }
}

/// How far it is kept.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// When everything is to be kept again, since the start.
    due: Duration,
    next: usize,
    page: Option<JoinHandle<()>>,
}

impl Keeping {
    /// Begins an hour after `now`.
    pub(super) fn new(now: Duration) -> Keeping {
        Keeping { due: now + EVERY, ..Keeping::default() }
    }

    /// Hands one page over where one is due, and the one before is stored. Doesn't wait.
    pub(super) fn turn(&mut self, calibrator: &Calibrator, store: &Store, now: Duration) {
        if now < self.due || self.page.as_ref().is_some_and(|page| !page.is_finished()) {
            return;
        }
        let page = calibrator.learnt(self.next..self.next + PAGE);
        self.next += PAGE;
        if page.is_empty() {
            *self = Keeping::new(now);
            return;
        }
        let store = store.clone();
        self.page = Some(task::spawn(async move { say(store.keep_learnt(page).await) }));
    }

    /// Keeps everything.
    pub(super) async fn finish(self, calibrator: &Calibrator, store: &Store) {
        if let Some(page) = self.page {
            // What is older must not be written later; a page that failed has said so.
            let _ = page.await;
        }
        for first in (0..).step_by(LAST) {
            let page = calibrator.learnt(first..first + LAST);
            if page.is_empty() {
                return;
            }
            if let Err(error) = store.keep_learnt(page).await {
                tracing::warn!(%error, "what the monitors have learnt since the last hour is lost");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
