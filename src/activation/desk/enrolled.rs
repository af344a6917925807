//! What the fleet says of this gateway: verified, into the ledger, counted, answered.

use tokio::sync::mpsc;

use super::{Desk, Item};
use crate::domain::trust::enrolment::{self, Enrolment, Standpoint, verify_enrolment};
use crate::domain::trust::root::Root;
use crate::pipeline::run::Request;
use crate::store::{StoreError, StoredEnrolment};
use crate::wire::message::{Ack, Verdict};

/// What enrolments are called in answers.
const NAME: &str = "enrolment";

/// The newest enrolment that was accepted, and what of it counts.
#[derive(Debug)]
pub(super) struct Enrolled {
    stored: Option<StoredEnrolment>,
    counts: Option<Enrolment>,
}

impl Enrolled {
    /// As the ledger holds it, under the installed root.
    pub fn new(stored: Option<StoredEnrolment>, root: Option<&Root>) -> Enrolled {
        let mut enrolled = Enrolled { stored, counts: None };
        enrolled.judge_again(root);
        enrolled
    }

    /// What counts.
    pub fn counts(&self) -> Option<&Enrolment> {
        self.counts.as_ref()
    }

    /// What would count under this root.
    pub fn by(&self, root: &Root) -> Option<Enrolment> {
        let stored = self.stored.as_ref()?;
        enrolment::verify_kept(&stored.envelope, root).map(|(_, enrolment)| enrolment).ok()
    }

    /// Another root counts: a revoked key enrols nothing any more.
    pub fn judge_again(&mut self, root: Option<&Root>) {
        self.counts = root.and_then(|root| self.by(root));
        if let Some(stored) = self.stored.as_ref().filter(|_| self.counts.is_none()) {
            let version = stored.version;
            tracing::warn!(
                version,
                "the trust root does not accept enrolment {version}; the gateway counts as not enrolled"
            );
        }
    }
}

impl Desk {
    /// Judges an enrolment and answers it; an error says why one that may count could not be written down.
    pub(super) async fn judge_enrolment(
        &mut self,
        item: Item,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Ack, StoreError> {
        let floor = self.enrolled.stored.as_ref().map(|stored| (stored.version, stored.digest));
        let standpoint = Standpoint {
            root: self.roots.installed(),
            fleet: &self.fleet,
            gateway: Some((&self.gateway, self.reports.keyid())),
            time: self.time_view(),
            floor,
        };
        let found = match verify_enrolment(&item.arrived.payload, &standpoint) {
            Ok(found) => found,
            Err(refused) => return Ok(self.refuse_by(NAME, &item.way, refused).await),
        };
        let version = found.enrolment.version;
        if found.already_applied && self.enrolled.counts.is_some() {
            let text = "it counts already".to_owned();
            return Ok(self.of_document(NAME, version, found.digest, Verdict::AlreadyApplied, text));
        }
        let stored =
            StoredEnrolment { version, envelope: item.arrived.payload.to_vec(), digest: found.digest };
        let actor = item.way.actor().to_owned();
        if let Err(error) = self.store.accept_enrolment(stored.clone(), actor).await {
            tracing::warn!("enrolment {version} is verified, but not in the ledger: {error}");
            return Err(error);
        }
        tracing::info!(version, digest = %found.digest, "enrolment {version} is accepted");
        self.enrolled = Enrolled { stored: Some(stored), counts: Some(found.enrolment) };
        // What was refused for want of a proof may pass now.
        self.asking.want();
        let changes = self.restore_again().await;
        self.effect(changes, pipeline, Request::Activate).await;
        let text = format!("enrolment {version} counts");
        Ok(self.of_document(NAME, version, found.digest, Verdict::Accepted, text))
    }
}
