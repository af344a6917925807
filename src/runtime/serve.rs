//! HTTP/1.1 for clients that may be slow, silent or many: each connection is bounded in bytes and time,
//! all together in number, and none holds up another.

use std::fmt::Debug;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::{Extensions, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

use super::clients::{Places, Seat};
use super::shutdown::Shutdown;
use super::task;

/// Clients that may be connected without having asked anything.
const SILENT: usize = 64;
/// Clients whose answers may be under way; those that may take for ever have their own limit.
const ASKED: usize = 64;
/// Bytes of a request's head.
const HEAD: usize = 16 * 1024;
/// How long a client may take for the head, and for everything.
const ASK: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(60);
/// Rest after a connection could not be accepted.
const REST: Duration = Duration::from_millis(100);

/// How it ended with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It got an answer, or the beginning of one.
    Answered(StatusCode),
    /// It was sent away, for this reason.
    Dropped(&'static str),
}

/// Where clients come from and what they are given.
#[derive(Debug, Clone)]
pub struct Listener<C> {
    /// Its name in the log, such as `control.sock`.
    pub name: &'static str,
    /// What can be asked.
    pub router: Router,
    /// Is told of each outcome.
    pub count: C,
    /// The wish to stop.
    pub shutdown: Shutdown,
}

/// A connection of any kind: the code behind it is made once.
trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection for S {}

/// Connections that are not over yet.
struct Open {
    silent: Places,
    asked: Places,
}

impl Open {
    fn forget(&self, seat: &Arc<Seat>) {
        self.silent.forget(seat);
        self.asked.forget(seat);
    }
}

impl<C: Fn(Outcome) + Clone + Send + Sync + 'static> Listener<C> {
    /// Serves the connections that `accept` gives until the stop is asked for. What `about` says of one is
    /// an extension of its request, and so is its [`Seat`].
    pub async fn serve<S, E>(
        self,
        accept: impl Fn(&mut Context<'_>) -> Poll<io::Result<S>>,
        about: impl Fn(&S) -> E,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        E: Debug + Clone + Send + Sync + 'static,
    {
        let open = Arc::new(Open { silent: Places::new(SILENT), asked: Places::new(ASKED) });
        let mut shutdown = self.shutdown.clone();
        loop {
            let accepted = tokio::select! {
                accepted = poll_fn(&accept) => accepted,
                () = shutdown.requested() => return,
            };
            match accepted {
                Ok(stream) => {
                    let about = about(&stream);
                    tracing::debug!(?about, "{}: a client", self.name);
                    let (mut known, seat) = (Extensions::new(), Arc::default());
                    known.insert(about);
                    open.silent.admit(&seat);
                    task::spawn(self.clone().converse(Box::new(stream), known, open.clone(), seat));
                }
                Err(error) => {
                    tracing::warn!("{}: a client cannot be accepted: {error}", self.name);
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// One connection, one request: nothing is left behind that the next one could stumble over.
    async fn converse(
        self,
        stream: Box<dyn Connection>,
        known: Extensions,
        open: Arc<Open>,
        seat: Arc<Seat>,
    ) {
        let service = TowerToHyperService::new(self.router);
        let answer = service_fn(|mut request: Request<Incoming>| {
            open.silent.forget(&seat);
            open.asked.admit(&seat);
            tracing::debug!("{}: {} {}", self.name, request.method(), request.uri());
            request.extensions_mut().extend(known.clone());
            request.extensions_mut().insert(seat.clone());
            let (answered, count) = (service.call(request), &self.count);
            async move {
                let answer = answered.await;
                answer.iter().for_each(|answer| count(Outcome::Answered(answer.status())));
                answer
            }
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
        let dropped = tokio::select! {
            ended = connection.as_mut() => ended.err().map(|_| "broken"),
            () = seat.taken() => Some("pushed_out"),
            () = late => Some("late"),
        };
        dropped.into_iter().for_each(|reason| (self.count)(Outcome::Dropped(reason)));
        open.forget(&seat);
    }
}
