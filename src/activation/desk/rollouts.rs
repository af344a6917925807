//! The rollouts of all sensors: a machine for each, and what is remembered beside it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde_json::Value;

use super::Desk;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::order;
use crate::domain::rollout::plan::{Artifact, Fallback, Policy};
use crate::domain::rollout::state::State;
use crate::domain::rollout::{Event, Rollout};
use crate::domain::strict_json;
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::Transform;
use crate::domain::trust::envelope::Envelope;
use crate::pipeline::beside::Beside;
use crate::store::{ActiveTransform, StoreError, StoredTransform};

/// What came of pairs is written at most once in so long ...
const SAVE_PAIRS: Duration = Duration::from_secs(60);
/// ... and how long a transform has been watched, and what came of its readings, in so long.
const SAVE: Duration = Duration::from_secs(300);
/// Events that are kept while the ledger takes nothing.
const MOST_AGAIN: usize = 4096;

/// A sensor's machine.
#[derive(Debug)]
pub(super) struct Held {
    pub machine: Rollout,
    /// What the pipeline was told of last: the transform in force, and what was to be compared with what.
    pub watched: (Option<Digest>, Vec<(Digest, Option<Digest>)>),
}

/// The rollouts of all sensors that ever had a transform, as far as they are known by now.
#[derive(Debug)]
pub(super) struct Rollouts {
    pub policy: Policy,
    pub beside: Beside,
    pub held: HashMap<SensorId, Held>,
    /// What is in force, by the ledger, where nothing is known of a rollout yet.
    adopted: HashMap<SensorId, (Digest, Timestamp)>,
    /// Sensors whose state is not written, and whether by pairs.
    unsaved: BTreeSet<SensorId>,
    paired: bool,
    saved: Option<Duration>,
    /// What could not be taken in for want of the ledger.
    again: Vec<(SensorId, Event)>,
}

impl Rollouts {
    /// Nothing is known yet.
    pub fn new(policy: Policy, on_revoked: Fallback, beside: Beside) -> Rollouts {
        Rollouts {
            policy: Policy { when_invalid: on_revoked, ..policy },
            beside,
            held: HashMap::new(),
            adopted: HashMap::new(),
            unsaved: BTreeSet::new(),
            paired: false,
            saved: None,
            again: Vec::new(),
        }
    }

    /// Notes what is in force, by the ledger.
    pub fn adopt(&mut self, active: &[ActiveTransform]) {
        let unknown = active.iter().filter(|entry| !self.held.contains_key(&entry.sensor));
        self.adopted.extend(unknown.map(|entry| (entry.sensor.clone(), (entry.digest, entry.since))));
    }

    /// Takes over what the ledger has of rollouts.
    pub fn resume(&mut self, stored: Vec<(SensorId, String)>) {
        for (sensor, text) in stored {
            // By way of a value, as artifacts are read: read from the text, the states are twice the code.
            let value: Option<Value> = serde_json::from_str(&text).ok();
            match value.and_then(|value| strict_json::from_value::<State>(&value).ok()) {
                Some(state) => self.set(sensor, Rollout::new(self.policy, state)),
                None => {
                    tracing::warn!(%sensor, "what its rollout has seen cannot be read; it begins anew");
                }
            }
        }
    }

    /// The machine of a sensor, if there is one.
    pub fn machine(&self, sensor: &SensorId) -> Option<&Rollout> {
        self.held.get(sensor).map(|held| &held.machine)
    }

    /// Takes over a machine as it is now.
    pub fn set(&mut self, sensor: SensorId, machine: Rollout) {
        match self.held.get_mut(&sensor) {
            Some(held) => held.machine = machine,
            None => {
                self.adopted.remove(&sensor);
                let held = Held { machine, watched: (None, Vec::new()) };
                self.held.insert(sensor, held);
            }
        }
    }

    /// Sensors at which something may happen by itself.
    pub fn busy(&self) -> impl Iterator<Item = &SensorId> {
        let busy = |held: &Held| {
            held.machine.state().candidate().is_some() || held.machine.watched().next().is_some()
        };
        self.held.iter().filter(move |(_, held)| busy(held)).map(|(sensor, _)| sensor)
    }

