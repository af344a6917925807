//! Commands of the fleet: the newest serial, from when on they are followed, and the recalibrations that are asked for.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::trust::id;
use super::{Ledger, audit, set_meta};
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::domain::trust::command::Past;
use crate::store::commands::{AcceptedCommand, Recalibration};
use crate::store::error::StoreError;
use crate::store::history::corrupt;

/// Serial and digest of the newest command, in a table `meta`.
pub fn newest(db: &Connection) -> rusqlite::Result<Option<(u64, Digest)>> {
    let get = "SELECT value FROM meta WHERE key = ?";
    let serial: Option<u64> = db.query_row(get, ["command_serial"], |row| row.get(0)).optional()?;
    let digest: Option<[u8; 32]> = db.query_row(get, ["command_digest"], |row| row.get(0)).optional()?;
    Ok(serial.zip(digest.map(Digest)))
}

/// Raises the newest command in a table `meta`; a lower one changes nothing.
pub fn raise(db: &Connection, command: (u64, Digest)) -> rusqlite::Result<()> {
    if newest(db)?.is_some_and(|(serial, _)| serial >= command.0) {
        return Ok(());
    }
    let set = "INSERT OR REPLACE INTO meta VALUES (?, ?)";
    db.execute(set, params!["command_serial", command.0])?;
    db.execute(set, params!["command_digest", command.1.0]).map(drop)
}

impl Ledger {
    /// What of earlier commands counts in this incarnation.
    pub fn commands_past(&self) -> Result<Past, StoreError> {
        let since = |incarnation: String| {
            let noted: Option<String> = self.meta("commands_incarnation")?;
            if noted != Some(incarnation) {
                return Ok(None);
            }
            let micros: Option<i64> = self.meta("commands_since")?;
            Ok(micros.and_then(Timestamp::from_micros))
        };
        let incarnation: Option<String> = self.name(self.meta("incarnation"))?;
        let since = self.name(incarnation.map_or(Ok(None), since))?;
        Ok(Past { newest: self.name(newest(&self.db))?, since })
    }

    /// Notes from when on commands are followed in this incarnation.
    pub fn begin_commands(&mut self, since: Timestamp) -> Result<(), StoreError> {
        self.whole()?;
        let incarnation: Option<String> = self.name(self.meta("incarnation"))?;
        self.transact(|tx| {
            set_meta(tx, "commands_incarnation", incarnation.as_deref().unwrap_or_default())?;
            set_meta(tx, "commands_since", since.as_micros())
        })
    }

    /// Raises the newest serial to what another source knows; audited where that is more.
    pub fn catch_up_commands(
        &mut self,
        now: Timestamp,
        other: Option<(u64, Digest)>,
        source: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        let Some(other) = other else { return Ok(()) };
        let known = self.name(newest(&self.db))?;
        if known.is_some_and(|(serial, _)| serial >= other.0) {
            return Ok(());
        }
        self.transact(|tx| {
            raise(tx, other)?;
            let detail = serde_json::json!({ "command": other.0 }).to_string();
            audit::append(tx, now, "calibd", "serials.raised", source, &detail)
        })
    }

    /// Accepts a verified command: its serial, what it asks for, and its row of the audit.
    pub fn accept_command(&mut self, now: Timestamp, command: &AcceptedCommand) -> Result<(), StoreError> {
        self.whole()?;
        self.transact(|tx| {
            raise(tx, (command.serial, command.digest))?;
            command.asked.iter().try_for_each(|asked| ask(tx, asked))?;
            command.withdrawn.iter().try_for_each(|sensor| forget(tx, sensor))?;
            audit::append(tx, now, &command.actor, "command.accepted", command.name, &command.detail)
        })
    }

    /// The recalibrations that are asked for, by sensor.
    pub fn recalibrations(&self) -> Result<Vec<Recalibration>, StoreError> {
        let sql = "SELECT sensor, serial, asked, until, reason FROM recalibrations ORDER BY sensor";
        self.name(self.db.prepare(sql).and_then(|mut statement| {
            let rows = statement.query_map([], |row| {
                let time = |column| Timestamp::from_micros(row.get(column)?).ok_or_else(corrupt);
                Ok(Recalibration {
                    sensor: id(row, 0)?,
                    serial: row.get(1)?,
                    asked: time(2)?,
                    until: time(3)?,
                    reason: row.get(4)?,
                })
            })?;
            rows.collect()
        }))
    }

    /// Ends recalibrations that were asked for, with the audit's word for why.
    pub fn end_recalibrations(
        &mut self,
        now: Timestamp,
        sensors: &[SensorId],
        action: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        self.transact(|tx| {
            sensors.iter().try_for_each(|sensor| {
                forget(tx, sensor)?;
                audit::append(tx, now, "calibd", action, sensor.as_str(), "")
            })
        })
    }
}

fn ask(tx: &Transaction<'_>, asked: &Recalibration) -> rusqlite::Result<()> {
    let Recalibration { sensor, serial, asked, until, reason } = asked;
    let values = params![sensor.as_str(), serial, asked.as_micros(), until.as_micros(), reason];
    tx.execute("INSERT OR REPLACE INTO recalibrations VALUES (?, ?, ?, ?, ?)", values).map(drop)
}

fn forget(tx: &Transaction<'_>, sensor: &SensorId) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM recalibrations WHERE sensor = ?", [sensor.as_str()]).map(drop)
}
