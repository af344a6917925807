//! Taking up what is configured and stored: at a start, at a reload, and when a sensor comes to have references.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{BACK, BACK_READINGS, Chore, Tracking};
use crate::domain::id::SensorId;
use crate::domain::pairing::Pair;
use crate::domain::pairing::Window;
use crate::domain::sample::Reading;
use crate::domain::sensor::{Kind, Sensor};
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::tracking::beside::Covariates;
use crate::tracking::follow::{Followers, spacing};
use crate::tracking::stored;
use crate::tracking::tracker::Tracker;

/// The newest stored readings, by sensor.
type Newest = HashMap<SensorId, Reading>;

impl Tracking {
    /// Takes up what is configured and stored, and watches the readings to come, if any are needed.
    pub(super) async fn begin(&mut self) {
        // Of a probability the completeness of labels is told, and one that comes before its reading waits.
        let labelled = |sensor: &Sensor| sensor.kind == Kind::Probability;
        let follows = self.parts.sensors.any(|sensor| sensor.comparison.is_followed() || labelled(sensor));
        // From here on nothing is missed; what comes twice is known by its number.
        self.live = follows.then(|| self.parts.live.watch());
        self.behind = false;
        self.keep().await;
        self.finish().await;
        self.followers = Followers::default();
        self.trackers.clear();
        self.possible.clear();
        self.unpaired.clear();
        self.aside.clear();
        self.chores.clear();
        self.covariates = Covariates::default();
        let restored = self.restore().await;
        // Until the store answers, nothing is known: what was taken up in part must not be written over the rest.
        self.unknown = restored.is_err();
        restored.unwrap_or_else(|error| {
            self.trackers.clear();
            self.failed(&error);
        });
    }

    async fn restore(&mut self) -> Result<(), StoreError> {
        self.parts.store.flush().await?;
        let newest = self.parts.store.latest(None).await?;
        self.last = newest.iter().map(|reading| reading.seq).max().unwrap_or(0).max(self.last);
        let newest: Newest = newest.into_iter().map(|reading| (reading.sensor.clone(), reading)).collect();
        let sensors = self.sensors(&newest);
        let ids = sensors.iter().map(|sensor| sensor.id.clone()).collect();
        let judges = self.parts.store.judges().await?;
        // Those whose pairs are all too old to be kept were compared all the same.
        let mut with_pairs: HashSet<SensorId> = judges.states.iter().map(|(id, _)| id.clone()).collect();
        with_pairs.extend(self.parts.store.with_pairs(ids).await?);
        let mut compared = Vec::new();
        for sensor in sensors {
            let has_pairs = with_pairs.contains(&sensor.id);
            if has_pairs {
                compared.push(sensor.id.clone());
            }
            if has_pairs || sensor.comparison.is_followed() {
                self.take_up(sensor, &newest, has_pairs);
            } else {
                self.followers.add(&sensor);
            }
        }
        self.recount(compared).await?;
        self.resume_judges(judges).await?;
        self.tell_of_others().await;
        for tracker in self.trackers.values() {
            let after = |id: &SensorId| newest.get(id).map(|reading| reading.time.saturating_add_micros(1));
            self.covariates.add(tracker.sensor(), |id| after(id).unwrap_or(Timestamp::EPOCH));
        }
        // What it was about to do when it ended, however long ago that was.
        let now = self.now();
        let ended = newest.values().map(|reading| reading.received).max().map_or(now, |last| last.min(now));
        self.sweep(ended);
        Ok(())
    }

    /// All sensors that are configured or were seen, also those that a template made before the last start.
    fn sensors(&mut self, newest: &Newest) -> Vec<Arc<Sensor>> {
        let mut sensors = self.parts.sensors.all();
        let known: HashSet<SensorId> = sensors.iter().map(|sensor| sensor.id.clone()).collect();
        for id in newest.keys().filter(|id| !known.contains(*id)) {
            if let Some(sensor) = self.parts.sensors.known_or_possible(id) {
                self.possible.insert(id.clone());
                sensors.push(sensor);
            }
        }
        sensors
    }

