//! Rollouts in the ledger: what each sensor's goes on from, and the orders that were followed.

use super::Store;
use super::error::StoreError;
use super::types::Activation;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};

/// What belongs together in rollouts, to be written in one transaction.
#[derive(Debug, Clone, Default)]
pub struct RolloutStep {
    /// A transform that is accepted with it: kept, and its floor raised. Where it is in force is not said here.
    pub accepted: Option<Activation>,
    /// Rows of the audit, which come before what they tell of: actor, action, subject, detail.
    pub audits: Vec<[String; 4]>,
    /// What comes into force at the sensors that it names.
    pub put: Vec<Activation>,
    /// Where nothing is in force any more.
    pub withdrawn: Vec<SensorId>,
    /// What the rollouts of sensors go on from: JSON.
    pub states: Vec<(SensorId, String)>,
    /// An order that was followed.
    pub order: Option<StoredOrder>,
}

impl RolloutStep {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.accepted.is_none()
            && self.audits.is_empty()
            && self.put.is_empty()
            && self.withdrawn.is_empty()
            && self.states.is_empty()
            && self.order.is_none()
    }
}

/// The last order about a transform id that was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOrder {
    /// The transform id.
    pub id: Id,
    /// The order's serial; those up to it are refused.
    pub serial: u64,
    /// The digest of the order.
    pub digest: Digest,
}

impl Store {
    /// Writes a step of rollouts: one durable transaction. What it puts in force is in effect for readings only after
    /// this returned `Ok`.
    pub async fn advance(&self, step: RolloutStep) -> Result<(), StoreError> {
        let floor = step.accepted.as_ref().map(Activation::floor);
        self.with_ledger(move |ledger, now| ledger.advance(now, &step)).await?;
        let Some(floor) = floor else { return Ok(()) };
        if let Err(error) = self.with_history(move |history| history.mirror(&[floor], None)).await {
            // The next start mirrors it.
            tracing::warn!(%error, "the floor is in the ledger, but not mirrored in the history");
        }
        Ok(())
    }

    /// What the rollouts of sensors go on from: JSON.
    pub async fn rollouts(&self) -> Result<Vec<(SensorId, String)>, StoreError> {
        self.with_ledger(|ledger, _| ledger.rollouts()).await
    }

    /// The last orders that were followed, one for each transform id.
    pub async fn orders(&self) -> Result<Vec<StoredOrder>, StoreError> {
        self.with_ledger(|ledger, _| ledger.orders()).await
    }
}
