//! The alerts of a gateway: a task that owns the machine of `domain::alert`, keeps what it decides in the ledger,
//! publishes it and counts it.

mod keep;
mod publish;
pub mod run;

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::domain::alert::{Alert, Event, Kind, MOST_CONDITIONS, Policy, Refused, Scope, Tally};
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;

/// Events that may wait for the task.
const ROOM: usize = 1024;
/// Why nothing is raised for a sensor in maintenance.
pub const MAINTENANCE: &str = "maintenance";
/// Why some kinds are not raised for a sensor where another transform came into force.
pub const DEPLOY: &str = "deploy";
/// More sensors than this are spoken of as all.
const ONE_BY_ONE: usize = 64;

/// What can be said to the task.
#[derive(Debug)]
pub enum Ask {
    /// Something happened; nobody waits for what comes of it.
    Event(Event),
    /// Somebody wants something done, and waits: the alert that it is about, as it is then.
    Command(Event, oneshot::Sender<Result<Option<Alert>, Refused>>),
    /// Which alerts are open or wait to be acknowledged, all or those that tell of one sensor, and how well they serve.
    List(Option<SensorId>, oneshot::Sender<(Vec<Alert>, Tally)>),
    /// The configuration has changed: raise by this policy, and publish all again, where a broker is new.
    Reconfigured(Policy),
    /// Write down what is known; the daemon is about to end.
    Finish(oneshot::Sender<()>),
}

/// The way to the alerts, for whoever finds something.
#[derive(Debug, Clone)]
pub struct Alerting {
    asks: mpsc::Sender<Ask>,
    standing: Standing,
    /// For how long nothing is raised of what compares with values from before a deploy, in microseconds.
    settling: Arc<AtomicI64>,
}

/// What was found last, for those to whom it matters before it is an alert.
type Standing = Arc<Mutex<HashSet<(Kind, SensorId)>>>;

impl Alerting {
    /// The way, and its end for the task.
    pub fn new(policy: &Policy) -> (Alerting, mpsc::Receiver<Ask>) {
        let (asks, asked) = mpsc::channel(ROOM);
        let settling = Arc::new(AtomicI64::new(policy.settling));
        (Alerting { asks, standing: Standing::default(), settling }, asked)
    }

    /// Tells what happened; waits for room.
    pub async fn tell(&self, event: Event) {
        self.note(&event);
        // Without the task the daemon is about to end.
        let _ = self.asks.send(Ask::Event(event)).await;
    }

    /// Tells what happened if there is room, for those who must not wait; says whether there was.
    /// Whoever judges has to say it again later then.
    pub fn try_tell(&self, event: Event) -> bool {
        self.note(&event);
        self.asks.try_send(Ask::Event(event)).is_ok()
    }

    /// Whether one of these was found of a sensor, and is not over; without the patience of an alert.
    pub fn stands(&self, sensor: &SensorId, kinds: &[Kind]) -> bool {
        let standing = self.standing();
        !standing.is_empty() && kinds.iter().any(|kind| standing.contains(&(*kind, sensor.clone())))
    }

    fn note(&self, event: &Event) {
        let mut standing = self.standing();
        match event {
            Event::Judged { sensor, kind, finding: Some(_), .. } if standing.len() < MOST_CONDITIONS => {
                standing.insert((*kind, sensor.clone()));
            }
            Event::Judged { sensor, kind, finding: None, .. } => {
                standing.remove(&(*kind, sensor.clone()));
            }
            Event::Removed { sensor } => standing.retain(|(_, other)| other != sensor),
            _ => {}
        }
    }

    fn standing(&self) -> MutexGuard<'_, HashSet<(Kind, SensorId)>> {
        // Nothing panics while holding the lock.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what somebody wants; the alert that it is about. `None`: the task has ended.
    pub async fn command(&self, event: Event) -> Option<Result<Option<Alert>, Refused>> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Command(event, answer)).await.ok()?;
        answered.await.ok()
    }

    /// The alerts that are open or wait to be acknowledged, all or those that tell of one sensor, and how well they
    /// serve. `None`: the task has ended.
    pub async fn list(&self, sensor: Option<SensorId>) -> Option<(Vec<Alert>, Tally)> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::List(sensor, answer)).await.ok()?;
        answered.await.ok()
    }

    /// Tells that the maintenance of a sensor has begun or ended.
    pub async fn maintained(&self, sensor: SensorId, on: bool) {
        let (scope, reason) = (Scope::Sensor(sensor), MAINTENANCE.to_owned());
        // It ends when its end is told, however the clock is set.
        self.tell(match on {
            true => Event::Suppressed { scope, reason, kinds: Vec::new(), until: None },
            false => Event::Lifted { scope, reason },
        })
        .await;
    }

    /// Tells that another transform came into force `at` a time at sensors; a `new` one answers alerts, one that
    /// somebody went back to does not.
    ///
    /// For the policy's time to settle nothing is raised there of the kinds that compare values from before with
    /// values from after.
    pub async fn deployed(&self, sensors: &[SensorId], new: bool, at: Timestamp) {
        let scopes = match sensors.len() > ONE_BY_ONE {
            true => vec![Scope::All],
            false => sensors.iter().cloned().map(Scope::Sensor).collect(),
        };
        let until = Some(at.saturating_add_micros(self.settling.load(Ordering::Relaxed)));
        for scope in scopes {
            let kinds = vec![Kind::Drift, Kind::Slo, Kind::Forecast, Kind::Spikes, Kind::Rate, Kind::Peers];
            self.tell(Event::Suppressed { scope, reason: DEPLOY.to_owned(), kinds, until }).await;
        }
        for sensor in sensors.iter().filter(|_| new) {
            self.tell(Event::Activated { sensor: sensor.clone() }).await;
        }
    }

    /// Tells that the configuration has changed.
    pub async fn reconfigured(&self, policy: Policy) {
        self.settling.store(policy.settling, Ordering::Relaxed);
        // Without the task the daemon is about to end.
        let _ = self.asks.send(Ask::Reconfigured(policy)).await;
    }

    /// Has the state written down; returns when that was tried.
    pub async fn finish(&self) {
        let (done, finished) = oneshot::channel();
        if self.asks.send(Ask::Finish(done)).await.is_ok() {
            let _ = finished.await;
        }
    }
}
