//! Which gateways belong to a canary: the same everywhere, without anybody being asked.

use sha2::{Digest as _, Sha256};

use crate::domain::id::Id;

/// Points on the scale of shares: a hundredth of a percent each.
pub const POINTS: u16 = 10_000;

/// Where a gateway stands for a seed, from 0 to 9,999: the first 8 bytes of
/// SHA-256("calibd-canary-v1\n" id "\n" seed "\n" gateway), big-endian, modulo 10,000.
pub fn point(id: &Id, seed: &str, gateway: &Id) -> u16 {
    let mut hasher = Sha256::new();
    for part in ["calibd-canary-v1", "\n", id.as_str(), "\n", seed, "\n", gateway.as_str()] {
        hasher.update(part.as_bytes());
    }
    let first = hasher.finalize().iter().take(8).fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    // Below 10,000, so it fits.
    (first % u64::from(POINTS)) as u16
}

/// Whether a share in percent reaches that point. A larger share reaches all points that a smaller one does.
///
/// Percents that binary fractions cannot hold are taken as they are written: 0.07 is 7 points, not 8.
pub fn reaches(percent: f64, point: u16) -> bool {
    f64::from(point) < (percent * 1e8).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    #[test]
    fn points_are_those_that_others_compute() {
        // python3: int.from_bytes(hashlib.sha256(b"calibd-canary-v1\n...").digest()[:8], "big") % 10000
        for (transform, seed, gateway, wanted) in [
            ("co-electrochemical", "2026-11", "gw-0042", 4464),
            ("co-electrochemical", "2026-11", "gw-0043", 2347),
            ("co-electrochemical", "2026-12", "gw-0042", 6783),
            ("t", "", "g", 7205),
            ("t", "Köln 7", "g", 1110),
        ] {
            assert_eq!(point(&id(transform), seed, &id(gateway)), wanted, "{transform} {seed} {gateway}");
        }
    }

    #[test]
    fn the_ends_are_nobody_and_everybody() {
        assert!(!reaches(0.0, 0));
        assert!(reaches(100.0, POINTS - 1));
        assert!(reaches(0.01, 0) && !reaches(0.01, 1));
        // 0.07 * 100 is 7.000000000000001 in doubles
        assert!(reaches(0.07, 6) && !reaches(0.07, 7));
        assert!(reaches(0.29, 28) && !reaches(0.29, 29));
    }

    #[test]
    fn gateways_spread_evenly() {
        // Chi-squared over 100 classes: below its 99.9 % quantile (148.2 at 99 degrees of freedom).
        let mut counts = [0u32; 100];
        for number in 0..100_000 {
            let point = point(&id("co-electrochemical"), "2026-11", &id(&format!("gw-{number:06}")));
            counts[usize::from(point / 100)] += 1;
        }
        let chi_squared: f64 = counts.iter().map(|n| (f64::from(*n) - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi_squared < 148.2, "{chi_squared}");
    }

    #[test]
    fn another_seed_chooses_other_gateways() {
        let inside =
            |seed: &str, number: u32| reaches(10.0, point(&id("t"), seed, &id(&format!("g{number}"))));
        let both = (0..10_000).filter(|number| inside("a", *number) && inside("b", *number)).count();
        // 100 are expected; five standard deviations are 50.
        assert!((50..150).contains(&both), "{both}");
    }

    proptest! {
        #[test]
        fn a_wider_share_contains_the_narrower(
            narrow in 0.0..100.0f64, more in 0.0..100.0f64, seed in ".{0,12}", number in 0u32..1_000_000,
        ) {
            let point = point(&id("t"), &seed, &id(&format!("g{number}")));
            prop_assert!(point < POINTS);
            let wide = (narrow + more).min(100.0);
            prop_assert!(!reaches(narrow, point) || reaches(wide, point));
            prop_assert!(!reaches(1.0, point) || reaches(10.0, point));
        }
    }
}
