//! Where a verified transform comes to stand: accepted, and as far into force as its rollout lets it.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::turn::Turn;
use super::{Desk, Item, Way};
use crate::domain::id::SensorId;
use crate::domain::rollout::plan::{Artifact, Plan};
use crate::domain::rollout::{self, Event, Stage};
use crate::domain::trust::reason::{Reason, Refusal};
use crate::domain::trust::verify::{Refused, Verified};
use crate::pipeline::run::Request;
use crate::store::StoreError;
use crate::wire::message::{Ack, Verdict};

/// Stages from the first to the last, with what is said of sensors there.
const STAGES: [(Stage, &str); 6] = [
    (Stage::RolledBack, "taken back or refused at"),
    (Stage::Superseded, "superseded at"),
    (Stage::Candidate, "it waits at"),
    (Stage::Shadow, "in shadow at"),
    (Stage::Canary, "in force on trial at"),
    (Stage::Active, "in force at"),
];

impl Desk {
    /// Accepts a verified transform; an error says why one that may be in force could not be put there.
    pub(super) async fn place(
        &mut self,
        mut verified: Verified,
        item: Item,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Ack, StoreError> {
        if verified.already_applied {
            let mut open = Vec::new();
            for sensor in &verified.sensors {
                if !self.is_settled(&verified, sensor).await? {
                    open.push(sensor.clone());
                }
            }
            verified.sensors = open;
        }
        let verified = Arc::new(verified);
        let outcome = self.place_at(&verified, &item.way, pipeline).await;
        let transform = &verified.transform;
        match outcome {
            Ok(Ok(sentence)) => {
                self.waiting.retain(|waiting| waiting.arrived.id != transform.id.as_str());
                let mut text = self.where_it_stands(&verified);
                if let Some(sentence) = sentence {
                    text = format!("{text}: {sentence}");
                }
                Ok(self.answer(&verified, Verdict::Accepted, text))
            }
            Ok(Err(refused)) => Ok(self.refuse(transform.id.as_str(), item.way.actor(), refused).await),
            Err(error) => {
                self.not_written(item, transform.id.to_string(), &transform.id, &error);
                Err(error)
            }
        }
    }

    /// Accepts it at its sensors; what was said of that at the last of them, or why it has no effect at any.
    async fn place_at(
        &mut self,
        verified: &Arc<Verified>,
        way: &Way,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Result<Option<String>, Refused>, StoreError> {
        let actor = format!("{}:{}", way.actor(), verified.role.as_str());
        let plan = Plan::of(&verified.transform, &self.gateway);
        let artifact = Artifact::of(&verified.transform, verified.digest);
        let mut turn = Turn::new(self.clock.now(), actor);
        turn.accept(verified.clone(), &plan);
        let mut refused = None;
        for sensor in &verified.sensors {
            // Of what a session holds up only its own transform has come so far.
            let of_session = self.sessions.contains_key(sensor);
            let event = Event::Accepted { artifact: artifact.clone(), plan, of_session };
            match self.tell(&mut turn, sensor, event).await? {
                Err(why) => refused = Some(why),
                Ok(()) => {
                    let stage = turn.machine(sensor).and_then(|it| it.state().stage(verified.digest));
                    let in_force = matches!(stage, Some(Stage::Active | Stage::Canary));
                    // It was to be in force there, and was not, or not by its own keys.
                    if in_force && turn.put_at(sensor).is_none() && !self.runs(verified, sensor) {
                        turn.put(sensor.clone(), verified.clone(), false);
                    }
                }
            }
        }
        let effective = verified.sensors.iter().any(|sensor| {
            turn.machine(sensor).and_then(|machine| machine.state().stage(verified.digest)).is_some()
        });
        match refused {
            Some(why) if !effective => return Ok(Err(refusal(verified, &why))),
            _ => {}
        }
        let sentence = turn.said.last().map(|said| said.sentence.clone());
        self.carry_out(turn, pipeline).await?;
        Ok(Ok(sentence))
    }

    /// Whether a transform that was accepted before changes nothing: it stands at every sensor that it selects.
    pub(super) async fn stands(&self, verified: &Verified) -> Result<bool, StoreError> {
        for sensor in &verified.sensors {
            if !self.is_settled(verified, sensor).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is refused for a local transform or a session, though it has its place below that, or stands already: the
    /// broker says it again with each connection. With what is said of it.
    pub(super) async fn has_its_place(
        &self,
        item: &Item,
        refused: &Refused,
    ) -> Result<Option<(Verified, String)>, StoreError> {
        let floor = refused.id.as_ref().and_then(|id| self.floors.get(id));
        let known = floor.is_some_and(|floor| Some(floor.digest) == refused.digest);
        let reason = refused.refusal.reason;
        if !known || !matches!(reason, Reason::LocalInForce | Reason::SessionOpen) {
            return Ok(None);
        }
        let Ok(verified) = self.verify_again(&item.arrived.payload) else { return Ok(None) };
        for sensor in &verified.sensors {
            let below = self.installed.get(sensor).and_then(|installed| installed.below.as_ref());
            let is_below = below.is_some_and(|below| below.reference.digest == verified.digest);
            if !is_below && !self.is_settled(&verified, sensor).await? {
                return Ok(None);
            }
        }
        let sentence = match reason {
            Reason::LocalInForce => "accepted before: a local transform lies over it".to_owned(),
            _ => self.standing(&verified),
        };
        Ok(Some((verified, sentence)))
    }

    /// Whether a transform that was accepted before has its place at a sensor, or has come to its end there.
    async fn is_settled(&self, verified: &Verified, sensor: &SensorId) -> Result<bool, StoreError> {
        // By far the most of what the broker sends again.
        if self.runs(verified, sensor) {
            return Ok(true);
        }
        let machine = self.machine(sensor).await?;
        let state = machine.state();
        Ok(match state.stage(verified.digest) {
            Some(Stage::Candidate | Stage::Shadow) => true,
            Some(Stage::RolledBack | Stage::Superseded) => {
                let mut ended = state.ended().iter().rev();
                ended
                    .find(|ended| ended.artifact.digest == verified.digest)
                    .is_some_and(|ended| !ended.how.may_return())
            }
            Some(Stage::Canary | Stage::Active) => false,
            // What was rolled back before there were rollouts.
            None => self.rolled_back.contains(sensor),
        })
    }

    /// Whether the transform is in force at this sensor, by the installed root.
    pub(super) fn runs(&self, verified: &Verified, sensor: &SensorId) -> bool {
        let installed = self.installed.get(sensor).map(|installed| &installed.active);
        installed.is_some_and(|active| active.reference.digest == verified.digest && !active.revoked)
    }

    /// At how many sensors a transform stands where.
    pub(super) fn where_it_stands(&self, verified: &Verified) -> String {
        let told = STAGES.iter().rev().filter_map(|(stage, words)| {
            let there = |sensor: &&SensorId| self.stage(sensor, verified.digest) == Some(*stage);
            let count = verified.sensors.iter().filter(there).count();
            (count > 0).then(|| format!("{words} {count} sensor{}", if count == 1 { "" } else { "s" }))
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// The stage of a transform at the sensor where it has come least far.
    pub(super) fn least_stage(&self, verified: &Verified) -> Option<Stage> {
        least(verified.sensors.iter().filter_map(|sensor| self.stage(sensor, verified.digest)))
    }

    /// Why a transform that was accepted before changes nothing.
    pub(super) fn standing(&self, verified: &Verified) -> String {
        let mut gone = Vec::new();
        for sensor in &verified.sensors {
            match self.stage(sensor, verified.digest) {
                Some(Stage::Candidate | Stage::Shadow | Stage::Canary | Stage::Active) => {}
                _ => gone.push(sensor.as_str()),
            }
        }
        if verified.sensors.iter().all(|sensor| self.runs(verified, sensor)) {
            return "these very bytes are in force already".to_owned();
        }
        if gone.is_empty() {
            return format!("accepted before: {}", self.where_it_stands(verified));
        }
        let sensors = gone.join(", ");
        format!(
            "accepted before, and gave way or was rolled back here at {sensors}; only a new version takes its place"
        )
    }
}

/// The stage that is least far.
pub(super) fn least(stages: impl Iterator<Item = Stage>) -> Option<Stage> {
    stages.min_by_key(|stage| STAGES.iter().position(|(other, _)| other == stage))
}

fn refusal(verified: &Verified, why: &rollout::Refused) -> Refused {
    let refusal = Refusal::new(Reason::RolledBackVersion, why.to_string());
    let (id, version) = (Some(verified.transform.id.clone()), Some(verified.transform.version));
    Refused { refusal, digest: Some(verified.digest), id, version, by_known_key: true }
}
