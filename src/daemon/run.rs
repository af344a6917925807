//! Start: the order stands here and nowhere else.
//!
//! Store, identity, trust root, transforms in force, pipeline, control sockets, sources, links, metrics.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinError, JoinHandle};

use super::commits::{Aftermath, Links};
use super::control::{self, Facts};
use super::drives::Drives;
use super::identity::{IdentityError, gateway_key, trust_root};
use super::page::{self, Page, PageError};
use super::presence::{Presence, up_branch, up_topic};
use super::service::{self, Vitals};
use super::sources::Sources;
use super::tick::{Uptime, tick};
use super::wiring;
use crate::activation::desk::{Ask, Desk, Parts};
use crate::activation::reports::Reports;
use crate::activation::roots::Roots;
use crate::alerting::{self, Alerting};
use crate::config::Config;
use crate::control::gateway::Reload;
use crate::control::sockets::SocketError;
use crate::domain::certificate::Office;
use crate::domain::sequence::{Block, Numbers};
use crate::pipeline::beside::Beside;
use crate::pipeline::calibrate::Calibrator;
use crate::pipeline::keep;
use crate::pipeline::live::Live;
use crate::pipeline::maintenance::Maintenance;
use crate::pipeline::run::{Pipeline, Request};
use crate::pipeline::time::TimeCheck;
use crate::recalibration::{self, Recalibration};
use crate::runtime::clock::Clock;
use crate::runtime::pulse::Pulses;
use crate::runtime::shutdown::{self, Stopper};
use crate::runtime::task;
use crate::source::binding::Sensors;
use crate::store::{self, Opened, Recovered, Store, StoreError};
use crate::sync::downlink::{Inbox, inbox};
use crate::sync::feed::feed;
use crate::sync::link::Link;
use crate::telemetry::alarm::Alarms;
use crate::telemetry::clock::ClockEvents;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::store::StoreEvents;
use crate::tracking;
use crate::tracking::arrive::Arrivals;
use crate::tracking::publish::Publisher;
use crate::tracking::run::Tracking;

pub use super::stop::{DRAIN, Drained};

/// Says why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Identity(#[from] IdentityError),
    #[error("{0}")]
    Page(#[from] PageError),
    #[error("{0}")]
    Control(#[from] SocketError),
}

/// A daemon at work.
#[derive(Debug)]
pub struct Running {
    pub(super) config: Config,
    pub(super) presence: Presence,
    pub(super) stopper: Stopper,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) desk: mpsc::Sender<Ask>,
    pub(super) tracking: mpsc::Sender<tracking::Ask>,
    pub(super) alerting: Alerting,
    pub(super) compare_anew: Arc<Notify>,
    pub(super) compared_anew: watch::Receiver<u64>,
    pub(super) pipeline: JoinHandle<Result<u64, StoreError>>,
    pub(super) sources: Sources,
    pub(super) drives: Drives,
    pub(super) inbox: Inbox,
    pub(super) uplink: Link,
    pub(super) background: Vec<JoinHandle<()>>,
    pub(super) page: Option<Page>,
    pub(super) committed: watch::Receiver<u64>,
    pub(super) sensors: Sensors,
    /// What stands on certificates.
    pub(super) office: watch::Sender<Option<Office>>,
    /// The file of the maintenance key that signs in sessions.
    pub(super) held: watch::Sender<Option<PathBuf>>,
    pub(super) store: Store,
    reloads: mpsc::Receiver<Reload>,
    /// What the health is read from.
    pub vitals: Vitals,
    /// Counters.
    pub metrics: Metrics,
}

/// What a running daemon reports.
#[derive(Debug)]
pub enum Event {
    /// Something that cannot be replaced has ended by itself.
    Failed(String),
    /// Somebody asks for another look at the configuration.
    Reload(Reload),
}

