//! One sample, one reading: apply the transform in force and say what the result is worth.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use self::judge::Told;
use self::others::Others;
use super::active::Active;
use super::side_by_side::Groups;
use super::watch::Watch;
use crate::config::peers::PeersConfig;
use crate::domain::calibration::{Dated, Latest, Said};
use crate::domain::id::{Id, SensorId};
use crate::domain::monitor::Finding;
use crate::domain::monitor::check::CheckKind;
use crate::domain::monitor::scheduled::{CheckOutcome, Checking};
use crate::domain::order;
use crate::domain::quality::{ReasonCode, Reasons, State};
use crate::domain::sample::{Reading, Sample};
use crate::domain::sensor::Sensor;
use crate::domain::time::Timestamp;
use crate::domain::transform::{Covariate, MAX_COVARIATES, Output};

pub use crate::domain::calibration::Moment;
pub use judge::Judgement;

/// What happens at the expiry of the transform in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExpired {
    /// It stays, flagged.
    Keep,
    /// Readings go out raw.
    Uncalibrated,
}

/// One sensor in the pipeline.
#[derive(Debug)]
struct Slot {
    sensor: Arc<Sensor>,
    active: Option<Arc<Active>>,
    last_seq: Option<u64>,
    latest: Option<Latest>,
    watch: Watch,
    checking: Checking,
    told: Told,
    /// Whether the configuration no longer names it.
    gone: bool,
}

impl Slot {
    /// Takes a reading for the checks, by its value where there is a transform; in maintenance it is none.
    fn check(&mut self, reading: &Reading, now: Duration) -> Vec<CheckOutcome> {
        let value = if reading.transform.is_some() { reading.value } else { reading.raw };
        let value = value.filter(|_| !reading.reasons.contains(ReasonCode::Maintenance));
        self.checking.note(&self.sensor.checks, (reading.time, now), value)
    }

    /// What the other sensors' transforms may take from this reading.
    fn as_covariate(&self, sample: &Sample, reading: &Reading) -> Option<Latest> {
        let said = Said {
            raw: reading.raw,
            u_raw: sample.u.or(self.sensor.uncertainty),
            value: reading.value,
            u: reading.u,
            calibrated: reading.transform.is_some(),
        };
        Latest::of(&said, sample.gateway_time)
    }
}

/// All sensors in the pipeline, with what is in force at each.
#[derive(Debug)]
pub struct Calibrator {
    slots: Vec<Slot>,
    index: HashMap<SensorId, usize>,
    waiting: HashMap<SensorId, Arc<Active>>,
    last_seqs: HashMap<SensorId, u64>,
    /// What was learnt before the start of sensors that have no place yet: JSON.
    learnt: HashMap<SensorId, String>,
    maintenance: HashSet<SensorId>,
    groups: Groups,
    others: Others,
    findings: Vec<(SensorId, Finding)>,
    outcomes: Vec<(SensorId, CheckOutcome)>,
    /// The slot whose turn it is to be judged.
    next_judged: usize,
    /// Since the start, by a clock that never jumps.
    elapsed: Duration,
    on_expired: OnExpired,
}

impl Calibrator {
    /// No sensors yet; `last_seqs` are the sequence numbers of their last readings before the start.
    pub fn new(last_seqs: HashMap<SensorId, u64>, on_expired: OnExpired) -> Calibrator {
        Calibrator {
            slots: Vec::new(),
            index: HashMap::new(),
            waiting: HashMap::new(),
            last_seqs,
            learnt: HashMap::new(),
            maintenance: HashSet::new(),
            groups: Groups::default(),
            others: Others::default(),
            findings: Vec::new(),
            outcomes: Vec::new(),
            next_judged: 0,
            elapsed: Duration::ZERO,
            on_expired,
        }
    }

    /// Whether the sensor has a place already.
    pub fn knows(&self, sensor: &SensorId) -> bool {
        self.index.contains_key(sensor)
    }

    /// Makes a place for a sensor, from which readings are expected from now on.
    pub fn add(&mut self, sensor: Arc<Sensor>) {
        let active = self.waiting.remove(&sensor.id);
        let last_seq = self.last_seqs.remove(&sensor.id);
        self.index.insert(sensor.id.clone(), self.slots.len());
        let (watch, checking) = self.go_on(&sensor);
        let told = Told::default();
        self.slots.push(Slot { sensor, active, last_seq, latest: None, watch, checking, told, gone: false });
    }

