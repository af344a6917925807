//! Gathering the readings that a reference calls for, one by one, in little memory.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use super::aim::{Aim, Window};
use super::outcome::Outcome;
use super::spacing::{Spacing, expected};
use super::{COMPLETENESS, How, Observed};
use crate::domain::calibration::COVARIATE_MAX_AGE;
use crate::domain::fit::linear::twofold::Twofold;
use crate::domain::quality::{Reasons, State};
use crate::domain::reference::{Reference, Span};
use crate::domain::sample::TransformRef;
use crate::domain::time::{Timestamp, micros};

/// Transforms that may take turns in one interval; readings of more are passed over.
const MOST_GROUPS: usize = 8;

/// Readings on their way to a pair. They come in the order of their numbers, ascending or descending.
///
/// Sums are kept in twice the precision, so that the order makes no difference to a mean.
#[derive(Debug, Clone)]
pub struct Gather {
    aim: Aim,
    window: Window,
    how: How,
    last: Option<u64>,
    way: Ordering,
    spacing: Spacing,
    groups: Vec<Group>,
    /// Of an interpolation the reading until the time and the one after it, else the nearest.
    kept: [Option<Observed>; 2],
    matched: bool,
    left_out: u64,
    why: Reasons,
}

impl Gather {
    /// For a reference.
    pub fn of(reference: &Reference, how: &How) -> Gather {
        Gather::toward(Aim::of(reference, how), how)
    }

    /// For a reference of this time that may yet come.
    pub fn over(span: Span, how: &How) -> Gather {
        Gather::toward(Aim::over(span, how), how)
    }

    /// For a covariate beside a reference of this time, see [`super::beside`].
    pub fn beside(span: Span) -> Gather {
        let max_age = Duration::from_micros(COVARIATE_MAX_AGE.unsigned_abs());
        Gather::over(span, &How { max_age, ..How::suited(None, None) })
    }

    fn toward(aim: Aim, how: &How) -> Gather {
        Gather {
            window: aim.window(how),
            aim,
            how: *how,
            last: None,
            way: Ordering::Equal,
            spacing: Spacing::default(),
            groups: Vec::new(),
            kept: [None, None],
            matched: false,
            left_out: 0,
            why: Reasons::NONE,
        }
    }

    /// The times of the readings that it needs.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Whether no other reading can change it: the event's own was there.
    pub fn is_certain(&self) -> bool {
        self.matched
    }

    /// Whether no single reading is at hand yet.
    pub fn is_empty(&self) -> bool {
        self.kept.iter().all(Option::is_none)
    }

    /// Takes the next reading. One whose number is not beyond the last one's is passed over: it came already.
    pub fn push(&mut self, reading: &Observed) {
        if let Some(last) = self.last {
            let way = reading.seq.cmp(&last);
            if way == Ordering::Equal || self.way != Ordering::Equal && way != self.way {
                return;
            }
            self.way = way;
        }
        self.last = Some(reading.seq);
        let in_window = self.window.since <= reading.time && reading.time < self.window.until;
        match self.aim.clone() {
            Aim::Nearest(at, Some(event)) if reading.event.is_some() => {
                // Of several of one event the nearest.
                if reading.event.as_ref() == Some(&event) && self.admits(reading) {
                    if !std::mem::replace(&mut self.matched, true) {
                        self.kept[0] = None;
                    }
                    self.nearer(reading, at);
                }
            }
            _ if !in_window => {}
            Aim::Nearest(at, _) if !self.matched && self.admits(reading) => self.nearer(reading, at),
            Aim::Nearest(..) => {}
            Aim::Between(at) => self.around(reading, at),
            Aim::Mean(span) => {
                if self.how.period.is_none() {
                    self.spacing.push(reading.time);
                }
                if span.holds(reading.time) && self.admits(reading) {
                    self.add(reading);
                }
            }
        }
    }

    /// Whether it can be used; else it is counted.
    fn admits(&mut self, reading: &Observed) -> bool {
        let usable = reading.is_usable();
        if !usable {
            self.left_out += 1;
            self.why = self.why.union(reading.reasons);
        }
        usable
    }

