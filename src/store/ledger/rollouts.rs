//! Rollouts: all that belongs to a step of them, in one transaction.

use rusqlite::{Transaction, params};

use super::trust::{accept, id, put_in_force};
use super::{Ledger, audit, floors};
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::rollouts::{RolloutStep, StoredOrder};

/// Writes a step within a transaction.
pub(super) fn write(tx: &Transaction<'_>, now: Timestamp, step: &RolloutStep) -> rusqlite::Result<()> {
    step.accepted.iter().try_for_each(|accepted| accept(tx, accepted))?;
    // "The change is in the audit chain before it is in effect."
    for [actor, action, subject, detail] in &step.audits {
        audit::append(tx, now, actor, action, subject, detail)?;
    }
    for put in &step.put {
        accept(tx, put)?;
        put.sensors.iter().try_for_each(|sensor| put_in_force(tx, put, sensor))?;
    }
    for sensor in &step.withdrawn {
        tx.prepare_cached("DELETE FROM active WHERE sensor = ?")?.execute([sensor.as_str()])?;
    }
    for (sensor, state) in &step.states {
        let sql = "INSERT OR REPLACE INTO rollouts VALUES (?, ?)";
        tx.prepare_cached(sql)?.execute([sensor.as_str(), state])?;
    }
    step.order.iter().try_for_each(|order| put(tx, order))
}

pub(super) fn put(tx: &Transaction<'_>, order: &StoredOrder) -> rusqlite::Result<()> {
    let StoredOrder { id, serial, digest } = order;
    let sql = "INSERT OR REPLACE INTO orders VALUES (?, ?, ?)";
    tx.execute(sql, params![id.as_str(), serial, digest.0]).map(drop)
}

/// Those with higher serials than what is known.
pub(super) fn newer(orders: &[StoredOrder], known: &[StoredOrder]) -> Vec<StoredOrder> {
    floors::newer(orders, known, |order| (&order.id, order.serial))
}

impl Ledger {
    /// Writes a step of rollouts.
    pub fn advance(&mut self, now: Timestamp, step: &RolloutStep) -> Result<(), StoreError> {
        self.whole()?;
        self.transact(|tx| write(tx, now, step))
    }

    /// What the rollouts of sensors go on from.
    pub fn rollouts(&self) -> Result<Vec<(SensorId, String)>, StoreError> {
        let sql = "SELECT sensor, state FROM rollouts ORDER BY sensor";
        self.name(self.db.prepare(sql).and_then(|mut statement| {
            statement.query_map([], |row| Ok((id(row, 0)?, row.get(1)?)))?.collect()
        }))
    }

    /// Raises the serials of orders to what another source knows; audited where that is more.
    pub fn catch_up_orders(
        &mut self,
        now: Timestamp,
        others: &[StoredOrder],
        source: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        let news = newer(others, &self.orders()?);
        self.raise_serials(now, source, "orders", &news, |it| (it.id.to_string(), it.serial), put)
    }

    /// The last orders that were followed.
    pub fn orders(&self) -> Result<Vec<StoredOrder>, StoreError> {
        let sql = "SELECT id, serial, digest FROM orders ORDER BY id";
        self.name(self.db.prepare(sql).and_then(|mut statement| {
            let rows = statement.query_map([], |row| {
                Ok(StoredOrder { id: id(row, 0)?, serial: row.get(1)?, digest: Digest(row.get(2)?) })
            })?;
            rows.collect()
        }))
    }
}
