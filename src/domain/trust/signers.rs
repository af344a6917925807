//! Who signed an envelope, and whether that is enough.

use std::collections::BTreeSet;

use super::envelope::Envelope;
use super::key::KeyId;
use super::reason::{Reason, Refusal};
use super::root::{KeyState, Role, RoleName, Root};
use super::time::{Come, TimeView};

/// A role whose threshold was reached, and the keys that reached it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    /// The role.
    pub role: RoleName,
    /// Its keys whose signatures are good, in ascending order.
    pub keyids: Vec<KeyId>,
}

/// The keys of the root that made a signature of the envelope: each counts once.
///
/// The key id of a signature is a hint that says which key to try first; it decides nothing.
pub fn signing_keys(envelope: &Envelope, root: &Root) -> BTreeSet<KeyId> {
    let message = envelope.pae();
    let mut found = BTreeSet::new();
    for signature in &envelope.signatures {
        let hint = signature.keyid.as_deref().and_then(|hint| KeyId::parse(hint).ok());
        let hinted = hint.and_then(|hint| root.keys.get_key_value(&hint));
        let mut keys = hinted.into_iter().chain(&root.keys);
        let signer = keys.find(|(_, key)| key.public_key.verifies(&message, &signature.sig));
        found.extend(signer.map(|(id, _)| *id));
    }
    found
}

/// The roles among `roles` whose threshold is reached by keys that are valid now.
///
/// `accepted` says that the gateway's ledger has accepted these very bytes before: then keys that were
/// retired, or whose validity ran out since, still count. `time` is `None` where only revocation matters.
///
/// # Errors
/// `bad_signature`, `unknown_key`, `threshold_not_met`, `role_not_allowed`; then `key_retired`,
/// `key_revoked`, `key_not_valid_now`, `clock_untrusted`.
pub fn authorise(
    envelope: &Envelope,
    root: &Root,
    signers: &BTreeSet<KeyId>,
    roles: &[RoleName],
    time: &TimeView,
    accepted: bool,
) -> Result<Vec<Signers>, Refusal> {
    // "distinct keys reach the threshold of one role"
    let reached = threshold(envelope, root, signers, roles)?;
    // "key validity"
    let mut refusal = None;
    let mut valid = Vec::new();
    for candidate in reached {
        match with_valid_keys(candidate, root, time, accepted) {
            Ok(signers) => valid.push(signers),
            Err(fault) => refusal = refusal.or(Some(fault)),
        }
    }
    match refusal {
        Some(refusal) if valid.is_empty() => Err(refusal),
        _ => Ok(valid),
    }
}

fn threshold(
    envelope: &Envelope,
    root: &Root,
    signers: &BTreeSet<KeyId>,
    roles: &[RoleName],
) -> Result<Vec<Signers>, Refusal> {
    let roles: Vec<_> = roles.iter().filter_map(|name| Some((*name, root.role(*name)?))).collect();
    if envelope.signatures.is_empty() {
        return Err(Refusal::new(Reason::ThresholdNotMet, format!("not signed; {}", needs(&roles))));
    }
    if signers.is_empty() {
        return Err(nobody(envelope, root));
    }
    let counted: Vec<_> = roles
        .iter()
        .map(|(name, role)| (name, role, signers.iter().filter(|id| role.keyids.contains(id))))
        .map(|(name, role, keys)| (role.threshold, Signers { role: *name, keyids: keys.copied().collect() }))
        .collect();
    if counted.iter().all(|(_, signers)| signers.keyids.is_empty()) {
        return Err(Refusal::new(
            Reason::RoleNotAllowed,
            format!("signed by {}, which has no role that may sign this; {}", list(signers), needs(&roles)),
        ));
    }
    let found: Vec<_> = counted.iter().map(|(_, s)| format!("{} of {}", s.keyids.len(), s.role)).collect();
    let reached: Vec<_> =
        counted.into_iter().filter(|(need, s)| s.keyids.len() >= *need).map(|(_, s)| s).collect();
    if reached.is_empty() {
        return Err(Refusal::new(
            Reason::ThresholdNotMet,
            format!("signed by too few distinct keys ({}); {}", found.join(", "), needs(&roles)),
        ));
    }
    Ok(reached)
}

