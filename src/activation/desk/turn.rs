//! One turn of rollouts: what happened at one or more sensors, and all that comes of it, written together before it is
//! in effect.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::json;
use tokio::sync::mpsc;

use super::rollouts::json as state_of;
use super::{Desk, Installed, activation, active};
use crate::activation::reports::Said;
use crate::domain::alert::{self, Finding};
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::rollout::plan::{Artifact, Mode, Plan};
use crate::domain::rollout::state::State;
use crate::domain::rollout::{Action, Ending, Event, Refused, Rollout, Stage};
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::Transform;
use crate::domain::trust::root::RoleName;
use crate::domain::trust::slot::{self, Floor};
use crate::domain::trust::verify::Verified;
use crate::pipeline::active::{Active, Change};
use crate::pipeline::run::Request;
use crate::store::{Activation, RolloutStep, StoreError, StoredTransform};

/// Who decides where nobody does, in the audit.
pub(super) const ITSELF: &str = "calibd:rollout";

/// What a transform comes to at a sensor.
#[derive(Debug)]
struct Put {
    /// `None`: nothing is in force any more.
    verified: Option<Arc<Verified>>,
    /// Whether it was there before.
    back: bool,
}

/// What was verified again, or why it could not be; as of one turn, in which neither root nor enrolment changes.
pub(super) type Again = HashMap<Digest, Result<Arc<Verified>, String>>;

/// A transform that comes into force at sensors.
struct Ready {
    verified: Arc<Verified>,
    active: Arc<Active>,
    sensors: Vec<SensorId>,
}

/// All that is to be done of a turn.
#[derive(Debug)]
pub(super) struct Turn {
    at: Timestamp,
    actor: String,
    accepted: Option<Arc<Verified>>,
    /// What comes into force at once and unwatched needs no words: its activation says it.
    plain: Option<Digest>,
    pub step: RolloutStep,
    machines: BTreeMap<SensorId, Rollout>,
    put: BTreeMap<SensorId, Put>,
    pub said: Vec<Said>,
    publish: BTreeSet<SensorId>,
    alerts: Vec<(SensorId, Option<Box<Finding>>)>,
    /// Sensors of which something new was seen.
    paired: BTreeSet<SensorId>,
    /// Sensors at which more has happened than that time passed or something was seen: their machines are written.
    touched: BTreeSet<SensorId>,
    /// What was verified again, for all of its sensors.
    again: Again,
}

impl Turn {
    /// Nothing has happened yet; `actor` stands for it in the audit.
    pub fn new(at: Timestamp, actor: impl Into<String>) -> Turn {
        Turn {
            at,
            actor: actor.into(),
            accepted: None,
            plain: None,
            step: RolloutStep::default(),
            machines: BTreeMap::new(),
            put: BTreeMap::new(),
            said: Vec::new(),
            publish: BTreeSet::new(),
            alerts: Vec::new(),
            paired: BTreeSet::new(),
            touched: BTreeSet::new(),
            again: Again::new(),
        }
    }

    /// A transform is accepted in it.
    pub fn accept(&mut self, verified: Arc<Verified>, plan: &Plan) {
        self.plain = (plan.mode == Mode::Immediate && !plan.watched).then_some(verified.digest);
        let accepted = activation(&verified, self.at, self.actor.clone(), false);
        self.step.accepted = Some(Activation { sensors: Vec::new(), ..accepted });
        self.accepted = Some(verified);
    }

    /// A transform comes into force at a sensor without the machine having asked for it.
    pub fn put(&mut self, sensor: SensorId, verified: Arc<Verified>, back: bool) {
        self.touched.insert(sensor.clone());
        self.put.insert(sensor, Put { verified: Some(verified), back });
    }

    /// What is in force at a sensor comes out of it without the machine having asked for that.
    pub fn take_out(&mut self, sensor: SensorId) {
        self.touched.insert(sensor.clone());
        self.put.insert(sensor, Put { verified: None, back: false });
    }

    /// What is put in force, or out of it, at a sensor.
    pub fn put_at(&self, sensor: &SensorId) -> Option<Option<&Arc<Verified>>> {
        self.put.get(sensor).map(|put| put.verified.as_ref())
    }

    fn say(&mut self, sensor: &SensorId, action: &'static str, artifact: Artifact, sentence: String) {
        let plain = matches!(action, "rollout.accepted" | "rollout.activated");
        if plain && self.plain == Some(artifact.digest) {
            return;
        }
        let detail = json!({ "id": artifact.id, "version": artifact.version, "digest": artifact.digest,
            "sentence": sentence });
        let row = [self.actor.as_str(), action, sensor.as_str(), &detail.to_string()].map(str::to_owned);
        self.step.audits.push(row);
        self.said.push(Said { sensor: sensor.clone(), action, artifact, sentence });
    }

