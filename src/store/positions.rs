//! What the ledger knows of the positions: instruments and maintenance.

use super::error::StoreError;
use super::ledger::Ledger;
use super::mailbox::Request;
use super::types::{Mount, Upkeep};
use super::{Store, Timestamp};
use crate::domain::id::SensorId;

impl Store {
    /// Has the store's thread do something with the ledger.
    pub(super) async fn with_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(|reply| {
            // A reply that nobody waits for any more is no fault.
            Request::Ledger(Box::new(move |ledger, now| drop(reply.send(work(ledger, now)))))
        })
        .await
    }

    /// Notes that an instrument was mounted: one durable transaction with its audit row.
    pub async fn mount(&self, mount: Mount) -> Result<(), StoreError> {
        self.with_ledger(move |ledger, _| ledger.mount(&mount)).await
    }

    /// The last `limit` instruments of a sensor, the oldest first.
    pub async fn mounts_of(&self, sensor: SensorId, limit: usize) -> Result<Vec<Mount>, StoreError> {
        self.with_ledger(move |ledger, _| ledger.mounts_of(&sensor, limit)).await
    }

    /// Notes that a sensor is in maintenance, in place of what was noted of it: one durable transaction
    /// with its audit row.
    pub async fn begin_maintenance(&self, upkeep: Upkeep) -> Result<(), StoreError> {
        self.with_ledger(move |ledger, now| ledger.begin_maintenance(now, &upkeep)).await
    }

    /// Moves the end of a sensor's maintenance, because the clock was set.
    pub async fn move_maintenance(&self, sensor: SensorId, until: Timestamp) -> Result<(), StoreError> {
        self.with_ledger(move |ledger, _| ledger.move_maintenance(&sensor, until)).await
    }

    /// Notes that a sensor is in maintenance no more, with the audit's word for why.
    pub async fn end_maintenance(
        &self,
        sensor: SensorId,
        actor: String,
        action: &'static str,
    ) -> Result<(), StoreError> {
        self.with_ledger(move |ledger, now| ledger.end_maintenance(now, &sensor, &actor, action)).await
    }
}
