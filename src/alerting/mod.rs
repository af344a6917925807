//! The alerts of a gateway: a task that owns the machine of `domain::alert`, keeps what it decides in the ledger,
//! publishes it and counts it.

use tokio::sync::{mpsc, oneshot};

use crate::domain::alert::{Alert, Event, Refused, Tally};

/// Events that may wait for the task.
const ROOM: usize = 1024;

/// What can be said to the task.
#[derive(Debug)]
pub enum Ask {
    /// Something happened; nobody waits for what comes of it.
    Event(Event),
    /// Somebody wants something done, and waits: the alert that it is about, as it is then.
    Command(Event, oneshot::Sender<Result<Option<Alert>, Refused>>),
    /// Which alerts are open or wait to be acknowledged, and how well they serve.
    List(oneshot::Sender<(Vec<Alert>, Tally)>),
}

/// The way to the alerts, for whoever finds something.
#[derive(Debug, Clone)]
pub struct Alerting(mpsc::Sender<Ask>);

impl Alerting {
    /// The way, and its end for the task.
    pub fn new() -> (Alerting, mpsc::Receiver<Ask>) {
        let (asks, asked) = mpsc::channel(ROOM);
        (Alerting(asks), asked)
    }

    /// Tells what happened; waits for room.
    pub async fn tell(&self, event: Event) {
        // Without the task the daemon is about to end.
        let _ = self.0.send(Ask::Event(event)).await;
    }

    /// Tells what happened if there is room, for those who must not wait; says whether there was.
    /// Whoever judges has to say it again later then.
    pub fn try_tell(&self, event: Event) -> bool {
        self.0.try_send(Ask::Event(event)).is_ok()
    }

    /// Does what somebody wants; the alert that it is about. `None`: the task has ended.
    pub async fn command(&self, event: Event) -> Option<Result<Option<Alert>, Refused>> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Ask::Command(event, answer)).await.ok()?;
        answered.await.ok()
    }

    /// The alerts that are open or wait to be acknowledged, and how well they serve. `None`: the task has ended.
    pub async fn list(&self) -> Option<(Vec<Alert>, Tally)> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Ask::List(answer)).await.ok()?;
        answered.await.ok()
    }
}
