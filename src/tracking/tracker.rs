//! One sensor and what it is compared with.

use std::sync::Arc;
use std::time::Duration;

use super::Wanted;
use super::judging::Judging;
use super::pairs::statistic;
use crate::domain::alert::Event;
use crate::domain::calibration::Moment;
use crate::domain::digest::Digest;
use crate::domain::drift::latency::Labels;
use crate::domain::drift::state::DriftState;
use crate::domain::drift::window::{Placed, Windows};
use crate::domain::id::Id;
use crate::domain::pairing::{Decision, How, Interval, Observed, Pair, Pairing, Window, window};
use crate::domain::reference::{FUTURE, Reference};
use crate::domain::sample::Reading;
use crate::domain::sensor::Sensor;
use crate::domain::time::{Timestamp, micros};
use crate::wire::control::SensorDrift;

/// Readings that are remembered of a sensor whose references come without an interval.
const RECENT: usize = 256;

/// The newest reading's time, by the clock of whoever made it.
#[derive(Debug, Clone, Copy)]
struct Newest {
    time: Timestamp,
    /// How much later it was received, in microseconds; at least 0.
    lag: i64,
}

impl Newest {
    fn note(newest: &mut Option<Newest>, reading: &Reading) {
        // A clock that is ahead is no reason to call everything else old.
        let time = reading.time.min(reading.received);
        if newest.is_none_or(|newest| time >= newest.time) {
            *newest = Some(Newest { time, lag: reading.received.micros_since(time) });
        }
    }
}

/// References without a pair, which readings that come late could yet give one.
#[derive(Debug, Clone, Copy)]
struct Gap {
    /// The readings that any of them calls for.
    window: Window,
    /// When the first of those came.
    filled: Option<Timestamp>,
}

/// A sensor's readings, references and pairs, as far as they are remembered.
#[derive(Debug)]
pub struct Tracker {
    sensor: Arc<Sensor>,
    how: How,
    pairing: Pairing,
    windows: Windows,
    labels: Labels,
    judging: Judging,
    /// Of the sensor, and of its reference.
    newest: [Option<Newest>; 2],
    gap: Option<Gap>,
    /// The end of the newest pair, and the transform that made it.
    paired: Option<(Timestamp, Option<Digest>)>,
    /// The reference of that pair: its value and the unit of that.
    newest_reference: Option<(f64, Arc<str>)>,
    /// Pairs from before this time do not count: another instrument was mounted then, by the gateway's clock.
    mounted: Option<Timestamp>,
    /// From when on the windows count, since another transform made the values.
    restarted: Option<Timestamp>,
    /// The windows do not hold what the store does.
    stale: bool,
    changed: bool,
}

impl Tracker {
    /// The tracker of a sensor that has no readings yet; the readings of its reference come as often as
    /// `reference` says. What was read before the last instrument was mounted does not count.
    pub fn new(sensor: Arc<Sensor>, reference: Option<Duration>, mounted: Option<Timestamp>) -> Tracker {
        let comparison = &sensor.comparison;
        let how = comparison.how(reference);
        let configured = comparison.reference.as_ref();
        let interval = configured.and_then(|reference| reference.interval);
        // Whoever is compared by hand only is looked up in the history.
        let recent = if configured.is_some() && interval.is_none() { RECENT } else { 0 };
        let interval = interval.map(|(length, _)| Interval { length });
        let setup = comparison.setup(sensor.kind);
        Tracker {
            pairing: Pairing::new(how, recent, interval, Timestamp::EPOCH),
            windows: Windows::new(setup, comparison.cohorts.count()),
            labels: Labels::new(setup.span),
            judging: Judging::new(comparison.terms(), comparison.expected.input, mounted),
            how,
            sensor,
            newest: [None, None],
            gap: None,
            paired: None,
            newest_reference: None,
            mounted,
            restarted: None,
            stale: false,
            changed: false,
        }
    }

    /// The sensor.
    pub fn sensor(&self) -> &Arc<Sensor> {
        &self.sensor
    }

    /// How it is paired.
    pub fn how(&self) -> &How {
        &self.how
    }

    /// How much later than they were measured the newest readings came, in microseconds: the sensor's or its
    /// reference's, whichever is later, for a pair needs both.
    fn lag(&self) -> i64 {
        self.newest.iter().flatten().map(|newest| newest.lag).max().unwrap_or(0)
    }

    /// Now, by the clock that the sensor's readings are dated by: what is replayed, or comes with the time of a
    /// device that runs behind, is not old.
    pub fn now(&self, gateway: Timestamp) -> Timestamp {
        gateway.saturating_add_micros(-self.lag())
    }

