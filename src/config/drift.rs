//! `[sensor.<id>.drift]`: over which time a sensor's pairs are summed up, and in which parts.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Section;
use crate::domain::drift::cohort::{Cohort, Cohorts, LEAST};
use crate::domain::transform::artifact::Condition;

const WINDOWS: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(10 * 366 * 86_400);
const FINITE: RangeInclusive<f64> = f64::MIN..=f64::MAX;

/// Reads the table `drift` of a sensor: the window's length, and the cohorts.
pub fn read_drift(sensor: &mut Section<'_>) -> (Option<Duration>, Cohorts) {
    let Some(mut table) = sensor.table("drift") else { return (None, Cohorts::default()) };
    let window = table.duration("window", WINDOWS);
    let least = table.integer("min_pairs", 1..=1_000_000).map_or(LEAST, i64::unsigned_abs);
    let list = match table.has("cohorts") {
        true => {
            table.tables("cohorts").into_iter().map(|(name, section)| read_cohort(name, section)).collect()
        }
        false => Vec::new(),
    };
    let cohorts = Cohorts::new(list, least).unwrap_or_else(|error| {
        table.fault("cohorts", error.to_string(), "write cohorts.cold = { temperature = { below = 10 } }");
        Cohorts::default()
    });
    (window, cohorts)
}

/// Each key is a covariate's role with its range; `tags` are the sensor's.
fn read_cohort(name: String, mut section: Section<'_>) -> Cohort {
    let mut cohort = Cohort { name, ..Cohort::default() };
    for key in section.keys() {
        let Some(mut table) = section.table(key) else { continue };
        if key == "tags" {
            let tags = table.keys().into_iter().filter_map(|tag| Some((tag.to_owned(), table.string(tag)?)));
            cohort.tags = tags.collect();
            continue;
        }
        let (below, above) = (table.float("below", FINITE), table.float("above", FINITE));
        cohort.when.push(Condition { covariate: key.to_owned(), below, above });
    }
    cohort
}
