//! Roots, transforms, floors and what is in force.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Ledger, audit, floors, raise_floor, rollouts, set_meta};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::history::corrupt;
use crate::store::types::{Activation, ActiveTransform, RootInstallation, StoredRoot};

impl Ledger {
    /// Installs a root, and has what it does not let stand give way in the same transaction; one of the same
    /// version and digest changes nothing.
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
            audit::append(tx, now, &installation.actor, "root.installed", &subject, &detail)?;
            rollouts::write(tx, now, &installation.rollouts)
        })
    }

    /// The transforms in force, with what lies below local ones.
    pub fn active(&self) -> Result<Vec<ActiveTransform>, StoreError> {
        let sql = "SELECT active.sensor, transforms.envelope, active.digest, active.since,
                          EXISTS(SELECT 1 FROM meta WHERE key = 'rolled_back ' || active.sensor),
                          transforms.id GLOB 'local-*'
                   FROM active JOIN transforms USING (digest) ORDER BY active.sensor";
        self.name(self.db.prepare(sql).and_then(|mut statement| {
            let rows = statement.query_map([], |row| {
                let (sensor, digest) = (id(row, 0)?, Digest(row.get(2)?));
                let local: bool = row.get(5)?;
                let baseline = if local { baseline(&self.db, &sensor, digest)? } else { None };
                Ok(ActiveTransform {
                    sensor,
                    envelope: row.get(1)?,
                    digest,
                    since: Timestamp::from_micros(row.get(3)?).ok_or_else(corrupt)?,
                    rolled_back: row.get(4)?,
                    baseline,
                })
            })?;
            rows.collect()
        }))
    }

    /// What lies below this local transform at a sensor: the fleet's, as received.
    pub fn below(&self, sensor: &SensorId, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.name(baseline(&self.db, sensor, digest))
    }

    /// The sensors at which a local transform has ever been in force.
    pub fn had_local(&self) -> Result<Vec<SensorId>, StoreError> {
        let sql = "SELECT DISTINCT sensor FROM activations JOIN transforms USING (digest)
                   WHERE transforms.id GLOB 'local-*' ORDER BY sensor";
        self.name(
            self.db
                .prepare(sql)
                .and_then(|mut statement| statement.query_map([], |row| id(row, 0))?.collect()),
        )
    }

    /// The installed roots, the newest last.
    pub fn roots(&self) -> Result<Vec<StoredRoot>, StoreError> {
        let sql = "SELECT version, envelope, digest FROM roots ORDER BY version";
        self.name(self.db.prepare(sql).and_then(|mut statement| {
            let rows = statement.query_map([], |row| {
                Ok(StoredRoot { version: row.get(0)?, envelope: row.get(1)?, digest: Digest(row.get(2)?) })
            })?;
            rows.collect()
        }))
    }
}

/// Below a local transform is what the fleet had in force when that first came, or what was below the local one in force
/// then: what has taken its place since was left when it was gone back to.
fn baseline(db: &Connection, sensor: &SensorId, digest: Digest) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut first =
        db.prepare_cached("SELECT MIN(number) FROM activations WHERE sensor = ? AND digest = ?")?;
    let mut before = db.prepare_cached(
        "SELECT digest, envelope, id GLOB 'local-*' FROM activations JOIN transforms USING (digest)
         WHERE sensor = ? AND number < ? ORDER BY number DESC LIMIT 1",
    )?;
    let mut of = digest.0;
    loop {
        let number: Option<i64> = first.query_row(params![sensor.as_str(), of], |row| row.get(0))?;
        let Some(number) = number else { return Ok(None) };
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, bool>(2)?));
        match before.query_row(params![sensor.as_str(), number], read).optional()? {
            None => return Ok(None),
            Some((_, envelope, false)) => return Ok(Some(envelope)),
            // The numbers only fall, so this ends.
            Some((local, _, true)) => of = local,
        }
    }
}

pub(super) fn id(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Id> {
    Id::new(&row.get::<_, String>(column)?).map_err(|_| corrupt())
}

pub(super) fn accept(tx: &Transaction<'_>, activation: &Activation) -> rusqlite::Result<()> {
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
    if new == 0 {
        signed_anew(tx, activation)?;
    }
    // The floor never falls, whatever is activated (a rollback activates something older).
    floors::raise(tx, &activation.floor())?;
    if new == 1 {
        let detail = serde_json::json!({ "digest": digest, "epoch": epoch, "version": version,
            "keyids": activation.keyids });
        audit::append(tx, *at, &activation.actor, "transform.accepted", id.as_str(), &detail.to_string())?;
    }
    Ok(())
}

/// The same bytes may come again with the signatures of other keys, where those that signed before are lost.
fn signed_anew(tx: &Transaction<'_>, activation: &Activation) -> rusqlite::Result<()> {
    let Activation { digest, id, keyids, at, .. } = activation;
    let sql = "UPDATE transforms SET envelope = ?2, keyids = ?3 WHERE digest = ?1 AND keyids <> ?3";
    let changed = tx.execute(sql, params![digest.0, activation.envelope, keyids.join(" ")])?;
    if changed == 0 {
        return Ok(());
    }
    let detail = serde_json::json!({ "digest": digest, "keyids": keyids }).to_string();
    audit::append(tx, *at, &activation.actor, "transform.signed_anew", id.as_str(), &detail)
}

pub(super) fn put_in_force(
    tx: &Transaction<'_>,
    activation: &Activation,
    sensor: &SensorId,
) -> rusqlite::Result<()> {
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
