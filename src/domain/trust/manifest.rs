//! Manifests: which transforms of a branch are the newest, said anew often enough that nobody can hold back newer ones.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::branch::Branch;
use super::command::AHEAD;
use super::enrolment::check_version;
use super::payload;
use super::reason::{Reason, Refusal};
use super::root::Root;
use super::target::check_fleet;
use super::time::{Come, TimeView};
use super::verify::{Refused, Signed, kept, verify_returning};
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;

/// The only schema of manifests there is yet.
pub const SCHEMA: u64 = 1;
/// The most transforms of a manifest, so that it fits into an envelope.
pub const MOST: usize = 1_000;

/// A transform that a manifest lists: id, version and digest, a list of three in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed(pub Id, pub u64, pub Digest);

/// A manifest: what is current in one branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1.
    pub schema: u64,
    /// The fleet.
    pub fleet: Id,
    /// The branch whose transforms it lists.
    pub branch: Branch,
    /// Counts the branch's manifests from 1; only rises.
    pub version: u64,
    /// The version of the trust root that is current with them.
    pub root_version: u64,
    /// The transforms, each id once.
    pub transforms: Vec<Listed>,
    /// When it was made; raises the gateway's time floor.
    pub issued_at: Timestamp,
    /// From this moment on it says nothing any more.
    pub expires: Timestamp,
}

/// What a manifest is judged against.
#[derive(Clone, Copy)]
pub struct Standpoint<'a> {
    /// The installed root.
    pub root: Option<&'a Root>,
    /// The fleet.
    pub fleet: &'a Id,
    /// The gateway; `None` away from any.
    pub gateway: Option<&'a Id>,
    /// The branch that it came through; `None`: somebody brought it.
    pub branch: Option<&'a Branch>,
    /// What is known about the time.
    pub time: TimeView,
    /// Version and digest of the newest manifest of a branch that was accepted.
    pub floors: &'a dyn Fn(&Branch) -> Option<(u64, Digest)>,
    /// Whether one of them has this digest.
    pub accepted: &'a dyn Fn(&Digest) -> bool,
}

/// A manifest that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// What it says.
    pub manifest: Manifest,
    /// Its digest.
    pub digest: Digest,
    /// Whether these very bytes were accepted before.
    pub already_applied: bool,
}

/// What a transform that comes through a branch has to be listed in.
#[derive(Debug, Clone, Copy)]
pub struct Freshness<'a> {
    /// The branch.
    pub branch: &'a Branch,
    /// Its newest manifest that was accepted; `None`: none was.
    pub manifest: Option<&'a Manifest>,
}

impl Manifest {
    /// Reads a manifest's own bytes, whoever signed them.
    ///
    /// # Errors
    /// `malformed` or `unknown_schema`, with the field's path.
    pub fn parse(payload: &[u8]) -> Result<Manifest, Refusal> {
        payload::read("manifest", SCHEMA, payload)
    }

    /// Whether what it says makes sense.
    ///
    /// # Errors
    /// `invalid_content`, with the field.
    pub fn check(&self) -> Result<(), Refusal> {
        let invalid = |text: String| Err(Refusal::new(Reason::InvalidContent, format!("manifest: {text}")));
        if self.version == 0 || self.root_version == 0 {
            return invalid("version and root_version count from 1".to_owned());
        }
        if self.expires <= self.issued_at {
            return invalid("expires: lies before issued_at".to_owned());
        }
        if self.transforms.len() > MOST {
            return invalid(format!("transforms: more than {MOST}"));
        }
        let mut ids = BTreeSet::new();
        match self.transforms.iter().find(|Listed(id, ..)| !ids.insert(id)) {
            Some(Listed(id, ..)) => invalid(format!("transforms: lists {id} twice")),
            None => Ok(()),
        }
    }
}

impl Freshness<'_> {
    /// Whether a transform may come into force: the branch's manifest is of now and lists it.
    ///
    /// # Errors
    /// `not_listed`, `stale_manifest`.
    pub fn check(
        &self,
        id: &Id,
        version: u64,
        digest: Digest,
        root: &Root,
        time: &TimeView,
    ) -> Result<(), Refusal> {
        let branch = self.branch.words();
        let stale = |text: String| Err(Refusal::new(Reason::StaleManifest, text));
        let Some(manifest) = self.manifest else {
            return stale(format!("no manifest for {branch} has come yet; publish one that lists it"));
        };
        let number = manifest.version;
        if manifest.root_version != root.version {
            let (named, installed) = (manifest.root_version, root.version);
            return stale(format!(
                "manifest {number} for {branch} is of root {named}, installed is root {installed}; publish a new one"
            ));
        }
        if time.is_past(manifest.expires) {
            let expires = manifest.expires;
            return stale(format!("manifest {number} for {branch} expired at {expires}; publish a new one"));
        }
        let not_listed = |text: String| Err(Refusal::new(Reason::NotListed, text));
        match manifest.transforms.iter().find(|Listed(listed, ..)| listed == id) {
            None => not_listed(format!("manifest {number} for {branch} does not list {id}")),
            Some(Listed(_, listed, _)) if *listed != version => not_listed(format!(
                "manifest {number} for {branch} lists {id} version {listed}, not {version}"
            )),
            Some(Listed(.., listed)) if *listed != digest => {
                not_listed(format!("manifest {number} for {branch} lists {id} version {version} as {listed}"))
            }
            Some(_) => Ok(()),
        }
    }
}

