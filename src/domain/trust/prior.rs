//! Priors: what the fleet knows of a sensor model before a sensor's own pairs are seen.

use serde::{Deserialize, Serialize};

use super::enrolment::check_version;
use super::key::KeyId;
use super::payload;
use super::reason::{Reason, Refusal};
use super::root::{RoleName, Root};
use super::target::check_fleet;
use super::time::TimeView;
use super::verify::{Refused, Signed, kept, verify_returning};
use crate::domain::digest::Digest;
use crate::domain::fit::bayes;
use crate::domain::fit::population::Fitted;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::domain::units::Unit;

/// The only schema of priors there is yet.
pub const SCHEMA: u64 = 1;

/// The prior of a sensor model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPrior {
    /// 1.
    pub schema: u64,
    /// The fleet.
    pub fleet: Id,
    /// The model, as enrolments name it.
    pub model: String,
    /// Counts the model's priors from 1; only rises.
    pub version: u64,
    /// UCUM code of the raw reading.
    pub input_unit: String,
    /// UCUM code of the calibrated value.
    pub output_unit: String,
    /// The roles of the covariates, in the order of b2, b3, ...; none for a line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covariates: Vec<String>,
    /// The mean of the parameters, their covariance, and the scatter about the fits.
    pub fit: Fitted,
    /// How many sensors it was made of.
    pub sensors: u64,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From this moment on nobody takes it.
    pub expires: Timestamp,
}

/// What a prior is judged against.
#[derive(Clone, Copy)]
pub struct Standpoint<'a> {
    /// The installed root.
    pub root: Option<&'a Root>,
    /// The fleet.
    pub fleet: &'a Id,
    /// Whether the gateway has a sensor of a model; `None` away from any gateway.
    pub models: Option<&'a dyn Fn(&str) -> bool>,
    /// What is known about the time.
    pub time: TimeView,
    /// Version and digest of the newest prior of a model that was accepted.
    pub floors: &'a dyn Fn(&str) -> Option<(u64, Digest)>,
    /// Whether one of them has this digest.
    pub accepted: &'a dyn Fn(&Digest) -> bool,
}

/// A prior that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// What it says.
    pub prior: ModelPrior,
    /// Its digest.
    pub digest: Digest,
    /// The keys that signed it.
    pub keyids: Vec<KeyId>,
    /// Whether these very bytes were accepted before.
    pub already_applied: bool,
}

impl ModelPrior {
    /// Reads a prior's own bytes, whoever signed them.
    ///
    /// # Errors
    /// `malformed` or `unknown_schema`, with the field's path.
    pub fn parse(payload: &[u8]) -> Result<ModelPrior, Refusal> {
        payload::read("prior", SCHEMA, payload)
    }

    /// Whether what it says makes sense.
    ///
    /// # Errors
    /// `invalid_content`, with the field.
    pub fn check(&self) -> Result<(), Refusal> {
        let invalid = |text: String| Err(Refusal::new(Reason::InvalidContent, format!("prior: {text}")));
        if self.version == 0 {
            return invalid("version: counts from 1".to_owned());
        }
        if self.model.trim().is_empty() {
            return invalid("model: name one as enrolments do".to_owned());
        }
        if self.expires <= self.issued_at {
            return invalid("expires: lies before issued_at".to_owned());
        }
        for (field, unit) in [("input_unit", &self.input_unit), ("output_unit", &self.output_unit)] {
            if let Err(fault) = Unit::parse(unit) {
                return invalid(format!("{field}: {fault}"));
            }
        }
        if let Some((field, problem)) = self.fit.fault() {
            return invalid(format!("fit.{field}: {problem}"));
        }
        let wanted = bayes::parameter_names(self.covariates.len() + 1);
        if self.fit.parameter_names != wanted {
            let (wanted, count) = (wanted.join(", "), self.covariates.len());
            return invalid(format!("fit.parameter_names: expected {wanted} with {count} covariates"));
        }
        Ok(())
    }
}

/// Checks a prior that came from outside, in the order of [`Reason::ALL`].
///
/// # Errors
/// The first check that failed.
pub fn verify_prior(bytes: &[u8], place: &Standpoint<'_>) -> Result<Accepted, Refused> {
    let signed = verify_returning(bytes, "prior", place.root, &place.time, place.accepted)?;
    let refused = signed.refused();
    let prior = ModelPrior::parse(&signed.envelope.payload).map_err(&refused)?;
    let version = Some(prior.version);
    judge(prior, &signed, place).map_err(|refusal| Refused { version, ..refused(refusal) })
}

/// Checks again a prior that a ledger holds as accepted: its bytes, that no key of its signers is revoked, and that a
/// scope still covers its model.
///
/// # Errors
/// The first check that failed.
pub fn verify_kept(bytes: &[u8], root: &Root) -> Result<(Digest, ModelPrior), Refusal> {
    let signed = kept(bytes, "prior", root)?;
    let prior = ModelPrior::parse(&signed.envelope.payload)?;
    check_scope(&prior, root, &root.fleet)?;
    Ok((signed.digest, prior))
}

/// "fleet, scope"
fn check_scope(prior: &ModelPrior, root: &Root, fleet: &Id) -> Result<(), Refusal> {
    check_fleet("prior", &prior.fleet, root, fleet)?;
    if !root.role(RoleName::Fleet).is_some_and(|role| role.covers_model(&prior.model)) {
        let text = format!("no scope of the signing role covers all sensors of the model {}", prior.model);
        return Err(Refusal::new(Reason::OutOfScope, text));
    }
    Ok(())
}

fn judge(prior: ModelPrior, signed: &Signed, place: &Standpoint<'_>) -> Result<Accepted, Refusal> {
    let Some(root) = place.root else {
        return Err(Refusal::new(Reason::NoRoot, "no trust root is installed"));
    };
    check_scope(&prior, root, place.fleet)?;
    // "target"
    if place.models.is_some_and(|here| !here(&prior.model)) {
        let text = format!("no sensor of this gateway is of the model {}", prior.model);
        return Err(Refusal::new(Reason::NotForThisGateway, text));
    }
    // "root and time"
    for (end, reason, what) in
        [(root.expires, Reason::RootExpired, "the trust root"), (prior.expires, Reason::Expired, "the prior")]
    {
        if place.time.is_past(end) {
            return Err(Refusal::new(reason, format!("{what} expired at {end}")));
        }
    }
    // "floor"
    let floor = (place.floors)(&prior.model);
    let already_applied = check_version("prior", prior.version, signed.digest, floor)?;
    // "content"
    prior.check()?;
    let keyids = signed.candidates.iter().find_map(|role| role.outcome.clone().ok()).unwrap_or_default();
    Ok(Accepted { prior, digest: signed.digest, keyids, already_applied })
}

#[cfg(test)]
mod tests;