    /// Takes the sensor's next reading.
    pub fn reading(&mut self, reading: &Reading) {
        Newest::note(&mut self.newest[0], reading);
        let observed = Observed::from(reading);
        if observed.is_usable() {
            self.judging.reading(reading);
            self.labels.readings(reading.time, 1, self.now(reading.received));
            if let Some(gap) = &mut self.gap
                && (gap.window.since..gap.window.until).contains(&reading.time)
            {
                gap.filled.get_or_insert(reading.received);
            }
        }
        self.pairing.reading(observed);
    }

    /// Takes the sensor's newest stored reading: what came before it is in the store only.
    pub fn resume(&mut self, reading: &Reading) {
        Newest::note(&mut self.newest[0], reading);
        self.pairing.missed(reading.time.saturating_add_micros(1));
    }

    /// Takes the time of a reading of its reference.
    pub fn note(&mut self, reading: &Reading) {
        Newest::note(&mut self.newest[1], reading);
    }

    /// Notes that a reference has no pair, and that readings to come could change that.
    pub fn miss(&mut self, reference: &Reference) {
        let Window { since, until } = window(reference, &self.how);
        let gap = self.gap.get_or_insert(Gap { window: Window { since, until }, filled: None });
        gap.window = Window { since: gap.window.since.min(since), until: gap.window.until.max(until) };
    }

    /// Whether references are without a pair.
    pub fn misses(&self) -> bool {
        self.gap.is_some()
    }

    /// Says once that readings have come that those references call for, after a while in which the others that
    /// came with them have come too.
    pub fn takes_back(&mut self, gateway: Timestamp) -> bool {
        let grace = micros(self.how.grace);
        // By a clock that was set back nothing is awaited.
        let rests = |came: Timestamp| (0..grace).contains(&gateway.micros_since(came));
        let filled = self.gap.and_then(|gap| gap.filled).is_some_and(|came| !rests(came));
        if filled {
            self.gap = None;
        }
        filled
    }

    /// Takes a reference, and answers with what has become of others if it makes room for it that way.
    pub fn reference(&mut self, reference: Reference, gateway: Timestamp) -> Vec<Decision> {
        let now = self.now(gateway);
        let Err(refused) = self.pairing.reference(reference, now) else { return Vec::new() };
        let mut settled = self.pairing.settle(now);
        if let Err(refused) = self.pairing.reference(*refused, now) {
            // All that waits is younger: this one is looked up when it can be.
            let window = window(&refused, &self.how);
            settled.push(Decision::Look(*refused, window));
        }
        settled
    }

    /// What has become of the references that waited.
    pub fn settle(&mut self, gateway: Timestamp) -> Vec<Decision> {
        let now = self.now(gateway);
        match self.pairing.due() {
            Some(due) if due <= now => self.pairing.settle(now),
            _ => Vec::new(),
        }
    }

    /// Counts a new pair.
    pub fn pair(&mut self, pair: &Pair, gateway: Moment) {
        let now = self.now(gateway.now);
        let lag = self.lag();
        let time = pair.span.middle().saturating_add_micros(pair.lag);
        let came = time.saturating_add_micros(pair.latency.saturating_sub(lag).max(0));
        self.labels.labelled(time, pair.readings, now);
        self.labels.reference(time, came, now);
        self.changed = true;
        if self.count(pair, gateway) == Some(Placed::OutOfOrder) {
            self.stale = true;
        }
        self.judge(pair, gateway);
    }

    /// Takes a new pair, or a stored one, into the judgement of the sensor.
    pub fn judge(&mut self, pair: &Pair, gateway: Moment) {
        let now = self.judged_at(gateway).max(believed(pair.span.end(), gateway));
        if !self.is_of_another_instrument(pair) {
            self.judging.pair(&self.sensor, pair, now);
        }
    }

    /// How the sensor is judged.
    pub fn judging(&self) -> &Judging {
        &self.judging
    }

    /// How the sensor is judged.
    pub fn judging_mut(&mut self) -> &mut Judging {
        &mut self.judging
    }

    /// What is found now, and what is not any more.
    pub fn findings(&mut self, source: Option<Id>, gateway: Moment, elapsed: Duration) -> Vec<Event> {
        let now = self.judged_at(gateway);
        let report = self.windows.all().report(now, None);
        self.judging.events(&self.sensor, source, &report, now, elapsed)
    }

    /// Now, for judgements: never before the newest pair, so that a clock that begins in 1970 does not make all
    /// that was seen a thing to come. What is dated far ahead of a clock that can be believed is of a clock that could
    /// not be, and does not count as the newest.
    pub fn judged_at(&self, gateway: Moment) -> Timestamp {
        let newest = self.paired.map_or(Timestamp::EPOCH, |(newest, _)| believed(newest, gateway));
        newest.max(self.now(gateway.now))
    }

