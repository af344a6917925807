//! The task: from readings and references to pairs that are kept, and statistics that are told.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio::time::MissedTickBehavior;

use super::Ask;
use super::beside::Covariates;
use super::follow::{Followers, reference_of, spacing};
use super::judges::Saving;
use super::publish::Publisher;
use super::stored;
use super::tracker::Tracker;
use crate::alerting::Alerting;
use crate::domain::id::SensorId;
use crate::domain::order;
use crate::domain::pairing::{Decision, Outcome, Pair, Window};
use crate::domain::reference::Reference;
use crate::domain::sample::Reading;
use crate::domain::sensor::Sensor;
use crate::domain::time::Timestamp;
use crate::pipeline::live::Live;
use crate::pipeline::time::TimeCheck;
use crate::runtime::clock::Clock;
use crate::source::binding::Sensors;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::tracking::{ReferenceRefused, paired, unpaired};
use crate::wire::message::ClockState;

/// How long what came is gathered before it is written together.
const TICK: Duration = Duration::from_secs(1);
/// How far back references are looked for at the start that have no pair yet, in microseconds.
const BACK: i64 = 2 * 86_400_000_000;
/// How far back the readings of sensors that are references are looked through at the start.
const BACK_READINGS: i64 = 2 * 3_600_000_000;
/// References and pairs that may wait for the store.
const MOST: usize = 10_000;
/// References that may wait to be looked up before no more are taken.
const LATE: usize = 4096;

/// Where readings come from, and where what is made of them goes.
#[derive(Debug)]
pub struct Parts {
    pub sensors: Sensors,
    pub store: Store,
    pub live: Live,
    pub time: TimeCheck,
    pub clock: Clock,
    pub metrics: Metrics,
    pub publisher: Publisher,
    pub alerting: Alerting,
    /// When the instruments at sensors were mounted.
    pub mounted: HashMap<SensorId, Timestamp>,
}

/// All that is compared.
#[derive(Debug)]
pub struct Tracking {
    pub(super) parts: Parts,
    followers: Followers,
    pub(super) trackers: HashMap<SensorId, Tracker>,
    pub(super) saving: Saving,
    covariates: Covariates,
    /// The number of the last reading that was taken.
    last: u64,
    late: VecDeque<Reference>,
    references: Vec<Reference>,
    pairs: Vec<Pair>,
    /// Covariates of those pairs that have to be looked up: of which, in which role, which sensor.
    beside: Vec<(usize, String, SensorId)>,
}

impl Tracking {
    /// Nothing is compared yet.
    pub fn new(parts: Parts) -> Tracking {
        Tracking {
            parts,
            followers: Followers::default(),
            trackers: HashMap::new(),
            saving: Saving::default(),
            covariates: Covariates::default(),
            last: 0,
            late: VecDeque::new(),
            references: Vec::new(),
            pairs: Vec::new(),
            beside: Vec::new(),
        }
    }

