//! What was judged of sensors' pairs, as of a pair's number.

use rusqlite::{Connection, params};

use super::super::Store;
use super::super::error::StoreError;
use super::pairs::{columns, stored};
use crate::domain::id::SensorId;
use crate::domain::pairing::Pair;
use crate::store::history::corrupt;

/// Makes the table.
macro_rules! judge_tables {
    () => {
        "
-- what was made of a sensor's pairs up to the number in meta `judged`: JSON; gone when a pair was taken away
CREATE TABLE judges(sensor TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
"
    };
}
pub(crate) use judge_tables;

/// What was judged of sensors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judges {
    /// The number of the last pair in it.
    pub upto: u64,
    /// What was made of each sensor's pairs.
    pub states: Vec<(SensorId, String)>,
}

/// Keeps what was judged of these sensors with all pairs that are stored, or forgets it; that of other sensors
/// holds as well.
pub fn save_judges(db: &Connection, states: &[(SensorId, Option<String>)]) -> rusqlite::Result<()> {
    let mut save = db.prepare_cached("INSERT OR REPLACE INTO judges(sensor, state) VALUES (?, ?)")?;
    for (sensor, state) in states {
        match state {
            Some(state) => save.execute(params![sensor.as_str(), state]).map(drop)?,
            None => forget_judge(db, sensor)?,
        }
    }
    let upto = "INSERT OR REPLACE INTO meta(key, value) SELECT 'judged', ifnull(max(number), 0) FROM pairs";
    db.prepare_cached(upto)?.execute([]).map(drop)
}

/// Forgets what was judged with a pair that does not hold any more.
pub fn forget_judge(db: &Connection, sensor: &SensorId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM judges WHERE sensor = ?")?.execute([sensor.as_str()]).map(drop)
}

/// What was judged last.
pub fn judges(db: &Connection) -> rusqlite::Result<Judges> {
    let upto = "SELECT ifnull((SELECT value FROM meta WHERE key = 'judged'), 0)";
    let upto = db.prepare_cached(upto)?.query_row([], |row| row.get(0))?;
    let mut statement = db.prepare_cached("SELECT sensor, state FROM judges")?;
    let rows = statement.query_map([], |row| {
        let name: String = row.get(0)?;
        Ok((name.parse().map_err(|_| corrupt())?, row.get(1)?))
    })?;
    Ok(Judges { upto, states: rows.collect::<rusqlite::Result<_>>()? })
}

/// Pairs of all sensors in the order in which they were written, with their numbers.
pub fn written_after(db: &Connection, number: u64, limit: usize) -> rusqlite::Result<Vec<(u64, Pair)>> {
    let sql = concat!(columns!(), " WHERE number > ? ORDER BY number LIMIT ?");
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![number, limit], |row| Ok((row.get(0)?, stored(row)?)))?;
    rows.collect()
}

impl Store {
    /// Keeps what was judged of these sensors with all pairs that are stored, or forgets it: one transaction.
    pub async fn save_judges(&self, states: Vec<(SensorId, Option<String>)>) -> Result<(), StoreError> {
        self.with_history(move |history| history.save_judges(&states)).await
    }

    /// What was judged last, and up to which pair.
    pub async fn judges(&self) -> Result<Judges, StoreError> {
        self.with_history(|history| history.judges()).await
    }

    /// Pairs of all sensors that were written after that of a number, in this order, with their numbers; at
    /// most so many.
    pub async fn pairs_written_after(
        &self,
        number: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Pair)>, StoreError> {
        self.with_history(move |history| history.pairs_written_after(number, limit)).await
    }
}
