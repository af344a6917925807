//! The connections to brokers: which there have to be, and how they are exchanged.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::commits::Links;
use super::sources::restarts;
use super::wiring::Kit;
use crate::runtime::clock::Clock;
use crate::runtime::pulse::{Pulse, Pulses};
use crate::runtime::shutdown::Shutdown;
use crate::runtime::supervise::supervise;
use crate::sync::connect::Broker;
use crate::sync::downlink::Inbox;
use crate::sync::driver::Driver;
use crate::sync::link::Link;
use crate::telemetry::metrics::Metrics;

/// The client needs a moment to put the last packet on its way.
const LEAVE: Duration = Duration::from_millis(500);
/// How long a driver may take to end.
const END: Duration = Duration::from_secs(1);

/// One connection as it has to be.
#[derive(Debug)]
pub struct Plan {
    /// The broker, and by its client id the connection.
    pub broker: Broker,
    /// The MQTT sources on it.
    pub kits: Vec<Kit>,
    /// Where artifacts go; only the uplink has it.
    pub inbox: Option<Inbox>,
}

impl Plan {
    fn filters(&self) -> Vec<String> {
        let sources = self.kits.iter().filter_map(Kit::filter);
        sources.chain(self.inbox.iter().flat_map(Inbox::filters)).collect()
    }

    /// Whether a connection made for `other` serves this plan as it is.
    fn is_alike(&self, other: &Plan) -> bool {
        let indices = |plan: &Plan| plan.kits.iter().map(|kit| kit.index).collect::<Vec<_>>();
        // The will says how the clock was when the connection was made, and may stay.
        let broker = Broker { will: other.broker.will.clone(), ..self.broker.clone() };
        broker == other.broker
            && indices(self) == indices(other)
            && self.inbox.as_ref().map(Inbox::filters) == other.inbox.as_ref().map(Inbox::filters)
    }
}

/// One connection.
#[derive(Debug)]
struct Drive {
    plan: Plan,
    /// Filters of the session's past that were to be given up.
    stale: Vec<String>,
    link: Link,
    end: Arc<Notify>,
    /// `None`: the connection was left.
    task: Option<JoinHandle<()>>,
    pulse: Pulse,
}

/// All connections.
#[derive(Debug)]
pub struct Drives {
    entries: Vec<Drive>,
    uplink: Link,
    links: Links,
    clock: Clock,
    metrics: Metrics,
    shutdown: Shutdown,
    pulses: Pulses,
}

impl Drives {
    /// None yet. `links` is kept up to date.
    pub fn new(
        uplink: &Link,
        links: &Links,
        clock: &Clock,
        metrics: &Metrics,
        shutdown: &Shutdown,
        pulses: &Pulses,
    ) -> Drives {
        Drives {
            entries: Vec::new(),
            uplink: uplink.clone(),
            links: links.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            shutdown: shutdown.clone(),
            pulses: pulses.clone(),
        }
    }

    /// Leaves the connections that serve sources with these numbers, until they are changed.
    pub async fn retire(&mut self, sources: &[u16]) {
        for drive in &mut self.entries {
            if drive.plan.kits.iter().any(|kit| sources.contains(&kit.index)) {
                leave(drive, &self.pulses).await;
            }
        }
    }

    /// Goes over to these connections. One that is the same stays; another is left in order and made
    /// anew in the same session, so that nothing the broker holds for us at QoS 1 is lost.
    pub async fn change(&mut self, plans: Vec<Plan>) {
        let mut old = std::mem::take(&mut self.entries);
        for plan in plans {
            let place = old.iter().position(|drive| drive.plan.broker.client_id == plan.broker.client_id);
            let drive = match place.map(|place| old.swap_remove(place)) {
                Some(drive) if plan.is_alike(&drive.plan) => drive,
                Some(mut drive) => {
                    let stale = self.left(&drive, &plan);
                    leave(&mut drive, &self.pulses).await;
                    self.drive(plan, drive.link, stale)
                }
                None => {
                    let link = self.link_of(&plan);
                    self.drive(plan, link, Vec::new())
                }
            };
            self.entries.push(drive);
        }
        for mut drive in old {
            drive.link.unsubscribe(&drive.plan.filters());
            leave(&mut drive, &self.pulses).await;
        }
        self.tell();
    }

    /// What the old connection subscribed to and the new one does not want; from a broker that is left
    /// for good that is everything.
    fn left(&self, drive: &Drive, plan: &Plan) -> Vec<String> {
        let mut filters = drive.plan.filters();
        // The connection may never have stood long enough to give them up.
        filters.extend(drive.stale.iter().cloned());
        if (&drive.plan.broker.host, drive.plan.broker.port) == (&plan.broker.host, plan.broker.port) {
            let wanted = plan.filters();
            filters.retain(|filter| !wanted.contains(filter));
            return filters;
        }
        drive.link.unsubscribe(&filters);
        Vec::new()
    }

    fn link_of(&self, plan: &Plan) -> Link {
        match plan.inbox {
            Some(_) => self.uplink.clone(),
            None => Link::new(true, self.clock.clone(), self.metrics.clone()),
        }
    }

    fn tell(&self) {
        let others = self.entries.iter().filter(|drive| drive.plan.inbox.is_none());
        let others = others.map(|drive| drive.link.clone());
        self.links.set(std::iter::once(self.uplink.clone()).chain(others).collect());
    }

    fn drive(&self, plan: Plan, link: Link, stale: Vec<String>) -> Drive {
        link.stay();
        let end = Arc::new(Notify::new());
        let name = format!("link {}:{}", plan.broker.host, plan.broker.port);
        let pulse = self.pulses.part(name.as_str());
        let task = Some(supervise(name, self.shutdown.clone(), restarts(&self.metrics), {
            let (link, end, metrics, pulse) =
                (link.clone(), end.clone(), self.metrics.clone(), pulse.clone());
            let (broker, kits, inbox) = (plan.broker.clone(), plan.kits.clone(), plan.inbox.clone());
            let stale = stale.clone();
            move || {
                Driver {
                    broker: broker.clone(),
                    link: link.clone(),
                    intakes: kits.iter().filter_map(Kit::intake).collect(),
                    stale: stale.clone(),
                    inbox: inbox.clone(),
                    metrics: metrics.clone(),
                    end: end.clone(),
                    pulse: pulse.clone(),
                }
                .run()
            }
        }));
        Drive { plan, stale, link, end, task, pulse }
    }

    /// Leaves all brokers.
    pub async fn stop(&mut self) {
        for mut drive in std::mem::take(&mut self.entries) {
            leave(&mut drive, &self.pulses).await;
        }
    }
}

/// Leaves a broker in order, unless that was done: its last will is not published.
async fn leave(drive: &mut Drive, pulses: &Pulses) {
    let Some(mut task) = drive.task.take() else { return };
    if drive.link.leave() {
        let _ = tokio::time::timeout(LEAVE, drive.link.left()).await;
    }
    drive.end.notify_one();
    if tokio::time::timeout(END, &mut task).await.is_err() {
        task.abort();
    }
    pulses.forget(&drive.pulse);
}
