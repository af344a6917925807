//! Recalibration sessions, as the ledger keeps them.

use super::Store;
use super::certificates::StoredCertificate;
use super::error::StoreError;
use crate::domain::id::{Id, SensorId};
use crate::domain::time::Timestamp;

/// A step of a session, to be written down.
#[derive(Debug, Clone)]
pub struct SessionStep {
    /// The session.
    pub id: Id,
    /// Its sensor; of one sensor only one session is not over.
    pub sensor: SensorId,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
    /// All there is to know of it: JSON.
    pub content: String,
    /// Who did it, for the audit.
    pub actor: String,
    /// Rows of the audit: action and detail.
    pub audits: Vec<(&'static str, String)>,
    /// The certificate that it ends with: kept in the same transaction, or neither is.
    pub certificate: Option<StoredCertificate>,
}

impl Store {
    /// Writes a step of a session: one durable transaction with its rows of the audit.
    pub async fn write_session(&self, step: SessionStep) -> Result<(), StoreError> {
        self.with_ledger(move |ledger, now| ledger.write_session(now, &step)).await
    }

    /// The session of this name, or else the last ones of a sensor, or of all, the newest first: JSON.
    pub async fn sessions(
        &self,
        id: Option<Id>,
        sensor: Option<SensorId>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.with_ledger(move |ledger, _| ledger.sessions(id.as_ref(), sensor.as_ref(), limit)).await
    }
}
