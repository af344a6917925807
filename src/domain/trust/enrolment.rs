//! A gateway's enrolment: what the fleet says of it, which its own configuration only narrows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::key::{KeyId, PublicKey};
use super::payload;
use super::reason::{Reason, Refusal};
use super::root::Root;
use super::target::SensorFacts;
use super::time::TimeView;
use super::verify::{Refused, Signed, kept, verify_returning};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::Mpe;

/// The only schema of enrolments there is yet.
pub const SCHEMA: u64 = 1;

/// What an enrolment says of one sensor.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnrolledSensor {
    /// Model of the instrument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its serial number; another one that is mounted is not what was enrolled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Its maximum permissible error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpe: Option<Mpe>,
    /// Tags of the sensor; where one is named for the gateway too, that of the sensor holds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// An enrolment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// 1.
    pub schema: u64,
    /// The fleet.
    pub fleet: Id,
    /// The gateway.
    pub gateway: Id,
    /// Counts the gateway's enrolments from 1; only rises.
    pub version: u64,
    /// The gateway's own key, in JSON as a `PUBLIC KEY` block.
    pub public_key: PublicKey,
    /// Groups that it is in.
    #[serde(default)]
    pub groups: Vec<Id>,
    /// Tags of all its sensors.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Its sensors.
    #[serde(default)]
    pub sensors: BTreeMap<SensorId, EnrolledSensor>,
    /// When it was made.
    pub issued_at: Timestamp,
}

/// What an enrolment is judged against.
#[derive(Clone, Copy)]
pub struct Standpoint<'a> {
    /// The installed root.
    pub root: Option<&'a Root>,
    /// The fleet that the gateway belongs to.
    pub fleet: &'a Id,
    /// The gateway and its own key; `None` away from any.
    pub gateway: Option<(&'a Id, KeyId)>,
    /// What is known about the time.
    pub time: TimeView,
    /// Version and digest of the newest enrolment that was accepted.
    pub floor: Option<(u64, Digest)>,
}

/// An enrolment that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct Enrolled {
    /// What it says.
    pub enrolment: Enrolment,
    /// Its digest.
    pub digest: Digest,
    /// The keys that signed it.
    pub keyids: Vec<KeyId>,
    /// Whether these very bytes were accepted before.
    pub already_applied: bool,
}

impl Enrolment {
    /// Reads and checks an enrolment's own bytes, whoever signed them.
    ///
    /// # Errors
    /// `malformed`, `unknown_schema` or `invalid_content`, with the field's path.
    pub fn parse(payload: &[u8]) -> Result<Enrolment, Refusal> {
        let enrolment: Enrolment = payload::read("enrolment", SCHEMA, payload)?;
        if enrolment.version == 0 {
            let text = "enrolment: version: counts from 1";
            return Err(Refusal::new(Reason::InvalidContent, text));
        }
        Ok(enrolment)
    }

    /// What it says of a sensor; nothing where another instrument is mounted than the enrolled one, or where the
    /// gateway says that it is of another model.
    pub fn sensor(&self, sensor: &SensorId, facts: &SensorFacts) -> Option<&EnrolledSensor> {
        let enrolled = self.sensors.get(sensor)?;
        let same_serial = enrolled.serial.is_none() || enrolled.serial == facts.serial;
        let same_model = enrolled.model.is_none() || facts.model.is_none() || enrolled.model == facts.model;
        (same_serial && same_model).then_some(enrolled)
    }

    /// The value of a tag at a sensor.
    pub fn tag<'a>(&'a self, sensor: &'a EnrolledSensor, name: &str) -> Option<&'a str> {
        sensor.tags.get(name).or_else(|| self.tags.get(name)).map(String::as_str)
    }
}

/// Checks an enrolment that came from outside.
///
/// # Errors
/// The first check that failed.
pub fn verify_enrolment(bytes: &[u8], place: &Standpoint<'_>) -> Result<Enrolled, Refused> {
    let accepted = |digest: &Digest| place.floor.is_some_and(|(_, floor)| floor == *digest);
    let signed = verify_returning(bytes, "enrolment", place.root, &place.time, &accepted)?;
    let refused = signed.refused();
    let enrolment = Enrolment::parse(&signed.envelope.payload).map_err(&refused)?;
    let version = Some(enrolment.version);
    judge(enrolment, signed, place).map_err(|refusal| Refused { version, ..refused(refusal) })
}

/// Checks again an enrolment that the ledger holds as accepted: its bytes, and that no key of its signers is revoked.
///
/// # Errors
/// The first check that failed.
pub fn verify_kept(bytes: &[u8], root: &Root) -> Result<(Digest, Enrolment), Refusal> {
    let signed = kept(bytes, "enrolment", root)?;
    let enrolment = Enrolment::parse(&signed.envelope.payload)?;
    if enrolment.fleet != root.fleet {
        let text = format!("the enrolment is for fleet {}, the root for {}", enrolment.fleet, root.fleet);
        return Err(Refusal::new(Reason::WrongFleet, text));
    }
    Ok((signed.digest, enrolment))
}

fn judge(enrolment: Enrolment, signed: Signed, place: &Standpoint<'_>) -> Result<Enrolled, Refusal> {
    let root_fleet = place.root.map(|root| &root.fleet);
    for (what, named) in
        root_fleet.map(|fleet| ("root", fleet)).into_iter().chain([("enrolment", &enrolment.fleet)])
    {
        if named != place.fleet {
            let text = format!("the {what} is for fleet {named}, this is {}", place.fleet);
            return Err(Refusal::new(Reason::WrongFleet, text));
        }
    }
    if let Some((gateway, key)) = place.gateway {
        let elsewhere = |text: String| Err(Refusal::new(Reason::NotForThisGateway, text));
        if enrolment.gateway != *gateway {
            return elsewhere(format!("enrols {}, this is {gateway}", enrolment.gateway));
        }
        if enrolment.public_key.id() != key {
            return elsewhere(format!("enrols another key than that of this gateway, {key}; enrol it again"));
        }
    }
    if let Some(root) = place.root.filter(|root| place.time.is_past(root.expires)) {
        let text = format!("the trust root expired at {}; install its successor", root.expires);
        return Err(Refusal::new(Reason::RootExpired, text));
    }
    let already_applied = check_version("enrolment", enrolment.version, signed.digest, place.floor)?;
    let keyids = signed.candidates.into_iter().find_map(|role| role.outcome.ok()).unwrap_or_default();
    Ok(Enrolled { enrolment, digest: signed.digest, keyids, already_applied })
}

/// Whether these very bytes are the newest that were accepted.
pub(super) fn check_version(
    what: &str,
    version: u64,
    digest: Digest,
    floor: Option<(u64, Digest)>,
) -> Result<bool, Refusal> {
    let Some((newest, accepted)) = floor else { return Ok(false) };
    if version < newest {
        let text = format!("{what} {version} is older than the accepted {newest}");
        return Err(Refusal::new(Reason::RolledBackVersion, text));
    }
    if version == newest && digest != accepted {
        let text =
            format!("{what} {version} was accepted with digest {accepted}; give the change a new version");
        return Err(Refusal::new(Reason::ConflictingVersion, text));
    }
    Ok(version == newest)
}

#[cfg(test)]
mod tests;
