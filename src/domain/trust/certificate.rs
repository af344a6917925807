//! Calibration certificates: whose signatures are on them, and whether those keys were valid then.
//!
//! A certificate is checked years after it was issued, with the root of that day. Keys count as of the moment that
//! it says it was issued; one that was revoked since counts never. Before a gateway signs one itself, [`may_sign`] judges
//! the technicians' signatures as of that moment.

use super::enrolment::Enrolment;
use super::envelope::{Envelope, payload_type};
use super::key::{KeyId, PublicKey};
use super::reason::{Reason, Refusal};
use super::root::{KeyState, RoleName, Root, printable};
use super::scope::Place;
use super::signers::{self, Judged};
use super::target::SensorFacts;
use super::time::TimeView;
use super::verify::{Refused, root_end};
use crate::domain::certificate::{Certificate, TYPE};
use crate::domain::digest::Digest;
use crate::domain::strict_json;
use crate::domain::time::Timestamp;

/// What a certificate is judged against.
#[derive(Clone, Copy)]
pub struct Standpoint<'a> {
    /// The trust root of now, or at least of then.
    pub root: Option<&'a Root>,
    /// What the fleet said of the gateway; `None`: a technician's signature vouches for the gateway's key.
    pub enrolment: Option<&'a Enrolment>,
    /// What the time is now.
    pub now: Timestamp,
}

/// A certificate that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// What it says.
    pub certificate: Certificate,
    /// Its digest.
    pub digest: Digest,
    /// The gateway's key.
    pub gateway: KeyId,
    /// Keys of role maintenance that signed and count.
    pub technicians: Vec<KeyId>,
    /// What whoever relies on it should know, in sentences.
    pub notes: Vec<String>,
}

/// Checks a certificate: its form, what it says, both kinds of signatures, and that those keys might sign it then.
///
/// # Errors
/// The first check that failed. Content comes before signatures, for it says whose they must be.
pub fn verify_certificate(bytes: &[u8], place: &Standpoint<'_>) -> Result<Accepted, Refused> {
    let unread = |refusal| Refused { refusal, digest: None, id: None, version: None, by_known_key: false };
    let envelope = Envelope::parse(bytes).map_err(unread)?;
    let digest = envelope.digest();
    let refused = |refusal| Refused { digest: Some(digest), ..unread(refusal) };
    if envelope.payload_type != payload_type(TYPE) {
        let found = printable(&envelope.payload_type);
        let text = format!("the envelope holds `{found}`, not `{}`", payload_type(TYPE));
        return Err(refused(Refusal::new(Reason::WrongType, text)));
    }
    let Some(root) = place.root else {
        let text = "give the fleet's trust root: without one no signature can be checked";
        return Err(refused(Refusal::new(Reason::NoRoot, text)));
    };
    let certificate = Certificate::parse(&envelope.payload).map_err(refused)?;
    judge(certificate, &envelope, root, place).map_err(refused)
}

/// Checks a certificate that a gateway keeps, as far as that goes without reading all of it: it is whole if the
/// gateway's key that it names signed it. Gives digest and number.
///
/// # Errors
/// `malformed`, `wrong_type` or `bad_signature`.
pub fn verify_kept(bytes: &[u8]) -> Result<(Digest, String), Refusal> {
    let envelope = Envelope::parse(bytes)?;
    if envelope.payload_type != payload_type(TYPE) {
        return Err(Refusal::new(Reason::WrongType, "the envelope holds no certificate"));
    }
    let payload = strict_json::parse(&envelope.payload).unwrap_or_default();
    let text = |place: &str| payload.pointer(place).and_then(serde_json::Value::as_str);
    let key = text("/about/signed_by/gateway").and_then(|pem| PublicKey::from_pem(pem).ok());
    let (Some(key), Some(number)) = (key, text("/about/number")) else {
        let text = "the certificate names no key of a gateway, or has no number";
        return Err(Refusal::new(Reason::Malformed, text));
    };
    match envelope.is_signed_by(&key) {
        true => Ok((envelope.digest(), number.to_owned())),
        false => Err(missing(&envelope, key.id(), "the gateway")),
    }
}

