//! Certificates.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;

/// `GET /v1/certificates`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificates {
    /// The newest first.
    pub certificates: Vec<CertificateHead>,
    /// Where to go on; null: that was all.
    pub before: Option<u64>,
}

/// What is told of a certificate in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CertificateHead {
    /// Its number.
    pub number: String,
    /// Whose it is.
    pub sensor: SensorId,
    /// The session that it is the end of.
    pub session: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// `pass`, `conditional_pass`, `conditional_fail` or `fail` as found; null: nothing is stated.
    pub as_found: Option<String>,
    /// The same as left; null also where nothing was adjusted.
    pub as_left: Option<String>,
    /// The digest of what was signed.
    pub digest: Digest,
}

/// `GET /v1/certificates/{number}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OneCertificate {
    /// What lists tell of it.
    pub certificate: CertificateHead,
    /// The signed certificate.
    pub envelope: Value,
}

/// `GET /v1/sessions/{id}/certificate`: what is to be signed for a session to end with a certificate.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CertificateOffer {
    /// The number that it would have; null: none can be had here.
    pub number: Option<String>,
    /// The digest of what is to be signed.
    pub digest: Option<Digest>,
    /// A DSSE envelope without signatures: exactly its payload is to be signed.
    pub envelope: Option<Value>,
    /// Why none can be had.
    pub note: Option<String>,
}
