//! From one root to the next: exactly one version on, by the thresholds of both.

use super::envelope::{Envelope, type_name};
use super::key::KeyId;
use super::reason::{Reason, Refusal};
use super::root::{KeyState, RoleName, Root, printable};
use super::signers::{self, Judged};
use super::time::TimeView;
use super::verify::Refused;
use crate::domain::digest::Digest;
use crate::domain::id::Id;

/// What a root that came from outside is to the installed one.
#[derive(Debug, Clone, PartialEq)]
pub enum Succession {
    /// Its successor, to be installed.
    Next(Box<Successor>),
    /// These very bytes were installed before, as this version.
    Known(u64, Digest),
}

/// A root that may take the place of the installed one.
#[derive(Debug, Clone, PartialEq)]
pub struct Successor {
    /// The root.
    pub root: Root,
    /// Its digest.
    pub digest: Digest,
    /// The keys of the installed root that signed it.
    pub keyids: Vec<KeyId>,
}

/// What is known of a root before its signatures are looked at.
struct Opened {
    envelope: Envelope,
    parsed: Result<Root, Refusal>,
}

/// Checks a root from outside against the installed one.
///
/// `installed` are the versions and digests of all roots that this gateway has had. Dates of keys are judged at the
/// moment the root was issued, and its own expiry does not count here: a gateway that was away for years has to
/// get through all roots in between.
///
/// # Errors
/// The first check that failed. `not_yet_valid` for one that is more than one version on: it may pass once those
/// before it are installed.
pub fn verify_successor(
    bytes: &[u8],
    root: Option<&Root>,
    installed: &[(u64, Digest)],
    fleet: &Id,
) -> Result<Succession, Refused> {
    let refused =
        |digest| move |refusal| Refused { refusal, digest, id: None, version: None, by_known_key: false };
    let envelope = Envelope::parse(bytes).map_err(refused(None))?;
    let digest = envelope.digest();
    let opened = open(envelope).map_err(refused(Some(digest)))?;
    let version = opened.parsed.as_ref().ok().map(|root| root.version);
    let refused = |by_known_key| {
        move |refusal| Refused { refusal, digest: Some(digest), id: None, version, by_known_key }
    };
    // "The first root comes from a file or systemd credential only"
    let root = root.ok_or_else(|| {
        let text = "no trust root is installed, and the first one is taken from trust.root only";
        refused(false)(Refusal::new(Reason::NoRoot, text))
    })?;
    if let Some((version, _)) = installed.iter().find(|(_, known)| *known == digest) {
        return Ok(Succession::Known(*version, digest));
    }
    let signers = signers::signing_keys(&opened.envelope, root);
    let unrevoked = |id| root.keys.get(id).is_some_and(|key| key.state != KeyState::Revoked);
    let by_known_key = signers.iter().any(unrevoked);
    let (root, keyids) = judge(opened, root, fleet).map_err(refused(by_known_key))?;
    Ok(Succession::Next(Box::new(Successor { root, digest, keyids })))
}

fn open(envelope: Envelope) -> Result<Opened, Refusal> {
    if type_name(&envelope.payload_type) != Some("root") {
        let text = format!("the envelope holds `{}`, not a root", printable(&envelope.payload_type));
        return Err(Refusal::new(Reason::WrongType, text));
    }
    let parsed = Root::parse(&envelope.payload);
    Ok(Opened { envelope, parsed })
}

fn judge(opened: Opened, installed: &Root, fleet: &Id) -> Result<(Root, Vec<KeyId>), Refusal> {
    let Opened { envelope, parsed } = opened;
    // Who signed it can only be told by the keys of the root before it, which is not known yet.
    if let Ok(next) = &parsed
        && next.fleet == *fleet
        && next.version > installed.version + 1
    {
        let (version, before) = (next.version, installed.version + 1);
        let text = format!("root {version} comes after root {before}, which is not installed yet");
        return Err(Refusal::new(Reason::NotYetValid, text));
    }
    // "by the thresholds of N and N+1"
    let issued_at = parsed.as_ref().map_or(installed.issued_at, |next| next.issued_at);
    let time = TimeView { now: issued_at, trusted: true, floor: issued_at };
    let signers = signers::signing_keys(&envelope, installed);
    let roles = signers::authorise(&envelope, installed, &signers, &[RoleName::Root], &time, Judged::New)?;
    let keyids = roles.into_iter().find_map(|role| role.outcome.ok()).unwrap_or_default();
    let next = parsed?;
    for (what, named) in [("installed root", &installed.fleet), ("root", &next.fleet)] {
        if named != fleet {
            let text = format!("the {what} is for fleet {named}, this is {fleet}");
            return Err(Refusal::new(Reason::WrongFleet, text));
        }
    }
    check_version(&next, installed)?;
    signers::check_self_signed(&envelope, &next).map_err(|refusal| {
        let text = format!("by the keys of the new root itself: {}", refusal.message);
        Refusal::new(refusal.reason, text)
    })?;
    check_order(&next, installed)?;
    Ok((next, keyids))
}

fn check_version(next: &Root, installed: &Root) -> Result<(), Refusal> {
    let (new, old) = (next.version, installed.version);
    if new < old {
        let text = format!("root {new} is older than the installed root {old}");
        return Err(Refusal::new(Reason::RolledBackVersion, text));
    }
    if new == old {
        let text = format!("another root {new} is installed; give the new one version {}", old + 1);
        return Err(Refusal::new(Reason::ConflictingVersion, text));
    }
    Ok(())
}

/// What never runs backwards from one root to the next.
fn check_order(next: &Root, installed: &Root) -> Result<(), Refusal> {
    let invalid = |text| Err(Refusal::new(Reason::InvalidContent, text));
    // "only the root can raise the epoch"; if it fell, what was accepted since would be in a future one.
    if next.epoch < installed.epoch {
        return invalid(format!("root: epoch: falls from {} to {}", installed.epoch, next.epoch));
    }
    if next.issued_at < installed.issued_at {
        return invalid(format!(
            "root: issued_at: lies before that of the installed root, {}",
            installed.issued_at
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
