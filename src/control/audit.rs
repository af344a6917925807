//! `GET /v1/audit`

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::answer::{Answer, json};
use super::gateway::Gateway;
use super::given::number;
use super::readings::checked_limit;
use crate::wire::control::Audit;

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    after: Option<u64>,
    limit: Option<usize>,
}

/// Rows of the audit, from the oldest.
pub async fn list(State(gateway): State<Gateway>, wanted: Result<Query<Wanted>, QueryRejection>) -> Answer {
    let Query(wanted) = wanted?;
    let limit = checked_limit(wanted.limit)?;
    let rows = gateway.store.audit_after(number("after", wanted.after)?.unwrap_or(0), limit).await?;
    let after = rows.last().filter(|_| rows.len() == limit).map(|row| row.seq);
    json(&Audit { rows, after })
}
