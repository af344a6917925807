//! An order, away from the gateways.

use super::{Report, accepted};
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::trust::envelope::Envelope;
use crate::domain::trust::order::{Order, Standpoint, verify_order};
use crate::domain::trust::root::Root;
use crate::domain::trust::scope::Place;
use crate::domain::trust::time::TimeView;
use crate::domain::trust::verify::{Refused, verify_envelope, verify_typed};

/// Judges it as far as that goes without knowing what a gateway holds and which orders it has followed.
pub fn judge(bytes: &[u8], root: Option<&Root>, time: TimeView) -> Result<Report, Refused> {
    let claimed = || Envelope::parse(bytes).ok().and_then(|envelope| Order::parse(&envelope.payload).ok());
    let fleet = root.map(|root| root.fleet.clone()).or_else(|| claimed().map(|order| order.fleet));
    let Some(fleet) = fleet else {
        // Neither a root nor a readable order: the checks end before the fleet.
        return verify_envelope(bytes, root, &time).map(|signed| accepted(signed, vec![]));
    };
    let place = Place { gateway: None, enrolment: None };
    let (holding, last) = (|_: &Id, _: &Digest| Vec::new(), |_: &Id| None);
    let standpoint = Standpoint { root, fleet: &fleet, place, time, holding: &holding, last: &last };
    let ordered = verify_order(bytes, &standpoint)?;
    let signed = verify_typed(bytes, "order", root, &time)?;
    let not_checked = vec![
        "out_of_scope",
        "not_for_this_gateway",
        "unknown_sensor",
        "rolled_back_version",
        "conflicting_version",
    ];
    let (id, version) = (Some(ordered.order.id), Some(ordered.order.serial));
    Ok(Report { id, version, ..accepted(signed, not_checked) })
}
