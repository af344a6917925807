//! From the configuration to the parts: sensors, sources, sinks, connections.

use super::drives::Plan;
use crate::activation::desk::TrustPolicy;
use crate::config::Config;
use crate::config::broker::BrokerConfig;
use crate::config::sensor::{SensorConfig, SensorTemplate};
use crate::config::sink::{Delivery as ConfigDelivery, SinkConfig, Start};
use crate::config::source::{SourceConfig, SourceKind};
use crate::domain::rollout::plan::Fallback;
use crate::domain::sensor::Sensor;
use crate::pipeline::calibrate::OnExpired;
use crate::runtime::clock::Clock;
use crate::runtime::shutdown::Shutdown;
use crate::source::binding::{Binding, Mounted, Owner, Sensors, Template};
use crate::source::mqtt::intake::Intake;
use crate::source::{CHANNEL_CAPACITY, SampleSender, SourceContext};
use crate::store::Mount;
use crate::sync::connect::{Broker, RECEIVE_MAXIMUM, TlsFiles};
use crate::sync::downlink::Inbox;
use crate::sync::sink::SinkSpec;
use crate::sync::stream::Delivery;
use crate::telemetry::alarm::Alarm;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::source::SourceEvents;
use crate::wire::decoder::Decoder;
use crate::wire::reading::ReadingFormat;

/// All sensors and templates of the configuration.
pub fn sensors(config: &Config) -> (Vec<(Sensor, Owner)>, Vec<Template>) {
    let placed = |entry: &SensorConfig| {
        let owner = Owner { source: entry.source.clone(), field: entry.field.clone() };
        (entry.sensor.clone(), owner)
    };
    let template = |template: &SensorTemplate| Template {
        pattern: template.pattern.as_str().to_owned(),
        source: template.model.source.clone(),
        field: template.model.field.clone(),
        model: template.model.sensor.clone(),
        max: template.max,
    };
    (config.sensors.iter().map(placed).collect(), config.templates.iter().map(template).collect())
}

/// Says which instruments were mounted at the sensors.
pub fn mount(sensors: &Sensors, mounted: &[Mount]) {
    for Mount { sensor, instrument, configured_serial, .. } in mounted {
        let (model, serial) = (instrument.model.clone(), instrument.serial.clone());
        let configured_serial = configured_serial.clone();
        sensors.mount(sensor.clone(), Mounted { model, serial, configured_serial });
    }
}

/// Makes the context of one source, as often as its task has to be started.
#[derive(Debug, Clone)]
pub struct Kit {
    /// The source as configured.
    pub config: SourceConfig,
    /// Its number; no other source that runs has it.
    pub index: u16,
    /// The source's end of its channel.
    pub out: SampleSender,
    pub sensors: Sensors,
    pub metrics: Metrics,
    pub clock: Clock,
    /// The wish that this source stops.
    pub shutdown: Shutdown,
}

impl Kit {
    /// How many samples the channel of a source has to hold.
    pub fn room(source: &SourceConfig) -> usize {
        // An MQTT source must be able to take all that the broker may have on its way.
        let on_its_way = usize::from(RECEIVE_MAXIMUM) * source.fields().count().max(1);
        CHANNEL_CAPACITY.max(on_its_way)
    }

    /// What the source's task is given.
    pub fn context(&self) -> SourceContext {
        let name = self.config.name.clone();
        SourceContext {
            index: self.index,
            out: self.out.clone(),
            bind: Binding::new(
                &self.sensors,
                name.clone(),
                self.config.fields().map(str::to_owned).collect(),
            ),
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

    /// Whether this source shares the uplink's connection.
    pub fn shares_uplink(&self) -> bool {
        matches!(&self.config.kind, SourceKind::Mqtt(mqtt) if mqtt.broker.is_none())
    }

    /// The filter that an MQTT source subscribes to.
    pub fn filter(&self) -> Option<String> {
        match &self.config.kind {
            SourceKind::Mqtt(mqtt) => Some(mqtt.topic.filter()),
            _ => None,
        }
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

/// The sinks as configured.
pub fn sinks(config: &Config) -> Vec<SinkSpec> {
    config.sinks.iter().map(|sink| spec(config, sink)).collect()
}

/// The connections that the configuration asks for. `will` is what the uplink's broker publishes when we vanish.
pub fn plans<'a>(
    config: &Config,
    kits: impl Iterator<Item = &'a Kit>,
    inbox: Inbox,
    will: (String, Vec<u8>),
) -> Vec<Plan> {
    let (shared, others): (Vec<&Kit>, Vec<&Kit>) = kits.partition(|kit| kit.shares_uplink());
    let uplink = config.mqtt.as_ref().map(|mqtt| Plan {
        broker: broker(mqtt, config.gateway.id.to_string(), Some(will)),
        kits: shared.into_iter().cloned().collect(),
        inbox: Some(inbox),
    });
    let own = others.into_iter().filter_map(|kit| {
        let SourceKind::Mqtt(mqtt) = &kit.config.kind else { return None };
        let client_id = format!("{}-{}", config.gateway.id, kit.config.name);
        let broker = broker(mqtt.broker.as_ref()?, client_id, None);
        Some(Plan { broker, kits: vec![kit.clone()], inbox: None })
    });
    uplink.into_iter().chain(own).collect()
}

/// What happens at the expiry of a transform.
pub fn on_expired(config: &Config) -> OnExpired {
    match config.trust.on_expired {
        Fallback::Uncalibrated => OnExpired::Uncalibrated,
        Fallback::Keep | Fallback::Previous => OnExpired::Keep,
    }
}

/// What of `[trust]` may change while calibd runs.
pub fn trust_policy(config: &Config) -> TrustPolicy {
    TrustPolicy { on_revoked: config.trust.on_revoked, require_manifest: config.trust.require_manifest }
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
fn broker(config: &BrokerConfig, client_id: String, will: Option<(String, Vec<u8>)>) -> Broker {
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
