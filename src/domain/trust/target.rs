//! Which sensors of this gateway an artifact selects, and whether its signers may act on them.
//!
//! Without an enrolment nothing proves a gateway's groups or its sensors' models and tags; what the gateway's
//! own configuration claims about them grants nothing. Then only targets that name gateways and sensors match.

use std::collections::HashSet;

use super::enrolment::Enrolment;
use super::key::KeyId;
use super::reason::{Reason, Refusal};
use super::root::{Role, RoleName, Root};
use super::scope::{Allowed, Place};
use super::signers::Candidate;
use crate::domain::id::{Id, SensorId};
use crate::domain::transform::artifact::{Target, Transform};

/// What the gateway knows about one of its sensors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SensorFacts {
    /// UCUM code of its raw readings.
    pub unit: String,
    /// Model of the mounted instrument, as configured.
    pub model: Option<String>,
    /// Serial number of the mounted instrument.
    pub serial: Option<String>,
}

/// One sensor that an artifact selects.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// The sensor.
    pub sensor: SensorId,
    /// What is known about it.
    pub facts: SensorFacts,
    /// What the scopes that cover it allow; any one has to be kept.
    pub allowed: Vec<Allowed>,
}

/// Prefix of the ids of maintenance transforms; the sensor's id follows.
pub const LOCAL_PREFIX: &str = "local-";

/// Finds the role under which the artifact is judged, and its keys that signed.
///
/// # Errors
/// `role_not_allowed`: only maintenance signs `local-<sensor>`, and nothing else. Where keys of the right role
/// signed and were not enough, the reason for that.
pub fn role_for(transform: &Transform, signed: &[Candidate]) -> Result<(RoleName, Vec<KeyId>), Refusal> {
    let local = transform.id.as_str().starts_with(LOCAL_PREFIX);
    let wanted = if local { RoleName::Maintenance } else { RoleName::Fleet };
    match signed.iter().find(|candidate| candidate.role == wanted) {
        Some(candidate) => candidate.outcome.clone().map(|keyids| (wanted, keyids)),
        None => {
            let id = &transform.id;
            Err(Refusal::new(
                Reason::RoleNotAllowed,
                format!(
                    "{id} must be signed by role {wanted}: maintenance signs `local-<sensor>`, fleet all others"
                ),
            ))
        }
    }
}

/// Checks fleet, scope and target, in this order, and gives the sensors of this gateway that are selected.
///
/// Its gateway is `None` away from any: what depends on which one it is, is then not checked.
///
/// # Errors
/// `wrong_fleet`, `out_of_scope`, `not_for_this_gateway`, `unknown_sensor`.
pub fn select(
    transform: &Transform,
    root: &Root,
    role: RoleName,
    fleet: &Id,
    place: Place<'_>,
    sensors: &dyn Fn(&Id) -> Option<SensorFacts>,
) -> Result<Vec<Selected>, Refusal> {
    // "the fleet is always named"
    check_fleet("transform", &transform.target.fleet, root, fleet)?;
    // "only the root can raise the epoch"
    if transform.epoch > root.epoch {
        let (epoch, allowed) = (transform.epoch, root.epoch);
        return Err(out_of_scope(format!(
            "epoch {epoch} is above the root's {allowed}; a new root raises it"
        )));
    }
    if role == RoleName::Maintenance {
        check_local(transform)?;
    }
    let target = &transform.target;
    let selected = in_scope(target, root.role(role), place, present(target, place, sensors))?;
    if let Some(gateway) = place.gateway {
        check_gateway(target, gateway, place.enrolment)?;
        if role == RoleName::Maintenance && transform.provenance.made_on.as_ref() != Some(gateway) {
            let text = format!("made on another gateway, this is {gateway}");
            return Err(Refusal::new(Reason::NotForThisGateway, text));
        }
    }
    some(target, selected)
}

