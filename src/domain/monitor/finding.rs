//! What a monitor has found: since when, the numbers, a sentence.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// What kind of thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Kind {
    /// The same value again and again.
    Stuck = 0,
    /// Far less noise than is usual.
    NoiseLow = 1,
    /// Far more noise than is usual.
    NoiseHigh = 2,
    /// Single values far from those before.
    Spikes = 3,
    /// Changes that are faster than they can be.
    Rate = 4,
    /// Many readings outside what the transform was made for.
    OutOfDomain = 5,
    /// No readings.
    Silent = 6,
    /// Far from what the sensors beside it say.
    Peers = 7,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 8] = [
        Kind::Stuck,
        Kind::NoiseLow,
        Kind::NoiseHigh,
        Kind::Spikes,
        Kind::Rate,
        Kind::OutOfDomain,
        Kind::Silent,
        Kind::Peers,
    ];

    /// The kind's name, as in JSON and as a metrics label.
    pub fn as_str(self) -> &'static str {
        ["stuck", "noise_low", "noise_high", "spikes", "rate", "out_of_domain", "silent", "peers"]
            [self as usize]
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds(u8);

impl Kinds {
    /// Adds a kind.
    pub fn insert(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u8;
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a kind is in the set.
    pub fn contains(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// The kinds in the set.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

/// The numbers behind a finding. Values are in the unit of what was watched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// `value` came so many times in a row, over so many seconds without the gaps between readings.
    Stuck { value: f64, readings: u32, seconds: f64 },
    /// The mean change from reading to reading, and the least that is usual.
    NoiseLow { change: f64, usual: f64 },
    /// The mean change from reading to reading, and the most that is usual.
    NoiseHigh { change: f64, usual: f64 },
    /// So many of the last `of` readings.
    Spikes { count: u32, of: u32 },
    /// So many of the last `of` readings, and the limit per second.
    Rate { count: u32, of: u32, limit: f64 },
    /// So many of the last `of` readings.
    OutOfDomain { count: u32, of: u32 },
    /// Nothing for so many seconds, where so many are allowed.
    Silent { seconds: f64, allowed: f64 },
    /// So many of the last `of` comparisons; the last difference from the median of the others, and its limit.
    Peers { count: u32, of: u32, difference: f64, limit: f64 },
}

impl Evidence {
    /// What kind of thing was found.
    pub fn kind(&self) -> Kind {
        match self {
            Evidence::Stuck { .. } => Kind::Stuck,
            Evidence::NoiseLow { .. } => Kind::NoiseLow,
            Evidence::NoiseHigh { .. } => Kind::NoiseHigh,
            Evidence::Spikes { .. } => Kind::Spikes,
            Evidence::Rate { .. } => Kind::Rate,
            Evidence::OutOfDomain { .. } => Kind::OutOfDomain,
            Evidence::Silent { .. } => Kind::Silent,
            Evidence::Peers { .. } => Kind::Peers,
        }
    }
}

/// Something that stands against a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Since when.
    pub since: Timestamp,
    /// What, with its numbers.
    #[serde(flatten)]
    pub evidence: Evidence,
}

impl Finding {
    /// What was found, as a sentence whose subject is the sensor.
    pub fn sentence(&self) -> String {
        match self.evidence {
            Evidence::Stuck { value, readings, seconds } => {
                let long = time(seconds);
                format!("has given {value} {readings} times in a row, for {long}")
            }
            Evidence::NoiseLow { change, usual } => {
                let (change, usual) = (shown(change), shown(usual));
                format!(
                    "hardly moves: from reading to reading {change} on average, where at least {usual} is usual"
                )
            }
            Evidence::NoiseHigh { change, usual } => {
                let (change, usual) = (shown(change), shown(usual));
                format!(
                    "is noisy: from reading to reading {change} on average, where at most {usual} is usual"
                )
            }
            Evidence::Spikes { count, of } => format!("has spikes: {count} of its last {of} readings"),
            Evidence::Rate { count, of, limit } => {
                let limit = shown(limit);
                format!(
                    "changes faster than {limit} per second, which cannot be: {count} of its last {of} readings"
                )
            }
            Evidence::OutOfDomain { count, of } => {
                format!("is outside what its transform was made for: {count} of its last {of} readings")
            }
            Evidence::Silent { seconds, allowed } => {
                let (long, allowed) = (time(seconds), time(allowed));
                format!("has been silent for {long}, where {allowed} is allowed")
            }
            Evidence::Peers { count, of, difference, limit } => {
                let (difference, limit) = (shown(difference), shown(limit));
                format!(
                    "disagrees with the sensors beside it: {count} of the last {of} comparisons, \
                     now by {difference}, where {limit} is allowed"
                )
            }
        }
    }
}

/// A number to three digits.
pub fn shown(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{number:.2e}");
    }
    // Between -3 and 5, so that the digits are from 0 to 5.
    let magnitude = if size == 0.0 { 2 } else { size.log10().floor() as i32 };
    format!("{number:.*}", (2 - magnitude).max(0) as usize)
}

/// A time in the largest unit that fits.
fn time(seconds: f64) -> String {
    let units = [(86_400.0, "d"), (3600.0, "h"), (60.0, "min")];
    match units.into_iter().find(|(size, _)| seconds >= 2.0 * size) {
        Some((size, unit)) => format!("{:.1} {unit}", seconds / size),
        None => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(evidence: Evidence) -> String {
        Finding { since: Timestamp::EPOCH, evidence }.sentence()
    }

    #[test]
    fn findings_are_sentences_with_readable_numbers() {
        let stuck = Evidence::Stuck { value: 5.25, readings: 700, seconds: 700.0 };
        assert_eq!(said(stuck), "has given 5.25 700 times in a row, for 11.7 min");
        let noise = Evidence::NoiseHigh { change: 1234.56, usual: 0.123456 };
        assert!(said(noise).contains("1235 on average, where at most 0.123 is usual"), "{}", said(noise));
        let peers = Evidence::Peers { count: 40, of: 64, difference: -2e-7, limit: 0.0 };
        assert!(said(peers).contains("now by -2.00e-7, where 0 is allowed"), "{}", said(peers));
        let silent = Evidence::Silent { seconds: 90_000.0, allowed: 50.0 };
        assert_eq!(said(silent), "has been silent for 25.0 h, where 50.0 s is allowed");
    }

    #[test]
    fn findings_are_flat_in_json_and_come_back() {
        let finding = Finding { since: Timestamp::EPOCH, evidence: Evidence::Spikes { count: 3, of: 64 } };
        let text = serde_json::to_string(&finding).unwrap();
        assert_eq!(text, r#"{"since":"1970-01-01T00:00:00.000000Z","kind":"spikes","count":3,"of":64}"#);
        assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), finding);
    }

    #[test]
    fn kinds_are_a_set_by_name() {
        let mut kinds = Kinds::default();
        assert!(kinds.is_empty());
        kinds.insert(Kind::Peers);
        kinds.insert(Kind::Stuck);
        let names: Vec<_> = kinds.iter().map(Kind::as_str).collect();
        assert_eq!(names, ["stuck", "peers"]);
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.as_str()));
        }
    }
}
