//! `GET /v1/standards` and `POST /v1/standards`

use axum::extract::State;

use super::answer::{Answer, Problem, json, to_its_end};
use super::gateway::Gateway;
use super::given::Given;
use super::peer::Peer;
use crate::domain::reference::Standard;
use crate::wire::control::{AddedStandard, KeptStandard, Standards};

/// The reference standards.
pub async fn list(State(gateway): State<Gateway>) -> Answer {
    let shown = |kept: crate::store::StoredStandard| KeptStandard {
        standard: kept.standard,
        time: kept.at,
        actor: kept.actor,
    };
    json(&Standards { standards: gateway.store.standards().await?.into_iter().map(shown).collect() })
}

/// Adds a standard, or what is new of a known one.
pub async fn add(State(gateway): State<Gateway>, peer: Peer, Given(standard): Given<Standard>) -> Answer {
    standard.check().map_err(|error| Problem::bad(error.to_string()))?;
    to_its_end(async move {
        let new = gateway.store.add_standard(standard.clone(), &peer.actor()).await?;
        json(&AddedStandard { standard, new })
    })
    .await
}