    /// Looks for what nobody has paired yet: readings of sensors that are references, and then references, as
    /// of this time by the gateway's clock.
    pub(super) fn sweep(&mut self, ended: Timestamp) {
        let mut chores = Vec::new();
        for (reference, sensors) in self.followers.all() {
            let known = sensors.iter().filter_map(|sensor| self.trackers.get(&sensor.id));
            let Some(from) = known.map(|tracker| tracker.now(ended)).min() else { continue };
            let window = Window {
                since: from.saturating_add_micros(-BACK_READINGS),
                until: ended.saturating_add_micros(BACK_READINGS),
            };
            chores.push(Chore::Readings { reference: reference.clone(), window, before: None, done: 0 });
        }
        let came = ended.saturating_add_micros(-BACK);
        chores.extend([false, true].map(|automatic| Chore::References { automatic, came, after: 0 }));
        for chore in chores {
            if !self.chores.iter().any(|other| other.is_like(&chore)) {
                self.chores.push_back(chore);
            }
        }
    }

    /// Takes up a sensor that names a reference, or has pairs, which are not counted yet.
    fn take_up(&mut self, sensor: Arc<Sensor>, newest: &Newest, has_pairs: bool) {
        let id = sensor.id.clone();
        let reference = sensor.comparison.reference.as_ref().map(|configured| configured.sensor.clone());
        let mut tracker = self.tracker(&sensor);
        newest.get(&id).into_iter().for_each(|reading| tracker.resume(reading));
        reference.and_then(|id| newest.get(&id)).into_iter().for_each(|reading| tracker.note(reading));
        if has_pairs {
            // Unless it turns out that it is stored.
            tracker.judging_mut().make_stale();
        }
        self.followers.add(&sensor);
        self.trackers.insert(id, tracker);
    }

    /// A tracker that knows nothing yet of what is stored.
    pub(super) fn tracker(&self, sensor: &Arc<Sensor>) -> Tracker {
        let configured = sensor.comparison.reference.as_ref();
        let other = configured.and_then(|reference| self.parts.sensors.known_or_possible(&reference.sensor));
        let spacing = configured.and_then(|configured| spacing(configured, other.as_deref()));
        Tracker::new(sensor.clone(), spacing, self.parts.mounted.get(&sensor.id).copied())
    }

    /// Counts these sensors' stored pairs anew. Where that fails, none of them is counted.
    pub(super) async fn recount(&mut self, of: Vec<SensorId>) -> Result<(), StoreError> {
        let now = self.moment();
        let trackers = &mut self.trackers;
        let mut begin = |id: SensorId| {
            let tracker = trackers.get_mut(&id)?;
            tracker.begin_recount();
            Some((id, tracker.since(now.now)))
        };
        let of: Vec<_> = of.into_iter().filter_map(&mut begin).collect();
        let mut take = |pair: &Pair| {
            trackers.get_mut(&pair.sensor).into_iter().for_each(|tracker| tracker.recount(pair, now));
        };
        let counted = stored::pairs(&self.parts.store, of.clone(), &mut take).await;
        if counted.is_err() {
            of.iter().for_each(|(id, _)| self.trackers.get_mut(id).into_iter().for_each(Tracker::make_stale));
        }
        counted
    }

    /// Takes up a sensor that was not taken up at the start, and has got a reference all the same.
    pub(super) async fn take_up_by_hand(&mut self, id: &SensorId) -> Result<(), StoreError> {
        // One that a template made before the last start may not have been seen again yet.
        let Some(sensor) = self.parts.sensors.known_or_possible(id) else { return Ok(()) };
        let reference = sensor.comparison.reference.as_ref().map(|configured| configured.sensor.clone());
        self.parts.store.flush().await?;
        let newest =
            self.parts.store.latest(Some([id.clone()].into_iter().chain(reference).collect())).await?;
        let newest = newest.into_iter().map(|reading| (reading.sensor.clone(), reading)).collect();
        self.take_up(sensor, &newest, true);
        self.recount(vec![id.clone()]).await
    }

    /// Takes up a sensor that a template has just made.
    pub(super) fn meet(&mut self, reading: &Reading) {
        let id = &reading.sensor;
        let was_possible = self.possible.remove(id);
        if !was_possible && self.followers.knows(id) {
            return;
        }
        let Some(sensor) = self.parts.sensors.get(id) else { return };
        if was_possible || reading.after.is_some() {
            let as_thought = match self.trackers.get(id) {
                Some(known) => **known.sensor() == *sensor,
                None => was_possible && !sensor.comparison.is_followed(),
            };
            // Another template has made it than was thought, or it has a past that nobody has looked for.
            if !as_thought {
                self.parts.anew.notify_one();
            }
            return;
        }
        self.followers.add(&sensor);
        if sensor.comparison.is_followed() {
            self.covariates.add(&sensor, |_| reading.time);
            self.trackers.insert(id.clone(), self.tracker(&sensor));
        }
    }
}
