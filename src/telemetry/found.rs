//! What the monitors have found: each finding is one log line and one counter.

use super::metrics::Metrics;
use crate::domain::alert;
use crate::domain::id::SensorId;
use crate::domain::monitor::Finding;
use crate::domain::monitor::check::CheckState;
use crate::domain::monitor::scheduled::CheckOutcome;

/// Something came to stand against a sensor.
#[derive(Debug)]
pub struct Found<'a> {
    /// The sensor.
    pub sensor: &'a SensorId,
    /// What.
    pub finding: &'a Finding,
}

impl Found<'_> {
    /// Counts and logs it.
    pub fn record(&self, metrics: &Metrics) {
        let kind = self.finding.evidence.kind();
        metrics.sensors.found(self.sensor, kind);
        let text = self.finding.sentence();
        tracing::warn!(sensor = %self.sensor, finding = kind.as_str(), "the sensor {} {text}", self.sensor);
    }
}

/// Logs that something no longer stands against a sensor.
pub fn over(sensor: &SensorId, kind: alert::Kind) {
    let kind = kind.as_str();
    tracing::info!(%sensor, finding = kind, "no longer the matter with the sensor {sensor}: {kind}");
}

/// Counts and logs what has come of a check.
pub fn checked(metrics: &Metrics, sensor: &SensorId, outcome: &CheckOutcome) {
    let (kind, state) = (outcome.kind.as_str(), outcome.state.map_or("too_few", CheckState::as_str));
    metrics.checks.get_or_create(&vec![("kind", kind.to_owned()), ("state", state.to_owned())]).inc();
    let (name, text) = (&outcome.name, outcome.sentence());
    match outcome.state {
        Some(CheckState::Ok) => {
            tracing::info!(%sensor, check = %name, state, "the {kind} check {name} of {sensor} {text}");
        }
        _ => tracing::warn!(%sensor, check = %name, state, "the {kind} check {name} of {sensor} {text}"),
    }
}