    /// The sensors that hold a transform of this id in some way; by the digest alone where nothing else is known yet.
    pub fn holding(&self, id: &Id, digest: &Digest) -> Vec<SensorId> {
        let is_it = |artifact: &Artifact| artifact.digest == *digest && artifact.id == *id;
        let held = self.held.iter().filter(|(_, held)| {
            let state = held.machine.state();
            let ended = state.ended().iter().map(|ended| &ended.artifact);
            state.held_to().chain(ended).any(is_it)
        });
        let adopted = self.adopted.iter().filter(|(_, (active, _))| active == digest);
        let sensors = held.map(|(sensor, _)| sensor).chain(adopted.map(|(sensor, _)| sensor));
        let mut sensors: Vec<SensorId> = sensors.cloned().collect();
        order::sort(&mut sensors);
        sensors
    }

    /// Notes that a state is not as it is written.
    pub fn changed(&mut self, sensor: &SensorId, by_pair: bool) {
        self.unsaved.insert(sensor.clone());
        self.paired |= by_pair;
    }

    /// Notes that a state is written.
    pub fn written(&mut self, sensor: &SensorId) {
        self.unsaved.remove(sensor);
    }

    /// What is to be written now, if it is time.
    pub fn to_save(&self, now: Duration, at_once: bool) -> Vec<(SensorId, String)> {
        let after = if self.paired { SAVE_PAIRS } else { SAVE };
        let due = self.saved.is_none_or(|saved| now.saturating_sub(saved) >= after);
        if self.unsaved.is_empty() || !(due || at_once) {
            return Vec::new();
        }
        let states = self.unsaved.iter().filter_map(|sensor| Some((sensor.clone(), self.json(sensor)?)));
        states.collect()
    }

    /// Notes that all is written.
    pub fn saved(&mut self, now: Duration) {
        self.unsaved.clear();
        (self.paired, self.saved) = (false, Some(now));
    }

    fn json(&self, sensor: &SensorId) -> Option<String> {
        self.machine(sensor).map(json)
    }

    /// Keeps what could not be taken in; of too much the first.
    pub fn keep(&mut self, mut events: Vec<(SensorId, Event)>) {
        events.retain(|(_, event)| matches!(event, Event::Pair(_) | Event::Read { .. }));
        events.truncate(MOST_AGAIN);
        self.again = events;
    }

    /// What could not be taken in before.
    pub fn kept(&mut self) -> Vec<(SensorId, Event)> {
        std::mem::take(&mut self.again)
    }
}

/// As it is stored.
pub(super) fn json(machine: &Rollout) -> String {
    // Texts and finite numbers always serialise.
    serde_json::to_string(machine.state()).unwrap_or_default()
}

/// What a stored transform is called.
fn artifact(stored: &StoredTransform) -> Option<Artifact> {
    // It was read when it was accepted.
    let opened = Envelope::parse(&stored.envelope).ok()?;
    let transform = Transform::parse(&opened.payload).ok()?;
    Some(Artifact::of(&transform, stored.digest))
}

impl Desk {
    /// Takes over what the ledger has of rollouts, and of orders.
    pub(super) async fn resume_rollouts(&mut self) -> Result<(), StoreError> {
        self.rollouts.resume(self.store.rollouts().await?);
        let orders = self.store.orders().await?;
        self.find_again().await;
        self.orders = orders.into_iter().map(|order| (order.id, (order.serial, order.digest))).collect();
        Ok(())
    }

    /// Says again what is the matter with which rollout: the alerts may have ended before they wrote it down.
    async fn find_again(&self) {
        for (sensor, held) in &self.rollouts.held {
            let finding = held.machine.state().finding().map(Box::new);
            self.found(sensor.clone(), finding).await;
        }
    }

    /// The machine of a sensor; one that had transforms before there were rollouts goes on from those.
    pub(super) async fn machine(&self, sensor: &SensorId) -> Result<Rollout, StoreError> {
        if let Some(machine) = self.rollouts.machine(sensor) {
            return Ok(machine.clone());
        }
        let mut state = State::default();
        if let Some((digest, since)) = self.rollouts.adopted.get(sensor) {
            let past = self.store.activations(sensor.clone()).await?;
            let mut steps = Vec::new();
            for before in super::back_from(&past).take(crate::domain::rollout::state::MOST_STEPS) {
                steps.extend(self.artifact(before).await?);
            }
            steps.reverse();
            let running = self.artifact(*digest).await?.map(|artifact| (artifact, *since));
            state = State::adopted(running, steps);
        }
        Ok(Rollout::new(self.rollouts.policy, state))
    }

    async fn artifact(&self, digest: Digest) -> Result<Option<Artifact>, StoreError> {
        let stored = self.store.transforms_named(&digest.to_string()).await?.pop();
        Ok(stored.as_ref().and_then(artifact))
    }
}
