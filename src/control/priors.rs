//! `GET /v1/priors`

use axum::extract::State;
use tokio::sync::oneshot;

use super::answer::{Answer, Problem, json};
use super::gateway::{Gateway, PATIENCE};
use crate::activation::desk::Ask;
use crate::wire::control::Priors;

/// The priors of sensor models.
pub async fn list(State(gateway): State<Gateway>) -> Answer {
    let (ask, answer) = oneshot::channel();
    let asked = async {
        gateway.desk.send(Ask::Priors(ask)).await.ok()?;
        answer.await.ok()
    };
    let found = tokio::time::timeout(PATIENCE, asked).await.ok().flatten();
    let busy = || Problem::unavailable("artifacts are being judged; try again");
    json(&Priors { priors: found.ok_or_else(busy)? })
}
