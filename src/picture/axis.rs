//! Axes: where the ticks stand and what is written at them.

use crate::domain::time::Timestamp;

/// A tick and its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The value at which it stands.
    pub at: f64,
    /// What is written there.
    pub text: String,
}

/// An axis from `low` to `high`, `low` being below `high`.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What is measured, with its unit.
    pub label: String,
    /// The least value shown.
    pub low: f64,
    /// The greatest value shown.
    pub high: f64,
    /// From low to high.
    pub ticks: Vec<Tick>,
}

impl Axis {
    /// An axis of numbers around a range, with about `count` ticks at 1, 2 or 5 times a power of ten.
    pub fn around(label: &str, range: [f64; 2], count: usize) -> Axis {
        let [low, high] = widened(range);
        let margin = 0.04 * (high - low);
        Axis::exactly(label, [low - margin, high + margin], count)
    }

    /// An axis of numbers that ends where the range ends.
    pub fn exactly(label: &str, range: [f64; 2], count: usize) -> Axis {
        let [low, high] = widened(range);
        let step = nice_step((high - low) / count.max(1) as f64);
        let ticks = multiples(low, high, step);
        let largest = ticks.iter().fold(0.0f64, |largest, at| largest.max(at.abs()));
        let ticks = ticks.into_iter().map(|at| Tick { at, text: number(at, step, largest) }).collect();
        Axis { label: label.to_owned(), low, high, ticks }
    }

    /// An axis of times, in seconds since 1970, around a range.
    pub fn times(label: &str, range: [f64; 2], count: usize) -> Axis {
        let [low, high] = widened(range);
        let wanted = (high - low) / count.max(1) as f64;
        let margin = 0.015 * (high - low);
        let [low, high] = [low - margin, high + margin];
        let Some(step) = TIME_STEPS.iter().copied().find(|step| *step >= wanted) else {
            return Axis::exactly(label, [low, high], count);
        };
        let ticks = multiples(low, high, step).into_iter();
        let ticks = ticks.filter_map(|at| Some(Tick { at, text: time(at, step)? })).collect();
        Axis { label: label.to_owned(), low, high, ticks }
    }

    /// How many characters the longest text at a tick has.
    pub fn longest(&self) -> usize {
        self.ticks.iter().map(|tick| tick.text.chars().count()).max().unwrap_or(0)
    }
}

const DAY: f64 = 86_400.0;

/// Steps between times, in seconds: round in minutes, hours, days.
const TIME_STEPS: [f64; 26] = [
    1.0,
    5.0,
    15.0,
    30.0,
    60.0,
    300.0,
    900.0,
    1_800.0,
    3_600.0,
    7_200.0,
    10_800.0,
    21_600.0,
    43_200.0,
    DAY,
    2.0 * DAY,
    5.0 * DAY,
    7.0 * DAY,
    14.0 * DAY,
    30.0 * DAY,
    60.0 * DAY,
    90.0 * DAY,
    180.0 * DAY,
    365.0 * DAY,
    730.0 * DAY,
    1_825.0 * DAY,
    3_650.0 * DAY,
];

/// A range of no width shows nothing.
fn widened([low, high]: [f64; 2]) -> [f64; 2] {
    // The difference has to be seen by ticks, which are fractions of it.
    let least = 1e-9 * low.abs().max(high.abs());
    if high - low > least {
        return [low, high];
    }
    let half = if low == 0.0 && high == 0.0 { 1.0 } else { (0.05 * low.abs().max(high.abs())).max(1e-140) };
    let middle = low + (high - low) / 2.0;
    [middle - half, middle + half]
}

/// The nearest, by ratio, of 1, 2, 5 times a power of ten.
fn nice_step(wanted: f64) -> f64 {
    let power = 10f64.powf(wanted.log10().floor());
    let ends = [(1.0, 2f64.sqrt()), (2.0, 10f64.sqrt()), (5.0, 50f64.sqrt())];
    ends.into_iter().find(|(_, end)| wanted <= end * power).map_or(10.0, |(step, _)| step) * power
}

fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    let count = (last - first).clamp(0.0, 50.0) as usize;
    (0..=count).map(|at| (first + at as f64) * step + 0.0).collect()
}

/// The number at a tick, with as many digits as the step needs.
fn number(value: f64, step: f64, largest: f64) -> String {
    let step_power = (step * 1.000_001).log10().floor() as i32;
    let power = if largest > 0.0 { (largest * 1.000_001).log10().floor() as i32 } else { 0 };
    let text = if value == 0.0 {
        "0".to_owned()
    } else if power >= 6 || step_power < -5 {
        let own = (value.abs() * 1.000_001).log10().floor() as i32;
        let digits = usize::try_from(own - step_power).unwrap_or(0);
        format!("{value:.digits$e}")
    } else {
        let decimals = usize::try_from(-step_power).unwrap_or(0);
        format!("{value:.decimals$}")
    };
    text.replace('-', "\u{2212}")
}

/// The time at a tick: the date, or the time of the day where the step is shorter.
fn time(seconds: f64, step: f64) -> Option<String> {
    let text = Timestamp::from_micros((seconds * 1e6) as i64)?.to_string();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    Some(if step >= DAY {
        part(0, 10).to_owned()
    } else if step >= 60.0 {
        format!("{} {}", part(5, 10), part(11, 16))
    } else {
        part(11, 19).to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.text.as_str()).collect()
    }

    #[test]
    fn ticks_stand_at_round_numbers() {
        let axis = |range| Axis::exactly("", range, 5);
        assert_eq!(texts(&axis([0.0, 1.0])), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(&axis([-3.1, 9.0])), ["\u{2212}2", "0", "2", "4", "6", "8"]);
        assert_eq!(texts(&axis([0.0, 1e7])), ["0", "2e6", "4e6", "6e6", "8e6", "1.0e7"]);
        assert_eq!(
            texts(&axis([-2e-9, 2e-9])),
            ["\u{2212}2e\u{2212}9", "\u{2212}1e\u{2212}9", "0", "1e\u{2212}9", "2e\u{2212}9"]
        );
        assert_eq!(texts(&axis([1360.0, 1360.0])), ["1300", "1320", "1340", "1360", "1380", "1400", "1420"]);
    }

    #[test]
    fn times_stand_at_round_times() {
        let start = 1_795_305_600.0;
        let hours = Axis::times("", [start, start + 18.0 * 3600.0], 6);
        assert_eq!(texts(&hours)[..2], ["11-22 00:00", "11-22 03:00"]);
        let days = Axis::times("", [start, start + 20.0 * DAY], 5);
        assert!(texts(&days).iter().all(|text| text.starts_with("2026-1")), "{days:?}");
        assert_eq!(texts(&Axis::times("", [0.0, 10.0], 2))[1], "00:00:05");
    }

    proptest! {
        #[test]
        fn any_range_has_an_axis(a in -1e150..1e150f64, b in -1e150..1e150f64, c in any::<f64>(), count in 1..12usize) {
            let c = if c.abs() < 1e150 { c } else { 0.0 };
            for range in [[a.min(b), a.max(b)], [a.min(c), a.max(c)], [c, c]] {
                for axis in [Axis::around("", range, count), Axis::times("", range, count)] {
                    prop_assert!(axis.low < axis.high);
                    prop_assert!(axis.ticks.len() <= 51);
                    prop_assert!(axis.ticks.iter().all(|tick| tick.at.is_finite()));
                    prop_assert!(axis.longest() < 30, "{axis:?}");
                }
            }
        }
    }
}
