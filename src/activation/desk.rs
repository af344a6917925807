//! The desk where every artifact from above is judged, one after the other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::reports::Reports;
use super::roots::Roots;
use crate::alerting::Alerting;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::rollout::plan::Policy;
use crate::domain::time::Timestamp;
use crate::domain::trust::command::Past;
use crate::domain::trust::reason::Reason;
use crate::domain::trust::root::RoleName;
use crate::domain::trust::slot::Floor;
use crate::domain::trust::time::TimeView;
use crate::domain::trust::verify::{Context, Refused, Verified, verify_transform};
use crate::pipeline::active::{Active, Change};
use crate::pipeline::beside::Beside;
use crate::pipeline::run::Request;
use crate::pipeline::time::TimeCheck;
use crate::runtime::clock::Clock;
use crate::source::binding::Sensors;
use crate::store::{
    Activation, Recalibration, Store, StoreError, StoredEnrolment, StoredFloor, StoredManifest, StoredPrior,
};
use crate::sync::downlink::{Arrived, Artifact, Outbound};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::trust::TransformEvents;
use crate::wire::message::{Ack, ClockState, ReportedDrift, Verdict};

mod answers;
mod ask;
mod asking;
mod checkpoint;
mod commands;
mod enrolled;
mod local;
mod manifests;
mod orders;
mod place;
mod priors;
mod reach;
mod replaced;
mod restored;
mod rollouts;
mod root_expiry;
mod sessions;
mod succession;
mod turn;
mod waiting;
mod watching;

pub use ask::{Answered, Ask, TrustPolicy};
use local::back_from;
pub use local::{Declined, RollBack, back};
use reach::Reach;
pub use sessions::{Site, Trust, Waits};

/// Between two looks at artifacts that wait for their time.
const RETRY: Duration = Duration::from_secs(5);
/// Between two looks at what has been seen of rollouts.
const LOOK: Duration = Duration::from_secs(1);
/// Rest after an artifact that no known key signed.
const STRANGERS_PAUSE: Duration = Duration::from_millis(50);

/// What runs at a sensor, and by whose word.
#[derive(Debug)]
struct Installed {
    active: Arc<Active>,
    role: RoleName,
    /// The fleet's transform below one of maintenance.
    below: Option<Arc<Active>>,
    /// The envelope of one of maintenance, which is proposed to the fleet.
    local: Option<Bytes>,
}

impl Installed {
    /// The last transform here that the fleet signed.
    fn baseline(&self) -> Option<&Arc<Active>> {
        if self.role == RoleName::Maintenance { self.below.as_ref() } else { Some(&self.active) }
    }
}

/// An artifact, and how it came.
#[derive(Debug)]
struct Item {
    arrived: Arrived,
    way: Way,
}

/// How an artifact came.
#[derive(Debug, Clone)]
enum Way {
    Broker,
    /// Somebody on the gateway brought it.
    Local(String),
}

impl Way {
    /// Who it is in the audit.
    fn actor(&self) -> &str {
        match self {
            Way::Broker => "mqtt",
            Way::Local(user) => user,
        }
    }
}

/// Judges artifacts and puts accepted ones into force.
#[derive(Debug)]
pub struct Desk {
    /// The fleet.
    pub fleet: Id,
    /// This gateway.
    pub gateway: Id,
    /// The trust roots.
    roots: Roots,
    /// What the fleet says of this gateway.
    enrolled: enrolled::Enrolled,
    /// What it knows of sensor models.
    priors: priors::Priors,
    /// What commands have left behind.
    commands: commands::Commands,
    /// The last checkpoint.
    checkpoints: checkpoint::Checkpoints,
    /// Whether the broker is to send again what it retains.
    asking: asking::Asking,
    /// All sensors.
    pub sensors: Sensors,
    /// Whether the clock can be believed.
    pub time: TimeCheck,
    /// The time.
    pub clock: Clock,
    /// The ledger.
    pub store: Store,
    /// Counters and log lines.
    events: TransformEvents,
    /// Signed answers.
    pub reports: Reports,
    /// The alerts, which are told what came into force.
    alerting: Alerting,
    installed: HashMap<SensorId, Installed>,
    floors: HashMap<Id, Floor>,
    /// Where a local order went back: only something that was never accepted before takes its place.
    rolled_back: HashSet<SensorId>,
    /// How transforms come into force.
    rollouts: rollouts::Rollouts,
    /// What of each branch is current.
    manifests: manifests::Manifests,
    /// Serial and digest of the last order about a transform id that was followed.
    orders: HashMap<Id, (u64, Digest)>,
    /// Artifacts of known keys that are not valid yet.
    waiting: Vec<Item>,
    /// Sensors with a session, and its name.
    sessions: HashMap<SensorId, Id>,
    /// Where sessions are told of what waits for their end.
    waits: mpsc::Sender<Waits>,
    /// What found no place among them.
    left_out: waiting::LeftOut,
}

