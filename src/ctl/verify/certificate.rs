//! A calibration certificate, perhaps years after it was issued.

use super::{EVERY, Report};
use crate::domain::time::Timestamp;
use crate::domain::trust::certificate::{Standpoint, verify_certificate};
use crate::domain::trust::enrolment::Enrolment;
use crate::domain::trust::root::{RoleName, Root};
use crate::domain::trust::verify::Refused;

/// Judges it by the root, and by the gateway's enrolment where that is given.
pub fn judge(
    bytes: &[u8],
    root: Option<&Root>,
    enrolment: Option<&Enrolment>,
    now: Timestamp,
) -> Result<Report, Refused> {
    let accepted = verify_certificate(bytes, &Standpoint { root, enrolment, now })?;
    let not_checked = if enrolment.is_none() { vec!["out_of_scope"] } else { vec![] };
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
