//! Start, work, drain: the order of each stands here and nowhere else.
//!
//! Start: store, identity, trust root, transforms in force, link, pipeline, sources, metrics.
//! Stop, under a deadline: sources, pipeline, last commit, what the broker takes, link, store.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::commits::Aftermath;
use super::control::{self, Facts};
use super::identity::{IdentityError, gateway_key, trust_root};
use super::service::{self, Vitals};
use super::tick::tick;
use super::wiring::{self, Kit};
use crate::activation::desk::{Ask, Desk, Parts};
use crate::activation::reports::Reports;
use crate::config::Config;
use crate::config::source::SourceKind;
use crate::config::trust::Fallback;
use crate::control::sockets::SocketError;
use crate::domain::sequence::{Block, Numbers};
use crate::pipeline::calibrate::{Calibrator, OnExpired};
use crate::pipeline::live::Live;
use crate::pipeline::run::{Pipeline, Request};
use crate::pipeline::time::TimeCheck;
use crate::runtime::clock::Clock;
use crate::runtime::pulse::Pulses;
use crate::runtime::shutdown::{self, Shutdown, Stopper};
use crate::runtime::supervise::supervise;
use crate::source::{replay, serial};
use crate::store::{self, Opened, Store, StoreError};
use crate::sync::downlink::inbox;
use crate::sync::driver::Driver;
use crate::sync::feed::feed;
use crate::sync::link::Link;
use crate::telemetry::alarm::Alarm;
use crate::telemetry::clock::ClockEvents;
use crate::telemetry::http;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::store::StoreEvents;
use crate::wire::format::SpecError;

/// How long the drain may take.
pub const DRAIN: Duration = Duration::from_secs(10);
/// How long the last status message may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Says why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Identity(#[from] IdentityError),
    #[error("http.listen {address}: {source}; choose a free address or stop what uses it")]
    Http { address: SocketAddr, source: std::io::Error },
    #[error("{0}")]
    Control(#[from] SocketError),
}

/// A daemon at work.
#[derive(Debug)]
pub struct Running {
    stopper: Stopper,
    requests: mpsc::Sender<Request>,
    pipeline: JoinHandle<Result<u64, StoreError>>,
    sources: Vec<JoinHandle<()>>,
    background: Vec<JoinHandle<()>>,
    drivers: Vec<(Link, Arc<Notify>, JoinHandle<()>)>,
    uplink: Option<Link>,
    offline: Option<(String, Vec<u8>)>,
    committed: watch::Receiver<u64>,
    store: Store,
    /// What the health is read from.
    pub vitals: Vitals,
    /// Counters.
    pub metrics: Metrics,
    /// Where metrics are served.
    pub http: Option<SocketAddr>,
}

/// What happened at the stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drained {
    /// Whether everything committed was acknowledged by the broker.
    pub published: bool,
    /// Whether the store was closed in order.
    pub closed: bool,
}

