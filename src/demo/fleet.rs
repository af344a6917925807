//! Keys, the trust root and signed transforms, made as `calibctl` makes them.

use std::collections::BTreeMap;

use super::error::DemoError;
use crate::domain::id::Id;
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::key::PrivateKey;
use crate::domain::trust::root::{KeyState, Role, RoleName, Root, RootKey, SCHEMA};
use crate::runtime::clock::system_now;
use crate::runtime::random;

/// The fleet's name; the transforms name it too.
pub const FLEET: &str = "demo";
/// The gateway's name; the transforms name it too.
pub const GATEWAY: &str = "demo-gw";

const YEAR: i64 = 365 * 86_400 * 1_000_000;

/// The keys of a small fleet.
#[derive(Debug)]
pub struct Fleet {
    /// Signs roots.
    pub root_key: PrivateKey,
    /// Signs transforms.
    pub fleet_key: PrivateKey,
    /// Signs what the technician sets on site.
    pub technician_key: PrivateKey,
}

impl Fleet {
    /// Makes new keys.
    pub fn new() -> Result<Fleet, DemoError> {
        Ok(Fleet { root_key: key()?, fleet_key: key()?, technician_key: key()? })
    }

    /// The signed trust root, as a gateway is given it.
    pub fn root(&self) -> Result<Vec<u8>, DemoError> {
        let setup = |fault: String| DemoError::Setup(format!("the trust root: {fault}"));
        let issued_at = system_now();
        let named = [
            (RoleName::Root, "root", &self.root_key),
            (RoleName::Fleet, "fleet", &self.fleet_key),
            (RoleName::Maintenance, "the technician of the demo", &self.technician_key),
        ];
        let mut keys = BTreeMap::new();
        let mut roles = BTreeMap::new();
        for (role, label, key) in named {
            let public_key = key.public().clone();
            let id = public_key.id();
            let state = KeyState::Active;
            let label = label.to_owned();
            keys.insert(id, RootKey { public_key, label, not_before: None, not_after: None, state });
            roles.insert(role, Role { threshold: 1, keyids: vec![id], scopes: vec![] });
        }
        let fleet = Id::new(FLEET).map_err(|fault| setup(fault.to_string()))?;
        let expires = issued_at.saturating_add_micros(YEAR);
        let root = Root { schema: SCHEMA, fleet, version: 1, epoch: 1, issued_at, expires, keys, roles };
        let payload = serde_json::to_vec_pretty(&root).map_err(|fault| setup(fault.to_string()))?;
        let envelope = sign(&payload_type("root"), &payload, std::slice::from_ref(&self.root_key));
        // What is given to the gateway has passed the checks that the gateway will make.
        Root::verify_first(&envelope, None).map_err(|refusal| setup(refusal.to_string()))?;
        Ok(envelope)
    }

    /// A transform, signed.
    pub fn signed(&self, transform: &str) -> Vec<u8> {
        sign(&payload_type("transform"), transform.as_bytes(), std::slice::from_ref(&self.fleet_key))
    }
}

/// The same envelope with nobody's signature.
pub fn unsigned(transform: &str) -> Vec<u8> {
    sign(&payload_type("transform"), transform.as_bytes(), &[])
}

fn key() -> Result<PrivateKey, DemoError> {
    let mut seed = [0; 32];
    random::fill(&mut seed).map_err(|fault| DemoError::Setup(fault.to_string()))?;
    PrivateKey::from_seed(&seed).map_err(|fault| DemoError::Setup(fault.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::dataset::{FACTORY, FITTED};
    use crate::domain::transform::artifact::Transform;
    use crate::domain::trust::envelope::Envelope;

    #[test]
    fn the_root_and_the_transforms_name_the_same_fleet_and_gateway() {
        let (root, _) = Root::verify_first(&Fleet::new().unwrap().root().unwrap(), None).unwrap();
        for text in [FACTORY, FITTED] {
            let transform = Transform::parse(text.as_bytes()).unwrap();
            assert_eq!(transform.target.fleet, root.fleet);
            assert_eq!(transform.target.gateways, [Id::new(GATEWAY).unwrap()]);
        }
    }

    #[test]
    fn signed_or_not_the_digest_is_the_same() {
        let signed = Envelope::parse(&Fleet::new().unwrap().signed(FITTED)).unwrap();
        let bare = Envelope::parse(&unsigned(FITTED)).unwrap();
        assert_eq!((signed.digest(), bare.signatures.len()), (bare.digest(), 0));
    }
}
