//! Whom to believe: the root that was given, those that follow it, and the keys that it enrols.

use std::collections::BTreeMap;

use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::trust::enrolment::{self, Enrolment};
use crate::domain::trust::envelope::{Envelope, type_name};
use crate::domain::trust::key::PublicKey;
use crate::domain::trust::root::Root;
use crate::domain::trust::rotation::{Succession, verify_successor};

/// Roots that are kept until those before them have come.
const WAITING: usize = 100;

/// The trust root.
#[derive(Debug)]
pub struct Trust {
    given: Option<(Root, Digest)>,
    /// Retained roots that are newer.
    waiting: BTreeMap<u64, Vec<u8>>,
    /// The digests of the given one and of those that followed.
    known: Vec<Digest>,
}

/// A gateway's enrolment.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// What it says.
    pub enrolment: Enrolment,
    /// Whether the root says so.
    pub verified: bool,
}

/// A message out of its envelope.
#[derive(Debug, PartialEq)]
pub struct Opened {
    /// The message.
    pub payload: Vec<u8>,
    /// Whether the enrolled key signed it.
    pub verified: bool,
    /// The digest of what is signed.
    pub digest: Digest,
}

impl Trust {
    /// Trusts this root; without one nothing is verified.
    pub fn new(given: Option<(Root, Digest)>) -> Trust {
        let known = given.iter().map(|(_, digest)| *digest).collect();
        Trust { given, waiting: BTreeMap::new(), known }
    }

    /// The newest root that is trusted.
    pub fn root(&self) -> Option<&Root> {
        self.given.as_ref().map(|(root, _)| root)
    }

    /// The same, with its digest.
    pub fn given(&self) -> Option<(&Root, Digest)> {
        self.given.as_ref().map(|(root, digest)| (root, *digest))
    }

    /// Takes a root that the broker keeps; false: it does not follow those that are trusted.
    pub fn root_heard(&mut self, version: u64, bytes: &[u8]) -> bool {
        let Some(newest) = self.root().map(|root| root.version) else { return true };
        if version <= newest || self.waiting.len() >= WAITING {
            return true;
        }
        self.waiting.insert(version, bytes.to_vec());
        let mut good = true;
        while let Some((root, _)) = &self.given
            && let Some(bytes) = self.waiting.remove(&(root.version + 1))
        {
            match verify_successor(&bytes, Some(root), &[], &root.fleet) {
                Ok(Succession::Next(next)) => {
                    self.known.push(next.digest);
                    self.given = Some((next.root, next.digest));
                }
                _ => good = false,
            }
        }
        good
    }

    /// Whether a root is the given one or one that followed it.
    pub fn is_known(&self, digest: Digest) -> bool {
        self.known.contains(&digest)
    }

    /// Reads the enrolment of a gateway; `None` for what is none of it.
    pub fn enrolment(&self, gateway: &Id, bytes: &[u8]) -> Option<Enrolled> {
        let verified = self.root().and_then(|root| enrolment::verify_kept(bytes, root).ok());
        let (enrolment, verified) = match verified {
            Some((_, enrolment)) => (enrolment, true),
            None => {
                let envelope = Envelope::parse(bytes).ok()?;
                (Enrolment::parse(&envelope.payload).ok()?, false)
            }
        };
        (enrolment.gateway == *gateway).then_some(Enrolled { enrolment, verified })
    }
}

/// Opens a message that a gateway signs, of this short type name; `key`: the enrolled one.
pub fn open(bytes: &[u8], kind: &str, key: Option<&PublicKey>) -> Option<Opened> {
    let envelope = Envelope::parse(bytes).ok()?;
    if type_name(&envelope.payload_type) != Some(kind) {
        return None;
    }
    let (verified, digest) = (key.is_some_and(|key| envelope.is_signed_by(key)), envelope.digest());
    Some(Opened { payload: envelope.payload, verified, digest })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::trust::envelope::{payload_type, sign};
    use crate::domain::trust::key::PrivateKey;

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::from_seed(&[seed; 32]).unwrap()
    }

    #[test]
    fn only_what_the_enrolled_key_signed_is_verified() {
        let bytes = sign(&payload_type("ack"), b"{}", &[key(1)]);
        let verified = |key: Option<&PrivateKey>| {
            open(&bytes, "ack", key.map(PrivateKey::public)).map(|opened| opened.verified)
        };
        assert_eq!(verified(Some(&key(1))), Some(true));
        assert_eq!(verified(Some(&key(2))), Some(false));
        assert_eq!(verified(None), Some(false));
        assert_eq!(open(&bytes, "reported", Some(key(1).public())), None);
    }

    #[test]
    fn without_a_root_an_enrolment_is_a_claim() {
        let text = format!(
            r#"{{"schema":1,"fleet":"f","gateway":"g","version":1,"public_key":{},"issued_at":"2026-01-01T00:00:00Z"}}"#,
            serde_json::to_string(key(1).public()).unwrap()
        );
        let bytes = sign(&payload_type("enrolment"), text.as_bytes(), &[key(3)]);
        let trust = Trust::new(None);
        let id = |text| Id::new(text).unwrap();
        assert!(!trust.enrolment(&id("g"), &bytes).unwrap().verified);
        assert!(trust.enrolment(&id("other"), &bytes).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(open(&bytes, "ack", None), None);
            let mut trust = Trust::new(None);
            prop_assert!(trust.root_heard(2, &bytes));
        }
    }
}