/// Starts everything; returns once readings can flow.
pub async fn start(config: Config, clock: Clock) -> Result<Running, StartError> {
    let metrics = Metrics::new();
    let started = clock.now();
    let http = match &config.http {
        Some(http) => Some(bind(http.listen).await?),
        None => None,
    };
    let sockets = control::bind(&config.control).await?;
    let Opened { store, commits, recovered } = store::open(store_options(&config), clock.clone())?;
    let key = gateway_key(&config.store.dir)?;
    if let Some(path) = &recovered.history_quarantined {
        tracing::warn!("the history was broken and is now {}; a new one is begun", path.display());
    }
    if let Some(problem) = &recovered.ledger_broken {
        let remedy = "restore the ledger from a backup; until then readings go out raw";
        metrics.alarms.part("ledger").raise("broken", problem, remedy);
    }
    let root = match recovered.ledger_broken {
        Some(_) => None,
        None => trust_root(&config.trust, recovered.root.as_ref(), &store, &metrics.alarms).await?,
    };
    let mut time = TimeCheck::new(recovered.time_floor, config.gateway.rtc_good);
    if let Some(root) = &root {
        time.prove(root.issued_at);
    }
    if let Some(root) = root.as_ref().filter(|root| root.fleet != config.gateway.fleet) {
        let (theirs, ours) = (&root.fleet, &config.gateway.fleet);
        let message = format!(
            "the trust root is of fleet {theirs}, gateway.fleet is {ours}: every artifact is refused"
        );
        metrics.alarms.part("trust").raise("wrong_fleet", message, "correct gateway.fleet or trust.root");
    }
    let (stopper, shutdown) = shutdown::channel();
    let sensors = wiring::sensors(&config);
    let incarnation: Arc<str> = recovered.incarnation.as_str().into();
    let root_version = root.as_ref().map(|root| root.version);
    let status = |online| {
        let status = wiring::status(online, started, time.of(&clock), root_version, &incarnation);
        serde_json::to_vec(&status).unwrap_or_default()
    };

    let mut kits = Vec::new();
    let mut channels = Vec::new();
    for source in &config.sources {
        let (kit, receiver) = Kit::new(source, &config, &sensors, &metrics, &clock, &shutdown);
        kits.push(kit);
        channels.push(receiver);
    }

    let status_topic = wiring::up_topic(&config, "status");
    let uplink = config.mqtt.as_ref().map(|_| {
        let sinks = wiring::sinks(&config, &recovered.cursors, recovered.last_seq, &metrics);
        Link::new(sinks, clock.clone(), metrics.clone())
    });
    if let Some(link) = &uplink {
        link.retain(status_topic.clone(), status(true));
    }
    // Also without a link: cursors of sinks that are gone must not hold back the retention.
    store.set_sinks(uplink.as_ref().map_or_else(Vec::new, Link::cursors));

    let reports = Reports::new(&config.gateway.fleet, &config.gateway.id, key, uplink.clone());
    let parts = Parts {
        fleet: config.gateway.fleet.clone(),
        gateway: config.gateway.id.clone(),
        root,
        sensors: sensors.clone(),
        time,
        clock: clock.clone(),
        store: store.clone(),
        metrics: metrics.clone(),
        reports,
    };
    let mut desk = Desk::new(parts, recovered.floors);
    let on_expired = match config.trust.on_expired {
        Fallback::Uncalibrated => OnExpired::Uncalibrated,
        Fallback::Keep | Fallback::Previous => OnExpired::Keep,
    };
    let mut calibrator = Calibrator::new(recovered.last_seq_of_sensor, on_expired);
    for change in desk.restore(recovered.active) {
        calibrator.set_active(&change.sensor, change.active);
    }
    desk.report_all();

    let (requests, request_receiver) = mpsc::channel(64);
    let mut drivers = Vec::new();
    let mut background = Vec::new();
    let mut pulses = Pulses::default();
    background.push(tokio::spawn(service::ping(store.clone(), pulses.part("store"))));
    let (inbox, outbound) =
        inbox(&config.gateway.fleet, &config.gateway.id, &config.gateway.groups, &metrics);
    let (asks, asked) = mpsc::channel::<Ask>(64);
    background.push(tokio::spawn(desk.run(outbound, asked, requests.clone())));
    if let (Some(link), Some(mqtt)) = (&uplink, &config.mqtt) {
        let shared: Vec<Kit> = kits.iter().filter(|kit| shares_uplink(kit)).cloned().collect();
        let broker =
            wiring::broker(mqtt, config.gateway.id.to_string(), Some((status_topic.clone(), status(false))));
        drivers.push(drive(link, broker, shared, Some(inbox), &metrics, &shutdown, &mut pulses));
        background.push(tokio::spawn(feed(link.clone(), store.clone())));
    }
    for kit in kits.iter().filter(|kit| !shares_uplink(kit)) {
        if let SourceKind::Mqtt(mqtt) = &kit.config.kind
            && let Some(own) = &mqtt.broker
        {
            let link = Link::new(Vec::new(), clock.clone(), metrics.clone());
            let client_id = format!("{}-{}", config.gateway.id, kit.config.name);
            let broker = wiring::broker(own, client_id, None);
            drivers.push(drive(&link, broker, vec![kit.clone()], None, &metrics, &shutdown, &mut pulses));
        }
    }

    let (committed_sender, committed) = watch::channel(recovered.last_seq);
    let aftermath = Aftermath {
        links: drivers.iter().map(|(link, _, _)| link.clone()).collect(),
        uplink: uplink.clone().map(|link| (link, wiring::up_topic(&config, "event"))),
        incarnation: incarnation.clone(),
        store: store.clone(),
        clock: clock.clone(),
        events: StoreEvents::new(&metrics),
        given_up: AtomicU64::new(0),
        made_good: AtomicU64::new(0),
        committed: committed_sender,
    };
    for gap in &recovered.gaps {
        aftermath.announce(gap);
    }
    let aftermath = Arc::new(aftermath);
    background.push(tokio::spawn(aftermath.clone().run(commits)));
    let clock_events = ClockEvents::new(&metrics);
    metrics.start_time.set(started.as_micros() as f64 / 1e6);
    background.push(tokio::spawn(tick(aftermath, clock_events, uplink.clone(), status_topic.clone(), {
        let (clock, incarnation) = (clock.clone(), incarnation.clone());
        move || wiring::status(true, started, time.of(&clock), root_version, &incarnation)
    })));

    let live = Live::new();
    let facts = Facts {
        started,
        incarnation: incarnation.clone(),
        root_version,
        sensors: &sensors,
        store: &store,
        link: uplink.as_ref(),
        pipeline: &requests,
        desk: &asks,
        live: &live,
        time,
        clock: &clock,
        metrics: &metrics,
    };
    background.extend(control::start(sockets, &config, facts, &shutdown));
    let pipeline = Pipeline {
        sources: channels,
        requests: request_receiver,
        sensors: sensors.clone(),
        calibrator,
        numbers: Numbers::new(Block { first: recovered.next_seq, last: recovered.block_end }),
        store: store.clone(),
        links: uplink.iter().cloned().collect(),
        live,
        time,
        clock: clock.clone(),
        metrics: metrics.clone(),
        pulse: pulses.part("pipeline"),
    };
    let pipeline = tokio::spawn(pipeline.run());
    let sources = kits.iter().filter_map(|kit| start_source(kit, &metrics, &shutdown)).collect();
    let address = match http {
        Some((listener, address)) => {
            metrics.sensors.export(config.http.as_ref().map_or(0, |http| http.max_sensors));
            background.push(tokio::spawn(http::serve(listener, metrics.clone(), shutdown.clone())));
            Some(address)
        }
        None => None,
    };
    tracing::info!(
        "calibd {} started: gateway {}, {} sources",
        env!("CARGO_PKG_VERSION"),
        config.gateway.id,
        kits.len()
    );
    let offline = uplink.as_ref().map(|_| (status_topic, status(false)));
    let vitals = Vitals {
        pulses,
        store: store.clone(),
        uplink: uplink.clone(),
        sensors,
        alarms: metrics.alarms.clone(),
    };
    Ok(Running {
        stopper,
        requests,
        pipeline,
        sources,
        background,
        drivers,
        uplink,
        offline,
        committed,
        store,
        vitals,
        metrics,
        http: address,
    })
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let error = |source| StartError::Http { address, source };
    let listener = http::bind(address).await.map_err(error)?;
    let bound = listener.local_addr().map_err(error)?;
    Ok((listener, bound))
}

