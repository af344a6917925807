//! What root on the gateway itself may do: bring a signed transform, and go back to an earlier one.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use super::turn::Turn;
use super::{Desk, Item, Way};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::rollout::Event;
use crate::domain::rollout::plan::Artifact;
use crate::domain::trust::envelope::{Envelope, type_name};
use crate::domain::trust::reason::{Reason, Refusal};
use crate::domain::trust::rollback::{Put, earlier};
use crate::domain::trust::verify::{Refused, Verified};
use crate::pipeline::run::Request;
use crate::store::{PastActivation, Store, StoreError, StoredTransform};
use crate::sync::downlink::{Arrived, Artifact as Kind};
use crate::wire::message::{Ack, Verdict};

/// An order to go back.
#[derive(Debug)]
pub struct RollBack {
    /// Where.
    pub sensor: SensorId,
    /// To what; `None`: to what was in force before the present one.
    pub to: Option<Digest>,
    /// Who orders it, for the audit.
    pub actor: String,
    /// The session that is given up with it, if one is: others that are open stand against it.
    pub session: Option<Id>,
}

/// Why what was asked was not done.
#[derive(Debug, thiserror::Error)]
pub enum Declined {
    /// There is nothing to do it with.
    #[error("{0}")]
    Unknown(String),
    /// The ledger does not take it.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Where a rollback leads that names no digest, by what came into force at the sensor, from the oldest.
pub fn back(past: &[PastActivation]) -> Option<Digest> {
    back_from(past).next()
}

/// The same, and where to go if that does not do any more.
pub(super) fn back_from(past: &[PastActivation]) -> impl Iterator<Item = Digest> {
    earlier(past.iter().map(|put| Put { digest: put.digest, rolled_back: put.rolled_back }))
}

impl Desk {
    /// Judges an artifact as one that came from the broker.
    pub(super) async fn install(
        &mut self,
        envelope: Bytes,
        user: String,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Ack, Declined> {
        let kind = Envelope::parse(&envelope).ok().map(|envelope| envelope.payload_type);
        let what = match kind.as_deref().and_then(type_name) {
            Some("root") => Kind::Root,
            Some("enrolment") => Kind::Enrolment,
            Some("order") => Kind::Order,
            Some("command") => Kind::Command,
            Some("manifest") => Kind::Manifest,
            Some("prior") => Kind::Prior,
            _ => Kind::Transform,
        };
        let (id, branch, token) = (String::new(), None, None);
        let arrived = Arrived { what, id, branch, payload: envelope, correlation: None, token };
        Ok(self.judge(Item { arrived, way: Way::Local(user) }, pipeline).await?)
    }

    /// "By local root: only to an accepted, unrevoked digest, audited"; the floor stays, and so do the other
    /// sensors of the transform.
    pub(super) async fn roll_back(
        &mut self,
        order: &RollBack,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Ack, Declined> {
        let sensor = &order.sensor;
        let stored = target(&self.store, order).await?;
        match self.is_free(order, &stored).and_then(|()| self.verified_for(&stored, sensor)) {
            Err(refused) => self.decline(order, &stored, &refused).await,
            Ok(verified) if self.runs(&verified, sensor) => {
                let sentence = format!("these very bytes are in force at {sensor} already");
                Ok(self.ack(&verified, Verdict::AlreadyApplied, sentence))
            }
            Ok(verified) => {
                let artifact = Some(Artifact::of(&verified.transform, verified.digest));
                let mut turn = Turn::new(self.clock.now(), order.actor.clone());
                // It is put there whatever its rollout says to that.
                let _ = self.tell(&mut turn, sensor, Event::Put { artifact }).await?;
                turn.put(sensor.clone(), Arc::new(verified.clone()), true);
                self.carry_out(turn, pipeline).await?;
                let (id, version, actor) = (&stored.id, stored.version, &order.actor);
                tracing::warn!(%sensor, transform = %id, version, digest = %stored.digest, "rolled back by {actor}");
                self.report(sensor);
                let sentence = format!("in force at {sensor} again, until a new version is accepted");
                Ok(self.ack(&verified, Verdict::Accepted, sentence))
            }
        }
    }

    /// What a session measures, and what its certificate says, is of what is in force: it stays meanwhile.
    fn is_free(&self, order: &RollBack, stored: &StoredTransform) -> Result<(), Refused> {
        let sensor = &order.sensor;
        let Some(open) = self.sessions.get(sensor).filter(|open| order.session.as_ref() != Some(*open))
        else {
            return Ok(());
        };
        let text = format!(
            "sensor {sensor} is being recalibrated (session {open}): end it, or give it up with `calibctl recalibrate {sensor} --abort`, which puts back what ran before"
        );
        let (digest, id, version) = (Some(stored.digest), Some(stored.id.clone()), Some(stored.version));
        let refusal = Refusal::new(Reason::SessionOpen, text);
        Err(Refused { refusal, digest, id, version, by_known_key: true })
    }

    /// Checks again what was accepted before, for one sensor only.
    pub(super) fn verified_for(
        &self,
        stored: &StoredTransform,
        sensor: &SensorId,
    ) -> Result<Verified, Refused> {
        let mut verified = self.verify_again(&stored.envelope)?;
        verified.sensors.retain(|selected| selected == sensor);
        if !verified.sensors.is_empty() {
            return Ok(verified);
        }
        let text = format!("{} version {} is not for sensor {sensor}", stored.id, stored.version);
        let (digest, id, version) = (Some(stored.digest), Some(stored.id.clone()), Some(stored.version));
        let refusal = Refusal::new(Reason::UnknownSensor, text);
        Err(Refused { refusal, digest, id, version, by_known_key: true })
    }

    async fn decline(
        &self,
        order: &RollBack,
        stored: &StoredTransform,
        refused: &Refused,
    ) -> Result<Ack, Declined> {
        let (reason, message) = (refused.refusal.reason.as_str(), &refused.refusal.message);
        self.events.refused(reason);
        let (sensor, id) = (&order.sensor, &stored.id);
        tracing::warn!(%sensor, transform = %id, reason, "not rolled back: {message}");
        let detail = json!({ "reason": reason, "message": message, "digest": stored.digest }).to_string();
        self.store.audit(&order.actor, "transform.rollback_refused", sensor.as_str(), &detail).await?;
        Ok(Ack { version: Some(stored.version), ..self.refusal(id.to_string(), refused) })
    }
}

/// What an order goes back to.
async fn target(store: &Store, order: &RollBack) -> Result<StoredTransform, Declined> {
    let sensor = &order.sensor;
    let nothing = || {
        Declined::Unknown(format!(
            "nothing was in force at {sensor} before; name a transform with its digest"
        ))
    };
    let digest = match order.to {
        Some(digest) => digest,
        None => back(&store.activations(sensor.clone()).await?).ok_or_else(nothing)?,
    };
    let unknown = || Declined::Unknown(format!("no transform with the digest {digest} was accepted here"));
    store.transforms_named(&digest.to_string()).await?.pop().ok_or_else(unknown)
}
