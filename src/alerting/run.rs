//! The task: what happens becomes alerts that are kept and published.

use tokio::sync::mpsc;

use super::Ask;
use crate::domain::alert::{Alerts, Event, Policy, Stored};
use crate::runtime::clock::Clock;

/// What the task works with.
#[derive(Debug)]
pub struct Parts {
    pub clock: Clock,
}

/// All alerts of the gateway.
#[derive(Debug)]
pub struct Task {
    parts: Parts,
    alerts: Alerts,
}

impl Task {
    /// Goes on from what was stored.
    pub fn new(parts: Parts, policy: Policy, stored: Stored) -> Task {
        Task { parts, alerts: Alerts::new(policy, stored) }
    }

    /// Runs until nobody can ask any more.
    pub async fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        while let Some(ask) = asks.recv().await {
            self.serve(ask);
        }
    }

    fn serve(&mut self, ask: Ask) {
        match ask {
            Ask::Event(event) => drop(self.apply(event)),
            Ask::Command(event, answer) => drop(answer.send(self.apply(event).map(|()| None))),
            Ask::List(answer) => {
                drop(answer.send((self.alerts.alerts().cloned().collect(), self.alerts.tally())));
            }
            Ask::Reconfigured(_) => {}
            Ask::Finish(done) => drop(done.send(())),
        }
    }

    fn apply(&mut self, event: Event) -> Result<(), crate::domain::alert::Refused> {
        self.alerts.apply(event, self.parts.clock.now()).map(drop)
    }
}
