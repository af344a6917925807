//! What was judged of sensors' pairs, as of a pair's number.

use std::collections::HashSet;

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
-- what was made of a sensor's pairs up to the number `upto` or, where that is null, the one in meta `judged`: JSON;
-- gone when a pair was taken away
CREATE TABLE judges(sensor TEXT PRIMARY KEY, upto INTEGER, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
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

/// Keeps what was judged of these sensors with all pairs that are stored, or forgets it. That of others of the
/// `judged` ones holds with these pairs as well; that of the rest stays as of the pairs that it was made with.
pub fn save_judges(
    db: &Connection,
    states: &[(SensorId, Option<String>)],
    judged: &HashSet<SensorId>,
) -> rusqlite::Result<()> {
    let mut leave = db.prepare_cached(
        "UPDATE judges SET upto = ifnull((SELECT value FROM meta WHERE key = 'judged'), 0) WHERE sensor = ?",
    )?;
    for sensor in with_the_others(db)?.iter().filter(|sensor| !judged.contains(*sensor)) {
        leave.execute([sensor.as_str()])?;
    }
    let mut save =
        db.prepare_cached("INSERT OR REPLACE INTO judges(sensor, upto, state) VALUES (?, NULL, ?)")?;
    for (sensor, state) in states {
        match state {
            Some(state) => save.execute(params![sensor.as_str(), state]).map(drop)?,
            None => forget_judge(db, sensor)?,
        }
    }
    let upto = "INSERT OR REPLACE INTO meta(key, value) SELECT 'judged', ifnull(max(number), 0) FROM pairs";
    db.prepare_cached(upto)?.execute([]).map(drop)
}

/// The sensors of which what was judged is as of the common number.
fn with_the_others(db: &Connection) -> rusqlite::Result<Vec<SensorId>> {
    let mut sensors = db.prepare_cached("SELECT sensor FROM judges WHERE upto IS NULL")?;
    let rows = sensors.query_map([], |row| named(row.get(0)?))?;
    rows.collect()
}

fn named(name: String) -> rusqlite::Result<SensorId> {
    name.parse().map_err(|_| corrupt())
}

/// Forgets what was judged with a pair that does not hold any more.
pub fn forget_judge(db: &Connection, sensor: &SensorId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM judges WHERE sensor = ?")?.execute([sensor.as_str()]).map(drop)
}

/// What was judged last.
pub fn judges(db: &Connection) -> rusqlite::Result<Judges> {
    let upto = "SELECT ifnull((SELECT value FROM meta WHERE key = 'judged'), 0)";
    let upto = db.prepare_cached(upto)?.query_row([], |row| row.get(0))?;
    // One that was left behind holds only as long as no pair has come since.
    let mut statement = db.prepare_cached(
        "SELECT sensor, state FROM judges WHERE upto IS NULL
         OR NOT EXISTS (SELECT 1 FROM pairs WHERE pairs.sensor = judges.sensor AND number > upto)",
    )?;
    let rows = statement.query_map([], |row| Ok((named(row.get(0)?)?, row.get(1)?)))?;
    Ok(Judges { upto, states: rows.collect::<rusqlite::Result<_>>()? })
}

/// Pairs of all sensors in the order in which they were written, with their numbers.
pub fn written_after(db: &Connection, number: u64, limit: usize) -> rusqlite::Result<Vec<(u64, Pair)>> {
    let sql = concat!(columns!(), " WHERE number > ? ORDER BY number LIMIT ?");
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![number, limit], |row| Ok((row.get(0)?, stored(row, None)?)))?;
    rows.collect()
}

impl Store {
    /// Keeps what was judged of these sensors with all pairs that are stored, or forgets it; it is known of all that
    /// are `judged` that nothing else was made of these pairs: one transaction.
    pub async fn save_judges(
        &self,
        states: Vec<(SensorId, Option<String>)>,
        judged: HashSet<SensorId>,
    ) -> Result<(), StoreError> {
        self.with_history(move |history| history.save_judges(&states, &judged)).await
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
