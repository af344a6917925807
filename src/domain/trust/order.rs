//! Orders: what the fleet wants done with a transform that gateways hold already.

use serde::{Deserialize, Serialize};

use super::key::KeyId;
use super::payload;
use super::reason::{Reason, Refusal};
use super::root::{RoleName, Root};
use super::scope::Place;
use super::target::{SensorFacts, check_gateway};
use super::time::TimeView;
use super::verify::{Refused, Signed, verify_typed};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::rollout::OrderAction;
use crate::domain::time::Timestamp;

pub use super::command::Targets;

/// The only schema of orders there is yet.
pub const SCHEMA: u64 = 1;

/// An order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// 1.
    pub schema: u64,
    /// The fleet.
    pub fleet: Id,
    /// The transform id that it is about.
    pub id: Id,
    /// Counts the orders about that id from 1; only rises.
    pub serial: u64,
    /// What is wanted.
    pub action: OrderAction,
    /// Of which transform: the one that is to be promoted, or to be left.
    pub digest: Digest,
    /// The share of the gateways to promote it on, in percent; null: all that get the order.
    #[serde(default)]
    pub percent: Option<f64>,
    /// Where.
    pub targets: Targets,
    /// When it was made.
    pub issued_at: Timestamp,
}

/// Which sensors hold the transform of an id and digest.
pub type Holding<'a> = dyn Fn(&Id, &Digest) -> Vec<(SensorId, SensorFacts)> + 'a;

/// What an order is judged against.
#[derive(Clone, Copy)]
pub struct Standpoint<'a> {
    /// The installed root.
    pub root: Option<&'a Root>,
    /// The fleet that the gateway belongs to.
    pub fleet: &'a Id,
    /// The gateway, and what the fleet says of it; `None` away from any: then nothing that depends on which one it is
    /// gets checked.
    pub place: Place<'a>,
    /// What is known about the time.
    pub time: TimeView,
    /// The sensors that hold a transform with this digest.
    pub holding: &'a Holding<'a>,
    /// Serial and digest of the last order about a transform id that was followed.
    pub last: &'a dyn Fn(&Id) -> Option<(u64, Digest)>,
}

/// An order that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct Ordered {
    /// What it says.
    pub order: Order,
    /// Its own digest.
    pub digest: Digest,
    /// The keys that signed it.
    pub keyids: Vec<KeyId>,
    /// The sensors of this gateway that it is for; at least one, if it was not followed before.
    pub sensors: Vec<SensorId>,
    /// Whether these very bytes were followed before.
    pub already_applied: bool,
}

impl Order {
    /// Reads and checks an order's own bytes, whoever signed them.
    ///
    /// # Errors
    /// `malformed`, `unknown_schema` or `invalid_content`, with the field's path.
    pub fn parse(payload: &[u8]) -> Result<Order, Refusal> {
        let order: Order = payload::read("order", SCHEMA, payload)?;
        let invalid = |text: &str| Err(Refusal::new(Reason::InvalidContent, format!("order: {text}")));
        if order.serial == 0 {
            return invalid("serial: counts from 1");
        }
        match order.percent {
            Some(_) if order.action != OrderAction::Promote => {
                invalid("percent: only a promotion has a share")
            }
            Some(percent) if !(percent > 0.0 && percent <= 100.0) => {
                invalid("percent: must be above 0 and at most 100")
            }
            _ => Ok(order),
        }
    }
}

/// Checks an order that came from outside.
///
/// # Errors
/// The first check that failed, in the order of [`Reason::ALL`].
pub fn verify_order(bytes: &[u8], standpoint: &Standpoint<'_>) -> Result<Ordered, Refused> {
    let signed = verify_typed(bytes, "order", standpoint.root, &standpoint.time)?;
    let refused = signed.refused();
    let order = Order::parse(&signed.envelope.payload).map_err(&refused)?;
    let (id, version) = (Some(order.id.clone()), Some(order.serial));
    judge(order, signed, standpoint).map_err(|refusal| Refused { id, version, ..refused(refusal) })
}

