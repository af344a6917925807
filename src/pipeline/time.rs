//! Whether the clock can be believed, and whether it jumped.

use std::time::Duration;

use crate::domain::time::Timestamp;

/// 2026-01-01T00:00:00Z: no gateway with this program can live before it.
const PROGRAM_FLOOR: i64 = 1_767_225_600_000_000;
/// A step of the wall clock against the monotonic one that counts as a jump.
const JUMP_MICROS: i64 = 1_000_000;

/// What the wall clock is checked against.
#[derive(Debug, Clone, Copy)]
pub struct TimeCheck {
    floor: Timestamp,
    last: Option<(Timestamp, Duration)>,
}

/// A step of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// How far, in microseconds; negative: back.
    pub micros: i64,
}

impl TimeCheck {
    /// A check against `floor`, the newest time ever proven.
    pub fn new(floor: Option<Timestamp>) -> TimeCheck {
        let program = Timestamp::from_micros(PROGRAM_FLOOR).unwrap_or(Timestamp::EPOCH);
        TimeCheck { floor: floor.map_or(program, |floor| floor.max(program)), last: None }
    }

    /// Raises the floor to a newly proven time.
    pub fn prove(&mut self, time: Timestamp) {
        self.floor = self.floor.max(time);
    }

    /// The newest time ever proven.
    pub fn floor(&self) -> Timestamp {
        self.floor
    }

    /// Whether `now` is not before the newest time ever proven.
    pub fn trusts(&self, now: Timestamp) -> bool {
        now >= self.floor
    }

    /// Notes the time on both clocks; answers with the jump since the last call, if there was one.
    pub fn observe(&mut self, wall: Timestamp, monotonic: Duration) -> Option<Jump> {
        let (last_wall, last_monotonic) = self.last.replace((wall, monotonic))?;
        let passed = i64::try_from(monotonic.saturating_sub(last_monotonic).as_micros()).unwrap_or(i64::MAX);
        let micros = wall.micros_since(last_wall).saturating_sub(passed);
        (micros.abs() > JUMP_MICROS).then_some(Jump { micros })
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
        let mut check = TimeCheck::new(None);
        assert!(!check.trusts(Timestamp::EPOCH));
        assert!(check.trusts(at("2026-11-22T00:00:00Z")));
        check.prove(at("2027-01-01T00:00:00Z"));
        assert!(!check.trusts(at("2026-11-22T00:00:00Z")));
        check.prove(at("2026-06-01T00:00:00Z"));
        assert_eq!(check.floor(), at("2027-01-01T00:00:00Z"));
    }

    #[test]
    fn a_step_against_the_monotonic_clock_is_a_jump() {
        let mut check = TimeCheck::new(None);
        let start = at("2026-11-22T00:00:00Z");
        assert_eq!(check.observe(start, Duration::ZERO), None);
        assert_eq!(check.observe(start.saturating_add_micros(60_000_000), Duration::from_secs(60)), None);
        let back = check.observe(start, Duration::from_secs(61)).unwrap();
        assert_eq!(back.micros, -61_000_000);
    }
}
