//! `[sensor.<id>.check.<name>]`: checks on known inputs that come by the clock.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::reader::Section;
use crate::domain::id::Id;
use crate::domain::monitor::check::{CheckKind, ControlLimits};
use crate::domain::monitor::scheduled::{Check, Schedule};

const FINITE: RangeInclusive<f64> = f64::MIN..=f64::MAX;
const DAY: Duration = Duration::from_secs(86_400);
const TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);
/// Readings that a check needs, unless another number is configured.
const LEAST: u64 = 5;

/// Reads the table `check` of a sensor.
pub fn read_checks(sensor: &mut Section<'_>) -> Arc<[Check]> {
    if !sensor.has("check") {
        return Arc::default();
    }
    sensor.tables("check").into_iter().filter_map(|(name, section)| read_check(&name, section)).collect()
}

fn read_check(name: &str, mut section: Section<'_>) -> Option<Check> {
    let id = Id::new(name).ok();
    if id.is_none() {
        section.fault_here(format!("`{name}` is not an identifier"), super::value::ID_RULE);
    }
    let kinds = [("zero", CheckKind::Zero), ("span", CheckKind::Span), ("precision", CheckKind::Precision)];
    let kind = section.required("kind", "kind = \"zero\"").choice("kind", &kinds);
    let target = read_target(&mut section, kind);
    let warning = section.required("warning", "warning = 0.5").float("warning", FINITE);
    let action = section.required("action", "action = 1.0").float("action", FINITE);
    let schedule = read_schedule(&mut section);
    let least = section.integer("min_readings", 1..=1_000_000).map_or(LEAST, i64::unsigned_abs);
    let limits = ControlLimits::new(kind?, target?, warning?, action?).map_err(|error| {
        section.fault("warning", error.to_string(), "write warning = 0.5 and action = 1.0, or other limits");
    });
    Some(Check { name: id?, limits: limits.ok()?, schedule: schedule?, least })
}

/// What is offered: nothing at a zero check unless something else is said; a precision check has no target.
fn read_target(section: &mut Section<'_>, kind: Option<CheckKind>) -> Option<f64> {
    match kind {
        Some(CheckKind::Span) => section.required("target", "target = 40").float("target", FINITE),
        Some(CheckKind::Precision) if section.has("target") => {
            // It is known here, and wrong all the same.
            section.float("target", FINITE);
            let problem = "says nothing at a precision check, which looks at the scatter";
            section.fault("target", problem, "remove it, or write kind = \"span\"");
            None
        }
        _ if section.has("target") => section.float("target", FINITE),
        _ => Some(0.0),
    }
}

fn read_schedule(section: &mut Section<'_>) -> Option<Schedule> {
    let every = section.duration("every", TIMES).unwrap_or(DAY);
    // All is read before any of it is missed, so that every fault is told at once.
    let at = read_at(section);
    let length = section.required("for", "for = \"10m\"").duration("for", TIMES);
    let settle = section.duration("settle", Duration::ZERO..=DAY).unwrap_or(Duration::ZERO);
    let made = Schedule::new(every, at?, length?, settle);
    made.map_err(|error| section.fault("for", error.to_string(), "correct `every`, `for` or `settle`")).ok()
}

/// The time of the day, in UTC; midnight if absent.
fn read_at(section: &mut Section<'_>) -> Option<Duration> {
    if !section.has("at") {
        return Some(Duration::ZERO);
    }
    let text = section.string("at")?;
    let minutes = text.split_once(':').and_then(|(hour, minute)| {
        let two = |text: &str, most: u64| {
            let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|number| digits && *number < most)
        };
        Some(two(hour, 24)? * 60 + two(minute, 60)?)
    });
    if minutes.is_none() {
        let problem = format!("`{text}` is not a time of the day");
        section.fault("at", problem, "write hours and minutes in UTC, like \"01:30\"");
    }
    minutes.map(|minutes| Duration::from_secs(minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_str;

    fn read(text: &str) -> (Vec<Check>, Vec<String>) {
        let (checks, faults) = read_str("a.toml", text, read_checks);
        (checks.to_vec(), faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_key_is_read_and_most_have_defaults() {
        let (checks, faults) = read(
            r#"
            [check.night]
            kind = "span"
            target = 40
            warning = 1
            action = 2
            every = "12h"
            at = "01:30"
            for = "10m"
            settle = "2m"
            min_readings = 9
            [check.zero]
            kind = "zero"
            warning = 0.5
            action = 0.5
            for = "5m"
            "#,
        );
        assert_eq!(faults, [""; 0]);
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let night = Check {
            name: Id::new("night").unwrap(),
            limits: ControlLimits::new(CheckKind::Span, 40.0, 1.0, 2.0).unwrap(),
            schedule: Schedule::new(minutes(720), minutes(90), minutes(10), minutes(2)).unwrap(),
            least: 9,
        };
        let zero = Check {
            name: Id::new("zero").unwrap(),
            limits: ControlLimits::new(CheckKind::Zero, 0.0, 0.5, 0.5).unwrap(),
            schedule: Schedule::new(DAY, Duration::ZERO, minutes(5), Duration::ZERO).unwrap(),
            least: LEAST,
        };
        assert_eq!(checks, [night, zero]);
        assert_eq!(read(""), (vec![], vec![]));
    }

    #[test]
    fn what_is_no_check_is_told() {
        let table = |keys: &str| format!("[check.a]\nwarning = 1\naction = 2\nfor = \"10m\"\n{keys}");
        for (keys, told) in [
            ("kind = \"span\"", "target"),
            ("kind = \"precision\"\ntarget = 5", "says nothing at a precision check"),
            ("kind = \"zero\"\nat = \"25:00\"", "`25:00` is not a time of the day"),
            ("kind = \"zero\"\nat = \"1:00\"", "`1:00` is not a time of the day"),
            ("kind = \"zero\"\nevery = \"5m\"", "a check must be shorter than the time between two"),
            ("kind = \"zero\"\nsettle = \"10m\"", "the settling must be shorter than the check"),
            ("kind = \"zero\"\ntarget = \"none\"", "target"),
        ] {
            let (checks, faults) = read(&table(keys));
            assert_eq!((checks.len(), faults.len()), (0, 1), "{keys}: {faults:?}");
            assert!(faults[0].contains(told), "{keys}: {faults:?}");
        }
        let swapped = table("kind = \"zero\"").replace("warning = 1", "warning = 3");
        assert!(read(&swapped).1[0].contains("must be above 0 and not above the action limit"));
    }
}
