//! What arrives from the gateway, as any consumer reads it.

use serde::Deserialize;

use crate::domain::trust::envelope::Envelope;
use crate::domain::trust::key::PublicKey;

/// A published reading; fields that are of no use here are ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Reading {
    /// The sensor.
    pub sensor: String,
    /// Counts the gateway's readings.
    pub seq: u64,
    /// The sensor's previous one.
    pub after: Option<u64>,
    /// As measured.
    pub raw: Option<f64>,
    /// Calibrated.
    pub value: Option<f64>,
    /// Its standard uncertainty.
    pub u: Option<f64>,
    /// The unit of `value`, or of `raw`.
    pub unit: String,
    /// What made `value`.
    pub transform: Option<TransformName>,
}

/// Names a transform.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TransformName {
    /// Its identifier.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// SHA-256 of its signed bytes.
    pub digest: String,
}

impl Reading {
    /// The version of the transform that made the value.
    pub fn version(&self) -> Option<u64> {
        self.transform.as_ref().map(|transform| transform.version)
    }
}

/// The gateway's answer to an artifact.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Ack {
    /// Names the artifact.
    pub digest: Option<String>,
    /// `accepted`, `refused` or `already_applied`.
    pub verdict: String,
    /// The reason code of a refusal.
    pub reason: Option<String>,
    /// A sentence.
    pub message: String,
}

/// The gateway's status.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Status {
    /// False in the last will and after an orderly stop.
    pub online: bool,
}

/// Something that happened at the gateway.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Event {
    /// What it is of, like `session`.
    pub event: String,
}

/// Reads an ack that the gateway signed.
///
/// Errors: a sentence.
pub fn ack(bytes: &[u8], gateway: &PublicKey) -> Result<Ack, String> {
    let envelope = Envelope::parse(bytes).map_err(|refusal| format!("an ack is no envelope: {refusal}"))?;
    if !envelope.is_signed_by(gateway) {
        return Err("an ack does not carry the gateway's signature".to_owned());
    }
    serde_json::from_slice(&envelope.payload).map_err(|fault| format!("an ack cannot be read: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trust::envelope::sign;
    use crate::domain::trust::key::PrivateKey;

    #[test]
    fn only_the_gateways_own_acks_count() {
        let payload =
            br#"{"digest":null,"id":"x","version":1,"verdict":"refused","reason":"malformed","message":"m"}"#;
        let key = |seed| PrivateKey::from_seed(&[seed; 32]).unwrap();
        let envelope = sign("t", payload, &[key(1)]);
        assert_eq!(ack(&envelope, key(1).public()).unwrap().reason.as_deref(), Some("malformed"));
        assert!(ack(&envelope, key(2).public()).unwrap_err().contains("signature"));
        assert!(ack(payload, key(1).public()).is_err());
    }
}
