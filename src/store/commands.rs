//! Commands of the fleet, as the ledger keeps them.

use super::Store;
use super::error::StoreError;
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;

/// A recalibration that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalibration {
    /// Of what.
    pub sensor: SensorId,
    /// The command's serial.
    pub serial: u64,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Until when it stands.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// A verified command, to be written down.
#[derive(Debug, Clone)]
pub struct AcceptedCommand {
    /// Its serial.
    pub serial: u64,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
    /// What is asked, in a word.
    pub name: &'static str,
    /// Where it came from, for the audit chain.
    pub actor: String,
    /// The audit's detail.
    pub detail: String,
    /// The recalibrations that it asks for; each takes the place of the one before at its sensor.
    pub asked: Vec<Recalibration>,
    /// Where nobody asks for one any more.
    pub withdrawn: Vec<SensorId>,
}

impl Store {
    /// Accepts a verified command: one durable transaction with its audit row.
    pub async fn accept_command(&self, command: AcceptedCommand) -> Result<(), StoreError> {
        let newest = (command.serial, command.digest);
        self.with_ledger(move |ledger, now| ledger.accept_command(now, &command)).await?;
        if let Err(error) = self.with_history(move |history| history.mirror_command(newest)).await {
            // The next start mirrors it.
            tracing::warn!(%error, "the command is in the ledger, but not mirrored in the history");
        }
        Ok(())
    }

    /// Notes from when on commands are followed in this incarnation.
    pub async fn begin_commands(&self, since: Timestamp) -> Result<(), StoreError> {
        self.with_ledger(move |ledger, _| ledger.begin_commands(since)).await
    }

    /// Ends recalibrations that were asked for, with the audit's word for why.
    pub async fn end_recalibrations(
        &self,
        sensors: Vec<SensorId>,
        action: &'static str,
    ) -> Result<(), StoreError> {
        self.with_ledger(move |ledger, now| ledger.end_recalibrations(now, &sensors, action)).await
    }
}
