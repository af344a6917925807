//! The transform in force at a sensor, ready to apply.

use std::sync::Arc;

use crate::domain::digest::Digest;
use crate::domain::drift::traced::Traced;
use crate::domain::id::SensorId;
use crate::domain::sample::TransformRef;
use crate::domain::time::Timestamp;
use crate::domain::transform::Compiled;
use crate::domain::transform::artifact::Transform;

/// A verified transform, compiled, with what a reading must say about it.
#[derive(Debug)]
pub struct Active {
    /// What a reading names.
    pub reference: Arc<TransformRef>,
    /// The compiled stages.
    pub compiled: Arc<Compiled>,
    /// UCUM code of the calibrated value.
    pub unit: Arc<str>,
    /// What its values have from its standards.
    pub traced: Traced,
    /// When its last reference was, as far as is known: the age of the calibration counts from here.
    pub calibrated_at: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// When it came into force here.
    pub since: Timestamp,
    /// Whether it stays in force although the trust root does not let it stand any more.
    pub revoked: bool,
}

impl Active {
    /// A transform that stands from `since` on.
    pub fn of(transform: &Transform, digest: Digest, compiled: Arc<Compiled>, since: Timestamp) -> Active {
        let (id, version) = (transform.id.clone(), transform.version);
        Active {
            reference: Arc::new(TransformRef { id, version, digest }),
            compiled,
            unit: Arc::from(transform.output_unit.as_str()),
            traced: Traced::of(transform),
            calibrated_at: transform.calibrated_at(),
            expires: transform.expires,
            since,
            revoked: false,
        }
    }
}

/// Asks the pipeline to change what is in force at a sensor, between two readings.
#[derive(Debug)]
pub struct Change {
    /// Where.
    pub sensor: SensorId,
    /// What from now on; `None`: nothing, readings go out raw.
    pub active: Option<Arc<Active>>,
}