/// Whether root, artifact and gateway are of one fleet.
pub(super) fn check_fleet(what: &str, named: &Id, root: &Root, fleet: &Id) -> Result<(), Refusal> {
    for (what, named) in [("root", &root.fleet), (what, named)] {
        if named != fleet {
            let text = format!("the {what} is for fleet {named}, this is {fleet}");
            return Err(Refusal::new(Reason::WrongFleet, text));
        }
    }
    Ok(())
}

/// Checks scope and target of something that is about sensors, and gives those of this gateway.
pub(super) fn select_sensors(
    target: &Target,
    role: Option<&Role>,
    place: Place<'_>,
    sensors: &dyn Fn(&Id) -> Option<SensorFacts>,
) -> Result<Vec<Selected>, Refusal> {
    let selected = in_scope(target, role, place, present(target, place, sensors))?;
    if let Some(gateway) = place.gateway {
        check_gateway(target, gateway, place.enrolment)?;
    }
    some(target, selected)
}

/// Checks scope and target of something that is about gateways as a whole.
pub(super) fn check_whole_gateway(
    target: &Target,
    role: Option<&Role>,
    place: Place<'_>,
) -> Result<(), Refusal> {
    if !role.is_some_and(|role| role.covers_gateway(place)) {
        return Err(out_of_scope("no scope of the signing role covers a whole gateway here".to_owned()));
    }
    let Some(gateway) = place.gateway else { return Ok(()) };
    if place.enrolment.is_none() && target.gateways.is_empty() {
        let text = format!("{gateway} has no enrolment: the targets must name it");
        return Err(Refusal::new(Reason::NotForThisGateway, text));
    }
    check_named(target, gateway, place.enrolment)
}

fn some(target: &Target, selected: Vec<Selected>) -> Result<Vec<Selected>, Refusal> {
    if selected.is_empty() {
        let named: Vec<_> = target.sensors.iter().take(5).map(Id::as_str).collect();
        return Err(Refusal::new(
            Reason::UnknownSensor,
            format!("none of the sensors {} is here with a serial that the target names", named.join(", ")),
        ));
    }
    Ok(selected)
}

fn out_of_scope(message: String) -> Refusal {
    Refusal::new(Reason::OutOfScope, message)
}

/// "Maintenance artifacts name `made_on` and `session`, and are valid on that gateway and sensor only."
fn check_local(transform: &Transform) -> Result<(), Refusal> {
    let Target { gateways, sensors, .. } = &transform.target;
    let made_on = transform.provenance.made_on.as_ref();
    if made_on.is_none() || transform.provenance.session.is_none() {
        return Err(out_of_scope("a maintenance transform names provenance.made_on and .session".to_owned()));
    }
    let one_gateway = gateways.len() == 1 && gateways.first() == made_on;
    let sensor = transform.id.as_str().strip_prefix(LOCAL_PREFIX);
    let one_sensor = sensors.len() == 1 && sensors.first().map(Id::as_str) == sensor;
    if !one_gateway || !one_sensor {
        return Err(out_of_scope(
            "a maintenance transform is for the one gateway of provenance.made_on and the one sensor of its id"
                .to_owned(),
        ));
    }
    Ok(())
}

/// The sensors selected that are here, each once. A serial that is named must be the mounted one; models and tags
/// are what the enrolment says. A target that names no sensors means all that are enrolled.
fn present(
    target: &Target,
    place: Place<'_>,
    sensors: &dyn Fn(&Id) -> Option<SensorFacts>,
) -> Vec<(SensorId, SensorFacts)> {
    let enrolled = place.enrolment.filter(|_| target.sensors.is_empty());
    let all =
        target.sensors.iter().chain(enrolled.into_iter().flat_map(|enrolment| enrolment.sensors.keys()));
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    for sensor in all {
        let Some(facts) = sensors(sensor) else { continue };
        let mounted = facts.serial.as_ref().is_some_and(|serial| target.serials.contains(serial));
        let fits = (target.serials.is_empty() || mounted) && is_proven(target, place, sensor, &facts);
        if fits && known.insert(sensor) {
            found.push((sensor.clone(), facts));
        }
    }
    found
}

