//! `GET /v1/rollups`

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, json};
use super::gateway::{Gateway, PATIENCE};
use super::given::number;
use super::readings::known;
use crate::domain::time::Timestamp;
use crate::store::{RollupPage, RollupRange, Summary};
use crate::wire::control::{self, Rollup, Rollups};

const MINUTE: i64 = 60_000_000;
/// Minutes of the longest interval: a day.
const LONGEST: i64 = 1440;
/// An answer ends with about so many intervals.
const MOST: usize = 10_000;

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    sensor: String,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Minutes.
    every: Option<i64>,
    after: Option<u64>,
}

/// Statistics of a sensor's readings by interval.
pub async fn list(State(gateway): State<Gateway>, wanted: Result<Query<Wanted>, QueryRejection>) -> Answer {
    let Query(wanted) = wanted?;
    let every = wanted.every.unwrap_or(1);
    if !(1..=LONGEST).contains(&every) {
        return Err(Problem::bad(format!("every is {every}; ask for intervals of 1 to {LONGEST} minutes")));
    }
    let (from, to) = minutes(wanted.since, wanted.until);
    let sensor = known(&gateway, &wanted.sensor).await?;
    let after = number("after", wanted.after)?.unwrap_or(0);
    let range = RollupRange { sensor, from, to, every, after };
    let page = gather(&gateway, range).await?;
    json(&Rollups { rollups: page.rollups.iter().filter_map(rollup).collect(), after: page.after })
}

/// The minutes of a time range, the first one and the one after the last: those in which `since` and the
/// end lie count as a whole, because there is nothing finer than a minute.
fn minutes(since: Option<Timestamp>, until: Option<Timestamp>) -> (i64, i64) {
    let from = since.map_or(i64::MIN, |since| since.as_micros().div_euclid(MINUTE));
    let to = until.map_or(i64::MAX, |until| (until.as_micros() + MINUTE - 1).div_euclid(MINUTE));
    (from, to)
}

fn rollup(((minute, unit), summary): (&(i64, std::sync::Arc<str>), &Summary)) -> Option<Rollup> {
    Some(Rollup {
        // The first one may begin before the first time that there is.
        start: Timestamp::from_micros(minute * MINUTE)?,
        unit: unit.to_string(),
        n: summary.n,
        raw: control::Summary::of(&summary.raw),
        value: control::Summary::of(&summary.value),
    })
}

/// Asks the store on while there is more, but not for long: the client can go on itself.
async fn gather(gateway: &Gateway, mut range: RollupRange) -> Result<RollupPage, Problem> {
    let start = tokio::time::Instant::now();
    let mut found = RollupPage::default();
    loop {
        let page = gateway.store.rollups(range.clone()).await?;
        for (key, summary) in page.rollups {
            let merged = found.rollups.entry(key).or_default();
            *merged = merged.merged(summary);
        }
        found.after = page.after;
        let Some(after) = page.after.filter(|_| found.rollups.len() < MOST && start.elapsed() < PATIENCE)
        else {
            return Ok(found);
        };
        range.after = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_whole_minutes() {
        let at = |text| Some(Timestamp::parse(text).unwrap());
        let range = minutes(at("1970-01-01T00:01:30Z"), at("1970-01-01T00:03:00Z"));
        assert_eq!(range, (1, 3));
        assert_eq!(minutes(None, at("1970-01-01T00:03:00.000001Z")), (i64::MIN, 4));
    }
}