    /// The step as it is to be written, with what the machines go on from if there is anything to write at all.
    pub fn step(&mut self) -> RolloutStep {
        let mut step = std::mem::take(&mut self.step);
        for (sensor, put) in &self.put {
            let Some(verified) = &put.verified else {
                step.withdrawn.push(sensor.clone());
                continue;
            };
            let same =
                |other: &&mut Activation| other.digest == verified.digest && other.rolled_back == put.back;
            match step.put.iter_mut().find(same) {
                Some(other) => other.sensors.push(sensor.clone()),
                None => {
                    let one = activation(verified, self.at, self.actor.clone(), put.back);
                    step.put.push(Activation { sensors: vec![sensor.clone()], ..one });
                }
            }
        }
        if !step.is_empty() {
            let touched = self.machines.iter().filter(|(sensor, _)| self.touched.contains(*sensor));
            step.states = touched.map(|(sensor, machine)| (sensor.clone(), state_of(machine))).collect();
        }
        step
    }

    /// Where a transform stands at a sensor after this turn.
    pub fn machine(&self, sensor: &SensorId) -> Option<&Rollout> {
        self.machines.get(sensor)
    }
}

impl Desk {
    /// Tells the machine of a sensor what happened, and notes what comes of it; `Ok(Err(_))` says why it has no effect.
    pub(super) async fn tell(
        &self,
        turn: &mut Turn,
        sensor: &SensorId,
        event: Event,
    ) -> Result<Result<(), Refused>, StoreError> {
        let (mut machine, before) = match turn.machines.remove(sensor) {
            Some(machine) => (machine, Vec::new()),
            None => {
                let machine = self.machine(sensor).await?;
                let before = self.come_to_know(sensor, machine.state());
                (machine, before)
            }
        };
        if matches!(event, Event::Pair(_)) {
            turn.paired.insert(sensor.clone());
        }
        let mut outcome = Ok(());
        for event in before {
            if outcome.is_ok() {
                outcome = self.apply(turn, sensor, &mut machine, event).await?;
            }
        }
        if outcome.is_ok() {
            outcome = self.apply(turn, sensor, &mut machine, event).await?;
        }
        turn.machines.insert(sensor.clone(), machine);
        Ok(outcome)
    }

    /// What a machine has to know before anything else.
    fn come_to_know(&self, sensor: &SensorId, state: &State) -> Vec<Event> {
        let trusted = self.time_view().trusted;
        let clock = (state.is_trusted() != trusted).then_some(Event::Clock { trusted });
        // A sensor that is not configured any more may be again.
        let known = self.sensors.known_or_possible(sensor);
        let another = known.filter(|sensor| sensor.serial.as_deref() != state.instrument());
        let instrument = another.map(|sensor| Event::Instrument(sensor.serial.clone()));
        let open = self.sessions.contains_key(sensor);
        let session = (state.in_session() != open).then_some(Event::Session { open });
        // What a session holds goes on only once all else is known.
        let (begun, ended) = if open { (session, None) } else { (None, session) };
        begun.into_iter().chain(clock).chain(instrument).chain(ended).collect()
    }

    async fn apply(
        &self,
        turn: &mut Turn,
        sensor: &SensorId,
        machine: &mut Rollout,
        event: Event,
    ) -> Result<Result<(), Refused>, StoreError> {
        let now = turn.at;
        let is_seen = matches!(event, Event::Tick | Event::Pair(_) | Event::Read { .. });
        let mut actions: VecDeque<Action> = match machine.apply(event, now) {
            Ok(actions) => actions.into(),
            Err(refused) => return Ok(Err(refused)),
        };
        if !(is_seen && actions.is_empty()) {
            turn.touched.insert(sensor.clone());
        }
        while let Some(action) = actions.pop_front() {
            let (digest, back) = match action {
                Action::Audit { action, artifact, sentence } => {
                    turn.say(sensor, action, artifact, sentence);
                    continue;
                }
                Action::Publish => {
                    turn.publish.insert(sensor.clone());
                    continue;
                }
                Action::Alert(finding) => {
                    turn.alerts.push((sensor.clone(), finding));
                    continue;
                }
                Action::Deactivate(_) | Action::RollBack { to: None, .. } => {
                    turn.put.insert(sensor.clone(), Put { verified: None, back: false });
                    continue;
                }
                Action::Activate(digest) => (digest, false),
                Action::RollBack { to: Some(digest), .. } => (digest, true),
            };
            match self.verified(turn, sensor, digest, back).await? {
                Ok(verified) => turn.put(sensor.clone(), verified, back),
                Err(why) => {
                    // The one before it is next; without any, values are raw: there it ends.
                    let more = machine.apply(Event::NotRestored { digest, why }, now);
                    actions.extend(more.unwrap_or_default());
                }
            }
        }
        Ok(Ok(()))
    }

