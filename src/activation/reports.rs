//! What the gateway says of itself and signs: acks and reported states.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::domain::id::{Id, SensorId};
use crate::domain::rollout::plan::Artifact;
use crate::domain::rollout::{Stage, Standings};
use crate::domain::sample::AckToken;
use crate::domain::strict_json;
use crate::domain::time::Timestamp;
use crate::domain::trust::envelope::{self, Envelope};
use crate::domain::trust::key::{KeyId, PrivateKey};
use crate::domain::trust::reason::{Reason, Refusal};
use crate::pipeline::active::Active;
use crate::sync::control::Purpose;
use crate::sync::link::Link;
use crate::wire::control::RolloutStage;
use crate::wire::message::{
    Ack, Checkpoint, CommandReply, Reported, ReportedActive, ReportedDrift, RolloutEvent,
};

/// Verdicts kept for each sensor.
const VERDICTS: usize = 8;

/// A step of a rollout, as it is audited and told.
#[derive(Debug)]
pub struct Said {
    /// Where.
    pub sensor: SensorId,
    /// What happened, as in the audit.
    pub action: &'static str,
    /// To which transform.
    pub artifact: Artifact,
    /// And why, with the numbers.
    pub sentence: String,
}

/// Publishes signed messages on the gateway's own branch.
#[derive(Debug)]
pub struct Reports {
    branch: String,
    key: PrivateKey,
    link: Link,
    verdicts: BTreeMap<SensorId, Vec<Ack>>,
    drift: BTreeMap<SensorId, ReportedDrift>,
}

impl Reports {
    /// Reports of `gateway` in `fleet`, signed by its own key; while no broker is configured they go nowhere.
    pub fn new(fleet: &Id, gateway: &Id, key: PrivateKey, link: Link) -> Reports {
        let branch = format!("calibd/1/{fleet}/up/{gateway}");
        Reports { branch, key, link, verdicts: BTreeMap::new(), drift: BTreeMap::new() }
    }

    /// Keeps how a sensor stands to its references, for its `reported` message.
    pub fn drift(&mut self, sensor: SensorId, drift: Option<ReportedDrift>) {
        match drift {
            Some(drift) => self.drift.insert(sensor, drift),
            None => self.drift.remove(&sensor),
        };
    }

    /// Answers an artifact, and keeps the answer for the `reported` message of the sensors concerned.
    pub fn ack(&mut self, ack: Ack, sensors: &[SensorId]) {
        for sensor in sensors {
            let kept = self.verdicts.entry(sensor.clone()).or_default();
            kept.retain(|earlier| earlier.id != ack.id);
            kept.push(ack.clone());
            if kept.len() > VERDICTS {
                kept.remove(0);
            }
        }
        if self.link.is_configured() {
            let bytes = self.signed("ack", &ack);
            self.link.publish(format!("{}/ack", self.branch), bytes, Purpose::Plain);
        }
    }

    /// Tells of a step of a rollout, and keeps it as what was said last of its transform.
    pub fn rolled_on(&mut self, said: &Said, stage: Option<Stage>, time: Timestamp) {
        let Said { sensor, action, artifact, sentence } = said;
        let verdicts = self.verdicts.get_mut(sensor).into_iter().flatten();
        for ack in verdicts.filter(|ack| ack.digest == Some(artifact.digest)) {
            ack.stage = stage.map(|stage| stage.as_str().into());
            ack.message.clone_from(sentence);
            ack.time = time;
        }
        if !self.link.is_configured() {
            return;
        }
        let event = RolloutEvent {
            event: "rollout",
            action,
            sensor,
            id: &artifact.id,
            version: artifact.version,
            digest: artifact.digest,
            stage,
            message: sentence,
            time,
        };
        // A flat struct of texts and numbers always serialises.
        let payload = serde_json::to_vec(&event).unwrap_or_default();
        self.link.publish(format!("{}/event", self.branch), payload, Purpose::Plain);
    }

    /// The gateway's own key.
    pub fn keyid(&self) -> KeyId {
        self.key.public().id()
    }

    /// Has the broker send again what it retains for this gateway; answers whether that needs not be tried again.
    pub fn ask_again(&self) -> bool {
        self.link.ask_again()
    }

