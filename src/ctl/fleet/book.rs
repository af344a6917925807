//! What the retained messages of a fleet say, in as little memory as its tables need.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::said::{Alert, Answer, Drift, Held, Metrics, Reply, Reported, Scores, Status, Text, read};
use super::topic::{About, Branch, Up};
use super::trusted::{Enrolled, Opened, Trust, open};
use crate::domain::alert::MOST_SENSORS;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::strict_json;
use crate::domain::time::Timestamp;
use crate::domain::trust::enrolment::Enrolment;
use crate::domain::trust::envelope::{Envelope, MAX_ARTIFACT, type_name};
use crate::domain::trust::time::TimeView;
use crate::domain::trust::verify::{kept, verify_kept, verify_typed};
use crate::wire::message::Ack;

/// Gateways, sensors, alerts and artifacts that are kept: what a hostile broker may make of memory.
const MOST: usize = 2_000_000;
/// Alerts of one gateway that are kept.
const MOST_ALERTS: usize = 10_000;
/// Names of ignored messages that are kept of each problem.
const NAMED: usize = 5;

/// A sensor.
#[derive(Debug, Clone, Default)]
pub struct Sensor {
    /// Whether a `reported` has come.
    pub is_reported: bool,
    /// Whether the enrolled key signed it.
    pub verified: bool,
    /// What is in force.
    pub active: Option<Held>,
    /// What may come into force.
    pub candidate: Option<Held>,
    /// How it stands to its references.
    pub drift: Option<Drift>,
    /// Its scores; not signed.
    pub scores: Option<Scores>,
    /// The last verdict on the transform id that was asked about.
    pub answer: Option<Box<Answer>>,
}

/// A gateway.
#[derive(Debug, Default)]
pub struct Gateway {
    /// What it last said of itself; not signed.
    pub status: Option<Status>,
    /// Its enrolment.
    pub enrolled: Option<Enrolled>,
    /// Its sensors.
    pub sensors: BTreeMap<Id, Sensor>,
    /// Its alerts, those that are over among them; not signed.
    pub alerts: BTreeMap<Id, Alert>,
}

impl Gateway {
    /// Whether it is connected, as far as is known.
    pub fn is_online(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.online)
    }

    /// Alerts that stand.
    pub fn standing(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().filter(|alert| alert.cleared.is_none())
    }

    /// Sensors of which a report has come.
    pub fn reported(&self) -> impl Iterator<Item = (&Id, &Sensor)> {
        self.sensors.iter().filter(|(_, sensor)| sensor.is_reported)
    }
}

/// An artifact that the broker keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Its digest.
    pub digest: Digest,
    /// The version of a transform or a manifest, the serial of an order.
    pub number: u64,
    /// The action of an order.
    pub action: Option<Text>,
    /// The transform that an order is about.
    pub on: Option<Digest>,
    /// Whether the root's keys signed it.
    pub verified: bool,
    /// The gateways and sensors that a transform names.
    pub names: Names,
}

/// Gateways and sensors by name.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Names {
    /// Gateways.
    pub gateways: Vec<Id>,
    /// Sensors.
    pub sensors: Vec<SensorId>,
}

/// Messages that were not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ignored {
    /// Why.
    pub problem: &'static str,
    /// How many.
    pub count: u64,
    /// The first topics.
    pub topics: Vec<Text>,
}

/// What a message said that is not kept.
#[derive(Debug)]
pub enum News {
    /// Nothing, or something that is kept.
    None,
    /// What became of an artifact at a gateway, and whether the enrolled key says so.
    Answer(Id, Answer, bool),
}

/// What the retained messages say.
#[derive(Debug)]
pub struct Book {
    /// The fleet.
    pub fleet: Id,
    /// Whom to believe.
    pub trust: Trust,
    /// The gateways.
    pub gateways: BTreeMap<Id, Gateway>,
    /// Transforms, orders and manifests that the broker keeps.
    pub desired: BTreeMap<About, Kept>,
    /// What was not understood.
    pub ignored: BTreeMap<&'static str, Ignored>,
    /// The transform id whose verdicts are kept.
    about: Option<Id>,
    entries: usize,
}

impl Book {
    /// An empty one; verdicts are kept of the transform `about`.
    pub fn new(fleet: Id, trust: Trust, about: Option<Id>) -> Book {
        let (gateways, desired, ignored) = Default::default();
        Book { fleet, trust, gateways, desired, ignored, about, entries: 0 }
    }

    /// The key that a gateway is enrolled with by a root that is trusted.
    pub fn key(&self, gateway: &Id) -> Option<&crate::domain::trust::key::PublicKey> {
        self.enrolment(gateway).map(|enrolment| &enrolment.public_key)
    }

    /// What the fleet says of a gateway.
    pub fn enrolment(&self, gateway: &Id) -> Option<&Enrolment> {
        let enrolled = self.gateways.get(gateway)?.enrolled.as_ref()?;
        enrolled.verified.then_some(&enrolled.enrolment)
    }

