//! What sessions want done: written first, then done.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::run::Parts;
use crate::activation::desk::{Ask as DeskAsk, Declined, RollBack};
use crate::domain::digest::Digest;
use crate::domain::session::{Effect, Event, Session};
use crate::domain::time::Timestamp;
use crate::store::{SessionStep, StoreError, StoredCertificate};
use crate::sync::control::Purpose;
use crate::wire::message::{SessionEvent, Verdict};

impl Parts {
    /// Writes a session down with what is to be audited of it, and the certificate that it ends with.
    pub(super) async fn write(
        &self,
        session: &Session,
        effects: &[Effect],
        by: &str,
        certificate: Option<StoredCertificate>,
    ) -> Result<(), StoreError> {
        if !effects.contains(&Effect::Write) {
            return Ok(());
        }
        let audit = |effect: &Effect| match effect {
            Effect::Audit(action, detail) => Some((*action, detail.to_string())),
            _ => None,
        };
        let ended = session.ended.as_ref().filter(|_| !session.is_open()).map(|(_, at)| *at);
        let step = SessionStep {
            id: session.id.clone(),
            sensor: session.plan.sensor.clone(),
            opened: session.plan.opened,
            ended,
            // Texts, finite numbers and structs of them always serialise.
            content: serde_json::to_string(session).unwrap_or_default(),
            actor: by.to_owned(),
            audits: effects.iter().filter_map(audit).collect(),
            certificate,
        };
        self.store.write_session(step).await
    }

    /// Tells the fleet what was audited.
    pub(super) fn publish(&self, session: &Session, effects: &[Effect], time: Timestamp) {
        for effect in effects {
            let Effect::Audit(action, detail) = effect else { continue };
            tracing::info!(sensor = %session.plan.sensor, session = %session.id, "{action}");
            let event = SessionEvent {
                event: "session",
                action,
                sensor: &session.plan.sensor,
                session: &session.id,
                stage: session.stage.as_str(),
                detail,
                time,
            };
            // A flat struct of texts and numbers always serialises.
            let payload = serde_json::to_vec(&event).unwrap_or_default();
            self.link.publish(format!("{}/event", self.branch), payload, Purpose::Plain);
        }
    }

    /// Puts an approved transform into force; what came of it. `None`: calibd is ending.
    pub(super) async fn activate(&self, envelope: &str, by: &str) -> Option<Event> {
        let (answer, answered) = oneshot::channel();
        let bytes = Bytes::copy_from_slice(envelope.as_bytes());
        self.desk.send(DeskAsk::Install(bytes, by.to_owned(), answer)).await.ok()?;
        Some(match answered.await.ok()? {
            Ok(ack) => match (ack.verdict, ack.digest) {
                (Verdict::Accepted | Verdict::AlreadyApplied, Some(digest)) => Event::Activated(digest),
                _ => Event::Declined(
                    ack.reason.map_or_else(|| "refused".to_owned(), |reason| reason.to_string()),
                    ack.message,
                ),
            },
            Err(declined) => Event::Declined("unavailable".to_owned(), declined.to_string()),
        })
    }

    /// Puts back into force what ran before; what came of it. `None`: calibd is ending.
    pub(super) async fn restore(&self, session: &Session, to: Option<Digest>, by: &str) -> Option<Event> {
        let sensor = session.plan.sensor.clone();
        // Whatever root has put there meanwhile stays: the way back may have been barred.
        let candidate = session.candidate.as_ref().map(|it| it.digest);
        let in_force = self.site(&sensor).await.ok().and_then(|site| Some(site.in_force?.0.digest));
        if let Some(other) = in_force.filter(|digest| Some(*digest) != candidate && Some(*digest) != to) {
            return Some(Event::Replaced(other));
        }
        let Some(digest) = to else {
            let (answer, answered) = oneshot::channel();
            self.desk.send(DeskAsk::Withdraw(sensor, by.to_owned(), answer)).await.ok()?;
            return Some(match answered.await.ok()? {
                Ok(()) => Event::Restored,
                Err(error) => Event::NotRestored(error.to_string()),
            });
        };
        let (answer, answered) = oneshot::channel();
        let order =
            RollBack { sensor, to: Some(digest), actor: by.to_owned(), session: Some(session.id.clone()) };
        self.desk.send(DeskAsk::RollBack(order, answer)).await.ok()?;
        let done: Result<_, Declined> = answered.await.ok()?;
        Some(match done {
            Ok(ack) if ack.verdict != Verdict::Refused => Event::Restored,
            Ok(ack) => Event::NotRestored(ack.message),
            Err(declined) => Event::NotRestored(declined.to_string()),
        })
    }
}
