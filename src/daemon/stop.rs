//! Stop, under a deadline: sources, pipeline, last commit, what the broker takes, links, store.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::run::Running;
use crate::activation::desk::Ask;
use crate::pipeline::run::Request;
use crate::tracking;

/// How long the drain may take.
pub const DRAIN: Duration = Duration::from_secs(10);
/// How long the last status message may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What happened at the stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drained {
    /// Whether everything committed was acknowledged by the broker.
    pub published: bool,
    /// Whether the store was closed in order.
    pub closed: bool,
}

impl Running {
    /// Stops in order within `deadline`.
    pub async fn stop(mut self, deadline: Duration) -> Drained {
        self.stopper.stop();
        let half = deadline / 2;
        let by = Instant::now() + half;
        self.sources.stop(by).await;
        let last = if self.pipeline.is_finished() {
            Ok(0)
        } else {
            tokio::time::timeout_at(by, self.finish_pipeline()).await
        };
        match tokio::time::timeout_at(by, self.store.flush()).await {
            Ok(Ok(())) => {
                let last = last.unwrap_or(0);
                let _ = tokio::time::timeout_at(by, self.committed.wait_for(|committed| *committed >= last))
                    .await;
            }
            Ok(Err(error)) => tracing::error!("the last readings are not committed: {error}"),
            Err(_) => tracing::error!("the last readings are not committed in time; look at the disk"),
        }
        // What was judged last is in; what is published of it goes out with the rest.
        let _ = tokio::time::timeout_at(by, self.alerting.finish()).await;
        // What was made of pairs: else the next start takes them in again.
        finish(&self.tracking, tracking::Ask::Finish, by).await;
        // What rollouts have seen.
        finish(&self.desk, Ask::Finish, by).await;
        let published = self.drain_link(by).await;
        self.drives.stop().await;
        for (sink, seq) in self.uplink.cursors() {
            self.store.set_cursor(&sink, seq);
        }
        let closed = match self.store.close(half.max(Duration::from_secs(1))).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!("the store was not closed in order: {error}");
                false
            }
        };
        self.background.iter().for_each(JoinHandle::abort);
        tracing::info!(published, closed, "stopped");
        Drained { published, closed }
    }

    async fn finish_pipeline(&mut self) -> u64 {
        if self.requests.send(Request::Finish).await.is_err() {
            return 0;
        }
        match (&mut self.pipeline).await {
            Ok(Ok(last)) => last,
            Ok(Err(error)) => {
                tracing::error!("the pipeline ended early: {error}");
                0
            }
            Err(error) => {
                tracing::error!("a fault of the program: {error}; please report it");
                0
            }
        }
    }

    async fn drain_link(&self, by: Instant) -> bool {
        if !self.uplink.is_configured() {
            return true;
        }
        let drained = tokio::time::timeout_at(by, self.uplink.drained()).await.is_ok();
        let published = drained && self.uplink.is_connected();
        // The farewell has a moment of its own, however long the readings took.
        self.farewell().await && published
    }

    /// Says at the broker that we are not there; says whether it has taken that.
    pub(super) async fn farewell(&self) -> bool {
        self.presence.tell(&self.uplink, false);
        tokio::time::timeout(FAREWELL, self.uplink.drained()).await.is_ok()
    }
}

/// Has a task store what it has seen.
async fn finish<T>(task: &mpsc::Sender<T>, ask: fn(oneshot::Sender<()>) -> T, by: Instant) {
    let (done, finished) = oneshot::channel();
    let finish = async {
        // Without the task there is nothing to wait for.
        let _ = task.send(ask(done)).await;
        let _ = finished.await;
    };
    let _ = tokio::time::timeout_at(by, finish).await;
}