/// Whether the enrolment proves what a target says of a sensor. Where the target names the gateway and the sensor
/// and nothing else, there is nothing to prove; away from a gateway, nothing can be.
fn is_proven(target: &Target, place: Place<'_>, sensor: &SensorId, facts: &SensorFacts) -> bool {
    let named = !target.gateways.is_empty() && !target.sensors.is_empty();
    if place.gateway.is_none() || named && target.models.is_empty() && target.tags.is_empty() {
        return true;
    }
    let Some(enrolment) = place.enrolment else {
        // Without one the target is refused as a whole.
        return true;
    };
    let Some(enrolled) = enrolment.sensor(sensor, facts) else { return false };
    let of_model = enrolled.model.as_ref().is_some_and(|model| target.models.contains(model));
    let tagged = |(name, value): (&String, &String)| enrolment.tag(enrolled, name) == Some(value.as_str());
    (target.models.is_empty() || of_model) && target.tags.iter().all(tagged)
}

/// Every selected sensor must lie inside a scope of the role; where none is here, every named one.
fn in_scope(
    target: &Target,
    role: Option<&Role>,
    place: Place<'_>,
    here: Vec<(SensorId, SensorFacts)>,
) -> Result<Vec<Selected>, Refusal> {
    let limits = |sensor: &SensorId, facts: &SensorFacts| {
        role.and_then(|role| role.limits_for(place, sensor, facts)).ok_or_else(|| {
            let at = place.gateway.map_or(String::new(), |gateway| format!(" on gateway {gateway}"));
            let unproven = role.is_some_and(|role| role.scopes.iter().any(|s| s.needs_enrolment()));
            let hint = if unproven { " (some name what only an enrolment proves)" } else { "" };
            out_of_scope(format!("no scope of the signing role covers sensor {sensor}{at}{hint}"))
        })
    };
    if here.is_empty() {
        let unknown = SensorFacts::default();
        target.sensors.iter().try_for_each(|sensor| limits(sensor, &unknown).map(drop))?;
    }
    here.into_iter()
        .map(|(sensor, facts)| Ok(Selected { allowed: limits(&sensor, &facts)?, sensor, facts }))
        .collect()
}

/// "Without an enrolment only explicit `gateways` + `sensors` targets match."
pub(super) fn check_gateway(
    target: &Target,
    gateway: &Id,
    enrolment: Option<&Enrolment>,
) -> Result<(), Refusal> {
    check_named(target, gateway, enrolment)?;
    if enrolment.is_none() { check_explicit(target, gateway) } else { Ok(()) }
}

/// Whether the gateway is among those that the target names, itself or by a group.
fn check_named(target: &Target, gateway: &Id, enrolment: Option<&Enrolment>) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(Reason::NotForThisGateway, message));
    if !target.gateways.is_empty() && !target.gateways.contains(gateway) {
        return refuse(format!("the target names other gateways, this is {gateway}"));
    }
    if target.groups.is_empty() {
        return Ok(());
    }
    match enrolment {
        None => refuse(format!("the target names groups, and no enrolment proves those of {gateway}")),
        Some(enrolment) if enrolment.groups.iter().any(|group| target.groups.contains(group)) => Ok(()),
        Some(_) => refuse(format!("{gateway} is enrolled in none of the groups that the target names")),
    }
}

fn check_explicit(target: &Target, gateway: &Id) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(Reason::NotForThisGateway, message));
    let unproven = [("models", target.models.is_empty()), ("tags", target.tags.is_empty())];
    if let Some((field, _)) = unproven.iter().find(|(_, empty)| !empty) {
        return refuse(format!("the target names {field}, and no enrolment proves those of {gateway}"));
    }
    if target.gateways.is_empty() || target.sensors.is_empty() {
        return refuse(format!("{gateway} has no enrolment: the target must name its gateway and sensors"));
    }
    Ok(())
}
