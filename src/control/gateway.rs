//! What the control interface shows of the gateway, and where it asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::answer::Problem;
use super::sockets::Role;
use crate::activation::desk::Ask;
use crate::alerting::Alerting;
use crate::domain::id::{Id, SensorId};
use crate::domain::time::Timestamp;
use crate::domain::trust::root::InstalledRoot;
use crate::pipeline::active::Active;
use crate::pipeline::live::Live;
use crate::pipeline::maintenance::Maintenance;
use crate::pipeline::run::{Request, in_force};
use crate::pipeline::time::TimeCheck;
use crate::recalibration::Recalibration;
use crate::runtime::clock::Clock;
use crate::source::binding::Sensors;
use crate::store::Store;
use crate::sync::link::Link;
use crate::telemetry::metrics::Metrics;
use crate::tracking;
use crate::wire::control::{Reloaded, SensorRollout, SessionState, Transform};

/// How long the pipeline or the store may take to answer before a request does without.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Requests that may be worked on at a time, by the socket that they came by: who may read only must not stand in
/// the way of who may do more.
const REQUESTS: [(Role, usize); 3] = [(Role::Control, 16), (Role::Maintenance, 8), (Role::Admin, 8)];
/// The same of those that have to be answered whatever else goes on.
const VITAL: usize = 16;
/// Long work with the ledger that may go on at a time: it takes the disk and a thread.
const LONG: usize = 1;
/// Clients that may watch at a time.
const WATCHERS: usize = 16;

/// Names and kinds of the sources.
pub type Sources = Vec<(Id, &'static str)>;

/// Asks for another look at the configuration.
#[derive(Debug)]
pub struct Reload {
    /// Who asks.
    pub actor: String,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Reloaded>,
}

/// What the daemon knows at the start.
#[derive(Debug)]
pub struct Parts {
    pub gateway: Id,
    pub fleet: Id,
    pub started: Timestamp,
    pub incarnation: Arc<str>,
    pub root: watch::Receiver<Option<InstalledRoot>>,
    /// When the ledger was restored from a backup.
    pub restored: Option<Timestamp>,
    /// Names and kinds, in the order of the configuration.
    pub sources: watch::Receiver<Sources>,
    pub sensors: Sensors,
    pub store: Store,
    pub link: Link,
    /// Asks for another look at the configuration.
    pub reload: mpsc::Sender<Reload>,
    pub pipeline: mpsc::Sender<Request>,
    pub desk: mpsc::Sender<Ask>,
    pub tracking: mpsc::Sender<tracking::Ask>,
    pub maintenance: Maintenance,
    pub alerting: Alerting,
    pub recalibration: Recalibration,
    pub live: Live,
    pub time: TimeCheck,
    pub clock: Clock,
    pub metrics: Metrics,
}

/// The gateway as the control interface sees it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    requests: [(Role, Arc<Semaphore>); 3],
    vital: Arc<Semaphore>,
    watchers: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

impl std::ops::Deref for Gateway {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

impl Gateway {
    /// The gateway with these parts.
    pub fn new(parts: Parts) -> Gateway {
        let room = |clients| Arc::new(Semaphore::new(clients));
        let requests = REQUESTS.map(|(role, most)| (role, room(most)));
        let (vital, watchers, long) = (room(VITAL), room(WATCHERS), room(LONG));
        Gateway(Arc::new(Inner { parts, requests, vital, watchers, long }))
    }

    /// A place for one more request by this socket, if there is one.
    pub fn place(&self, role: Role) -> Option<OwnedSemaphorePermit> {
        let (_, places) = self.0.requests.iter().find(|(of, _)| *of == role)?;
        places.clone().try_acquire_owned().ok()
    }

    /// A place for one more request that has to be answered whatever else goes on.
    pub fn vital_place(&self) -> Option<OwnedSemaphorePermit> {
        self.0.vital.clone().try_acquire_owned().ok()
    }

    /// Room for one more watcher.
    pub fn watchers(&self) -> &Arc<Semaphore> {
        &self.0.watchers
    }

    /// The turn for long work with the ledger.
    pub fn long_work(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let busy =
            |_| Problem::unavailable("the ledger is being verified, copied or restored already; try again");
        self.0.long.clone().try_acquire_owned().map_err(busy)
    }

    /// How transforms come into force, at one sensor or at all; nothing where the desk does not say in time.
    pub async fn rollouts(&self, sensor: Option<SensorId>) -> Vec<SensorRollout> {
        let (ask, answer) = oneshot::channel();
        let asked = async {
            self.desk.send(Ask::Rollouts(sensor, ask)).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(PATIENCE, asked).await.ok().flatten().unwrap_or_default()
    }

    /// Where the session is that is open at a sensor.
    pub async fn session_at(&self, sensor: &SensorId) -> Result<Option<SessionState>, Problem> {
        let gone = || Problem::unavailable("calibd is ending: try again when it has started");
        let open = self.recalibration.open(false).await.ok_or_else(gone)?.sessions;
        Ok(open.into_iter().find(|open| open.sensor == *sensor))
    }

    /// What is in force, by sensor.
    pub async fn in_force(&self) -> Result<BTreeMap<SensorId, Transform>, Problem> {
        let silent =
            || Problem::unavailable("the pipeline does not answer; see what the log says of the store");
        let found = in_force(&self.pipeline, PATIENCE).await.ok_or_else(silent)?;
        let mut all = BTreeMap::new();
        all.extend(found.into_iter().map(|(sensor, active)| (sensor.clone(), transform(sensor, &active))));
        Ok(all)
    }
}

fn transform(sensor: SensorId, active: &Active) -> Transform {
    Transform {
        sensor,
        id: active.reference.id.clone(),
        version: active.reference.version,
        digest: active.reference.digest,
        unit: active.unit.to_string(),
        since: active.since,
        expires: active.expires,
    }
}
