//! `history.db`: readings, their rollups, cursors of the sinks, gaps to be announced.

mod clock;
mod comparisons;
mod floors;
mod index;
mod learnt;
mod pressure;
mod read;
mod retention;
mod rollup;
mod schema;
mod select;
mod summary;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use self::clock::RetentionClock;
use self::index::Index;
pub use self::index::corrupt;
use self::rollup::Rollups;
pub use self::schema::HISTORY;
pub use self::write::Extra;
use super::disk::Stage;
use super::error::StoreError;
use super::file::{self, OpenError, WalIndex};
use crate::domain::sequence::{Gap, GapReason};
use crate::domain::time::Timestamp;

/// What bounds the history.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub max_age: Duration,
    /// Bytes.
    pub max_size: u64,
    /// Pages, as a stand-in for a full disk.
    pub max_pages: Option<u32>,
}

/// The open history.
pub struct History {
    path: PathBuf,
    db: Connection,
    #[expect(dead_code, reason = "held, not used")]
    wal_index: WalIndex,
    detached: bool,
    limits: Limits,
    /// What the disk calls for, and the pages that the history keeps under it.
    stage: Stage,
    kept: u64,
    index: Index,
    rollups: Rollups,
    clock: RetentionClock,
    last_seq: u64,
    page_size: u64,
    steps: u64,
    /// Series of the readings of the batch in hand.
    scratch: Vec<u32>,
    /// When the rollups, and when the cursors, were last written (monotonic).
    rolled_at: Duration,
    cursors_at: Duration,
    rows_since_cursors: u64,
}

/// A history that was opened, and where a broken one went.
pub struct OpenedHistory {
    pub history: History,
    pub quarantined: Option<(PathBuf, String)>,
    /// Whether every page of it was read.
    pub checked: bool,
}

/// Opens the history in `dir`. A broken one is moved aside and a new one started.
pub fn open(dir: &Path, limits: Limits, check: bool, now: Timestamp) -> Result<OpenedHistory, StoreError> {
    let path = dir.join("history.db");
    // A small file is always checked; a large one takes a minute on a card and is checked only after an
    // unclean end, and once a week while calibd runs.
    let checked = check || std::fs::metadata(&path).map_or(true, |meta| meta.len() < 64 << 20);
    let fault = match History::open(&path, limits, checked) {
        Ok(history) => return Ok(OpenedHistory { history, quarantined: None, checked }),
        Err(OpenError::Fatal(error)) => return Err(error),
        Err(OpenError::Broken(fault)) => fault,
    };
    let moved = file::quarantine(&path, now)?;
    match History::open(&path, limits, false) {
        Ok(history) => Ok(OpenedHistory { history, quarantined: Some((moved, fault)), checked: true }),
        Err(OpenError::Fatal(error)) => Err(error),
        // A new file that is broken at once: the disk does not keep what is written to it.
        Err(OpenError::Broken(fault)) => {
            Err(StoreError::file(&path, std::io::Error::other(format!("a new history is broken: {fault}"))))
        }
    }
}

impl History {
    fn open(path: &Path, limits: Limits, check: bool) -> Result<History, OpenError> {
        let db = file::open(path, &HISTORY, check)?;
        History::with(path, db, limits).map_err(|error| match StoreError::sql(path, error) {
            error if error.kind() == super::error::FailureKind::Corrupt => {
                OpenError::Broken(error.to_string())
            }
            error => OpenError::Fatal(error),
        })
    }

    fn with(path: &Path, db: Connection, limits: Limits) -> rusqlite::Result<History> {
        db.set_prepared_statement_cache_capacity(64);
        pressure::limit_pages(&db, limits.max_pages)?;
        let index = Index::load(&db)?;
        let last_seq: Option<u64> = db.query_row("SELECT max(seq) FROM readings", [], |row| row.get(0))?;
        let page_size: u64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let mark: Option<i64> = db
            .query_row("SELECT time FROM marks ORDER BY seq DESC LIMIT 1", [], |row| row.get(0))
            .optional()?;
        let mut history = History {
            path: path.to_path_buf(),
            db,
            wal_index: WalIndex::of(path),
            detached: false,
            limits,
            stage: Stage::Ok,
            kept: 0,
            index,
            rollups: Rollups::default(),
            clock: RetentionClock::new(mark),
            last_seq: 0,
            page_size,
            steps: 0,
            scratch: Vec::new(),
            rolled_at: Duration::ZERO,
            cursors_at: Duration::ZERO,
            rows_since_cursors: 0,
        };
        history.gather_again()?;
        // All rows may have gone by age or size; the numbers they had stay used.
        let rolled = history.meta_number("rolled")?.unwrap_or(0);
        history.last_seq = last_seq.unwrap_or(0).max(rolled);
        Ok(history)
    }

