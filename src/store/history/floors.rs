//! The mirror of what must never fall: the ledger has it, and this is for when that is lost or restored.

use rusqlite::{OptionalExtension, params};

use super::History;
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::ledger::{commands, floors};
use crate::store::types::StoredFloor;

impl History {
    /// The floors and the proven time, as far as they were mirrored.
    pub fn floors(&self) -> Result<(Vec<StoredFloor>, Option<Timestamp>), StoreError> {
        let sql = "SELECT value FROM meta WHERE key = 'time_floor'";
        let time: rusqlite::Result<Option<i64>> = self.db.query_row(sql, [], |row| row.get(0)).optional();
        Ok((self.name(floors::all(&self.db))?, self.name(time)?.and_then(Timestamp::from_micros)))
    }

    /// Mirrors floors and the proven time; what is not above what is here changes nothing.
    pub fn mirror(&self, raised: &[StoredFloor], time: Option<Timestamp>) -> Result<(), StoreError> {
        let (known, known_time) = self.floors()?;
        let news = floors::above(raised, &known);
        let time = time.filter(|time| known_time.is_none_or(|known| *time > known));
        if news.is_empty() && time.is_none() {
            return Ok(());
        }
        self.name(self.db.unchecked_transaction().and_then(|tx| {
            news.iter().try_for_each(|floor| floors::raise(&tx, floor))?;
            if let Some(time) = time {
                let values = params!["time_floor", time.as_micros()];
                tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", values)?;
            }
            tx.commit()
        }))
    }

    /// Serial and digest of the newest command, as far as they were mirrored.
    pub fn command(&self) -> Result<Option<(u64, Digest)>, StoreError> {
        self.name(commands::newest(&self.db))
    }

    /// Mirrors the newest command; one that is not newer changes nothing.
    pub fn mirror_command(&self, newest: (u64, Digest)) -> Result<(), StoreError> {
        self.name(self.db.unchecked_transaction().and_then(|tx| {
            commands::raise(&tx, newest)?;
            tx.commit()
        }))
    }
}
