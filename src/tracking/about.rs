//! What is known of the sensor that references are about, wherever they come from.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::domain::id::SensorId;
use crate::domain::reference::{Given, Known, Origin, Reference, ReferenceError, Standard};
use crate::domain::sensor::{Kind, Sensor};
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::Mpe;
use crate::domain::units::Unit;
use crate::pipeline::run::{Request, in_force};

/// How long the pipeline may take to say what is in force.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of references as they come.
#[derive(Debug)]
pub struct Came {
    /// The standards that they may name.
    pub standards: Arc<[Standard]>,
    /// The gateway's clock.
    pub now: Timestamp,
    /// Whether that can be believed.
    pub trusted: bool,
    /// The way they came.
    pub origin: Origin,
}

/// What is known of a sensor, and of references as they come.
#[derive(Debug)]
pub struct About {
    sensor: SensorId,
    kind: Kind,
    /// The unit of the transform in force.
    calibrated: Option<Unit>,
    raw: Option<Unit>,
    mpe: Option<Mpe>,
    came: Came,
}

impl About {
    /// About a sensor as it is configured, if it is, with the unit of the transform in force, if there is one.
    pub fn new(sensor: SensorId, configured: Option<&Sensor>, calibrated: Option<&str>, came: Came) -> About {
        About {
            sensor,
            kind: configured.map_or(Kind::Measurement, |configured| configured.kind),
            calibrated: calibrated.and_then(|unit| Unit::parse(unit).ok()),
            raw: configured.and_then(|configured| Unit::parse(&configured.unit).ok()),
            mpe: configured.and_then(|configured| configured.comparison.mpe),
            came,
        }
    }

    /// The standard that a reference names, if it is known here.
    pub fn standard(&self, given: &Given) -> Option<&Standard> {
        let id = given.standard.as_ref()?;
        self.came.standards.iter().find(|known| known.id.as_str() == id)
    }

    /// The reference that was given.
    pub fn check(&self, given: &Given) -> Result<Reference, ReferenceError> {
        given.check(&Known {
            sensor: &self.sensor,
            kind: self.kind,
            unit: self.unit(given),
            mpe: self.mpe.as_ref(),
            standard: self.standard(given),
            now: self.came.now,
            trusted: self.came.trusted,
            origin: self.came.origin,
            source: None,
        })
    }

    /// Before the first transform the raw unit counts where the reference's converts to it.
    fn unit(&self, given: &Given) -> Option<&Unit> {
        let converts = |raw: &&Unit| {
            let unit = given.unit.as_deref().and_then(|code| Unit::parse(code).ok());
            unit.is_none_or(|unit| unit.conversion(raw).is_ok())
        };
        self.calibrated.as_ref().or_else(|| self.raw.as_ref().filter(converts))
    }
}

/// The units of the transforms in force, by sensor; `None`: the pipeline did not say in time.
pub async fn units_in_force(pipeline: &mpsc::Sender<Request>) -> Option<HashMap<SensorId, Arc<str>>> {
    let found = in_force(pipeline, PATIENCE).await?;
    Some(found.into_iter().map(|(sensor, active)| (sensor, active.unit.clone())).collect())
}
