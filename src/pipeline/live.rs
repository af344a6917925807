//! Readings as they are made, for whoever watches. Nobody who watches can hold up the pipeline.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::domain::sample::Reading;

/// Batches that a watcher may be behind before it loses some.
const BEHIND: usize = 64;

/// Shows readings to watchers. Cheap to clone; costs nothing while nobody watches.
#[derive(Debug, Clone)]
pub struct Live(broadcast::Sender<Arc<[Reading]>>);

impl Live {
    /// No watchers yet.
    pub fn new() -> Live {
        Live(broadcast::Sender::new(BEHIND))
    }

    /// Shows readings to everybody who watches; never waits.
    pub fn show(&self, readings: &[Reading]) {
        if self.0.receiver_count() > 0 && !readings.is_empty() {
            // An error means that the last watcher has just left.
            let _ = self.0.send(readings.into());
        }
    }

    /// Watches from now on.
    pub fn watch(&self) -> broadcast::Receiver<Arc<[Reading]>> {
        self.0.subscribe()
    }
}

/// The next readings; waits for ever where nobody watches.
pub async fn next(
    watched: &mut Option<broadcast::Receiver<Arc<[Reading]>>>,
) -> Result<Arc<[Reading]>, RecvError> {
    match watched {
        Some(watched) => watched.recv().await,
        None => std::future::pending().await,
    }
}

impl Default for Live {
    fn default() -> Live {
        Live::new()
    }
}