    /// Closes the file, so that it can be moved. Until the history is replaced every commit fails.
    pub fn detach(&mut self) -> Result<(), StoreError> {
        let nothing = self.name(Connection::open_in_memory())?;
        self.db = nothing;
        self.detached = true;
        Ok(())
    }

    /// The highest number ever stored here; 0 if none was.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The time by the retention clock, where it is not in doubt.
    pub fn trusted_time(&self) -> Option<Timestamp> {
        self.clock.time().and_then(Timestamp::from_micros)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last number of each sensor that ever had a reading here.
    pub fn last_of_sensors(&self) -> impl Iterator<Item = (&crate::domain::id::SensorId, u64)> {
        self.index
            .sensors
            .iter()
            .filter(|sensor| sensor.last_seq > 0)
            .map(|sensor| (&sensor.name, sensor.last_seq))
    }

    fn meta_number(&self, key: &str) -> rusqlite::Result<Option<u64>> {
        self.db.query_row("SELECT value FROM meta WHERE key = ?", [key], |row| row.get(0)).optional()
    }

    /// The incarnation of the ledger that this history belongs to; `None` for a new file.
    pub fn incarnation(&self) -> Result<Option<String>, StoreError> {
        let found = self
            .db
            .query_row("SELECT value FROM meta WHERE key = 'incarnation'", [], |row| row.get(0))
            .optional();
        self.name(found)
    }

    /// Binds this history to a ledger.
    pub fn set_incarnation(&self, incarnation: &str) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO meta VALUES ('incarnation', ?) ON CONFLICT DO UPDATE SET value = excluded.value";
        self.name(self.db.execute(sql, [incarnation])).map(|_| ())
    }

    /// The cursors as last written.
    pub fn cursors(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.name(self.db.prepare("SELECT sink, seq FROM cursors").and_then(|mut statement| {
            let mut cursors = BTreeMap::new();
            for row in statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
                cursors.extend([row?]);
            }
            Ok(cursors)
        }))
    }

    /// The gaps that are not yet announced.
    pub fn gaps(&self) -> Result<Vec<Gap>, StoreError> {
        self.name(self.db.prepare("SELECT first, last, reason, sink FROM gaps ORDER BY first").and_then(
            |mut statement| statement.query_map([], gap_of)?.collect::<rusqlite::Result<Vec<Gap>>>(),
        ))
    }

    /// Forgets an announced gap, or the part of it that was announced.
    pub fn announced(&self, gap: &Gap) -> Result<(), StoreError> {
        self.name(forget_gap(&self.db, gap))
    }

    fn name<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| StoreError::sql(&self.path, error))
    }
}

pub fn gap_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Gap> {
    let reason: String = row.get(2)?;
    let reason = GapReason::parse(&reason).ok_or_else(corrupt)?;
    Ok(Gap { first: row.get(0)?, last: row.get(1)?, reason, sink: row.get(3)? })
}

/// Adds a gap to the table `gaps`, or lengthens the one that ends where it begins.
pub fn add_gap(db: &Connection, gap: &Gap) -> rusqlite::Result<()> {
    let longer = "UPDATE gaps SET last = ?2 WHERE last = ?1 - 1 AND reason = ?3 AND sink IS ?4";
    let values = params![gap.first, gap.last, gap.reason.as_str(), gap.sink];
    if db.execute(longer, values)? == 0 {
        db.execute("INSERT INTO gaps VALUES (?, ?, ?, ?)", values)?;
    }
    Ok(())
}

/// Takes an announced gap out of the table `gaps`, leaving what is not covered by it.
pub fn forget_gap(db: &Connection, announced: &Gap) -> rusqlite::Result<()> {
    let tx = db.unchecked_transaction()?;
    let sql = "SELECT first, last, reason, sink FROM gaps WHERE reason = ? AND sink IS ?";
    let stored: Vec<Gap> = tx
        .prepare(sql)?
        .query_map(params![announced.reason.as_str(), announced.sink], gap_of)?
        .collect::<rusqlite::Result<_>>()?;
    tx.execute(
        "DELETE FROM gaps WHERE reason = ? AND sink IS ?",
        params![announced.reason.as_str(), announced.sink],
    )?;
    for gap in stored.iter().flat_map(|gap| crate::domain::sequence::remainder(gap, announced)) {
        let values = params![gap.first, gap.last, gap.reason.as_str(), gap.sink];
        tx.execute("INSERT INTO gaps VALUES (?, ?, ?, ?)", values)?;
    }
    tx.commit()
}
