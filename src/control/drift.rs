//! `GET /v1/drift`

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::answer::{Answer, Problem, json};
use super::gateway::Gateway;
use super::readings::known_if;
use crate::tracking::{self, Ask};
use crate::wire::control::Drift;

/// What has just come is written and counted first; an import takes its time.
const PATIENCE: Duration = Duration::from_secs(8);
/// Seconds of the longest part of a window: ten years.
const LONGEST: f64 = 10.0 * 366.0 * 86_400.0;

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    sensor: Option<String>,
    /// Seconds.
    window: Option<f64>,
    cohort: Option<String>,
}

/// How far sensors are from their references.
pub async fn list(State(gateway): State<Gateway>, wanted: Result<Query<Wanted>, QueryRejection>) -> Answer {
    let Query(wanted) = wanted?;
    let sensor = known_if(&gateway, wanted.sensor.as_deref()).await?;
    if let Some(window) = wanted.window.filter(|window| !(*window > 0.0 && *window <= LONGEST)) {
        return Err(Problem::bad(format!(
            "window is {window} seconds; ask for more than 0, and up to ten years"
        )));
    }
    let (part, cohort) = (wanted.window.map(Duration::from_secs_f64), wanted.cohort);
    let (ask, answer) = oneshot::channel();
    let asked = async {
        gateway.tracking.send(Ask::Drift(tracking::Wanted { sensor, part, cohort }, ask)).await.ok()?;
        answer.await.ok()
    };
    let found = tokio::time::timeout(PATIENCE, asked).await.ok().flatten();
    let busy = || Problem::unavailable("references are being paired; try again");
    json(&Drift { sensors: found.ok_or_else(busy)? })
}
