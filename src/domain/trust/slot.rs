//! What is in force on a sensor, and what was accepted before: the floor and slot decisions.

use std::sync::Arc;

use super::reason::{Reason, Refusal};
use super::root::RoleName;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::transform::Compiled;
use crate::domain::transform::artifact::Transform;

/// The newest (epoch, version) that was accepted of a transform id; never falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floor {
    /// Epoch.
    pub epoch: u64,
    /// Version within the epoch.
    pub version: u64,
    /// Digest of the artifact that set the floor.
    pub digest: Digest,
}

/// What gives a sensor its values before the artifact in question.
#[derive(Debug, Clone, Default)]
pub enum Before {
    /// Nothing: they are raw.
    #[default]
    Raw,
    /// This transform.
    Active(Arc<Compiled>),
    /// Not known here (away from the gateway): steps are not judged.
    Unknown,
}

/// One sensor's slot: the fleet's transform, and the maintenance one that overlays it.
#[derive(Debug, Clone, Default)]
pub struct Slot {
    /// The fleet transform id that owns the sensor.
    pub active_id: Option<Id>,
    /// Digest of the maintenance transform in force over it.
    pub local: Option<Digest>,
    /// What runs now, of whichever kind: steps are judged against it.
    pub before: Before,
    /// The last transform that the fleet signed, also below a maintenance one: what maintenance may do is counted
    /// from it.
    pub baseline: Option<Arc<Compiled>>,
    /// The recalibration session that is open at the sensor.
    pub session: Option<Id>,
}

/// What putting a transform into force changes besides itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Fleet transform ids that lose these sensors.
    pub retires: Vec<(SensorId, Id)>,
    /// Maintenance transforms that give way on these sensors.
    pub supersedes: Vec<(SensorId, Digest)>,
}

/// Whether the ledger already holds these very bytes as the newest of their id.
///
/// # Errors
/// `rolled_back_version`, `conflicting_version`.
pub fn check_floor(transform: &Transform, digest: Digest, floor: Option<Floor>) -> Result<bool, Refusal> {
    let Some(floor) = floor else { return Ok(false) };
    let (id, epoch, version) = (&transform.id, transform.epoch, transform.version);
    // "The floor is (epoch, version) per id; it [...] never falls"
    if (epoch, version) < (floor.epoch, floor.version) {
        let (e, v) = (floor.epoch, floor.version);
        return Err(Refusal::new(
            Reason::RolledBackVersion,
            format!("{id} epoch {epoch} version {version} is older than the accepted epoch {e} version {v}"),
        ));
    }
    if (epoch, version) > (floor.epoch, floor.version) {
        return Ok(false);
    }
    // "Same version with another digest: `conflicting_version`."
    if digest != floor.digest {
        let accepted = floor.digest;
        return Err(Refusal::new(
            Reason::ConflictingVersion,
            format!(
                "{id} version {version} was accepted with digest {accepted}; give the change a new version"
            ),
        ));
    }
    Ok(true)
}

/// Whether the transform may take these sensors' slots, and what gives way to it.
///
/// # Errors
/// `conflict`, `local_in_force`, `session_open`.
pub fn check_slots<'a>(
    transform: &Transform,
    role: RoleName,
    slots: impl Iterator<Item = (&'a SensorId, &'a Slot)>,
) -> Result<Changes, Refusal> {
    let mut changes = Changes::default();
    let slots: Vec<(&SensorId, &Slot)> = slots.collect();
    let session = slots.iter().find_map(|(sensor, slot)| {
        let open = slot.session.as_ref().filter(|open| !is_made_in(transform, role, open))?;
        Some((*sensor, open))
    });
    let free = || match session {
        None => Ok(()),
        // "Pushes wait while a session is open."
        Some((sensor, open)) => Err(Refusal::new(
            Reason::SessionOpen,
            format!("sensor {sensor} is being recalibrated (session {open}); end that, or wait for its end"),
        )),
    };
    if role == RoleName::Maintenance {
        // "A maintenance transform overlays the fleet's and never retires it"
        return free().map(|()| changes);
    }
    let mut local = None;
    for (sensor, slot) in slots {
        // "Another id needs `replaces: [old]` (which retires the old one there), else `conflict`."
        if let Some(owner) = slot.active_id.as_ref().filter(|owner| **owner != transform.id) {
            if !transform.replaces.contains(owner) {
                let id = &transform.id;
                return Err(Refusal::new(
                    Reason::Conflict,
                    format!("sensor {sensor} belongs to {owner}; {id} takes it only with `replaces`"),
                ));
            }
            changes.retires.push((sensor.clone(), owner.clone()));
        }
        // "a fleet transform takes its place only when it names its digest in `supersedes`"
        if let Some(digest) = slot.local {
            match transform.supersedes.contains(&digest) {
                true => changes.supersedes.push((sensor.clone(), digest)),
                false => local = local.or(Some((sensor, digest))),
            }
        }
    }
    match local {
        None => free().map(|()| changes),
        Some((sensor, digest)) => Err(Refusal::new(
            Reason::LocalInForce,
            format!("sensor {sensor} runs a maintenance transform; to end it, name {digest} in `supersedes`"),
        )),
    }
}

/// Whether the session that is open made the transform.
fn is_made_in(transform: &Transform, role: RoleName, session: &Id) -> bool {
    role == RoleName::Maintenance && transform.provenance.session.as_deref() == Some(session.as_str())
}

#[cfg(test)]
mod tests;
