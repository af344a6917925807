//! What a source reports of itself: each event is one log line and one counter. `runtime::quiet` limits the lines.

use std::collections::HashMap;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::metrics::Metrics;
use super::tap::{Seen, Tap};
use crate::domain::id::Id;

/// Counts and logs the events of one source.
#[derive(Debug)]
pub struct SourceEvents {
    name: Id,
    metrics: Metrics,
    readings: Counter,
    up: Gauge,
    dropped: HashMap<&'static str, Counter>,
    tap: Tap,
}

impl SourceEvents {
    /// Prepares the counters of source `name`.
    pub fn new(name: Id, metrics: &Metrics) -> SourceEvents {
        let label = vec![("source", name.to_string())];
        SourceEvents {
            readings: metrics.readings.get_or_create_owned(&label),
            up: metrics.source_up.get_or_create_owned(&label),
            metrics: metrics.clone(),
            dropped: HashMap::new(),
            tap: metrics.taps.of(&name),
            name,
        }
    }

    /// A sample was handed over.
    pub fn sample(&self) {
        self.readings.inc();
    }

    /// The source is connected.
    pub fn connected(&self, what: &str) {
        self.up.set(1);
        self.tap.connection(Seen::Connected(what.to_owned()));
        tracing::info!(source = %self.name, "connected to {what}");
    }

    /// The connection was lost or could not be made; it is tried again after `retry`.
    pub fn disconnected(&self, problem: &str, retry: Duration) {
        self.up.set(0);
        self.tap.connection(Seen::Disconnected(problem.to_owned()));
        let label = vec![("source", self.name.to_string())];
        self.metrics.source_reconnects.get_or_create(&label).inc();
        let seconds = retry.as_secs_f64();
        tracing::warn!(source = %self.name, "{problem}; trying again in {seconds:.1} s");
    }

    /// The source has delivered all it has.
    pub fn finished(&self) {
        self.up.set(0);
        self.tap.connection(Seen::Disconnected("it has delivered all it has".to_owned()));
        tracing::info!(source = %self.name, "finished");
    }

    /// Where the source shows what it sees.
    pub fn tap(&self) -> &Tap {
        &self.tap
    }

    /// Input was dropped for `reason`.
    pub fn dropped(&mut self, reason: &'static str, detail: &str) {
        let counter = self.dropped.entry(reason).or_insert_with(|| {
            let labels = vec![("source", self.name.to_string()), ("reason", reason.to_owned())];
            self.metrics.samples_dropped.get_or_create_owned(&labels)
        });
        counter.inc();
        self.tap.show(|| Seen::Fault { reason, detail: detail.to_owned() });
        tracing::warn!(source = %self.name, reason, "input dropped: {detail}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_counted_by_reason() {
        let metrics = Metrics::new();
        let mut events = SourceEvents::new(Id::new("line1").unwrap(), &metrics);
        events.dropped("bad_utf8", "line 3");
        events.dropped("bad_utf8", "line 4");
        let text = metrics.text();
        let line = "calibd_samples_dropped_total{source=\"line1\",reason=\"bad_utf8\"} 2";
        assert!(text.contains(line), "{text}");
    }
}
