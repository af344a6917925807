//! Private keys under a passphrase: `ENCRYPTED PRIVATE KEY` in PEM (RFC 5958, section 3) by PBES2 (RFC 8018, section 6.2).

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::pem::LineEnding;
use pkcs8::pkcs5::{self, EncryptionScheme, pbes2};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument};

use crate::domain::trust::key::{KeyError, PrivateKey, pem_block};

const LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// Of PBKDF2 with HMAC-SHA-256, for what is written here: OWASP's Password Storage Cheat Sheet.
const ITERATIONS: u32 = 600_000;
/// The most memory that a file may ask for to be opened, in bytes.
const MAX_MEMORY: u64 = 1 << 30;

/// Why a key cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another passphrase, or bytes that were changed: they cannot be told apart.
    #[error("wrong passphrase")]
    Wrong,
    /// Something else than what OpenSSL 3 and calibctl write.
    #[error(
        "the private key is encrypted in a way that is not read here, or damaged (read are PBES2 with AES, and PBKDF2 with SHA-2, or scrypt); `openssl pkcs8 -topk8 -in FILE -out NEW` encrypts it anew"
    )]
    Unsupported,
    /// What came out is no key that signs.
    #[error("{0}")]
    Key(#[from] KeyError),
}

/// Opens the block in a PEM file.
pub fn open(pem: &str, passphrase: &[u8]) -> Result<PrivateKey, OpenError> {
    let block = pem_block(pem, LABEL).ok_or(OpenError::Unsupported)?;
    let (_, document) = SecretDocument::from_pem(&block).map_err(|_| OpenError::Unsupported)?;
    let sealed: EncryptedPrivateKeyInfoRef<'_> = document.decode_msg().map_err(|_| OpenError::Unsupported)?;
    if memory(&sealed.encryption_algorithm) > MAX_MEMORY {
        return Err(OpenError::Unsupported);
    }
    let opened = sealed.decrypt(passphrase).map_err(|fault| match fault {
        // One wrong passphrase in 256 gives bytes with a good end.
        pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed) | pkcs8::Error::Asn1(_) => {
            OpenError::Wrong
        }
        _ => OpenError::Unsupported,
    })?;
    PrivateKey::from_der(opened.as_bytes()).map_err(|fault| {
        match PrivateKeyInfoRef::try_from(opened.as_bytes()) {
            Ok(_) => OpenError::Key(fault),
            Err(_) => OpenError::Wrong,
        }
    })
}

/// What scrypt takes, 128 N r bytes (RFC 7914, section 2).
fn memory(algorithm: &EncryptionScheme) -> u64 {
    let scrypt = algorithm.pbes2().and_then(|scheme| scheme.kdf.scrypt());
    scrypt.map_or(0, |it| it.cost_parameter.saturating_mul(128 * u64::from(it.block_size)))
}

/// Encrypts a key by AES-256 in CBC; salt and start are 16 random bytes each, new ones every time.
pub fn seal(
    key: &PrivateKey,
    passphrase: &[u8],
    salt: [u8; 16],
    start: [u8; 16],
) -> Result<String, pkcs8::Error> {
    let scheme = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, start)?;
    let encrypted = scheme.encrypt(passphrase, key.to_der().as_slice())?;
    let sealed = EncryptedPrivateKeyInfoRef {
        encryption_algorithm: scheme.into(),
        encrypted_data: <&OctetStringRef>::try_from(encrypted.as_slice())?,
    };
    let pem = SecretDocument::try_from(sealed)?.to_pem(LABEL, LineEnding::LF)?;
    Ok(pem.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl genpkey -algorithm ed25519 | openssl pkcs8 -topk8 -passout pass:correct -iter 2`, with OpenSSL 3.0.
    const BY_OPENSSL: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
        MIGaMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAhaU5pUm4DtQwIBAjAM\n\
        BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQjdd/uQf4jn0FVRaVqbUjUARATn/3\n\
        adaY+GyokULUK3G1JGfYpTTQuw9tWH0ieqR5fxJd6g42hk82jlJUqmMZCnXjA7lv\n\
        mWYNp/izsmU/vuf1tw==\n\
        -----END ENCRYPTED PRIVATE KEY-----\n";

    #[test]
    fn what_is_sealed_opens_with_the_same_passphrase_only() {
        let key = PrivateKey::from_seed(&[7; 32]).unwrap();
        let sealed = seal(&key, b"correct horse", [1; 16], [2; 16]).unwrap();
        assert!(sealed.lines().all(|line| line.len() <= 64), "{sealed}");
        assert!(matches!(PrivateKey::from_pem(&sealed), Err(KeyError::Encrypted)));
        let opened = open(&format!("a comment\n{sealed}"), b"correct horse").unwrap();
        assert_eq!(opened.public().id(), key.public().id());
        assert_eq!(open(&sealed, b"correct hors").unwrap_err(), OpenError::Wrong);
        assert_eq!(open(&sealed, b"").unwrap_err(), OpenError::Wrong);
    }

    #[test]
    fn no_wrong_passphrase_opens_anything() {
        assert!(open(BY_OPENSSL, b"correct").is_ok());
        // About four of these give bytes with a good end.
        for wrong in 0..1000u32 {
            assert_eq!(open(BY_OPENSSL, &wrong.to_be_bytes()).unwrap_err(), OpenError::Wrong, "{wrong}");
        }
    }

    #[test]
    fn damage_is_told_and_never_opens_the_key() {
        let whole = open(BY_OPENSSL, b"correct").unwrap();
        let lines: Vec<_> = BY_OPENSSL.lines().collect();
        let body = lines[1..lines.len() - 1].concat();
        let pem = |body: &str| format!("-----BEGIN {LABEL}-----\n{body}\n-----END {LABEL}-----\n");
        // The last character before the padding holds bits of no byte.
        for at in 0..body.trim_end_matches('=').len() - 1 {
            let mut bytes = body.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let opened = open(&pem(&String::from_utf8(bytes).unwrap()), b"correct");
            // CBC lets the bytes of the seed be changed: what comes out is another key, which nobody trusts.
            assert!(opened.is_err() || opened.unwrap().public().id() != whole.public().id(), "{at}");
            assert!(open(&pem(&body[..at]), b"correct").is_err(), "{at}");
        }
        assert_eq!(open("nothing", b"correct").unwrap_err(), OpenError::Unsupported);
    }

    #[test]
    fn more_memory_than_there_may_be_is_not_taken() {
        let salt = pbes2::Salt::new([1; 16]).unwrap();
        let scrypt = |cost_parameter| {
            let (block_size, parallelization) = (8, 1);
            let salt = salt.clone();
            let kdf =
                pbes2::ScryptParams { salt, cost_parameter, block_size, parallelization, key_length: None };
            let encryption = pbes2::EncryptionScheme::Aes256Cbc { iv: [0; 16] };
            memory(&pbes2::Parameters { kdf: kdf.into(), encryption }.into())
        };
        assert_eq!(scrypt(1 << 14), 16 << 20);
        assert!(scrypt(1 << 21) > MAX_MEMORY);
        assert_eq!(scrypt(u64::MAX), u64::MAX);
    }
}
