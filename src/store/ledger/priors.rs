//! Priors of sensor models: the newest of each, which is its floor too.

use rusqlite::{Transaction, params};

use super::{Ledger, audit, floors};
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::history::corrupt;
use crate::store::priors::StoredPrior;

pub(super) fn put(tx: &Transaction<'_>, prior: &StoredPrior) -> rusqlite::Result<()> {
    let StoredPrior { model, version, digest, envelope, accepted } = prior;
    let values = params![model, version, digest.0, envelope, accepted.as_micros()];
    tx.execute("INSERT OR REPLACE INTO priors VALUES (?, ?, ?, ?, ?)", values).map(drop)
}

/// Those with higher versions than what is known.
pub(super) fn newer(priors: &[StoredPrior], known: &[StoredPrior]) -> Vec<StoredPrior> {
    floors::newer(priors, known, |prior| (&prior.model, prior.version))
}

impl Ledger {
    /// Accepts a verified prior.
    pub fn accept_prior(
        &mut self,
        now: Timestamp,
        prior: &StoredPrior,
        actor: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        self.transact(|tx| {
            put(tx, prior)?;
            audit::append(tx, now, actor, "prior.accepted", &prior.model, detail)
        })
    }

    /// Raises versions to what another source knows; audited where that is more.
    pub fn catch_up_priors(
        &mut self,
        now: Timestamp,
        others: &[StoredPrior],
        source: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        let news = newer(others, &self.priors()?);
        self.raise_serials(now, source, "priors", &news, |it| (it.model.clone(), it.version), put)
    }

    /// The newest prior of each model.
    pub fn priors(&self) -> Result<Vec<StoredPrior>, StoreError> {
        let sql = "SELECT model, version, digest, envelope, accepted FROM priors ORDER BY model";
        self.name(self.db.prepare(sql).and_then(|mut statement| {
            let rows = statement.query_map([], |row| {
                Ok(StoredPrior {
                    model: row.get(0)?,
                    version: row.get(1)?,
                    digest: Digest(row.get(2)?),
                    envelope: row.get(3)?,
                    accepted: Timestamp::from_micros(row.get(4)?).ok_or_else(corrupt)?,
                })
            })?;
            rows.collect()
        }))
    }
}
