//! How long to wait before the next attempt.

use std::time::Duration;

/// Full jitter: a random wait between a tenth of a second and `first` doubled for each failed attempt, at most `most`.
///
/// `random` are uniformly distributed bits. Gateways that lost the same broker come back spread out.
pub fn full_jitter(attempt: u32, first: Duration, most: Duration, random: u64) -> Duration {
    let ceiling = first.saturating_mul(2u32.saturating_pow(attempt.min(30))).min(most);
    let share = (random >> 11) as f64 / (1u64 << 53) as f64;
    ceiling.mul_f64(share).max(Duration::from_millis(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_most() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(300));
        let near = |wait: Duration, seconds: f64| (wait.as_secs_f64() - seconds).abs() < 1e-3;
        assert!(near(full_jitter(0, first, most, u64::MAX), 1.0));
        assert!(near(full_jitter(3, first, most, u64::MAX), 8.0));
        assert!(near(full_jitter(u32::MAX, first, most, u64::MAX), 300.0));
        assert_eq!(full_jitter(9, first, most, 0), Duration::from_millis(100));
    }
}