/// No signature is good: the signer is unknown, or the content was changed after a known one signed.
fn nobody(envelope: &Envelope, root: &Root) -> Refusal {
    let known: BTreeSet<_> = envelope.hints().filter(|id| root.keys.contains_key(id)).collect();
    let unnamed = envelope.signatures.iter().any(|signature| signature.keyid.is_none());
    if known.is_empty() && !unnamed {
        let hints: BTreeSet<_> = envelope.hints().collect();
        return Refusal::new(
            Reason::UnknownKey,
            format!("signed by {}, which the root does not know", list(&hints)),
        );
    }
    Refusal::new(
        Reason::BadSignature,
        format!("no signature fits the content (named: {}); it was changed after signing", list(&known)),
    )
}

fn list(ids: &BTreeSet<KeyId>) -> String {
    if ids.is_empty() {
        return "an unnamed key".to_owned();
    }
    let short: Vec<_> = ids.iter().map(|id| format!("key {}", &id.to_string()[..12])).collect();
    short.join(", ")
}

fn needs(roles: &[(RoleName, &Role)]) -> String {
    if roles.is_empty() {
        return "the root gives no key a role that may".to_owned();
    }
    let all: Vec<_> = roles.iter().map(|(name, role)| format!("{} of role {name}", role.threshold)).collect();
    format!("needed: {}", all.join(" or "))
}

fn with_valid_keys(
    candidate: Signers,
    root: &Root,
    time: &TimeView,
    accepted: bool,
) -> Result<Signers, Refusal> {
    let need = root.role(candidate.role).map_or(usize::MAX, |role| role.threshold);
    let mut faults = Vec::new();
    let mut valid = Vec::new();
    for id in candidate.keyids {
        match key_fault(id, root, time, accepted) {
            None => valid.push(id),
            Some(fault) => faults.push(fault),
        }
    }
    if valid.len() >= need {
        return Ok(Signers { role: candidate.role, keyids: valid });
    }
    // A revoked key is the gravest thing to hear of.
    faults.sort_by_key(|fault| fault.reason != Reason::KeyRevoked);
    let nothing = || Refusal::new(Reason::ThresholdNotMet, "too few keys of the role signed");
    Err(faults.into_iter().next().unwrap_or_else(nothing))
}

fn key_fault(id: KeyId, root: &Root, time: &TimeView, accepted: bool) -> Option<Refusal> {
    let Some(key) = root.keys.get(&id) else {
        return Some(Refusal::new(Reason::UnknownKey, format!("key {id} is not in the root")));
    };
    let refuse = |reason, what: String| {
        let label = super::root::printable(&key.label);
        Some(Refusal::new(reason, format!("key {} ({label}) {what}", &id.to_string()[..12])))
    };
    match key.state {
        KeyState::Revoked => return refuse(Reason::KeyRevoked, "is revoked".to_owned()),
        // "`retired` keys keep what the ledger already accepted"
        _ if accepted => return None,
        KeyState::Retired => {
            return refuse(Reason::KeyRetired, "is retired: sign with an active one".to_owned());
        }
        KeyState::Active => {}
    }
    if let Some(end) = key.not_after.filter(|end| time.is_past(*end)) {
        return refuse(Reason::KeyNotValidNow, format!("was valid until {end}"));
    }
    let begin = key.not_before?;
    match time.has_come(begin) {
        Come::Yes => None,
        Come::No => refuse(Reason::KeyNotValidNow, format!("is not valid before {begin}")),
        Come::Unknown => {
            refuse(Reason::ClockUntrusted, format!("is valid from {begin}, and the clock is not trusted yet"))
        }
    }
}

/// Checks that a root is signed by its own `root` role; only active keys count.
pub(super) fn check_self_signed(envelope: &Envelope, root: &Root) -> Result<(), Refusal> {
    let signers = signing_keys(envelope, root);
    let time = TimeView { now: root.issued_at, trusted: true, floor: root.issued_at };
    authorise(envelope, root, &signers, &[RoleName::Root], &time, false).map(|_| ())
}
