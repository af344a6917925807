//! The last values of sensors, exported one by one up to a limit.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::domain::id::SensorId;
use crate::domain::monitor::Kind;
use crate::domain::order;
use crate::domain::sample::Reading;

/// The last values of sensors. Cheap to clone; clones are one.
#[derive(Clone, Debug, Default)]
pub struct SensorValues(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    /// Sensors that are exported, at most; `None`: nobody can ask.
    most: Option<usize>,
    /// `None`: left out.
    known: HashMap<SensorId, Option<Values>>,
    shown: usize,
}

/// What one sensor has given last.
#[derive(Clone, Copy, Debug, Default)]
struct Values {
    raw: Option<f64>,
    calibrated: Option<f64>,
    uncertainty: Option<f64>,
    /// Seconds since 1970; `None`: there was no reading yet.
    time: Option<f64>,
    /// What was found, by kind.
    found: [u32; Kind::ALL.len()],
}

impl Values {
    fn of(reading: &Reading, found: [u32; Kind::ALL.len()]) -> Values {
        Values {
            found,
            raw: reading.raw,
            calibrated: reading.value,
            uncertainty: reading.u,
            time: Some(reading.received.as_micros() as f64 / 1e6),
        }
    }
}

impl SensorValues {
    /// Exports the first `most` sensors that give a reading or have something against them, and counts the others.
    pub fn export(&self, most: usize) {
        self.lock().most = Some(most);
    }

    /// Notes readings fresh from the pipeline; nothing where nobody can ask for them.
    pub fn note(&self, readings: &[Reading]) {
        let mut table = self.lock();
        if table.most.is_some() {
            readings.iter().for_each(|reading| table.note(reading));
        }
    }

    /// Counts something that was found at a sensor.
    pub fn found(&self, sensor: &SensorId, kind: Kind) {
        let mut table = self.lock();
        // One that never spoke is found to be silent before its first reading.
        if table.most.is_some()
            && let Some(values) = table.place(sensor)
        {
            values.found[kind as usize] += 1;
        }
    }

