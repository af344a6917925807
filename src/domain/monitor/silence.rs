//! No readings for longer than is usual.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Evidence, Limit};

/// So many intervals have to be known before their longest means anything ...
const KNOWN: u32 = 100;
/// ... and from so many it is learnt.
const LEARNT: u32 = 1000;
/// So many times the period, or the longest interval that was learnt.
const BEYOND: u32 = 5;
/// Less is no silence, whatever was learnt.
const LEAST: Duration = Duration::from_secs(10);

/// When the last reading came, on a clock that never jumps.
///
/// What was learnt survives a restart; the last reading does not, for that clock begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Silence {
    #[serde(skip)]
    last: Option<Duration>,
    longest: Duration,
    intervals: u32,
}

impl Silence {
    /// Notes that a reading came at `now`.
    pub fn note(&mut self, now: Duration) {
        let Some(last) = self.last.replace(now) else { return };
        if self.intervals < LEARNT {
            self.intervals += 1;
            self.longest = self.longest.max(now.saturating_sub(last));
        }
    }

    /// Forgets when the last reading came, or since when one is expected; what was learnt stays.
    pub fn begin_anew(&mut self) {
        self.last = None;
    }

    /// Notes that readings are expected from `now` on, where none has come yet.
    pub fn expect(&mut self, now: Duration) {
        self.last.get_or_insert(now);
    }

    /// The longest silence that is allowed; `None` while nobody knows. `period` is the configured one.
    pub fn allowed(&self, limit: Limit, period: Option<Duration>) -> Option<Duration> {
        match (limit, period) {
            (Limit::Off, _) => None,
            (Limit::Given(seconds), _) => Duration::try_from_secs_f64(seconds).ok(),
            (Limit::Learnt, Some(period)) => Some(period.saturating_mul(BEYOND)),
            (Limit::Learnt, None) => {
                (self.intervals >= KNOWN).then(|| self.longest.saturating_mul(BEYOND).max(LEAST))
            }
        }
    }

    /// How long ago the last reading came.
    pub fn since(&self, now: Duration) -> Option<Duration> {
        self.last.map(|last| now.saturating_sub(last))
    }

    /// What is found at `now`. It began when the last reading came.
    pub fn found(&self, now: Duration, limit: Limit, period: Option<Duration>) -> Option<Evidence> {
        let (silent, allowed) = (self.since(now)?, self.allowed(limit, period)?);
        let evidence = Evidence::Silent { seconds: silent.as_secs_f64(), allowed: allowed.as_secs_f64() };
        (silent > allowed).then_some(evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn five_periods_without_a_reading_are_silence() {
        let mut silence = Silence::default();
        let found = |silence: &Silence, now| silence.found(now, Limit::Learnt, Some(seconds(60)));
        assert_eq!(found(&silence, seconds(9999)), None);
        silence.expect(seconds(50));
        silence.note(seconds(100));
        silence.expect(seconds(300));
        assert_eq!(found(&silence, seconds(400)), None);
        let evidence = Evidence::Silent { seconds: 301.0, allowed: 300.0 };
        assert_eq!(found(&silence, seconds(401)), Some(evidence));
        assert_eq!(silence.found(seconds(401), Limit::Off, Some(seconds(60))), None);
        assert!(silence.found(seconds(401), Limit::Given(299.0), Some(seconds(900))).is_some());
    }

    #[test]
    fn without_a_period_the_longest_interval_is_learnt_and_survives_a_restart() {
        let mut silence = Silence::default();
        let mut now = 0;
        for n in 0..150u64 {
            silence.note(seconds(now));
            now += if n == 20 { 30 } else { 2 };
            let known = silence.allowed(Limit::Learnt, None);
            assert_eq!(known, (n >= 100).then(|| seconds(150)), "{n}");
        }
        let text = serde_json::to_string(&silence).unwrap();
        let mut again: Silence = serde_json::from_str(&text).unwrap();
        assert_eq!(again.found(seconds(9999), Limit::Learnt, None), None);
        again.expect(seconds(0));
        assert!(again.found(seconds(151), Limit::Learnt, None).is_some());
    }

    #[test]
    fn a_burst_does_not_make_every_pause_a_silence() {
        let mut silence = Silence::default();
        (0..200).for_each(|_| silence.note(seconds(5)));
        assert_eq!(silence.allowed(Limit::Learnt, None), Some(LEAST));
    }
}
