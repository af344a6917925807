//! Watching what is compared: what the pipeline computes beside, and what came of it, each second.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::turn::{Again, ITSELF, Turn};
use super::{Desk, active};
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::order;
use crate::domain::rollout::Event;
use crate::domain::rollout::plan::Policy;
use crate::pipeline::active::Active;
use crate::pipeline::beside::{Versus, Watch};
use crate::pipeline::run::Request;
use crate::store::{RolloutStep, StoreError};
use crate::wire::control::SensorRollout;

impl Desk {
    /// Has the pipeline compute what the rollout at a sensor compares, if that is something else than before.
    pub(super) async fn watch_at(
        &mut self,
        sensor: &SensorId,
        again: &mut Again,
        pipeline: &mpsc::Sender<Request>,
    ) {
        let Some(held) = self.rollouts.held.get(sensor) else { return };
        let in_force = self.installed.get(sensor).map(|installed| installed.active.clone());
        let ours = in_force.as_ref().map(|active| active.reference.digest);
        let wanted: Vec<(Digest, Option<Digest>)> =
            held.machine.watched().map(|watched| (watched.of, watched.beside)).collect();
        let nothing = wanted.is_empty() && held.watched.1.is_empty();
        if nothing || held.watched.0 == ours && held.watched.1 == wanted {
            return;
        }
        let watch = match self.watch_of(sensor, in_force, &wanted, again).await {
            Ok(watch) => watch,
            Err(error) => {
                tracing::debug!(%sensor, "what is computed beside is not known yet: {error}");
                return;
            }
        };
        let mut news = false;
        if let Some(held) = self.rollouts.held.get_mut(sensor) {
            // What is not computed is not looked at again before something changes.
            held.watched = (ours, wanted);
            news = held.machine.computes(|digest| watch.versus.iter().any(|versus| versus.of == digest));
        }
        if news {
            self.report(sensor);
        }
        // An error means that the pipeline is ending.
        let _ = pipeline.send(Request::Watch(sensor.clone(), watch)).await;
    }

    /// What is computed at a sensor. What does not verify there is not; an error says that it could not be found out.
    async fn watch_of(
        &self,
        sensor: &SensorId,
        in_force: Option<Arc<Active>>,
        wanted: &[(Digest, Option<Digest>)],
        again: &mut Again,
    ) -> Result<Watch, StoreError> {
        let mut watch = Watch::default();
        for (of, beside) in wanted {
            let mut units = Vec::new();
            for digest in [Some(*of), *beside].into_iter().flatten() {
                let known = in_force.iter().chain(&watch.others);
                let known = known.into_iter().find(|known| known.reference.digest == digest).cloned();
                let one = match known {
                    Some(known) => Some(known),
                    None => {
                        let other = self.other(sensor, digest, again).await?;
                        other.inspect(|one| watch.others.push(one.clone()))
                    }
                };
                units.push(one.map(|one| one.unit.clone()));
            }
            let alike = units.windows(2).all(|units| units[0].is_some() && units[0] == units[1]);
            if units.first().is_some_and(Option::is_some) {
                watch.versus.push(Versus { of: *of, beside: *beside, alike });
            }
        }
        Ok(watch)
    }

    async fn other(
        &self,
        sensor: &SensorId,
        digest: Digest,
        again: &mut Again,
    ) -> Result<Option<Arc<Active>>, StoreError> {
        Ok(match self.again(again, sensor, digest).await? {
            Ok(verified) => Some(Arc::new(active(&verified, self.clock.now(), false))),
            Err(why) => {
                tracing::warn!(%sensor, %digest, "it is not computed beside: {why}");
                None
            }
        })
    }

    /// The same at all sensors, after what is in force there was judged again.
    pub(super) async fn watch_all(&mut self, pipeline: &mpsc::Sender<Request>) {
        let busy: Vec<SensorId> = self.rollouts.busy().cloned().collect();
        let mut again = Again::new();
        for sensor in busy {
            if let Some(held) = self.rollouts.held.get_mut(&sensor) {
                // Nothing that is compared is the same as before.
                held.watched = (None, Vec::new());
            }
            self.watch_at(&sensor, &mut again, pipeline).await;
        }
    }

    /// Takes in what was seen since, lets time pass, and writes down what has come of it from time to time.
    pub(super) async fn look_at_rollouts(&mut self, pipeline: &mpsc::Sender<Request>) {
        let mut events = self.rollouts.kept();
        let seen = self.rollouts.beside.take();
        events.extend(seen.pairs.into_iter().map(|(sensor, pair)| (sensor, Event::Pair(Box::new(pair)))));
        let read =
            seen.readings.into_iter().map(|(sensor, of, readings)| (sensor, Event::Read { of, readings }));
        events.extend(read);
        events.extend(self.rollouts.busy().map(|sensor| (sensor.clone(), Event::Tick)));
        if events.is_empty() {
            return;
        }
        match self.happened(&events, pipeline).await {
            Ok(()) => self.save_rollouts(false).await,
            Err(error) => {
                self.events.not_activated("of a rollout", &error.to_string());
                self.rollouts.keep(events);
            }
        }
    }

    /// Has all that happened at sensors by itself carried out together.
    pub(super) async fn happened(
        &mut self,
        events: &[(SensorId, Event)],
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<(), StoreError> {
        let mut turn = Turn::new(self.clock.now(), ITSELF);
        for (sensor, event) in events {
            if let Err(refused) = self.tell(&mut turn, sensor, event.clone()).await? {
                tracing::debug!(%sensor, "of no effect on its rollout: {refused}");
            }
        }
        self.carry_out(turn, pipeline).await
    }

    /// Writes down what the rollouts go on from, if it is time.
    pub(super) async fn save_rollouts(&mut self, at_once: bool) {
        let now = self.clock.monotonic();
        let states = self.rollouts.to_save(now, at_once);
        if states.is_empty() {
            return;
        }
        match self.store.advance(RolloutStep { states, ..RolloutStep::default() }).await {
            Ok(()) => self.rollouts.saved(now),
            Err(error) => tracing::warn!("what rollouts have seen is not written: {error}"),
        }
    }

    /// Goes over to another policy of the gateway.
    pub(super) async fn follow(&mut self, policy: Policy, pipeline: &mpsc::Sender<Request>) {
        if std::mem::replace(&mut self.rollouts.policy, policy) == policy {
            return;
        }
        let held = self.rollouts.held.keys();
        let events: Vec<_> = held.map(|sensor| (sensor.clone(), Event::Policy(policy))).collect();
        if let Err(error) = self.happened(&events, pipeline).await {
            tracing::warn!("the rollouts go on by the policy before until the next start: {error}");
        }
    }

    /// How transforms come into force, at one sensor or at all that have any.
    pub(super) fn rollouts_of(&self, sensor: Option<&SensorId>) -> Vec<SensorRollout> {
        let now = self.clock.now();
        let wanted = |id: &SensorId| sensor.is_none_or(|sensor| sensor == id);
        let held = self.rollouts.held.iter().filter(|(id, _)| wanted(id));
        let mut rollouts: Vec<_> =
            held.map(|(id, held)| SensorRollout::of(id.clone(), &held.machine, now)).collect();
        order::sort_by(&mut rollouts, |one, other| one.sensor.cmp(&other.sensor));
        rollouts
    }
}
