//! What comes of references: each event is one counter, and a log line where somebody may act.

use super::metrics::Metrics;
use crate::domain::id::SensorId;
use crate::domain::pairing::{Outcome, Pair};
use crate::domain::reference::{Reference, ReferenceError};

/// A reading of a reference cannot be one.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceRefused<'a> {
    /// The sensor that it would have been about.
    pub sensor: &'a SensorId,
    /// The reference.
    pub source: &'a SensorId,
    /// Why.
    pub error: &'a ReferenceError,
}

impl ReferenceRefused<'_> {
    /// Counts and logs it.
    pub fn record(self, metrics: &Metrics) {
        let ReferenceRefused { sensor, source, error } = self;
        count_refused(metrics, error.reason());
        tracing::warn!(%sensor, "a reading of {source} is no reference for {sensor}: {error}");
    }
}

/// A message from the broker, or a reference in it, cannot be used.
#[derive(Clone, Copy, Debug)]
pub struct MessageRefused<'a> {
    /// The sensor, as the topic names it.
    pub sensor: &'a str,
    /// Why, in a word of a list in the program.
    pub reason: &'static str,
    /// Why, in a sentence.
    pub problem: &'a str,
}

impl MessageRefused<'_> {
    /// Counts and logs it.
    pub fn record(self, metrics: &Metrics) {
        let MessageRefused { sensor, reason, problem } = self;
        count_refused(metrics, reason);
        let shown: String = sensor.escape_debug().take(80).collect();
        tracing::warn!(reason, "a reference from the broker for `{shown}` is refused: {problem}");
    }
}

fn count_refused(metrics: &Metrics, reason: &str) {
    metrics.references_refused.get_or_create(&vec![("reason", reason.to_owned())]).inc();
}

/// Counts a reference from the broker by what it was when it came.
pub fn received(metrics: &Metrics, outcome: &str) {
    metrics.references_received.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
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
