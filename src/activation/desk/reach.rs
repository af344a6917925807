//! What the checks of an artifact may look up at this gateway.

use super::Desk;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::trust::root::RoleName;
use crate::domain::trust::slot::{Before, Floor, Slot};
use crate::domain::trust::target::SensorFacts;
use crate::domain::trust::verify::Context;

pub(super) type Lookup<'a, K, V> = Box<dyn Fn(&K) -> V + 'a>;

/// What the checks may look up.
pub(super) struct Reach<'a> {
    pub sensors: Lookup<'a, SensorId, Option<SensorFacts>>,
    pub slots: Lookup<'a, SensorId, Slot>,
    pub floors: Lookup<'a, Id, Option<Floor>>,
    pub accepted: Lookup<'a, Digest, bool>,
}

impl<'a> Reach<'a> {
    pub(super) fn of(desk: &'a Desk) -> Reach<'a> {
        Reach {
            sensors: Box::new(|id| {
                let sensor = desk.sensors.known_or_possible(id)?;
                let (model, serial) = (sensor.model.clone(), sensor.serial.clone());
                Some(SensorFacts { unit: sensor.unit.to_string(), model, serial })
            }),
            slots: Box::new(|id| desk.slot(id)),
            floors: Box::new(|id| desk.floors.get(id).copied()),
            accepted: Box::new(|digest| desk.floors.values().any(|floor| floor.digest == *digest)),
        }
    }
}

impl Desk {
    pub(super) fn context<'a>(&'a self, reach: &'a Reach<'a>) -> Context<'a> {
        Context {
            root: self.roots.installed(),
            fleet: &self.fleet,
            gateway: Some(&self.gateway),
            enrolment: self.enrolled.counts(),
            sensors: &reach.sensors,
            time: self.time_view(),
            slots: &reach.slots,
            floors: &reach.floors,
            accepted: &reach.accepted,
            freshness: None,
        }
    }

    pub(super) fn slot(&self, sensor: &SensorId) -> Slot {
        let session = self.sessions.get(sensor).cloned();
        let Some(installed) = self.installed.get(sensor) else {
            // "A fleet transform id owns a sensor", also one that is not in force yet.
            let candidate = self.rollouts.machine(sensor).and_then(|machine| machine.state().candidate());
            let active_id = candidate.map(|candidate| candidate.id.clone());
            return Slot { active_id, session, ..Slot::default() };
        };
        let (baseline, local) = (installed.baseline(), installed.role == RoleName::Maintenance);
        Slot {
            active_id: baseline.map(|fleet| fleet.reference.id.clone()),
            local: local.then_some(installed.active.reference.digest),
            before: Before::Active(installed.active.compiled.clone()),
            baseline: baseline.map(|fleet| fleet.compiled.clone()),
            session,
        }
    }
}
