//! Making room: by age, by size, and when the disk is full. Oldest first, in small steps.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::write::save_rollups;
use super::{History, add_gap};
use crate::domain::sequence::{Gap, GapReason};
use crate::domain::time::micros;
use crate::store::error::StoreError;

/// Fewest and most readings that one step deletes.
const STEP: std::ops::RangeInclusive<u64> = 64..=4096;
/// Pages that one step gives back to the file system ...
const VACUUM: &str = "PRAGMA incremental_vacuum(256)";
/// ... where the file is too large, or more than this many and more than a quarter of it are free.
const SPARE: u64 = 256;
/// Minutes and series without readings are looked for once in so many steps.
const SWEEP: u64 = 64;

/// What a step did.
#[derive(Debug, Default)]
pub struct Retained {
    /// Readings deleted.
    pub deleted: u64,
    /// The last number deleted; 0 if none was.
    pub cut: u64,
    /// Readings that a sink did not get, for each such sink.
    pub gaps: Vec<Gap>,
}

impl History {
    /// Deletes one step of readings that are too old or too many; room for as many as `wanted` is
    /// made in any case. What a sink has not got yet is spared by age; by size it goes, and is
    /// reported as a gap.
    pub fn retain(
        &mut self,
        cursors: &BTreeMap<String, u64>,
        wanted: u64,
        now: Duration,
    ) -> Result<Retained, StoreError> {
        let retained = self.step(cursors, wanted, now);
        self.name(retained)
    }

    fn step(
        &mut self,
        cursors: &BTreeMap<String, u64>,
        wanted: u64,
        now: Duration,
    ) -> rusqlite::Result<Retained> {
        self.forget_comparisons()?;
        let (used, file) = self.pages()?;
        let (limit, free) = (self.page_limit(), file - used);
        // Under pressure nothing is deleted while there are pages to give back.
        let enough = self.squeezed() && free >= SPARE;
        let first: Option<u64> = self.db.query_row("SELECT min(seq) FROM readings", [], |row| row.get(0))?;
        let Some(first) = first else { return Ok(Retained::default()) };
        let size_cut = (wanted > 0 || used > limit && !enough).then(|| {
            let step = (self.last_seq.saturating_sub(first) / 16).clamp(*STEP.start(), *STEP.end());
            // Twice the number, because only pages that become empty make room.
            first + step.max(wanted * 2) - 1
        });
        let age_cut = self.age_cut(first, cursors)?;
        let cut = size_cut.max(age_cut).map(|cut| cut.min(self.last_seq)).filter(|cut| *cut >= first);
        let retained = match cut {
            Some(cut) => self.delete(first, cut, cursors, now)?,
            None => Retained::default(),
        };
        if file > limit || free > SPARE.max(file / 4) {
            // What was deleted has to be told, whatever becomes of its pages.
            if let Err(error) = self.give_back() {
                tracing::warn!(%error, "the pages of deleted readings are not given back yet");
            }
        }
        Ok(retained)
    }

    fn give_back(&self) -> rusqlite::Result<()> {
        // Each row is one page given back.
        let mut statement = self.db.prepare_cached(VACUUM)?;
        let mut pages = statement.query([])?;
        while pages.next()?.is_some() {}
        Ok(())
    }

    /// Pages in use and pages of the file.
    fn pages(&self) -> rusqlite::Result<(u64, u64)> {
        let number = |sql| self.db.prepare_cached(sql)?.query_row([], |row| row.get::<_, u64>(0));
        let (all, free) = (number("PRAGMA page_count")?, number("PRAGMA freelist_count")?);
        Ok((all - free, all))
    }

    /// Up to where readings are older than allowed, at most one step from `first`.
    fn age_cut(&self, first: u64, cursors: &BTreeMap<String, u64>) -> rusqlite::Result<Option<u64>> {
        let Some(time) = self.clock.time() else { return Ok(None) };
        let age = micros(self.limits.max_age);
        let oldest: Option<(u64, i64)> = self
            .db
            .prepare_cached("SELECT seq, time FROM marks ORDER BY seq LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (past, end) = (time.saturating_sub(age), first + STEP.end() - 1);
        let Some((oldest, _)) = oldest.filter(|(_, mark)| *mark < past) else { return Ok(None) };
        let old = if oldest > end {
            end
        } else {
            // All marks that one step can do: where readings are rare there is one for each commit.
            let sql = "SELECT max(seq) FROM marks WHERE seq <= ? AND time < ?";
            self.db.prepare_cached(sql)?.query_row(params![end, past], |row| row.get(0))?
        };
        if old < first {
            self.db.execute("DELETE FROM marks WHERE seq < ?", [first])?;
            return Ok(None);
        }
        let sent = cursors.values().copied().min().unwrap_or(u64::MAX);
        Ok(Some(old.min(sent)))
    }

    fn delete(
        &mut self,
        first: u64,
        cut: u64,
        cursors: &BTreeMap<String, u64>,
        now: Duration,
    ) -> rusqlite::Result<Retained> {
        let gaps: Vec<Gap> = cursors
            .iter()
            .filter(|(_, cursor)| **cursor < cut)
            .map(|(sink, cursor)| Gap {
                first: first.max(cursor + 1),
                last: cut,
                reason: GapReason::SizeLimit,
                sink: Some(sink.clone()),
            })
            .collect();
        let rolled = self.meta_number("rolled")?.unwrap_or(0);
        let sweep = self.steps.is_multiple_of(SWEEP);
        let unused = if sweep { self.index.unused(cut) } else { Vec::new() };
        let tx = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        let deleted = tx.prepare_cached("DELETE FROM readings WHERE seq <= ?")?.execute([cut])?;
        // A start after a crash gathers rollups from the readings above `rolled`: none of those may
        // go before its rollup is written.
        if cut > rolled {
            save_rollups(&tx, &mut self.rollups, &self.index, self.clock.time())?;
        }
        tx.prepare_cached("DELETE FROM rollups WHERE first_seq <= ?1 AND last_seq <= ?1")?.execute([cut])?;
        tx.prepare_cached("DELETE FROM marks WHERE seq < ?")?.execute([cut])?;
        if sweep {
            tx.execute("DELETE FROM minutes WHERE last_seq <= ?", params![cut])?;
        }
        self.index.delete(&tx, &unused)?;
        for gap in &gaps {
            add_gap(&tx, gap)?;
        }
        tx.commit()?;
        self.index.forget(&unused);
        if cut > rolled {
            self.rolled(now);
        }
        self.steps += 1;
        Ok(Retained { deleted: deleted as u64, cut, gaps })
    }
}
