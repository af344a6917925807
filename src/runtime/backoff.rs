//! How long to wait before the next attempt.

use std::time::Duration;

/// Full jitter: a random wait between a tenth of a second and the time that was waited in vain so far, `away`, which counts as
/// `first` at least and as `most` at most.
///
/// What comes back after an outage is used again at the latest after as much time again, or after `most`. `random` are uniformly
/// distributed bits: gateways that lost the same broker come back spread out.
pub fn full_jitter(away: Duration, first: Duration, most: Duration, random: u64) -> Duration {
    let ceiling = away.max(first).min(most);
    let share = (random >> 11) as f64 / (1u64 << 53) as f64;
    ceiling.mul_f64(share).max(Duration::from_millis(100))
}

/// The waits between the attempts at something that is to last.
#[derive(Debug)]
pub struct Retries {
    first: Duration,
    most: Duration,
    lasting: Duration,
    /// What was waited in vain so far.
    away: Duration,
}

impl Retries {
    /// Waits with full jitter between `first` and `most`; what stood for `lasting` was not in vain.
    pub fn new(first: Duration, most: Duration, lasting: Duration) -> Retries {
        Retries { first, most, lasting, away: Duration::ZERO }
    }

    /// The wait after an attempt that stood for so long, which is no time at all if it failed. `random` as for
    /// [`full_jitter`].
    pub fn wait_after(&mut self, stood: Duration, random: u64) -> Duration {
        if stood >= self.lasting {
            self.away = Duration::ZERO;
        }
        let wait = full_jitter(self.away, self.first, self.most, random);
        self.away = self.away.saturating_add(wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resample::Seeded;

    const FIRST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(300);

    #[test]
    fn the_ceiling_is_how_long_it_has_been_up_to_the_most() {
        let near = |wait: Duration, seconds: f64| (wait.as_secs_f64() - seconds).abs() < 1e-3;
        let longest = |seconds| full_jitter(Duration::from_secs(seconds), FIRST, MOST, u64::MAX);
        assert!(near(longest(0), 1.0) && near(longest(8), 8.0) && near(longest(100_000), 300.0));
        assert_eq!(full_jitter(Duration::MAX, FIRST, MOST, 0), Duration::from_millis(100));
    }

    /// When a gateway is back after the broker was away for so long, and at which attempt.
    fn back(draws: &mut Seeded, outage: Duration) -> (Duration, u32) {
        let (mut away, mut attempts) = (Duration::ZERO, 0);
        while away < outage {
            away += full_jitter(away, FIRST, MOST, draws.bits());
            attempts += 1;
        }
        (away - outage, attempts)
    }

    #[test]
    fn ten_thousand_gateways_are_back_after_as_much_time_again_and_spread_out() {
        let mut draws = Seeded::new(1);
        for outage in [1, 30, 600, 86_400].map(Duration::from_secs) {
            let all: Vec<_> = (0..10_000).map(|_| back(&mut draws, outage)).collect();
            let latest = all.iter().map(|(when, _)| *when).max().unwrap();
            assert!(latest <= outage.max(FIRST).min(MOST), "{latest:?} after {outage:?}");
            let attempts = all.iter().map(|(_, attempts)| *attempts).max().unwrap();
            assert!(u64::from(attempts) < 60 + outage.as_secs() / 100, "{attempts} attempts in {outage:?}");
            // No tenth of the time has more than a third of them.
            let span = outage.max(FIRST).min(MOST);
            let tenths = (0..10).map(|tenth| {
                let from = span * tenth / 10;
                all.iter().filter(|(when, _)| (from..from + span / 10).contains(when)).count()
            });
            assert!(tenths.max().unwrap() < 3_334, "{outage:?}");
        }
    }

    #[test]
    fn what_is_lost_again_at_once_is_waited_for_longer_and_longer() {
        let mut draws = Seeded::new(2);
        let minute = Duration::from_secs(60);
        let mut retries = Retries::new(FIRST, MOST, minute);
        let (mut time, mut attempts) = (Duration::ZERO, 0);
        while time < Duration::from_secs(86_400) {
            time += retries.wait_after(Duration::from_millis(20), draws.bits());
            attempts += 1;
        }
        assert!(attempts < 1000, "{attempts} attempts in a day");
        assert!(retries.wait_after(minute / 2, u64::MAX) > minute);
        assert!(retries.wait_after(minute, u64::MAX) <= FIRST);
    }
}
