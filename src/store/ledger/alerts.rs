//! Alerts: a row for each that was raised, and what they go on from.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Ledger;
use crate::domain::alert::{Alert, Stored};
use crate::store::alerts::{AlertChanges, RecoveredAlerts, StoredAlert};
use crate::store::error::StoreError;
use crate::store::history::corrupt;

/// Alerts that are kept; beyond it the cleared ones go that were raised first.
const MOST: usize = 4096;
/// Alerts read at a time.
const PAGE: usize = 1000;

impl Ledger {
    /// Writes what has changed of the alerts.
    pub fn keep_alerts(&mut self, changes: &AlertChanges) -> Result<(), StoreError> {
        self.whole()?;
        self.transact(|tx| {
            changes.rows.iter().try_for_each(|alert| keep(tx, alert))?;
            if !changes.rows.is_empty() {
                tx.execute(
                    "DELETE FROM alerts WHERE number IN (SELECT number FROM alerts WHERE cleared IS NOT NULL
                     ORDER BY number LIMIT max(0, (SELECT count(*) FROM alerts) - ?))",
                    [MOST],
                )?;
            }
            may_be_retained(tx, &changes.retained)?;
            for id in &changes.emptied {
                tx.execute("DELETE FROM alerts_retained WHERE id = ?", [id])?;
            }
            tx.execute("INSERT OR REPLACE INTO alert_state VALUES (1, ?)", [&changes.state]).map(drop)
        })
    }

    /// What the alerts go on from. A state that cannot be read gives way to the rows of those that stand.
    pub fn recovered_alerts(&self) -> Result<RecoveredAlerts, StoreError> {
        let state: Option<String> =
            self.name(self.db.query_row("SELECT content FROM alert_state", [], |row| row.get(0)).optional())?;
        let stored = match state.as_deref().map(serde_json::from_str) {
            None => Stored::default(),
            Some(Ok(stored)) => stored,
            Some(Err(error)) => {
                tracing::warn!("what the alerts have counted is lost, for it cannot be read: {error}");
                let sql = "SELECT number, content FROM alerts WHERE cleared IS NULL ORDER BY number";
                let standing = self.name(self.alerts(sql, []))?;
                Stored::of_alerts(standing.into_iter().map(|stored| stored.alert).collect())
            }
        };
        Ok(RecoveredAlerts { stored, retained: self.name(retained(&self.db))? })
    }

    /// Alerts that were ever raised, the newest first.
    pub fn past_alerts(&self, before: Option<u64>, limit: usize) -> Result<Vec<StoredAlert>, StoreError> {
        self.whole()?;
        let sql = "SELECT number, content FROM alerts WHERE number < ? ORDER BY number DESC LIMIT ?";
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        self.name(self.alerts(sql, params![before, limit.min(PAGE)]))
    }

    /// Alerts whose identifier begins so, two at most.
    pub fn alerts_named(&self, digits: &str) -> Result<Vec<Alert>, StoreError> {
        self.whole()?;
        // What begins so lies between it and it with a letter that no identifier has behind it.
        let sql = "SELECT number, content FROM alerts WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT 2";
        Ok(self.name(self.alerts(sql, [digits]))?.into_iter().map(|stored| stored.alert).collect())
    }

    fn alerts(&self, sql: &str, bounds: impl rusqlite::Params) -> rusqlite::Result<Vec<StoredAlert>> {
        let mut statement = self.db.prepare(sql)?;
        let rows = statement.query_map(bounds, |row| {
            let content: String = row.get(1)?;
            let alert = serde_json::from_str(&content).map_err(|_| corrupt())?;
            Ok(StoredAlert { number: row.get(0)?, alert })
        })?;
        rows.collect()
    }
}

fn keep(tx: &Transaction<'_>, alert: &Alert) -> rusqlite::Result<()> {
    let cleared = alert.cleared.map(|cleared| cleared.as_micros());
    // Structs of texts and finite numbers always serialise.
    let content = serde_json::to_string(alert).unwrap_or_default();
    tx.execute(
        "INSERT INTO alerts(id, cause, raised, cleared, content) VALUES (?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE
         SET raised = excluded.raised, cleared = excluded.cleared, content = excluded.content",
        params![alert.id, alert.cause.to_string(), alert.raised.as_micros(), cleared, content],
    )
    .map(drop)
}

/// The alerts of which the broker may hold a message.
pub fn retained(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare("SELECT id FROM alerts_retained ORDER BY id")?.query_map([], |row| row.get(0))?.collect()
}

/// Notes alerts of which the broker may hold a message.
pub fn may_be_retained(db: &Connection, ids: &[String]) -> rusqlite::Result<()> {
    ids.iter()
        .try_for_each(|id| db.execute("INSERT OR IGNORE INTO alerts_retained VALUES (?)", [id]).map(drop))
}
