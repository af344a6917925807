//! References that came by themselves, and all pairs. They go when they are older than readings may be, and
//! when they take more than their share of the room.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{History, corrupt};
use crate::domain::id::{Id, SensorId};
use crate::domain::pairing::Pair;
use crate::domain::reference::Reference;
use crate::store::comparisons::{
    Added, Judges, PairPage, PairRange, Paired, ReferencePage, ReferenceRange, Withdrawal, add_reference,
    counting, delete_pairs, insert_pairs, judges, pair_page, paired, reference_page, save_judges, with_pairs,
    withdraw, written_after,
};
use crate::store::error::StoreError;

/// Who gives what comes by itself.
const ACTOR: &str = "calibd";
/// Rows that one step deletes from a table.
const STEP: u64 = 256;
/// Each of the two tables may take this share of the history's size, ...
const SHARE: u64 = 8;
/// ... at so many bytes a row, its places in the indices included: above what was measured.
const ROW: u64 = 512;

impl History {
    /// Keeps references, all or none; the pairs of those that are revised go.
    pub fn keep_references(&self, references: &[Reference]) -> Result<Vec<Added>, StoreError> {
        self.together(|tx| {
            let keep = |reference: &Reference| {
                let added = add_reference(tx, reference, ACTOR)?;
                if matches!(added, Added::Revised(_)) {
                    paired(tx, std::slice::from_ref(reference))?;
                }
                Ok(added)
            };
            references.iter().map(keep).collect()
        })
    }

    /// Those of these references that still count.
    pub fn counting(&self, references: Vec<Reference>) -> Result<Vec<Reference>, StoreError> {
        self.attached()?;
        self.name(counting(&self.db, references))
    }

    /// Says of each reference whether it has its pair, and deletes those of other versions.
    pub fn paired(&self, references: &[Reference]) -> Result<Vec<Paired>, StoreError> {
        self.together(|tx| paired(tx, references))
    }

    /// References, a page of them.
    pub fn references(&self, range: &ReferenceRange) -> Result<ReferencePage, StoreError> {
        self.attached()?;
        self.name(reference_page(&self.db, range))
    }

    /// Withdraws the references of a sensor that are here, and deletes the pairs of all that are named.
    pub fn withdraw(
        &self,
        sensor: &SensorId,
        ids: &[Id],
        withdrawal: &Withdrawal,
    ) -> Result<Vec<Id>, StoreError> {
        self.together(|tx| {
            delete_pairs(tx, sensor, ids)?;
            withdraw(tx, sensor, ids, withdrawal)
        })
    }

    /// Keeps pairs, all or none; says of each whether it took the place of an earlier one.
    pub fn insert_pairs(&self, pairs: &[Pair]) -> Result<Vec<bool>, StoreError> {
        self.together(|tx| insert_pairs(tx, pairs))
    }

    /// Those of these sensors that have pairs.
    pub fn with_pairs(&self, sensors: Vec<SensorId>) -> Result<Vec<SensorId>, StoreError> {
        self.attached()?;
        self.name(with_pairs(&self.db, sensors))
    }

    /// A sensor's pairs, a page of them.
    pub fn pairs(&self, range: &PairRange) -> Result<PairPage, StoreError> {
        self.attached()?;
        self.name(pair_page(&self.db, range))
    }

    /// Keeps what was judged of these sensors with all pairs that are stored, or forgets it.
    pub fn save_judges(
        &self,
        states: &[(SensorId, Option<String>)],
        judged: &HashSet<SensorId>,
    ) -> Result<(), StoreError> {
        self.together(|tx| save_judges(tx, states, judged))
    }

    /// What was judged last.
    pub fn judges(&self) -> Result<Judges, StoreError> {
        self.attached()?;
        self.name(judges(&self.db))
    }

    /// Pairs in the order in which they were written, with their numbers.
    pub fn pairs_written_after(&self, number: u64, limit: usize) -> Result<Vec<(u64, Pair)>, StoreError> {
        self.attached()?;
        self.name(written_after(&self.db, number, limit))
    }

    /// Refuses while a broken file is being replaced: what stands in for it has no tables.
    fn attached(&self) -> Result<(), StoreError> {
        if self.detached { self.name(Err(corrupt())) } else { Ok(()) }
    }

    pub(super) fn together<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.attached()?;
        self.name(Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate).and_then(|tx| {
            let done = work(&tx)?;
            tx.commit()?;
            Ok(done)
        }))
    }

    /// Deletes one step of references and pairs that are too old or too many.
    pub(super) fn forget_comparisons(&self) -> rusqlite::Result<()> {
        let age = i64::try_from(self.limits.max_age.as_micros()).unwrap_or(i64::MAX);
        let past = self.clock.time().map_or(i64::MIN, |time| time.saturating_sub(age));
        let most = (self.limits.max_size / SHARE / ROW).max(STEP);
        // By when they came: what is replayed may be of any time.
        forget(&self.db, "reference_readings", "received", past, most)?;
        forget(&self.db, "pairs", "until + max(latency, 0)", past, most)
    }
}

/// In the order in which they were written. What was written late, of an earlier time, goes with what was
/// written beside it.
fn forget(db: &Connection, table: &str, came: &str, past: i64, most: u64) -> rusqlite::Result<()> {
    let sql = format!("SELECT number, {came} FROM {table} ORDER BY number LIMIT 1");
    let first: Option<(u64, i64)> =
        db.prepare_cached(&sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((first, until)) = first else { return Ok(()) };
    let sql = format!("SELECT max(number) FROM {table}");
    let last: u64 = db.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
    let over = (last + 1 - first).saturating_sub(most).min(STEP);
    if over > 0 || until < past {
        let sql = format!("DELETE FROM {table} WHERE number < ?2 AND (number < ?1 OR {came} < ?3)");
        db.prepare_cached(&sql)?.execute(params![first + over, first + STEP, past])?;
    }
    Ok(())
}