    /// Runs until nobody can ask any more.
    pub async fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut live = self.begin().await;
        loop {
            tokio::select! {
                batch = next(&mut live) => match batch {
                    Ok(batch) => self.readings(&batch),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.catch_up().await,
                    Err(broadcast::error::RecvError::Closed) => live = None,
                },
                ask = asks.recv(), if self.late.len() < LATE => match ask {
                    None => return,
                    Some(Ask::Reconfigured) => live = self.begin().await,
                    Some(ask) => self.serve(ask).await,
                },
                _ = ticks.tick() => self.tick().await,
                // One at a time, so that readings do not wait for many.
                () = std::future::ready(()), if !self.late.is_empty() => self.look_up().await,
            }
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Takes up what is configured and stored; answers with the readings to come, if any are needed.
    async fn begin(&mut self) -> Option<broadcast::Receiver<Arc<[Reading]>>> {
        let follows = self.parts.sensors.any(|sensor| sensor.comparison.is_followed());
        // From here on nothing is missed; what comes twice is known by its number.
        let live = follows.then(|| self.parts.live.watch());
        self.keep().await;
        self.finish().await;
        self.followers = Followers::default();
        self.trackers.clear();
        self.covariates = Covariates::default();
        if let Err(error) = self.restore().await {
            tracing::warn!("what references said before is not known: {error}");
        }
        live
    }

    async fn restore(&mut self) -> Result<(), StoreError> {
        self.parts.store.flush().await?;
        let newest = self.parts.store.latest(None).await?;
        self.last = newest.iter().map(|reading| reading.seq).max().unwrap_or(0).max(self.last);
        let newest: HashMap<SensorId, Reading> =
            newest.into_iter().map(|reading| (reading.sensor.clone(), reading)).collect();
        let sensors = self.parts.sensors.all();
        let ids = sensors.iter().map(|sensor| sensor.id.clone()).collect();
        let with_pairs: HashSet<SensorId> = self.parts.store.with_pairs(ids).await?.into_iter().collect();
        for sensor in sensors {
            self.followers.add(&sensor);
            let has_pairs = with_pairs.contains(&sensor.id);
            if has_pairs || sensor.comparison.is_followed() {
                let newest = newest.get(&sensor.id);
                self.take_up(sensor, newest, has_pairs).await?;
            }
        }
        self.resume_judges().await?;
        for tracker in self.trackers.values() {
            let after = |id: &SensorId| newest.get(id).map(|reading| reading.time.saturating_add_micros(1));
            self.covariates.add(tracker.sensor(), |id| after(id).unwrap_or(Timestamp::EPOCH));
        }
        let now = self.now();
        let earliest = self.trackers.values().map(|tracker| tracker.now(now)).min().unwrap_or(now);
        self.follow_up(now).await?;
        let young = [earliest, now].map(|time| time.saturating_add_micros(-BACK));
        for reference in stored::references(&self.parts.store, young).await? {
            if !stored::is_paired(&self.parts.store, &reference).await? {
                self.compare(reference).await?;
            }
        }
        Ok(())
    }

    /// Takes up a sensor that names a reference, or has pairs.
    async fn take_up(
        &mut self,
        sensor: Arc<Sensor>,
        newest: Option<&Reading>,
        has_pairs: bool,
    ) -> Result<(), StoreError> {
        let configured = sensor.comparison.reference.as_ref();
        let other = configured.and_then(|reference| self.parts.sensors.get(&reference.sensor));
        let spacing = configured.and_then(|configured| spacing(configured, other.as_deref()));
        let id = sensor.id.clone();
        let mut tracker = Tracker::new(sensor, spacing, self.parts.mounted.get(&id).copied());
        newest.into_iter().for_each(|reading| tracker.resume(reading));
        if has_pairs {
            // Unless it turns out that it is stored.
            tracker.judging_mut().make_stale();
            self.recount(&mut tracker).await?;
        }
        self.trackers.insert(id, tracker);
        Ok(())
    }

    /// Counts a sensor's stored pairs anew.
    async fn recount(&self, tracker: &mut Tracker) -> Result<(), StoreError> {
        let (now, id) = (self.now(), tracker.sensor().id.clone());
        let since = tracker.since(now);
        tracker.begin_recount();
        stored::pairs(&self.parts.store, &id, since, |pair| tracker.recount(pair, now)).await
    }

    /// Makes references of the latest stored readings of sensors that are references; those that are known
    /// change nothing.
    async fn follow_up(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let mut found = Vec::new();
        let trusted = self.is_trusted();
        for (reference, sensors) in self.followers.all() {
            let until = now.saturating_add_micros(BACK_READINGS);
            for sensor in sensors {
                let from = self.trackers.get(&sensor.id).map_or(now, |tracker| tracker.now(now));
                let window = Window { since: from.saturating_add_micros(-BACK_READINGS), until };
                stored::each(&self.parts.store, reference, window, |reading| {
                    found.extend(reference_of(sensor, reading, now, trusted).and_then(Result::ok));
                })
                .await?;
            }
        }
        self.references.append(&mut found);
        self.keep().await;
        Ok(())
    }

    fn is_trusted(&self) -> bool {
        self.parts.time.of(&self.parts.clock) != ClockState::Untrusted
    }

    /// Takes readings fresh from the pipeline.
    fn readings(&mut self, batch: &[Reading]) {
        let (now, trusted) = (self.now(), self.is_trusted());
        for reading in batch {
            if reading.seq <= self.last {
                continue;
            }
            self.last = reading.seq;
            self.meet(reading);
            self.covariates.reading(reading);
            if let Some(tracker) = self.trackers.get_mut(&reading.sensor) {
                tracker.reading(reading);
            }
            for sensor in self.followers.of(&reading.sensor).to_vec() {
                if let Some(tracker) = self.trackers.get_mut(&sensor.id) {
                    tracker.note(reading);
                }
                match reference_of(&sensor, reading, now, trusted) {
                    Some(Ok(reference)) => self.follow(reference, now),
                    Some(Err(error)) => {
                        let (sensor, source) = (&sensor.id, &reading.sensor);
                        ReferenceRefused { sensor, source, problem: &error.to_string() }
                            .record(&self.parts.metrics);
                    }
                    None => {}
                }
            }
        }
    }

    /// Takes up a sensor that a template has just made.
    fn meet(&mut self, reading: &Reading) {
        if self.followers.knows(&reading.sensor) {
            return;
        }
        let Some(sensor) = self.parts.sensors.get(&reading.sensor) else { return };
        self.followers.add(&sensor);
        if sensor.comparison.is_followed() {
            let configured = sensor.comparison.reference.as_ref();
            let other = configured.and_then(|configured| self.parts.sensors.get(&configured.sensor));
            let spacing = configured.and_then(|configured| spacing(configured, other.as_deref()));
            self.covariates.add(&sensor, |_| reading.time);
            let tracker = Tracker::new(sensor, spacing, None);
            self.trackers.insert(reading.sensor.clone(), tracker);
        }
    }

    fn follow(&mut self, reference: Reference, now: Timestamp) {
        let sensor = reference.sensor.clone();
        self.references.push(reference.clone());
        let Some(tracker) = self.trackers.get_mut(&sensor) else { return };
        let mut settled = tracker.reference(reference, now);
        settled.append(&mut tracker.settle(now));
        self.decided(settled);
    }

    fn decided(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            match decision {
                Decision::Look(reference, _) => self.late.push_back(reference),
                Decision::Settled(reference, outcome) => self.settled(&reference, outcome),
            }
        }
    }

