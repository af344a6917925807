//! The signed envelope: DSSE 1.0.2 with Ed25519.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use serde_json::{Map, Value, json};

use super::key::{KeyId, PrivateKey, PublicKey};
use super::reason::{Reason, Refusal};
use crate::domain::digest::Digest;
use crate::domain::strict_json;

/// The most bytes of an envelope, 256 KiB: four times the largest table that is of use, and half of what
/// the MQTT link takes in one packet.
pub const MAX_ARTIFACT: usize = 256 * 1024;

/// The most signatures of an envelope; each costs a curve operation per key of the root.
pub const MAX_SIGNATURES: usize = 16;

const PREFIX: &str = "application/vnd.calibd.";
const SUFFIX: &str = "+json";

/// The payload type of the artifact with this short name: `transform` becomes
/// `application/vnd.calibd.transform+json`.
pub fn payload_type(name: &str) -> String {
    format!("{PREFIX}{name}{SUFFIX}")
}

/// The short name of a payload type of ours.
pub fn type_name(payload_type: &str) -> Option<&str> {
    payload_type.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)
}

/// The bytes that are signed, "pre-authentication encoding":
/// `"DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload`, lengths in bytes, decimal.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {} {} ", payload_type.len(), payload_type, payload.len());
    [head.as_bytes(), payload].concat()
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Which key the signer says it was. A hint: it decides nothing.
    pub keyid: Option<String>,
    /// The signature's bytes, of any length.
    pub sig: Vec<u8>,
}

/// An envelope whose form was checked, and nothing else: whoever holds one knows nothing about who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is, a media type.
    pub payload_type: String,
    /// The artifact's own bytes.
    pub payload: Vec<u8>,
    /// At most 16.
    pub signatures: Vec<Signature>,
}

impl Envelope {
    /// Reads an envelope. Unknown fields are ignored, as DSSE demands.
    ///
    /// # Errors
    /// `too_large` above [`MAX_ARTIFACT`] bytes; `malformed` for what is not an envelope.
    pub fn parse(bytes: &[u8]) -> Result<Envelope, Refusal> {
        if bytes.len() > MAX_ARTIFACT {
            let size = bytes.len();
            return Err(Refusal::new(
                Reason::TooLarge,
                format!("the envelope has {size} bytes, more than the {MAX_ARTIFACT} that are read"),
            ));
        }
        let value = strict_json::parse(bytes).map_err(|fault| malformed(format!("envelope: {fault}")))?;
        let object = value.as_object().ok_or_else(|| malformed("the envelope is not a JSON object"))?;
        let payload_type = text(object, "payloadType")?.to_owned();
        let payload = decode(text(object, "payload")?, "payload")?;
        Ok(Envelope { payload_type, payload, signatures: signatures(object)? })
    }

    /// The bytes that the signatures are made over.
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// Whether this key signed it, whatever else did.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let message = self.pae();
        self.signatures.iter().any(|signature| key.verifies(&message, &signature.sig))
    }

    /// The artifact's digest: SHA-256 of the signed bytes, the same whoever signed.
    pub fn digest(&self) -> Digest {
        Digest::of(&[&self.pae()])
    }

    /// Adds the signatures of `keys`; one that stands there under the same key id is replaced.
    pub fn add_signatures(&mut self, keys: &[PrivateKey]) {
        let message = self.pae();
        for key in keys {
            let keyid = key.public().id().to_string();
            self.signatures.retain(|present| present.keyid.as_deref() != Some(&keyid));
            self.signatures.push(Signature { keyid: Some(keyid), sig: key.sign(&message).to_vec() });
        }
    }

    /// The key ids that the signatures name, as far as they are key ids.
    pub fn hints(&self) -> impl Iterator<Item = KeyId> {
        self.signatures.iter().filter_map(|s| Digest::parse(s.keyid.as_deref()?).ok())
    }

    /// The envelope as JSON with a final newline, in standard base64.
    pub fn to_json(&self) -> Vec<u8> {
        let encode = |bytes: &[u8]| general_purpose::STANDARD.encode(bytes);
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|signature| match &signature.keyid {
                Some(keyid) => json!({"keyid": keyid, "sig": encode(&signature.sig)}),
                None => json!({"sig": encode(&signature.sig)}),
            })
            .collect();
        let envelope = json!({
            "payload": encode(&self.payload),
            "payloadType": self.payload_type,
            "signatures": signatures,
        });
        format!("{envelope}\n").into_bytes()
    }
}

/// Signs `payload` with each of `keys` and gives the envelope as JSON.
pub fn sign(payload_type: &str, payload: &[u8], keys: &[PrivateKey]) -> Vec<u8> {
    let mut envelope =
        Envelope { payload_type: payload_type.to_owned(), payload: payload.to_vec(), signatures: vec![] };
    envelope.add_signatures(keys);
    envelope.to_json()
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Malformed, message)
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a str, Refusal> {
    object
        .get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| malformed(format!("the envelope's `{key}` is missing or not a string")))
}

