//! Which sensors of this gateway an artifact selects, and whether its signers may act on them.
//!
//! Without an enrolment nothing proves a gateway's groups or its sensors' models and tags; what the gateway's
//! own configuration claims about them grants nothing. Then only targets that name gateways and sensors match.

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
    for (what, named) in [("root", &root.fleet), ("transform", &transform.target.fleet)] {
        if named != fleet {
            let text = format!("the {what} is for fleet {named}, this is {fleet}");
            return Err(Refusal::new(Reason::WrongFleet, text));
        }
    }
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
    let here = present(&transform.target, place, sensors);
    let selected = in_scope(transform, root.role(role), place, here)?;
    if let Some(gateway) = place.gateway {
        check_gateway(transform, role, gateway, place.enrolment)?;
    }
    if selected.is_empty() {
        let named: Vec<_> = transform.target.sensors.iter().take(5).map(Id::as_str).collect();
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
    let mut found: Vec<(SensorId, SensorFacts)> = Vec::new();
    for sensor in all {
        let Some(facts) = sensors(sensor) else { continue };
        let mounted = facts.serial.as_ref().is_some_and(|serial| target.serials.contains(serial));
        let fits = (target.serials.is_empty() || mounted) && is_proven(target, place, sensor, &facts);
        if fits && found.iter().all(|(known, _)| known != sensor) {
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
    transform: &Transform,
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
        transform.target.sensors.iter().try_for_each(|sensor| limits(sensor, &unknown).map(drop))?;
    }
    here.into_iter()
        .map(|(sensor, facts)| Ok(Selected { allowed: limits(&sensor, &facts)?, sensor, facts }))
        .collect()
}

/// "Without an enrolment only explicit `gateways` + `sensors` targets match."
fn check_gateway(
    transform: &Transform,
    role: RoleName,
    gateway: &Id,
    enrolment: Option<&Enrolment>,
) -> Result<(), Refusal> {
    let target = &transform.target;
    let refuse = |message: String| Err(Refusal::new(Reason::NotForThisGateway, message));
    if !target.gateways.is_empty() && !target.gateways.contains(gateway) {
        return refuse(format!("the target names other gateways, this is {gateway}"));
    }
    match enrolment {
        None => check_explicit(target, gateway)?,
        Some(enrolment) => {
            let ours = enrolment.groups.iter().any(|group| target.groups.contains(group));
            if !target.groups.is_empty() && !ours {
                return refuse(format!("{gateway} is enrolled in none of the groups that the target names"));
            }
        }
    }
    if role == RoleName::Maintenance && transform.provenance.made_on.as_ref() != Some(gateway) {
        return refuse(format!("made on another gateway, this is {gateway}"));
    }
    Ok(())
}

fn check_explicit(target: &Target, gateway: &Id) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(Reason::NotForThisGateway, message));
    let unproven = [
        ("groups", target.groups.is_empty()),
        ("models", target.models.is_empty()),
        ("tags", target.tags.is_empty()),
    ];
    if let Some((field, _)) = unproven.iter().find(|(_, empty)| !empty) {
        return refuse(format!("the target names {field}, and no enrolment proves those of {gateway}"));
    }
    if target.gateways.is_empty() || target.sensors.is_empty() {
        return refuse(format!("{gateway} has no enrolment: the target must name its gateway and sensors"));
    }
    Ok(())
}