    /// Takes a message. `now` judges the keys of orders.
    pub fn take(&mut self, topic: &[u8], payload: &[u8], now: Timestamp) -> News {
        let topic = String::from_utf8_lossy(topic);
        match self.understand(&topic, payload, now) {
            Ok(news) => news,
            Err(problem) => {
                self.ignore(problem, &topic);
                News::None
            }
        }
    }

    /// Counts a message that is not understood.
    pub fn ignore(&mut self, problem: &'static str, topic: &str) {
        let none = Ignored { problem, count: 0, topics: Vec::new() };
        let ignored = self.ignored.entry(problem).or_insert(none);
        ignored.count += 1;
        let topic = Text::new(topic);
        if ignored.topics.len() < NAMED && !ignored.topics.contains(&topic) {
            ignored.topics.push(topic);
        }
    }

    fn understand(&mut self, topic: &str, payload: &[u8], now: Timestamp) -> Result<News, &'static str> {
        let about = About::parse(&self.fleet, topic).ok_or("unknown topic")?;
        if payload.len() > MAX_ARTIFACT {
            return Err("too large");
        }
        if self.entries >= MOST && !self.knows(&about) {
            return Err("too many");
        }
        match about {
            About::Up(gateway, up, one) => self.up(&gateway, up, one, payload),
            _ if payload.is_empty() => {
                self.emptied(&about);
                Ok(News::None)
            }
            About::Root(version) => {
                let follows = self.trust.root_heard(version, payload);
                if follows { Ok(News::None) } else { Err("a root that does not follow") }
            }
            About::Enrolment(gateway) => {
                let enrolled = self.trust.enrolment(&gateway, payload).ok_or("unreadable")?;
                self.enrol(&gateway, enrolled);
                Ok(News::None)
            }
            About::Transform(..) | About::Order(..) | About::Manifest(_) => {
                let kept = self.artifact(&about, payload, now).ok_or("unreadable")?;
                if self.desired.insert(about, kept).is_none() {
                    self.entries += 1;
                }
                Ok(News::None)
            }
            About::Command(_) | About::Prior(_) => Ok(News::None),
        }
    }

    /// Whether there is room for it because there is something of it already.
    fn knows(&self, about: &About) -> bool {
        match about {
            About::Up(gateway, up, one) => self.gateways.get(gateway).is_some_and(|known| match (up, one) {
                (Up::Reported | Up::Metrics, Some(sensor)) => known.sensors.contains_key(sensor),
                (Up::Alert, Some(alert)) => known.alerts.contains_key(alert),
                _ => true,
            }),
            About::Transform(..) | About::Order(..) | About::Manifest(_) => self.desired.contains_key(about),
            _ => true,
        }
    }

    /// Notes an enrolment.
    pub fn enrol(&mut self, gateway: &Id, enrolled: Enrolled) {
        self.gateway(gateway).enrolled = Some(enrolled);
    }

    fn emptied(&mut self, about: &About) {
        match about {
            About::Enrolment(gateway) => {
                if let Some(gateway) = self.gateways.get_mut(gateway) {
                    gateway.enrolled = None;
                }
            }
            about => {
                let gone = self.desired.remove(about);
                self.entries -= usize::from(gone.is_some());
            }
        }
    }

    fn gateway(&mut self, id: &Id) -> &mut Gateway {
        if !self.gateways.contains_key(id) {
            self.entries += 1;
        }
        self.gateways.entry(id.clone()).or_default()
    }

    fn sensor(&mut self, gateway: &Id, sensor: &Id) -> &mut Sensor {
        if !self.gateway(gateway).sensors.contains_key(sensor) {
            self.entries += 1;
        }
        self.gateway(gateway).sensors.entry(sensor.clone()).or_default()
    }

    /// Opens a message that a gateway signs.
    pub fn open(&self, gateway: &Id, up: Up, payload: &[u8]) -> Option<Opened> {
        open(payload, up.name(), self.key(gateway))
    }

    fn up(&mut self, gateway: &Id, up: Up, one: Option<Id>, payload: &[u8]) -> Result<News, &'static str> {
        let unreadable = "unreadable";
        match (up, one) {
            (Up::Status, _) if payload.is_empty() => self.gateway(gateway).status = None,
            (Up::Status, _) => self.gateway(gateway).status = Some(read(payload).ok_or(unreadable)?),
            (Up::Reported, Some(sensor)) if payload.is_empty() => {
                *self.sensor(gateway, &sensor) = Sensor::default();
            }
            (Up::Reported, Some(sensor)) => {
                let opened = self.open(gateway, up, payload).ok_or(unreadable)?;
                self.reported(gateway, &sensor, &opened).ok_or(unreadable)?;
            }
            (Up::Metrics, Some(sensor)) if payload.is_empty() => self.sensor(gateway, &sensor).scores = None,
            (Up::Metrics, Some(sensor)) => {
                let metrics: Metrics = read(payload).ok_or(unreadable)?;
                if metrics.sensor != sensor {
                    return Err("about another sensor");
                }
                self.sensor(gateway, &sensor).scores = Some(metrics.calibrated);
            }
            (Up::Alert, Some(alert)) if payload.is_empty() => {
                let gone = self.gateway(gateway).alerts.remove(&alert);
                self.entries -= usize::from(gone.is_some());
            }
            (Up::Alert, Some(id)) => {
                let mut alert: Alert = read(payload).ok_or(unreadable)?;
                alert.sensors.truncate(MOST_SENSORS);
                let alerts = &mut self.gateway(gateway).alerts;
                if alerts.len() >= MOST_ALERTS && !alerts.contains_key(&id) {
                    return Err("too many alerts of one gateway");
                }
                if alerts.insert(id, alert).is_none() {
                    self.entries += 1;
                }
            }
            (Up::Ack, _) => {
                let opened = self.open(gateway, up, payload).ok_or(unreadable)?;
                let ack: Ack = read(&opened.payload).ok_or(unreadable)?;
                return Ok(News::Answer(gateway.clone(), ack.into(), opened.verified));
            }
            (Up::Reply, _) => {
                let opened = self.open(gateway, up, payload).ok_or(unreadable)?;
                let reply: Reply = read(&opened.payload).ok_or(unreadable)?;
                return Ok(News::Answer(gateway.clone(), reply.into(), opened.verified));
            }
            _ => {}
        }
        Ok(News::None)
    }

    fn reported(&mut self, gateway: &Id, sensor: &Id, opened: &Opened) -> Option<()> {
        let reported: Reported = read(&opened.payload)?;
        if reported.sensor != *sensor {
            return None;
        }
        let about = self.about.clone();
        let ours = |ack: &Ack| about.as_ref().is_some_and(|id| id.as_str() == ack.id);
        let answer = reported.verdicts.into_iter().rfind(ours).map(|ack| Box::new(ack.into()));
        let kept = self.sensor(gateway, sensor);
        let (active, candidate, drift) = (reported.active, reported.candidate, reported.drift);
        let (verified, scores) = (opened.verified, kept.scores);
        *kept = Sensor { is_reported: true, verified, active, candidate, drift, scores, answer };
        Some(())
    }

    fn artifact(&self, about: &About, payload: &[u8], now: Timestamp) -> Option<Kept> {
        let envelope = Envelope::parse(payload).ok()?;
        let (digest, kind) = (envelope.digest(), type_name(&envelope.payload_type)?);
        let value = strict_json::parse(&envelope.payload).ok()?;
        let number = |field: &str| value.get(field)?.as_u64();
        let number = match (about, kind) {
            (About::Transform(..), "transform") => number("version")?,
            (About::Order(..), "order") => number("serial")?,
            (About::Manifest(_), "manifest") => number("version")?,
            _ => return None,
        };
        let text = |field: &str| value.get(field)?.as_str();
        let on = text("digest").and_then(|it| Digest::parse(it).ok());
        let action = text("action").map(Text::new);
        let verified = self.is_by_the_fleet(kind, payload, now);
        let names = value.get("target").and_then(|target| strict_json::from_value(target).ok());
        Some(Kept { digest, number, action, on, verified, names: names.unwrap_or_default() })
    }

    /// Whether the root's keys signed an artifact of this short type name. One by a key that is retired by now counts:
    /// gateways have taken it when it was not.
    pub fn is_by_the_fleet(&self, kind: &str, payload: &[u8], now: Timestamp) -> bool {
        let Some(root) = self.trust.root() else { return false };
        match kind {
            "transform" => verify_kept(payload, root).is_ok(),
            "order" | "manifest" | "prior" => kept(payload, kind, root).is_ok(),
            kind => {
                let time = TimeView { now, trusted: true, floor: Timestamp::EPOCH };
                verify_typed(payload, kind, Some(root), &time).is_ok()
            }
        }
    }

    /// The gateways that hear what is published on a branch, as far as is known.
    pub fn on(&self, branch: &Branch) -> Vec<Id> {
        let hears = |(id, gateway): &(&Id, &Gateway)| match branch {
            Branch::All => true,
            Branch::Gateway(one) => *id == one,
            Branch::Group(group) => {
                gateway.enrolled.as_ref().is_some_and(|it| it.enrolment.groups.contains(group))
            }
        };
        let mut found: Vec<Id> = self.gateways.iter().filter(hears).map(|(id, _)| id.clone()).collect();
        if let Branch::Gateway(id) = branch
            && found.is_empty()
        {
            found.push(id.clone());
        }
        found
    }
}

#[cfg(test)]
mod tests;