    fn settled(&mut self, reference: &Reference, outcome: Outcome) {
        match outcome {
            Outcome::Paired(mut pair) => {
                if let Some(tracker) = self.trackers.get(&pair.sensor) {
                    let left = self.covariates.note(tracker.sensor(), &mut pair);
                    let place = self.pairs.len();
                    self.beside.extend(left.into_iter().map(|(role, sensor)| (place, role, sensor)));
                }
                self.pairs.push(*pair);
            }
            other => unpaired(&self.parts.metrics, reference, &other),
        }
    }

    /// Reads what was shown while this task was busy; the store has it, if not yet then soon.
    async fn catch_up(&mut self) {
        const PAGE: usize = 1000;
        if let Err(error) = self.parts.store.flush().await {
            tracing::warn!("readings are not compared with references: {error}");
            return;
        }
        loop {
            match self.parts.store.read_after(self.last, PAGE, u64::MAX).await {
                Ok(page) => {
                    self.readings(&page);
                    self.keep().await;
                    // What has come since is on its way here.
                    if page.len() < PAGE {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!("readings are not compared with references: {error}");
                    return;
                }
            }
        }
    }

    async fn serve(&mut self, ask: Ask) {
        let now = self.now();
        let done = match ask {
            Ask::Reconfigured => Ok(()),
            Ask::Finish(done) => {
                self.keep().await;
                self.finish().await;
                // Whoever asked may have given up waiting.
                let _ = done.send(());
                Ok(())
            }
            Ask::References(references) => self.compare_all(references).await,
            Ask::Withdrawn(sensor, ids) => {
                // What waits to be written would come again.
                self.keep().await;
                self.late.retain(|late| late.sensor != sensor || !ids.contains(&late.id));
                self.trackers.get_mut(&sensor).into_iter().for_each(|tracker| tracker.withdraw(&ids));
                Ok(())
            }
            Ask::Mounted(sensor) => {
                self.trackers.get_mut(&sensor).into_iter().for_each(|tracker| tracker.mount(now));
                self.parts.mounted.insert(sensor, now);
                Ok(())
            }
            Ask::Drift(wanted, answer) => {
                self.keep().await;
                let fits = |id: &SensorId| wanted.sensor.as_ref().is_none_or(|sensor| sensor == id);
                let trackers = self.trackers.iter().filter(|(id, _)| fits(id));
                let mut found: Vec<_> = trackers.filter_map(|(_, it)| it.drift(&wanted, now)).collect();
                order::sort_by(&mut found, |one, other| one.sensor.cmp(&other.sensor));
                // Whoever asked may have given up waiting.
                drop(answer.send(found));
                Ok(())
            }
        };
        if let Err(error) = done {
            tracing::warn!("references wait to be paired until calibd starts again: {error}");
        }
    }

    async fn compare_all(&mut self, references: Vec<Reference>) -> Result<(), StoreError> {
        for reference in references {
            self.compare(reference).await?;
        }
        Ok(())
    }

    /// Takes up a sensor that names no reference, and has got one all the same.
    async fn take_up_by_hand(&mut self, id: &SensorId) -> Result<(), StoreError> {
        let newest = self.parts.store.latest(Some(vec![id.clone()])).await?;
        let Some(sensor) = self.parts.sensors.get(id) else { return Ok(()) };
        self.take_up(sensor, newest.first(), true).await
    }

    /// Pairs a reference that is stored.
    async fn compare(&mut self, reference: Reference) -> Result<(), StoreError> {
        let (id, now) = (reference.sensor.clone(), self.now());
        if !self.trackers.contains_key(&id) {
            self.take_up_by_hand(&id).await?;
        }
        let Some(tracker) = self.trackers.get_mut(&id) else { return Ok(()) };
        let mut settled = tracker.reference(reference, now);
        settled.append(&mut tracker.settle(now));
        self.decided(settled);
        Ok(())
    }

    /// Looks one late reference up.
    async fn look_up(&mut self) {
        let Some(reference) = self.late.pop_front() else { return };
        // A reload may have let go of a sensor that has no pairs yet.
        if !self.trackers.contains_key(&reference.sensor)
            && let Err(error) = self.take_up_by_hand(&reference.sensor).await
        {
            tracing::warn!("a reference of {} is not paired: {error}", reference.sensor);
        }
        let Some(tracker) = self.trackers.get(&reference.sensor) else { return };
        let (how, now) = (*tracker.how(), tracker.now(self.now()));
        let found = async {
            self.parts.store.flush().await?;
            self.parts.store.pair(&reference, &how, now).await
        };
        match found.await {
            Ok(Outcome::Waiting { .. }) => {
                let now = self.now();
                if let Some(tracker) = self.trackers.get_mut(&reference.sensor) {
                    let settled = tracker.reference(reference, now);
                    self.decided(settled);
                }
            }
            Ok(outcome) => self.settled(&reference, outcome),
            Err(error) => tracing::warn!("a reference of {} is not paired: {error}", reference.sensor),
        }
    }

    async fn tick(&mut self) {
        let now = self.now();
        let settled: Vec<Decision> =
            self.trackers.values_mut().flat_map(|tracker| tracker.settle(now)).collect();
        self.decided(settled);
        self.keep().await;
        self.judge().await;
        let elapsed = self.parts.clock.monotonic();
        self.parts.publisher.publish(&mut self.trackers, now, elapsed);
    }

    /// Writes what has come since, and counts the pairs.
    async fn keep(&mut self) {
        if let Err(error) = self.try_to_keep().await {
            let left_out = (self.references.len() + self.pairs.len()).saturating_sub(2 * MOST);
            self.references.truncate(MOST);
            self.pairs.truncate(MOST);
            self.beside.retain(|(place, ..)| *place < MOST);
            tracing::warn!(left_out, "references and pairs are not written: {error}");
        }
    }

    async fn try_to_keep(&mut self) -> Result<(), StoreError> {
        if !self.references.is_empty() {
            self.parts.store.keep_references(self.references.clone()).await?;
            self.references.clear();
        }
        if !self.pairs.is_empty() {
            self.add_covariates().await?;
            let replaced = self.parts.store.insert_pairs(self.pairs.clone()).await?;
            let now = self.now();
            for (pair, replaced) in std::mem::take(&mut self.pairs).into_iter().zip(replaced) {
                paired(&self.parts.metrics, &pair);
                match self.trackers.get_mut(&pair.sensor) {
                    // The one before it was counted.
                    Some(tracker) if replaced => tracker.make_stale(),
                    Some(tracker) => {
                        tracker.pair(&pair, now);
                        self.saving.pair();
                    }
                    None => {}
                }
            }
        }
        let stale: Vec<SensorId> = self
            .trackers
            .iter()
            .filter(|(_, tracker)| tracker.is_stale())
            .map(|(id, _)| id.clone())
            .collect();
        for id in stale {
            let Some(mut tracker) = self.trackers.remove(&id) else { continue };
            let counted = self.recount(&mut tracker).await;
            if counted.is_err() {
                tracker.make_stale();
            }
            self.trackers.insert(id, tracker);
            counted?;
        }
        self.judge_anew().await?;
        self.save_judges_in_time().await
    }

    /// Looks up the covariates beside pairs that are not remembered.
    async fn add_covariates(&mut self) -> Result<(), StoreError> {
        while let Some((place, role, sensor)) = self.beside.last() {
            let Some(pair) = self.pairs.get_mut(*place) else { break };
            if let Some(value) = self.parts.store.beside(sensor, pair.span).await? {
                pair.covariates.insert(role.clone(), value);
            }
            self.beside.pop();
        }
        Ok(())
    }
}

async fn next(
    live: &mut Option<broadcast::Receiver<Arc<[Reading]>>>,
) -> Result<Arc<[Reading]>, broadcast::error::RecvError> {
    match live {
        Some(live) => live.recv().await,
        None => std::future::pending().await,
    }
}
