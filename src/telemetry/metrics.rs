//! The registry of all metrics, and their exposition as OpenMetrics text.

use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::tap::Taps;

/// Label pairs of one series.
pub type Labels = Vec<(&'static str, String)>;

/// Every metric of the process. Cheap to clone; clones share the same counters.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// What the sources see, for whoever tests them.
    pub taps: Taps,
    /// `calibd_readings_total{source}`
    pub readings: Family<Labels, Counter>,
    /// `calibd_samples_dropped_total{source,reason}`
    pub samples_dropped: Family<Labels, Counter>,
    /// `calibd_source_up{source}`
    pub source_up: Family<Labels, Gauge>,
    /// `calibd_source_reconnects_total{source}`
    pub source_reconnects: Family<Labels, Counter>,
    /// `calibd_refusals_total{reason}`
    pub refusals: Family<Labels, Counter>,
    /// `calibd_downlink_ignored_total{reason}`: messages under `down/` that are no artifacts
    pub downlink_ignored: Family<Labels, Counter>,
    /// `calibd_commits_total`
    pub commits: Counter,
    /// `calibd_commit_failures_total{reason}`
    pub commit_failures: Family<Labels, Counter>,
    /// `calibd_store_free_bytes`
    pub store_free: Gauge,
    /// `calibd_store_stage{stage}`: 1 at the stage that the free space calls for
    pub store_stage: Family<Labels, Gauge>,
    /// `calibd_store_check_timestamp_seconds`: the last check of both databases; 0: none is known
    pub store_check_time: Gauge,
    /// `calibd_store_check_ok`: 1 if that found both whole
    pub store_check_ok: Gauge,
    /// `calibd_publishes_total{sink}`
    pub publishes: Family<Labels, Counter>,
    /// `calibd_publishes_dropped_total{sink,reason}`
    pub publishes_dropped: Family<Labels, Counter>,
    /// `calibd_sink_backlog_readings{sink}`
    pub sink_backlog: Family<Labels, Gauge>,
    /// `calibd_link_up`
    pub link_up: Gauge,
    /// `calibd_link_reconnects_total`
    pub link_reconnects: Counter,
    /// `calibd_clock_jumps_total{direction}`
    pub clock_jumps: Family<Labels, Counter>,
    /// `calibd_task_restarts_total{task}`
    pub task_restarts: Family<Labels, Counter>,
    /// `calibd_sequence_gaps_total`
    pub gaps: Counter,
}

impl Metrics {
    /// Makes and registers all metrics.
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("calibd");
        let mut metrics = Metrics::unregistered();
        metrics.register(&mut registry);
        metrics.registry = Arc::new(registry);
        metrics
    }

    fn unregistered() -> Metrics {
        Metrics {
            registry: Arc::default(),
            taps: Taps::default(),
            readings: Family::default(),
            samples_dropped: Family::default(),
            source_up: Family::default(),
            source_reconnects: Family::default(),
            refusals: Family::default(),
            downlink_ignored: Family::default(),
            commits: Counter::default(),
            commit_failures: Family::default(),
            store_free: Gauge::default(),
            store_stage: Family::default(),
            store_check_time: Gauge::default(),
            store_check_ok: Gauge::default(),
            publishes: Family::default(),
            publishes_dropped: Family::default(),
            sink_backlog: Family::default(),
            link_up: Gauge::default(),
            link_reconnects: Counter::default(),
            clock_jumps: Family::default(),
            task_restarts: Family::default(),
            gaps: Counter::default(),
        }
    }

    fn register(&self, to: &mut Registry) {
        to.register("readings", "samples taken over from a source", self.readings.clone());
        to.register("samples_dropped", "input that gave no sample, and why", self.samples_dropped.clone());
        to.register("source_up", "1 while the source is connected", self.source_up.clone());
        to.register("source_reconnects", "times a source was opened again", self.source_reconnects.clone());
        to.register("refusals", "artifacts refused, by reason code", self.refusals.clone());
        to.register(
            "downlink_ignored",
            "messages from above that are no artifact",
            self.downlink_ignored.clone(),
        );
        to.register("commits", "commits to the history", self.commits.clone());
        to.register(
            "commit_failures",
            "commits that failed and are tried again",
            self.commit_failures.clone(),
        );
        to.register("store_free_bytes", "free on the disk of the store", self.store_free.clone());
        to.register("store_stage", "1 at the stage of the disk of the store", self.store_stage.clone());
        to.register(
            "store_check_timestamp_seconds",
            "when both databases were last checked",
            self.store_check_time.clone(),
        );
        to.register("store_check_ok", "1 if the last check found both whole", self.store_check_ok.clone());
        to.register("publishes", "readings published by a sink", self.publishes.clone());
        to.register("publishes_dropped", "readings a sink could not publish", self.publishes_dropped.clone());
        to.register("sink_backlog_readings", "readings not yet acknowledged", self.sink_backlog.clone());
        to.register("link_up", "1 while the broker is connected", self.link_up.clone());
        to.register("link_reconnects", "times the broker was connected again", self.link_reconnects.clone());
        to.register("clock_jumps", "steps of the wall clock over a second", self.clock_jumps.clone());
        to.register("task_restarts", "tasks that failed and were started again", self.task_restarts.clone());
        to.register("sequence_gaps", "gaps in the sequence numbers", self.gaps.clone());
        to.register("build", "the running version", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    }

    /// All metrics as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail; a half-written one would still be the best answer.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_reference() {
        let metrics = Metrics::new();
        metrics.readings.get_or_create(&vec![("source", "line1".into())]).inc();
        metrics.commits.inc();
        let text = metrics.text();
        for line in [
            "calibd_readings_total{source=\"line1\"} 1",
            "calibd_commits_total 1",
            concat!("calibd_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
