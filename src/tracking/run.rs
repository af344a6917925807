//! The task: from readings and references to pairs that are kept, and statistics that are told.

mod begin;
mod chores;
mod keep;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::MissedTickBehavior;

use self::chores::Chore;
use super::Ask;
use super::beside::Covariates;
use super::follow::{Followers, reference_of};
use super::judges::Saving;
use super::pending::{Made, Pending};
use super::publish::Publisher;
use super::traced::Traces;
use super::tracker::Tracker;
use crate::alerting::Alerting;
use crate::domain::alert::Kind;
use crate::domain::calibration::Moment;
use crate::domain::id::SensorId;
use crate::domain::order;
use crate::domain::pairing::{Decision, Outcome, Pair};
use crate::domain::quality::{ReasonCode, State};
use crate::domain::reference::{Origin, Reference};
use crate::domain::sample::Reading;
use crate::domain::time::Timestamp;
use crate::pipeline::beside::Beside;
use crate::pipeline::live::{self, Live};
use crate::pipeline::time::TimeCheck;
use crate::runtime::clock::Clock;
use crate::source::binding::Sensors;
use crate::store::{Paired, Store, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::tracking::{ReferenceRefused, unpaired};
use crate::wire::message::ClockState;

/// How long what came is gathered before it is written together.
const TICK: Duration = Duration::from_secs(1);
/// How far back references are looked for at the start that have no pair yet, in microseconds.
const BACK: i64 = 2 * 86_400_000_000;
/// How far back the readings of sensors that are references are looked through at the start.
const BACK_READINGS: i64 = 2 * 3_600_000_000;
/// References without a pair that are remembered, for readings that come late.
const UNPAIRED: usize = 4096;
/// References that may wait to be looked up before no more are taken.
const LATE: usize = 4096;

/// Where readings come from, and where what is made of them goes.
#[derive(Debug)]
pub struct Parts {
    pub sensors: Sensors,
    pub store: Store,
    pub live: Live,
    /// Told when the sensors have come to be others.
    pub anew: Arc<Notify>,
    /// Counts how often that was followed.
    pub begun: watch::Sender<u64>,
    pub clock: Clock,
    /// Whether that can be believed.
    pub time: TimeCheck,
    pub metrics: Metrics,
    pub publisher: Publisher,
    pub alerting: Alerting,
    /// What other transforms make of the readings.
    pub beside: Beside,
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
    traces: Traces,
    /// The number of the last reading that was taken.
    last: u64,
    live: Option<broadcast::Receiver<Arc<[Reading]>>>,
    /// Sensors that a template is thought to make again.
    possible: HashSet<SensorId>,
    /// Readings up to now are in the store only.
    behind: bool,
    /// What is stored could not be taken up.
    pub(super) unknown: bool,
    /// Nothing is asked of the store until the next tick, ...
    resting: bool,
    /// ... and it has been said why.
    failing: bool,
    late: VecDeque<Reference>,
    chores: VecDeque<Chore>,
    /// Those whose sensor has too many that wait, with the time when they are looked up again.
    aside: VecDeque<(Timestamp, Reference)>,
    /// The youngest references that have no pair.
    unpaired: VecDeque<Reference>,
    pending: Pending,
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
            traces: Traces::default(),
            last: 0,
            live: None,
            possible: HashSet::new(),
            behind: false,
            unknown: false,
            resting: false,
            failing: false,
            late: VecDeque::new(),
            chores: VecDeque::new(),
            aside: VecDeque::new(),
            unpaired: VecDeque::new(),
            pending: Pending::default(),
        }
    }

    /// Runs until nobody can ask any more.
    pub async fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.begin().await;
        loop {
            tokio::select! {
                // What is read from the store comes first.
                batch = live::next(&mut self.live), if !self.behind => match batch {
                    Ok(batch) => self.readings(&batch),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                    Err(broadcast::error::RecvError::Closed) => self.live = None,
                },
                ask = asks.recv(), if self.late.len() < LATE => match ask {
                    None => return,
                    Some(ask) => self.serve(ask).await,
                },
                () = self.parts.anew.notified() => {
                    self.begin().await;
                    self.parts.begun.send_modify(|begun| *begun += 1);
                }
                _ = ticks.tick() => self.tick().await,
                // A little at a time, so that nothing else waits for much.
                () = std::future::ready(()), if self.has_work() => self.work().await,
            }
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(super) fn moment(&self) -> Moment {
        let trusted = self.parts.time.of(&self.parts.clock) != ClockState::Untrusted;
        Moment { now: self.now(), trusted }
    }

    /// Takes readings fresh from the pipeline.
    fn readings(&mut self, batch: &[Reading]) {
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
                match reference_of(&sensor, reading) {
                    Some(Ok(reference)) => self.follow(reference),
                    Some(Err(error)) => {
                        let (sensor, source) = (&sensor.id, &reading.sensor);
                        ReferenceRefused { sensor, source, error: &error }.record(&self.parts.metrics);
                    }
                    None => {}
                }
            }
        }
    }

    /// Takes a reference that a reading has just made, at the time at which that came: then the same comes of it
    /// whenever this task gets to it.
    fn follow(&mut self, reference: Reference) {
        let (sensor, now) = (reference.sensor.clone(), reference.received);
        self.let_go(&sensor, &reference.id);
        self.pending.reference(reference.clone());
        let Some(tracker) = self.trackers.get_mut(&sensor) else { return };
        let mut settled = tracker.reference(reference, now);
        settled.append(&mut tracker.settle(now));
        self.decided(settled);
    }

    fn decided(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            match decision {
                Decision::Look(reference, _) => self.delay(reference),
                Decision::Settled(reference, outcome) => self.settled(reference, outcome),
            }
        }
    }

    fn settled(&mut self, reference: Reference, outcome: Outcome) {
        match outcome {
            Outcome::Paired(mut pair) => {
                self.doubt(&mut pair);
                let tracker = self.trackers.get(&pair.sensor);
                let beside = tracker.map(|tracker| self.covariates.note(tracker.sensor(), &mut pair));
                self.pending.pair(Made { pair: *pair, beside: beside.unwrap_or_default() });
            }
            other => {
                unpaired(&self.parts.metrics, &reference, &other);
                if matches!(other, Outcome::NoReading { .. } | Outcome::TooFew { .. } | Outcome::Changed) {
                    self.miss(reference);
                }
            }
        }
    }

    /// Marks a pair beside which a monitor finds that the sensor or its reference is not itself. The reference's own
    /// flag stays: it says what whoever gave it knew.
    fn doubt(&self, pair: &mut Pair) {
        use Kind::{Noise, OutOfDomain, Spikes, Stuck};
        let alerting = &self.parts.alerting;
        let sensor = self.trackers.get(&pair.sensor).map(Tracker::sensor);
        let reference = sensor.and_then(|sensor| sensor.comparison.reference.as_ref());
        let of_sensor = reference.filter(|_| pair.origin == Origin::Sensor);
        let kinds = [Stuck, Noise, Spikes, OutOfDomain];
        let stuck = alerting.stands(&pair.sensor, &[Stuck]).then_some(ReasonCode::Stuck);
        let beside = of_sensor.is_some_and(|reference| alerting.stands(&reference.sensor, &kinds));
        for reason in stuck.into_iter().chain(beside.then_some(ReasonCode::Interference)) {
            pair.reasons = pair.reasons.with(reason);
            pair.state = pair.state.max(State::Suspect);
        }
    }

    /// Remembers a reference that readings which come late could give a pair.
    fn miss(&mut self, reference: Reference) {
        let Some(tracker) = self.trackers.get_mut(&reference.sensor) else { return };
        tracker.miss(&reference);
        if self.unpaired.len() >= UNPAIRED {
            self.unpaired.pop_front();
        }
        self.unpaired.push_back(reference);
    }

    /// Looks references up once more whose readings came late.
    fn take_back(&mut self, now: Timestamp) {
        let back = self.trackers.iter_mut().filter_map(|(id, it)| it.takes_back(now).then(|| id.clone()));
        let back: HashSet<SensorId> = back.collect();
        if !back.is_empty() {
            let all = std::mem::take(&mut self.unpaired);
            let (again, rest): (VecDeque<_>, _) =
                all.into_iter().partition(|reference| back.contains(&reference.sensor));
            self.unpaired = rest;
            again.into_iter().for_each(|reference| self.delay(reference));
        }
    }

    /// Whether every reading that was shown has been taken: else one that a reference waits for may be among them.
    fn is_current(&self) -> bool {
        !self.behind && self.live.as_ref().is_none_or(broadcast::Receiver::is_empty)
    }

    /// Whether somebody is about to pair a reference, or has tried.
    fn has(&self, reference: &Reference) -> bool {
        let same = |other: &Reference| other.sensor == reference.sensor && other.id == reference.id;
        let aside = self.aside.iter().map(|(_, reference)| reference);
        self.pending.has(reference) || self.late.iter().chain(&self.unpaired).chain(aside).any(same)
    }

    async fn serve(&mut self, ask: Ask) {
        let now = self.now();
        let done = match ask {
            Ask::Finish(done) => {
                self.keep().await;
                self.finish().await;
                // Whoever asked may have given up waiting.
                let _ = done.send(());
                Ok(())
            }
            Ask::References(references) => self.compare_given(references).await,
            Ask::Keep(references, answer) => self.keep_given(references, answer).await,
            Ask::Withdraw(order, answer) => {
                let withdrawn = self.withdraw(order).await;
                // Whoever asked may have given up waiting.
                drop(answer.send(withdrawn));
                Ok(())
            }
            Ask::Mounted(sensor, at) => {
                self.trackers.get_mut(&sensor).into_iter().for_each(|tracker| tracker.mount(at));
                self.parts.mounted.insert(sensor, at);
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
            self.failed(&error);
            self.sweep(now);
        }
    }

    /// Pairs references that somebody gave; meanwhile they may have been withdrawn, or given once more.
    async fn compare_given(&mut self, references: Vec<Reference>) -> Result<(), StoreError> {
        let references = self.parts.store.counting(references).await?;
        self.compare_all(references).await
    }

    /// Pairs those of these stored references that have no pair yet.
    async fn compare_all(&mut self, references: Vec<Reference>) -> Result<(), StoreError> {
        let found = self.parts.store.paired(references.clone()).await?;
        // All of these are gone from the store, whatever becomes of the first.
        for (reference, found) in references.iter().zip(&found) {
            if *found == Paired::Otherwise {
                self.make_stale(&reference.sensor);
            }
        }
        for (reference, found) in references.into_iter().zip(found) {
            if found != Paired::Yes {
                self.compare(reference).await?;
            }
        }
        Ok(())
    }

    /// Pairs a reference that is stored.
    async fn compare(&mut self, reference: Reference) -> Result<(), StoreError> {
        let (id, now) = (reference.sensor.clone(), self.now());
        self.let_go(&id, &reference.id);
        if !self.trackers.contains_key(&id) {
            self.take_up_by_hand(&id).await?;
        }
        let is_current = self.is_current();
        let Some(tracker) = self.trackers.get_mut(&id) else { return Ok(()) };
        if !is_current || reference.event.is_some() {
            // The store has all readings, and that of an event may be of any time.
            self.delay(reference);
            return Ok(());
        }
        let mut settled = tracker.reference(reference, now);
        settled.append(&mut tracker.settle(now));
        self.decided(settled);
        Ok(())
    }

    async fn tick(&mut self) {
        self.resting = false;
        if self.unknown {
            self.begin().await;
        }
        let now = self.now();
        if self.is_current() {
            let settled: Vec<Decision> =
                self.trackers.values_mut().flat_map(|tracker| tracker.settle(now)).collect();
            self.decided(settled);
            self.take_back(now);
            self.take_up_aside(now);
        }
        self.keep().await;
        self.judge().await;
        let elapsed = self.parts.clock.monotonic();
        self.parts.publisher.publish(&mut self.trackers, now, elapsed);
    }
}

#[cfg(test)]
mod tests;
