//! Durations and sizes as people write them, and the nearest of several words.

use std::time::Duration;

const DURATION_UNITS: [(&str, u64); 8] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("min", 60_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
    ("w", 604_800_000_000),
];

const SIZE_UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads a duration such as `1s`, `1h30m`, `0.5d`: `us ms s m min h d w`, to the microsecond.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = 0u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (micros, left) = number_with_unit(rest, &DURATION_UNITS)?;
        total = total.checked_add(micros)?;
        rest = left.trim_start();
    }
    Some(Duration::from_micros(total))
}

/// Reads a size in bytes such as `2GiB`, `500 MB`, `64KiB`.
pub fn parse_size(text: &str) -> Option<u64> {
    match number_with_unit(text.trim(), &SIZE_UNITS)? {
        (bytes, "") => Some(bytes),
        _ => None,
    }
}

fn number_with_unit<'a>(text: &'a str, units: &[(&str, u64)]) -> Option<(u64, &'a str)> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(split);
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, left) = rest.split_at(end);
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    Some((scaled(number, factor)?, left))
}

/// A decimal number times `factor`, exact for whole numbers and rounded to the nearest otherwise.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let value = number.parse::<f64>().ok()? * factor as f64;
    (value < 9e15).then(|| value.round() as u64)
}

/// The word of `words` that `word` was probably meant to be, if one is near.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = (length / 3).clamp(1, 3).min(length.saturating_sub(2));
    words
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edit distance where insertion, deletion, replacement and the swap of neighbours cost 1
/// (optimal string alignment).
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (above[j] + 1).min(row[j - 1] + 1).min(above[j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_durations() {
        for (text, micros) in [
            ("1s", 1_000_000),
            ("250ms", 250_000),
            ("90d", 90 * 86_400_000_000),
            ("1h30m", 5_400_000_000),
            ("1 h 30 min", 5_400_000_000),
            ("0.5s", 500_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_micros(micros)), "{text}");
        }
        for bad in ["", "1", "s", "-1s", "1.2.3s", "1y", "1e3s", "99999999999999999w", "1s,"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn reads_sizes() {
        for (text, bytes) in [("2GiB", 2 << 30), ("500 MB", 500_000_000), ("64KiB", 65_536), ("1.5kB", 1500)]
        {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for bad in ["", "2", "2G", "GiB", "1GiB1MiB", "-1B", "99999999999TiB"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn guesses_what_was_meant() {
        assert_eq!(nearest("prot", ["port", "baud"]), Some("port"));
        assert_eq!(nearest("commit_intervall", ["commit_interval", "max_age"]), Some("commit_interval"));
        assert_eq!(nearest("x", [",", "."]), None);
        assert_eq!(nearest("colour", ["port", "baud"]), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            parse_duration(&text);
            parse_size(&text);
            nearest(&text, ["port", "commit_interval"]);
        }

        #[test]
        fn whole_milliseconds_come_back(ms in 0u64..1_000_000_000) {
            prop_assert_eq!(parse_duration(&format!("{ms}ms")), Some(Duration::from_millis(ms)));
        }
    }
}
