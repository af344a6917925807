//! `[sensor.<id>.recalibration]`: what a session has to know of a sensor.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Section;
use crate::domain::session::Settings;
use crate::domain::uncertainty::decision::Rule;

const RESPONSES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(86_400);
const LIMITS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 86_400);
const VALIDITIES: RangeInclusive<Duration> =
    Duration::from_secs(86_400)..=Duration::from_secs(10 * 366 * 86_400);
const POSITIVE: RangeInclusive<f64> = 1e-9..=1e12;

/// Reads the table `recalibration` of a sensor.
pub fn read_recalibration(sensor: &mut Section<'_>) -> Settings {
    let Some(mut table) = sensor.table("recalibration") else { return Settings::default() };
    let rules = [("guard_band", Rule::GuardBand), ("simple", Rule::Simple)];
    let range = table.has("range").then(|| table.floats("range"));
    let settings = Settings {
        t90: table.duration("t90", RESPONSES),
        max_drift: table.float("max_drift", POSITIVE),
        max_scatter: table.float("max_scatter", POSITIVE),
        time_limit: table.duration("time_limit", LIMITS),
        resolution: table.float("resolution", POSITIVE),
        range: None,
        max_step: table.float("max_step", POSITIVE),
        rule: table.choice("rule", &rules),
        validity: table.duration("validity", VALIDITIES),
    };
    match range.as_deref() {
        None => settings,
        Some([low, high]) if low < high => Settings { range: Some([*low, *high]), ..settings },
        Some(_) => {
            table.fault("range", "is no range", "write the lowest and the highest value, like [0, 50]");
            settings
        }
    }
}
