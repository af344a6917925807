//! The newest manifest of each branch.

use rusqlite::{Connection, Transaction, params};

use super::{Ledger, audit, floors, raise_floor};
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::history::corrupt;
use crate::store::manifests::StoredManifest;

/// All of them, by branch.
pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<StoredManifest>> {
    let mut statement =
        db.prepare("SELECT branch, version, digest, envelope FROM manifests ORDER BY branch")?;
    let rows = statement.query_map([], |row| {
        let branch = row.get::<_, String>(0)?.parse().map_err(|_| corrupt())?;
        let (version, digest) = (row.get(1)?, Digest(row.get(2)?));
        Ok(StoredManifest { branch, version, digest, envelope: row.get(3)? })
    })?;
    rows.collect()
}

/// Notes the newest one of a branch.
pub(super) fn put(tx: &Transaction<'_>, now: Timestamp, manifest: &StoredManifest) -> rusqlite::Result<()> {
    let StoredManifest { branch, version, digest, envelope } = manifest;
    let values = params![branch.to_string(), version, digest.0, envelope, now.as_micros()];
    tx.execute("INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?, ?)", values).map(drop)
}

/// Those that are newer than what is known.
pub(super) fn newer(manifests: &[StoredManifest], known: &[StoredManifest]) -> Vec<StoredManifest> {
    floors::newer(manifests, known, |manifest| (&manifest.branch, manifest.version))
}

impl Ledger {
    /// The newest manifest of each branch.
    pub fn manifests(&self) -> Result<Vec<StoredManifest>, StoreError> {
        self.name(all(&self.db))
    }

    /// Accepts a verified manifest, and raises the proven time.
    pub fn accept_manifest(
        &mut self,
        now: Timestamp,
        manifest: &StoredManifest,
        issued_at: Timestamp,
        actor: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        self.transact(|tx| {
            put(tx, now, manifest)?;
            raise_floor(tx, issued_at)?;
            let detail = serde_json::json!({ "version": manifest.version, "digest": manifest.digest });
            let subject = manifest.branch.to_string();
            audit::append(tx, now, actor, "manifest.accepted", &subject, &detail.to_string())
        })
    }

    /// Raises the versions of manifests to what another source knows; audited where that is more.
    pub fn catch_up_manifests(
        &mut self,
        now: Timestamp,
        others: &[StoredManifest],
        source: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        let news = newer(others, &self.manifests()?);
        let put = |tx: &Transaction<'_>, it: &StoredManifest| put(tx, now, it);
        self.raise_serials(now, source, "manifests", &news, |it| (it.branch.clone(), it.version), put)
    }
}
