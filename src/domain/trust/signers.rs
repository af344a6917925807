//! Who signed an envelope, and whether that is enough.

use std::collections::BTreeSet;

use super::envelope::Envelope;
use super::key::KeyId;
use super::reason::{Reason, Refusal};
use super::root::{KeyState, Role, RoleName, Root};
use super::time::{Come, TimeView};

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

/// A role some of whose keys signed, and whether that is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The role.
    pub role: RoleName,
    /// The keys that count, or why they do not.
    pub outcome: Result<Vec<KeyId>, Refusal>,
}

/// Which keys still count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// What is signed is new here: only active keys, at the time of the view.
    New,
    /// The gateway's ledger has accepted these very bytes before: keys that were retired, or whose validity ran
    /// out since, too.
    Accepted,
    /// The time of the view is when it was signed: keys that were valid then, retired since or not.
    WhenSigned,
}

/// The roles among `roles` whose keys signed; the threshold of at least one is reached by keys that count.
///
/// # Errors
/// `bad_signature`, `unknown_key`, `threshold_not_met`, `role_not_allowed`; then `key_retired`,
/// `key_revoked`, `key_not_valid_now`, `clock_untrusted`. Of several roles, the one that came furthest.
pub fn authorise(
    envelope: &Envelope,
    root: &Root,
    signers: &BTreeSet<KeyId>,
    roles: &[RoleName],
    time: &TimeView,
    judged: Judged,
) -> Result<Vec<Candidate>, Refusal> {
    let roles: Vec<_> = roles.iter().filter_map(|name| Some((*name, root.role(*name)?))).collect();
    if envelope.signatures.is_empty() {
        return Err(Refusal::new(Reason::ThresholdNotMet, format!("not signed; {}", needs(&roles))));
    }
    if signers.is_empty() {
        return Err(nobody(envelope, root));
    }
    let mut candidates = Vec::new();
    for (name, role) in &roles {
        let keys: Vec<KeyId> = signers.iter().filter(|id| role.keyids.contains(id)).copied().collect();
        if !keys.is_empty() {
            let outcome = enough(*name, role, keys, |id| key_fault(id, root, time, judged));
            candidates.push(Candidate { role: *name, outcome });
        }
    }
    if candidates.iter().any(|candidate| candidate.outcome.is_ok()) {
        return Ok(candidates);
    }
    let faults = candidates.into_iter().filter_map(|candidate| candidate.outcome.err());
    Err(faults.max_by_key(|fault| fault.reason).unwrap_or_else(|| {
        let keys = list(signers);
        Refusal::new(
            Reason::RoleNotAllowed,
            format!("signed by {keys}, which has no role that may sign this; {}", needs(&roles)),
        )
    }))
}

/// Whether the keys of one role that signed are enough.
fn enough(
    name: RoleName,
    role: &Role,
    keys: Vec<KeyId>,
    fault: impl Fn(KeyId) -> Option<Refusal>,
) -> Result<Vec<KeyId>, Refusal> {
    // "distinct keys reach the threshold of one role"
    let (need, count) = (role.threshold, keys.len());
    if count < need {
        let text = format!("{count} of the {need} distinct keys signed that role {name} needs");
        return Err(Refusal::new(Reason::ThresholdNotMet, text));
    }
    // "key validity"
    let mut faults = Vec::new();
    let mut valid = Vec::new();
    for id in keys {
        match fault(id) {
            None => valid.push(id),
            Some(fault) => faults.push(fault),
        }
    }
    // A revoked key is the gravest thing to hear of.
    match faults.into_iter().min_by_key(|fault| fault.reason != Reason::KeyRevoked) {
        Some(fault) if valid.len() < need => Err(fault),
        _ => Ok(valid),
    }
}

/// No signature is good: the signer is unknown, or the content was changed after a known one signed.
fn nobody(envelope: &Envelope, root: &Root) -> Refusal {
    let mut known = BTreeSet::new();
    known.extend(envelope.hints().filter(|id| root.keys.contains_key(id)));
    let unnamed = envelope.signatures.iter().any(|signature| signature.keyid.is_none());
    if known.is_empty() && !unnamed {
        let mut hints = BTreeSet::new();
        hints.extend(envelope.hints());
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

fn key_fault(id: KeyId, root: &Root, time: &TimeView, judged: Judged) -> Option<Refusal> {
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
        _ if judged == Judged::Accepted => return None,
        KeyState::Retired if judged == Judged::New => {
            return refuse(Reason::KeyRetired, "is retired: sign with an active one".to_owned());
        }
        KeyState::Retired | KeyState::Active => {}
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
    authorise(envelope, root, &signers, &[RoleName::Root], &time, Judged::New).map(|_| ())
}
