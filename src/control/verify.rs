//! `GET /v1/audit/verify`: long work, told as server-sent events: `progress`, and at the end `result`.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use tokio::sync::mpsc;

use super::answer::Answer;
use super::gateway::Gateway;
use super::pieces::{EVENTS, event, streamed};
use crate::runtime::clients::Seat;
use crate::runtime::task;
use crate::store::{Examined, Store, StoreError};
use crate::wire::control::{AuditHead, Progress, Verified};

/// How long a client may take for what waits for it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Events that may wait for a client; further progress is not told.
const BEHIND: usize = 64;

/// Checks the ledger.
pub async fn verify(State(gateway): State<Gateway>, Extension(seat): Extension<Arc<Seat>>) -> Answer {
    let turn = gateway.long_work()?;
    seat.stay();
    let (events, told) = mpsc::channel(BEHIND);
    task::spawn(async move {
        let progress = events.clone();
        let tell = move |done, total| drop(progress.try_send(event("progress", &Progress { done, total })));
        let examined = with_checkpoint(&gateway.store, gateway.store.examine(tell).await).await;
        // The work went to its end, so the next one had to wait for it; not for a client that takes nothing.
        drop(turn);
        // A client that is gone wants no result.
        let _ = tokio::time::timeout(PATIENCE, events.send(event("result", &result(examined)))).await;
    });
    Ok(streamed(EVENTS, told, None))
}

/// The audit has to hold where it ended at the last checkpoint.
async fn with_checkpoint(store: &Store, examined: Examination) -> Examination {
    match (examined?, store.missing_checkpoint().await?) {
        (Ok(_), Some((rows, _))) => Ok(Err(format!(
            "row {rows} of the audit is not the one of the last checkpoint: the ledger was replaced or cut"
        ))),
        (examined, _) => Ok(examined),
    }
}

type Examination = Result<Result<Examined, String>, StoreError>;

fn result(examined: Examination) -> Verified {
    let (examined, fault) = match examined {
        Ok(Ok(examined)) => (Some(examined), None),
        Ok(Err(fault)) => (None, Some(fault)),
        Err(error) => (None, Some(error.to_string())),
    };
    Verified {
        whole: examined.is_some(),
        fault,
        audit: examined.as_ref().map(head),
        roots: examined.as_ref().map_or(0, |examined| examined.roots),
        transforms: examined.as_ref().map_or(0, |examined| examined.transforms),
    }
}

/// The end of the audit of a whole ledger.
pub fn head(examined: &Examined) -> AuditHead {
    AuditHead { rows: examined.chain.rows, head: examined.chain.head }
}