/// The parts of a desk that the daemon knows at the start.
#[derive(Debug)]
pub struct Parts {
    pub fleet: Id,
    pub gateway: Id,
    pub roots: Roots,
    pub enrolment: Option<StoredEnrolment>,
    pub manifests: Vec<StoredManifest>,
    pub priors: Vec<StoredPrior>,
    pub commands: (Past, Vec<Recalibration>),
    pub incarnation: Arc<str>,
    pub trust: TrustPolicy,
    pub sensors: Sensors,
    pub time: TimeCheck,
    pub clock: Clock,
    pub store: Store,
    pub metrics: Metrics,
    pub reports: Reports,
    pub alerting: Alerting,
    pub rollout: Policy,
    pub beside: Beside,
    /// Sensors with a session, and its name.
    pub sessions: HashMap<SensorId, Id>,
    pub waits: mpsc::Sender<Waits>,
}

impl Desk {
    /// A desk with the ledger's floors and nothing in force yet.
    pub fn new(parts: Parts, floors: Vec<StoredFloor>) -> Desk {
        let floor = |f: StoredFloor| (f.id, Floor { epoch: f.epoch, version: f.version, digest: f.digest });
        let enrolled = enrolled::Enrolled::new(parts.enrolment, parts.roots.installed());
        let manifests =
            manifests::Manifests::new(parts.trust.require_manifest, parts.manifests, parts.roots.installed());
        let priors = priors::Priors::new(parts.priors, parts.roots.installed());
        let (past, asked) = parts.commands;
        let alarm = parts.metrics.alarms.part("audit");
        Desk {
            fleet: parts.fleet,
            gateway: parts.gateway,
            roots: parts.roots,
            enrolled,
            rollouts: rollouts::Rollouts::new(parts.rollout, parts.trust.on_revoked, parts.beside),
            manifests,
            priors,
            orders: HashMap::new(),
            commands: commands::Commands::new(past, asked, parts.clock.monotonic()),
            checkpoints: checkpoint::Checkpoints::new(parts.incarnation, alarm),
            asking: asking::Asking::default(),
            sensors: parts.sensors,
            time: parts.time,
            clock: parts.clock,
            store: parts.store,
            events: TransformEvents::new(&parts.metrics),
            reports: parts.reports,
            alerting: parts.alerting,
            installed: HashMap::new(),
            floors: floors.into_iter().map(floor).collect(),
            rolled_back: HashSet::new(),
            waiting: Vec::new(),
            sessions: parts.sessions,
            waits: parts.waits,
            left_out: waiting::LeftOut::default(),
        }
    }

    /// Goes on where the ledger says that the rollouts are.
    async fn begin(&mut self, pipeline: &mpsc::Sender<Request>) {
        if let Err(error) = self.resume_rollouts().await {
            tracing::warn!("what rollouts have seen is not known: {error}");
        }
        self.watch_all(pipeline).await;
        self.report_all().await;
        self.withdraw_proposals().await;
    }

