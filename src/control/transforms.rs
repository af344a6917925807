//! `GET /v1/transforms`

use axum::extract::State;

use super::answer::{Answer, json};
use super::gateway::Gateway;
use crate::wire::control::Transforms;

/// What is in force.
pub async fn list(State(gateway): State<Gateway>) -> Answer {
    let transforms = gateway.in_force().await?.into_values().collect();
    json(&Transforms { transforms })
}
