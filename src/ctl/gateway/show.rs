//! How values, times and states are shown to people.

use crate::ctl::output::significant;
use crate::domain::time::Timestamp;
use crate::wire::control::Reading;

/// Styles of the terminal; they are left out where there is none, or none are wanted.
pub const URGENT: &str = "\x1b[1;31m";
pub const MENTIONED: &str = "\x1b[33m";
pub const GOOD: &str = "\x1b[32m";
pub const PLAIN: &str = "\x1b[0m";

/// A value with its standard uncertainty, both with the digits that the uncertainty leaves a meaning:
/// two of its own (GUM 7.2.6).
pub fn measured(value: f64, u: Option<f64>) -> String {
    let Some(u) = u.filter(|u| *u > 0.0 && u.is_finite()) else { return significant(value, 6) };
    let exponent = u.log10().floor();
    if !(-9.0..9.0).contains(&exponent) {
        return format!("{} ± {}", significant(value, 6), significant(u, 2));
    }
    let decimals = (1 - exponent as i32).max(0) as usize;
    format!("{value:.decimals$} ± {u:.decimals$}")
}

/// What a reading says, in a few words: the value with its unit, or the raw one where there is none.
pub fn reading(reading: &Reading) -> String {
    match (reading.value, reading.raw) {
        (Some(value), _) => format!("{} {}", measured(value, reading.u), clean(&reading.unit)),
        (None, Some(raw)) => format!("{} {} raw", significant(raw, 6), clean(&reading.unit)),
        (None, None) => "no value".to_owned(),
    }
}

/// A reading's state and the reasons for it.
pub fn state(reading: &Reading) -> String {
    let words = [&reading.state].into_iter().chain(&reading.reasons);
    words.map(|word| clean(word)).collect::<Vec<_>>().join(" ")
}

/// A time to the second.
pub fn time(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.get(..19).unwrap_or(&text).replace('T', " "))
}

/// The time of day, to the millisecond.
pub fn clock(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.get(11..23).unwrap_or(&text))
}

/// A span of time in its two largest units.
pub fn span(micros: i64) -> String {
    let seconds = micros.max(0) / 1_000_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A count with its thousands apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Text without anything that a terminal would act on.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The same for terminals that show ASCII only.
const PLAIN_BARS: [char; 8] = ['_', '.', ',', '-', '~', '+', '*', '#'];

/// Values as a line of bars, or of as many signs in ASCII if `plain`; empty where there are fewer than two.
pub fn sparkline(values: &[f64], plain: bool) -> String {
    let bars = if plain { PLAIN_BARS } else { BARS };
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if values.len() < 2 || !(high - low).is_finite() {
        return String::new();
    }
    let bar = |value: &f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        bars[((share * 8.0) as usize).min(7)]
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_digits_that_their_uncertainty_leaves() {
        for (value, u, text) in [
            (4.981234, Some(0.0912), "4.981 ± 0.091"),
            (1234.5, Some(25.0), "1234 ± 25"),
            (0.5, Some(0.0), "0.5"),
            (2.0, None, "2"),
            (1e-12, Some(1e-13), "1e-12 ± 1e-13"),
        ] {
            assert_eq!(measured(value, u), text);
        }
    }

    #[test]
    fn spans_and_counts_are_short() {
        let second = 1_000_000;
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7_380, "2 h 3 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(span(seconds * second), text);
        }
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn bars_go_from_the_lowest_to_the_highest() {
        assert_eq!(sparkline(&[0.0, 1.0, 0.5], false), "▁█▅");
        assert_eq!(sparkline(&[0.0, 1.0, 0.5], true), "_#~");
        assert_eq!(sparkline(&[2.0, 2.0], false), "▅▅");
        for nothing in [&[1.0][..], &[-f64::MAX, f64::MAX]] {
            assert_eq!(sparkline(nothing, false), "");
        }
    }

    #[test]
    fn nothing_that_a_terminal_acts_on_gets_through() {
        assert_eq!(clean("a\x1b[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
