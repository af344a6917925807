//! Whether the clock can be believed, and whether it jumped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::domain::time::{Timestamp, micros};
use crate::runtime::clock::{Clock, Discipline};
use crate::runtime::steps::Steps;
use crate::wire::message::ClockState;

/// 2026-01-01T00:00:00Z: no gateway with this program can live before it.
const PROGRAM_FLOOR: i64 = 1_767_225_600_000_000;

/// A step of the wall clock against the monotonic one that counts as a jump.
const JUMP_MICROS: i64 = 1_000_000;

/// Between two additions of the time that passes to the proven time.
const HOUR: Duration = Duration::from_secs(3600);
/// Tenths of the time that passes which are proven: what is proven too early, by a signer's clock that is ahead or by a
/// monotonic clock that runs too fast, is made up for by the rest.
const TENTHS: u32 = 9;

/// What the wall clock is checked against. Clones share what is proven and what is declared.
#[derive(Debug, Clone)]
pub struct TimeCheck {
    believed: Arc<Believed>,
    steps: Steps,
}

#[derive(Debug)]
struct Believed {
    /// Microseconds since 1970.
    floor: AtomicI64,
    rtc_good: AtomicBool,
}

/// A step of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// How far, in microseconds; negative: back.
    pub micros: i64,
}

impl TimeCheck {
    /// A check against `floor`, the newest time ever proven; `rtc_good` where a battery-backed clock is declared good.
    pub fn new(floor: Option<Timestamp>, rtc_good: bool) -> TimeCheck {
        let floor = AtomicI64::new(floor.map_or(PROGRAM_FLOOR, |floor| floor.as_micros().max(PROGRAM_FLOOR)));
        TimeCheck {
            believed: Arc::new(Believed { floor, rtc_good: AtomicBool::new(rtc_good) }),
            steps: Steps::new(JUMP_MICROS),
        }
    }

    /// Raises the floor to a newly proven time.
    pub fn prove(&self, time: Timestamp) {
        self.believed.floor.fetch_max(time.as_micros(), Ordering::Relaxed);
    }

    /// Declares a battery-backed clock good, or not.
    pub fn declare_rtc(&self, good: bool) {
        self.believed.rtc_good.store(good, Ordering::Relaxed);
    }

    /// The newest time ever proven.
    pub fn floor(&self) -> Timestamp {
        Timestamp::from_micros(self.believed.floor.load(Ordering::Relaxed)).unwrap_or(Timestamp::EPOCH)
    }

    /// How far a clock that shows `now` can be believed.
    ///
    /// Never before the newest time ever proven, whatever the kernel says. A clock that is known to follow no better
    /// one, and has not since the start, is believed only where it is declared good.
    pub fn state(&self, now: Timestamp, discipline: Discipline) -> ClockState {
        match discipline {
            _ if now < self.floor() => ClockState::Untrusted,
            Discipline::Synced => ClockState::Synced,
            Discipline::Never if !self.believed.rtc_good.load(Ordering::Relaxed) => ClockState::Untrusted,
            Discipline::Never | Discipline::Lost | Discipline::Unknown => ClockState::Holdover,
        }
    }

    /// How far `clock` can be believed now.
    pub fn of(&self, clock: &Clock) -> ClockState {
        self.state(clock.now(), clock.discipline())
    }

    /// Notes the time on both clocks; answers with the jump since the last call, if there was one.
    pub fn observe(&mut self, wall: Timestamp, monotonic: Duration) -> Option<Jump> {
        self.steps.observe(wall, monotonic).map(|micros| Jump { micros })
    }
}

/// What the passing of time proves: it is later than what was proven then, by what has passed since.
#[derive(Debug)]
pub struct Passing {
    /// What was proven at `since`, by the monotonic clock.
    base: Timestamp,
    since: Duration,
}

impl Passing {
    /// From `since` on, when `base` is proven.
    pub fn new(base: Timestamp, since: Duration) -> Passing {
        Passing { base, since }
    }

