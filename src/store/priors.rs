//! Priors of sensor models, as the ledger keeps them.

use super::Store;
use super::error::StoreError;
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;

/// The newest prior of a model that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPrior {
    /// The model.
    pub model: String,
    /// Its version; those below are refused.
    pub version: u64,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
    /// The envelope's bytes, as received. `None`: all that is known is that it was accepted before the ledger was lost.
    pub envelope: Option<Vec<u8>>,
    /// When it was accepted, by the gateway's clock.
    pub accepted: Timestamp,
}

impl Store {
    /// Accepts a verified prior: one durable transaction with its audit row, which has this actor and detail.
    pub async fn accept_prior(
        &self,
        prior: StoredPrior,
        actor: String,
        detail: String,
    ) -> Result<(), StoreError> {
        self.with_ledger(move |ledger, now| ledger.accept_prior(now, &prior, &actor, &detail)).await
    }

    /// The newest priors, by their models.
    pub async fn priors(&self) -> Result<Vec<StoredPrior>, StoreError> {
        self.with_ledger(|ledger, _| ledger.priors()).await
    }
}
