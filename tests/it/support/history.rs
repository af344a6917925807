//! What a history holds, read with SQL beside a running daemon.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// One stored reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub seq: u64,
    pub sensor: String,
    pub raw: Option<f64>,
    pub value: Option<f64>,
    pub u: Option<f64>,
    pub version: Option<u64>,
    /// The reasons' bits.
    pub reasons: u32,
}

/// An open history.
pub struct History(Option<Connection>);

impl History {
    /// The history in a store's directory; an absent one holds nothing.
    pub fn open(dir: &Path) -> History {
        let path = dir.join("history.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).ok();
        if let Some(db) = &db {
            db.busy_timeout(Duration::from_secs(5)).unwrap();
        }
        History(db)
    }

    /// Every reading, in the order of the sequence numbers.
    pub fn rows(&self) -> Vec<Row> {
        let Some(db) = &self.0 else { return Vec::new() };
        // While calibd starts there may be no tables yet.
        let Ok(mut statement) = db.prepare(
            "SELECT r.seq, n.name, r.raw, r.value, r.u, s.version, r.flags FROM readings r \
             JOIN series s ON s.id = r.series JOIN sensors n ON n.id = s.sensor ORDER BY r.seq",
        ) else {
            return Vec::new();
        };
        let rows = statement.query_map([], |row| {
            let flags: u32 = row.get(6)?;
            Ok(Row {
                seq: row.get(0)?,
                sensor: row.get(1)?,
                raw: row.get(2)?,
                value: row.get(3)?,
                u: row.get(4)?,
                version: row.get(5)?,
                reasons: flags / 4,
            })
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// How many pairs there are.
    pub fn pairs(&self) -> usize {
        let count = |db: &Connection| db.query_row("SELECT count(*) FROM pairs", [], |row| row.get(0)).ok();
        self.0.as_ref().and_then(count).unwrap_or(0)
    }

    /// The raw values of a sensor, in order.
    pub fn raw_of(&self, sensor: &str) -> Vec<Option<f64>> {
        self.rows().into_iter().filter(|row| row.sensor == sensor).map(|row| row.raw).collect()
    }

    /// The readings by their sequence numbers.
    pub fn by_seq(&self) -> BTreeMap<u64, Row> {
        self.rows().into_iter().map(|row| (row.seq, row)).collect()
    }
}
