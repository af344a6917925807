//! `GET /v1/sensors` and `GET /v1/sensors/{id}`

use std::collections::{BTreeMap, HashMap};

use axum::extract::{Path, State};

use super::answer::{Answer, Problem, json};
use super::gateway::Gateway;
use super::maintenance;
use crate::domain::id::SensorId;
use crate::domain::sample::Reading;
use crate::domain::sensor::{self, Kind};
use crate::store::Upkeep;
use crate::wire::control::{Sensor, SensorRollout, Sensors, Transform};

/// All sensors.
pub async fn list(State(gateway): State<Gateway>) -> Answer {
    let in_force = gateway.in_force().await?;
    let last = gateway.store.latest(None).await?;
    let last: HashMap<SensorId, Reading> = last.into_iter().map(|r| (r.sensor.clone(), r)).collect();
    let (all, mut upkeep) = (gateway.sensors.all(), gateway.maintenance.all());
    let rollouts = gateway.rollouts(None).await;
    let mut rollouts: HashMap<SensorId, SensorRollout> =
        rollouts.into_iter().map(|rollout| (rollout.sensor.clone(), rollout)).collect();
    let mut show = |sensor: &sensor::Sensor, last| {
        let rollout = rollouts.remove(&sensor.id);
        Sensor { rollout, ..show(&gateway, sensor, last, &in_force, upkeep.remove(&sensor.id)) }
    };
    let sensors = all.iter().map(|sensor| show(sensor, last.get(&sensor.id)));
    json(&Sensors { sensors: sensors.collect() })
}

/// One sensor.
pub async fn one(State(gateway): State<Gateway>, Path(name): Path<String>) -> Answer {
    let unknown = || Problem::unknown(format!("there is no sensor `{name}`; `calibctl sensors` lists them"));
    let id = SensorId::new(&name).map_err(|_| unknown())?;
    let sensor = gateway.sensors.get(&id).ok_or_else(unknown)?;
    let in_force = gateway.in_force().await?;
    let upkeep = gateway.maintenance.all().remove(&id);
    let rollout = gateway.rollouts(Some(id.clone())).await.pop();
    let last = gateway.store.latest(Some(vec![id])).await?;
    json(&Sensor { rollout, ..show(&gateway, &sensor, last.first(), &in_force, upkeep) })
}

fn show(
    gateway: &Gateway,
    sensor: &sensor::Sensor,
    last: Option<&Reading>,
    in_force: &BTreeMap<SensorId, Transform>,
    upkeep: Option<Upkeep>,
) -> Sensor {
    let owner = gateway.sensors.owner(&sensor.id).map(|owner| (owner.source, owner.field));
    let (source, field) = owner.unzip();
    Sensor {
        id: sensor.id.clone(),
        source,
        field,
        quantity: sensor.quantity.clone(),
        kind: kind(sensor.kind).to_owned(),
        unit: sensor.unit.to_string(),
        model: sensor.model.clone(),
        serial: sensor.serial.clone(),
        uncertainty: sensor.uncertainty,
        covariates: sensor.covariates.clone(),
        last: last.map(Into::into),
        transform: in_force.get(&sensor.id).cloned(),
        maintenance: upkeep.map(maintenance::shown),
        rollout: None,
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Measurement => "measurement",
        Kind::Probability => "probability",
    }
}
