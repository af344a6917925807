//! What the ledger holds of transforms, and what was in force when.

use std::collections::HashMap;

use rusqlite::{Row, params};

use super::Ledger;
use super::trust::id;
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::history::corrupt;
use crate::store::types::{PastActivation, StoredTransform};

/// The most activations of a sensor that are told.
const MOST: usize = 1000;
/// So many digits of a digest are enough to name it.
const PREFIX: usize = 8;

/// The columns that [`stored`] takes a transform from.
macro_rules! columns {
    () => {
        "SELECT digest, id, epoch, version, envelope, keyids, accepted FROM transforms"
    };
}

impl Ledger {
    /// The accepted transforms of this name: a digest, an id (then the newest of it), or at least eight digits
    /// that a digest begins with; several only of the last.
    pub fn transforms_named(&self, name: &str) -> Result<Vec<StoredTransform>, StoreError> {
        self.whole()?;
        if let Ok(digest) = Digest::parse(name) {
            let sql = concat!(columns!(), " WHERE digest = ?");
            return self.name(self.transforms(sql, params![digest.0]));
        }
        let sql = concat!(columns!(), " WHERE id = ? ORDER BY epoch DESC, version DESC LIMIT 1");
        let of_id = self.name(self.transforms(sql, params![name]))?;
        let hexadecimal = name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !of_id.is_empty() || name.len() < PREFIX || !hexadecimal {
            return Ok(of_id);
        }
        let sql = concat!(columns!(), " WHERE lower(hex(digest)) LIKE ? || '%' LIMIT 2");
        self.name(self.transforms(sql, params![name]))
    }

    fn transforms(
        &self,
        sql: &str,
        wanted: &[&dyn rusqlite::ToSql],
    ) -> rusqlite::Result<Vec<StoredTransform>> {
        self.db.prepare(sql)?.query_map(wanted, stored)?.collect()
    }

    /// What came into force at a sensor, from the oldest; of very many the newest.
    pub fn activations(&self, sensor: &SensorId) -> Result<Vec<PastActivation>, StoreError> {
        self.whole()?;
        self.name(self.past(sensor))
    }

    /// Whether a transform was ever in force at a sensor.
    pub fn was_in_force(&self, sensor: &SensorId, digest: &Digest) -> Result<bool, StoreError> {
        self.whole()?;
        let sql = "SELECT EXISTS(SELECT 1 FROM activations WHERE sensor = ? AND digest = ?)";
        self.name(self.db.query_row(sql, params![sensor.as_str(), digest.0], |row| row.get(0)))
    }

    fn past(&self, sensor: &SensorId) -> rusqlite::Result<Vec<PastActivation>> {
        let actors = self.actors(sensor)?;
        let sql = "SELECT digest, id, version, since FROM activations JOIN transforms USING (digest)
                   WHERE sensor = ? ORDER BY number DESC LIMIT ?";
        let mut statement = self.db.prepare(sql)?;
        let rows = statement.query_map(params![sensor.as_str(), MOST], |row| {
            let (digest, since) = (Digest(row.get(0)?), time(row, 3)?);
            let (actor, rolled_back) = actors.get(&(since.to_string(), digest)).cloned().unzip();
            Ok(PastActivation {
                digest,
                id: id(row, 1)?,
                version: row.get(2)?,
                since,
                actor,
                rolled_back: rolled_back.unwrap_or(false),
            })
        })?;
        let mut newest_first: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        newest_first.reverse();
        Ok(newest_first)
    }

    /// Who put what in force at a sensor, and whether by going back, by the time and the digest.
    fn actors(&self, sensor: &SensorId) -> rusqlite::Result<HashMap<(String, Digest), (String, bool)>> {
        let sql = "SELECT time, detail, actor, action = 'transform.rolled_back'
                   FROM audit WHERE subject = ? AND action IN ('transform.activated', 'transform.rolled_back')";
        let mut statement = self.db.prepare(sql)?;
        let rows = statement.query_map([sensor.as_str()], |row| {
            let detail: String = row.get(1)?;
            let Activated { digest } = serde_json::from_str(&detail).map_err(|_| corrupt())?;
            Ok(((row.get(0)?, digest), (row.get(2)?, row.get(3)?)))
        })?;
        rows.collect()
    }
}

/// What is read of an audit row's detail.
#[derive(serde::Deserialize)]
struct Activated {
    digest: Digest,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredTransform> {
    let keyids: String = row.get(5)?;
    Ok(StoredTransform {
        digest: Digest(row.get(0)?),
        id: id(row, 1)?,
        epoch: row.get(2)?,
        version: row.get(3)?,
        envelope: row.get(4)?,
        keyids: keyids.split_whitespace().map(str::to_owned).collect(),
        accepted: time(row, 6)?,
    })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_micros(row.get(column)?).ok_or_else(corrupt)
}