/// Checks a manifest that came from outside, in the order of [`Reason::ALL`].
///
/// # Errors
/// The first check that failed. `not_yet_valid` for one under a later root than the installed one, and for one of
/// later than now by a clock that is trusted: it may pass once that has come.
pub fn verify_manifest(bytes: &[u8], place: &Standpoint<'_>) -> Result<Accepted, Refused> {
    let signed = verify_returning(bytes, "manifest", place.root, &place.time, place.accepted)?;
    let refused = signed.refused();
    let manifest = Manifest::parse(&signed.envelope.payload).map_err(&refused)?;
    let version = Some(manifest.version);
    judge(manifest, &signed, place).map_err(|refusal| Refused { version, ..refused(refusal) })
}

/// Checks again a manifest that the ledger holds as accepted: its bytes, and that no key of its signers is revoked.
///
/// # Errors
/// The first check that failed.
pub fn verify_kept(bytes: &[u8], root: &Root) -> Result<(Digest, Manifest), Refusal> {
    let signed = kept(bytes, "manifest", root)?;
    let manifest = Manifest::parse(&signed.envelope.payload)?;
    check_fleet("manifest", &manifest.fleet, root, &root.fleet)?;
    Ok((signed.digest, manifest))
}

fn judge(manifest: Manifest, signed: &Signed, place: &Standpoint<'_>) -> Result<Accepted, Refusal> {
    let Some(root) = place.root else {
        return Err(Refusal::new(Reason::NoRoot, "no trust root is installed"));
    };
    // "fleet, scope, target"
    check_fleet("manifest", &manifest.fleet, root, place.fleet)?;
    check_branch(&manifest, place)?;
    // "root and time"
    check_time(&manifest, root, &place.time)?;
    // "floor"
    let floor = (place.floors)(&manifest.branch);
    let already_applied = check_version("manifest", manifest.version, signed.digest, floor)?;
    // Under another root than its own it says nothing of what is current.
    if manifest.root_version < root.version {
        let (named, installed) = (manifest.root_version, root.version);
        let text = format!("is of root {named}, installed is root {installed}; make a new one");
        return Err(Refusal::new(Reason::StaleManifest, text));
    }
    // "content"
    manifest.check()?;
    Ok(Accepted { manifest, digest: signed.digest, already_applied })
}

/// A topic grants nothing: what a manifest says holds for the branch that it names.
fn check_branch(manifest: &Manifest, place: &Standpoint<'_>) -> Result<(), Refusal> {
    let elsewhere = |text: String| Err(Refusal::new(Reason::NotForThisGateway, text));
    let named = &manifest.branch;
    if let Some(branch) = place.branch.filter(|branch| *branch != named) {
        return elsewhere(format!(
            "the manifest is for {}, and came through that of {}",
            named.words(),
            branch.words()
        ));
    }
    match (named, place.gateway) {
        (Branch::Gateway(other), Some(gateway)) if other != gateway => {
            elsewhere(format!("the manifest is for {}, this is {gateway}", named.words()))
        }
        _ => Ok(()),
    }
}

fn check_time(manifest: &Manifest, root: &Root, time: &TimeView) -> Result<(), Refusal> {
    let refuse = |reason, text: String| Err(Refusal::new(reason, text));
    if time.is_past(root.expires) {
        return refuse(
            Reason::RootExpired,
            format!("the trust root expired at {}; install its successor", root.expires),
        );
    }
    // It proves the time: never one at which nothing would be accepted any more.
    if manifest.issued_at >= root.expires {
        return refuse(
            Reason::RootExpired,
            format!("made at {}, when the trust root had expired", manifest.issued_at),
        );
    }
    if time.is_past(manifest.expires) {
        return refuse(Reason::Expired, format!("expired at {}; make a new one", manifest.expires));
    }
    if manifest.root_version > root.version {
        let text = format!("is of root {}, which is not installed yet", manifest.root_version);
        return refuse(Reason::NotYetValid, text);
    }
    if time.has_come(manifest.issued_at.saturating_add_micros(-AHEAD)) == Come::No {
        let text = format!("made at {}, and it is {} here; compare the clocks", manifest.issued_at, time.now);
        return refuse(Reason::NotYetValid, text);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