    /// Verifies again what is to be in force at a sensor, or says why it cannot be.
    async fn verified(
        &self,
        turn: &mut Turn,
        sensor: &SensorId,
        digest: Digest,
        back: bool,
    ) -> Result<Result<Arc<Verified>, String>, StoreError> {
        if let Some(accepted) = turn.accepted.as_ref().filter(|accepted| accepted.digest == digest) {
            return Ok(Ok(accepted.clone()));
        }
        let verified = match self.again(&mut turn.again, sensor, digest).await? {
            Ok(verified) => verified,
            Err(why) => return Ok(Err(why)),
        };
        if !back {
            // Since it was accepted something else may have come into force there.
            let slot = self.slot(sensor);
            let checked =
                slot::check_slots(&verified.transform, verified.role, [(sensor, &slot)].into_iter());
            if let Err(refusal) = checked {
                return Ok(Err(refusal.message));
            }
        }
        Ok(Ok(verified))
    }

    /// Verifies again what the ledger holds, once for all sensors, or says why it does not hold at this one.
    pub(super) async fn again(
        &self,
        known: &mut Again,
        sensor: &SensorId,
        digest: Digest,
    ) -> Result<Result<Arc<Verified>, String>, StoreError> {
        let found = match known.get(&digest) {
            Some(found) => found.clone(),
            None => {
                let stored = self.store.transforms_named(&digest.to_string()).await?.pop();
                let found = stored.ok_or_else(|| "the ledger does not hold it".to_owned());
                let verify = |stored: StoredTransform| self.verify_again(&stored.envelope);
                let found =
                    found.and_then(|stored| verify(stored).map_err(|refused| refused.refusal.message));
                let found = found.map(Arc::new);
                known.insert(digest, found.clone());
                found
            }
        };
        Ok(found.and_then(|verified| match verified.sensors.contains(sensor) {
            true => Ok(verified),
            false => {
                let Transform { id, version, .. } = &verified.transform;
                Err(format!("{id} version {version} is not for sensor {sensor}"))
            }
        }))
    }

