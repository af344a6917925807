//! What the monitors say of a reading, beside what it is worth.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::monitor::{Finding, Kind, Limit, Monitors, Observed, Silence};
use crate::domain::quality::{ReasonCode, State};
use crate::domain::sample::Reading;
use crate::domain::sensor::{Monitoring, Sensor};
use crate::domain::time::Timestamp;

/// For how long it is learnt what is usual of a sensor, where it is watched.
fn learning(sensor: &Sensor) -> Option<Duration> {
    sensor.monitor.as_ref().map(|monitoring| monitoring.limits.learn)
}

/// Whether both are known and not the same.
fn differ(one: Option<Duration>, other: Option<Duration>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// The monitors of one sensor, from its first reading that is watched on.
#[derive(Debug, Default)]
pub(super) struct Watch {
    monitors: Option<Box<Monitors>>,
    silence: Silence,
    /// Whether a reading has come.
    heard: bool,
    silent: bool,
}

/// What the monitors of a sensor have learnt.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Learnt {
    /// For how long; whoever changes that wants it to be learnt anew.
    learn: Option<Duration>,
    monitors: Option<Box<Monitors>>,
    silence: Silence,
}

impl Learnt {
    /// Whether it is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.monitors.is_none() && self.silence == Silence::default()
    }
}

impl Watch {
    /// Readings are expected from `now` after the start on.
    pub(super) fn expecting(now: Duration) -> Watch {
        let mut watch = Watch::default();
        watch.silence.expect(now);
        watch
    }

    /// Goes on from what was learnt; readings are expected from `now` after the start on.
    pub(super) fn resume(known: Learnt, sensor: &Sensor, now: Duration) -> Watch {
        let Learnt { learn, monitors, mut silence } = known;
        silence.expect(now);
        let monitors = monitors.filter(|_| !differ(learn, learning(sensor)));
        Watch { monitors, silence, ..Watch::default() }
    }

    /// What has been learnt of `sensor`.
    pub(super) fn learnt(&self, sensor: &Sensor) -> Learnt {
        let mut silence = self.silence;
        silence.begin_anew();
        Learnt { learn: learning(sensor), monitors: self.monitors.clone(), silence }
    }

    /// Begins anew, `now` after the start, where these facts tell of another instrument, or of other values from it;
    /// says whether they do.
    pub(super) fn follow(&mut self, old: &Sensor, new: &Sensor, now: Duration) -> bool {
        let instrument = |sensor: &Sensor| (sensor.serial.clone(), sensor.model.clone(), sensor.unit.clone());
        let other = instrument(old) != instrument(new);
        if other {
            *self = Watch::expecting(now);
        } else if differ(learning(old), learning(new)) {
            self.monitors = None;
        }
        other
    }

    /// Notes that a sample came, `now` after the start.
    pub(super) fn heard(&mut self, now: Duration) {
        if !self.heard {
            // For how long the first was waited for says nothing of the intervals.
            self.silence.begin_anew();
            self.heard = true;
        }
        self.silence.note(now);
        self.silent = false;
    }

    /// What is found `now` after the start, at `time` on the wall, where the sensor has come to be silent for too long.
    pub(super) fn look(
        &mut self,
        monitoring: &Monitoring,
        now: Duration,
        time: Timestamp,
    ) -> Option<Finding> {
        if self.silent {
            return None;
        }
        let found = self.silent(monitoring, monitoring.period, now, time)?;
        self.silent = true;
        Some(found)
    }

    /// What stands against the sensor where it has been silent for too long; readings are expected each `period`.
    fn silent(
        &self,
        monitoring: &Monitoring,
        period: Option<Duration>,
        now: Duration,
        time: Timestamp,
    ) -> Option<Finding> {
        let known = self.monitors.as_ref().is_some_and(|monitors| monitors.has_learnt());
        // The first readings of a sensor that speaks only now and then say little of its pauses.
        if !(known || period.is_some() || matches!(monitoring.silence, Limit::Given(_))) {
            return None;
        }
        let evidence = self.silence.found(now, monitoring.silence, period)?;
        let silent = self.silence.since(now).unwrap_or_default();
        let since = time.saturating_add_micros(-i64::try_from(silent.as_micros()).unwrap_or(i64::MAX));
        Some(Finding { since, evidence })
    }

    /// All that stands against the sensor by itself.
    pub(super) fn standing(
        &self,
        monitoring: &Monitoring,
        now: Duration,
        time: Timestamp,
    ) -> impl Iterator<Item = Finding> {
        let found = self.monitors.iter().flat_map(move |monitors| monitors.findings(&monitoring.limits));
        found.chain(self.silent(monitoring, monitoring.period, now, time))
    }

    /// Whether it is known that nothing of a kind is the matter where nothing is found.
    pub(super) fn can_tell(&self, monitoring: &Monitoring, kind: Kind) -> bool {
        match kind {
            Kind::Silent => self.heard || monitoring.silence == Limit::Off,
            _ => self.monitors.as_ref().is_some_and(|monitors| monitors.can_tell(kind, &monitoring.limits)),
        }
    }

    /// What makes the sensor no reference for others, if anything does: it is silent or stuck. Its readings are
    /// expected each `period`.
    pub(super) fn broken(
        &self,
        monitoring: &Monitoring,
        period: Option<Duration>,
        now: Duration,
        time: Timestamp,
    ) -> Option<Finding> {
        let stuck = |monitors: &Monitors| {
            monitors.findings(&monitoring.limits).find(|finding| finding.evidence.kind() == Kind::Stuck)
        };
        let silent = self.silent(monitoring, period, now, time);
        silent.or_else(|| self.monitors.as_deref().and_then(stuck))
    }

    /// Notes a reading, and flags it if that is wished. Gives what is found with it, if anything new is.
    pub(super) fn note(&mut self, monitoring: &Monitoring, reading: &mut Reading) -> Option<Vec<Finding>> {
        // What somebody does to a sensor in maintenance, or offers it, is none of its habits.
        if reading.reasons.are_apart() {
            return None;
        }
        let out_of_domain = reading.reasons.contains(ReasonCode::OutOfDomain);
        let observed = Observed { time: reading.time, raw: reading.raw?, out_of_domain };
        let monitors = self.monitors.get_or_insert_default();
        let seen = monitors.note(observed, &monitoring.limits);
        if monitoring.flag && !seen.reasons.is_empty() {
            reading.reasons = reading.reasons.union(seen.reasons);
            reading.state = reading.state.max(State::Suspect);
        }
        if seen.raised.is_empty() {
            return None;
        }
        let new = |finding: &Finding| seen.raised.contains(finding.evidence.kind());
        Some(monitors.findings(&monitoring.limits).filter(new).collect())
    }
}
