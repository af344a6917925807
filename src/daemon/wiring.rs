//! From the configuration to the parts: sensors, sources, sinks, connections.

use std::collections::{BTreeMap, HashMap};

use tokio::sync::mpsc;

use crate::config::Config;
use crate::config::broker::BrokerConfig;
use crate::config::sink::{Delivery as ConfigDelivery, SinkConfig, Start};
use crate::config::source::{SourceConfig, SourceKind};
use crate::domain::id::{Id, SensorId};
use crate::domain::sample::Sample;
use crate::domain::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::runtime::shutdown::Shutdown;
use crate::source::binding::{Binding, Sensors, Template};
use crate::source::mqtt::intake::Intake;
use crate::source::{CHANNEL_CAPACITY, SampleSender, SourceContext};
use crate::sync::connect::{Broker, RECEIVE_MAXIMUM, TlsFiles};
use crate::sync::sink::{Sink, SinkSpec};
use crate::sync::stream::Delivery;
use crate::telemetry::alarm::Alarm;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::source::SourceEvents;
use crate::wire::decoder::Decoder;
use crate::wire::message::{ClockState, Status, StoreStatus};
use crate::wire::reading::ReadingFormat;

/// All sensors and templates of the configuration.
pub fn sensors(config: &Config) -> Sensors {
    let fixed = config.sensors.iter().map(|entry| entry.sensor.clone()).collect();
    let templates = config.templates.iter().map(|template| Template {
        pattern: template.pattern.as_str().to_owned(),
        source: template.model.source.clone(),
        field: template.model.field.clone(),
        model: template.model.sensor.clone(),
        max: template.max,
    });
    Sensors::new(fixed, templates.collect())
}

/// Makes the context of one source, as often as its task has to be started.
#[derive(Debug, Clone)]
pub struct Kit {
    /// The source as configured.
    pub config: SourceConfig,
    out: SampleSender,
    sensors: Sensors,
    owners: HashMap<SensorId, (Id, String)>,
    metrics: Metrics,
    clock: Clock,
    shutdown: Shutdown,
}

impl Kit {
    /// A kit, and the pipeline's end of the source's channel.
    pub fn new(
        source: &SourceConfig,
        config: &Config,
        sensors: &Sensors,
        metrics: &Metrics,
        clock: &Clock,
        shutdown: &Shutdown,
    ) -> (Kit, mpsc::Receiver<Sample>) {
        // An MQTT source must be able to take all that the broker may have on its way.
        let on_its_way = usize::from(RECEIVE_MAXIMUM) * source.layout().fields.len().max(1);
        let (out, receiver) = SampleSender::channel(CHANNEL_CAPACITY.max(on_its_way));
        let owner = |entry: &crate::config::sensor::SensorConfig| {
            (entry.sensor.id.clone(), (entry.source.clone(), entry.field.clone()))
        };
        let kit = Kit {
            config: source.clone(),
            out,
            sensors: sensors.clone(),
            owners: config.sensors.iter().map(owner).collect(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            shutdown: shutdown.clone(),
        };
        (kit, receiver)
    }

    /// What the source's task is given.
    pub fn context(&self) -> SourceContext {
        let name = self.config.name.clone();
        let of =
            |id: &SensorId| self.owners.get(id).cloned().unwrap_or_else(|| (name.clone(), String::new()));
        SourceContext {
            index: self.config.index,
            out: self.out.clone(),
            bind: Binding::new(&self.sensors, &name, &self.config.fields(), &of),
            events: SourceEvents::new(name.clone(), &self.metrics),
            clock: self.clock.clone(),
            shutdown: self.shutdown.clone(),
            name,
        }
    }

    /// What says that somebody must look after the source.
    pub fn alarm(&self) -> Alarm {
        self.metrics.alarms.source(self.config.name.as_str())
    }

    /// The intake, if this is an MQTT source. The layout was checked with the configuration.
    pub fn intake(&self) -> Option<Intake> {
        let SourceKind::Mqtt(mqtt) = &self.config.kind else { return None };
        let unusable = |fault| {
            let message = format!("cannot work as configured: {fault}");
            self.alarm().raise("layout", message, "correct the configuration");
        };
        let decoder = Decoder::new(&mqtt.layout).map_err(unusable).ok()?;
        Some(Intake::new(self.context(), mqtt.topic.clone(), mqtt.qos, decoder))
    }
}

/// The sinks, each at its place in the history.
pub fn sinks(
    config: &Config,
    cursors: &BTreeMap<String, u64>,
    committed: u64,
    metrics: &Metrics,
) -> Vec<Sink> {
    let sink = |sink: &SinkConfig| {
        let cursor = cursors.get(sink.name.as_str()).copied();
        Sink::new(spec(config, sink), cursor, committed, metrics)
    };
    config.sinks.iter().map(sink).collect()
}

fn spec(config: &Config, sink: &SinkConfig) -> SinkSpec {
    let topic = sink.topic.as_str().replace("{fleet}", config.gateway.fleet.as_str());
    SinkSpec {
        name: sink.name.clone(),
        topic: topic.replace("{gateway}", config.gateway.id.as_str()),
        delivery: match sink.delivery {
            ConfigDelivery::Live => Delivery::Live,
            ConfigDelivery::Durable => Delivery::Durable,
        },
        qos: sink.qos,
        from_oldest: sink.start == Start::Oldest,
        format: sink.fields.as_deref().map_or_else(ReadingFormat::full, ReadingFormat::with_fields),
        batch: sink.batch,
        linger: sink.linger,
    }
}

/// How to reach a broker as `client_id`.
pub fn broker(config: &BrokerConfig, client_id: String, will: Option<(String, Vec<u8>)>) -> Broker {
    let client = |tls: &crate::config::broker::TlsConfig| {
        tls.client.as_ref().map(|client| (client.cert_file.clone(), client.key_file.clone()))
    };
    Broker {
        host: config.host.clone(),
        port: config.port,
        client_id,
        tls: config.tls.as_ref().map(|tls| TlsFiles { ca: tls.ca_file.clone(), client: client(tls) }),
        login: config.login.as_ref().map(|login| (login.username.clone(), login.password_file.clone())),
        keep_alive: config.keep_alive,
        session_expiry: config.session_expiry,
        will,
    }
}

/// The topic of one of the gateway's own messages.
pub fn up_topic(config: &Config, name: &str) -> String {
    format!("calibd/1/{}/up/{}/{name}", config.gateway.fleet, config.gateway.id)
}

/// What the gateway says of itself.
pub fn status(
    online: bool,
    started: Timestamp,
    clock: ClockState,
    root: Option<u64>,
    incarnation: &str,
) -> Status {
    Status {
        online,
        version: env!("CARGO_PKG_VERSION"),
        started,
        clock,
        root_version: root,
        incarnation: incarnation.into(),
        store: StoreStatus { backlog: 0, oldest: None },
    }
}
