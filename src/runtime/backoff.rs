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
}
