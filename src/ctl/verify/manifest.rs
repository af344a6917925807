//! A manifest, away from a gateway.

use super::{Report, accepted};
use crate::domain::id::Id;
use crate::domain::trust::envelope::Envelope;
use crate::domain::trust::manifest::{Manifest, Standpoint, verify_manifest};
use crate::domain::trust::root::Root;
use crate::domain::trust::time::TimeView;
use crate::domain::trust::verify::{Refused, verify_typed};

/// Judges it as a gateway does that has accepted no other.
pub fn judge(
    bytes: &[u8],
    root: Option<&Root>,
    gateway: Option<&Id>,
    time: TimeView,
) -> Result<Report, Refused> {
    let signed = verify_typed(bytes, "manifest", root, &time)?;
    let claimed = Envelope::parse(bytes).ok().and_then(|it| Manifest::parse(&it.payload).ok());
    let fleet = root.map(|root| &root.fleet).or_else(|| claimed.as_ref().map(|manifest| &manifest.fleet));
    let Some(fleet) = fleet else { return Ok(accepted(signed, vec!["content"])) };
    let standpoint =
        Standpoint { root, fleet, gateway, branch: None, time, floors: &|_| None, accepted: &|_| false };
    let verified = verify_manifest(bytes, &standpoint)?;
    let not_checked = vec!["rolled_back_version", "conflicting_version"];
    Ok(Report { version: Some(verified.manifest.version), ..accepted(signed, not_checked) })
}
