//! What is said of an artifact: to whoever brought it, upwards, in the audit and in the log.

use super::Desk;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::trust::verify::{Refused, Verified};
use crate::store::RefusalRecord;
use crate::wire::message::{Ack, Verdict};

impl Desk {
    /// Answers an artifact that passed, upwards too.
    pub(super) fn answer(&mut self, verified: &Verified, verdict: Verdict, message: String) -> Ack {
        let ack = self.ack(verified, verdict, message);
        self.reports.ack(ack.clone(), &verified.sensors);
        for sensor in &verified.sensors {
            self.report(sensor);
        }
        ack
    }

    pub(super) fn ack(&self, verified: &Verified, verdict: Verdict, message: String) -> Ack {
        Ack {
            digest: Some(verified.digest),
            id: verified.transform.id.to_string(),
            version: Some(verified.transform.version),
            verdict,
            reason: None,
            message,
            stage: self.least_stage(verified).map(|stage| stage.as_str().into()),
            time: self.clock.now(),
        }
    }

    /// Answers a root or an enrolment, upwards too.
    pub(super) fn of_document(
        &mut self,
        name: &str,
        version: u64,
        digest: Digest,
        verdict: Verdict,
        message: String,
    ) -> Ack {
        let ack = Ack {
            digest: Some(digest),
            id: name.to_owned(),
            version: Some(version),
            verdict,
            reason: None,
            message,
            stage: None,
            time: self.clock.now(),
        };
        self.reports.ack(ack.clone(), &[]);
        ack
    }

    pub(super) fn refusal(&self, id: String, refused: &Refused) -> Ack {
        Ack {
            digest: refused.digest,
            id,
            version: refused.version,
            verdict: Verdict::Refused,
            reason: Some(refused.refusal.reason.as_str().into()),
            message: refused.refusal.message.clone(),
            stage: None,
            time: self.clock.now(),
        }
    }

    /// Audits and counts a refusal; answers with what it is about.
    pub(super) async fn write_down_refusal(&self, topic_id: &str, actor: &str, refused: &Refused) -> String {
        let reason = refused.refusal.reason.as_str();
        self.events.refused(reason);
        let id = refused.id.as_ref().map_or_else(|| topic_id.to_owned(), ToString::to_string);
        let record = RefusalRecord {
            digest: refused.digest,
            by_known_key: refused.by_known_key,
            reason: reason.to_owned(),
            subject: id.clone(),
            detail: refused.refusal.message.clone(),
            actor: actor.to_owned(),
        };
        // What could not be read has no name.
        let transform = (!id.is_empty()).then(|| tracing::field::display(&id));
        match self.store.record_refusal(record).await {
            Ok(true) => {
                self.events.ledger_works();
                tracing::warn!(transform, reason, "artifact refused: {}", refused.refusal.message);
            }
            Ok(false) => tracing::debug!(transform, reason, "artifact refused again"),
            Err(error) => tracing::warn!(transform, reason, "artifact refused, not audited: {error}"),
        }
        id
    }

    /// Audits, counts and answers a refusal, upwards too.
    pub(super) async fn refuse(&mut self, topic_id: &str, actor: &str, refused: Refused) -> Ack {
        let id = self.write_down_refusal(topic_id, actor, &refused).await;
        let ack = self.refusal(id, &refused);
        let sensors: Vec<_> =
            refused.id.filter(|_| refused.by_known_key).map_or_else(Vec::new, |id| self.ran_by(&id));
        self.reports.ack(ack.clone(), &sensors);
        for sensor in &sensors {
            self.report(sensor);
        }
        ack
    }

    fn ran_by(&self, id: &Id) -> Vec<SensorId> {
        let ours = self.installed.iter().filter(|(_, installed)| installed.active.reference.id == *id);
        ours.map(|(sensor, _)| sensor.clone()).collect()
    }
}
