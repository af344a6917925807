//! The trust root: which keys there are, and what each role may sign.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::envelope::{Envelope, payload_type};
use super::key::{KeyId, PublicKey};
use super::payload;
use super::reason::{Reason, Refusal};
use super::scope::Scope;
use super::signers;
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;

/// The only schema of roots there is yet.
pub const SCHEMA: u64 = 1;

/// The most keys of a root: it bounds what checking one envelope costs.
pub const MAX_KEYS: usize = 64;

/// What a group of keys is trusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleName {
    /// Signs roots.
    Root,
    /// Signs gateways' enrolments.
    Enrol,
    /// Signs transforms, orders, commands and priors for many gateways.
    Fleet,
    /// Signs transforms made on site, for one sensor each.
    Maintenance,
    /// Signs manifests.
    Snapshot,
}

impl RoleName {
    /// The role's name in a root.
    pub fn as_str(self) -> &'static str {
        match self {
            RoleName::Root => "root",
            RoleName::Enrol => "enrol",
            RoleName::Fleet => "fleet",
            RoleName::Maintenance => "maintenance",
            RoleName::Snapshot => "snapshot",
        }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a key may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It signs.
    #[default]
    Active,
    /// What it signed and was accepted stays; nothing new of it is.
    Retired,
    /// Nothing it ever signed is believed.
    Revoked,
}

/// A key of a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootKey {
    /// The key, in JSON as a `PUBLIC KEY` block.
    pub public_key: PublicKey,
    /// Who or what holds it, for people.
    #[serde(default)]
    pub label: String,
    /// Signs nothing before.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// Signs nothing from this moment on.
    #[serde(default)]
    pub not_after: Option<Timestamp>,
    /// What it may still do.
    #[serde(default)]
    pub state: KeyState,
}

/// A role of a root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// How many distinct keys of this role must sign; at least 1.
    pub threshold: usize,
    /// The role's keys; each stands in the root's `keys`.
    pub keyids: Vec<KeyId>,
    /// Where the role may act: inside any of these; everywhere in the fleet if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Scope>,
}

/// A trust root: keys and roles of one fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// 1.
    pub schema: u64,
    /// The fleet it is for.
    pub fleet: Id,
    /// Counts the fleet's roots from 1.
    pub version: u64,
    /// The highest epoch that an artifact may carry; at least 1.
    pub epoch: u64,
    /// When it was made; raises the gateway's time floor.
    pub issued_at: Timestamp,
    /// From this moment on only its successors are accepted (and maintenance, for a while).
    pub expires: Timestamp,
    /// All keys, under their identifiers.
    pub keys: BTreeMap<KeyId, RootKey>,
    /// What the keys are trusted for.
    pub roles: BTreeMap<RoleName, Role>,
}

/// What people and control planes are told of the installed root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstalledRoot {
    /// Its version.
    pub version: u64,
    /// When it expires.
    pub expires: Timestamp,
}

/// "Root expiry is warned of 30 days ahead": in microseconds.
pub const SOON: i64 = 30 * 86_400 * 1_000_000;
/// What to do about a root that ends.
pub const REMEDY: &str = "have its successor signed, and publish it";

impl InstalledRoot {
    /// Its end, in a sentence.
    pub fn end(&self, is_past: bool) -> String {
        let InstalledRoot { version, expires } = self;
        match is_past {
            true => format!(
                "the trust root {version} expired at {expires}: new transforms of the fleet are refused"
            ),
            false => format!("the trust root {version} expires at {expires}"),
        }
    }
}

impl Root {
    /// What is told of it.
    pub fn installed(&self) -> InstalledRoot {
        InstalledRoot { version: self.version, expires: self.expires }
    }

    /// Reads and checks a root's own bytes, whoever signed them.
    ///
    /// # Errors
    /// `malformed`, `unknown_schema` or `invalid_content`, with the field's path.
    pub fn parse(payload: &[u8]) -> Result<Root, Refusal> {
        let root: Root = payload::read("root", SCHEMA, payload)?;
        root.check().map_err(|fault| Refusal::new(Reason::InvalidContent, format!("root: {fault}")))?;
        Ok(root)
    }

