//! What the fleet said of this gateway.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Ledger, audit};
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::types::StoredEnrolment;

/// The newest enrolment.
pub(super) fn newest(db: &Connection) -> rusqlite::Result<Option<StoredEnrolment>> {
    let sql = "SELECT version, envelope, digest FROM enrolments ORDER BY version DESC LIMIT 1";
    let row = db.query_row(sql, [], |row| {
        Ok(StoredEnrolment { version: row.get(0)?, envelope: row.get(1)?, digest: Digest(row.get(2)?) })
    });
    row.optional()
}

/// Accepts an enrolment; the same bytes with other signatures take the place of those before.
pub(super) fn accept(
    tx: &Transaction<'_>,
    now: Timestamp,
    enrolment: &StoredEnrolment,
    actor: &str,
) -> rusqlite::Result<()> {
    let StoredEnrolment { version, envelope, digest } = enrolment;
    let values = params![version, digest.0, envelope, now.as_micros()];
    tx.execute("INSERT OR REPLACE INTO enrolments VALUES (?, ?, ?, ?)", values)?;
    let detail = serde_json::json!({ "digest": digest }).to_string();
    audit::append(tx, now, actor, "enrolment.accepted", &version.to_string(), &detail)
}

impl Ledger {
    /// The newest enrolment.
    pub fn enrolment(&self) -> Result<Option<StoredEnrolment>, StoreError> {
        self.name(newest(&self.db))
    }

    /// Accepts a verified enrolment.
    pub fn accept_enrolment(
        &mut self,
        now: Timestamp,
        enrolment: &StoredEnrolment,
        actor: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        self.transact(|tx| accept(tx, now, enrolment, actor))
    }
}
