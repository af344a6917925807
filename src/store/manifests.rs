//! Manifests, as the ledger keeps them.

use super::Store;
use super::error::StoreError;
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::domain::trust::branch::Branch;

/// The newest manifest of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// The branch.
    pub branch: Branch,
    /// Its version; what is older is refused.
    pub version: u64,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
    /// The envelope's bytes, as received; `None`: only that there was one is known.
    pub envelope: Option<Vec<u8>>,
}

impl Store {
    /// Accepts a verified manifest, which proves the time at which it was made: one durable transaction with its
    /// audit row.
    pub async fn accept_manifest(
        &self,
        manifest: StoredManifest,
        issued_at: Timestamp,
        actor: String,
    ) -> Result<(), StoreError> {
        self.with_ledger(move |ledger, now| ledger.accept_manifest(now, &manifest, issued_at, &actor)).await
    }
}
