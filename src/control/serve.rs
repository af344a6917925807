//! Accepts clients and bounds what each can take.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};

use super::clients::{Seat, Waiting};
use super::gateway::Gateway;
use super::peer::Peer;
use super::routes::router;
use super::sockets::Role;
use crate::runtime::shutdown::Shutdown;

/// Clients that may be connected without having asked anything.
const SILENT: usize = 64;
/// Bytes of a request's head.
const HEAD: usize = 16 * 1024;
/// How long a client may take for the head, and for everything.
const ASK: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(60);
/// Rest after a connection could not be accepted.
const REST: Duration = Duration::from_millis(100);

/// Serves all sockets until the stop is asked for.
pub async fn serve(sockets: Vec<(Role, UnixListener)>, gateway: Gateway, shutdown: Shutdown) {
    let router = router(gateway);
    let tasks = sockets
        .into_iter()
        .map(|(role, listener)| tokio::spawn(accept(listener, role, router.clone(), shutdown.clone())));
    for task in tasks.collect::<Vec<_>>() {
        if let Err(error) = task.await {
            tracing::error!("a fault of the program: {error}; please report it");
        }
    }
}

async fn accept(listener: UnixListener, role: Role, router: Router, mut shutdown: Shutdown) {
    let waiting = Arc::new(Waiting::new(SILENT));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.requested() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let seat = waiting.admit();
                tokio::spawn(converse(stream, role, router.clone(), waiting.clone(), seat));
            }
            Err(error) => {
                tracing::warn!("{}: a client cannot be accepted: {error}", role.file_name());
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// One connection, one request: nothing is left behind that the next one could stumble over.
async fn converse(stream: UnixStream, role: Role, router: Router, waiting: Arc<Waiting>, seat: Arc<Seat>) {
    let peer = Peer { uid: stream.peer_cred().ok().map(|credentials| credentials.uid()), role };
    let service = TowerToHyperService::new(router);
    let answer = service_fn(|mut request: Request<Incoming>| {
        waiting.forget(&seat);
        tracing::debug!(uid = peer.uid, socket = role.file_name(), "{} {}", request.method(), request.uri());
        request.extensions_mut().insert(seat.clone());
        request.extensions_mut().insert(peer);
        service.call(request)
    });
    let mut settings = http1::Builder::new();
    settings.keep_alive(false).max_buf_size(HEAD).timer(TokioTimer::new()).header_read_timeout(ASK);
    let mut connection = std::pin::pin!(settings.serve_connection(TokioIo::new(stream), answer));
    let late = async {
        tokio::time::sleep(WHOLE).await;
        if seat.stays() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        // An error means that the client has gone or has sent something else than HTTP.
        _ = connection.as_mut() => {}
        () = seat.taken() => {}
        () = late => {}
    }
    waiting.forget(&seat);
}