    /// Takes sensors away that are not to be kept.
    pub fn retain(&self, keep: impl Fn(&SensorId) -> bool) {
        let mut table = self.lock();
        table.known.retain(|sensor, _| keep(sensor));
        table.shown = table.known.values().flatten().count();
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while holding the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn note(&mut self, reading: &Reading) {
        if let Some(values) = self.place(&reading.sensor) {
            *values = Values::of(reading, values.found);
        }
    }

    /// Where the values of a sensor are; it gets a place while there is room, else it is left out.
    fn place(&mut self, sensor: &SensorId) -> Option<&mut Values> {
        if !matches!(self.known.get(sensor), Some(Some(_))) {
            let room = self.most.is_some_and(|most| self.shown < most);
            if room || !self.known.contains_key(sensor) {
                self.shown += usize::from(room);
                self.known.insert(sensor.clone(), room.then(Values::default));
            }
        }
        self.known.get_mut(sensor)?.as_mut()
    }

    fn shown(&self) -> Vec<(&SensorId, &Values)> {
        let mut shown: Vec<_> =
            self.known.iter().filter_map(|(sensor, values)| Some((sensor, values.as_ref()?))).collect();
        order::sort_by(&mut shown, |(one, _), (other, _)| one.cmp(other));
        shown
    }
}

/// A gauge by sensor: its name, its help, its unit, and where its value is.
type Gauge = (&'static str, &'static str, Option<Unit>, fn(&Values) -> Option<f64>);

const GAUGES: [Gauge; 4] = [
    ("raw_value", "last raw value, in the sensor's unit.", None, |values| values.raw),
    ("calibrated_value", "last calibrated value, in the transform's unit.", None, |values| values.calibrated),
    ("calibrated_uncertainty", "standard uncertainty of it, in its unit.", None, |values| values.uncertainty),
    ("reading_time", "when the last reading came.", Some(Unit::Seconds), |values| values.time),
];

impl Collector for SensorValues {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let table = self.lock();
        if table.most.is_none() {
            return Ok(());
        }
        let shown = table.shown();
        for (name, help, unit, value) in &GAUGES {
            let mut gauge = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            for (sensor, values) in &shown {
                if let Some(value) = value(values) {
                    gauge.encode_family(&[("sensor", sensor.as_str())])?.encode_gauge(&value)?;
                }
            }
        }
        let help = "what monitors have found, by kind.";
        let mut counter = encoder.encode_descriptor("findings", help, None, MetricType::Counter)?;
        for (sensor, values) in &shown {
            for kind in Kind::ALL.into_iter().filter(|kind| values.found[*kind as usize] > 0) {
                let labels = [("sensor", sensor.as_str()), ("kind", kind.as_str())];
                let count = u64::from(values.found[kind as usize]);
                counter.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        let left_out = i64::try_from(table.known.len() - table.shown).unwrap_or(i64::MAX);
        let help = "sensors without series of their own, beyond http.max_sensors.";
        encoder.encode_descriptor("sensors_left_out", help, None, MetricType::Gauge)?.encode_gauge(&left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::quality::{Reasons, State};
    use crate::domain::time::Timestamp;
    use crate::telemetry::metrics::Metrics;

    fn reading(sensor: &str, raw: f64, value: Option<f64>) -> Reading {
        Reading {
            sensor: SensorId::new(sensor).unwrap(),
            seq: 1,
            after: None,
            time: Timestamp::EPOCH,
            received: Timestamp::EPOCH.saturating_add_micros(1_500_000),
            raw: Some(raw),
            value,
            u: value.map(|value| value / 10.0),
            p0_p1: None,
            event: None,
            unit: "mV".into(),
            state: State::Valid,
            reasons: Reasons::NONE,
            transform: None,
        }
    }

    fn lines(metrics: &Metrics, holding: &str) -> Vec<String> {
        let text = metrics.text();
        let samples = text.lines().filter(|line| !line.starts_with('#') && line.contains(holding));
        samples.map(|line| line.trim_start_matches("calibd_").to_owned()).collect()
    }

    #[test]
    fn the_last_values_of_a_sensor_are_shown_where_it_has_them() {
        let metrics = Metrics::new();
        metrics.sensors.note(&[reading("a", 1.0, None)]);
        assert_eq!(lines(&metrics, "sensor"), [""; 0]);
        metrics.sensors.export(9);
        metrics.sensors.note(&[reading("a", 1.0, Some(5.0)), reading("b", 2.0, None)]);
        metrics.sensors.note(&[reading("b", 3.5, None)]);
        let shown = [
            "raw_value{sensor=\"a\"} 1.0",
            "raw_value{sensor=\"b\"} 3.5",
            "calibrated_value{sensor=\"a\"} 5.0",
            "calibrated_uncertainty{sensor=\"a\"} 0.5",
            "reading_time_seconds{sensor=\"a\"} 1.5",
            "reading_time_seconds{sensor=\"b\"} 1.5",
            "sensors_left_out 0",
        ];
        assert_eq!(lines(&metrics, "sensor"), shown);
    }

    #[test]
    fn findings_are_counted_by_kind_where_the_sensor_is_shown() {
        let metrics = Metrics::new();
        metrics.sensors.export(1);
        metrics.sensors.note(&[reading("a", 1.0, None), reading("b", 2.0, None)]);
        for sensor in ["a", "b", "c"] {
            let sensor = SensorId::new(sensor).unwrap();
            metrics.sensors.found(&sensor, Kind::Stuck);
            metrics.sensors.found(&sensor, Kind::Stuck);
            metrics.sensors.found(&sensor, Kind::Peers);
        }
        metrics.sensors.note(&[reading("a", 3.0, None)]);
        let shown = [
            "findings_total{sensor=\"a\",kind=\"stuck\"} 2",
            "findings_total{sensor=\"a\",kind=\"peers\"} 1",
        ];
        assert_eq!(lines(&metrics, "findings"), shown);
    }

    #[test]
    fn a_sensor_that_never_spoke_is_counted_as_silent() {
        let metrics = Metrics::new();
        let never = SensorId::new("never").unwrap();
        metrics.sensors.found(&never, Kind::Silent);
        metrics.sensors.export(1);
        assert_eq!(lines(&metrics, "never"), [""; 0], "nobody could ask");
        metrics.sensors.found(&never, Kind::Silent);
        assert_eq!(lines(&metrics, "never"), ["findings_total{sensor=\"never\",kind=\"silent\"} 1"]);
        metrics.sensors.note(&[reading("a", 1.0, None)]);
        assert_eq!(lines(&metrics, "sensors_left_out"), ["sensors_left_out 1"]);
        metrics.sensors.note(&[reading("never", 1.0, None)]);
        let shown = [
            "raw_value{sensor=\"never\"} 1.0",
            "reading_time_seconds{sensor=\"never\"} 1.5",
            "findings_total{sensor=\"never\",kind=\"silent\"} 1",
        ];
        assert_eq!(lines(&metrics, "never"), shown);
    }

    #[test]
    fn sensors_beyond_the_limit_are_counted_and_take_the_place_of_those_that_go() {
        let metrics = Metrics::new();
        metrics.sensors.export(2);
        let all = ["a", "b", "c", "d"].map(|sensor| reading(sensor, 1.0, None));
        metrics.sensors.note(&all);
        metrics.sensors.note(&all);
        assert_eq!(lines(&metrics, "sensors_left_out"), ["sensors_left_out 2"]);
        assert_eq!(lines(&metrics, "raw_value").len(), 2);
        metrics.sensors.retain(|sensor| sensor.as_str() != "a");
        metrics.sensors.note(&all[1..]);
        assert_eq!(
            lines(&metrics, "raw_value"),
            ["raw_value{sensor=\"b\"} 1.0", "raw_value{sensor=\"c\"} 1.0"]
        );
        assert_eq!(lines(&metrics, "sensors_left_out"), ["sensors_left_out 1"]);
    }
}
