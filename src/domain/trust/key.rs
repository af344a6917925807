//! Ed25519 keys, their identifiers and their PEM files.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::domain::digest::Digest;

/// Identifies a key: SHA-256 of its DER SubjectPublicKeyInfo, in lowercase hexadecimal.
pub type KeyId = Digest;

/// DER of `SubjectPublicKeyInfo { algorithm { id-Ed25519 }, subjectPublicKey }` before the 32 bytes of the
/// key (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// DER of `OneAsymmetricKey { version v1, algorithm { id-Ed25519 }, privateKey }` before the 32 bytes of the
/// seed (RFC 8410, section 7). Version 1, without the public key: OpenSSL refuses version 2.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Says why a text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM block of the wanted kind.
    #[error("no `{0}` block in PEM; make a key with `calibctl key generate`")]
    NoBlock(&'static str),
    /// An encrypted key.
    #[error("the private key is encrypted; decrypt it first with `openssl pkey -in FILE -out PLAIN`")]
    Encrypted,
    /// A block that holds no Ed25519 key.
    #[error("the `{0}` block does not hold an ed25519 key; other algorithms are not accepted")]
    NotEd25519(&'static str),
    /// A key of small order, for which signatures can be made without its secret.
    #[error("the public key is one of the weak points of the curve, which anybody can sign for")]
    Weak,
}

/// A public key that signatures are checked with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    id: KeyId,
}

impl PublicKey {
    fn new(key: VerifyingKey) -> Result<PublicKey, KeyError> {
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        let id = Digest::of(&[&SPKI_PREFIX, key.as_bytes()]);
        Ok(PublicKey { key, id })
    }

    /// Reads a `PUBLIC KEY` block (SubjectPublicKeyInfo, RFC 8410).
    ///
    /// Text before and after the block is ignored, as OpenSSL does.
    pub fn from_pem(text: &str) -> Result<PublicKey, KeyError> {
        const LABEL: &str = "PUBLIC KEY";
        let block = pem_block(text, LABEL).ok_or(KeyError::NoBlock(LABEL))?;
        let key = VerifyingKey::from_public_key_pem(&block).map_err(|_| KeyError::NotEd25519(LABEL))?;
        PublicKey::new(key)
    }

    /// The key as a `PUBLIC KEY` block.
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &[&SPKI_PREFIX[..], self.key.as_bytes()].concat())
    }

    /// The key's identifier.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Whether `signature` is this key's over `message`, by the strict rules (no malleable forms).
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|s| self.key.verify_strict(message, &s).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_pem())
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        PublicKey::from_pem(&text).map_err(serde::de::Error::custom)
    }
}

/// A private key. Never printed; its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct PrivateKey {
    key: SigningKey,
    public: PublicKey,
}

impl PrivateKey {
    /// Makes the key of 32 random bytes, which must come from the system's generator.
    pub fn from_seed(seed: &[u8; 32]) -> Result<PrivateKey, KeyError> {
        let key = SigningKey::from_bytes(seed);
        let public = PublicKey::new(key.verifying_key())?;
        Ok(PrivateKey { key, public })
    }

    /// Reads a `PRIVATE KEY` block (PKCS#8 version 1 or 2, RFC 8410).
    pub fn from_pem(text: &str) -> Result<PrivateKey, KeyError> {
        const LABEL: &str = "PRIVATE KEY";
        if pem_block(text, "ENCRYPTED PRIVATE KEY").is_some() {
            return Err(KeyError::Encrypted);
        }
        let block = pem_block(text, LABEL).ok_or(KeyError::NoBlock(LABEL))?;
        let key = SigningKey::from_pkcs8_pem(&block).map_err(|_| KeyError::NotEd25519(LABEL))?;
        PrivateKey::from_seed(key.as_bytes())
    }

    /// Reads what a `PRIVATE KEY` block holds.
    pub fn from_der(der: &[u8]) -> Result<PrivateKey, KeyError> {
        let key = SigningKey::from_pkcs8_der(der).map_err(|_| KeyError::NotEd25519("PRIVATE KEY"))?;
        PrivateKey::from_seed(key.as_bytes())
    }

    /// The key as a `PRIVATE KEY` block, PKCS#8 version 1.
    pub fn to_pem(&self) -> String {
        pem("PRIVATE KEY", &self.to_der())
    }

    /// The same without PEM.
    pub fn to_der(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&PKCS8_PREFIX[..], self.key.as_bytes()].concat())
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message` (RFC 8032; the same message always gives the same 64 bytes).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public.id)
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    // Both kinds of DER fit the 64 characters of one line.
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// The first block in PEM of this label, without surrounding text and with plain line ends.
pub fn pem_block(text: &str, label: &str) -> Option<String> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let start = text.find(&begin)?;
    let stop = text[start..].find(&end)? + start + end.len();
    let lines = text[start..stop].lines().map(str::trim).filter(|line| !line.is_empty());
    Some(lines.flat_map(|line| [line, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10: the example keys.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn reads_and_writes_the_examples_of_rfc_8410() {
        let key = PrivateKey::from_pem(PRIVATE).unwrap();
        assert_eq!(key.to_pem(), PRIVATE);
        assert_eq!(key.public().to_pem(), PUBLIC);
        assert_eq!(PublicKey::from_pem(PUBLIC).unwrap().id(), key.public().id());
    }

    #[test]
    fn reads_files_with_comments_and_windows_line_ends() {
        let text = format!("my key\r\n{}\r\n", PUBLIC.replace('\n', "\r\n"));
        assert!(PublicKey::from_pem(&text).is_ok());
    }

    #[test]
    fn says_what_is_wrong_with_a_file() {
        assert_eq!(PublicKey::from_pem(PRIVATE), Err(KeyError::NoBlock("PUBLIC KEY")));
        assert!(matches!(PrivateKey::from_pem(PUBLIC), Err(KeyError::NoBlock("PRIVATE KEY"))));
        let encrypted = PRIVATE.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert!(matches!(PrivateKey::from_pem(&encrypted), Err(KeyError::Encrypted)));
        let cut = PUBLIC.replace("MCow", "MCox");
        assert_eq!(PublicKey::from_pem(&cut), Err(KeyError::NotEd25519("PUBLIC KEY")));
    }

    #[test]
    fn refuses_a_key_of_small_order() {
        // The neutral element: y = 1.
        let mut der = SPKI_PREFIX.to_vec();
        der.extend([1u8].iter().chain(&[0u8; 31]));
        assert_eq!(PublicKey::from_pem(&pem("PUBLIC KEY", &der)), Err(KeyError::Weak));
    }

    #[test]
    fn only_the_key_itself_verifies_and_nothing_secret_is_printed() {
        let (a, b) = (PrivateKey::from_seed(&[1; 32]).unwrap(), PrivateKey::from_seed(&[2; 32]).unwrap());
        let signature = a.sign(b"text");
        assert!(a.public().verifies(b"text", &signature));
        assert!(!a.public().verifies(b"texT", &signature));
        assert!(!b.public().verifies(b"text", &signature));
        assert!(!a.public().verifies(b"text", &signature[..63]));
        assert_eq!(format!("{a:?}"), format!("PrivateKey({})", a.public().id()));
    }
}