    /// Publishes the state of every sensor that has a transform, or had one. Readings need not wait for all the signatures.
    async fn report_all(&self) {
        let others = self.rollouts.held.keys().filter(|sensor| !self.installed.contains_key(*sensor));
        for sensor in self.installed.keys().chain(others) {
            self.report(sensor);
            tokio::task::yield_now().await;
        }
    }

    fn report(&self, sensor: &SensorId) {
        let installed = self.installed.get(sensor).map(|installed| &installed.active);
        let machine = self.rollouts.machine(sensor);
        let candidate = machine.and_then(|machine| machine.state().candidate());
        let active = installed.iter().map(|active| &active.reference.id);
        let ids = active.chain(candidate.map(|candidate| &candidate.id));
        let stored = ids.filter_map(|id| Some((id.clone(), self.floors.get(id)?)));
        let mut floors = BTreeMap::new();
        floors.extend(stored.map(|(id, f)| (id, (f.epoch, f.version))));
        let standings = machine.map(|machine| machine.standings(self.clock.now()));
        self.reports.reported(sensor, installed, standings.as_ref(), floors);
        self.reports.proposed(sensor, self.proposal(sensor));
    }

    /// The local transform at a sensor that the fleet may adopt: one that stays in force though its key was revoked is none.
    fn proposal(&self, sensor: &SensorId) -> Option<&Bytes> {
        self.installed.get(sensor).filter(|installed| !installed.active.revoked)?.local.as_ref()
    }

    /// At the start: the broker may still hold what was proposed before, at sensors where that has ended meanwhile.
    async fn withdraw_proposals(&self) {
        match self.store.had_local().await {
            Ok(sensors) => {
                let over = sensors.iter().filter(|sensor| self.proposal(sensor).is_none());
                over.for_each(|sensor| self.reports.withdraw_proposal(sensor));
            }
            Err(error) => tracing::warn!("what was proposed to the fleet before may still be: {error}"),
        }
    }