    /// Writes a turn, and has it take effect.
    pub(super) async fn carry_out(
        &mut self,
        mut turn: Turn,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<(), StoreError> {
        let step = turn.step();
        let written = !step.is_empty();
        if written {
            // "The change is in the audit chain before it is in effect."
            self.store.advance(step).await?;
            self.events.ledger_works();
        }
        if let Some(verified) = &turn.accepted {
            let Transform { id, epoch, version, .. } = &verified.transform;
            let floor = Floor { epoch: *epoch, version: *version, digest: verified.digest };
            let before = self.floors.insert(id.clone(), floor);
            self.has_come(before != Some(floor));
        }
        self.take_effect(turn, written, pipeline).await;
        Ok(())
    }

    /// What is written takes effect: machines, readings, alerts, answers.
    pub(super) async fn take_effect(
        &mut self,
        mut turn: Turn,
        written: bool,
        pipeline: &mpsc::Sender<Request>,
    ) {
        let machines = std::mem::take(&mut turn.machines);
        let sensors: Vec<SensorId> = machines.keys().cloned().collect();
        for (sensor, machine) in machines {
            let watched = machine.watched().next().is_some();
            self.rollouts.set(sensor.clone(), machine);
            if written && turn.touched.contains(&sensor) {
                self.rollouts.written(&sensor);
            } else if watched {
                self.rollouts.changed(&sensor, turn.paired.contains(&sensor));
            }
        }
        self.put_in_effect(std::mem::take(&mut turn.put), turn.at, pipeline).await;
        let mut again = Again::new();
        for sensor in &sensors {
            self.watch_at(sensor, &mut again, pipeline).await;
        }
        for (sensor, finding) in turn.alerts {
            self.found(sensor, finding).await;
        }
        for said in &turn.said {
            self.told(said, turn.at);
            if let Some(succeeded) = self.automated(said) {
                self.alerting.tell(alert::Event::Automated { succeeded }).await;
            }
        }
        turn.publish.append(&mut turn.paired);
        for sensor in &turn.publish {
            self.report(sensor);
        }
    }

    /// Tells the alerts what is the matter with the rollout at a sensor.
    pub(super) async fn found(&self, sensor: SensorId, finding: Option<Box<Finding>>) {
        let kind = alert::Kind::Rollout;
        let event = alert::Event::Judged { sensor, kind, source: None, cohort: None, finding };
        self.alerting.tell(event).await;
    }

    async fn put_in_effect(
        &mut self,
        put: BTreeMap<SensorId, Put>,
        at: Timestamp,
        pipeline: &mpsc::Sender<Request>,
    ) {
        if put.is_empty() {
            return;
        }
        let mut changes = Vec::new();
        let mut ready: BTreeMap<Digest, Ready> = BTreeMap::new();
        let mut deployed: [Vec<SensorId>; 2] = Default::default();
        for (sensor, Put { verified, back }) in put {
            // Where nothing is in force any more, nothing new answers an alert.
            deployed[usize::from(back || verified.is_none())].push(sensor.clone());
            if back {
                self.rolled_back.insert(sensor.clone());
            } else {
                self.rolled_back.remove(&sensor);
            }
            let before = self.installed.get(&sensor).map(|installed| installed.role);
            let stays = verified.as_ref().is_some_and(|verified| verified.role == RoleName::Maintenance);
            if before == Some(RoleName::Maintenance) && !stays {
                // What was refused for the local one may pass now.
                self.asking.want();
            }
            let Some(verified) = verified else {
                self.installed.remove(&sensor);
                changes.push(Change { sensor, active: None });
                continue;
            };
            let made = || Ready {
                active: Arc::new(active(&verified, at, false)),
                verified: verified.clone(),
                sensors: Vec::new(),
            };
            let ready = ready.entry(verified.digest).or_insert_with(made);
            ready.sensors.push(sensor.clone());
            let below = match (verified.role, back) {
                (RoleName::Maintenance, true) => self.was_below(&sensor, verified.digest).await,
                (RoleName::Maintenance, false) => {
                    self.installed.get(&sensor).and_then(Installed::baseline).cloned()
                }
                _ => None,
            };
            let (active, role) = (ready.active.clone(), verified.role);
            let local = (role == RoleName::Maintenance).then(|| verified.envelope.clone().into());
            let installed = Installed { active, role, below, local };
            self.installed.insert(sensor.clone(), installed);
            changes.push(Change { sensor, active: Some(ready.active.clone()) });
        }
        self.put_in_force(changes, pipeline).await;
        for (sensors, new) in [(&deployed[0], true), (&deployed[1], false)] {
            if !sensors.is_empty() {
                self.alerting.deployed(sensors, new, at).await;
            }
            if new {
                self.recalibrated(sensors).await;
            }
        }
        for Ready { verified, sensors, .. } in ready.into_values() {
            self.events.activated(&verified.transform, &verified.digest, &sensors);
        }
    }

    /// Tells what happened in a rollout: the log, the counters, and whoever listens above.
    fn told(&mut self, said: &Said, at: Timestamp) {
        let Said { sensor, action, artifact, sentence } = said;
        let stage = self.stage(sensor, artifact.digest);
        self.events.rolled_on(sensor, action, stage.map_or("rolled_back", Stage::as_str), sentence);
        self.reports.rolled_on(said, stage, at);
    }

    /// Whether a rollout that has just ended did so by its gate; `None`: it goes on, or nothing was to be decided.
    fn automated(&self, said: &Said) -> Option<bool> {
        let ended = self.rollouts.machine(&said.sensor)?.state().ended();
        let how = ended.iter().rev().find(|ended| ended.artifact.digest == said.artifact.digest);
        match (said.action, how.map(|ended| ended.how)) {
            ("rollout.settled", _) => Some(true),
            ("rollout.refused" | "rollout.rolled_back", Some(Ending::Failed)) => Some(true),
            ("rollout.refused" | "rollout.rolled_back", Some(Ending::Unproven | Ending::Ordered)) => {
                Some(false)
            }
            _ => None,
        }
    }

    /// Where a transform stands at a sensor; `None`: it is not known there.
    pub(super) fn stage(&self, sensor: &SensorId, digest: Digest) -> Option<Stage> {
        self.rollouts.machine(sensor)?.state().stage(digest)
    }
}
