//! `ledger.db`: what must never be lost or run backwards. Every change is one synced transaction.

mod audit;
mod blocks;
mod schema;
mod transforms;
mod trust;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

pub use self::blocks::HistoryFacts;
use self::schema::LEDGER;
use super::error::StoreError;
use super::file::{self, OpenError};
use super::history::forget_gap;
use crate::domain::sequence::Gap;
use crate::domain::time::Timestamp;

/// The open ledger or, while the file is broken, its stand-in.
pub struct Ledger {
    path: PathBuf,
    db: Connection,
    broken: Option<String>,
}

impl Ledger {
    /// Opens the ledger in `dir`, or makes it.
    ///
    /// A broken file is left where it is, for `calibctl restore`; an empty stand-in in memory then
    /// gives sequence numbers under an incarnation of its own, and refuses everything else.
    pub fn open(dir: &Path) -> Result<Ledger, StoreError> {
        let path = dir.join("ledger.db");
        match file::open(&path, &LEDGER, true) {
            Ok(db) => Ok(Ledger { path, db, broken: None }),
            Err(OpenError::Broken(fault)) => {
                let fault = format!("{}: {fault}", path.display());
                Ok(Ledger { path, db: file::in_memory(&LEDGER)?, broken: Some(fault) })
            }
            Err(OpenError::Fatal(error)) => Err(error),
        }
    }

    /// Why the file cannot be used, if it cannot.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Whether the last end was a clean one.
    pub fn ended_clean(&self) -> Result<bool, StoreError> {
        self.name(self.meta::<u64>("clean_next")).map(|next| next.is_some())
    }

    fn whole(&self) -> Result<(), StoreError> {
        match &self.broken {
            Some(fault) => Err(StoreError::LedgerBroken(fault.clone())),
            None => Ok(()),
        }
    }

    fn meta<T: rusqlite::types::FromSql>(&self, key: &str) -> rusqlite::Result<Option<T>> {
        self.db.query_row("SELECT value FROM meta WHERE key = ?", [key], |row| row.get(0)).optional()
    }

    /// Runs `work` in one transaction.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let done = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate).and_then(|tx| {
            let value = work(&tx)?;
            tx.commit()?;
            Ok(value)
        });
        self.name(done)
    }

    fn name<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| StoreError::sql(&self.path, error))
    }

    /// Forgets an announced gap, or the part of it that was announced.
    pub fn announced(&mut self, gap: &Gap) -> Result<(), StoreError> {
        self.name(forget_gap(&self.db, gap))
    }

    /// The newest time ever proven.
    pub fn time_floor(&self) -> Result<Option<Timestamp>, StoreError> {
        let micros: Option<i64> = self.name(self.meta("time_floor"))?;
        Ok(micros.and_then(Timestamp::from_micros))
    }

    /// Raises the proven time; a lower one changes nothing.
    pub fn raise_time_floor(&mut self, time: Timestamp) -> Result<(), StoreError> {
        self.transact(|tx| raise_floor(tx, time))
    }
}

fn raise_floor(tx: &Transaction<'_>, time: Timestamp) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta VALUES ('time_floor', ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)";
    tx.execute(sql, [time.as_micros()]).map(|_| ())
}

fn set_meta(tx: &Transaction<'_>, key: &str, value: impl rusqlite::ToSql) -> rusqlite::Result<()> {
    tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", rusqlite::params![key, value]).map(|_| ())
}