    /// Judges what arrives from above, and again what had to wait for its time, and does what is asked
    /// here, until nobody is left who could ask.
    pub async fn run(
        mut self,
        mut inbox: Outbound,
        mut asks: mpsc::Receiver<Ask>,
        mut drift: mpsc::Receiver<(SensorId, Option<ReportedDrift>)>,
        pipeline: mpsc::Sender<Request>,
    ) {
        self.begin(&pipeline).await;
        self.recall_checkpoint().await;
        self.resume_commands().await;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut retry = tokio::time::interval(RETRY);
        retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                mut arrived = inbox.next() => {
                    let token = arrived.token.take();
                    if arrived.what == Artifact::Checkpoint {
                        self.remember(&arrived.payload).await;
                        continue;
                    }
                    // Its answer goes up; what could not be written is in the log. Some of it waits here, the rest the
                    // broker has.
                    if self.judge(Item { arrived, way: Way::Broker }, &pipeline).await.is_err() {
                        self.asking.miss();
                    }
                    token.into_iter().for_each(|token| self.reports.settled(token));
                }
                ask = asks.recv() => match ask {
                    Some(ask) => self.serve(ask, &pipeline).await,
                    None => return,
                },
                Some((sensor, drift)) = drift.recv() => {
                    self.reports.drift(sensor.clone(), drift);
                    self.report(&sensor);
                }
                _ = retry.tick() => {
                    self.judge_waiting(&pipeline).await;
                    self.expire_commands().await;
                    self.tell_root_expiry().await;
                    self.check_point(inbox.is_empty()).await;
                }
                _ = look.tick() => self.look_at_rollouts(&pipeline).await,
            }
            if inbox.has_missed() {
                self.asking.miss();
            }
            // Once for all roots that have come together.
            let due = inbox.is_empty() && self.asking.is_due(self.clock.monotonic());
            if due && !self.reports.ask_again() {
                self.asking.want();
            }
        }
    }

    /// Judges an artifact and answers it; an error says why one that may be in force could not be put there.
    async fn judge(&mut self, item: Item, pipeline: &mpsc::Sender<Request>) -> Result<Ack, StoreError> {
        match item.arrived.what {
            Artifact::Root => return self.judge_root(item, pipeline).await,
            Artifact::Enrolment => return self.judge_enrolment(item, pipeline).await,
            Artifact::Prior => return self.judge_prior(item).await,
            Artifact::Order => return self.judge_order(item, pipeline).await,
            Artifact::Command => return self.judge_command(item).await,
            Artifact::Manifest => return self.judge_manifest(item).await,
            Artifact::Transform | Artifact::Checkpoint => {}
        }
        match self.verify(&item) {
            Err(refused) => match self.has_its_place(&item, &refused).await? {
                Some((verified, sentence)) => Ok(self.answer(&verified, Verdict::AlreadyApplied, sentence)),
                None => Ok(self.turn_away(item, refused).await),
            },
            Ok(verified) if verified.already_applied && self.stands(&verified).await? => {
                let sentence = self.standing(&verified);
                Ok(self.answer(&verified, Verdict::AlreadyApplied, sentence))
            }
            Ok(verified) => self.place_unless_replaced(verified, item, pipeline).await,
        }
    }

    /// Checks a transform, as one that came the way that it did.
    fn verify(&self, item: &Item) -> Result<Verified, Refused> {
        let reach = Reach::of(self);
        let context = Context { freshness: self.freshness(item), ..self.context(&reach) };
        verify_transform(&item.arrived.payload, &context)
    }

    /// Answers a refused artifact, and keeps it if its time is yet to come.
    async fn turn_away(&mut self, mut item: Item, mut refused: Refused) -> Ack {
        let way = item.way.clone();
        let topic_id = item.arrived.id.clone();
        let known = refused.by_known_key;
        self.note_unlisted(&way, refused.refusal.reason);
        if let Some(id) = refused.id.as_ref().filter(|_| known && refused.refusal.reason.waits()) {
            item.arrived.id = id.to_string();
            if refused.refusal.reason == Reason::SessionOpen && matches!(way, Way::Broker) {
                self.tell_sessions(&item.arrived.payload);
            }
            if self.wait(item) {
                refused.refusal.message.push_str("; it waits here until then");
            }
        }
        self.refuse_by(&topic_id, &way, refused).await
    }

    /// Audits, counts and answers what came that way.
    async fn refuse_by(&mut self, topic_id: &str, way: &Way, refused: Refused) -> Ack {
        let known = refused.by_known_key;
        let ack = self.refuse(topic_id, way.actor(), refused).await;
        self.rest_after(known, way).await;
        ack
    }

    /// Strangers get little of the processor, however much they send.
    async fn rest_after(&self, known_key: bool, way: &Way) {
        if !known_key && matches!(way, Way::Broker) {
            tokio::time::sleep(STRANGERS_PAUSE).await;
        }
    }

    async fn put_in_force(&self, changes: Vec<Change>, pipeline: &mpsc::Sender<Request>) {
        let (done, effective) = oneshot::channel();
        if pipeline.send(Request::Activate(changes, done)).await.is_ok() {
            // An error means that the pipeline is ending: the ledger has the change for the next start.
            let _ = effective.await;
        }
    }

    fn time_view(&self) -> TimeView {
        let now = self.clock.now();
        let trusted = self.time.state(now, self.clock.discipline()) != ClockState::Untrusted;
        TimeView { now, trusted, floor: self.time.floor() }
    }
}

fn activation(verified: &Verified, at: Timestamp, actor: String, rolled_back: bool) -> Activation {
    let transform = &verified.transform;
    Activation {
        envelope: verified.envelope.clone(),
        digest: verified.digest,
        id: transform.id.clone(),
        epoch: transform.epoch,
        version: transform.version,
        keyids: verified.keyids.iter().map(ToString::to_string).collect(),
        sensors: verified.sensors.clone(),
        at,
        actor,
        rolled_back,
    }
}

fn active(verified: &Verified, since: Timestamp, revoked: bool) -> Active {
    let transform = &verified.transform;
    let compiled = Arc::new(verified.compiled.clone());
    Active { revoked, ..Active::of(transform, verified.digest, compiled, since) }
}
