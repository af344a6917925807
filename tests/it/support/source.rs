//! A source on its own: what it delivers, counts and says.

use calibd::domain::id::Id;
use calibd::domain::sample::Sample;
use calibd::domain::sensor::{Kind, Sensor};
use calibd::domain::time::Timestamp;
use calibd::runtime::clock::Clock;
use calibd::runtime::shutdown::{self, Stopper};
use calibd::source::binding::{Binding, Owner, Sensors, Template};
use calibd::source::{SampleSender, SourceContext};
use calibd::telemetry::metrics::Metrics;
use calibd::telemetry::source::SourceEvents;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// Nothing here takes longer than this unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a test holds while its source runs.
pub struct Bench {
    pub metrics: Metrics,
    pub samples: Receiver<Sample>,
    pub stopper: Stopper,
}

/// The gateway's time in these tests.
pub fn gateway_time() -> Timestamp {
    Timestamp::parse("2026-11-22T10:00:00Z").unwrap()
}

fn sensor(id: &str) -> Sensor {
    Sensor {
        id: Id::new(id).unwrap(),
        quantity: "test".into(),
        kind: Kind::Measurement,
        unit: "1".into(),
        model: None,
        serial: None,
        uncertainty: None,
        covariates: Default::default(),
        comparison: Default::default(),
        monitor: None,
        checks: Default::default(),
    }
}

/// A sample of a sensor.
pub fn sample(sensor: &str) -> Sample {
    let sensor = Id::new(sensor).unwrap();
    Sample {
        sensor,
        device_time: None,
        gateway_time: gateway_time(),
        raw: Some(1.0),
        u: None,
        event: None,
        ack: None,
    }
}

/// A source called `line1` whose fields feed sensors of the same names.
pub fn bench(fields: &[&str]) -> (SourceContext, Bench) {
    let source = Id::new("line1").unwrap();
    let owner = |field: &&str| Owner { source: source.clone(), field: (*field).to_owned() };
    let sensors = fields.iter().map(|field| (sensor(field), owner(field))).collect();
    let names = fields.iter().map(|field| (*field).to_owned()).collect();
    context(Binding::new(&Sensors::new(sensors, vec![]), source.clone(), names))
}

/// A source called `line1` whose field `field` makes sensors named after `pattern`, at most `max`.
pub fn template_bench(field: &str, pattern: &str, max: usize) -> (SourceContext, Bench) {
    let source = Id::new("line1").unwrap();
    let (pattern, field) = (pattern.to_owned(), field.to_owned());
    let template =
        Template { pattern, source: source.clone(), field: field.clone(), model: sensor("x"), max };
    context(Binding::new(&Sensors::new(vec![], vec![template]), source, vec![field]))
}

fn context(bind: Binding) -> (SourceContext, Bench) {
    let (name, metrics) = (Id::new("line1").unwrap(), Metrics::new());
    let clock = Clock::manual(gateway_time());
    let (out, samples) = SampleSender::channel(4096);
    let (stopper, shutdown) = shutdown::channel();
    let events = SourceEvents::new(name.clone(), &metrics);
    let context = SourceContext { name, index: 0, out, bind, events, clock, shutdown };
    (context, Bench { metrics, samples, stopper })
}

impl Bench {
    /// The next sample's sensor and value.
    pub async fn next(&mut self) -> (String, Option<f64>) {
        let sample = self.sample().await;
        assert_eq!(sample.gateway_time, gateway_time());
        (sample.sensor.to_string(), sample.raw)
    }

    /// The next sample.
    pub async fn sample(&mut self) -> Sample {
        let next = tokio::time::timeout(PATIENCE, self.samples.recv()).await;
        next.expect("a sample in time").expect("a running source")
    }

    /// The value of a metric of this source, such as `calibd_source_up`.
    pub fn metric(&self, name: &str, reason: Option<&str>) -> u64 {
        let reason = reason.map_or(String::new(), |reason| format!(",reason=\"{reason}\""));
        let wanted = format!("{name}{{source=\"line1\"{reason}}} ");
        let text = self.metrics.text();
        text.lines().find_map(|line| line.strip_prefix(&wanted)?.parse().ok()).unwrap_or(0)
    }

    /// How often input was dropped for this reason.
    pub fn dropped(&self, reason: &str) -> u64 {
        self.metric("calibd_samples_dropped_total", Some(reason))
    }

    /// Waits until a metric has this value.
    pub async fn reaches(&self, name: &str, reason: Option<&str>, value: u64) {
        let reached = async {
            while self.metric(name, reason) != value {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let now = || format!("{name} is {}, not {value}", self.metric(name, reason));
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{}", now()));
    }
}
