//! A command, away from the gateway.

use super::{Report, accepted};
use crate::domain::id::SensorId;
use crate::domain::trust::command::{Command, Past, verify_command};
use crate::domain::trust::envelope::Envelope;
use crate::domain::trust::root::Root;
use crate::domain::trust::scope::Place;
use crate::domain::trust::slot::Slot;
use crate::domain::trust::target::SensorFacts;
use crate::domain::trust::time::TimeView;
use crate::domain::trust::verify::{Context, Refused, verify_typed};

/// Judges it as a gateway does that has all sensors, and has followed no other.
pub fn judge(bytes: &[u8], root: Option<&Root>, whose: Place<'_>, time: TimeView) -> Result<Report, Refused> {
    let signed = verify_typed(bytes, "command", root, &time)?;
    let claimed = Envelope::parse(bytes).ok().and_then(|it| Command::parse(&it.payload).ok());
    let fleet = root.map(|root| &root.fleet).or_else(|| claimed.as_ref().map(|command| &command.fleet));
    let Some(fleet) = fleet else { return Ok(accepted(signed, vec!["content"])) };
    let facts = |sensor: &SensorId| {
        let targets = &claimed.as_ref()?.targets;
        let enrolled = whose.enrolment.and_then(|enrolment| enrolment.sensors.get(sensor));
        let serial = targets.serials.first().or_else(|| enrolled?.serial.as_ref()).cloned();
        Some(SensorFacts { unit: String::new(), model: None, serial })
    };
    let context = Context {
        root,
        fleet,
        gateway: whose.gateway,
        enrolment: whose.enrolment,
        sensors: &facts,
        time,
        slots: &|_| Slot::default(),
        floors: &|_| None,
        accepted: &|_| false,
        freshness: None,
    };
    let verified = verify_command(bytes, &context, &Past::default())?;
    let mut not_checked = vec!["unknown_sensor", "rolled_back_version", "conflicting_version"];
    if whose.gateway.is_none() {
        not_checked.splice(0..0, ["out_of_scope", "not_for_this_gateway"]);
    }
    Ok(Report { version: Some(verified.command.serial), ..accepted(signed, not_checked) })
}
