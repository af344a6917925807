//! stand-in until the other branch is merged

use super::Store;
use super::error::StoreError;
use crate::domain::alert::Alert;

#[derive(Debug, Clone, PartialEq)]
pub struct StoredAlert {
    pub number: u64,
    pub alert: Alert,
}

impl Store {
    pub async fn past_alerts(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        self.with_ledger(move |_, _| Ok((before, limit))).await?;
        Ok(Vec::new())
    }

    pub async fn alerts_named(&self, digits: String) -> Result<Vec<Alert>, StoreError> {
        self.with_ledger(move |_, _| Ok(digits)).await?;
        Ok(Vec::new())
    }
}
