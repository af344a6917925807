//! What becomes of artifacts: each event is one log line and one counter.

use std::collections::BTreeSet;

use super::alarm::Alarm;
use super::metrics::Metrics;
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::transform::artifact::Transform;
use crate::domain::trust::reason::Refusal;
use crate::domain::trust::root::InstalledRoot;

/// Counts and logs what becomes of transforms in force.
#[derive(Debug)]
pub struct TransformEvents {
    metrics: Metrics,
    /// Sensors that lost the transform which was in force, and nothing has taken its place.
    bare: BTreeSet<SensorId>,
    /// Sensors whose transform stays in force although the trust root does not let it stand.
    kept: BTreeSet<SensorId>,
    alarm: Alarm,
    revoked: Alarm,
    ledger: Alarm,
}

impl TransformEvents {
    /// No event yet.
    pub fn new(metrics: &Metrics) -> TransformEvents {
        TransformEvents {
            metrics: metrics.clone(),
            bare: BTreeSet::new(),
            kept: BTreeSet::new(),
            alarm: metrics.alarms.part("transforms"),
            revoked: metrics.alarms.part("revoked"),
            ledger: metrics.alarms.part("activation"),
        }
    }

    /// An artifact was refused.
    pub fn refused(&self, reason: &str) {
        self.metrics.refusals.get_or_create(&vec![("reason", reason.to_owned())]).inc();
    }

    /// An artifact that would wait here found no place.
    pub fn found_no_place(&self) {
        self.metrics.downlink_ignored.get_or_create(&vec![("reason", "no_place".to_owned())]).inc();
    }

    /// A transform that was in force is not accepted any more.
    pub fn not_restored(&self, sensor: &SensorId, digest: &Digest, refusal: &Refusal) {
        let reason = refusal.reason.as_str();
        // In a span of the sensor's own, like all that is said of one.
        let span = tracing::error_span!("sensor", %sensor);
        tracing::warn!(parent: &span, %digest, reason, "the transform in the ledger is not accepted any more: {}", refusal.message);
    }

    /// What the ledger says has been put in force again, but for the sensors in `bare`; at those in `kept` only
    /// because a former trust root lets it stand.
    pub fn restored(&mut self, bare: BTreeSet<SensorId>, kept: BTreeSet<SensorId>) {
        (self.bare, self.kept) = (bare, kept);
        self.show();
    }

    /// A trust root counts.
    pub fn root_counts(&self, root: InstalledRoot) {
        self.metrics.root_expires.set(root.expires.as_micros() / 1_000_000);
    }

    /// A trust root was installed; it does not let the transforms at so many sensors stand.
    pub fn root_installed(&self, version: u64, digest: &Digest, fallen: usize) {
        tracing::info!(version, %digest, fallen, "trust root {version} is installed");
        self.ledger_works();
    }

    /// A verified trust root cannot be written to the ledger, and waits.
    pub fn root_not_installed(&self, version: u64, problem: &str) {
        let message = format!("trust root {version} is verified but not installed: {problem}");
        self.ledger.raise(problem, message, "see to the disk of store.dir; it is tried again");
    }

    /// A transform was put in force at these sensors.
    pub fn activated(&mut self, transform: &Transform, digest: &Digest, sensors: &[SensorId]) {
        self.metrics.activations.inc();
        let (id, version, count) = (&transform.id, transform.version, sensors.len());
        tracing::info!(transform = %id, version, %digest, "in force at {count} sensor(s)");
        self.ledger_works();
        self.bare.retain(|sensor| !sensors.contains(sensor));
        self.kept.retain(|sensor| !sensors.contains(sensor));
        self.show();
    }

    /// A transform has come to another stage at a sensor.
    pub fn rolled_on(&self, sensor: &SensorId, action: &str, stage: &'static str, sentence: &str) {
        self.metrics.rollouts.get_or_create(&vec![("stage", stage.to_owned())]).inc();
        let span = tracing::error_span!("sensor", %sensor);
        match stage {
            "rolled_back" => tracing::warn!(parent: &span, stage, action, "{sentence}"),
            _ => tracing::info!(parent: &span, stage, action, "{sentence}"),
        }
    }

    /// A verified transform cannot be written to the ledger, and waits.
    pub fn not_activated(&self, id: &str, problem: &str) {
        let message = format!("the transform {id} is verified but not in force: {problem}");
        self.ledger.raise(problem, message, "see to the disk of store.dir; it is tried again");
    }

    /// Something was written to the ledger.
    pub fn ledger_works(&self) {
        self.ledger.clear();
    }

    fn show(&self) {
        match named(&self.bare) {
            None => self.alarm.clear(),
            Some(sensors) => {
                let message = format!(
                    "the transform in the ledger for {sensors} is not accepted any more; readings go out raw"
                );
                self.alarm.raise("not_accepted", message, "push a new one");
            }
        }
        match named(&self.kept) {
            None => self.revoked.clear(),
            Some(sensors) => {
                let message = format!(
                    "the trust root does not accept the transform of {sensors} any more; it stays in force, flagged"
                );
                self.revoked.raise("revoked", message, "push one that is signed by an active key");
            }
        }
    }
}

/// The first of some sensors and how many others there are.
fn named(sensors: &BTreeSet<SensorId>) -> Option<String> {
    let first = sensors.first()?;
    Some(match sensors.len() - 1 {
        0 => first.to_string(),
        others => format!("{first} and {others} other sensors"),
    })
}