    /// The time that is proven at `now`, if an hour has passed since the last answer; `floor` is proven otherwise.
    ///
    /// Nothing is added to `floor`: it may have been raised a moment ago, and not an hour.
    pub fn proves(&mut self, floor: Timestamp, now: Duration) -> Option<Timestamp> {
        let passed = now.saturating_sub(self.since);
        if passed < HOUR {
            return None;
        }
        let proven = self.base.saturating_add_micros(micros(passed / 10 * TENTHS));
        *self = Passing::new(proven.max(floor), now);
        Some(proven)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_clock_is_not_trusted_before_what_was_proven() {
        let check = TimeCheck::new(None, true);
        let trusts = |check: &TimeCheck, now| check.state(now, Discipline::Synced) != ClockState::Untrusted;
        assert!(!trusts(&check, Timestamp::EPOCH));
        assert!(trusts(&check, at("2026-11-22T00:00:00Z")));
        check.prove(at("2027-01-01T00:00:00Z"));
        assert!(!trusts(&check, at("2026-11-22T00:00:00Z")));
        check.prove(at("2026-06-01T00:00:00Z"));
        assert_eq!(check.floor(), at("2027-01-01T00:00:00Z"));
    }

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    #[test]
    fn what_is_proven_within_an_hour_is_not_an_hour_older() {
        let start = at("2026-11-22T10:00:00Z");
        let mut passing = Passing::new(start, minutes(0));
        assert_eq!(passing.proves(start, minutes(59)), None);
        // A root that was signed at 10:57 came at 10:58.
        let root = at("2026-11-22T10:57:00Z");
        assert_eq!(passing.proves(root, minutes(60)), Some(at("2026-11-22T10:54:00Z")));
        assert_eq!(passing.proves(root, minutes(119)), None);
        assert_eq!(passing.proves(root, minutes(120)), Some(at("2026-11-22T11:51:00Z")));
    }

    #[test]
    fn a_proven_time_that_is_ahead_falls_behind_again() {
        // An hour ahead, at 10:00.
        let mut floor = at("2026-11-22T11:00:00Z");
        let mut passing = Passing::new(floor, minutes(0));
        let ahead = (1..=24).take_while(|hour| {
            let now = at("2026-11-22T10:00:00Z").saturating_add_micros(hour * 3_600_000_000);
            let passed = minutes(60 * hour.unsigned_abs());
            passing.proves(floor, passed).into_iter().for_each(|proven| floor = floor.max(proven));
            floor > now
        });
        assert_eq!(ahead.count(), 9);
    }

    #[test]
    fn a_step_against_the_monotonic_clock_is_a_jump() {
        let mut check = TimeCheck::new(None, false);
        let start = at("2026-11-22T00:00:00Z");
        assert_eq!(check.observe(start, Duration::ZERO), None);
        assert_eq!(check.observe(start.saturating_add_micros(60_000_000), Duration::from_secs(60)), None);
        let back = check.observe(start, Duration::from_secs(61)).unwrap();
        assert_eq!(back.micros, -61_000_000);
    }

    #[test]
    fn a_clock_that_is_led_back_slowly_has_not_jumped() {
        let mut check = TimeCheck::new(None, false);
        let start = at("2026-11-22T00:00:00Z");
        check.observe(start, Duration::ZERO);
        // An hour without a reading, at the 500 parts in a million that the kernel allows.
        let hour = 3_600_000_000;
        let led = start.saturating_add_micros(hour + hour / 2000);
        assert_eq!(check.observe(led, Duration::from_secs(3600)), None);
    }

    #[test]
    fn the_state_is_what_the_kernel_says_above_the_floor() {
        use ClockState::{Holdover, Synced, Untrusted};
        let now = at("2026-11-22T00:00:00Z");
        let said = [Discipline::Unknown, Discipline::Never, Discipline::Synced, Discipline::Lost];
        let states = |rtc, now| said.map(|discipline| TimeCheck::new(None, rtc).state(now, discipline));
        assert_eq!(states(false, now), [Holdover, Untrusted, Synced, Holdover]);
        assert_eq!(states(true, now), [Holdover, Holdover, Synced, Holdover]);
        assert_eq!(states(true, Timestamp::EPOCH), [Untrusted; 4]);
    }
}
