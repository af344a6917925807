//! How often a sensor gives readings, seen from its readings.

use std::collections::BTreeMap;

use crate::domain::time::Timestamp;

/// The most different spacings that are told apart; regular sensors have a handful.
const MOST: usize = 1000;
/// Digits of a spacing that count.
const DIGITS: u32 = 3;
/// How near to a whole number of readings an interval is one of them: clocks are not exact.
const EXACT: f64 = 0.01;

/// The times between neighbouring readings, rounded to three digits: whichever way one goes through the
/// readings, the result is the same, and it needs no more memory the more there are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spacing {
    last: Option<Timestamp>,
    counts: BTreeMap<i64, u64>,
}

impl Spacing {
    /// Takes the next reading.
    pub fn push(&mut self, time: Timestamp) {
        let Some(last) = self.last.replace(time) else { return };
        let apart = rounded(time.micros_since(last).abs());
        if apart > 0 && (self.counts.len() < MOST || self.counts.contains_key(&apart)) {
            *self.counts.entry(apart).or_default() += 1;
        }
    }

    /// The median, in microseconds, of an even number the lower one; `None` for fewer than two readings.
    pub fn median(&self) -> Option<i64> {
        let half = self.counts.values().sum::<u64>().div_ceil(2);
        let mut below = 0;
        self.counts.iter().find_map(|(apart, count)| {
            below += count;
            (below >= half).then_some(*apart)
        })
    }
}

fn rounded(micros: i64) -> i64 {
    let digits = micros.checked_ilog10().map_or(0, |power| power + 1);
    let step = 10_i64.pow(digits.saturating_sub(DIGITS));
    (micros + step / 2) / step * step
}

/// How many readings, `period` apart, an interval of this length has for certain; at least 1.
pub fn expected(length: i64, period: i64) -> u64 {
    let ratio = length as f64 / period.max(1) as f64;
    let nearest = ratio.round();
    let whole = if (ratio - nearest).abs() <= EXACT * ratio { nearest } else { ratio.floor() };
    (whole as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spaced(seconds: &[i64]) -> Spacing {
        let mut spacing = Spacing::default();
        for second in seconds {
            spacing.push(Timestamp::EPOCH.saturating_add_micros(second * 1_000_000));
        }
        spacing
    }

    #[test]
    fn gaps_and_readings_at_once_do_not_move_the_median() {
        assert_eq!(spaced(&[0, 10, 20, 20, 30, 500, 510]).median(), Some(10_000_000));
        assert_eq!(spaced(&[510, 500, 30, 20, 20, 10, 0]).median(), Some(10_000_000));
        assert_eq!(spaced(&[0]).median(), None);
        assert_eq!(spaced(&[7, 7]).median(), None);
    }

    #[test]
    fn spacings_are_rounded_to_three_digits() {
        assert_eq!(
            [1, 999, 1000, 1004, 1005, 10_019_999].map(rounded),
            [1, 999, 1000, 1000, 1010, 10_000_000]
        );
    }

    #[test]
    fn what_an_interval_holds_for_certain() {
        let hour = 3_600_000_000;
        for (period, count) in [(10, 360), (3600, 1), (3610, 1), (7, 514), (2400, 1), (7200, 1), (1801, 2)] {
            assert_eq!(expected(hour, period * 1_000_000), count, "{period}");
        }
    }
}