    /// Takes over another configuration: the sensors' facts, and what happens at an expiry.
    pub fn reconfigure(&mut self, facts: impl Fn(&SensorId) -> Option<Arc<Sensor>>, on_expired: OnExpired) {
        self.on_expired = on_expired;
        self.follow(facts);
    }

    /// Takes over the sensors' facts.
    pub fn follow(&mut self, facts: impl Fn(&SensorId) -> Option<Arc<Sensor>>) {
        for slot in &mut self.slots {
            let sensor = facts(&slot.sensor.id);
            let was_gone = std::mem::replace(&mut slot.gone, sensor.is_none());
            match sensor {
                Some(sensor) => {
                    let known = slot.checking.checked(&slot.sensor.checks);
                    slot.checking = Checking::resume(&sensor.checks, known);
                    if slot.watch.follow(&slot.sensor, &sensor, self.elapsed) {
                        self.groups.forget(&sensor.id);
                        slot.checking = Checking::default();
                        slot.told.begin_anew();
                    } else if was_gone {
                        slot.watch = Watch::expecting(self.elapsed);
                    }
                    slot.sensor = sensor;
                }
                // What a sensor that is gone has delivered before is still read with its old facts.
                None => {
                    (slot.watch, slot.checking, slot.told) =
                        (Watch::default(), Checking::default(), Told::default());
                }
            }
        }
    }

    /// Changes what is in force at a sensor; one that is not known yet gets it on first sight.
    pub fn set_active(&mut self, sensor: &SensorId, active: Option<Arc<Active>>) {
        match self.index.get(sensor) {
            Some(index) => self.slots[*index].active = active,
            None => match active {
                Some(active) => drop(self.waiting.insert(sensor.clone(), active)),
                None => drop(self.waiting.remove(sensor)),
            },
        }
    }

    /// Goes over to these groups of sensors that measure the same thing.
    pub fn compare(&mut self, peers: Vec<PeersConfig>) {
        self.groups.change(peers);
    }

    /// Notes whether a sensor is in maintenance; it need not be known yet.
    pub fn maintain(&mut self, sensor: SensorId, on: bool) {
        if on {
            self.maintenance.insert(sensor);
        } else {
            self.maintenance.remove(&sensor);
        }
    }

    /// What is in force, by sensor, also at sensors that are not known yet.
    pub fn in_force(&self) -> Vec<(SensorId, Arc<Active>)> {
        let known = self.slots.iter().filter_map(|slot| Some((slot.sensor.id.clone(), slot.active.clone()?)));
        let waiting = self.waiting.iter().map(|(id, active)| (id.clone(), active.clone()));
        let mut all: Vec<_> = known.chain(waiting).collect();
        order::sort_by(&mut all, |(one, _), (other, _)| one.cmp(other));
        all
    }

    /// Notes how much time has passed since the start.
    pub fn pass(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
    }

