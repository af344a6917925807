//! `[peers.<name>]`: sensors side by side that measure the same thing.

use std::time::Duration;

use super::reader::{Section, Value};
use super::sensor::SensorConfig;
use crate::domain::id::{Id, SensorId};
use crate::domain::monitor::peers::{FEWEST, MOST, PeerLimits};

/// A group of sensors that measure the same thing.
#[derive(Debug, Clone, PartialEq)]
pub struct PeersConfig {
    /// Its name.
    pub name: Id,
    /// Its members.
    pub sensors: Vec<SensorId>,
    /// The unit of the values that are compared; readings in another are left out.
    pub unit: String,
    /// What is allowed.
    pub limits: PeerLimits,
}

/// Reads every `[peers.<name>]`. `templated`: other sensors may appear later, made from templates.
pub fn read_peers(root: &mut Section<'_>, sensors: &[SensorConfig], templated: bool) -> Vec<PeersConfig> {
    let mut all: Vec<PeersConfig> = Vec::new();
    for (name, mut section) in root.tables("peers") {
        if let Some(group) = read_group(&name, &mut section, sensors, templated, &all) {
            all.push(group);
        }
    }
    all
}

fn read_group(
    name: &str,
    section: &mut Section<'_>,
    known: &[SensorConfig],
    templated: bool,
    others: &[PeersConfig],
) -> Option<PeersConfig> {
    let id = Id::new(name).ok();
    if id.is_none() {
        section.fault_here(format!("`{name}` is not an identifier"), super::value::ID_RULE);
    }
    let unit = section.required("unit", "unit = \"Cel\"").string("unit");
    let tolerance = section.float("tolerance", 0.0..=f64::INFINITY);
    let ages = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
    let max_age = section.duration("max_age", ages).unwrap_or(Duration::from_secs(300));
    let day = Duration::from_secs(86_400);
    let learn = section.duration("learn", Duration::ZERO..=366 * day).unwrap_or(day);
    let limits = PeerLimits { max_age, learn, tolerance };
    let items = section.required("sensors", "sensors = [\"a\", \"b\", \"c\"]").list("sensors")?;
    if !(FEWEST..=MOST).contains(&items.len()) {
        let problem = format!("has {} sensors", items.len());
        section.fault("sensors", problem, "name 3 to 64: of two, nobody knows which is wrong");
    }
    let mut sensors = Vec::new();
    for item in items {
        let sensor = item.id()?;
        check(&item, &sensor, &sensors, known, templated, others);
        sensors.push(sensor);
    }
    Some(PeersConfig { name: id?, sensors, unit: unit?, limits })
}

/// Checks that a member exists and is in no group yet.
fn check(
    item: &Value<'_>,
    sensor: &SensorId,
    before: &[SensorId],
    known: &[SensorConfig],
    templated: bool,
    others: &[PeersConfig],
) {
    if before.contains(sensor) {
        item.fault(format!("`{sensor}` is named twice"), "name each sensor once");
    }
    if let Some(other) = others.iter().find(|other| other.sensors.contains(sensor)) {
        let problem = format!("`{sensor}` is in peers `{}` already", other.name);
        item.fault(problem, "keep it in one group");
    }
    if !known.iter().any(|config| config.sensor.id == *sensor) {
        let (problem, remedy) = (format!("there is no sensor `{sensor}`"), format!("add [sensor.{sensor}]"));
        match templated {
            true => item.warn(format!("{problem} unless a template makes it"), remedy),
            false => item.fault(problem, remedy),
        }
    }
}
