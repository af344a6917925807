//! Checks that come by the clock: an instrument that offers itself zero gas each night, or a span each Monday.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{CheckHistory, CheckKind, CheckResult, CheckState, ControlLimits};
use super::finding::shown;
use crate::domain::alert::{self, Active, Severity, Snapshot};
use crate::domain::id::{Id, SensorId};
use crate::domain::stats::Stats;
use crate::domain::time::Timestamp;

/// A check whose end no reading shows is over so long after it should be.
const OVERDUE: Duration = Duration::from_secs(60);

/// When a check is made, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    every: i64,
    at: i64,
    length: i64,
    settle: i64,
}

/// Says why times are no schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It would not be over before it begins again.
    #[error("a check must be shorter than the time between two")]
    Length,
    /// Nothing would be left.
    #[error("the settling must be shorter than the check")]
    Settle,
}

impl Schedule {
    /// A check that begins `every` so often, `at` so long after midnight UTC (of 1970-01-01), and takes `length`,
    /// of which the first part, `settle`, is left out.
    pub fn new(
        every: Duration,
        at: Duration,
        length: Duration,
        settle: Duration,
    ) -> Result<Schedule, ScheduleError> {
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let schedule =
            Schedule { every: micros(every), at: micros(at), length: micros(length), settle: micros(settle) };
        if schedule.length >= schedule.every {
            return Err(ScheduleError::Length);
        }
        if schedule.settle >= schedule.length {
            return Err(ScheduleError::Settle);
        }
        Ok(schedule)
    }

    /// When the check began that goes on at `time`, if one does.
    fn begin(&self, time: Timestamp) -> Option<Timestamp> {
        let into = (time.as_micros() - self.at).rem_euclid(self.every);
        (into < self.length).then(|| time.saturating_add_micros(-into))
    }
}

/// A check of a sensor as it is configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub name: Id,
    /// What it is held against.
    pub limits: ControlLimits,
    /// When it is made.
    pub schedule: Schedule,
    /// With fewer readings it says nothing.
    pub least: u64,
}

/// What a check has shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckOutcome {
    /// Its name.
    pub name: Id,
    /// What was checked.
    pub kind: CheckKind,
    /// When it began.
    pub began: Timestamp,
    /// Its readings after settling.
    pub readings: u64,
    /// The deviation, in the unit of the readings; `None`: there were too few.
    pub deviation: Option<f64>,
    /// How it came out; `None`: there were too few readings.
    pub state: Option<CheckState>,
    /// The warning limit.
    pub warning: f64,
    /// The action limit.
    pub action: f64,
}

/// One check of one sensor as it goes. One that goes on does not survive a restart: the clock that it ends by begins
/// anew.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Course {
    /// When the check that goes on began, and when its first reading came, by a clock that does not jump.
    #[serde(skip)]
    open: Option<(Timestamp, Duration)>,
    #[serde(skip)]
    readings: Stats,
    history: CheckHistory,
    last: Option<CheckOutcome>,
    /// Whether that is of after the start.
    #[serde(skip)]
    fresh: bool,
}

impl Course {
    /// Whether a check that began then has ended: what comes of it now is late.
    fn has_ended(&self, began: Timestamp) -> bool {
        let last = self.last.as_ref().is_some_and(|last| last.began == began);
        last || self.history.results().iter().any(|result| result.time == began)
    }

    /// Closes the check that goes on.
    fn end(&mut self, check: &Check) -> Option<CheckOutcome> {
        let (began, _) = self.open.take()?;
        let readings = std::mem::take(&mut self.readings);
        let deviation = check.limits.deviation(&readings).filter(|_| readings.n >= check.least);
        let state = deviation
            .map(|deviation| self.history.note(CheckResult { time: began, deviation }, &check.limits));
        let outcome = CheckOutcome {
            name: check.name.clone(),
            kind: check.limits.kind(),
            began,
            readings: readings.n,
            deviation,
            state,
            warning: check.limits.warning(),
            action: check.limits.action(),
        };
        (self.last, self.fresh) = (Some(outcome.clone()), true);
        Some(outcome)
    }
}

/// All checks of one sensor as they go, in the order of their configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checking {
    courses: Vec<Course>,
}

/// What has come of checks, each with the check as it was then.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Checked(Vec<(Check, Course)>);

