//! Checkpoints: the end of the audit and what must never fall, to be kept where the ledger is not.

use super::error::StoreError;
use super::manifests::StoredManifest;
use super::priors::StoredPrior;
use super::rollouts::StoredOrder;
use super::types::StoredFloor;
use super::{History, Ledger, Store};
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;

/// What the audit calls them.
const SOURCE: &str = "checkpoint";

/// Rows of the audit, and the hash of the last one.
pub type Head = (u64, Digest);

/// What a checkpoint says of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerFacts {
    /// The end of the audit.
    pub head: Head,
    /// The newest version of each transform id.
    pub floors: Vec<StoredFloor>,
    /// Serial and digest of the newest command.
    pub command: Option<(u64, Digest)>,
    /// The last orders that were followed.
    pub orders: Vec<StoredOrder>,
    /// The newest manifests, without their envelopes.
    pub manifests: Vec<StoredManifest>,
    /// The newest prior of each sensor model.
    pub priors: Vec<StoredPrior>,
    /// Number and digest of the last certificate of each series.
    pub certificates: Vec<(String, Digest)>,
    /// The newest time ever proven.
    pub time_floor: Option<Timestamp>,
}

impl Store {
    /// The end of the audit.
    pub async fn audit_head(&self) -> Result<Head, StoreError> {
        self.with_ledger(|ledger, _| ledger.audit_head()).await
    }

    /// What a checkpoint says of the ledger.
    pub async fn ledger_facts(&self) -> Result<LedgerFacts, StoreError> {
        self.with_ledger(|ledger, _| ledger.facts()).await
    }

    /// Mirrors a checkpoint in the history: the signed envelope, and the end of the audit that it names.
    pub async fn mirror_checkpoint(&self, head: Head, envelope: Vec<u8>) -> Result<(), StoreError> {
        self.with_history(move |history: &History| history.mirror_checkpoint(head, &envelope)).await
    }

    /// Where the audit ended at the last mirrored checkpoint, if that end is not in the audit any more, and not because
    /// of a restore.
    pub async fn missing_checkpoint(&self) -> Result<Option<Head>, StoreError> {
        let head = self.with_history(|history: &History| history.checkpoint_head()).await?;
        let Some((rows, hash)) = head else { return Ok(None) };
        let known = self.with_ledger(move |ledger: &mut Ledger, _| {
            Ok([ledger.audit_hash(rows)?, ledger.replaced_checkpoint()?].contains(&Some(hash)))
        });
        Ok((!known.await?).then_some((rows, hash)))
    }

    /// The last mirrored checkpoint: the signed envelope.
    pub async fn mirrored_checkpoint(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.with_history(|history: &History| history.checkpoint()).await
    }

    /// Raises floors and serials to what a checkpoint says, audited where that is more; what the ledger says then.
    pub async fn catch_up(&self, said: LedgerFacts) -> Result<LedgerFacts, StoreError> {
        self.with_ledger(move |ledger, now| {
            ledger.catch_up(now, &said.floors, said.time_floor, SOURCE)?;
            ledger.catch_up_commands(now, said.command, SOURCE)?;
            ledger.catch_up_orders(now, &said.orders, SOURCE)?;
            ledger.catch_up_manifests(now, &said.manifests, SOURCE)?;
            ledger.catch_up_priors(now, &said.priors, SOURCE)?;
            ledger.catch_up_certificates(now, &said.certificates, SOURCE)?;
            ledger.facts()
        })
        .await
    }
}
