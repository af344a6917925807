//! Keeping references and pairs in the store, and counting what is there.

use tokio::sync::oneshot;

use super::Tracking;
use crate::domain::id::{Id, SensorId};
use crate::domain::reference::Reference;
use crate::store::{Added, StoreError};
use crate::telemetry::tracking::paired;
use crate::tracking::{Withdraw, trial};

/// References, or pairs, that are written in one transaction.
const TOGETHER: usize = 1000;

impl Tracking {
    /// Writes what has come since, and counts the pairs.
    pub(super) async fn keep(&mut self) {
        if let Err(error) = self.try_to_keep().await {
            let left_out = self.pending.shorten();
            if left_out > 0 {
                // It is found again when the store can be written.
                self.sweep(self.now());
            }
            tracing::warn!(left_out, "references and pairs are not written: {error}");
        }
    }

    /// What fails keeps nothing else from being done.
    async fn try_to_keep(&mut self) -> Result<(), StoreError> {
        let references = self.keep_references().await;
        let pairs = self.keep_pairs().await;
        let counted = references.and(pairs).and(self.recount_stale().await);
        // All pairs that are stored have been counted.
        counted.and(self.judge_anew().await)?;
        self.save_judges_in_time().await
    }

    /// Writes the references that wait.
    pub(super) async fn keep_references(&mut self) -> Result<(), StoreError> {
        loop {
            let references = self.pending.first_references(TOGETHER).to_vec();
            if references.is_empty() {
                return Ok(());
            }
            let added = self.parts.store.keep_references(references).await?;
            let written = self.pending.wrote_references(added.len());
            for (reference, added) in written.iter().zip(added) {
                match added {
                    // The pair of the version before was counted, and is gone.
                    Added::Revised(_) => self.make_stale(&reference.sensor),
                    Added::Withdrawn => self.forget(&reference.sensor, &reference.id),
                    Added::New | Added::Unchanged => {}
                }
            }
        }
    }

    /// Stores references that somebody waits to know of as stored, and pairs what is new.
    pub(super) async fn keep_given(
        &mut self,
        references: Vec<Reference>,
        answer: oneshot::Sender<Result<Vec<Added>, StoreError>>,
    ) -> Result<(), StoreError> {
        let added = match self.parts.store.keep_references(references.clone()).await {
            Ok(added) => added,
            Err(error) => {
                // Whoever asked may have given up waiting.
                let _ = answer.send(Err(error));
                return Ok(());
            }
        };
        let mut new = Vec::new();
        for (reference, added) in references.into_iter().zip(&added) {
            match added {
                Added::Revised(_) => {
                    // The pair of the version before was counted, and is gone.
                    self.make_stale(&reference.sensor);
                    new.push(reference);
                }
                Added::New => new.push(reference),
                Added::Unchanged | Added::Withdrawn => {}
            }
        }
        // Whoever asked may have given up waiting.
        let _ = answer.send(Ok(added));
        self.compare_all(new).await
    }

    /// Writes the pairs that wait, and counts them.
    async fn keep_pairs(&mut self) -> Result<(), StoreError> {
        loop {
            let made = self.pending.first_pairs(TOGETHER);
            if made.is_empty() {
                return Ok(());
            }
            // Looks up what is not remembered of the transforms, and the covariates beside them.
            for made in made.iter_mut() {
                made.pair.u_shared = self.traces.shared(&self.parts.store, &made.pair).await;
                while let Some((role, sensor)) = made.beside.last() {
                    if let Some(value) = self.parts.store.beside(sensor, made.pair.span).await? {
                        made.pair.covariates.insert(role.clone(), value);
                    }
                    made.beside.pop();
                }
            }
            let pairs: Vec<_> = made.iter().map(|made| made.pair.clone()).collect();
            let replaced = self.parts.store.insert_pairs(pairs).await?;
            let written = self.pending.wrote_pairs(replaced.len());
            let now = self.moment();
            for (pair, replaced) in written.into_iter().zip(replaced) {
                paired(&self.parts.metrics, &pair);
                match self.trackers.get_mut(&pair.sensor) {
                    // The one before it was counted.
                    Some(tracker) if replaced => tracker.make_stale(),
                    Some(tracker) => {
                        tracker.pair(&pair, now);
                        trial::tell(&self.parts.beside, tracker.sensor(), tracker.how(), &pair);
                        self.saving.pair();
                    }
                    None => {}
                }
            }
        }
    }

    /// Counts the pairs of sensors whose windows do not hold what the store does.
    async fn recount_stale(&mut self) -> Result<(), StoreError> {
        let stale = self.trackers.iter().filter(|(_, tracker)| tracker.is_stale());
        let stale: Vec<SensorId> = stale.map(|(id, _)| id.clone()).collect();
        if stale.is_empty() { Ok(()) } else { self.recount(stale).await }
    }

    pub(super) fn make_stale(&mut self, sensor: &SensorId) {
        self.trackers.get_mut(sensor).into_iter().for_each(|tracker| tracker.make_stale());
    }

    /// Withdraws references, wherever they and their pairs are.
    pub(super) async fn withdraw(&mut self, order: Withdraw) -> Result<Vec<Id>, StoreError> {
        let Withdraw { sensor, ids, actor, reason } = order;
        // One that waits to be written has to be there to be withdrawn.
        self.keep_references().await?;
        let named = ids.clone();
        let withdrawn = self.parts.store.withdraw_references(sensor.clone(), ids, &actor, reason).await;
        // The pairs may be gone although the references are not yet withdrawn.
        named.iter().for_each(|id| self.forget(&sensor, id));
        withdrawn
    }

    /// Forgets a reference that does not count any more; what was made of it is counted again from the store.
    fn forget(&mut self, sensor: &SensorId, id: &Id) {
        self.let_go(sensor, id);
        self.make_stale(sensor);
    }

    /// Lets go of what is in hand of a reference or of an earlier version of it.
    pub(super) fn let_go(&mut self, sensor: &SensorId, id: &Id) {
        self.pending.forget(sensor, id);
        self.late.retain(|late| late.sensor != *sensor || late.id != *id);
        self.aside.retain(|(_, aside)| aside.sensor != *sensor || aside.id != *id);
        let Some(tracker) = self.trackers.get_mut(sensor) else { return };
        tracker.forget(id);
        if tracker.misses() {
            self.unpaired.retain(|unpaired| unpaired.sensor != *sensor || unpaired.id != *id);
        }
    }
}
