//! Recalibration sessions in the ledger: what each is as of its last step.

use rusqlite::params;

use super::{Ledger, audit, certificates};
use crate::domain::id::{Id, SensorId};
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::sessions::SessionStep;

impl Ledger {
    /// Writes a step of a session with its rows of the audit and its certificate, in one transaction.
    pub fn write_session(&mut self, now: Timestamp, step: &SessionStep) -> Result<(), StoreError> {
        self.whole()?;
        let ended = step.ended.map(Timestamp::as_micros);
        self.transact(|tx| {
            for (action, detail) in &step.audits {
                audit::append(tx, now, &step.actor, action, step.sensor.as_str(), detail)?;
            }
            if let Some(certificate) = &step.certificate {
                certificates::insert(tx, now, certificate, &step.actor)?;
            }
            let values = params![
                step.id.as_str(),
                step.sensor.as_str(),
                step.opened.as_micros(),
                ended,
                step.content.as_str()
            ];
            tx.execute(
                "INSERT INTO sessions(id, sensor, opened, ended, content) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT(id) DO UPDATE SET ended = excluded.ended, content = excluded.content",
                values,
            )
            .map(drop)
        })
    }

    /// The sessions that are not over: JSON.
    pub fn open_sessions(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT content FROM sessions WHERE ended IS NULL ORDER BY opened, id";
        self.name(
            self.db
                .prepare(sql)
                .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect()),
        )
    }

    /// The session of this name, or else the last ones of a sensor, or of all, the newest first: JSON.
    pub fn sessions(
        &self,
        id: Option<&Id>,
        sensor: Option<&SensorId>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.whole()?;
        let sql = "SELECT content FROM sessions WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR sensor = ?2)
            ORDER BY opened DESC, id LIMIT ?3";
        let values = params![id.map(Id::as_str), sensor.map(Id::as_str), limit];
        self.name(
            self.db
                .prepare(sql)
                .and_then(|mut statement| statement.query_map(values, |row| row.get(0))?.collect()),
        )
    }
}
