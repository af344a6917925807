//! `GET /v1/readings`

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, json};
use super::gateway::{Gateway, PATIENCE};
use super::given::number;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::store::{Page, Range};
use crate::wire::control::{Reading, Readings};

/// Answers hold so many readings or rows unless asked otherwise, and never more than `MOST`.
const USUAL: usize = 1000;
const MOST: usize = 10_000;

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    sensor: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// Committed readings of a time range, the newest of them.
pub async fn list(State(gateway): State<Gateway>, wanted: Result<Query<Wanted>, QueryRejection>) -> Answer {
    let Query(wanted) = wanted?;
    let limit = checked_limit(wanted.limit)?;
    let sensor = known_if(&gateway, wanted.sensor.as_deref()).await?;
    let Wanted { since, until, .. } = wanted;
    let before = number("before", wanted.before)?;
    let page = select(&gateway, Range { sensor, since, until, before, limit }).await?;
    let readings = page.readings.iter().map(Reading::stored).collect();
    json(&Readings { readings, before: page.before })
}

/// How many are wanted.
pub fn checked_limit(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(USUAL);
    if (1..=MOST).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad(format!("limit is {limit}; ask for 1 to {MOST} and go on from there")))
}

/// The sensor of this name: one that there is, or one whose readings are still there.
pub async fn known(gateway: &Gateway, name: &str) -> Result<SensorId, Problem> {
    let unknown = || Problem::unknown(format!("there is no sensor `{name}`; `calibctl sensors` lists them"));
    let id = SensorId::new(name).map_err(|_| unknown())?;
    if gateway.sensors.get(&id).is_some() {
        return Ok(id);
    }
    let past = gateway.store.latest(Some(vec![id.clone()])).await?;
    if past.is_empty() { Err(unknown()) } else { Ok(id) }
}

/// The sensor of this name, if one is asked for.
pub async fn known_if(gateway: &Gateway, name: Option<&str>) -> Result<Option<SensorId>, Problem> {
    match name {
        Some(name) => known(gateway, name).await.map(Some),
        None => Ok(None),
    }
}

/// Asks the store again while its answers are not full, but not for long: the client can go on itself.
async fn select(gateway: &Gateway, mut range: Range) -> Result<Page, Problem> {
    let wanted = range.limit;
    let start = tokio::time::Instant::now();
    let mut found = Page::default();
    loop {
        range.limit = wanted - found.readings.len();
        let mut page = gateway.store.select(range.clone()).await?;
        page.readings.append(&mut found.readings);
        found = page;
        if found.before.is_none() || found.readings.len() >= wanted || start.elapsed() > PATIENCE {
            return Ok(found);
        }
        range.before = found.before;
    }
}
