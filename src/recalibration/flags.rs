//! Readings of a sensor that is worked on are flagged from the beginning of its session to its end, and what comes from
//! the fleet for it is held up.

use std::time::Duration;

use tokio::sync::oneshot;

use super::run::{ITSELF, Parts};
use crate::activation::desk::Ask as DeskAsk;
use crate::domain::id::{Id, SensorId};
use crate::domain::session::Session;
use crate::store::{StoreError, Upkeep};

/// Readings of a session are flagged for so long at most; its end ends that.
const FLAGGED: Duration = Duration::from_secs(30 * 86_400);
/// The reason of a maintenance that a session began, before the session's name.
const REASON: &str = "recalibration session ";

impl Parts {
    /// Flags the sensor's readings, and has the desk hold up what comes from the fleet; or no more. Neither waits for
    /// the other to be possible.
    pub(super) async fn flag(&self, session: &Session, on: bool, by: &str) -> Result<(), StoreError> {
        let sensor = &session.plan.sensor;
        let flagged = match on {
            true => self.begin_flag(session, by).await,
            false => self.end_flag(sensor, &session.id, by).await,
        };
        let held = self.hold(sensor, on.then(|| session.id.clone())).await;
        flagged.and(held)
    }

    /// Has the flags agree with the sessions that are open: after a stop, and where the ledger did not take a change.
    pub(super) async fn tend_flags(&self, open: &[&Session]) {
        for session in open {
            not_flagged(&session.plan.sensor, self.begin_flag(session, ITSELF).await);
        }
        for (sensor, upkeep) in self.maintenance.all() {
            let over = began(&upkeep).filter(|id| open.iter().all(|session| session.id != *id));
            if let Some(id) = over {
                not_flagged(&sensor, self.end_left_over(&sensor, id).await);
            }
        }
    }

    /// A maintenance that somebody else began stays theirs.
    async fn begin_flag(&self, session: &Session, by: &str) -> Result<(), StoreError> {
        let sensor = &session.plan.sensor;
        let there = self.maintenance.all().remove(sensor);
        let stays = there.is_some_and(|upkeep| began(&upkeep).is_none_or(|id| id == session.id));
        if stays {
            return Ok(());
        }
        let reason = Some(format!("{REASON}{}", session.id));
        self.maintenance.begin(sensor.clone(), FLAGGED, reason, by.to_owned()).await.map(drop)
    }

    async fn end_flag(&self, sensor: &SensorId, session: &Id, by: &str) -> Result<(), StoreError> {
        let there = self.maintenance.all().remove(sensor);
        match there.and_then(|upkeep| began(&upkeep)) {
            Some(id) if id == *session => self.maintenance.end(sensor.clone(), by.to_owned()).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Anybody may write such a reason, so the ledger has to know the session.
    async fn end_left_over(&self, sensor: &SensorId, session: Id) -> Result<(), StoreError> {
        let known = self.store.sessions(Some(session.clone()), Some(sensor.clone()), 1).await?;
        if known.is_empty() {
            return Ok(());
        }
        self.end_flag(sensor, &session, ITSELF).await
    }

    async fn hold(&self, sensor: &SensorId, session: Option<Id>) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let asked = self.desk.send(DeskAsk::Session(sensor.clone(), session, answer)).await;
        match (asked, answered.await) {
            (Ok(()), Ok(result)) => result,
            // It is ending: the ledger has the session for the next start.
            _ => Ok(()),
        }
    }
}

/// The session that began a maintenance, if one did.
fn began(upkeep: &Upkeep) -> Option<Id> {
    Id::new(upkeep.reason.as_deref()?.strip_prefix(REASON)?).ok()
}

/// Says what could not be done; it is tried again with the next look.
pub(super) fn not_flagged(sensor: &SensorId, outcome: Result<(), StoreError>) {
    if let Err(error) = outcome {
        tracing::warn!(%sensor, "it does not follow its recalibration session yet, which is tried again: {error}");
    }
}

#[cfg(test)]
mod tests;
