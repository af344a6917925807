//! Serves the sockets.

use std::task::Context;

use tokio::net::{UnixListener, UnixStream};

use super::gateway::Gateway;
use super::peer::Peer;
use super::routes::router;
use super::sockets::Role;
use crate::runtime::serve::Listener;
use crate::runtime::shutdown::Shutdown;
use crate::runtime::task;
use crate::telemetry::http::counting;

/// Serves all sockets until the stop is asked for.
pub async fn serve(sockets: Vec<(Role, UnixListener)>, gateway: Gateway, shutdown: Shutdown) {
    let router = router(gateway.clone());
    let tasks = sockets.into_iter().map(|(role, socket)| {
        let (name, router, shutdown) = (role.file_name(), router.clone(), shutdown.clone());
        let listener = Listener { name, router, count: counting(name, &gateway.metrics), shutdown };
        task::spawn(async move {
            let accept = |context: &mut Context<'_>| socket.poll_accept(context).map_ok(|(stream, _)| stream);
            let peer = |stream: &UnixStream| Peer {
                uid: stream.peer_cred().ok().map(|credentials| credentials.uid()),
                role,
            };
            listener.serve(accept, peer).await;
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        if let Err(error) = task.await {
            tracing::warn!(
                "a fault of the program: {error}; please report it, and start calibd again to have the socket back"
            );
        }
    }
}