    fn nearer(&mut self, reading: &Observed, at: Timestamp) {
        let rank = |reading: &Observed| (distance(reading, at), reading.time, reading.seq);
        if self.kept[0].as_ref().is_none_or(|kept| rank(reading) < rank(kept)) {
            self.kept[0] = Some(reading.clone());
        }
    }

    fn around(&mut self, reading: &Observed, at: Timestamp) {
        if !self.admits(reading) {
            return;
        }
        let rank = |reading: &Observed| (distance(reading, at), reading.seq);
        let slot = &mut self.kept[usize::from(reading.time > at)];
        if slot.as_ref().is_none_or(|kept| rank(reading) < rank(kept)) {
            *slot = Some(reading.clone());
        }
    }

    fn add(&mut self, reading: &Observed) {
        let same = |group: &Group| group.unit == reading.unit && group.transform == reading.transform;
        let place = match self.groups.iter().position(same) {
            Some(place) => place,
            None if self.groups.len() < MOST_GROUPS => {
                self.groups.push(Group::of(reading));
                self.groups.len() - 1
            }
            None => return,
        };
        self.groups[place].add(reading);
    }

    /// What comes of the reference that this was gathered for.
    pub fn finish(&self, reference: &Reference, now: Timestamp) -> Outcome {
        if reference.flag >= State::Invalid {
            return Outcome::Flagged;
        }
        let late = |at: Timestamp| at.saturating_add_micros(micros(self.how.grace));
        let nothing = Outcome::NoReading { left_out: self.left_out, why: self.why };
        match &self.aim {
            Aim::Mean(span) if now < late(span.end()) => Outcome::Waiting { until: late(span.end()) },
            Aim::Mean(span) => self.mean(*span, reference),
            Aim::Nearest(at, _) => {
                let kept = self.kept[0].as_ref();
                // Nothing nearer than what there is can come later than this.
                let reach = kept.map_or(micros(self.how.max_age), |kept| distance(kept, *at));
                let until = late(at.saturating_add_micros(reach));
                match kept {
                    _ if !self.matched && now < until => Outcome::Waiting { until },
                    Some(kept) => Outcome::of(Part::one(kept), reference, 1),
                    None => nothing,
                }
            }
            Aim::Between(at) => {
                let reach = match &self.kept {
                    [Some(_), Some(next)] => distance(next, *at),
                    _ => micros(self.how.max_age),
                };
                let until = late(at.saturating_add_micros(reach));
                match &self.kept {
                    _ if now < until => Outcome::Waiting { until },
                    [Some(exact), _] if exact.time == *at => Outcome::of(Part::one(exact), reference, 1),
                    [Some(before), Some(after)] => between(before, after, *at, reference),
                    _ => nothing,
                }
            }
        }
    }

    fn mean(&self, span: Span, reference: &Reference) -> Outcome {
        let used: u64 = self.groups.iter().map(|group| group.readings).sum();
        if used == 0 {
            return Outcome::NoReading { left_out: self.left_out, why: self.why };
        }
        let period = self.how.period.map(micros).or_else(|| self.spacing.median());
        let expected = period.map(|period| expected(span.micros(), period));
        let enough = |readings: u64| {
            expected.is_some_and(|expected| readings as f64 >= COMPLETENESS * expected as f64)
        };
        match (self.largest(), expected) {
            (Some(group), Some(expected)) if enough(group.readings) => {
                Outcome::of(group.part(), reference, expected)
            }
            _ if enough(used) => Outcome::Changed,
            _ => Outcome::TooFew { used, expected, left_out: self.left_out, why: self.why },
        }
    }

    /// The group of the most readings, of two as large the one of the later readings.
    fn largest(&self) -> Option<&Group> {
        self.groups.iter().max_by_key(|group| (group.readings, group.last))
    }

    /// The value gathered so far, whatever it is worth.
    pub fn value(&self) -> Option<f64> {
        match self.largest() {
            Some(group) => group.part().value,
            None => self.kept[0].as_ref().and_then(Observed::measured),
        }
    }
}

