//! Messages from above: artifacts on their way to the desk that judges them, references to whoever stores them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use rumqttc::v5::mqttbytes::v5::Publish;
use tokio::sync::mpsc;

use super::link::Link;
use super::references::{self, ReferenceInbox, Waiting};
use crate::domain::id::Id;
use crate::domain::sample::AckToken;
use crate::domain::trust::branch::Branch;
use crate::telemetry::link::downlink_ignored;
use crate::telemetry::metrics::Metrics;

/// Messages that may wait to be judged.
const MESSAGES: usize = 10_000;
/// Bytes that may wait to be judged.
const BYTES: usize = 8 * 1024 * 1024;

/// The longest correlation data that is echoed, in bytes.
const CORRELATION: usize = 256;

/// A message from above.
#[derive(Debug)]
pub struct Arrived {
    /// What the topic is for.
    pub what: Artifact,
    /// The transform id, or the version of a root, that the topic names.
    pub id: String,
    /// The branch that its topic is in.
    pub branch: Option<Branch>,
    /// What came.
    pub payload: Bytes,
    /// What the sender of a command or an order wants to have echoed.
    pub correlation: Option<Bytes>,
}

/// The way from the link to the desk, bounded in messages and bytes.
#[derive(Debug, Clone)]
pub struct Inbox {
    sender: mpsc::Sender<Arrived>,
    held: Arc<AtomicUsize>,
    branches: Vec<(Artifact, String)>,
    /// The topic of this gateway's enrolment.
    enrolment: String,
    /// The topic of the gateway's own checkpoint.
    checkpoint: String,
    /// The topics of commands.
    commands: Vec<String>,
    /// The topics of manifests.
    manifests: Vec<String>,
    /// The branch of references, which concern one gateway only.
    measured: String,
    references: ReferenceInbox,
    metrics: Metrics,
}

/// What a topic is for. Topics only route: the artifact itself has to say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artifact {
    /// A trust root.
    Root,
    /// What the fleet says of this gateway.
    Enrolment,
    /// A transform.
    Transform,
    /// An order about a transform.
    Order,
    /// Something that is asked for once.
    Command,
    /// What of a branch is current.
    Manifest,
    /// The gateway's own last checkpoint, which the broker kept.
    Checkpoint,
}

/// What a topic below the branches is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// An artifact.
    Artifact(Artifact),
    /// References of a sensor.
    References,
}

/// The desk's end of the [`Inbox`].
#[derive(Debug)]
pub struct Outbound {
    receiver: mpsc::Receiver<Arrived>,
    held: Arc<AtomicUsize>,
}

impl Outbound {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// The next message; waits for ever once there is no link any more.
    pub async fn next(&mut self) -> Arrived {
        let Some(arrived) = self.receiver.recv().await else { return std::future::pending().await };
        self.held.fetch_sub(arrived.payload.len(), Ordering::Relaxed);
        arrived
    }
}

/// Makes an inbox for the branches of `fleet` that concern this gateway and its groups; with it the other ends
/// for artifacts and for references.
pub fn inbox(fleet: &Id, gateway: &Id, groups: &[Id], metrics: &Metrics) -> (Inbox, Outbound, Waiting) {
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let held = Arc::new(AtomicUsize::new(0));
    let branches = branches(fleet, gateway, groups);
    let (references, waiting) = references::inbox(metrics);
    let enrolment = format!("calibd/1/{fleet}/down/gw/{gateway}/enrolment");
    let measured = format!("calibd/1/{fleet}/down/gw/{gateway}/reference/");
    let inbox = Inbox {
        sender,
        held: held.clone(),
        branches,
        enrolment,
        checkpoint: format!("calibd/1/{fleet}/up/{gateway}/checkpoint"),
        commands: in_each(fleet, gateway, groups, "command"),
        manifests: in_each(fleet, gateway, groups, "manifest"),
        measured,
        references,
        metrics: metrics.clone(),
    };
    (inbox, Outbound { receiver, held }, waiting)
}

/// The parts of a fleet that this gateway is in.
fn parts(gateway: &Id, groups: &[Id]) -> Vec<Branch> {
    let mut parts = vec![Branch::All, Branch::Gateway(gateway.clone())];
    parts.extend(groups.iter().cloned().map(Branch::Group));
    parts
}

/// The topics of which there is one in each branch.
fn in_each(fleet: &Id, gateway: &Id, groups: &[Id], name: &str) -> Vec<String> {
    parts(gateway, groups).iter().map(|part| format!("calibd/1/{fleet}/down/{part}/{name}")).collect()
}

