//! Points in time, to the microsecond, in UTC.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: microseconds since 1970-01-01T00:00:00Z, between the years -9999 and 9999.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Says why a text or number is not a point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time: write it like 2026-11-22T10:00:00Z")]
pub struct TimeError(pub String);

const DAY_MICROS: i64 = 86_400_000_000;
/// 0001-01-01 and 9999-12-31: RFC 3339 knows no other years.
const MIN: i64 = -62_135_596_800_000_000;
const MAX: i64 = 253_402_300_799_999_999;

/// A duration in microseconds.
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// The last microsecond of the year 9999.
    pub const LAST: Timestamp = Timestamp(MAX);

    /// Makes a time from microseconds since 1970; `None` outside the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Option<Timestamp> {
        (MIN..=MAX).contains(&micros).then_some(Timestamp(micros))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 time with any offset; digits past the microsecond are cut.
    pub fn parse(text: &str) -> Result<Timestamp, TimeError> {
        let wrong = || TimeError(text.chars().take(60).collect());
        let parsed: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
        Timestamp::from_micros(parsed.as_microsecond()).ok_or_else(wrong)
    }

    /// This time moved by `micros`, held within the years 1 to 9999.
    pub fn saturating_add_micros(self, micros: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(micros).clamp(MIN, MAX))
    }

    /// Microseconds from `earlier` to this time (negative if `earlier` is later).
    pub fn micros_since(self, earlier: Timestamp) -> i64 {
        self.0 - earlier.0
    }

    /// The time as 27 ASCII bytes, `2026-11-22T10:00:00.123456Z`.
    pub fn to_ascii(self) -> [u8; 27] {
        let days = self.0.div_euclid(DAY_MICROS);
        let mut rest = self.0.rem_euclid(DAY_MICROS);
        let (year, month, day) = civil_from_days(days);
        let mut out = *b"0000-00-00T00:00:00.000000Z";
        let micros = rest % 1_000_000;
        rest /= 1_000_000;
        put(&mut out[0..4], year);
        put(&mut out[5..7], month);
        put(&mut out[8..10], day);
        put(&mut out[11..13], rest / 3600);
        put(&mut out[14..16], rest / 60 % 60);
        put(&mut out[17..19], rest % 60);
        put(&mut out[20..26], micros);
        out
    }
}

fn put(slot: &mut [u8], mut value: i64) {
    for digit in slot.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of the proleptic Gregorian calendar from days since 1970-01-01,
/// by counting in 400-year eras of 146,097 days that start on 1 March.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_ascii()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Timestamp::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_offsets_and_cuts_nanoseconds() {
        let time = Timestamp::parse("2026-11-22T12:00:00.123456789+02:00").unwrap();
        assert_eq!(time.to_string(), "2026-11-22T10:00:00.123456Z");
    }

    #[test]
    fn refuses_what_is_not_a_time() {
        for bad in ["", "2026-11-22", "yesterday", "2026-13-01T00:00:00Z", "2026-11-22T10:00:00"] {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Timestamp::from_micros(i64::MAX), None);
    }

    proptest! {
        #[test]
        fn writing_and_reading_gives_the_same_time(micros in MIN..=MAX) {
            let time = Timestamp::from_micros(micros).unwrap();
            prop_assert_eq!(Timestamp::parse(&time.to_string()).unwrap(), time);
        }
    }
}
