//! Roots, transforms, floors and what is in force.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Ledger, audit, floors, raise_floor, set_meta};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::history::corrupt;
use crate::store::types::{Activation, ActiveTransform, RootInstallation, StoredRoot};

impl Ledger {
    /// Installs a root; one of the same version and digest changes nothing.
    pub fn install_root(
        &mut self,
        now: Timestamp,
        installation: &RootInstallation,
    ) -> Result<(), StoreError> {
        self.whole()?;
        let root = &installation.root;
        self.transact(|tx| {
            let known: Option<[u8; 32]> = tx
                .query_row("SELECT digest FROM roots WHERE version = ?", [root.version], |row| row.get(0))
                .optional()?;
            if known == Some(root.digest.0) {
                return Ok(());
            }
            tx.execute(
                "INSERT OR REPLACE INTO roots VALUES (?, ?, ?, ?)",
                params![root.version, root.digest.0, root.envelope, now.as_micros()],
            )?;
            if let Some(time) = installation.time_floor {
                raise_floor(tx, time)?;
            }
            let detail = serde_json::json!({ "digest": root.digest }).to_string();
            let subject = root.version.to_string();
            audit::append(tx, now, &installation.actor, "root.installed", &subject, &detail)
        })
    }

    /// Accepts a transform, raises its floor and puts it in force at its sensors.
    pub fn activate(&mut self, activation: &Activation) -> Result<(), StoreError> {
        self.whole()?;
        self.transact(|tx| {
            accept(tx, activation)?;
            activation.sensors.iter().try_for_each(|sensor| put_in_force(tx, activation, sensor))
        })
    }

    /// The transforms in force.
    pub fn active(&self) -> Result<Vec<ActiveTransform>, StoreError> {
        let sql = "SELECT active.sensor, transforms.envelope, active.digest, active.since,
                          EXISTS(SELECT 1 FROM meta WHERE key = 'rolled_back ' || active.sensor)
                   FROM active JOIN transforms USING (digest) ORDER BY active.sensor";
        self.name(self.db.prepare(sql).and_then(|mut statement| {
            let rows = statement.query_map([], |row| {
                Ok(ActiveTransform {
                    sensor: id(row, 0)?,
                    envelope: row.get(1)?,
                    digest: Digest(row.get(2)?),
                    since: Timestamp::from_micros(row.get(3)?).ok_or_else(corrupt)?,
                    rolled_back: row.get(4)?,
                })
            })?;
            rows.collect()
        }))
    }

    /// The newest root.
    pub fn root(&self) -> Result<Option<StoredRoot>, StoreError> {
        let sql = "SELECT version, envelope, digest FROM roots ORDER BY version DESC LIMIT 1";
        let found = self.db.query_row(sql, [], |row| {
            Ok(StoredRoot { version: row.get(0)?, envelope: row.get(1)?, digest: Digest(row.get(2)?) })
        });
        self.name(found.optional())
    }
}

pub(super) fn id(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Id> {
    Id::new(&row.get::<_, String>(column)?).map_err(|_| corrupt())
}

fn accept(tx: &Transaction<'_>, activation: &Activation) -> rusqlite::Result<()> {
    let Activation { digest, id, epoch, version, at, .. } = activation;
    let new = tx.execute(
        "INSERT OR IGNORE INTO transforms VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            digest.0,
            id.as_str(),
            epoch,
            version,
            activation.envelope,
            activation.keyids.join(" "),
            at.as_micros()
        ],
    )?;
    // The floor never falls, whatever is activated (a rollback activates something older).
    floors::raise(tx, &activation.floor())?;
    if new == 1 {
        let detail = serde_json::json!({ "digest": digest, "epoch": epoch, "version": version,
            "keyids": activation.keyids });
        audit::append(tx, *at, &activation.actor, "transform.accepted", id.as_str(), &detail.to_string())?;
    }
    Ok(())
}

fn put_in_force(tx: &Transaction<'_>, activation: &Activation, sensor: &SensorId) -> rusqlite::Result<()> {
    let Activation { digest, id, version, at, .. } = activation;
    let before: Option<[u8; 32]> = tx
        .prepare_cached("SELECT digest FROM active WHERE sensor = ?")?
        .query_row([sensor.as_str()], |row| row.get(0))
        .optional()?;
    if before == Some(digest.0) {
        return Ok(());
    }
    let values = params![sensor.as_str(), digest.0, at.as_micros()];
    tx.prepare_cached("INSERT OR REPLACE INTO active VALUES (?, ?, ?)")?.execute(values)?;
    tx.prepare_cached("INSERT INTO activations(sensor, digest, since) VALUES (?, ?, ?)")?.execute(values)?;
    let mark = format!("rolled_back {sensor}");
    let action = if activation.rolled_back {
        set_meta(tx, &mark, digest.0)?;
        "transform.rolled_back"
    } else {
        tx.prepare_cached("DELETE FROM meta WHERE key = ?")?.execute([mark])?;
        "transform.activated"
    };
    let detail = serde_json::json!({ "digest": digest, "id": id, "version": version,
        "before": before.map(Digest) });
    audit::append(tx, *at, &activation.actor, action, sensor.as_str(), &detail.to_string())
}