/// Roots come first, so that a new key is known before what it signed.
fn branches(fleet: &Id, gateway: &Id, groups: &[Id]) -> Vec<(Artifact, String)> {
    let down = format!("calibd/1/{fleet}/down");
    let mut branches = vec![(Artifact::Root, format!("{down}/root/"))];
    let parts = parts(gateway, groups);
    // Orders come last, so that there is what they are about.
    for (what, name) in [(Artifact::Transform, "transform"), (Artifact::Order, "order")] {
        branches.extend(parts.iter().map(|part| (what, format!("{down}/{part}/{name}/"))));
    }
    branches
}

impl Inbox {
    /// The same way for a gateway in other groups.
    pub fn regrouped(&self, fleet: &Id, gateway: &Id, groups: &[Id]) -> Inbox {
        let [commands, manifests] = ["command", "manifest"].map(|name| in_each(fleet, gateway, groups, name));
        Inbox { branches: branches(fleet, gateway, groups), commands, manifests, ..self.clone() }
    }

    /// The filters to subscribe to.
    pub fn filters(&self) -> Vec<String> {
        let branches = self.branches.iter().map(|(_, branch)| branch);
        let below = branches.chain([&self.measured]).map(|branch| format!("{branch}+"));
        let mut filters: Vec<String> = below.collect();
        // After the roots, before what they have to prove.
        let before = [&self.enrolment, &self.checkpoint].into_iter().chain(&self.manifests).cloned();
        filters.splice(1..1, before);
        filters.extend(self.commands.iter().cloned());
        filters
    }

    /// What a topic is about, if it is below one of the branches.
    pub fn about(&self, topic: &str) -> Option<Down> {
        let below = |branch: &str| topic.strip_prefix(branch).is_some_and(|id| !id.contains('/'));
        if topic == self.enrolment {
            return Some(Down::Artifact(Artifact::Enrolment));
        }
        if topic == self.checkpoint {
            return Some(Down::Artifact(Artifact::Checkpoint));
        }
        if self.commands.iter().any(|command| command == topic) {
            return Some(Down::Artifact(Artifact::Command));
        }
        if self.manifests.iter().any(|manifest| manifest == topic) {
            return Some(Down::Artifact(Artifact::Manifest));
        }
        if below(&self.measured) {
            return Some(Down::References);
        }
        let (what, _) = self.branches.iter().find(|(_, branch)| below(branch))?;
        Some(Down::Artifact(*what))
    }

    /// Passes a message on.
    pub fn put(&self, about: Down, publish: &Publish, token: Option<AckToken>, link: &Link) {
        let topic = std::str::from_utf8(&publish.topic).unwrap_or_default();
        let last = publish.topic.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        match about {
            // Only what the broker kept is news; the rest is what this gateway has just said.
            Down::Artifact(Artifact::Checkpoint) if !publish.retain => {
                token.into_iter().for_each(|token| link.settled(token));
            }
            // "Not retained": it came when it was published, this is a copy for those who subscribe anew.
            Down::Artifact(Artifact::Command) if publish.retain => {
                token.into_iter().for_each(|token| link.settled(token));
                downlink_ignored("retained", &self.metrics);
            }
            Down::Artifact(what) => {
                // A retained order comes again with each connection; nobody waits for a reply then.
                let properties = publish.properties.as_ref().filter(|_| !publish.retain);
                let correlation = properties.and_then(|it| it.correlation_data.clone());
                self.put_artifact(what, topic, (&publish.payload, correlation), token, link);
            }
            Down::References => self.references.put(last, &publish.payload, publish.retain, token, link),
        }
    }

    /// It is settled at once, so that a flood of artifacts never holds up the acknowledgements of readings: a
    /// retained artifact comes again with the next connection.
    fn put_artifact(
        &self,
        what: Artifact,
        topic: &str,
        (payload, correlation): (&Bytes, Option<Bytes>),
        token: Option<AckToken>,
        link: &Link,
    ) {
        if let Some(token) = token {
            link.settled(token);
        }
        let last = topic.rsplit('/').next().filter(|text| Id::new(text).is_ok());
        let id = last.unwrap_or_default().to_owned();
        let problem = if id.is_empty() {
            "bad_topic"
        } else if payload.is_empty() {
            // Removing a retained message changes nothing.
            "emptied"
        } else if self.held.load(Ordering::Relaxed) + payload.len() > BYTES {
            "busy"
        } else {
            let size = payload.len();
            let asks = matches!(what, Artifact::Command | Artifact::Order);
            // Copies, so that the network buffer behind the message is not kept alive.
            let echoed = correlation.filter(|data| asks && data.len() <= CORRELATION);
            let correlation = echoed.map(|data| Bytes::copy_from_slice(&data));
            let payload = Bytes::copy_from_slice(payload);
            let branch = Branch::of_topic(topic);
            match self.sender.try_send(Arrived { what, id, branch, payload, correlation }) {
                Ok(()) => {
                    self.held.fetch_add(size, Ordering::Relaxed);
                    return;
                }
                Err(_) => "busy",
            }
        };
        downlink_ignored(problem, &self.metrics);
    }
}
