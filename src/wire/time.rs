//! Times as devices write them.

use jiff::civil::date;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::Offset;

use crate::domain::time::Timestamp;

/// The unit of a Unix time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds since 1970, with or without a fraction.
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// Microseconds since 1970.
    Micros,
}

impl TimeUnit {
    fn micros(self) -> i64 {
        match self {
            TimeUnit::Seconds => 1_000_000,
            TimeUnit::Millis => 1_000,
            TimeUnit::Micros => 1,
        }
    }

    /// The time of a whole number of units.
    pub fn from_integer(self, units: i64) -> Option<Timestamp> {
        units.checked_mul(self.micros()).and_then(Timestamp::from_micros)
    }

    /// The time of a number of units, rounded to the microsecond.
    pub fn from_float(self, units: f64) -> Option<Timestamp> {
        let micros = (units * self.micros() as f64).round();
        // Outside this range the conversion would saturate to a valid but wrong number.
        (micros.abs() < 9e18).then_some(micros as i64).and_then(Timestamp::from_micros)
    }
}

/// How a device writes the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2026-11-22T10:00:00Z`, with any offset.
    Rfc3339,
    /// A number since 1970.
    Unix(TimeUnit),
    /// A pattern with `%` conversions.
    Pattern(Pattern),
}

impl TimeFormat {
    /// Reads one time.
    pub fn parse(&self, text: &str) -> Option<Timestamp> {
        let text = text.trim();
        match self {
            TimeFormat::Rfc3339 => Timestamp::parse(text).ok(),
            TimeFormat::Unix(unit) => match text.parse() {
                Ok(integer) => unit.from_integer(integer),
                Err(_) => text.parse().ok().and_then(|float| unit.from_float(float)),
            },
            TimeFormat::Pattern(pattern) => pattern.parse(text),
        }
    }
}

/// A checked pattern such as `%d/%m/%Y %H:%M`, and the offset of the device's clock from UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pattern: String,
    offset: Offset,
    /// The text itself says its offset (`%z`) or is absolute (`%s`).
    absolute: bool,
}

impl Pattern {
    /// Checks a pattern by writing a time with it and reading that back.
    ///
    /// `offset` is the device's offset from UTC in seconds; it is not used if the pattern has `%z`.
    /// Errors: a sentence that says what is wrong with the pattern.
    pub fn new(pattern: &str, offset: i32) -> Result<Pattern, String> {
        let offset = Offset::from_seconds(offset).map_err(|_| "the offset is over 25 hours".to_owned())?;
        let example = date(2026, 11, 22).at(10, 11, 12, 0);
        let zoned = offset.to_timestamp(example).map_err(|e| e.to_string())?.to_zoned(offset.to_time_zone());
        let written = strtime::format(pattern, &zoned).map_err(|e| e.to_string())?;
        let parts = BrokenDownTime::parse(pattern, &written).map_err(|e| e.to_string())?;
        let absolute = parts.offset().is_some() || parts.timestamp().is_some();
        let checked = Pattern { pattern: pattern.to_owned(), offset, absolute };
        let read = checked.parse(&written).ok_or("the pattern gives no date")?;
        let day = example.date().to_datetime(jiff::civil::Time::midnight());
        let day = offset.to_timestamp(day).map_err(|e| e.to_string())?.as_microsecond();
        if !(day..day + 86_400_000_000).contains(&read.as_micros()) {
            return Err("the pattern does not tell one day from another".to_owned());
        }
        Ok(checked)
    }

    /// Reads one time.
    pub fn parse(&self, text: &str) -> Option<Timestamp> {
        let parts = BrokenDownTime::parse(&self.pattern, text).ok()?;
        let time = if self.absolute {
            parts.to_timestamp().ok()?
        } else {
            self.offset.to_timestamp(parts.to_datetime().ok()?).ok()?
        };
        Timestamp::from_micros(time.as_microsecond())
    }
}

/// Reads an offset from UTC, `Z` or `+hh:mm`, as seconds.
pub fn parse_offset(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':')?;
    let number = |part: &str, below: i32| {
        let plain = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse().ok().filter(|n: &i32| plain && *n < below)
    };
    Some(sign * (number(hours, 24)? * 3600 + number(minutes, 60)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(pattern: &str, offset: i32, text: &str) -> Option<String> {
        Pattern::new(pattern, offset).unwrap().parse(text).map(|time| time.to_string())
    }

    #[test]
    fn patterns_of_real_files() {
        let cases = [
            ("%d/%m/%Y %H.%M.%S", 3600, "10/03/2004 18.00.00", "2004-03-10T17:00:00.000000Z"),
            ("%d/%m/%Y %H:%M:%S", 0, "10/03/2004 18:00:00", "2004-03-10T18:00:00.000000Z"),
            ("%d-%m-%Y %H:%M", 19800, "27-06-2019 13:01", "2019-06-27T07:31:00.000000Z"),
            ("%m/%d/%Y %H:%M", 0, "8/1/2019 5:00", "2019-08-01T05:00:00.000000Z"),
            ("%Y-%m-%d %H:%M:%S%.f %z", 0, "2020-09-27 17:20:52.25 +0200", "2020-09-27T15:20:52.250000Z"),
            ("%Y-%m-%d", 0, "2020-09-27", "2020-09-27T00:00:00.000000Z"),
        ];
        for (text_pattern, offset, text, want) in cases {
            assert_eq!(pattern(text_pattern, offset, text).as_deref(), Some(want), "{text_pattern}");
        }
        assert_eq!(pattern("%d/%m/%Y", 0, "31/02/2004"), None);
    }

    #[test]
    fn patterns_that_name_no_day_are_refused() {
        for bad in ["%H:%M", "", "%", "%Y", "%m/%d", "%?", "%Y-%m"] {
            assert!(Pattern::new(bad, 0).is_err(), "{bad}");
        }
        assert!(Pattern::new("%Y-%m-%d", 200_000).is_err());
    }

    #[test]
    fn unix_times() {
        let seconds = TimeFormat::Unix(TimeUnit::Seconds);
        assert_eq!(seconds.parse("1601220052.5").unwrap().to_string(), "2020-09-27T15:20:52.500000Z");
        let millis = TimeFormat::Unix(TimeUnit::Millis);
        assert_eq!(millis.parse(" 1601220052123 ").unwrap().to_string(), "2020-09-27T15:20:52.123000Z");
        for bad in ["", "NaN", "inf", "1e300", "9223372036854775807", "noon"] {
            assert_eq!(seconds.parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn offsets() {
        for (text, want) in [("Z", Some(0)), ("+01:00", Some(3600)), ("-05:30", Some(-19800))] {
            assert_eq!(parse_offset(text), want);
        }
        for bad in ["", "1", "+1", "+1:00", "+24:00", "+00:60", "+-1:00", "é", "+é0:00"] {
            assert_eq!(parse_offset(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_and_any_pattern(format in "\\PC{0,12}|(%[a-zA-Z.:]?[ /]?){0,6}", text in "\\PC{0,30}") {
            if let Ok(pattern) = Pattern::new(&format, 0) {
                let _ = pattern.parse(&text);
            }
        }
    }
}
