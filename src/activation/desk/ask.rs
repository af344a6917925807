//! What is asked of the desk on the gateway itself.

use tokio::sync::{mpsc, oneshot};

use super::Desk;
use crate::pipeline::active::Change;
use crate::pipeline::run::Request;

/// Something asked of the desk, between two artifacts.
#[derive(Debug)]
pub enum Ask {
    /// The configuration has changed: judge again what is in force at which sensor.
    Reconfigured(oneshot::Sender<()>),
}

impl Desk {
    pub(super) async fn serve(&mut self, ask: Ask, pipeline: &mpsc::Sender<Request>) {
        match ask {
            Ask::Reconfigured(done) => {
                self.restore_again(pipeline).await;
                // Whoever asked may have given up waiting.
                let _ = done.send(());
            }
        }
    }

    /// Does what a start does with the transforms that the ledger says are in force.
    async fn restore_again(&mut self, pipeline: &mpsc::Sender<Request>) {
        let stored = match self.store.active().await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!("what is in force stays as it is: {error}");
                return;
            }
        };
        let before: Vec<_> = std::mem::take(&mut self.installed).into_keys().collect();
        let mut changes = self.restore(stored);
        let gone = before.into_iter().filter(|sensor| !self.installed.contains_key(sensor));
        changes.extend(gone.map(|sensor| Change { sensor, active: None }));
        let sensors: Vec<_> = changes.iter().map(|change| change.sensor.clone()).collect();
        self.put_in_force(changes, pipeline).await;
        for sensor in &sensors {
            self.report(sensor);
        }
    }
}
