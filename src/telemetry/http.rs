//! Serves the metrics to whoever scrapes them.

use std::net::SocketAddr;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;

use super::metrics::Metrics;
use crate::runtime::shutdown::Shutdown;

/// The type of the metrics' text.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Binds `listen`; the address really bound is in the listener.
pub async fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(listen).await
}

/// Serves `/metrics` until the stop is asked for.
pub async fn serve(listener: TcpListener, metrics: Metrics, mut shutdown: Shutdown) -> std::io::Result<()> {
    let page = move || async move { ([(CONTENT_TYPE, OPEN_METRICS)], metrics.text()) };
    let router = Router::new().route("/metrics", get(page));
    axum::serve(listener, router).with_graceful_shutdown(async move { shutdown.requested().await }).await
}
