//! Messages from above: artifacts on their way to the desk that judges them, references to whoever stores them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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

/// A command is acknowledged only when it is written down, if no more messages than this wait before it: strangers'
/// messages take their time, and the acknowledgements of readings come after it.
const AHEAD: usize = 64;

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
    /// To be settled when it was judged: what is not retained does not come again.
    pub token: Option<AckToken>,
}

/// The way from the link to the desk, bounded in messages and bytes.
#[derive(Debug, Clone)]
pub struct Inbox {
    sender: mpsc::Sender<Arrived>,
    held: Arc<AtomicUsize>,
    missed: Arc<AtomicBool>,
    /// What which topics are for, in the order of their subscriptions; a branch, below which there is one level, ends with
    /// a slash.
    routes: Vec<(Down, String)>,
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
    /// What the fleet knows of a sensor model.
    Prior,
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
    missed: Arc<AtomicBool>,
}

impl Outbound {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Whether something found no room since this was asked last.
    pub fn has_missed(&self) -> bool {
        self.missed.swap(false, Ordering::Relaxed)
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
    let (held, missed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (references, waiting) = references::inbox(metrics);
    let inbox = Inbox {
        sender,
        held: held.clone(),
        missed: missed.clone(),
        routes: routes(fleet, gateway, groups),
        references,
        metrics: metrics.clone(),
    };
    (inbox, Outbound { receiver, held, missed }, waiting)
}

/// Roots come first, so that a new key is known before what it signed, then what proves this gateway's groups. Orders come
/// after transforms, so that there is what they are about.
fn routes(fleet: &Id, gateway: &Id, groups: &[Id]) -> Vec<(Down, String)> {
    let fleet = format!("calibd/1/{fleet}");
    let (down, own) = (format!("{fleet}/down"), format!("{fleet}/down/gw/{gateway}"));
    let mut parts = vec![Branch::All, Branch::Gateway(gateway.clone())];
    parts.extend(groups.iter().cloned().map(Branch::Group));
    let mut routes = vec![
        (Down::Artifact(Artifact::Root), format!("{down}/root/")),
        (Down::Artifact(Artifact::Enrolment), format!("{own}/enrolment")),
        (Down::Artifact(Artifact::Checkpoint), format!("{fleet}/up/{gateway}/checkpoint")),
        // Whatever sensors it has now: one of another model may be mounted.
        (Down::Artifact(Artifact::Prior), format!("{down}/all/prior/")),
    ];
    let mut of_each = |what, name: &str| {
        routes.extend(parts.iter().map(|part| (Down::Artifact(what), format!("{down}/{part}/{name}"))));
    };
    // Before what they have to list.
    of_each(Artifact::Manifest, "manifest");
    of_each(Artifact::Transform, "transform/");
    of_each(Artifact::Order, "order/");
    of_each(Artifact::Command, "command");
    routes.push((Down::References, format!("{own}/reference/")));
    routes
}

impl Inbox {
    /// The same way for a gateway in other groups.
    pub fn regrouped(&self, fleet: &Id, gateway: &Id, groups: &[Id]) -> Inbox {
        Inbox { routes: routes(fleet, gateway, groups), ..self.clone() }
    }

    /// The filters to subscribe to.
    pub fn filters(&self) -> Vec<String> {
        let filter = |topic: &String| format!("{topic}{}", if topic.ends_with('/') { "+" } else { "" });
        self.routes.iter().map(|(_, topic)| filter(topic)).collect()
    }

    /// What a topic is about, if it is one of those, or below a branch.
    pub fn about(&self, topic: &str) -> Option<Down> {
        let is_it = |route: &str| match topic.strip_prefix(route) {
            Some(id) if route.ends_with('/') => !id.contains('/'),
            rest => rest == Some(""),
        };
        self.routes.iter().find(|(_, route)| is_it(route)).map(|(about, _)| *about)
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

    /// What is retained is settled at once, so that a flood of artifacts never holds up the acknowledgements of
    /// readings: it comes again with the next connection, and what has found no room when it is asked for. A command does not, so it is settled when it was judged,
    /// unless many wait before it.
    fn put_artifact(
        &self,
        what: Artifact,
        topic: &str,
        (payload, correlation): (&Bytes, Option<Bytes>),
        token: Option<AckToken>,
        link: &Link,
    ) {
        let few = self.sender.max_capacity() - self.sender.capacity() < AHEAD;
        let token = token.filter(|token| {
            let waits = what == Artifact::Command && few;
            if !waits {
                link.settled(*token);
            }
            waits
        });
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
            match self.sender.try_send(Arrived { what, id, branch, payload, correlation, token }) {
                Ok(()) => {
                    self.held.fetch_add(size, Ordering::Relaxed);
                    return;
                }
                Err(_) => "busy",
            }
        };
        token.into_iter().for_each(|token| link.settled(token));
        // Commands are not retained: asked for again, they do not come.
        self.missed.fetch_or(problem == "busy" && what != Artifact::Command, Ordering::Relaxed);
        downlink_ignored(problem, &self.metrics);
    }
}
