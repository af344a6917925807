//! Which instrument sits at which position, and which positions are in maintenance.

use rusqlite::{Row, params};
use serde_json::json;

use super::trust::id;
use super::{Ledger, audit};
use crate::domain::id::SensorId;
use crate::domain::sensor::Instrument;
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::history::corrupt;
use crate::store::types::{Mount, Upkeep};

const MOUNTS: &str = "SELECT sensor, mounted, actor, model, serial, make, element_serial, firmware, comment,
    configured_serial FROM instruments";

impl Ledger {
    /// Notes that an instrument was mounted.
    pub fn mount(&mut self, mount: &Mount) -> Result<(), StoreError> {
        self.whole()?;
        let Mount { sensor, at, actor, instrument, configured_serial } = mount;
        let detail = json!(instrument).to_string();
        let Instrument { model, serial, make, element_serial, firmware, comment } = instrument;
        let sql = "INSERT INTO instruments(sensor, mounted, actor, model, serial, make, element_serial,
            firmware, comment, configured_serial) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let time = at.as_micros();
        self.transact(|tx| {
            tx.execute(
                sql,
                params![
                    sensor.as_str(),
                    time,
                    actor,
                    model,
                    serial,
                    make,
                    element_serial,
                    firmware,
                    comment,
                    configured_serial
                ],
            )?;
            audit::append(tx, *at, actor, "instrument.mounted", sensor.as_str(), &detail)
        })
    }

    /// The last `limit` instruments of a sensor, the oldest first.
    pub fn mounts_of(&self, sensor: &SensorId, limit: usize) -> Result<Vec<Mount>, StoreError> {
        self.whole()?;
        let sql = format!("{MOUNTS} WHERE sensor = ? ORDER BY number DESC LIMIT ?");
        let found = self.db.prepare(&sql).and_then(|mut statement| {
            statement.query_map(params![sensor.as_str(), limit], mount_of)?.collect()
        });
        self.name(found).map(|mut mounts: Vec<Mount>| {
            mounts.reverse();
            mounts
        })
    }

    /// The instruments mounted now, by sensor.
    pub fn mounted(&self) -> Result<Vec<Mount>, StoreError> {
        let sql = format!("{MOUNTS} WHERE number IN (SELECT max(number) FROM instruments GROUP BY sensor)");
        self.name(
            self.db.prepare(&sql).and_then(|mut statement| statement.query_map([], mount_of)?.collect()),
        )
    }

    /// Notes that a sensor is in maintenance.
    pub fn begin_maintenance(&mut self, now: Timestamp, upkeep: &Upkeep) -> Result<(), StoreError> {
        self.whole()?;
        let Upkeep { sensor, since, until, reason, actor } = upkeep;
        let detail = json!({ "until": until, "reason": reason }).to_string();
        self.transact(|tx| {
            tx.execute(
                "INSERT OR REPLACE INTO maintenance VALUES (?, ?, ?, ?, ?)",
                params![sensor.as_str(), since.as_micros(), until.as_micros(), reason, actor],
            )?;
            audit::append(tx, now, actor, "maintenance.on", sensor.as_str(), &detail)
        })
    }

    /// Moves the end of a sensor's maintenance.
    pub fn move_maintenance(&mut self, sensor: &SensorId, until: Timestamp) -> Result<(), StoreError> {
        self.whole()?;
        let sql = "UPDATE maintenance SET until = ? WHERE sensor = ?";
        self.transact(|tx| tx.execute(sql, params![until.as_micros(), sensor.as_str()]).map(drop))
    }

    /// Notes that a sensor is in maintenance no more.
    pub fn end_maintenance(
        &mut self,
        now: Timestamp,
        sensor: &SensorId,
        actor: &str,
        action: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        self.transact(|tx| {
            tx.execute("DELETE FROM maintenance WHERE sensor = ?", [sensor.as_str()])?;
            audit::append(tx, now, actor, action, sensor.as_str(), "")
        })
    }

    /// The sensors in maintenance.
    pub fn maintenance(&self) -> Result<Vec<Upkeep>, StoreError> {
        let sql = "SELECT sensor, since, until, reason, actor FROM maintenance";
        self.name(self.db.prepare(sql).and_then(|mut statement| {
            let rows = statement.query_map([], |row| {
                let (since, until) = (time(row, 1)?, time(row, 2)?);
                Ok(Upkeep { sensor: id(row, 0)?, since, until, reason: row.get(3)?, actor: row.get(4)? })
            })?;
            rows.collect()
        }))
    }
}

fn mount_of(row: &Row<'_>) -> rusqlite::Result<Mount> {
    let instrument = Instrument {
        model: row.get(3)?,
        serial: row.get(4)?,
        make: row.get(5)?,
        element_serial: row.get(6)?,
        firmware: row.get(7)?,
        comment: row.get(8)?,
    };
    let (actor, configured_serial) = (row.get(2)?, row.get(9)?);
    Ok(Mount { sensor: id(row, 0)?, at: time(row, 1)?, actor, instrument, configured_serial })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_micros(row.get(column)?).ok_or_else(corrupt)
}