fn signatures(object: &Map<String, Value>) -> Result<Vec<Signature>, Refusal> {
    let list = object
        .get("signatures")
        .and_then(Value::as_array)
        .ok_or_else(|| malformed("the envelope's `signatures` is missing or not an array"))?;
    if list.len() > MAX_SIGNATURES {
        let count = list.len();
        return Err(malformed(format!("the envelope has {count} signatures, more than {MAX_SIGNATURES}")));
    }
    list.iter().enumerate().map(|(index, entry)| signature(index, entry)).collect()
}

fn signature(index: usize, entry: &Value) -> Result<Signature, Refusal> {
    let place = format!("signatures[{index}]");
    let object = entry.as_object().ok_or_else(|| malformed(format!("{place} is not an object")))?;
    let keyid = match object.get("keyid") {
        None | Some(Value::Null) => None,
        Some(Value::String(keyid)) => Some(keyid.clone()),
        Some(_) => return Err(malformed(format!("{place}.keyid is not a string"))),
    };
    let sig = object
        .get("sig")
        .and_then(Value::as_str)
        .ok_or_else(|| malformed(format!("{place}.sig is missing or not a string")))?;
    Ok(Signature { keyid, sig: decode(sig, &format!("{place}.sig"))? })
}

/// Reads standard or URL-safe base64, with or without padding, never a mixture of the alphabets.
fn decode(text: &str, place: &str) -> Result<Vec<u8>, Refusal> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let url_safe = text.contains(['-', '_']);
    let alphabet = if url_safe { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    GeneralPurpose::new(alphabet, config)
        .decode(text)
        .map_err(|fault| malformed(format!("the envelope's {place} is not base64: {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::from_seed(&[seed; 32]).unwrap()
    }

    #[test]
    fn pae_is_the_example_of_the_dsse_protocol() {
        let bytes = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn digest_is_the_hash_of_what_is_signed_and_does_not_depend_on_the_signers() {
        let one = Envelope::parse(&sign("t", b"payload", &[key(1)])).unwrap();
        let two = Envelope::parse(&sign("t", b"payload", &[key(1), key(2)])).unwrap();
        assert_eq!(one.digest(), two.digest());
        assert_eq!(one.digest(), Digest::of(&[b"DSSEv1 1 t 7 payload"]));
    }

    #[test]
    fn reads_both_alphabets_with_and_without_padding_and_skips_unknown_fields() {
        for payload in ["-_-_-w==", "-_-_-w", "+/+/+w==", "+/+/+w"] {
            let text = format!(r#"{{"payload":"{payload}","payloadType":"t","signatures":[],"x":{{}}}}"#);
            let envelope = Envelope::parse(text.as_bytes()).unwrap();
            assert_eq!(envelope.payload, [0xfb, 0xff, 0xbf, 0xfb]);
        }
    }

    #[test]
    fn refuses_what_is_not_an_envelope() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"payload":"","payloadType":"t"}"#,
            r#"{"payload":"","payloadType":"t","signatures":{}}"#,
            r#"{"payload":"+_","payloadType":"t","signatures":[]}"#,
            r#"{"payload":"A","payloadType":"t","signatures":[]}"#,
            r#"{"payload":"","payloadType":"t","signatures":[1]}"#,
            r#"{"payload":"","payloadType":"t","signatures":[{"sig":1}]}"#,
            r#"{"payload":"","payloadType":"t","signatures":[{"sig":"","keyid":1}]}"#,
            r#"{"payload":"","payload":"","payloadType":"t","signatures":[]}"#,
            r#"{"payload":"","payloadType":"t","signatures":[]} x"#,
        ] {
            let refusal = Envelope::parse(text.as_bytes()).unwrap_err();
            assert_eq!(refusal.reason, Reason::Malformed, "{text}");
        }
    }

    #[test]
    fn a_second_signature_joins_and_the_same_key_replaces_its_own() {
        let mut envelope = Envelope::parse(&sign("t", b"p", &[key(1)])).unwrap();
        envelope.add_signatures(&[key(2), key(1)]);
        assert_eq!(envelope.signatures.len(), 2);
        assert_eq!(Envelope::parse(&envelope.to_json()).unwrap(), envelope);
    }

    proptest! {
        #[test]
        fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Envelope::parse(&bytes);
        }

        #[test]
        fn any_payload_survives(payload in proptest::collection::vec(any::<u8>(), 0..300), name in "[ -~]{0,40}") {
            let envelope = Envelope::parse(&sign(&name, &payload, &[key(3)])).unwrap();
            prop_assert_eq!(envelope.payload, payload);
            prop_assert_eq!(envelope.payload_type, name);
        }
    }
}