fn judge(
    certificate: Certificate,
    envelope: &Envelope,
    root: &Root,
    place: &Standpoint<'_>,
) -> Result<Accepted, Refusal> {
    let about = &certificate.about;
    let gateway = &about.signed_by.gateway;
    if !envelope.is_signed_by(gateway) {
        return Err(missing(envelope, gateway.id(), "the gateway"));
    }
    let then = TimeView { now: about.issued, trusted: true, floor: Timestamp::EPOCH };
    let technicians = technicians(&certificate, envelope, root, &then, Judged::WhenSigned)?;
    vouched(&certificate, place, &technicians)?;
    fleet(&certificate, root)?;
    if !technicians.is_empty() {
        let whose = Place { gateway: place.enrolment.map(|_| &about.gateway), enrolment: place.enrolment };
        scope(&certificate, root, whose)?;
        if root_end(root, RoleName::Maintenance) <= about.issued {
            let text = format!(
                "the trust root given expired at {}, before the certificate was issued; give a newer one",
                root.expires
            );
            return Err(Refusal::new(Reason::RootExpired, text));
        }
    }
    if about.issued > place.now {
        let text = format!("issued at {}, which has not come yet; compare the clocks", about.issued);
        return Err(Refusal::new(Reason::NotYetValid, text));
    }
    let notes = notes(&certificate, root, place, &technicians);
    Ok(Accepted { digest: envelope.digest(), gateway: gateway.id(), technicians, notes, certificate })
}

/// Checks on a gateway, before that signs, whether all technicians whom a certificate names have signed it and may:
/// with keys that count now, of a role that acts on the sensor.
///
/// # Errors
/// The first check that failed; `threshold_not_met` if it names no technician.
pub fn may_sign(
    certificate: &Certificate,
    envelope: &Envelope,
    root: &Root,
    whose: Place<'_>,
    time: &TimeView,
) -> Result<(), Refusal> {
    let counting = technicians(certificate, envelope, root, time, Judged::New)?;
    if counting.is_empty() {
        return Err(Refusal::new(Reason::ThresholdNotMet, "the certificate names no technician"));
    }
    let named = &certificate.about.signed_by.technicians;
    if let Some(key) = named.iter().find(|key| !counting.contains(key)) {
        let text = format!("key {} does not count today, so leave it out", &key.to_string()[..12]);
        return Err(Refusal::new(Reason::KeyNotValidNow, text));
    }
    fleet(certificate, root)?;
    scope(certificate, root, whose)?;
    if time.is_past(root_end(root, RoleName::Maintenance)) {
        let text = format!("the trust root expired at {}; install its successor", root.expires);
        return Err(Refusal::new(Reason::RootExpired, text));
    }
    Ok(())
}

fn fleet(certificate: &Certificate, root: &Root) -> Result<(), Refusal> {
    let fleet = &certificate.about.fleet;
    if *fleet == root.fleet {
        return Ok(());
    }
    let text = format!("the certificate is of fleet {fleet}, the root of {}", root.fleet);
    Err(Refusal::new(Reason::WrongFleet, text))
}

/// A signature that the certificate says is there, and is not.
fn missing(envelope: &Envelope, key: KeyId, whose: &str) -> Refusal {
    let short = &key.to_string()[..12];
    if envelope.hints().any(|hint| hint == key) {
        let text = format!("the signature of {whose}, key {short}, does not fit: the content was changed");
        return Refusal::new(Reason::BadSignature, text);
    }
    Refusal::new(Reason::ThresholdNotMet, format!("the signature of {whose}, key {short}, is missing"))
}

