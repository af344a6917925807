//! What is told of drift: a retained message for each sensor, and series.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Wanted;
use super::tracker::Tracker;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::sync::link::Link;
use crate::telemetry::metrics::Metrics;
use crate::wire::control::SensorDrift;
use crate::wire::message::{DriftMetrics, ReportedDrift};

/// A sensor's message is not sent more often.
const EVERY: Duration = Duration::from_secs(60);
/// Nor is what the signed report says of it, unless it stands otherwise.
const REPORT_EVERY: Duration = Duration::from_secs(600);

/// The way to whoever signs what is reported of a sensor.
pub type ReportDrift = mpsc::Sender<(SensorId, Option<ReportedDrift>)>;

/// Tells what has changed.
#[derive(Debug)]
pub struct Publisher {
    branch: String,
    link: Link,
    metrics: Metrics,
    told: HashMap<SensorId, Duration>,
    report: ReportDrift,
    reported: HashMap<SensorId, (Duration, ReportedDrift)>,
}

impl Publisher {
    /// Publishes below `branch`, where the gateway's own messages are; `report` signs the rest.
    pub fn new(branch: String, link: Link, metrics: Metrics, report: ReportDrift) -> Publisher {
        Publisher { branch, link, metrics, told: HashMap::new(), report, reported: HashMap::new() }
    }

    /// Tells what has changed at sensors that were silent for long enough; `elapsed` is a time that does not jump.
    pub fn publish(&mut self, trackers: &mut HashMap<SensorId, Tracker>, now: Timestamp, elapsed: Duration) {
        let gone = self.told.keys().filter(|sensor| !trackers.contains_key(*sensor));
        for id in gone.cloned().collect::<Vec<_>>() {
            self.take_back(&id);
        }
        for (id, tracker) in trackers {
            let rests = self.told.get(id).is_some_and(|told| elapsed.saturating_sub(*told) < EVERY);
            if rests || !tracker.has_changed() {
                continue;
            }
            tracker.take_changed();
            let Some(drift) = tracker.drift(&Wanted::default(), now) else {
                // The first pair need not wait.
                self.take_back(id);
                continue;
            };
            self.told.insert(id.clone(), elapsed);
            self.report(&drift, elapsed);
            self.metrics.drift.note(&drift);
            if self.link.is_configured() {
                // Flat structs of texts and numbers always serialise.
                let payload = serde_json::to_vec(&DriftMetrics::of(&drift)).unwrap_or_default();
                self.link.retain(self.topic(id), payload);
            }
        }
    }

    fn topic(&self, id: &SensorId) -> String {
        format!("{}/metrics/{id}", self.branch)
    }

    /// What was told of a sensor does not hold any more.
    fn take_back(&mut self, id: &SensorId) {
        self.told.remove(id);
        self.metrics.drift.retain(|other| other != id);
        self.link.retain(self.topic(id), Vec::new());
        if self.reported.remove(id).is_some() {
            // An error means that too much is to be signed already: what was said is corrected late.
            let _ = self.report.try_send((id.clone(), None));
        }
    }

    /// Has what is new of a sensor reported: at once where it stands otherwise, else now and then.
    fn report(&mut self, drift: &SensorDrift, elapsed: Duration) {
        let new = ReportedDrift::from(drift);
        let rests = self.reported.get(&drift.sensor).is_some_and(|(at, old)| {
            *old == new || old.state == new.state && elapsed.saturating_sub(*at) < REPORT_EVERY
        });
        // What has no room is told with the next change.
        if !rests && self.report.try_send((drift.sensor.clone(), Some(new))).is_ok() {
            self.reported.insert(drift.sensor.clone(), (elapsed, new));
        }
    }
}