/// Starts everything; returns once readings can flow, which is not before `clock_known` has come to its end: it tells
/// the clock what the kernel says of it.
pub async fn start(
    config: Config,
    clock: Clock,
    clock_known: impl Future<Output = ()>,
) -> Result<Running, StartError> {
    let metrics = Metrics::new();
    let started = clock.now();
    let bound = page::bind(config.http.as_ref()).await?;
    let sockets = control::bind(&config.control).await?;
    let Opened { store, commits, recovered } = store::open(store_options(&config), clock.clone())?;
    let key = gateway_key(&config.store.dir)?;
    let roots = believed_roots(&config, &recovered, &store, &metrics.alarms).await?;
    let time = TimeCheck::new(recovered.time_floor, config.gateway.rtc_good);
    if let Some(root) = roots.installed() {
        time.prove(root.issued_at);
    }
    let presence = Presence {
        topic: up_topic(&config, "status"),
        started,
        incarnation: recovered.incarnation.as_str().into(),
        root: roots.watch(),
        time: time.clone(),
        clock: clock.clone(),
    };
    let (stopper, shutdown) = shutdown::channel();
    let pulses = Pulses::default();
    let (fixed, templates) = wiring::sensors(&config);
    let sensors = Sensors::new(fixed, templates);
    wiring::mount(&sensors, &recovered.mounted);
    let uplink = uplink(&config, &recovered, &clock, &metrics);
    // Also without a broker: cursors of sinks that are gone must not hold back the retention.
    store.set_sinks(uplink.cursors());

    let (requests, requested) = mpsc::channel(64);
    let (asks, asked) = mpsc::channel(64);
    let (alerting, alerted) = Alerting::new(&config.alerts);
    let (drift, drifted) = mpsc::channel(1024);
    let mut in_maintenance = BTreeSet::new();
    in_maintenance.extend(recovered.maintenance.iter().map(|upkeep| upkeep.sensor.clone()));
    let alerts = alerting::run::Task::new(
        alerting::run::Parts {
            store: store.clone(),
            link: uplink.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            branch: up_branch(&config),
            policy: config.alerts.clone(),
            in_maintenance,
            sensors: sensors.clone(),
        },
        recovered.alerts,
    );
    let (inbox, outbound, waiting) =
        inbox(&config.gateway.fleet, &config.gateway.id, &config.gateway.groups, &metrics);
    let beside = Beside::default();
    let sessions = recalibration::run::recovered(&recovered.sessions);
    let (waits, waiting_pushes) = mpsc::channel(16);
    let mut desk = Desk::new(
        Parts {
            fleet: config.gateway.fleet.clone(),
            gateway: config.gateway.id.clone(),
            roots,
            enrolment: recovered.enrolment,
            manifests: recovered.manifests,
            priors: recovered.priors,
            commands: (recovered.commands, recovered.recalibrations),
            incarnation: presence.incarnation.clone(),
            trust: wiring::trust_policy(&config),
            sensors: sensors.clone(),
            time: time.clone(),
            clock: clock.clone(),
            store: store.clone(),
            metrics: metrics.clone(),
            reports: Reports::new(&config.gateway.fleet, &config.gateway.id, key.clone(), uplink.clone()),
            alerting: alerting.clone(),
            rollout: config.rollout,
            beside: beside.clone(),
            sessions: sessions.iter().map(|it| (it.plan.sensor.clone(), it.id.clone())).collect(),
            waits,
        },
        recovered.floors,
    );
    let mut calibrator = Calibrator::new(recovered.last_seq_of_sensor, wiring::on_expired(&config));
    calibrator.compare(config.peers.clone());
    calibrator.resume(keep::recover(&store, |sensor| sensors.known_or_possible(sensor).is_some()).await);
    for change in desk.restore(recovered.active) {
        calibrator.set_active(&change.sensor, change.active);
    }
    let mut background = vec![
        task::spawn(alerts.run(alerted)),
        task::spawn(service::ping(store.clone(), pulses.part("store"))),
        task::spawn(feed(uplink.clone(), store.clone())),
        task::spawn(desk.run(outbound, asked, drifted, requests.clone())),
    ];

    let maintenance = Maintenance::new(
        recovered.maintenance,
        store.clone(),
        requests.clone(),
        alerting.clone(),
        clock.clone(),
    );
    background.push(task::spawn(maintenance.clone().run()));

    let links = Links::default();
    let (committed_sender, committed) = watch::channel(recovered.last_seq);
    let aftermath = Arc::new(Aftermath {
        links: links.clone(),
        uplink: (uplink.clone(), up_topic(&config, "event")),
        incarnation: presence.incarnation.clone(),
        store: store.clone(),
        clock: clock.clone(),
        events: StoreEvents::new(&metrics),
        given_up: AtomicU64::new(0),
        made_good: AtomicU64::new(0),
        committed: committed_sender,
    });
    for gap in &recovered.gaps {
        aftermath.announce(gap);
    }
    background.push(task::spawn(aftermath.clone().run(commits)));
    metrics.start_time.set(started.as_micros() as f64 / 1e6);
    let clock_events = ClockEvents::new(&metrics);
    let uptime = Uptime::new(time.clone(), store.clone(), clock.clone());

    let live = Live::new();
    let pipeline = Pipeline {
        sources: Vec::new(),
        requests: requested,
        sensors: sensors.clone(),
        calibrator,
        numbers: Numbers::new(Block { first: recovered.next_seq, last: recovered.block_end }),
        store: store.clone(),
        uplink: uplink.clone(),
        live: live.clone(),
        beside: beside.clone(),
        alerting: alerting.clone(),
        time: time.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        pulse: pulses.part("pipeline"),
    };
    let pipeline = task::spawn(pipeline.run());
    let (tracking, tracked) = mpsc::channel(64);
    let compare_anew = Arc::new(Notify::new());
    let (begun, compared_anew) = watch::channel(0);
    let compared = Tracking::new(tracking::run::Parts {
        time,
        sensors: sensors.clone(),
        store: store.clone(),
        live: live.clone(),
        anew: compare_anew.clone(),
        begun,
        clock: clock.clone(),
        metrics: metrics.clone(),
        publisher: Publisher::new(up_branch(&config), uplink.clone(), metrics.clone(), drift),
        alerting: alerting.clone(),
        beside,
        mounted: recovered.mounted.iter().map(|mount| (mount.sensor.clone(), mount.at)).collect(),
    });
    background.push(task::spawn(compared.run(tracked)));
    let arrivals = Arrivals {
        sensors: sensors.clone(),
        store: store.clone(),
        link: uplink.clone(),
        pipeline: requests.clone(),
        tracking: tracking.clone(),
        time: presence.time.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
    };
    background.push(task::spawn(arrivals.run(waiting)));
    let (recalibration, sessions_asked) = Recalibration::new();
    let (office, offices) = watch::channel(config.certificate.clone());
    let (held, held_keys) = watch::channel(config.held_key.clone());
    let recalibrations = recalibration::run::Parts {
        fleet: config.gateway.fleet.clone(),
        gateway: config.gateway.id.clone(),
        branch: up_branch(&config),
        sensors: sensors.clone(),
        store: store.clone(),
        link: uplink.clone(),
        pipeline: requests.clone(),
        desk: asks.clone(),
        maintenance: maintenance.clone(),
        live: live.clone(),
        time: presence.time.clone(),
        clock: clock.clone(),
        key,
        office: offices,
        held: held_keys,
        shown: recalibration.clone(),
    };
    let recalibrations = recalibration::run::Task::new(recalibrations, sessions);
    background.push(task::spawn(recalibrations.run(sessions_asked, waiting_pushes)));
    let mut sources = Sources::new(&sensors, &metrics, &clock, &requests);
    let (reload, reloads) = mpsc::channel(1);
    let facts = Facts {
        presence: &presence,
        restored: recovered.restored,
        sources: sources.shown(),
        sensors: &sensors,
        store: &store,
        uplink: &uplink,
        pipeline: &requests,
        desk: &asks,
        tracking: &tracking,
        maintenance: &maintenance,
        alerting: &alerting,
        recalibration: &recalibration,
        reload,
        live: &live,
        metrics: &metrics,
    };
    background.extend(control::start(sockets, &config, facts, &shutdown));
    clock_known.await;
    presence.tell(&uplink, true);
    let looking = tick(aftermath, clock_events, uptime, uplink.clone(), presence.clone(), requests.clone());
    background.push(task::spawn(looking));
    sources.change(&config.sources).await;
    let mut drives = Drives::new(&uplink, &links, &clock, &metrics, &shutdown, &pulses);
    drives.change(wiring::plans(&config, sources.kits(), inbox.clone(), presence.will())).await;
    page::show_sensors(config.http.as_ref(), &metrics);
    let page = bound.map(|bound| Page::start(bound, &metrics));
    let (version, gateway, count) = (env!("CARGO_PKG_VERSION"), &config.gateway.id, config.sources.len());
    tracing::info!("calibd {version} started: gateway {gateway}, {count} sources");
    let vitals = Vitals {
        pulses,
        store: store.clone(),
        uplink: uplink.clone(),
        sensors: sensors.clone(),
        alarms: metrics.alarms.clone(),
    };
    Ok(Running {
        config,
        presence,
        stopper,
        requests,
        desk: asks,
        tracking,
        alerting,
        compare_anew,
        compared_anew,
        pipeline,
        sources,
        drives,
        inbox,
        uplink,
        background,
        page,
        committed,
        sensors,
        office,
        held,
        store,
        reloads,
        vitals,
        metrics,
    })
}

