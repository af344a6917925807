//! Recalibration sessions: what they have to know of a sensor, and what waits for their end.

use serde_json::json;
use tokio::sync::mpsc;

use super::turn::Turn;
use super::{Desk, Reach};
use crate::domain::id::{Id, SensorId};
use crate::domain::rollout::Event;
use crate::domain::sample::TransformRef;
use crate::domain::trust::enrolment::Enrolment;
use crate::domain::trust::envelope::Envelope;
use crate::domain::trust::prior::ModelPrior;
use crate::domain::trust::root::Root;
use crate::domain::trust::slot::Slot;
use crate::domain::trust::target::{LOCAL_PREFIX, SensorFacts};
use crate::domain::trust::time::TimeView;
use crate::domain::trust::verify::verify_transform;
use crate::domain::uncertainty::decision::Mpe;
use crate::pipeline::run::Request;
use crate::store::StoreError;

/// A transform that waits for the end of a session: where, its id and version.
pub type Waits = (SensorId, Id, u64);

/// What a session has to know of its sensor.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// The maximum permissible error that the fleet states.
    pub mpe: Option<Mpe>,
    /// The epoch of transforms.
    pub epoch: u64,
    /// The version of the next transform that is made here.
    pub version: u64,
    /// What is in force, with its payload.
    pub in_force: Option<(TransformRef, String)>,
    /// What the fleet knows of the sensor's model.
    pub prior: Option<ModelPrior>,
}

/// By what signatures are judged now.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The root that counts.
    pub root: Option<Root>,
    /// The enrolment that counts.
    pub enrolment: Option<Enrolment>,
    /// What is known of the time.
    pub time: TimeView,
}

impl Desk {
    /// By what signatures are judged now.
    pub(super) fn trust(&self) -> Trust {
        Trust {
            root: self.roots.installed().cloned(),
            enrolment: self.enrolled.counts().cloned(),
            time: self.time_view(),
        }
    }

    /// What a session has to know of its sensor.
    pub(super) async fn site(&self, sensor: &SensorId) -> Result<Site, StoreError> {
        let local = Id::new(&format!("{LOCAL_PREFIX}{sensor}")).ok();
        let floor = local.and_then(|local| self.floors.get(&local));
        let known = self.sensors.known_or_possible(sensor);
        let facts = known.as_ref().map(|sensor| SensorFacts {
            unit: sensor.unit.to_string(),
            model: sensor.model.clone(),
            serial: sensor.serial.clone(),
        });
        let enrolled = self.enrolled.counts().zip(facts.as_ref());
        let mut site = Site {
            mpe: enrolled.and_then(|(enrolment, facts)| enrolment.sensor(sensor, facts)?.mpe),
            epoch: self.roots.installed().map_or(1, |root| root.epoch),
            version: floor.map_or(1, |floor| floor.version + 1),
            in_force: None,
            prior: known.and_then(|known| self.prior_of(&known)),
        };
        if let Some(installed) = self.installed.get(sensor) {
            let reference = (*installed.active.reference).clone();
            let stored = self.store.transforms_named(&reference.digest.to_string()).await?.pop();
            let opened = stored.and_then(|stored| Envelope::parse(&stored.envelope).ok());
            let payload = opened.and_then(|opened| String::from_utf8(opened.payload).ok());
            site.in_force = payload.map(|payload| (reference, payload));
        }
        Ok(site)
    }

    /// A session begins at a sensor, or ends there. At its end the rollouts go on, and what waits is judged with the
    /// next look at it. What the ledger does not take now is told the rollout again with its next look.
    pub(super) async fn session(
        &mut self,
        sensor: SensorId,
        session: Option<Id>,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<(), StoreError> {
        match session {
            Some(session) => drop(self.sessions.insert(sensor.clone(), session)),
            None => drop(self.sessions.remove(&sensor)),
        }
        if self.rollouts.machine(&sensor).is_none() {
            return Ok(());
        }
        let mut turn = Turn::new(self.clock.now(), super::turn::ITSELF);
        // Before anything else the machine comes to know of sessions.
        let _ = self.tell(&mut turn, &sensor, Event::Tick).await?;
        self.carry_out(turn, pipeline).await
    }

    /// Takes out of force what is in force at a sensor: its values are raw again.
    pub(super) async fn withdraw(
        &mut self,
        sensor: &SensorId,
        actor: String,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<(), StoreError> {
        let Some(installed) = self.installed.get(sensor) else { return Ok(()) };
        let reference = installed.active.reference.clone();
        let mut turn = Turn::new(self.clock.now(), actor.clone());
        let detail = json!({ "id": reference.id, "version": reference.version, "digest": reference.digest });
        turn.step.audits.push([
            actor,
            "transform.withdrawn".to_owned(),
            sensor.to_string(),
            detail.to_string(),
        ]);
        let _ = self.tell(&mut turn, sensor, Event::Put { artifact: None }).await?;
        turn.take_out(sensor.clone());
        self.carry_out(turn, pipeline).await?;
        self.report(sensor);
        Ok(())
    }

    /// Tells the sessions of a transform that waits for their end.
    pub(super) fn tell_sessions(&self, envelope: &[u8]) {
        let mut reach = Reach::of(self);
        reach.slots = Box::new(|id| Slot { session: None, ..self.slot(id) });
        let Ok(verified) = verify_transform(envelope, &self.context(&reach)) else { return };
        let (id, version) = (&verified.transform.id, verified.transform.version);
        for sensor in verified.sensors.iter().filter(|sensor| self.sessions.contains_key(*sensor)) {
            // Whoever has no room knows of others that wait.
            let _ = self.waits.try_send((sensor.clone(), id.clone(), version));
        }
    }
}