fn store_options(config: &Config) -> store::Options {
    store::Options {
        dir: config.store.dir.clone(),
        commit_interval: config.store.commit_interval,
        ack_batch: config.store.ack_batch,
        max_age: config.store.max_age,
        max_size: config.store.max_size,
        max_pages: None,
    }
}

fn shares_uplink(kit: &Kit) -> bool {
    matches!(&kit.config.kind, SourceKind::Mqtt(mqtt) if mqtt.broker.is_none())
}

fn drive(
    link: &Link,
    broker: crate::sync::connect::Broker,
    kits: Vec<Kit>,
    inbox: Option<crate::sync::downlink::Inbox>,
    metrics: &Metrics,
    shutdown: &Shutdown,
    pulses: &mut Pulses,
) -> (Link, Arc<Notify>, JoinHandle<()>) {
    let end = Arc::new(Notify::new());
    let name = format!("link {}:{}", broker.host, broker.port);
    let (restarts, pulse) = (count_restarts(metrics), pulses.part(name.as_str()));
    let task = supervise(name, shutdown.clone(), restarts, {
        let (link, end, metrics) = (link.clone(), end.clone(), metrics.clone());
        move || {
            Driver {
                broker: broker.clone(),
                link: link.clone(),
                intakes: kits.iter().filter_map(Kit::intake).collect(),
                inbox: inbox.clone(),
                metrics: metrics.clone(),
                end: end.clone(),
                pulse: pulse.clone(),
            }
            .run()
        }
    });
    (link.clone(), end, task)
}

fn count_restarts(metrics: &Metrics) -> impl Fn(&str) + Send + 'static {
    let metrics = metrics.clone();
    move |task| {
        metrics.task_restarts.get_or_create(&vec![("task", task.to_owned())]).inc();
    }
}

