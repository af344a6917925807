//! The control interface: its place, and what it is shown.

use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::activation::desk::Ask;
use crate::config::Config;
use crate::config::gateway::ControlConfig;
use crate::config::source::SourceKind;
use crate::control::gateway::{Gateway, Parts};
use crate::control::serve::serve;
use crate::control::sockets::{self, Role, SocketError};
use crate::domain::time::Timestamp;
use crate::pipeline::live::Live;
use crate::pipeline::run::Request;
use crate::pipeline::time::TimeCheck;
use crate::runtime::clock::Clock;
use crate::runtime::shutdown::Shutdown;
use crate::source::binding::Sensors;
use crate::store::Store;
use crate::sync::link::Link;
use crate::telemetry::metrics::Metrics;

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
    pub started: Timestamp,
    pub incarnation: Arc<str>,
    pub root_version: Option<u64>,
    pub sensors: &'a Sensors,
    pub store: &'a Store,
    pub link: Option<&'a Link>,
    pub pipeline: &'a mpsc::Sender<Request>,
    pub desk: &'a mpsc::Sender<Ask>,
    pub live: &'a Live,
    pub time: TimeCheck,
    pub clock: &'a Clock,
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
    let owner = |entry: &crate::config::sensor::SensorConfig| {
        (entry.sensor.id.clone(), (entry.source.clone(), entry.field.clone()))
    };
    let parts = Parts {
        gateway: config.gateway.id.clone(),
        fleet: config.gateway.fleet.clone(),
        started: facts.started,
        incarnation: facts.incarnation,
        root_version: facts.root_version,
        sources: config.sources.iter().map(|source| (source.name.clone(), kind(&source.kind))).collect(),
        owners: config.sensors.iter().map(owner).collect(),
        sensors: facts.sensors.clone(),
        store: facts.store.clone(),
        link: facts.link.cloned(),
        pipeline: facts.pipeline.clone(),
        desk: facts.desk.clone(),
        live: facts.live.clone(),
        time: facts.time,
        clock: facts.clock.clone(),
        metrics: facts.metrics.clone(),
    };
    Some(tokio::spawn(serve(sockets, Gateway::new(parts), shutdown.clone())))
}

fn kind(kind: &SourceKind) -> &'static str {
    match kind {
        SourceKind::Serial(_) => "serial",
        SourceKind::Replay(_) => "replay",
        SourceKind::Mqtt(_) => "mqtt",
    }
}
