//! The control interface: its place, and what it is shown.

use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::presence::Presence;
use crate::activation::desk::Ask;
use crate::alerting::Alerting;
use crate::config::Config;
use crate::config::gateway::ControlConfig;
use crate::control::gateway::{Gateway, Parts, Reload, Sources};
use crate::control::serve::serve;
use crate::control::sockets::{self, Role, SocketError};
use crate::domain::time::Timestamp;
use crate::pipeline::live::Live;
use crate::pipeline::maintenance::Maintenance;
use crate::pipeline::run::Request;
use crate::recalibration::Recalibration;
use crate::runtime::shutdown::Shutdown;
use crate::runtime::task;
use crate::source::binding::Sensors;
use crate::store::Store;
use crate::sync::link::Link;
use crate::telemetry::metrics::Metrics;
use crate::tracking;

/// The sockets; none if the usual place cannot be had and nobody asked for it.
pub async fn bind(config: &ControlConfig) -> Result<Vec<(Role, UnixListener)>, SocketError> {
    match sockets::bind(&config.dir).await {
        Err(error) if !config.chosen => {
            tracing::warn!("no control sockets, so calibctl cannot reach this calibd: {error}");
            Ok(Vec::new())
        }
        result => result,
    }
}

/// What the daemon knows by the time that the control interface starts.
#[derive(Debug)]
pub struct Facts<'a> {
    pub presence: &'a Presence,
    pub restored: Option<Timestamp>,
    pub sources: watch::Receiver<Sources>,
    pub sensors: &'a Sensors,
    pub store: &'a Store,
    pub uplink: &'a Link,
    pub pipeline: &'a mpsc::Sender<Request>,
    pub desk: &'a mpsc::Sender<Ask>,
    pub tracking: &'a mpsc::Sender<tracking::Ask>,
    pub maintenance: &'a Maintenance,
    pub alerting: &'a Alerting,
    pub recalibration: &'a Recalibration,
    pub reload: mpsc::Sender<Reload>,
    pub live: &'a Live,
    pub metrics: &'a Metrics,
}

/// Serves the sockets, if there are any.
pub fn start(
    sockets: Vec<(Role, UnixListener)>,
    config: &Config,
    facts: Facts<'_>,
    shutdown: &Shutdown,
) -> Option<JoinHandle<()>> {
    if sockets.is_empty() {
        return None;
    }
    let presence = facts.presence.clone();
    let parts = Parts {
        gateway: config.gateway.id.clone(),
        fleet: config.gateway.fleet.clone(),
        started: presence.started,
        incarnation: presence.incarnation,
        root: presence.root,
        restored: facts.restored,
        sources: facts.sources,
        sensors: facts.sensors.clone(),
        store: facts.store.for_clients(),
        link: facts.uplink.clone(),
        pipeline: facts.pipeline.clone(),
        desk: facts.desk.clone(),
        tracking: facts.tracking.clone(),
        maintenance: facts.maintenance.clone(),
        alerting: facts.alerting.clone(),
        recalibration: facts.recalibration.clone(),
        reload: facts.reload,
        live: facts.live.clone(),
        time: presence.time,
        clock: presence.clock,
        metrics: facts.metrics.clone(),
    };
    Some(task::spawn(serve(sockets, Gateway::new(parts), shutdown.clone())))
}
