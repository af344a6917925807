//! What the history does while the disk is nearly full.

use rusqlite::Connection;

use super::History;
use crate::store::disk::{Disk, Stage};
use crate::store::error::StoreError;

/// Under pressure the history keeps this share of what it may take, and of the file system.
const KEPT_SHARE: u64 = 8;
/// Pages that the file may grow by in `RawOnly`, 1 MiB: rollups that wait are written before their readings go.
const SLACK_PAGES: u64 = 256;
/// Pages that SQLite allows where nothing else is said.
const MOST_PAGES: u32 = u32::MAX - 1;

impl History {
    /// Notes what the disk calls for.
    ///
    /// From `Retention` on the history shrinks step by step to an eighth of `max_size`, or of the file
    /// system where that is smaller. In `RawOnly` its file hardly grows any more either: new readings
    /// take the place of old ones, and the rest of the disk is left to the ledger.
    pub fn press(&mut self, disk: Disk) -> Result<(), StoreError> {
        if disk.stage == self.stage {
            return Ok(());
        }
        let done = self.pressed(disk);
        self.name(done)
    }

    fn pressed(&mut self, disk: Disk) -> rusqlite::Result<()> {
        let mut kept = disk.space.total.min(self.limits.max_size) / KEPT_SHARE / self.page_size;
        let mut most = self.limits.max_pages;
        if disk.stage == Stage::RawOnly {
            let now: u64 = self.db.pragma_query_value(None, "page_count", |row| row.get(0))?;
            let file = now + SLACK_PAGES;
            most = Some(most.unwrap_or(MOST_PAGES).min(u32::try_from(file).unwrap_or(MOST_PAGES)));
            // Some pages stay free, so that a commit seldom has to make room first.
            kept = kept.min(file / KEPT_SHARE * (KEPT_SHARE - 1));
        }
        limit_pages(&self.db, most)?;
        (self.stage, self.kept) = (disk.stage, kept);
        Ok(())
    }

    /// Whether the oldest readings go before their time.
    pub(super) fn squeezed(&self) -> bool {
        self.stage >= Stage::Retention
    }

    /// Whether only what cannot be computed again is stored.
    pub(super) fn raw_only(&self) -> bool {
        self.stage == Stage::RawOnly
    }

    /// How many pages the history may use.
    pub(super) fn page_limit(&self) -> u64 {
        let usual = self.limits.max_size / self.page_size;
        if self.squeezed() { usual.min(self.kept) } else { usual }
    }
}

/// Lets the file grow to so many pages; `None`: as far as the disk allows.
pub(super) fn limit_pages(db: &Connection, pages: Option<u32>) -> rusqlite::Result<()> {
    db.pragma_update_and_check(None, "max_page_count", pages.unwrap_or(MOST_PAGES), |_| Ok(()))
}
