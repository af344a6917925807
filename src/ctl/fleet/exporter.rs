//! `calibctl fleet exporter`

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use clap::Args;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use super::book::{Book, News};
use super::link::Heard;
use super::page::{Counts, page};
use super::reach::{Reach, Session, come_back};
use super::topic::Up;
use super::trusted::Trust;
use crate::ctl::gateway::block_on;
use crate::ctl::output::{Failure, note};
use crate::runtime::clock::system_now;
use crate::runtime::serve::Listener;
use crate::runtime::shutdown;
use crate::runtime::task;
use crate::wire::message::Verdict;

const EXAMPLES: &str = "examples:
  calibctl fleet exporter --root root.json --broker mqtts://broker.example:8884 --fleet plant-7 --ca gateways-ca.pem \\
      --cert reader.pem --key reader.key
  calibctl fleet exporter --listen 127.0.0.1:9208 --gateways 100 --broker mqtt://127.0.0.1 --fleet plant-7

Serves /metrics until it is stopped. Totals are of the whole fleet; series of single gateways are bounded by --gateways.";

/// The type of the metrics' text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ExporterArgs {
    /// Where to serve.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9108")]
    listen: SocketAddr,
    /// Gateways that have series of their own, the first by their names.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    gateways: usize,
    #[command(flatten)]
    reach: Reach,
}

/// What is served.
struct State {
    book: Book,
    counts: Counts,
}

type Shared = Arc<Mutex<State>>;

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn run(args: &ExporterArgs) -> Result<ExitCode, Failure> {
    let book = Book::new(args.reach.fleet().clone(), Trust::new(None), None);
    let shared = Arc::new(Mutex::new(State { book, counts: Counts::default() }));
    block_on(async {
        let what = args.listen.to_string();
        let listener = TcpListener::bind(args.listen).await.map_err(|fault| Failure::io(&what, &fault))?;
        let bound = listener.local_addr().map_err(|fault| Failure::io(&what, &fault))?;
        note(&format!("serving http://{bound}/metrics"));
        let (stopper, stop) = shutdown::channel();
        let server = task::spawn(serve(listener, shared.clone(), args.gateways, stop));
        let ended = tokio::select! {
            ended = follow(args, &shared) => ended,
            stopped = asked_to_stop() => stopped,
        };
        stopper.stop();
        // It has been told to end.
        let _ = server.await;
        ended.map(|()| ExitCode::SUCCESS)
    })
}

async fn asked_to_stop() -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|fault| Failure::io("signals", &fault));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

async fn serve(listener: TcpListener, shared: Shared, most: usize, shutdown: shutdown::Shutdown) {
    let text = async move || {
        let state = lock(&shared);
        ([(CONTENT_TYPE, OPEN_METRICS)], page(&state.book, &state.counts, most))
    };
    let router = Router::new()
        .route("/metrics", get(text))
        .fallback(async || (StatusCode::NOT_FOUND, "there is /metrics\n"));
    let served = Listener { name: "exporter", router, count: |_| (), shutdown };
    served
        .serve(
            |context: &mut Context<'_>| listener.poll_accept(context).map_ok(|(stream, _)| stream),
            |stream: &TcpStream| stream.peer_addr().ok(),
        )
        .await;
}

/// Follows the fleet, and comes back whenever the connection is lost. Who can't come in at first is told so.
async fn follow(args: &ExporterArgs, shared: &Shared) -> Result<(), Failure> {
    let mut session = load(args).await?;
    loop {
        let fault = listen(session, shared).await;
        session = come_back(fault, async || load(args).await).await;
    }
}

/// Connects, listens to all gateways, and only then reads what there is of those that are known: nothing that changes
/// meanwhile is missed, and of the others nothing is retained yet.
async fn load(args: &ExporterArgs) -> Result<Session, Failure> {
    let mut session = args.reach.open(None).await?;
    let below =
        ["down/root/+", "down/gw/+/enrolment", "up/+/status", "up/+/reported/+", "up/+/alert/+", "up/+/ack"];
    let filters = session.filters(&below);
    let Session { link, book, now } = &mut session;
    link.listen(&filters, &mut |heard| {
        book.take(heard.topic, heard.payload, *now);
    })
    .await?;
    session.gateways(&[Up::Status, Up::Reported, Up::Alert]).await?;
    Ok(session)
}

/// Takes messages until the connection is lost.
async fn listen(session: Session, shared: &Shared) -> Failure {
    let Session { mut link, book, .. } = session;
    {
        let mut state = lock(shared);
        state.book = book;
        state.counts.up = true;
    }
    let mut take = |heard: &Heard<'_>| {
        let State { book, counts } = &mut *lock(shared);
        if let News::Answer(_, answer, verified) = book.take(heard.topic, heard.payload, system_now()) {
            let name = match answer.verdict {
                _ if !verified => "unverified",
                Verdict::Accepted => "accepted",
                Verdict::Refused => "refused",
                Verdict::AlreadyApplied => "already_applied",
            };
            *counts.answers.entry(name).or_default() += 1;
        }
    };
    let fault = loop {
        if let Err(fault) = link.next(&mut take).await {
            break fault;
        }
    };
    let State { book, counts } = &mut *lock(shared);
    counts.up = false;
    counts.lost += 1;
    for ignored in book.ignored.values_mut() {
        *counts.ignored.entry(ignored.problem).or_default() += std::mem::take(&mut ignored.count);
    }
    fault
}
