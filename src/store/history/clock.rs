//! The retention clock: the time by which readings grow old. Pure.
//!
//! A gateway's clock may stand at 1970 or leap into the next century, and neither may delete
//! anything. So only readings whose time is trusted move this clock; it follows at once where it
//! agrees, within a day, with the time that has measurably passed, and a larger leap only after the
//! clock has stayed at the new time for a day. While it doubts, nothing is deleted by age.

use std::time::Duration;

use crate::domain::time::micros;

const DAY: i64 = 86_400_000_000;

/// What the time is believed to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetentionClock {
    /// Microseconds since 1970, at the last trusted reading.
    believed: Option<i64>,
    /// When that was, by the monotonic clock; `None` before the first reading since the start.
    at: Option<Duration>,
    /// A leap that is not yet believed: to where, since when.
    leap: Option<(i64, Duration)>,
}

impl RetentionClock {
    /// Starts from the time that was believed at the last end.
    pub fn new(believed: Option<i64>) -> RetentionClock {
        RetentionClock { believed, at: None, leap: None }
    }

    /// A reading with a trusted time came at `now` (microseconds since 1970), `monotonic`.
    pub fn observe(&mut self, now: i64, monotonic: Duration) {
        let expected = self.believed.map(|time| time.saturating_add(passed(self.at, monotonic)));
        if expected.is_none_or(|expected| near(now, expected)) {
            self.believe(now, monotonic);
            return;
        }
        match self.leap {
            Some((to, since)) if near(now, to.saturating_add(passed(Some(since), monotonic))) => {
                if passed(Some(since), monotonic) >= DAY {
                    self.believe(now, monotonic);
                }
            }
            _ => self.leap = Some((now, monotonic)),
        }
    }

    fn believe(&mut self, now: i64, monotonic: Duration) {
        *self = RetentionClock { believed: Some(now), at: Some(monotonic), leap: None };
    }

    /// The time, where it is not in doubt.
    pub fn time(&self) -> Option<i64> {
        // Before the first trusted reading since the start nothing is known of the present.
        if self.leap.is_some() || self.at.is_none() { None } else { self.believed }
    }
}

fn passed(since: Option<Duration>, now: Duration) -> i64 {
    let passed = since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
    micros(passed)
}

fn near(one: i64, other: i64) -> bool {
    one.abs_diff(other) <= DAY as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 20_000 * DAY;

    fn hours(hours: u64) -> Duration {
        Duration::from_secs(hours * 3600)
    }

    #[test]
    fn follows_a_clock_that_runs() {
        let mut clock = RetentionClock::new(None);
        assert_eq!(clock.time(), None);
        clock.observe(NOW, hours(0));
        clock.observe(NOW + 40 * DAY, hours(40 * 24));
        assert_eq!(clock.time(), Some(NOW + 40 * DAY));
    }

    #[test]
    fn a_leap_is_believed_after_a_day_in_either_direction() {
        for leap in [30_000 * DAY, -NOW] {
            let mut clock = RetentionClock::new(Some(NOW));
            clock.observe(NOW + 1, hours(0));
            clock.observe(NOW + leap, hours(1));
            assert_eq!(clock.time(), None);
            clock.observe(NOW + leap + 23 * DAY / 24, hours(24));
            assert_eq!(clock.time(), None);
            clock.observe(NOW + leap + DAY, hours(25));
            assert_eq!(clock.time(), Some(NOW + leap + DAY));
        }
    }

    #[test]
    fn a_leap_that_is_taken_back_changes_nothing() {
        let mut clock = RetentionClock::new(Some(NOW));
        clock.observe(NOW, hours(0));
        clock.observe(NOW + 900 * DAY, hours(1));
        clock.observe(NOW + DAY / 12, hours(2));
        assert_eq!(clock.time(), Some(NOW + DAY / 12));
    }

    #[test]
    fn a_year_in_a_cupboard_takes_a_day_to_be_believed() {
        let mut clock = RetentionClock::new(Some(NOW));
        clock.observe(NOW + 365 * DAY, hours(0));
        assert_eq!(clock.time(), None);
        clock.observe(NOW + 366 * DAY, hours(24));
        assert_eq!(clock.time(), Some(NOW + 366 * DAY));
    }
}
