//! The prior of a sensor model, away from a gateway.

use super::{Report, accepted};
use crate::domain::trust::envelope::Envelope;
use crate::domain::trust::prior::{ModelPrior, Standpoint, verify_prior};
use crate::domain::trust::root::Root;
use crate::domain::trust::time::TimeView;
use crate::domain::trust::verify::{Refused, verify_typed};

/// Judges it as a gateway does that has accepted no other.
pub fn judge(bytes: &[u8], root: Option<&Root>, time: TimeView) -> Result<Report, Refused> {
    let signed = verify_typed(bytes, "prior", root, &time)?;
    let claimed = Envelope::parse(bytes).ok().and_then(|it| ModelPrior::parse(&it.payload).ok());
    let fleet = root.map(|root| &root.fleet).or_else(|| claimed.as_ref().map(|prior| &prior.fleet));
    let Some(fleet) = fleet else { return Ok(accepted(signed, vec!["content"])) };
    let verified = verify_prior(
        bytes,
        &Standpoint { root, fleet, models: None, time, floors: &|_| None, accepted: &|_| false },
    )?;
    let not_checked = vec!["not_for_this_gateway", "rolled_back_version", "conflicting_version"];
    Ok(Report { version: Some(verified.prior.version), ..accepted(signed, not_checked) })
}