fn distance(reading: &Observed, at: Timestamp) -> i64 {
    reading.time.micros_since(at).abs()
}

/// On the line from one reading to the other. Both uncertainties are taken as systematic, so the mean of
/// them, weighted alike, is that of the value.
fn between(before: &Observed, after: &Observed, at: Timestamp, reference: &Reference) -> Outcome {
    if before.transform != after.transform || before.unit != after.unit {
        return Outcome::Changed;
    }
    let weight = at.micros_since(before.time) as f64 / after.time.micros_since(before.time) as f64;
    let on = |a: Option<f64>, b: Option<f64>| Some(a? + weight * (b? - a?));
    let part = Part {
        value: on(before.measured(), after.measured()),
        u: on(before.u, after.u),
        raw: on(before.raw, after.raw),
        readings: 2,
        first: before.seq.min(after.seq),
        last: before.seq.max(after.seq),
        time: at,
        state: before.state.max(after.state),
        reasons: before.reasons.union(after.reasons),
        ..Part::one(before)
    };
    Outcome::of(part, reference, 2)
}

/// The readings of one transform in an interval.
#[derive(Debug, Clone)]
struct Group {
    unit: Arc<str>,
    transform: Option<Arc<TransformRef>>,
    readings: u64,
    value: Twofold,
    u: Option<Twofold>,
    raw: Option<Twofold>,
    times: i128,
    first: u64,
    last: u64,
    state: State,
    reasons: Reasons,
}

impl Group {
    fn of(reading: &Observed) -> Group {
        Group {
            unit: Arc::clone(&reading.unit),
            transform: reading.transform.clone(),
            readings: 0,
            value: Twofold::default(),
            u: Some(Twofold::default()),
            raw: Some(Twofold::default()),
            times: 0,
            first: reading.seq,
            last: reading.seq,
            state: State::Valid,
            reasons: Reasons::NONE,
        }
    }

    fn add(&mut self, reading: &Observed) {
        let sum = |sum: Option<Twofold>, more: Option<f64>| Some(sum? + Twofold::from(more?));
        self.readings += 1;
        self.value = self.value + Twofold::from(reading.measured().unwrap_or_default());
        self.u = sum(self.u, reading.u);
        self.raw = sum(self.raw, reading.raw);
        self.times += i128::from(reading.time.as_micros());
        self.first = self.first.min(reading.seq);
        self.last = self.last.max(reading.seq);
        self.state = self.state.max(reading.state);
        self.reasons = self.reasons.union(reading.reasons);
    }

    fn part(&self) -> Part {
        let n = self.readings.max(1) as f64;
        let mean = |sum: Twofold| Some(sum.value() / n).filter(|mean| mean.is_finite());
        let time = self.times / i128::from(self.readings.max(1));
        Part {
            unit: Arc::clone(&self.unit),
            transform: self.transform.clone(),
            readings: self.readings,
            value: mean(self.value),
            u: self.u.and_then(mean),
            raw: self.raw.and_then(mean),
            // The mean of times is a time.
            time: i64::try_from(time).ok().and_then(Timestamp::from_micros).unwrap_or(Timestamp::EPOCH),
            first: self.first,
            last: self.last,
            state: self.state,
            reasons: self.reasons,
        }
    }
}

/// The sensor's half of a pair.
#[derive(Debug, Clone)]
pub struct Part {
    pub unit: Arc<str>,
    pub transform: Option<Arc<TransformRef>>,
    pub readings: u64,
    pub value: Option<f64>,
    pub u: Option<f64>,
    pub raw: Option<f64>,
    pub time: Timestamp,
    pub first: u64,
    pub last: u64,
    pub state: State,
    pub reasons: Reasons,
}

impl Part {
    /// Of one reading.
    fn one(reading: &Observed) -> Part {
        Part {
            unit: Arc::clone(&reading.unit),
            transform: reading.transform.clone(),
            readings: 1,
            value: reading.measured(),
            u: reading.u,
            raw: reading.raw,
            time: reading.time,
            first: reading.seq,
            last: reading.seq,
            state: reading.state,
            reasons: reading.reasons,
        }
    }
}
