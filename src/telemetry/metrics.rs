//! The registry of all metrics, and their exposition as OpenMetrics text.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::alarm::Alarms;
use super::alerts::AlertCounts;
use super::drift::DriftScores;
use super::reasons::Reasons;
use super::sensors::SensorValues;
use super::tap::Taps;
use crate::domain::id::SensorId;

/// Label pairs of one series.
pub type Labels = Vec<(&'static str, String)>;

/// Every metric of the process, and the alarms. Cheap to clone; clones share the same counters.
///
/// Labels are names of the configuration, or come from lists in the program: nobody outside can add series.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// What the sources see, for whoever tests them.
    pub taps: Taps,
    /// What somebody must act on; `calibd_alarms` counts it.
    pub alarms: Alarms,
    /// `calibd_raw_value{sensor}` and its like
    pub sensors: SensorValues,
    /// How far sensors are from their references.
    pub drift: DriftScores,
    /// How many alerts there are, and how well they serve.
    pub alerts: AlertCounts,
    /// `calibd_alert_write_failures_total`
    pub alert_write_failures: Counter,
    /// `calibd_pairs_made_total{origin}`
    pub pairs: Family<Labels, Counter>,
    /// `calibd_checks_total{kind,state}`
    pub checks: Family<Labels, Counter>,
    /// `calibd_references_refused_total{reason}`
    pub references_refused: Family<Labels, Counter>,
    /// `calibd_references_received_total{outcome}`: those from the broker
    pub references_received: Family<Labels, Counter>,
    /// `calibd_references_unpaired_total{reason}`
    pub references_unpaired: Family<Labels, Counter>,
    /// `calibd_readings_total{source}`
    pub readings: Family<Labels, Counter>,
    /// `calibd_samples_dropped_total{source,reason}`
    pub samples_dropped: Reasons,
    /// `calibd_source_up{source}`
    pub source_up: Family<Labels, Gauge>,
    /// `calibd_source_reconnects_total{source}`
    pub source_reconnects: Family<Labels, Counter>,
    /// `calibd_refusals_total{reason}`
    pub refusals: Family<Labels, Counter>,
    /// `calibd_root_expires_timestamp_seconds`: of the installed trust root; 0: there is none
    pub root_expires: Gauge,
    /// `calibd_rollouts_total{stage}`
    pub rollouts: Family<Labels, Counter>,
    /// `calibd_activations_total`
    pub activations: Counter,
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
    /// `calibd_readings_stored_total`
    pub stored: Counter,
    /// `calibd_readings_given_up_total`
    pub given_up: Counter,
    /// `calibd_readings_expired_total`
    pub expired: Counter,
    /// `calibd_waiting_readings`
    pub waiting: Gauge,
    /// `calibd_publishes_total{sink}`
    pub publishes: Family<Labels, Counter>,
    /// `calibd_publishes_dropped_total{sink,reason}`
    pub publishes_dropped: Reasons,
    /// `calibd_publishes_refused_total{sink}`: by the broker, tried again
    pub publishes_refused: Family<Labels, Counter>,
    /// `calibd_sink_backlog_readings{sink}`
    pub sink_backlog: Family<Labels, Gauge>,
    /// `calibd_link_up`
    pub link_up: Gauge,
    /// `calibd_link_reconnects_total`
    pub link_reconnects: Counter,
    /// `calibd_clock_jumps_total{direction}`
    pub clock_jumps: Family<Labels, Counter>,
    /// `calibd_clock_state{state}`
    pub clock_state: Family<Labels, Gauge>,
    /// `calibd_task_restarts_total{task}`
    pub task_restarts: Family<Labels, Counter>,
    /// `calibd_sequence_gaps_total`
    pub gaps: Counter,
    /// `calibd_requests_total{listener,status}`
    pub requests: Family<Labels, Counter>,
    /// `calibd_clients_dropped_total{listener,reason}`
    pub clients_dropped: Family<Labels, Counter>,
    /// `calibd_watch_lost_total`
    pub watch_lost: Counter,
    /// `calibd_log_lines_held_back_total`
    pub held_back: Counter,
    /// `calibd_start_time_seconds`
    pub start_time: Gauge<f64, AtomicU64>,
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
            alarms: Alarms::default(),
            sensors: SensorValues::default(),
            drift: DriftScores::default(),
            alerts: AlertCounts::default(),
            alert_write_failures: Counter::default(),
            pairs: Family::default(),
            checks: Family::default(),
            references_refused: Family::default(),
            references_received: Family::default(),
            references_unpaired: Family::default(),
            readings: Family::default(),
            samples_dropped: Reasons::new("source"),
            source_up: Family::default(),
            source_reconnects: Family::default(),
            refusals: Family::default(),
            root_expires: Gauge::default(),
            rollouts: Family::default(),
            activations: Counter::default(),
            downlink_ignored: Family::default(),
            commits: Counter::default(),
            commit_failures: Family::default(),
            store_free: Gauge::default(),
            store_stage: Family::default(),
            store_check_time: Gauge::default(),
            store_check_ok: Gauge::default(),
            stored: Counter::default(),
            given_up: Counter::default(),
            expired: Counter::default(),
            waiting: Gauge::default(),
            publishes: Family::default(),
            publishes_dropped: Reasons::new("sink"),
            publishes_refused: Family::default(),
            sink_backlog: Family::default(),
            link_up: Gauge::default(),
            link_reconnects: Counter::default(),
            clock_jumps: Family::default(),
            clock_state: Family::default(),
            task_restarts: Family::default(),
            gaps: Counter::default(),
            requests: Family::default(),
            clients_dropped: Family::default(),
            watch_lost: Counter::default(),
            held_back: Counter::default(),
            start_time: Gauge::default(),
        }
    }

    fn register(&self, to: &mut Registry) {
        to.register("readings", "samples taken over from a source", self.readings.clone());
        let help = "input that gave no sample, and why";
        to.register("samples_dropped", help, self.samples_dropped.family());
        to.register("source_up", "1 while the source is connected", self.source_up.clone());
        to.register("source_reconnects", "times a source was opened again", self.source_reconnects.clone());
        to.register("refusals", "artifacts refused, by reason code", self.refusals.clone());
        let help = "when the installed trust root expires, since 1970";
        to.register_with_unit("root_expires_timestamp", help, Unit::Seconds, self.root_expires.clone());
        to.register("rollouts", "transforms that came to a stage at a sensor", self.rollouts.clone());
        to.register("activations", "transforms put in force", self.activations.clone());
        let help = "messages from above that are no artifact";
        to.register("downlink_ignored", help, self.downlink_ignored.clone());
        self.register_store(to);
        self.register_link(to);
        let help = "steps of the wall clock against the time that passed";
        to.register("clock_jumps", help, self.clock_jumps.clone());
        to.register("clock_state", "1 for how far the clock is believed", self.clock_state.clone());
        to.register("task_restarts", "tasks that failed and were started again", self.task_restarts.clone());
        to.register("requests", "requests answered, by where and how", self.requests.clone());
        let help = "clients sent away without a whole answer";
        to.register("clients_dropped", help, self.clients_dropped.clone());
        to.register(
            "watch_lost",
            "readings that a watching client was too slow for",
            self.watch_lost.clone(),
        );
        let help = "lines of the log held back because many were alike";
        to.register("log_lines_held_back", help, self.held_back.clone());
        let help = "when calibd started, since 1970";
        to.register_with_unit("start_time", help, Unit::Seconds, self.start_time.clone());
        to.register("build", "the running version", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        to.register_collector(Box::new(Standing(self.alarms.clone())));
        to.register_collector(Box::new(self.sensors.clone()));
        to.register_collector(Box::new(self.drift.clone()));
        to.register_collector(Box::new(self.alerts.clone()));
        let help = "times the ledger did not take what had changed of alerts";
        to.register("alert_write_failures", help, self.alert_write_failures.clone());
        to.register("checks", "scheduled checks, by kind and how they came out", self.checks.clone());
        to.register("pairs_made", "pairs made, by the way their reference came", self.pairs.clone());
        let help = "readings of references, and messages, that cannot be references";
        to.register("references_refused", help, self.references_refused.clone());
        let help = "references from the broker that were stored or known";
        to.register("references_received", help, self.references_received.clone());
        let help = "references that no pair could be made of";
        to.register("references_unpaired", help, self.references_unpaired.clone());
    }

    fn register_store(&self, to: &mut Registry) {
        to.register("commits", "commits to the history", self.commits.clone());
        let help = "commits that failed and are tried again";
        to.register("commit_failures", help, self.commit_failures.clone());
        let help = "free on the disk of the store";
        to.register_with_unit("store_free", help, Unit::Bytes, self.store_free.clone());
        to.register("store_stage", "1 at the stage of the disk of the store", self.store_stage.clone());
        let help = "when both databases were last checked, since 1970";
        to.register_with_unit("store_check_timestamp", help, Unit::Seconds, self.store_check_time.clone());
        to.register("store_check_ok", "1 if the last check found both whole", self.store_check_ok.clone());
        to.register("readings_stored", "readings in commits that worked", self.stored.clone());
        to.register("readings_given_up", "readings that could not be stored", self.given_up.clone());
        to.register("readings_expired", "readings deleted by age or size", self.expired.clone());
        let readings = || Unit::Other("readings".to_owned());
        let help = "readings in memory because they could not be stored";
        to.register_with_unit("waiting", help, readings(), self.waiting.clone());
        to.register("sequence_gaps", "gaps in the sequence numbers", self.gaps.clone());
    }

    fn register_link(&self, to: &mut Registry) {
        to.register("publishes", "readings published by a sink", self.publishes.clone());
        let help = "readings a sink could not publish";
        to.register("publishes_dropped", help, self.publishes_dropped.family());
        let help = "messages that the broker refused, to be sent again";
        to.register("publishes_refused", help, self.publishes_refused.clone());
        let readings = Unit::Other("readings".to_owned());
        let help = "readings not yet acknowledged";
        to.register_with_unit("sink_backlog", help, readings, self.sink_backlog.clone());
        to.register("link_up", "1 while the broker is connected", self.link_up.clone());
        to.register("link_reconnects", "times the broker was connected again", self.link_reconnects.clone());
    }

    /// Takes the series of a source away that is gone.
    pub fn forget_source(&self, name: &str) {
        let labels = vec![("source", name.to_owned())];
        self.readings.remove(&labels);
        self.source_up.remove(&labels);
        self.source_reconnects.remove(&labels);
        self.samples_dropped.forget(name);
        self.alarms.source(name).clear();
    }

    /// Takes the series of a sink away that is gone.
    pub fn forget_sink(&self, name: &str) {
        let labels = vec![("sink", name.to_owned())];
        self.publishes.remove(&labels);
        self.publishes_refused.remove(&labels);
        self.sink_backlog.remove(&labels);
        self.publishes_dropped.forget(name);
    }

    /// Takes the series of all sensors away that are not to be kept.
    pub fn retain_sensors(&self, keep: impl Fn(&SensorId) -> bool) {
        self.sensors.retain(&keep);
        self.drift.retain(keep);
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

/// `calibd_alarms`
#[derive(Debug)]
struct Standing(Alarms);

impl Collector for Standing {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let gauge = ConstGauge::new(i64::try_from(self.0.count()).unwrap_or(i64::MAX));
        let help = "things that somebody must act on, as in /healthz.";
        gauge.encode(encoder.encode_descriptor("alarms", help, None, gauge.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_reference() {
        let metrics = Metrics::new();
        metrics.readings.get_or_create(&vec![("source", "line1".into())]).inc();
        metrics.sink_backlog.get_or_create(&vec![("sink", "uplink".into())]).set(7);
        metrics.commits.inc();
        let text = metrics.text();
        for line in [
            "calibd_readings_total{source=\"line1\"} 1",
            "calibd_commits_total 1",
            "# UNIT calibd_sink_backlog_readings readings",
            "calibd_sink_backlog_readings{sink=\"uplink\"} 7",
            "calibd_alarms 0",
            concat!("calibd_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn what_is_gone_leaves_no_series_behind() {
        let metrics = Metrics::new();
        for name in ["old", "new"] {
            let (source, sink) = (vec![("source", name.to_owned())], vec![("sink", name.to_owned())]);
            metrics.readings.get_or_create(&source).inc();
            metrics.source_up.get_or_create(&source).set(1);
            metrics.source_reconnects.get_or_create(&source).inc();
            metrics.samples_dropped.of(name, "bad_number").inc();
            metrics.publishes.get_or_create(&sink).inc();
            metrics.publishes_dropped.of(name, "disconnected").inc();
            metrics.publishes_refused.get_or_create(&sink).inc();
            metrics.sink_backlog.get_or_create(&sink).set(1);
            metrics.alarms.source(name).raise("gone", "gone", "plug it in");
        }
        metrics.forget_source("old");
        metrics.forget_sink("old");
        let text = metrics.text();
        assert!(!text.contains("\"old\"") && text.matches("\"new\"").count() == 8, "{text}");
        assert_eq!(metrics.alarms.count(), 1);
    }
}