    /// Checks the first root of a gateway: it must be signed by its own `root` role, and be the pinned one
    /// if one is pinned.
    ///
    /// `pinned` is the root's digest as `calibctl root show` prints it, or the SHA-256 of the file's bytes
    /// as `sha256sum` does: neither can be met by another root. An expired root is accepted, because its
    /// successor has to be let in by it. The version may be any: a gateway may be born late.
    ///
    /// # Errors
    /// A refusal with the reason of the first check that failed; `not_listed` if it is not the pinned root.
    pub fn verify_first(bytes: &[u8], pinned: Option<Digest>) -> Result<(Root, Digest), Refusal> {
        let envelope = Envelope::parse(bytes)?;
        if envelope.payload_type != payload_type("root") {
            return Err(Refusal::new(
                Reason::WrongType,
                format!("the file holds `{}`, not a root", printable(&envelope.payload_type)),
            ));
        }
        let digest = envelope.digest();
        if let Some(pinned) = pinned
            && ![digest, Digest::of(&[bytes])].contains(&pinned)
        {
            return Err(Refusal::new(
                Reason::NotListed,
                format!("the root's digest is {digest}, not the pinned {pinned}"),
            ));
        }
        let root = Root::parse(&envelope.payload)?;
        signers::check_self_signed(&envelope, &root)?;
        Ok((root, digest))
    }

    /// The role of this name, if the root has it.
    pub fn role(&self, name: RoleName) -> Option<&Role> {
        self.roles.get(&name)
    }

    /// The first thing that makes no sense, with the field's path.
    fn check(&self) -> Result<(), String> {
        if self.version == 0 || self.epoch == 0 {
            return Err("version and epoch count from 1".to_owned());
        }
        if self.expires <= self.issued_at {
            return Err("expires: lies before issued_at".to_owned());
        }
        if self.keys.len() > MAX_KEYS {
            return Err(format!("keys: more than {MAX_KEYS}"));
        }
        for (id, key) in &self.keys {
            check_key(*id, key).map_err(|fault| format!("keys.{id}: {fault}"))?;
        }
        if !self.roles.contains_key(&RoleName::Root) {
            return Err("roles.root: missing; nothing could ever replace this root".to_owned());
        }
        for (name, role) in &self.roles {
            self.check_role(*name, role).map_err(|fault| format!("roles.{name}.{fault}"))?;
        }
        Ok(())
    }

    fn check_role(&self, name: RoleName, role: &Role) -> Result<(), String> {
        let mut distinct = BTreeSet::new();
        distinct.extend(role.keyids.iter().copied());
        if distinct.len() != role.keyids.len() {
            return Err("keyids: names a key twice".to_owned());
        }
        if let Some(id) = role.keyids.iter().find(|id| !self.keys.contains_key(id)) {
            return Err(format!("keyids: {id} is not among the root's keys"));
        }
        if role.threshold == 0 || role.threshold > distinct.len() {
            let count = distinct.len();
            return Err(format!("threshold: must be 1 to {count}, the number of the role's keys"));
        }
        if !role.scopes.is_empty() && !matches!(name, RoleName::Fleet | RoleName::Maintenance) {
            return Err("scopes: only fleet and maintenance have scopes".to_owned());
        }
        for (index, scope) in role.scopes.iter().enumerate() {
            scope.check(name).map_err(|fault| format!("scopes[{index}].{fault}"))?;
        }
        Ok(())
    }
}

fn check_key(id: KeyId, key: &RootKey) -> Result<(), String> {
    if key.public_key.id() != id {
        return Err(format!("public_key: its key id is {}", key.public_key.id()));
    }
    match (key.not_before, key.not_after) {
        (Some(begin), Some(end)) if end <= begin => Err("not_after: lies before not_before".to_owned()),
        _ => Ok(()),
    }
}

/// A text from outside, cut and without control characters, fit for a message.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests;
