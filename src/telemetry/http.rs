//! Serves the metrics to whoever scrapes them, and the health to whoever asks.

use std::net::SocketAddr;
use std::task::Context;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::{TcpListener, TcpStream};

use super::alarm::Alarms;
use super::metrics::Metrics;
use crate::runtime::serve::{Listener, Outcome};
use crate::runtime::shutdown::Shutdown;

/// The type of the metrics' text.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Binds `listen`; the address really bound is in the listener.
pub async fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(listen).await
}

/// Serves `/metrics` and `/healthz` until the stop is asked for.
pub async fn serve(listener: TcpListener, metrics: Metrics, shutdown: Shutdown) {
    let (page, alarms) = (metrics.clone(), metrics.alarms.clone());
    let page = async move || ([(CONTENT_TYPE, OPEN_METRICS)], page.text());
    let router = Router::new()
        .route("/metrics", get(page))
        .route("/healthz", get(async move || health(&alarms)))
        .fallback(async || (StatusCode::NOT_FOUND, "there is /metrics and /healthz\n"));
    let listener_of = Listener { name: "http", router, count: counting("http", &metrics), shutdown };
    listener_of
        .serve(
            |context: &mut Context<'_>| listener.poll_accept(context).map_ok(|(stream, _)| stream),
            |stream: &TcpStream| stream.peer_addr().ok(),
        )
        .await;
}

/// What becomes of the clients of `listener`, as metrics.
pub fn counting(
    listener: &'static str,
    metrics: &Metrics,
) -> impl Fn(Outcome) + Clone + Send + Sync + 'static {
    let (requests, dropped) = (metrics.requests.clone(), metrics.clients_dropped.clone());
    move |outcome| {
        let listener = ("listener", listener.to_owned());
        match outcome {
            Outcome::Answered(status) => {
                requests.get_or_create(&vec![listener, ("status", status.as_str().to_owned())]).inc();
            }
            Outcome::Dropped(reason) => {
                dropped.get_or_create(&vec![listener, ("reason", reason.to_owned())]).inc();
            }
        }
    }
}

/// `ok`, or everything that somebody must act on. It looks only at what stands, so it waits for nobody.
fn health(alarms: &Alarms) -> Response {
    let standing = alarms.standing();
    let (status, text) = if standing.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        let lines = standing.iter().map(|alarm| format!("{}; {}\n", alarm.message, alarm.remedy));
        (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
    };
    (status, [(CACHE_CONTROL, "no-store")], text).into_response()
}