fn start_source(kit: &Kit, metrics: &Metrics, shutdown: &Shutdown) -> Option<JoinHandle<()>> {
    let name = format!("source {}", kit.config.name);
    let (kit, restarts, shutdown) = (kit.clone(), count_restarts(metrics), shutdown.clone());
    match kit.config.kind.clone() {
        SourceKind::Mqtt(_) => None,
        SourceKind::Serial(config) => Some(supervise(name, shutdown, restarts, move || {
            ended(kit.alarm(), serial::run::run(config.clone(), kit.context()))
        })),
        SourceKind::Replay(config) => {
            Some(supervise(name, shutdown, restarts, move || replay::run::run(config.clone(), kit.context())))
        }
    }
}

async fn ended(alarm: Alarm, task: impl Future<Output = Result<(), SpecError>>) {
    if let Err(fault) = task.await {
        alarm.raise("layout", format!("cannot work as configured: {fault}"), "correct the configuration");
    }
}

impl Running {
    /// Waits until something that cannot be replaced has ended by itself; answers what.
    pub async fn failed(&mut self) -> String {
        let ended = |result: Result<(), tokio::task::JoinError>| match result {
            Ok(()) => "a task ended that must not".to_owned(),
            Err(error) => format!("a fault of the program: {error}; please report it"),
        };
        let background = poll_fn(|context| {
            for task in &mut self.background {
                if let Poll::Ready(result) = Pin::new(task).poll(context) {
                    return Poll::Ready(ended(result));
                }
            }
            Poll::Pending
        });
        tokio::select! {
            problem = background => problem,
            result = &mut self.pipeline => match result {
                Ok(Ok(_)) => "the pipeline ended".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => ended(Err(error)),
            },
        }
    }

    /// Stops in order within `deadline`: sources, pipeline, last commit, publishing, link, store.
    pub async fn stop(mut self, deadline: Duration) -> Drained {
        self.stopper.stop();
        let half = deadline / 2;
        let by = tokio::time::Instant::now() + half;
        for source in self.sources.drain(..) {
            // A source that does not end in time is cut off; the pipeline takes what it has delivered.
            let _ = tokio::time::timeout_at(by, source).await;
        }
        let last = if self.pipeline.is_finished() {
            Ok(0)
        } else {
            tokio::time::timeout_at(by, self.finish_pipeline()).await
        };
        match tokio::time::timeout_at(by, self.store.flush()).await {
            Ok(Ok(())) => {
                let last = last.unwrap_or(0);
                let _ = tokio::time::timeout_at(by, self.committed.wait_for(|committed| *committed >= last))
                    .await;
            }
            Ok(Err(error)) => tracing::error!("the last readings are not committed: {error}"),
            Err(_) => tracing::error!("the last readings are not committed in time; look at the disk"),
        }
        let published = self.drain_link(by).await;
        for (link, end, task) in self.drivers.drain(..) {
            if link.leave() {
                // The client needs a moment to put the last packet on its way.
                let _ = tokio::time::timeout(Duration::from_millis(500), link.left()).await;
            }
            end.notify_one();
            let _ = tokio::time::timeout(Duration::from_secs(1), task).await;
        }
        if let Some(link) = &self.uplink {
            for (sink, seq) in link.cursors() {
                self.store.set_cursor(&sink, seq);
            }
        }
        let closed = match self.store.close(half.max(Duration::from_secs(1))).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!("the store was not closed in order: {error}");
                false
            }
        };
        self.background.iter().for_each(JoinHandle::abort);
        tracing::info!(published, closed, "stopped");
        Drained { published, closed }
    }

    async fn finish_pipeline(&mut self) -> u64 {
        if self.requests.send(Request::Finish).await.is_err() {
            return 0;
        }
        match (&mut self.pipeline).await {
            Ok(Ok(last)) => last,
            Ok(Err(error)) => {
                tracing::error!("the pipeline ended early: {error}");
                0
            }
            Err(error) => {
                tracing::error!("a fault of the program: {error}; please report it");
                0
            }
        }
    }

    async fn drain_link(&self, by: tokio::time::Instant) -> bool {
        let Some(link) = &self.uplink else { return true };
        let mut published = tokio::time::timeout_at(by, link.drained()).await.is_ok() && link.is_connected();
        if let Some((topic, payload)) = &self.offline {
            link.retain(topic.clone(), payload.clone());
            // The farewell has a moment of its own, however long the readings took.
            published &= tokio::time::timeout(FAREWELL, link.drained()).await.is_ok();
        }
        published
    }
}
