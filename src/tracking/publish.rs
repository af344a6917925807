//! What is told of drift: a retained message for each sensor, and series.

use std::collections::HashMap;
use std::time::Duration;

use super::Wanted;
use super::tracker::Tracker;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::sync::link::Link;
use crate::telemetry::metrics::Metrics;
use crate::wire::message::DriftMetrics;

/// A sensor's message is not sent more often.
const EVERY: Duration = Duration::from_secs(60);

/// Tells what has changed.
#[derive(Debug)]
pub struct Publisher {
    branch: String,
    link: Link,
    metrics: Metrics,
    told: HashMap<SensorId, Duration>,
}

impl Publisher {
    /// Publishes below `branch`, where the gateway's own messages are.
    pub fn new(branch: String, link: Link, metrics: Metrics) -> Publisher {
        Publisher { branch, link, metrics, told: HashMap::new() }
    }

    /// Tells what has changed at sensors that were silent for long enough; `elapsed` is a time that does not jump.
    pub fn publish(&mut self, trackers: &mut HashMap<SensorId, Tracker>, now: Timestamp, elapsed: Duration) {
        self.told.retain(|sensor, _| trackers.contains_key(sensor));
        for (id, tracker) in trackers {
            let rests = self.told.get(id).is_some_and(|told| elapsed.saturating_sub(*told) < EVERY);
            if rests || !tracker.has_changed() {
                continue;
            }
            tracker.take_changed();
            self.told.insert(id.clone(), elapsed);
            let topic = format!("{}/metrics/{id}", self.branch);
            let Some(drift) = tracker.drift(&Wanted::default(), now) else {
                // What was told does not hold any more.
                self.metrics.drift.retain(|other| other != id);
                self.link.retain(topic, Vec::new());
                continue;
            };
            self.metrics.drift.note(&drift);
            if self.link.is_configured() {
                // Flat structs of texts and numbers always serialise.
                let payload = serde_json::to_vec(&DriftMetrics::of(&drift)).unwrap_or_default();
                self.link.retain(topic, payload);
            }
        }
    }
}