    fn is_of_another_instrument(&self, pair: &Pair) -> bool {
        self.mounted.is_some_and(|mounted| pair.span.begin() < self.now(mounted))
    }

    /// Counts a pair in the windows, if it is of the transform that they are about.
    fn count(&mut self, pair: &Pair, gateway: Moment) -> Option<Placed> {
        let now = self.now(gateway.now);
        let (end, transform) = (pair.span.end(), pair.transform.as_ref().map(|transform| transform.digest));
        if self.is_of_another_instrument(pair) {
            return None;
        }
        // What a clock that was ahead has dated is not the newest for ever.
        let newest = |newest| if believed(newest, gateway) == newest { newest } else { end };
        match self.paired.map(|(at, of)| (newest(at), of)) {
            Some((newest, of)) if of == transform => {
                // It came late, and moves the beginning of the window.
                self.stale |= self.restarted.is_some_and(|restarted| end < restarted);
                self.paired = Some((newest.max(end), of));
            }
            Some((newest, _)) if end < newest => {
                // It came late. If it divides the pairs that count, only those after it do.
                self.stale |= self.restarted.is_none_or(|restarted| end >= restarted);
                return None;
            }
            _ => {
                // Another transform is in force: what the one before did says nothing of it.
                if self.paired.is_some() {
                    self.windows.restart(end);
                    self.restarted = Some(end);
                }
                self.paired = Some((end, transform));
            }
        }
        if self.paired.is_some_and(|(newest, _)| newest == end) {
            self.newest_reference = Some((pair.reference_value, Arc::clone(&pair.unit)));
        }
        let statistic = statistic(&self.sensor, pair)?;
        Some(self.windows.add(&statistic, now))
    }

    /// Forgets a reference that waits.
    pub fn forget(&mut self, id: &Id) {
        self.pairing.withdraw(id);
    }

    /// Another instrument was mounted: what the one before did says nothing of it.
    pub fn mount(&mut self, gateway: Timestamp) {
        self.mounted = Some(gateway);
        self.judging.mount(gateway);
        self.stale = true;
    }

    /// What the windows hold is not what the store does any more, nor is what was judged.
    pub fn make_stale(&mut self) {
        self.stale = true;
        self.judging.make_stale();
    }

    /// Whether the pairs have to be counted again from the store.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// From when on stored pairs count now.
    pub fn since(&self, gateway: Timestamp) -> Timestamp {
        self.windows.all().setup().span.start(self.now(gateway))
    }

    /// Begins to count anew; [`Tracker::recount`] with each stored pair in the order of their ends.
    pub fn begin_recount(&mut self) {
        let setup = *self.windows.all().setup();
        self.windows = Windows::new(setup, self.sensor.comparison.cohorts.count());
        (self.paired, self.restarted, self.stale, self.changed) = (None, None, false, true);
        self.newest_reference = None;
    }

    /// Counts a stored pair.
    pub fn recount(&mut self, pair: &Pair, gateway: Moment) {
        self.count(pair, gateway);
    }

    /// Says once that there is something new to tell.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// What its pairs say; `None` without any.
    pub fn drift(&self, wanted: &Wanted, gateway: Timestamp) -> Option<SensorDrift> {
        let (newest, _) = self.paired?;
        let now = self.now(gateway);
        let newest_value = self.newest_reference.as_ref().map(|(value, _)| *value);
        let mpe = newest_value.and_then(|value| self.sensor.comparison.mpe?.at(value).ok());
        let cohorts = &self.sensor.comparison.cohorts;
        let fits = |at: &usize| wanted.cohort.as_deref().is_none_or(|name| cohorts.name(*at) == Some(name));
        let of = |at: usize| self.windows.of_cohort(cohorts, at, now, wanted.part);
        let all = self.windows.all().report(now, wanted.part);
        let detector = self.judging.judge().detection();
        Some(SensorDrift {
            sensor: self.sensor.id.clone(),
            state: DriftState::of(&all.calibrated, mpe, detector.alarm.is_some()),
            mpe,
            unit: self.newest_reference.as_ref().map(|(_, unit)| unit.to_string()),
            newest: Some(newest),
            all,
            cohorts: (0..cohorts.count()).filter(fits).filter_map(of).collect(),
            labels: self.labels.scores(now),
            detector,
            burn: self.judging.burn(),
            forecast: self.judging.judge().forecast().cloned(),
            calibration_due: self.judging.due(),
        })
    }
}

/// A time that pairs end at, as far as the clock can tell.
fn believed(time: Timestamp, gateway: Moment) -> Timestamp {
    match gateway.trusted {
        true => time.min(gateway.now.saturating_add_micros(micros(FUTURE))),
        false => time,
    }
}

#[cfg(test)]
mod tests;
