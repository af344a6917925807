//! `GET /v1/health`: waits for nobody.

use axum::extract::State;
use axum::http::StatusCode;

use super::answer::{Answer, json};
use super::attention::pages;
use super::gateway::Gateway;
use crate::wire::control::Health;

/// Whether somebody must act, and on what.
pub async fn show(State(gateway): State<Gateway>) -> Answer {
    let attention = pages(&gateway.metrics.alarms);
    let healthy = attention.is_empty();
    let mut answer = json(&Health { healthy, attention })?;
    if !healthy {
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(answer)
}