impl Checked {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Checking {
    /// Which check a reading of this time belongs to, if to any; where several go on, the first.
    pub fn at(checks: &[Check], time: Timestamp) -> Option<CheckKind> {
        checks.iter().find(|check| check.schedule.begin(time).is_some()).map(|check| check.limits.kind())
    }

    /// Takes a reading of `time` that came `now` after the start, with its value if it has one; what has come to its
    /// end with it.
    pub fn note(
        &mut self,
        checks: &[Check],
        (time, now): (Timestamp, Duration),
        value: Option<f64>,
    ) -> Vec<CheckOutcome> {
        self.courses.resize_with(checks.len(), Course::default);
        let mut ended = Vec::new();
        for (check, course) in checks.iter().zip(&mut self.courses) {
            let begin = check.schedule.begin(time);
            // A reading that came late ends nothing.
            if course.open.is_some_and(|(began, _)| begin != Some(began) && time > began) {
                ended.extend(course.end(check));
            }
            let goes_on = |begin: &Timestamp| course.open.is_none_or(|(began, _)| began == *begin);
            let Some(begin) = begin.filter(|begin| goes_on(begin) && !course.has_ended(*begin)) else {
                continue;
            };
            course.open.get_or_insert((begin, now));
            if time.micros_since(begin) >= check.schedule.settle {
                value.into_iter().for_each(|value| course.readings.push(value));
            }
        }
        ended
    }

    /// What has come of `checks`, to go on from.
    pub fn checked(&self, checks: &[Check]) -> Checked {
        Checked(checks.iter().cloned().zip(self.courses.iter().cloned()).collect())
    }

    /// Goes on with `checks`, where they are the same as those of which something is known.
    pub fn resume(checks: &[Check], mut known: Checked) -> Checking {
        let course = |check: &Check| {
            let same = known.0.iter().position(|(then, _)| then == check);
            same.map(|at| known.0.swap_remove(at).1).unwrap_or_default()
        };
        Checking { courses: checks.iter().map(course).collect() }
    }

    /// Gives up the checks that go on, without a result: the clock that they go by was wrong.
    pub fn give_up(&mut self) {
        for course in &mut self.courses {
            (course.open, course.readings) = (None, Stats::default());
        }
    }

    /// What has come to its end `now` after the start without a reading that shows it.
    pub fn look(&mut self, checks: &[Check], now: Duration) -> Vec<CheckOutcome> {
        let mut ended = Vec::new();
        for (check, course) in checks.iter().zip(&mut self.courses) {
            let length = Duration::from_micros(check.schedule.length.unsigned_abs());
            let over = |(_, opened): (Timestamp, Duration)| now.saturating_sub(opened) > length + OVERDUE;
            if course.open.is_some_and(over) {
                ended.extend(course.end(check));
            }
        }
        ended
    }

    /// The last results, at most one of each check.
    pub fn results(&self) -> impl Iterator<Item = &CheckOutcome> {
        self.courses.iter().filter_map(|course| course.last.as_ref())
    }

    /// The worst of the last results of a kind that is no good one; one with too few readings is like a warning.
    pub fn standing(&self, kind: CheckKind) -> Option<&CheckOutcome> {
        let bad = self.results().filter(|it| it.kind == kind && it.state != Some(CheckState::Ok));
        bad.max_by_key(|outcome| outcome.state)
    }

    /// Whether each check of a kind has a result since the start.
    pub fn can_tell(&self, checks: &[Check], kind: CheckKind) -> bool {
        let of_kind = checks.iter().enumerate().filter(|(_, check)| check.limits.kind() == kind);
        of_kind.map(|(at, _)| self.courses.get(at)).all(|course| course.is_some_and(|it| it.fresh))
    }
}

impl CheckOutcome {
    /// What came of it, as a sentence whose subject is the check.
    pub fn sentence(&self) -> String {
        let (warning, action) = (shown(self.warning), shown(self.action));
        let Some(deviation) = self.deviation else {
            return format!("had too few readings to say anything: {}", self.readings);
        };
        let what = match self.kind {
            CheckKind::Precision => format!("scatters by {}", shown(deviation)),
            CheckKind::Zero | CheckKind::Span => format!("is off by {}", shown(deviation)),
        };
        let how = match self.state {
            Some(CheckState::Out) => format!("beyond the action limit {action}"),
            Some(CheckState::Warning) if deviation.abs() > self.warning => {
                format!("beyond the warning limit {warning}")
            }
            Some(CheckState::Warning) => "and the last results all went one way".to_owned(),
            _ => format!("within the warning limit {warning}"),
        };
        format!("{what}, {how} ({} readings)", self.readings)
    }