    /// Notes that the clock on the wall has jumped: a check that goes on by it has no result.
    pub fn clock_jumped(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.checking.give_up());
    }

    /// Looks for sensors that have come to be silent, and for checks that have ended, at `time` on the wall.
    pub fn look(&mut self, time: Timestamp) {
        for slot in &mut self.slots {
            if !slot.sensor.checks.is_empty() {
                let ended = slot.checking.look(&slot.sensor.checks, self.elapsed);
                self.outcomes.extend(ended.into_iter().map(|outcome| (slot.sensor.id.clone(), outcome)));
            }
            if let Some(monitoring) = &slot.sensor.monitor
                && !self.maintenance.contains(&slot.sensor.id)
            {
                let found = slot.watch.look(monitoring, self.elapsed, time);
                self.findings.extend(found.map(|finding| (slot.sensor.id.clone(), finding)));
            }
        }
    }

    /// Turns a sample into the reading numbered `seq`; `None` if its sensor has no place.
    pub fn reading(&mut self, sample: &Sample, seq: u64, moment: Moment) -> Option<Reading> {
        let index = *self.index.get(&sample.sensor)?;
        let time = sample.device_time.unwrap_or(sample.gateway_time);
        let mut reading = self.blank(index, sample, seq, time);
        if !moment.trusted {
            reading.reasons = reading.reasons.with(ReasonCode::TimeUntrusted);
            reading.state = State::Suspect;
        }
        if self.maintenance.contains(&sample.sensor) {
            reading.reasons = reading.reasons.with(ReasonCode::Maintenance);
            reading.state = State::Suspect;
        }
        // A gateway that does not know the time does not know when a check is.
        let dated = moment.trusted || sample.device_time.is_some();
        let check = Checking::at(&self.slots[index].sensor.checks, time).filter(|_| dated);
        if let Some(kind) = check {
            reading.reasons = reading.reasons.with(offered(kind));
            reading.state = State::Invalid;
        }
        match sample.raw {
            None => reading.state = State::Missing,
            Some(raw) => self.calibrate(index, sample, raw, moment, &mut reading),
        }
        self.compute_others(index, sample, moment, &reading);
        let slot = &mut self.slots[index];
        slot.watch.heard(self.elapsed);
        if let Some(monitoring) = &slot.sensor.monitor
            && let Some(found) = slot.watch.note(monitoring, &mut reading)
        {
            self.findings.extend(found.into_iter().map(|finding| (sample.sensor.clone(), finding)));
        }
        let beside = self.groups.note(&reading);
        self.findings.extend(beside.map(|finding| (sample.sensor.clone(), finding)));
        slot.last_seq = Some(seq);
        if dated && !slot.sensor.checks.is_empty() {
            let ended = slot.check(&reading, self.elapsed);
            self.outcomes.extend(ended.into_iter().map(|outcome| (sample.sensor.clone(), outcome)));
        }
        if let Some(latest) = slot.as_covariate(sample, &reading).filter(|_| check.is_none()) {
            slot.latest = Some(latest);
        }
        Some(reading)
    }

    /// What the monitors have found in the readings since this was asked last.
    pub fn findings(&mut self) -> Vec<(SensorId, Finding)> {
        std::mem::take(&mut self.findings)
    }

    /// What has come of checks since this was asked last.
    pub fn outcomes(&mut self) -> Vec<(SensorId, CheckOutcome)> {
        std::mem::take(&mut self.outcomes)
    }

    fn blank(&self, index: usize, sample: &Sample, seq: u64, time: Timestamp) -> Reading {
        let slot = &self.slots[index];
        Reading {
            sensor: slot.sensor.id.clone(),
            seq,
            after: slot.last_seq,
            time,
            received: sample.gateway_time,
            raw: sample.raw,
            value: None,
            u: None,
            p0_p1: None,
            unit: slot.active.as_ref().map_or(&slot.sensor.unit, |active| &active.unit).clone(),
            state: State::Valid,
            reasons: Reasons::NONE,
            transform: None,
            event: sample.event.clone(),
        }
    }

    fn calibrate(&self, index: usize, sample: &Sample, raw: f64, moment: Moment, reading: &mut Reading) {
        let slot = &self.slots[index];
        let stays =
            |active: &Active| self.on_expired == OnExpired::Keep || !dated(active).has_expired(moment);
        let Some(active) = slot.active.as_ref().filter(|active| stays(active)) else {
            reading.unit = slot.sensor.unit.clone();
            reading.state = reading.state.max(State::Suspect);
            reading.reasons = reading.reasons.with(ReasonCode::RawOnly);
            return;
        };
        let output = self.apply(active, slot, sample, raw, moment);
        reading.value = output.value;
        reading.u = output.u;
        reading.p0_p1 = output.p0_p1;
        reading.state = reading.state.max(output.state);
        reading.reasons = reading.reasons.union(output.reasons);
        if active.revoked {
            reading.state = reading.state.max(State::Suspect);
            reading.reasons = reading.reasons.with(ReasonCode::TransformRevoked);
        }
        reading.transform = Some(active.reference.clone());
    }

    fn apply(&self, active: &Active, slot: &Slot, sample: &Sample, raw: f64, moment: Moment) -> Output {
        let mut values = [None; MAX_COVARIATES];
        let roles = active.compiled.covariates();
        for (value, role) in values.iter_mut().zip(roles) {
            *value = slot.sensor.covariates.get(role).and_then(|id| self.covariate(id, sample.gateway_time));
        }
        dated(active).apply(raw, sample.u.or(slot.sensor.uncertainty), &values, moment)
    }

    fn covariate(&self, sensor: &Id, received: Timestamp) -> Option<Covariate> {
        self.slots[*self.index.get(sensor)?].latest.as_ref()?.beside(received)
    }
}

/// What a reading says that was made in a check; that of the precision is on a known input, as that of the span.
fn offered(kind: CheckKind) -> ReasonCode {
    match kind {
        CheckKind::Zero => ReasonCode::ZeroCheck,
        CheckKind::Span | CheckKind::Precision => ReasonCode::SpanCheck,
    }
}

fn dated(active: &Active) -> Dated<'_> {
    Dated { compiled: &active.compiled, calibrated_at: active.calibrated_at, expires: active.expires }
}

mod judge;
mod learnt;
mod others;
#[cfg(test)]
mod tests;
