//! Calibration certificates: what one says, how its uncertainties are made, and whether it is consistent.
//!
//! The content is that of ISO/IEC 17025:2017, 7.8.2 and 7.8.4. [`issue`] makes a certificate from points as they
//! were measured, [`of_session`] from a recalibration session; [`Certificate::parse`] reads one and computes again everything that follows from something else
//! in it. Who signed it is asked in [`crate::domain::trust::certificate`].

mod check;
mod error;
mod issue;
mod office;
mod point;
mod results;
mod visit;

use serde::{Deserialize, Serialize};

pub use self::error::{CertificateError, Problem};
pub use self::issue::issue;
pub use self::office::Office;
pub use self::point::{Measured, PointResult};
pub use self::results::{Conformity, Criterion, Results, worst};
pub use self::visit::{Facts, numbered, of_session, placed, series};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::reference::Standard;
use crate::domain::sensor::Instrument;
use crate::domain::time::Timestamp;
use crate::domain::trust::key::{KeyId, PublicKey};
use crate::domain::trust::payload;
use crate::domain::trust::reason::{Reason, Refusal};

/// The only schema of certificates there is yet.
pub const SCHEMA: u64 = 1;
/// The payload's short type name.
pub const TYPE: &str = "certificate";
/// The most points as found, and as left.
pub const MOST_POINTS: usize = 64;
/// The most standards, conditions, deviations, references of the method, lines of an address.
pub const MOST: usize = 16;
/// The most places of a curve.
pub const MOST_PLACES: usize = 65;

/// A calibration certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// 1.
    pub schema: u64,
    /// Whose, of what, by whom, how and when.
    pub about: About,
    /// What was measured.
    pub results: Results,
}

/// What a certificate says besides its results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Unique; on every page.
    pub number: String,
    /// What it is, above everything.
    pub title: String,
    /// The fleet.
    pub fleet: Id,
    /// The gateway that issued it.
    pub gateway: Id,
    /// The session that it is the end of.
    pub session: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// When the item was received, where it was brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Timestamp>,
    /// Who calibrated, and is responsible for the content.
    pub laboratory: Laboratory,
    /// For whom; absent: for the laboratory's own organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Party>,
    /// Where the work was done.
    pub location: Location,
    /// What was calibrated.
    pub item: Item,
    /// How.
    pub method: Method,
    /// The environment during the measurement.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// What the references are traced to.
    #[serde(default)]
    pub standards: Vec<Standard>,
    /// Additions to the method, deviations from it and exclusions.
    #[serde(default)]
    pub deviations: Vec<String>,
    /// When to calibrate again; only where the customer agreed to be told (7.8.4.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended: Option<Recommended>,
    /// Who authorised it.
    pub authorised_by: Person,
    /// What computed the values before and after.
    pub transforms: Transforms,
    /// The calibration in force at the end, for a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<Curve>,
    /// Whose signatures belong to it.
    pub signed_by: SignedBy,
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Its name.
    pub name: String,
    /// Its address, line by line.
    #[serde(default)]
    pub address: Vec<String>,
    /// Its country's two letters (ISO 3166-1).
    pub country: String,
    /// How to write to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// How to call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// Who calibrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Laboratory {
    /// The organisation.
    pub party: Party,
    /// By whom it is accredited for this; absent: it is not, and the certificate says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accreditation: Option<Accreditation>,
}

/// An accreditation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accreditation {
    /// The accreditation body.
    pub body: String,
    /// Its number for the laboratory.
    pub number: String,
}

/// Where the work was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Whose place it is.
    pub at: Place,
    /// Which place.
    pub description: String,
}

/// Whose place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The laboratory's own.
    Laboratory,
    /// The customer's: on site.
    #[default]
    Customer,
    /// Another.
    Other,
}

/// What was calibrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The sensor: the measuring position.
    pub sensor: SensorId,
    /// The measured quantity, in words.
    pub quantity: String,
    /// The instrument that was mounted there, with its serial numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instrument: Option<Instrument>,
    /// The condition that it was found in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

/// How it was calibrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// In a few sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Procedures and norms that it follows.
    #[serde(default)]
    pub references: Vec<String>,
}

/// A quantity of the environment during the measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Which, like `temperature`.
    pub name: String,
    /// The sensor that measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<SensorId>,
    /// UCUM code of the numbers.
    pub unit: String,
    /// Mean over the measurement.
    pub mean: f64,
    /// The least value.
    pub least: f64,
    /// The greatest value.
    pub greatest: f64,
    /// Standard uncertainty of `mean`, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub u: Option<f64>,
}

/// A recommendation that the customer asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommended {
    /// When to calibrate again.
    pub at: Timestamp,
    /// The agreement, like the number of a contract.
    pub agreement: String,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
}

/// What computed the sensor's values, by digest of the signed transform; absent: values were raw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transforms {
    /// As found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    /// As left; the same as before where nothing was adjusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Digest>,
}

impl Transforms {
    /// Whether the calibration was changed.
    pub fn adjusted(&self) -> bool {
        self.before != self.after
    }
}

/// A calibration over its raw readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// UCUM code of the raw readings.
    pub raw_unit: String,
    /// Raw readings, rising, each with the value in the unit of the results.
    pub places: Vec<[f64; 2]>,
}

/// Whose signatures belong to a certificate: one that is missing was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedBy {
    /// The gateway's own key, in JSON as a `PUBLIC KEY` block.
    pub gateway: PublicKey,
    /// Keys of role maintenance; empty where only the gateway answers for it.
    #[serde(default)]
    pub technicians: Vec<KeyId>,
    /// Those of them that the gateway holds: it signed with them on behalf of whoever authorised the certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<KeyId>,
}

impl About {
    /// On whose behalf the gateway signed with a maintenance key that it holds, as a sentence, if it did.
    pub fn on_behalf(&self) -> Option<String> {
        let (gateway, name) = (&self.gateway, &self.authorised_by.name);
        let held = !self.signed_by.held.is_empty();
        held.then(|| {
            format!("Signed with a maintenance key that gateway {gateway} holds, on behalf of {name}.")
        })
    }
}

impl Certificate {
    /// Reads a certificate's own bytes, whoever signed them, and checks that what it says fits together.
    ///
    /// # Errors
    /// `malformed`, `unknown_schema` or `invalid_content`, with the field's path.
    pub fn parse(payload: &[u8]) -> Result<Certificate, Refusal> {
        let certificate: Certificate = payload::read("certificate", SCHEMA, payload)?;
        certificate
            .check()
            .map_err(|fault| Refusal::new(Reason::InvalidContent, format!("certificate: {fault}")))?;
        Ok(certificate)
    }

    /// Its own bytes, which are signed.
    ///
    /// # Errors
    /// None of a certificate that [`issue`] or [`Certificate::parse`] gave: all of its numbers are finite.
    pub fn to_payload(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
