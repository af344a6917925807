//! `ledger.db`: what must never be lost or run backwards. Every change is one synced transaction.

pub mod alerts;
mod audit;
mod blocks;
mod certificates;
pub mod commands;
pub mod copy;
mod enrolments;
pub mod examine;
pub mod floors;
mod manifests;
mod positions;
mod priors;
mod references;
pub mod restore;
mod rollouts;
mod schema;
mod sessions;
mod transforms;
mod trust;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};

pub use self::blocks::HistoryFacts;
use self::schema::LEDGER;
use super::disk::Reserve;
use super::error::StoreError;
use super::file::{self, OpenError, WalIndex};
use super::history::forget_gap;
use crate::domain::sequence::Gap;
use crate::domain::time::Timestamp;

/// The ledger's file in the store's directory.
const FILE: &str = "ledger.db";

/// The open ledger or, while the file is broken, its stand-in.
pub struct Ledger {
    path: PathBuf,
    db: Connection,
    #[expect(dead_code, reason = "held, not used")]
    wal_index: Option<WalIndex>,
    broken: Option<String>,
    reserve: Reserve,
}

impl Ledger {
    /// Opens the ledger in `dir`, or makes it.
    ///
    /// A broken file is left where it is, for `calibctl restore`; an empty stand-in in memory then
    /// gives sequence numbers under an incarnation of its own, and refuses everything else.
    pub fn open(dir: &Path) -> Result<Ledger, StoreError> {
        let (path, reserve) = (dir.join(FILE), Reserve::of(dir));
        match file::open(&path, &LEDGER, true) {
            Ok(db) => {
                let wal_index = Some(WalIndex::of(&path));
                Ok(Ledger { path, db, wal_index, broken: None, reserve })
            }
            Err(OpenError::Broken(fault)) => {
                let fault = format!("{}: {fault}", path.display());
                let db = file::in_memory(&LEDGER)?;
                Ok(Ledger { path, db, wal_index: None, broken: Some(fault), reserve })
            }
            Err(OpenError::Fatal(error)) => Err(error),
        }
    }

    /// The file, if it can be used.
    pub fn usable(&self) -> Result<PathBuf, StoreError> {
        self.whole().map(|()| self.path.clone())
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

    /// Runs `work` in one transaction; on a full disk once more, with the space set aside for this.
    fn transact<T>(
        &mut self,
        work: impl Fn(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut done = transaction(&self.db, &work);
        let full = |error: &rusqlite::Error| error.sqlite_error_code() == Some(ErrorCode::DiskFull);
        if done.as_ref().is_err_and(full) && self.reserve.release() {
            done = transaction(&self.db, &work);
            self.reserve.keep();
        }
        self.name(done)
    }

    /// Sets space aside for a full disk.
    pub fn keep_reserve(&self) {
        self.reserve.keep();
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When both databases were last found whole, or the history was replaced.
    pub fn checked(&self) -> Result<Option<Timestamp>, StoreError> {
        let micros: Option<i64> = self.name(self.meta("checked"))?;
        Ok(micros.and_then(Timestamp::from_micros))
    }

    /// Notes a check.
    pub fn note_checked(&mut self, at: Timestamp) -> Result<(), StoreError> {
        self.transact(|tx| set_meta(tx, "checked", at.as_micros()))
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

fn transaction<T>(
    db: &Connection,
    work: impl Fn(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let tx = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    let value = work(&tx)?;
    tx.commit()?;
    Ok(value)
}

fn raise_floor(tx: &Transaction<'_>, time: Timestamp) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta VALUES ('time_floor', ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)";
    tx.execute(sql, [time.as_micros()]).map(|_| ())
}

fn set_meta(tx: &Transaction<'_>, key: &str, value: impl rusqlite::ToSql) -> rusqlite::Result<()> {
    tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", rusqlite::params![key, value]).map(|_| ())
}
