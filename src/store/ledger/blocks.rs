//! Sequence blocks: reserved here before any of their numbers is given.

use rusqlite::{Transaction, params};

use super::{Ledger, audit, set_meta};
use crate::domain::sequence::{BLOCK, Block, Ended, Gap, GapReason, settle};
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::history::{add_gap, gap_of};

/// What the history says about the numbers given before.
#[derive(Debug, Clone)]
pub struct HistoryFacts {
    /// The highest stored number; 0 if there is none.
    pub last_seq: u64,
    /// The incarnation it belonged to; `None` for a new file.
    pub incarnation: Option<String>,
}

/// What a start has settled.
#[derive(Debug, Clone)]
pub struct Settled {
    pub incarnation: String,
    /// The numbers to be given now.
    pub block: Block,
    /// Gaps that are not yet announced.
    pub gaps: Vec<Gap>,
}

impl Ledger {
    /// Settles at a start what became of the numbers given before, and reserves a block if nothing
    /// is left, in one transaction that also takes away the mark of a clean end.
    ///
    /// - An empty ledger begins an incarnation (`fresh`) above everything in the history.
    /// - So does a ledger that does not match the history: one of them was restored from a backup or
    ///   replaced, and numbers above the ledger's may have been given.
    /// - A new history beside a used ledger has lost every number given in this incarnation.
    pub fn settle(
        &mut self,
        history: &HistoryFacts,
        fresh: String,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let known: Option<String> = self.name(self.meta("incarnation"))?;
        let blocks = self.blocks()?;
        let end = blocks.last().map_or(0, |block| block.last);
        let clean: Option<u64> = self.name(self.meta("clean_next"))?;
        let (incarnation, left, gap) = match known {
            Some(known) if !diverged(&known, end, clean, history) => {
                let (left, gap) = self.continued(&blocks, clean, history)?;
                (known, left, gap)
            }
            _ => (String::new(), None, None),
        };
        let begins = incarnation.is_empty();
        let block = left.unwrap_or_else(|| {
            let first = end.max(history.last_seq) + 1;
            Block { first, last: first + BLOCK - 1 }
        });
        let incarnation = if begins { fresh } else { incarnation };
        self.transact(|tx| {
            if begins {
                set_meta(tx, "incarnation", &incarnation)?;
                set_meta(tx, "incarnation_first", block.first)?;
                audit::append(tx, now, "calibd", "incarnation.begun", &incarnation, "")?;
            }
            tx.execute("DELETE FROM blocks", [])?;
            add_block(tx, block)?;
            tx.execute("DELETE FROM meta WHERE key = 'clean_next'", [])?;
            gap.iter().try_for_each(|gap| add_gap(tx, gap))
        })?;
        let sql = "SELECT first, last, reason, sink FROM gaps ORDER BY first";
        let gaps = self.db.prepare(sql).and_then(|mut rows| rows.query_map([], gap_of)?.collect());
        Ok(Settled { incarnation, block, gaps: self.name(gaps)? })
    }

    fn continued(
        &self,
        blocks: &[Block],
        clean: Option<u64>,
        history: &HistoryFacts,
    ) -> Result<(Option<Block>, Option<Gap>), StoreError> {
        let ended = match clean {
            Some(next) => Ended::Clean { next },
            None => Ended::Unclean { stored: Some(history.last_seq) },
        };
        let (left, gap) = settle(blocks, ended);
        if history.incarnation.is_some() {
            return Ok((left, gap));
        }
        let first: u64 = self.name(self.meta("incarnation_first"))?.unwrap_or(1);
        let last = left.map_or_else(|| blocks.last().map_or(0, |block| block.last), |left| left.first - 1);
        let lost = Gap { first, last, reason: GapReason::HistoryLost, sink: None };
        Ok((left, (last >= first).then_some(lost)))
    }

    fn blocks(&self) -> Result<Vec<Block>, StoreError> {
        let blocks = self.db.prepare("SELECT first, last FROM blocks ORDER BY first").and_then(|mut rows| {
            rows.query_map([], |row| Ok(Block { first: row.get(0)?, last: row.get(1)? }))?.collect()
        });
        self.name(blocks)
    }

    /// Reserves the next block; those whose numbers are all `stored` are forgotten.
    pub fn reserve(&mut self, stored: u64) -> Result<Block, StoreError> {
        self.transact(|tx| {
            let end: u64 = tx.query_row("SELECT coalesce(max(last), 0) FROM blocks", [], |row| row.get(0))?;
            let block = Block { first: end + 1, last: end + BLOCK };
            tx.execute("DELETE FROM blocks WHERE last <= ?", [stored])?;
            add_block(tx, block)?;
            Ok(block)
        })
    }

    /// Notes that every number below `next` is stored or was never given: a clean end.
    pub fn end_clean(&mut self, next: u64) -> Result<(), StoreError> {
        self.transact(|tx| set_meta(tx, "clean_next", next))
    }

    /// Records that the history was lost while running: everything up to `last` that was not sent.
    pub fn history_lost(&mut self, last: u64) -> Result<Gap, StoreError> {
        let first: u64 = self.name(self.meta("incarnation_first"))?.unwrap_or(1);
        let gap = Gap { first: first.min(last), last, reason: GapReason::HistoryLost, sink: None };
        self.transact(|tx| add_gap(tx, &gap))?;
        Ok(gap)
    }
}

/// Whether the history has seen numbers that this ledger did not reserve, or another ledger.
fn diverged(incarnation: &str, end: u64, clean: Option<u64>, history: &HistoryFacts) -> bool {
    history.last_seq > end
        || clean.is_some_and(|next| history.last_seq >= next)
        || history.incarnation.as_deref().is_some_and(|other| other != incarnation)
}

pub(super) fn add_block(tx: &Transaction<'_>, block: Block) -> rusqlite::Result<()> {
    tx.execute("INSERT INTO blocks VALUES (?, ?)", params![block.first, block.last]).map(|_| ())
}