/// The uplink, each of its sinks at its place in the history.
fn uplink(config: &Config, recovered: &Recovered, clock: &Clock, metrics: &Metrics) -> Link {
    let link = Link::new(config.mqtt.is_some(), clock.clone(), metrics.clone());
    link.set_sinks(wiring::sinks(config), &recovered.cursors, recovered.last_seq);
    link
}

/// The trust roots, and what was found in the files, told.
async fn believed_roots(
    config: &Config,
    recovered: &Recovered,
    store: &Store,
    alarms: &Alarms,
) -> Result<Roots, StoreError> {
    if let Some(path) = &recovered.history_quarantined {
        tracing::warn!("the history was broken and is now {}; a new one is begun", path.display());
    }
    if let Some(problem) = &recovered.ledger_broken {
        let remedy = "restore the ledger from a backup; until then readings go out raw";
        alarms.part("ledger").raise("broken", problem, remedy);
        return Ok(Roots::new(Vec::new()));
    }
    let roots = trust_root(&config.trust, &recovered.roots, store, alarms).await?;
    if let Some(root) = roots.installed().filter(|root| root.fleet != config.gateway.fleet) {
        let (theirs, ours) = (&root.fleet, &config.gateway.fleet);
        let message = format!(
            "the trust root is of fleet {theirs}, gateway.fleet is {ours}: every artifact is refused"
        );
        alarms.part("trust").raise("wrong_fleet", message, "correct gateway.fleet or trust.root");
    }
    Ok(roots)
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

impl Running {
    /// Where metrics are served.
    pub fn http(&self) -> Option<std::net::SocketAddr> {
        self.page.as_ref().map(|page| page.address)
    }

    /// Waits for something to do about.
    pub async fn event(&mut self) -> Event {
        let ended = |result: Result<(), JoinError>| match result {
            Ok(()) => "a task ended that must not".to_owned(),
            Err(error) => format!("a fault of the program: {error}; please report it"),
        };
        let background = std::future::poll_fn(|context| {
            for task in &mut self.background {
                if let Poll::Ready(result) = Pin::new(task).poll(context) {
                    return Poll::Ready(ended(result));
                }
            }
            Poll::Pending
        });
        tokio::select! {
            problem = background => Event::Failed(problem),
            result = &mut self.pipeline => Event::Failed(match result {
                Ok(Ok(_)) => "the pipeline ended".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => ended(Err(error)),
            }),
            Some(reload) = self.reloads.recv() => Event::Reload(reload),
        }
    }
}
