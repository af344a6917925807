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
    known: BTreeMap<SensorId, Vec<(String, Scores, Scores)>>,
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
        table.known.insert(drift.sensor.clone(), reports.map(row).collect());
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
            for (sensor, rows) in &table.known {
                for (cohort, raw, calibrated) in rows {
                    if let Some(value) = value(raw, calibrated) {
                        let labels = [("sensor", sensor.as_str()), ("cohort", cohort.as_str())];
                        gauge.encode_family(&labels)?.encode_gauge(&value)?;
                    }
                }
            }
        }
        Ok(())
    }
}
