//! The audit chain in the ledger.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::Ledger;
use crate::domain::audit::{AuditRow, Chain, ChainError, START};
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::store::checkpoints::{Head, LedgerFacts};
use crate::store::error::StoreError;
use crate::store::history::corrupt;
use crate::store::manifests::StoredManifest;
use crate::store::priors::StoredPrior;
use crate::store::types::RefusalRecord;

/// Refusals without a known key are forgotten after this many microseconds, so that the table
/// stays small; their audit rows stay.
const REFUSAL_MEMORY: i64 = 7 * 86_400_000_000;
/// The most rows one request may ask for.
const MOST: usize = 10_000;
const HOUR: i64 = 3_600_000_000;

/// Appends a row within a transaction.
pub fn append(
    tx: &Transaction<'_>,
    time: Timestamp,
    actor: &str,
    action: &str,
    subject: &str,
    detail: &str,
) -> rusqlite::Result<()> {
    let last: Option<(u64, [u8; 32])> = tx
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (seq, before) = last.map_or((1, START), |(seq, hash)| (seq + 1, Digest(hash)));
    let text = str::to_owned;
    let row = AuditRow {
        seq,
        time,
        actor: text(actor),
        action: text(action),
        subject: text(subject),
        detail: text(detail),
    };
    let hash = row.hash(&before);
    tx.prepare_cached("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?.execute(params![
        seq,
        time.to_string(),
        actor,
        action,
        subject,
        detail,
        before.0,
        hash.0
    ])?;
    Ok(())
}

impl Ledger {
    /// Appends a row: actor, action, subject, detail.
    pub fn audit(&mut self, time: Timestamp, texts: &[String; 4]) -> Result<(), StoreError> {
        self.whole()?;
        let [actor, action, subject, detail] = texts;
        self.transact(|tx| append(tx, time, actor, action, subject, detail))
    }

    /// Audits a refusal, unless one like it is there; says whether it did.
    pub fn record_refusal(&mut self, time: Timestamp, refusal: &RefusalRecord) -> Result<bool, StoreError> {
        self.whole()?;
        let key = match refusal.digest.filter(|_| refusal.by_known_key) {
            Some(digest) => format!("digest {digest}"),
            None => format!("{} {}", refusal.reason, time.as_micros().div_euclid(HOUR)),
        };
        let sql = "SELECT EXISTS(SELECT 1 FROM refusals WHERE key = ?)";
        let known = self.db.prepare_cached(sql).and_then(|mut row| row.query_row([&key], |row| row.get(0)));
        if self.name(known)? {
            return Ok(false);
        }
        let detail = detail_of(refusal);
        self.transact(|tx| {
            tx.execute(
                "DELETE FROM refusals WHERE key NOT LIKE 'digest %' AND abs(time - ?) > ?",
                params![time.as_micros(), REFUSAL_MEMORY],
            )?;
            tx.execute("INSERT INTO refusals VALUES (?, ?)", params![key, time.as_micros()])?;
            append(tx, time, &refusal.actor, "artifact.refused", &refusal.subject, &detail)
        })?;
        Ok(true)
    }

    /// Up to `limit` rows with numbers above `after`, ascending.
    pub fn audit_after(&self, after: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.whole()?;
        let sql =
            "SELECT seq, time, actor, action, subject, detail FROM audit WHERE seq > ? ORDER BY seq LIMIT ?";
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows = self.db.prepare_cached(sql).and_then(|mut statement| {
            statement.query_map(params![after, limit.min(MOST)], row_of)?.collect()
        });
        self.name(rows)
    }

    /// How many rows there are, and the hash of the last one.
    pub fn audit_head(&self) -> Result<Head, StoreError> {
        self.whole()?;
        self.name(head(&self.db))
    }

    /// The hash of one row.
    pub fn audit_hash(&self, seq: u64) -> Result<Option<Digest>, StoreError> {
        self.whole()?;
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let hash = self.db.query_row("SELECT hash FROM audit WHERE seq = ?", [seq], |row| row.get(0));
        self.name(hash.optional()).map(|hash| hash.map(Digest))
    }

    /// What a checkpoint says of this ledger.
    pub fn facts(&self) -> Result<LedgerFacts, StoreError> {
        let bare = |manifest| StoredManifest { envelope: None, ..manifest };
        let without = |prior| StoredPrior { envelope: None, ..prior };
        Ok(LedgerFacts {
            head: self.audit_head()?,
            floors: self.floors()?,
            command: self.commands_past()?.newest,
            orders: self.orders()?,
            manifests: self.manifests()?.into_iter().map(bare).collect(),
            priors: self.priors()?.into_iter().map(without).collect(),
            certificates: self.last_certificates()?,
            time_floor: self.time_floor()?,
        })
    }

    /// Checks the whole chain.
    pub fn verify_audit(&self) -> Result<Result<Chain, ChainError>, StoreError> {
        self.whole()?;
        self.name(self.verify())
    }

    fn verify(&self) -> rusqlite::Result<Result<Chain, ChainError>> {
        let sql = "SELECT seq, time, actor, action, subject, detail, prev_hash, hash FROM audit ORDER BY seq";
        let mut statement = self.db.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut chain = Chain::default();
        while let Some(row) = rows.next()? {
            let stored = match stored_row(row)? {
                Ok(stored) => stored,
                Err(error) => return Ok(Err(error)),
            };
            let hash = |column| row.get(column).map(Digest).map_err(|_| corrupt());
            if let Err(error) = chain.push(&stored, &hash(6)?, &hash(7)?) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(chain))
    }
}

/// How many rows the audit has, and the hash of the last one.
pub(super) fn head(db: &Connection) -> rusqlite::Result<Head> {
    let sql = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let last = db.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, Digest(row.get(1)?))));
    last.optional().map(|last| last.unwrap_or((0, START)))
}

/// A row as it is stored; one whose time cannot be read was changed.
pub fn stored_row(row: &Row<'_>) -> rusqlite::Result<Result<AuditRow, ChainError>> {
    let (seq, time): (u64, String) = (row.get(0)?, row.get(1)?);
    let Ok(time) = Timestamp::parse(&time) else { return Ok(Err(ChainError::Changed(seq))) };
    let (actor, action) = (row.get(2)?, row.get(3)?);
    Ok(Ok(AuditRow { seq, time, actor, action, subject: row.get(4)?, detail: row.get(5)? }))
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    stored_row(row)?.map_err(|_| corrupt())
}

fn detail_of(refusal: &RefusalRecord) -> String {
    let digest = refusal.digest.map(|digest| digest.to_string());
    serde_json::json!({ "reason": refusal.reason, "message": refusal.detail, "digest": digest }).to_string()
}
