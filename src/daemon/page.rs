//! Where metrics are served: bound before anything else starts, so that a bad address stops nothing half-way.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::config::gateway::HttpConfig;
use crate::runtime::shutdown::{self, Stopper};
use crate::runtime::task;
use crate::telemetry::http;
use crate::telemetry::metrics::Metrics;

/// The address cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("http.listen {address}: {source}; choose a free address or stop what uses it")]
pub struct PageError {
    address: SocketAddr,
    source: std::io::Error,
}

/// A bound address.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// Binds the configured address, if there is one.
pub async fn bind(config: Option<&HttpConfig>) -> Result<Option<Bound>, PageError> {
    let Some(HttpConfig { listen, .. }) = config else { return Ok(None) };
    let error = |source| PageError { address: *listen, source };
    let listener = http::bind(*listen).await.map_err(error)?;
    let address = listener.local_addr().map_err(error)?;
    Ok(Some(Bound { listener, address }))
}

/// Shows the last values of as many sensors as the configuration allows.
pub fn show_sensors(config: Option<&HttpConfig>, metrics: &Metrics) {
    let most = config.map_or(0, |http| http.max_sensors);
    metrics.sensors.export(most);
    metrics.drift.export(most);
}

/// A page that is served until it is dropped.
#[derive(Debug)]
pub struct Page {
    /// The address really bound.
    pub address: SocketAddr,
    stopper: Stopper,
    task: JoinHandle<()>,
}

impl Page {
    /// Serves.
    pub fn start(bound: Bound, metrics: &Metrics) -> Page {
        let (stopper, shutdown) = shutdown::channel();
        let task = task::spawn(http::serve(bound.listener, metrics.clone(), shutdown));
        Page { address: bound.address, stopper, task }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.stopper.stop();
        self.task.abort();
    }
}
