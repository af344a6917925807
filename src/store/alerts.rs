//! Alerts in the ledger: a row for each, and what the alerts go on from.

use super::Store;
use super::error::StoreError;
use crate::domain::alert::{Alert, Stored};

/// What the ledger knows of the alerts at a start.
#[derive(Debug, Clone, Default)]
pub struct RecoveredAlerts {
    /// What they go on from.
    pub stored: Stored,
    /// Those of which the broker may hold a retained message.
    pub retained: Vec<String>,
}

/// What has changed of the alerts, to be written in one transaction.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlertChanges {
    /// Rows that are new or have changed.
    pub rows: Vec<Alert>,
    /// What they go on from: [`Stored`] as JSON.
    pub state: String,
    /// Those of which the broker may hold a retained message from now on.
    pub retained: Vec<String>,
    /// Those of which it holds none any more.
    pub emptied: Vec<String>,
}

/// An alert in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAlert {
    /// Its place: the later one was raised, the higher.
    pub number: u64,
    /// The alert as it was last.
    pub alert: Alert,
}

impl Store {
    /// Writes what has changed of the alerts: one durable transaction. Beyond 4,096 rows the cleared ones go that
    /// were raised first.
    pub async fn keep_alerts(&self, changes: AlertChanges) -> Result<(), StoreError> {
        self.with_ledger(move |ledger, _| ledger.keep_alerts(&changes)).await
    }

    /// Alerts that were ever raised, the newest first: up to `limit` (at most 1,000) of those numbered below
    /// `before`.
    pub async fn past_alerts(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        self.with_ledger(move |ledger, _| ledger.past_alerts(before, limit)).await
    }

    /// Alerts that were ever raised whose identifier begins so: two at most, for more are as good as two.
    pub async fn alerts_named(&self, digits: String) -> Result<Vec<Alert>, StoreError> {
        self.with_ledger(move |ledger, _| ledger.alerts_named(&digits)).await
    }
}
