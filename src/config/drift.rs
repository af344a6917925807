//! `[sensor.<id>.drift]`: over which time a sensor's pairs are summed up, in which parts, and what is expected of them.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Section;
use crate::domain::comparison::Expected;
use crate::domain::drift::cohort::{Cohort, Cohorts, LEAST};
use crate::domain::drift::input::{InputTerms, Measure};
use crate::domain::slo::Objective;
use crate::domain::transform::artifact::Condition;

const WINDOWS: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(10 * 366 * 86_400);
const INTERVALS: RangeInclusive<Duration> =
    Duration::from_secs(3600)..=Duration::from_secs(50 * 366 * 86_400);
const FINITE: RangeInclusive<f64> = f64::MIN..=f64::MAX;

/// Reads the table `drift` of a sensor: the window's length, what is expected, and the cohorts.
pub fn read_drift(sensor: &mut Section<'_>) -> (Option<Duration>, Expected, Cohorts) {
    let Some(mut table) = sensor.table("drift") else { return Default::default() };
    let window = table.duration("window", WINDOWS);
    let expected = Expected {
        objective: read_objective(&mut table),
        baseline: table.integer("baseline", 50..=1_000_000).map(|pairs| pairs.unsigned_abs() as usize),
        interval: table.duration("calibration_interval", INTERVALS),
        input: read_input(&mut table),
    };
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
    (window, expected, cohorts)
}

/// How raw values are watched.
fn read_input(drift: &mut Section<'_>) -> Option<InputTerms> {
    let mut table = drift.table("input")?;
    let measures = [("psi", Measure::Psi), ("ks", Measure::Ks)];
    let measure = table.choice("detector", &measures).unwrap_or(Measure::Psi);
    let every = table.duration("every", WINDOWS).unwrap_or(Duration::from_secs(3600));
    let block = table.integer("block", 50..=100_000).unwrap_or(500);
    Some(InputTerms { measure, every, block: u32::try_from(block).unwrap_or(u32::MAX) })
}

/// The share of pairs that has to be within the maximum permissible error, and the windows of its burn rates.
fn read_objective(drift: &mut Section<'_>) -> Option<Objective> {
    let mut table = drift.table("objective")?;
    let usual = Objective::default();
    let share = table.float("share", FINITE).unwrap_or(usual.share());
    let long = table.duration("long", WINDOWS).unwrap_or(Duration::from_secs(7 * 86_400));
    let short = table.duration("short", WINDOWS).unwrap_or(Duration::from_secs(86_400));
    let seconds = [long, short].map(|window| i64::try_from(window.as_secs()).unwrap_or(i64::MAX));
    let made = usual.with_share(share).and_then(|it| it.with_windows(seconds[0], seconds[1], it.fewest()));
    made.map_err(|error| {
        table.fault_here(
            error.to_string(),
            "write objective = { share = 0.95, long = \"7d\", short = \"1d\" }",
        );
    })
    .ok()
}

/// Each key is a covariate's role with its range; `tags` are the sensor's.
fn read_cohort(name: String, mut section: Section<'_>) -> Cohort {
    let mut cohort = Cohort { name, ..Cohort::default() };
    for key in section.keys() {
        let Some(mut table) = section.table(key) else { continue };
        if key == "tags" {
            let tags = table.keys().into_iter().filter_map(|tag| Some((tag.to_owned(), table.string(tag)?)));
            cohort.tags.extend(tags);
            continue;
        }
        let (below, above) = (table.float("below", FINITE), table.float("above", FINITE));
        cohort.when.push(Condition { covariate: key.to_owned(), below, above });
    }
    cohort
}
