//! What becomes of alerts: each event is one log line; the counts go on after a restart.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::metrics::Metrics;
use crate::domain::alert::{Alert, LATENCIES, Latency, Severity, Tally};

/// Logs that an alert was raised. Those of one severity share their lines: many at a time do not flood the log, and
/// tickets do not hold pages back.
pub fn raised(alert: &Alert) {
    let Alert { id, cause, count, message, remedy, .. } = alert;
    match alert.severity {
        Severity::Page => tracing::warn!(alert = id, count, "page: {cause}: {message}; {remedy}"),
        Severity::Ticket => tracing::warn!(alert = id, count, "ticket: {cause}: {message}; {remedy}"),
    }
}

/// Logs that an alert is over.
pub fn cleared(alert: &Alert) {
    let Alert { id, cause, .. } = alert;
    match &alert.merged_into {
        Some(other) => tracing::info!(alert = id, "{cause} is part of alert {other} now"),
        None => tracing::info!(alert = id, "over: {cause}"),
    }
}

/// Somebody looked at an alert.
pub fn acknowledged(alert: &Alert) {
    let Alert { id, cause, .. } = alert;
    let by = alert.acknowledged_by.as_deref().unwrap_or("somebody");
    tracing::info!(alert = id, "{by} has acknowledged {cause}");
}

/// The ledger does not take what has changed.
#[derive(Debug)]
pub struct NotWritten<'a> {
    /// Whether it took it the last time.
    pub first: bool,
    /// Why.
    pub problem: &'a str,
}

impl NotWritten<'_> {
    /// Counts it, and logs it where it is new.
    pub fn record(&self, metrics: &Metrics) {
        metrics.alert_write_failures.inc();
        if self.first {
            tracing::warn!(
                "alerts go on, but the ledger does not take them: {}; it is tried again",
                self.problem
            );
        }
    }

    /// Logs that it is over; `left_out` rows were given up meanwhile, to keep memory bounded.
    pub fn over(left_out: u64) {
        tracing::info!(left_out, "the ledger takes alerts again");
    }
}

/// How many alerts there are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Open pages.
    pub pages: u64,
    /// Open tickets.
    pub tickets: u64,
    /// Cleared ones that wait to be acknowledged.
    pub unacknowledged: u64,
    /// How well they serve.
    pub tally: Tally,
}

/// The counts of alerts, exported. Cheap to clone; clones are one.
#[derive(Clone, Debug, Default)]
pub struct AlertCounts(Arc<Mutex<Counts>>);

impl AlertCounts {
    /// Notes how things are.
    pub fn note<'a>(&self, alerts: impl Iterator<Item = &'a Alert>, tally: Tally) {
        let mut counts = Counts { tally, ..Counts::default() };
        for alert in alerts {
            *match (alert.cleared, alert.severity) {
                (Some(_), _) => &mut counts.unacknowledged,
                (None, Severity::Page) => &mut counts.pages,
                (None, Severity::Ticket) => &mut counts.tickets,
            } += 1;
        }
        *self.lock() = counts;
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Nothing panics while holding the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Series by one label: name, help, the label, and its values with what they count.
type Series = (&'static str, &'static str, &'static str, [(&'static str, u64); 2]);

impl Collector for AlertCounts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Counts { pages, tickets, unacknowledged, tally } = *self.lock();
        let severities = |pages, tickets| [("page", pages), ("ticket", tickets)];
        let gauges: [Series; 2] = [
            ("alerts_open", "alerts that stand.", "severity", severities(pages, tickets)),
            (
                "alerts_judged",
                "alerts by what somebody said who looked.",
                "verdict",
                [("real", tally.real), ("false", tally.false_alarms)],
            ),
        ];
        for (name, help, label, series) in gauges {
            let mut gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (value, count) in series {
                gauge.encode_family(&[(label, value)])?.encode_gauge(&gauge_of(count))?;
            }
        }
        let steps = [
            ("well", tally.automated_well),
            ("badly", tally.automated - tally.automated_well.min(tally.automated)),
        ];
        let counters: [Series; 2] = [
            ("alerts_raised", "alerts that were raised.", "severity", severities(tally.pages, tally.tickets)),
            ("automated_steps", "steps without a person, by how they ended.", "ended", steps),
        ];
        for (name, help, label, series) in counters {
            let mut counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (value, count) in series {
                counter
                    .encode_family(&[(label, value)])?
                    .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        for (name, help, count) in [
            ("alerts_cleared", "alerts that are over.", tally.cleared),
            ("alerts_unseen", "cleared alerts let go before anybody looked, to make room.", tally.unseen),
            ("alerts_overlooked", "findings let go, for too many stood.", tally.overlooked),
            ("drifts_missed", "sensors found wrong by somebody while no alert told of them.", tally.missed),
        ] {
            let mut counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            counter.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        let help = "cleared alerts that wait to be acknowledged.";
        let mut gauge = encoder.encode_descriptor("alerts_unacknowledged", help, None, MetricType::Gauge)?;
        gauge.encode_gauge(&gauge_of(unacknowledged))?;
        for (name, help, share) in [
            ("alert_precision", "real alerts among those that were judged.", tally.precision()),
            (
                "automation_success",
                "the share of steps without a person that ended well.",
                tally.automation_success(),
            ),
        ] {
            if let Some(share) = share {
                encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&share)?;
            }
        }
        latency(&tally.calibration, encoder)
    }
}

fn gauge_of(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn latency(latency: &Latency, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
    let help = "from an alert to the next transform in force for one of its sensors.";
    let (name, unit) = ("calibration_latency", Unit::Seconds);
    let mut histogram = encoder.encode_descriptor(name, help, Some(&unit), MetricType::Histogram)?;
    let mut below = 0;
    let mut buckets: Vec<(f64, u64)> = LATENCIES.into_iter().zip(latency.classes).collect();
    buckets.iter().for_each(|(_, count)| below += count);
    // What is longer than all classes, or was counted before there were any.
    buckets.push((f64::INFINITY, latency.count.saturating_sub(below)));
    histogram.encode_histogram::<NoLabelSet>(latency.total, latency.count, &buckets, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_are_those_of_the_tally() {
        let metrics = Metrics::new();
        let mut tally =
            Tally { pages: 2, tickets: 5, real: 3, false_alarms: 1, automated: 4, ..Tally::default() };
        tally.automated_well = 3;
        tally.calibration = Latency { count: 3, total: 9e6, longest: 8e6, ..Latency::default() };
        tally.calibration.classes[1] = 2;
        metrics.alerts.note(std::iter::empty(), tally);
        let text = metrics.text();
        for line in [
            "calibd_alerts_open{severity=\"page\"} 0",
            "calibd_alerts_raised_total{severity=\"ticket\"} 5",
            "calibd_alerts_judged{verdict=\"false\"} 1",
            "calibd_alert_precision 0.75",
            "calibd_automation_success 0.75",
            "calibd_automated_steps_total{ended=\"badly\"} 1",
            "calibd_drifts_missed_total 0",
            "calibd_calibration_latency_seconds_bucket{le=\"3600.0\"} 0",
            "calibd_calibration_latency_seconds_bucket{le=\"21600.0\"} 2",
            "calibd_calibration_latency_seconds_bucket{le=\"7776000.0\"} 2",
            "calibd_calibration_latency_seconds_bucket{le=\"+Inf\"} 3",
            "calibd_calibration_latency_seconds_sum 9000000.0",
            "calibd_calibration_latency_seconds_count 3",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
