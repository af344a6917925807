//! What comes of references: each event is one counter, and a log line where somebody may act.

use super::metrics::Metrics;
use crate::domain::id::SensorId;
use crate::domain::pairing::{Outcome, Pair};
use crate::domain::reference::Reference;

/// A reading of a reference cannot be one.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceRefused<'a> {
    /// The sensor that it would have been about.
    pub sensor: &'a SensorId,
    /// The reference.
    pub source: &'a SensorId,
    /// Why.
    pub problem: &'a str,
}

impl ReferenceRefused<'_> {
    /// Counts and logs it.
    pub fn record(self, metrics: &Metrics) {
        let ReferenceRefused { sensor, source, problem } = self;
        metrics.references_refused.inc();
        tracing::warn!(%sensor, "a reading of {source} is no reference for {sensor}: {problem}");
    }
}

/// Counts a pair.
pub fn paired(metrics: &Metrics, pair: &Pair) {
    metrics.pairs.get_or_create(&vec![("origin", pair.origin.as_str().to_owned())]).inc();
}

/// Counts a reference that has no pair.
pub fn unpaired(metrics: &Metrics, reference: &Reference, outcome: &Outcome) {
    let reason = match outcome {
        Outcome::TooFew { .. } => "too_few_readings",
        Outcome::Changed => "transform_changed",
        Outcome::NoReading { .. } => "no_reading",
        Outcome::OtherUnit { .. } => "other_unit",
        Outcome::Flagged => "flagged",
        // Neither is an end.
        Outcome::Paired(_) | Outcome::Waiting { .. } => return,
    };
    metrics.references_unpaired.get_or_create(&vec![("reason", reason.to_owned())]).inc();
    tracing::debug!(sensor = %reference.sensor, "{}", outcome.sentence(reference));
}
