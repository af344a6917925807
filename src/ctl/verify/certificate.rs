//! A calibration certificate, perhaps years after it was issued.

use super::{EVERY, Report};
use crate::domain::time::Timestamp;
use crate::domain::trust::certificate::{Standpoint, verify_certificate};
use crate::domain::trust::reason::{Reason, Refusal};
use crate::domain::trust::root::{RoleName, Root};
use crate::domain::trust::scope::Place;
use crate::domain::trust::verify::Refused;

/// Judges it by the root, by the gateway that is named, and by its enrolment where that is given.
pub fn judge(bytes: &[u8], root: Option<&Root>, whose: Place<'_>, now: Timestamp) -> Result<Report, Refused> {
    let accepted = verify_certificate(bytes, &Standpoint { root, enrolment: whose.enrolment, now })?;
    let issuer = &accepted.certificate.about.gateway;
    if let Some(named) = whose.gateway.filter(|named| *named != issuer) {
        let refusal = Refusal::new(
            Reason::NotForThisGateway,
            format!("the certificate is of {issuer}, not of {named}"),
        );
        let digest = Some(accepted.digest);
        return Err(Refused { refusal, digest, id: None, version: None, by_known_key: true });
    }
    let unknown =
        [(whose.gateway.is_none(), "not_for_this_gateway"), (whose.enrolment.is_none(), "out_of_scope")];
    let not_checked = unknown.into_iter().filter(|(so, _)| *so).map(|(_, reason)| reason).collect();
    let role = (!accepted.technicians.is_empty()).then_some(RoleName::Maintenance);
    Ok(Report {
        verdict: "accepted",
        reason: None,
        message: EVERY.to_owned(),
        kind: None,
        digest: Some(accepted.digest),
        id: None,
        version: None,
        role,
        keyids: [vec![accepted.gateway], accepted.technicians].concat(),
        not_checked,
        number: Some(accepted.certificate.about.number),
        notes: accepted.notes,
    })
}