/// The technicians' keys; each that the certificate names must have signed, and together they must be enough.
fn technicians(
    certificate: &Certificate,
    envelope: &Envelope,
    root: &Root,
    time: &TimeView,
    judged: Judged,
) -> Result<Vec<KeyId>, Refusal> {
    let named = &certificate.about.signed_by.technicians;
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let signed = signers::signing_keys(envelope, root);
    for key in named {
        if !root.keys.contains_key(key) {
            let text = format!("signed by key {}, which the root does not know", &key.to_string()[..12]);
            return Err(Refusal::new(Reason::UnknownKey, text));
        }
        if !signed.contains(key) {
            return Err(missing(envelope, *key, "the technician"));
        }
    }
    let keys = named.iter().copied().collect();
    let roles = [RoleName::Maintenance];
    let candidates = signers::authorise(envelope, root, &keys, &roles, time, judged)?;
    Ok(candidates.into_iter().find_map(|it| it.outcome.ok()).unwrap_or_default())
}

/// Whether somebody whom the root knows says that the key is the gateway's.
fn vouched(certificate: &Certificate, place: &Standpoint<'_>, technicians: &[KeyId]) -> Result<(), Refusal> {
    let about = &certificate.about;
    let Some(enrolment) = place.enrolment else {
        if technicians.is_empty() {
            let text = "only the gateway signed: give its enrolment, which says whose key that is";
            return Err(Refusal::new(Reason::UnknownKey, text));
        }
        return Ok(());
    };
    if enrolment.gateway != about.gateway {
        let text = format!("the certificate is of {}, the enrolment of {}", about.gateway, enrolment.gateway);
        return Err(Refusal::new(Reason::NotForThisGateway, text));
    }
    if enrolment.public_key.id() != about.signed_by.gateway.id() {
        let text = format!(
            "enrolment {} of {} names another key; give the enrolment that held when the certificate was issued",
            enrolment.version, enrolment.gateway
        );
        return Err(Refusal::new(Reason::UnknownKey, text));
    }
    Ok(())
}

/// Whether the role may act on the sensor, as far as that can be told: groups, models and tags only by an enrolment.
fn scope(certificate: &Certificate, root: &Root, whose: Place<'_>) -> Result<(), Refusal> {
    let about = &certificate.about;
    let Some(role) = root.role(RoleName::Maintenance) else { return Ok(()) };
    let instrument = about.item.instrument.as_ref();
    let facts = SensorFacts {
        unit: certificate.results.unit.clone(),
        model: instrument.map(|it| it.model.clone()),
        serial: instrument.map(|it| it.serial.clone()),
    };
    let sensor = &about.item.sensor;
    if role.scopes.is_empty() || role.scopes.iter().any(|scope| scope.covers(whose, sensor, &facts)) {
        return Ok(());
    }
    let text = format!("no scope of role maintenance covers sensor {sensor} of {}", about.gateway);
    Err(Refusal::new(Reason::OutOfScope, text))
}

/// What counts, and would not today.
fn notes(
    certificate: &Certificate,
    root: &Root,
    place: &Standpoint<'_>,
    technicians: &[KeyId],
) -> Vec<String> {
    let mut notes = Vec::new();
    for id in technicians {
        let Some(key) = root.keys.get(id) else { continue };
        let name = format!("key {} ({})", &id.to_string()[..12], printable(&key.label));
        if key.state == KeyState::Retired {
            notes.push(format!("{name} was retired since; when, the root does not say"));
        }
        if let Some(end) = key.not_after.filter(|end| *end <= place.now) {
            notes.push(format!("{name} was valid until {end}, and signed before"));
        }
    }
    notes.extend(
        certificate
            .about
            .on_behalf()
            .map(|text| format!("{} Whoever has the gateway can sign so", printable(&text))),
    );
    if certificate.about.signed_by.technicians.is_empty() {
        notes.push("no technician signed, only the gateway".to_owned());
    }
    if place.enrolment.is_none() {
        notes.push(
            "that the gateway's key is its own was said by the technician, not by an enrolment".to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests;
