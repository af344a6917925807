//! What a source reports of itself: each event is one log line and one counter. `runtime::quiet` limits the lines.

use std::collections::HashMap;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::alarm::Alarm;
use super::metrics::Metrics;
use super::tap::{Seen, Tap};
use crate::domain::id::Id;

/// Counts and logs the events of one source, in the source's span.
#[derive(Debug)]
pub struct SourceEvents {
    name: Id,
    metrics: Metrics,
    readings: Counter,
    up: Gauge,
    dropped: HashMap<&'static str, Counter>,
    tap: Tap,
    alarm: Alarm,
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
            alarm: metrics.alarms.source(name.as_str()),
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
        self.alarm.clear();
        self.tap.connection(Seen::Connected(what.to_owned()));
        tracing::info!(parent: self.alarm.span(), "connected to {what}");
    }

    /// The instrument is lost or cannot be reached, and somebody must look after it; it is tried again
    /// after `retry`.
    pub fn lost(&self, problem: &str, remedy: &str, retry: Duration) {
        self.down(problem);
        let message = format!("the source {} is not connected: {problem}", self.name);
        self.alarm.raise("lost", message, remedy);
        tracing::debug!(parent: self.alarm.span(), "trying again in {:.1} s", retry.as_secs_f64());
    }

    /// The connection was lost or could not be made, which may well mend itself; it is tried again after
    /// `retry`.
    pub fn disconnected(&self, problem: &str, retry: Duration) {
        self.down(problem);
        let seconds = retry.as_secs_f64();
        tracing::warn!(parent: self.alarm.span(), "{problem}; trying again in {seconds:.1} s");
    }

    fn down(&self, problem: &str) {
        self.up.set(0);
        self.tap.connection(Seen::Disconnected(problem.to_owned()));
        let label = vec![("source", self.name.to_string())];
        self.metrics.source_reconnects.get_or_create(&label).inc();
    }

    /// The other side is there and does not let the source have its input.
    pub fn refused(&self, problem: &str, remedy: &str) {
        self.up.set(0);
        let message = format!("the source {} gets nothing: {problem}", self.name);
        self.alarm.raise("refused", message, remedy);
    }

    /// The source has delivered all it has, or was asked to stop.
    pub fn finished(&self) {
        self.up.set(0);
        self.alarm.clear();
        self.tap.connection(Seen::Disconnected("it has delivered all it has".to_owned()));
        tracing::info!(parent: self.alarm.span(), "finished");
    }

    /// Where the source shows what it sees.
    pub fn tap(&self) -> &Tap {
        &self.tap
    }

    /// Input was dropped for `reason`.
    pub fn dropped(&mut self, reason: &'static str, detail: &str) {
        let counter = self
            .dropped
            .entry(reason)
            .or_insert_with(|| self.metrics.samples_dropped.of(self.name.as_str(), reason));
        counter.inc();
        self.tap.show(|| Seen::Fault { reason, detail: detail.to_owned() });
        tracing::warn!(parent: self.alarm.span(), reason, "input dropped: {detail}");
    }
}

impl Drop for SourceEvents {
    /// However the source's task ends, it is not connected any more.
    fn drop(&mut self) {
        self.up.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(metrics: &Metrics) -> SourceEvents {
        SourceEvents::new(Id::new("line1").unwrap(), metrics)
    }

    #[test]
    fn drops_are_counted_by_reason() {
        let metrics = Metrics::new();
        let mut events = events(&metrics);
        events.dropped("bad_utf8", "line 3");
        events.dropped("bad_utf8", "line 4");
        let text = metrics.text();
        let line = "calibd_samples_dropped_total{source=\"line1\",reason=\"bad_utf8\"} 2";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn only_what_does_not_mend_itself_is_an_alarm() {
        let metrics = Metrics::new();
        let events = events(&metrics);
        let alarms = || metrics.alarms.standing().into_iter().map(|alarm| alarm.message).collect::<Vec<_>>();
        let second = Duration::from_secs(1);
        events.disconnected("broker b: refused", second);
        assert_eq!(alarms(), [""; 0]);
        events.lost("port p is gone", "plug it in", second);
        assert_eq!(alarms(), ["the source line1 is not connected: port p is gone"]);
        events.connected("port p");
        assert_eq!(alarms(), [""; 0]);
        events.refused("no subscription", "allow it");
        assert_eq!(alarms(), ["the source line1 gets nothing: no subscription"]);
        assert!(metrics.text().contains("calibd_source_reconnects_total{source=\"line1\"} 2"));
    }

    #[test]
    fn a_source_whose_task_is_gone_is_not_up() {
        let metrics = Metrics::new();
        let events = events(&metrics);
        events.connected("port p");
        assert!(metrics.text().contains("calibd_source_up{source=\"line1\"} 1"));
        drop(events);
        assert!(metrics.text().contains("calibd_source_up{source=\"line1\"} 0"));
    }
}
