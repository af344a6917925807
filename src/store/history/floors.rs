//! The mirror of what must never fall: the ledger has it, and this is for when that is lost or restored.

use rusqlite::{OptionalExtension, params};

use super::History;
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::store::checkpoints::Head;
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

    /// Mirrors a checkpoint: the end of the audit that it names, and the signed envelope.
    pub fn mirror_checkpoint(&self, (rows, head): Head, envelope: &[u8]) -> Result<(), StoreError> {
        let set = "INSERT OR REPLACE INTO meta VALUES (?, ?)";
        self.name(self.db.unchecked_transaction().and_then(|tx| {
            tx.execute(set, params!["checkpoint_rows", rows])?;
            tx.execute(set, params!["checkpoint_head", head.0])?;
            tx.execute(set, params!["checkpoint", envelope])?;
            tx.commit()
        }))
    }

    /// Where the audit ended at the last checkpoint.
    pub fn checkpoint_head(&self) -> Result<Option<Head>, StoreError> {
        let get = "SELECT value FROM meta WHERE key = ?";
        let rows = self.db.query_row(get, ["checkpoint_rows"], |row| row.get(0)).optional();
        let head = self.db.query_row(get, ["checkpoint_head"], |row| row.get(0)).optional();
        Ok(self.name(rows)?.zip(self.name(head)?.map(Digest)))
    }

    /// The last checkpoint's signed envelope.
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM meta WHERE key = 'checkpoint'";
        self.name(self.db.query_row(sql, [], |row| row.get(0)).optional())
    }
}
