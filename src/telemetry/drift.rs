//! How far sensors are from their references, exported by sensor and cohort up to the limit of sensors.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::domain::drift::window::{Report, Scores};
use crate::domain::id::SensorId;
use crate::wire::control::SensorDrift;

/// The last scores of sensors. Cheap to clone; clones are one.
#[derive(Clone, Debug, Default)]
pub struct DriftScores(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    most: usize,
    known: BTreeMap<SensorId, Row>,
}

#[derive(Debug)]
struct Row {
    scores: Vec<(String, Scores, Scores)>,
    days_to_mpe: Option<[Option<f64>; 3]>,
    ratio: Option<f64>,
}

impl DriftScores {
    /// Exports the first `most` sensors that have pairs.
    pub fn export(&self, most: usize) {
        self.lock().most = most;
    }

    /// Notes what a sensor's pairs say.
    pub fn note(&self, drift: &SensorDrift) {
        let mut table = self.lock();
        if !table.known.contains_key(&drift.sensor) && table.known.len() >= table.most {
            return;
        }
        // A cohort that has too few pairs of its own says nothing that all of them do not.
        let own = |report: &&Report| report.fallback.is_none();
        let reports = std::iter::once(&drift.all).chain(&drift.cohorts).filter(own);
        let row =
            |report: &Report| (report.cohort.clone().unwrap_or_default(), report.raw, report.calibrated);
        let row = Row {
            scores: reports.map(row).collect(),
            days_to_mpe: drift.forecast.as_ref().map(|made| made.forecast.days_to_mpe),
            ratio: drift.detector.ratio,
        };
        table.known.insert(drift.sensor.clone(), row);
    }

    /// Takes sensors away that are not to be kept.
    pub fn retain(&self, keep: impl Fn(&SensorId) -> bool) {
        self.lock().known.retain(|sensor, _| keep(sensor));
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while holding the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A gauge by sensor and cohort: its name, its help, and where its value is, of raw and of calibrated scores.
type Gauge = (&'static str, &'static str, fn(&Scores, &Scores) -> Option<f64>);

const GAUGES: [Gauge; 8] = [
    ("pairs", "pairs in the window.", |_, it| Some(it.n as f64)),
    ("bias", "mean error of calibrated values, in their unit.", |_, it| it.bias),
    ("bias_uncertainty", "its standard uncertainty.", |_, it| it.u_bias),
    ("raw_bias", "mean error of raw values in the same unit.", |raw, _| raw.bias),
    ("rmse", "root of the mean squared error of calibrated values.", |_, it| it.rmse),
    ("raw_rmse", "the same of raw values in the same unit.", |raw, _| raw.rmse),
    ("within_mpe", "share of pairs within the maximum permissible error.", |_, it| it.within_mpe),
    ("ece", "expected calibration error of probabilities.", |_, it| it.ece),
];

impl Collector for DriftScores {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let table = self.lock();
        if table.known.is_empty() {
            return Ok(());
        }
        for (name, help, value) in &GAUGES {
            let mut gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (sensor, row) in &table.known {
                for (cohort, raw, calibrated) in &row.scores {
                    if let Some(value) = value(raw, calibrated) {
                        let labels = [("sensor", sensor.as_str()), ("cohort", cohort.as_str())];
                        gauge.encode_family(&labels)?.encode_gauge(&value)?;
                    }
                }
            }
        }
        table.encode_outlooks(&mut encoder)
    }
}

impl Table {
    /// Gauges of whole sensors.
    fn encode_outlooks(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "days until the bias crosses the maximum permissible error, by quantile; +Inf: beyond the horizon.";
        let mut gauge = encoder.encode_descriptor("days_to_mpe", help, None, MetricType::Gauge)?;
        for (sensor, row) in &self.known {
            let days = row.days_to_mpe.into_iter().flatten();
            for (days, quantile) in days.zip(["0.05", "0.5", "0.95"]) {
                let labels = [("sensor", sensor.as_str()), ("quantile", quantile)];
                gauge.encode_family(&labels)?.encode_gauge(&days.unwrap_or(f64::INFINITY))?;
            }
        }
        let help = "statistic of the drift detector over its limit; 1 is an alarm.";
        let mut gauge = encoder.encode_descriptor("drift_ratio", help, None, MetricType::Gauge)?;
        for (sensor, row) in &self.known {
            if let Some(ratio) = row.ratio {
                gauge.encode_family(&[("sensor", sensor.as_str())])?.encode_gauge(&ratio)?;
            }
        }
        Ok(())
    }
}
