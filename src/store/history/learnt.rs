//! What the monitors have learnt of sensors, for the next start.

use rusqlite::{Connection, params};

use super::{History, corrupt};
use crate::domain::id::SensorId;
use crate::store::Store;
use crate::store::error::StoreError;

/// Makes the table.
pub const TABLE: &str = "
-- what the monitors have learnt of a sensor: JSON
CREATE TABLE learnt(sensor TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

fn keep(db: &Connection, states: &[(SensorId, Option<String>)]) -> rusqlite::Result<()> {
    let mut keep = db.prepare_cached("INSERT OR REPLACE INTO learnt(sensor, state) VALUES (?, ?)")?;
    let mut forget = db.prepare_cached("DELETE FROM learnt WHERE sensor = ?")?;
    for (sensor, state) in states {
        match state {
            Some(state) => keep.execute(params![sensor.as_str(), state])?,
            None => forget.execute([sensor.as_str()])?,
        };
    }
    Ok(())
}

fn read(db: &Connection) -> rusqlite::Result<Vec<(SensorId, String)>> {
    let mut statement = db.prepare_cached("SELECT sensor, state FROM learnt")?;
    let rows = statement.query_map([], |row| {
        let name: String = row.get(0)?;
        Ok((name.parse().map_err(|_| corrupt())?, row.get(1)?))
    })?;
    rows.collect()
}

impl Store {
    /// Keeps what was learnt of these sensors, or forgets it: one transaction.
    pub async fn keep_learnt(&self, states: Vec<(SensorId, Option<String>)>) -> Result<(), StoreError> {
        self.with_history(move |history: &History| history.together(|tx| keep(tx, &states))).await
    }

    /// What was learnt of each sensor, as it was kept last.
    pub async fn learnt(&self) -> Result<Vec<(SensorId, String)>, StoreError> {
        self.with_history(|history: &History| history.together(|tx| read(tx))).await
    }
}