    /// What stands against `sensor`, for the alerts; `transform` is in force there.
    pub fn to_alert(&self, sensor: &SensorId, transform: Option<Active>) -> alert::Finding {
        let remedy = match (self.state, self.kind) {
            (None, _) => {
                "see why few readings came during the check: the instrument, its schedule, or that of calibd"
            }
            (_, CheckKind::Precision) => "look for leaks, loose contacts and a weak supply, and check again",
            _ => {
                "check what was offered, then calibrate; what was measured since the last good check is in doubt"
            }
        };
        let numbers = [("deviation", self.deviation), ("readings", Some(self.readings as f64))];
        let limits = [("warning", Some(self.warning)), ("action", Some(self.action))];
        let statistics = numbers.into_iter().chain(limits);
        let statistics = statistics.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let (kind, name) = (self.kind.as_str(), &self.name);
        alert::Finding {
            severity: if self.state == Some(CheckState::Out) { Severity::Page } else { Severity::Ticket },
            message: format!("the {kind} check {name} of {sensor} {}, begun {}", self.sentence(), self.began),
            remedy: remedy.to_owned(),
            snapshot: Some(Snapshot { transform, window: None, statistics, pairs: Vec::new() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// From 01:00 on for ten minutes each day, of which two are left out.
    fn nightly(kind: CheckKind) -> Check {
        let schedule = Schedule::new(24 * 60 * MINUTE, 60 * MINUTE, 10 * MINUTE, 2 * MINUTE).unwrap();
        let limits = ControlLimits::new(kind, 0.0, 1.0, 2.0).unwrap();
        Check { name: Id::new("night").unwrap(), limits, schedule, least: 5 }
    }

    fn minute(minute: i64) -> (Timestamp, Duration) {
        let time = Timestamp::EPOCH.saturating_add_micros(minute * 60_000_000);
        (time, Duration::from_secs(minute.max(0) as u64 * 60))
    }

    #[test]
    fn times_that_are_no_schedule_are_refused() {
        let new = |every: u32, length: u32, settle: u32| {
            Schedule::new(every * MINUTE, MINUTE, length * MINUTE, settle * MINUTE).err()
        };
        assert_eq!(new(10, 10, 0), Some(ScheduleError::Length));
        assert_eq!(new(10, 5, 5), Some(ScheduleError::Settle));
        assert_eq!(new(10, 5, 0), None);
    }

    #[test]
    fn readings_belong_to_a_check_by_their_time() {
        let checks = [nightly(CheckKind::Span)];
        let of = |at: i64| Checking::at(&checks, minute(at).0);
        for (at, during) in
            [(59, false), (60, true), (69, true), (70, false), (1440 + 60, true), (-1440 + 61, true)]
        {
            assert_eq!(of(at).is_some(), during, "{at}");
        }
    }

    #[test]
    fn the_mean_after_settling_is_the_result_and_each_day_has_its_own() {
        let checks = [nightly(CheckKind::Zero)];
        let mut it = Checking::default();
        let mut outcomes = Vec::new();
        for at in 0..3 * 1440 {
            let value = match at {
                60..62 => 100.0,
                62..70 => 0.5,
                1500..1510 => 1.5,
                2940..2950 => -2.5,
                _ => 50.0,
            };
            outcomes.extend(it.note(&checks, minute(at), Some(value)));
            assert_eq!(it.can_tell(&checks, CheckKind::Zero), at >= 70);
            assert!(it.can_tell(&checks, CheckKind::Span), "there is none");
        }
        let states: Vec<_> = outcomes.iter().map(|it| (it.deviation, it.state, it.readings)).collect();
        assert_eq!(
            states,
            [
                (Some(0.5), Some(CheckState::Ok), 8),
                (Some(1.5), Some(CheckState::Warning), 8),
                (Some(-2.5), Some(CheckState::Out), 8),
            ]
        );
        let alert = it.standing(CheckKind::Zero).unwrap().to_alert(&Id::new("co-1").unwrap(), None);
        assert_eq!(alert.severity, Severity::Page);
        let begin =
            "the zero check night of co-1 is off by -2.50, beyond the action limit 2.00 (8 readings), begun ";
        assert!(alert.message.starts_with(begin), "{}", alert.message);
        assert!(it.standing(CheckKind::Span).is_none());
    }

    #[test]
    fn a_check_with_too_few_readings_says_so_and_one_that_nothing_follows_ends() {
        let checks = [nightly(CheckKind::Precision)];
        let mut it = Checking::default();
        for at in 60..66 {
            let value = (at > 62).then_some(1.0);
            assert_eq!(it.note(&checks, minute(at), value), []);
        }
        assert_eq!(it.look(&checks, minute(71).1), []);
        let ended = it.look(&checks, minute(72).1);
        assert_eq!((ended[0].readings, ended[0].state), (3, None));
        assert_eq!(it.look(&checks, minute(99).1), []);
        let alert = ended[0].to_alert(&Id::new("co-1").unwrap(), None);
        assert_eq!(alert.severity, Severity::Ticket);
        assert!(alert.message.contains("had too few readings to say anything: 3"), "{}", alert.message);
        assert_eq!(it.standing(CheckKind::Precision), Some(&ended[0]));
    }

    #[test]
    fn readings_that_come_late_belong_to_no_check_that_goes_on() {
        let checks = [nightly(CheckKind::Zero)];
        let mut it = Checking::default();
        for at in 1500..1505 {
            it.note(&checks, minute(at), Some(0.0));
        }
        assert_eq!(it.note(&checks, minute(65), Some(99.0)), []);
        for at in 1505..1510 {
            it.note(&checks, minute(at), Some(0.0));
        }
        let ended = it.note(&checks, minute(1510), Some(5.0));
        assert_eq!((ended[0].deviation, ended[0].readings), (Some(0.0), 8));
    }

    #[test]
    fn what_comes_after_the_end_of_a_check_is_late_and_opens_none() {
        let checks = [nightly(CheckKind::Zero)];
        let mut it = Checking::default();
        for at in 60..70 {
            it.note(&checks, minute(at), Some(0.5));
        }
        let ended = it.look(&checks, minute(72).1);
        for at in 65..70 {
            assert_eq!(it.note(&checks, (minute(at).0, minute(100).1), Some(99.0)), []);
        }
        assert_eq!(it.note(&checks, minute(120), Some(99.0)), []);
        assert_eq!(it.look(&checks, minute(300).1), []);
        assert_eq!(it.results().collect::<Vec<_>>(), [&ended[0]]);
        // One with too few readings has ended as well.
        it.note(&checks, minute(1505), Some(0.5));
        assert_eq!(it.note(&checks, minute(1510), Some(0.5))[0].state, None);
        it.note(&checks, minute(1506), Some(0.5));
        assert_eq!(it.note(&checks, minute(1511), Some(0.5)), []);
    }

    #[test]
    fn a_check_that_stays_as_it_is_goes_on_when_others_change() {
        let (zero, span) = (nightly(CheckKind::Zero), nightly(CheckKind::Span));
        let mut it = Checking::default();
        for at in 60..=70 {
            it.note(&[zero.clone(), span.clone()], minute(at), Some(1.5));
        }
        let wider = Check { least: 9, ..zero.clone() };
        let known = it.checked(&[zero.clone(), span.clone()]);
        let text = serde_json::to_string(&known).unwrap();
        let stored = Checking::resume(std::slice::from_ref(&zero), serde_json::from_str(&text).unwrap());
        assert_eq!(stored.standing(CheckKind::Zero), it.standing(CheckKind::Zero));
        assert!(!stored.can_tell(&[zero], CheckKind::Zero), "what was stored may be older than what stands");
        it = Checking::resume(&[span.clone(), wider.clone()], known);
        assert!(it.standing(CheckKind::Span).is_some());
        assert!(it.standing(CheckKind::Zero).is_none() && !it.can_tell(&[span, wider], CheckKind::Zero));
    }

    #[test]
    fn a_check_that_is_given_up_has_no_result_and_may_begin_again() {
        let checks = [nightly(CheckKind::Zero)];
        let mut it = Checking::default();
        for at in 60..65 {
            it.note(&checks, minute(at), Some(99.0));
        }
        it.give_up();
        assert_eq!(it.look(&checks, minute(300).1), []);
        for at in 62..70 {
            assert_eq!(it.note(&checks, minute(at), Some(0.5)), []);
        }
        assert_eq!(it.note(&checks, minute(70), Some(7.0))[0].deviation, Some(0.5));
    }
}
