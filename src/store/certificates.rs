//! Certificates that this gateway issued; each is kept with the last step of its session.

use super::{Store, StoreError};
use crate::domain::certificate::Certificate;
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::Outcome;

/// A certificate as the ledger keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCertificate {
    /// Its number; it stands once.
    pub number: String,
    /// The digest of what was signed.
    pub digest: Digest,
    /// Whose it is.
    pub sensor: SensorId,
    /// The session that it is the end of.
    pub session: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// What is stated of all points as found, as certificates write it.
    pub as_found: Option<String>,
    /// What is stated of all points as left.
    pub as_left: Option<String>,
    /// The signed certificate; empty where only a list was asked for.
    pub envelope: Vec<u8>,
}

impl StoredCertificate {
    /// A certificate with its signed envelope, whose digest is this.
    pub fn of(certificate: &Certificate, digest: Digest, envelope: Vec<u8>) -> StoredCertificate {
        let (about, conformity) = (&certificate.about, certificate.results.conformity);
        let stated = |outcome: Option<Outcome>| outcome.map(|it| it.as_str().to_owned());
        StoredCertificate {
            number: about.number.clone(),
            digest,
            sensor: about.item.sensor.clone(),
            session: about.session.clone(),
            issued: about.issued,
            as_found: stated(conformity.and_then(|it| it.as_found)),
            as_left: stated(conformity.and_then(|it| it.as_left)),
            envelope,
        }
    }
}

impl Store {
    /// The place of the next certificate in a series of numbers that begin so.
    pub async fn next_certificate(&self, series: String) -> Result<u64, StoreError> {
        self.with_ledger(move |ledger, _| ledger.next_certificate(&series)).await
    }

    /// Certificates without their envelopes, the newest first, each with its place; before a place, of a sensor.
    pub async fn certificates(
        &self,
        sensor: Option<SensorId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, StoredCertificate)>, StoreError> {
        self.with_ledger(move |ledger, _| ledger.certificates(sensor.as_ref(), before, limit)).await
    }

    /// The certificate of this number.
    pub async fn certificate(&self, number: &str) -> Result<Option<StoredCertificate>, StoreError> {
        let number = number.to_owned();
        self.with_ledger(move |ledger, _| ledger.certificate(&number)).await
    }
}