fn judge(order: Order, signed: Signed, standpoint: &Standpoint<'_>) -> Result<Ordered, Refusal> {
    let Standpoint { root, fleet, place, time, .. } = standpoint;
    let root_fleet = root.map(|root| ("root", &root.fleet));
    for (what, named) in root_fleet.into_iter().chain([("order", &order.fleet)]) {
        if named != *fleet {
            let text = format!("the {what} is for fleet {named}, this is {fleet}");
            return Err(Refusal::new(Reason::WrongFleet, text));
        }
    }
    let sensors = selected(&order, standpoint)?;
    if let Some(root) = root.filter(|root| time.is_past(root.expires)) {
        let text = format!("the trust root expired at {}; install its successor", root.expires);
        return Err(Refusal::new(Reason::RootExpired, text));
    }
    let already_applied = check_serial(&order, signed.digest, (standpoint.last)(&order.id))?;
    if place.gateway.is_some() && sensors.is_empty() && !already_applied {
        let (id, digest) = (&order.id, order.digest);
        let text = format!("no sensor here that the order is for holds {id} {digest}; push that first");
        return Err(Refusal::new(Reason::UnknownSensor, text));
    }
    let keyids = signed.candidates.into_iter().find_map(|role| role.outcome.ok()).unwrap_or_default();
    Ok(Ordered { order, digest: signed.digest, keyids, sensors, already_applied })
}

/// The sensors of this gateway that an order is for, all of which the signer may act on.
fn selected(order: &Order, standpoint: &Standpoint<'_>) -> Result<Vec<SensorId>, Refusal> {
    let Standpoint { root, place, .. } = standpoint;
    let Some(gateway) = place.gateway else { return Ok(Vec::new()) };
    let mut here = (standpoint.holding)(&order.id, &order.digest);
    here.retain(|(sensor, facts)| is_meant(&order.targets, *place, sensor, facts));
    let role = root.and_then(|root| root.role(RoleName::Fleet));
    for (sensor, facts) in &here {
        if role.and_then(|role| role.limits_for(*place, sensor, facts)).is_none() {
            let text =
                format!("no scope of the role that signed covers sensor {sensor} on gateway {gateway}");
            return Err(Refusal::new(Reason::OutOfScope, text));
        }
    }
    // "Without an enrolment only explicit `gateways` + `sensors` targets match."
    check_gateway(&order.targets.of(order.fleet.clone()), gateway, place.enrolment)?;
    Ok(here.into_iter().map(|(sensor, _)| sensor).collect())
}

/// Whether an order means a sensor that holds its transform. Models and tags are what the enrolment says.
fn is_meant(targets: &Targets, place: Place<'_>, sensor: &SensorId, facts: &SensorFacts) -> bool {
    let Targets { sensors, models, serials, tags, .. } = targets;
    let named = sensors.is_empty() || sensors.contains(sensor);
    let mounted = facts.serial.as_ref().is_some_and(|serial| serials.contains(serial));
    if !named || !(serials.is_empty() || mounted) {
        return false;
    }
    if models.is_empty() && tags.is_empty() {
        return true;
    }
    let Some(enrolment) = place.enrolment else { return false };
    let Some(enrolled) = enrolment.sensor(sensor, facts) else { return false };
    let of_model = enrolled.model.as_ref().is_some_and(|model| models.contains(model));
    let tagged = |(name, value): (&String, &String)| enrolment.tag(enrolled, name) == Some(value.as_str());
    (models.is_empty() || of_model) && tags.iter().all(tagged)
}

/// Whether these very bytes are the last order about its id that was followed: a serial only rises.
fn check_serial(order: &Order, digest: Digest, last: Option<(u64, Digest)>) -> Result<bool, Refusal> {
    let Some((serial, followed)) = last else { return Ok(false) };
    let id = &order.id;
    if order.serial < serial {
        let text =
            format!("order {} about {id} is older than order {serial}, which was followed", order.serial);
        return Err(Refusal::new(Reason::RolledBackVersion, text));
    }
    if order.serial == serial && digest != followed {
        let text = format!("order {serial} about {id} was another one; give this one a higher serial");
        return Err(Refusal::new(Reason::ConflictingVersion, text));
    }
    Ok(order.serial == serial)
}

#[cfg(test)]
mod tests;
