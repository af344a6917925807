//! `GET /v1/metrics`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::answer::typed;
use super::gateway::Gateway;
use crate::telemetry::http::OPEN_METRICS;

/// The metrics, also where no page of them is configured.
pub async fn show(State(gateway): State<Gateway>) -> Response {
    typed(StatusCode::OK, OPEN_METRICS, gateway.metrics.text().into())
}
