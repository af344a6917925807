//! Which transform a command is about: a file, or one that the gateway has accepted.

use std::path::Path;

use super::super::client::escaped;
use super::super::show::clean;
use super::super::{Asked, client};
use crate::ctl::artifacts;
use crate::ctl::output::Failure;
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::transform::Compiled;
use crate::domain::transform::artifact::Transform;
use crate::domain::trust::envelope::Envelope;
use crate::wire::control::{HeldTransform, SensorTransforms, Transforms};

/// A transform that was named on the command line.
pub struct Chosen {
    /// What it says.
    pub transform: Transform,
    /// What runs.
    pub compiled: Compiled,
    /// Its digest; a file that is not signed has none.
    pub digest: Option<Digest>,
    /// Where it is in force now.
    pub sensors: Vec<SensorId>,
}

impl Chosen {
    /// Its id and version.
    pub fn label(&self) -> String {
        format!("{} {}", self.transform.id, self.transform.version)
    }
}

/// Reads a file, or asks the gateway. Neither an id nor a digest has a `.` or a `/`: what has is a file.
pub fn choose(asked: &Asked, name: &str) -> Result<Chosen, Failure> {
    if name == "-" || name.contains(['.', '/']) {
        let (transform, compiled, digest) = artifacts::transform_and_digest(Path::new(name))?;
        return Ok(Chosen { transform, compiled, digest, sensors: Vec::new() });
    }
    accepted(&held(asked, name)?)
}

/// What the gateway has accepted under an id, a digest or its beginning.
pub fn held(asked: &Asked, name: &str) -> Result<HeldTransform, Failure> {
    client::get(asked, &format!("/v1/transforms/{}", escaped(name)))
}

/// The transform itself, out of the bytes that were signed.
pub fn accepted(held: &HeldTransform) -> Result<Chosen, Failure> {
    let name = format!("{} {}", held.id, held.version);
    let unreadable = |fault: String| Failure::refused(format!("{name}: {}", clean(&fault)));
    let bytes = serde_json::to_vec(&held.envelope).map_err(|fault| unreadable(fault.to_string()))?;
    let envelope = Envelope::parse(&bytes).map_err(|fault| unreadable(fault.to_string()))?;
    let (transform, compiled) = artifacts::parsed(&envelope.payload, &name)?;
    Ok(Chosen { transform, compiled, digest: Some(held.digest), sensors: held.sensors.clone() })
}

/// What is in force at which sensor.
pub fn in_force(asked: &Asked) -> Result<Transforms, Failure> {
    client::get(asked, "/v1/transforms")
}

/// What was in force at a sensor.
pub fn past(asked: &Asked, sensor: &str) -> Result<SensorTransforms, Failure> {
    client::get(asked, &format!("/v1/sensors/{}/transforms", escaped(sensor)))
}