    /// Has the broker know that a message was dealt with.
    pub fn settled(&self, token: AckToken) {
        self.link.settled(token);
    }

    /// Answers a command, with the correlation data that came with it.
    pub fn reply(&self, reply: &CommandReply, correlation: Option<Bytes>) {
        if self.link.is_configured() {
            let bytes = self.signed("reply", reply);
            self.link.answer(format!("{}/reply", self.branch), bytes, correlation);
        }
    }

    /// Whether the broker is connected, or there is none to wait for.
    pub fn is_settled(&self) -> bool {
        !self.link.is_configured() || self.link.is_connected()
    }

    /// Publishes a checkpoint, retained; the signed envelope.
    pub fn checkpoint(&self, checkpoint: &Checkpoint) -> Vec<u8> {
        let bytes = self.signed("checkpoint", checkpoint);
        self.link.retain(format!("{}/checkpoint", self.branch), bytes.clone());
        bytes
    }

    /// What a checkpoint says that this gateway signed.
    ///
    /// # Errors
    /// Why it is none.
    pub fn own_checkpoint(&self, bytes: &[u8]) -> Result<Checkpoint, Refusal> {
        let envelope = Envelope::parse(bytes)?;
        if envelope.payload_type != envelope::payload_type("checkpoint") {
            return Err(Refusal::new(Reason::WrongType, "no checkpoint"));
        }
        if !envelope.is_signed_by(self.key.public()) {
            return Err(Refusal::new(Reason::BadSignature, "not signed by this gateway"));
        }
        let malformed = |fault| Refusal::new(Reason::Malformed, format!("checkpoint: {fault}"));
        strict_json::from_slice(&envelope.payload).map_err(malformed)
    }

    /// Publishes what is in force at a sensor, retained.
    pub fn reported(
        &self,
        sensor: &SensorId,
        active: Option<&Arc<Active>>,
        standings: Option<&Standings>,
        floors: BTreeMap<Id, (u64, u64)>,
    ) {
        if !self.link.is_configured() {
            return;
        }
        let on_trial = standings.and_then(|standings| standings.active.as_ref());
        let on_trial = on_trial.filter(|standing| standing.stage == Stage::Canary);
        let candidate = standings.and_then(|standings| standings.candidate.clone());
        let drift = self.drift.get(sensor).copied();
        let reported = Reported {
            sensor: sensor.clone(),
            active: active.map(|active| ReportedActive {
                id: active.reference.id.clone(),
                version: active.reference.version,
                digest: active.reference.digest,
                since: active.since,
                expires: active.expires,
                stage: on_trial.map_or(Stage::Active, |on_trial| on_trial.stage),
                bake_until: on_trial.and_then(|on_trial| on_trial.bake_until),
                gate: on_trial.and_then(|on_trial| on_trial.gate),
            }),
            candidate: candidate.map(RolloutStage::from),
            floors,
            drift,
            verdicts: self.verdicts.get(sensor).cloned().unwrap_or_default(),
            calibration_due: drift.and_then(|drift| drift.calibration_due),
        };
        self.link.retain(format!("{}/reported/{sensor}", self.branch), self.signed("reported", &reported));
    }

    /// Proposes the local transform in force at a sensor to the fleet, retained: the envelope as it was accepted. `None`:
    /// there is none, or no more.
    pub fn proposed(&self, sensor: &SensorId, envelope: Option<&Bytes>) {
        self.link.keep(self.proposal(sensor), envelope.cloned().unwrap_or_default());
    }

    /// Has the broker forget what may have been proposed before this start.
    pub fn withdraw_proposal(&self, sensor: &SensorId) {
        self.link.retain(self.proposal(sensor), Bytes::new());
    }

    fn proposal(&self, sensor: &SensorId) -> String {
        format!("{}/proposal/{sensor}", self.branch)
    }

    fn signed<T: Serialize>(&self, name: &str, message: &T) -> Vec<u8> {
        // Flat structs of texts and numbers always serialise.
        let payload = serde_json::to_vec(message).unwrap_or_default();
        envelope::sign(&envelope::payload_type(name), &payload, std::slice::from_ref(&self.key))
    }
}
