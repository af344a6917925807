//! The plan of a session: what the gateway knows of the sensor, and what whoever opens it says.

use super::Refused;
use super::run::Parts;
use crate::activation::desk::{Ask as DeskAsk, Site};
use crate::domain::id::SensorId;
use crate::domain::sensor::{Kind, Sensor};
use crate::domain::session::{Fault, InForce, Item, Plan, patience, silence};
use crate::domain::uncertainty::decision::Rule;
use crate::domain::units::Unit;
use crate::wire::control::OpenSession;
use crate::wire::message::ClockState;

/// The level of expanded uncertainties where no certificates are issued.
const LEVEL: f64 = 0.95;

impl Parts {
    /// What the desk knows of a sensor.
    pub(super) async fn site(&self, sensor: &SensorId) -> Result<Site, Refused> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let gone = Refused::Unavailable("calibd is ending: try again when it has started");
        if self.desk.send(DeskAsk::Site(sensor.clone(), answer)).await.is_err() {
            return Err(gone);
        }
        Ok(answered.await.map_err(|_| gone)??)
    }

    /// How verdicts heed the uncertainty and the level of it, where nobody says it of the sensor: as on certificates.
    fn usual(&self) -> (Rule, f64) {
        let office = self.office.borrow();
        office.as_ref().map_or((Rule::default(), LEVEL), |office| (office.rule, office.coverage_probability))
    }

    /// The plan of a session that somebody opens.
    pub(super) async fn plan(&self, wanted: &OpenSession) -> Result<Plan, Refused> {
        let id = &wanted.sensor;
        let unknown =
            || Refused::Unknown(format!("there is no sensor `{id}`; `calibctl sensors` lists them"));
        let sensor = self.sensors.get(id).ok_or_else(unknown)?;
        if sensor.kind == Kind::Probability {
            return Err(Fault::NotAMeasurement(id.clone()).into());
        }
        if sensor.quantity.trim().is_empty() {
            return Err(Fault::NoQuantity(id.clone()).into());
        }
        let site = self.site(id).await?;
        let unit = self.unit(&sensor, wanted, &site)?;
        let settings = sensor.comparison.recalibration;
        let configured = settings.t90.map(|t90| t90.as_secs_f64());
        let response = wanted.t90_seconds.or(configured).ok_or_else(|| Fault::NoResponseTime(id.clone()))?;
        let mpe = site.mpe.or(sensor.comparison.mpe).ok_or_else(|| Fault::NoMpe(id.clone()))?;
        let (rule, level) = self.usual();
        let limit = wanted.time_limit_seconds.or(settings.time_limit.map(|limit| limit.as_secs_f64()));
        Ok(Plan {
            fleet: self.fleet.clone(),
            gateway: self.gateway.clone(),
            sensor: id.clone(),
            quantity: sensor.quantity.clone(),
            item: self.item(&sensor).await?,
            input_unit: sensor.unit.to_string(),
            unit,
            mpe,
            rule: wanted.rule.or(settings.rule).unwrap_or(rule),
            level,
            response_seconds: response,
            max_drift: settings.max_drift,
            max_scatter: settings.max_scatter,
            patience_seconds: limit.unwrap_or_else(|| patience(response)),
            silence_seconds: silence(sensor.comparison.period.map(|period| period.as_secs_f64())),
            resolution: settings.resolution,
            range: settings.range,
            in_force: site.in_force.map(|(it, _)| InForce {
                id: it.id,
                version: it.version,
                digest: it.digest,
            }),
            mode: wanted.mode,
            max_step: settings.max_step,
            words: wanted.words.clone(),
            opened: self.clock.now(),
            clock_trusted: self.time.of(&self.clock) != ClockState::Untrusted,
        })
    }

    /// The unit of the values: of the transform in force, else the one given, else that of raw readings which are in
    /// the quantity's own unit already.
    fn unit(&self, sensor: &Sensor, wanted: &OpenSession, site: &Site) -> Result<String, Refused> {
        let given = wanted.unit.as_deref().map(Unit::parse).transpose();
        let given = given.map_err(|error| Refused::Bad(error.to_string()))?;
        let in_force = site.in_force.as_ref().and_then(|(_, payload)| {
            let transform = crate::domain::transform::artifact::Transform::parse(payload.as_bytes()).ok()?;
            Some(transform.output_unit)
        });
        match (in_force, given) {
            (Some(unit), Some(given)) if **given.code() != *unit => Err(Refused::Bad(format!(
                "the values of {} are in {unit}, as the transform in force says: leave the unit out",
                sensor.id
            ))),
            (Some(unit), _) => Ok(unit),
            (None, Some(given)) => Ok(given.code().to_string()),
            (None, None) => Err(Fault::NoUnit(sensor.id.clone()).into()),
        }
    }

    /// What is mounted at the sensor.
    pub(super) async fn item(&self, sensor: &Sensor) -> Result<Item, Refused> {
        let mounted = self.store.mounts_of(sensor.id.clone(), 1).await?.pop().map(|mount| mount.instrument);
        // A configuration that has come to name another serial number is the newer word.
        let mounted = mounted.filter(|it| sensor.serial.as_ref() == Some(&it.serial));
        let (model, serial) = (sensor.model.clone(), sensor.serial.clone());
        Ok(match mounted {
            Some(it) => Item {
                make: it.make,
                model,
                serial,
                element_serial: it.element_serial,
                firmware: it.firmware,
            },
            None => Item { model, serial, ..Item::default() },
        })
    }
}
