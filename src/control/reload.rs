//! `POST /v1/reload`

use std::time::Duration;

use axum::extract::State;
use tokio::sync::oneshot;

use super::answer::{Answer, Problem, json};
use super::gateway::{Gateway, Reload};
use super::given::Given;
use super::peer::Peer;
use crate::wire::control::Nothing;

/// How long a reload may take before its caller goes without an answer.
const PATIENCE: Duration = Duration::from_secs(45);

/// Has the daemon read its configuration again.
pub async fn reload(State(gateway): State<Gateway>, peer: Peer, Given(_): Given<Nothing>) -> Answer {
    let (sender, answer) = oneshot::channel();
    let ask = Reload { actor: peer.actor(), answer: sender };
    let late = || Problem::unavailable("the reload is not done yet; see the log for how it ended");
    gateway.reload.try_send(ask).map_err(|_| Problem::unavailable("a reload is under way; try again"))?;
    let reloaded = tokio::time::timeout(PATIENCE, answer).await.map_err(|_| late())?;
    json(&reloaded.map_err(|_| late())?)
}
