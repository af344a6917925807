//! Configuration: TOML files -> validated types. Every fault names file, line, key, what is wrong
//! and what would be right, and all of them are reported at once.

pub mod alerts;
pub mod broker;
pub mod certificate;
mod check;
pub mod difference;
mod drift;
pub mod fault;
pub mod files;
pub mod gateway;
pub mod held_key;
pub mod load;
pub mod monitor;
pub mod peers;
pub mod reader;
mod recalibration;
pub mod rollout;
pub mod scalar;
pub mod sensor;
pub mod sink;
pub mod source;
pub mod store;
pub mod tree;
pub mod trust;
pub mod value;

pub use load::{Loaded, Refused, load};

use broker::BrokerConfig;
use gateway::{ControlConfig, GatewayConfig, HttpConfig};
use peers::PeersConfig;
use reader::Section;
use sensor::{SensorConfig, SensorTemplate};
use sink::{SinkConfig, Surroundings};
use source::SourceConfig;
use store::StoreConfig;
use trust::TrustConfig;

use std::path::PathBuf;

use crate::domain::alert::Policy;
use crate::domain::certificate::Office;
use crate::domain::rollout::plan::Policy as RolloutPolicy;

/// Everything that is configured, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Who this gateway is.
    pub gateway: GatewayConfig,
    /// Where readings are kept.
    pub store: StoreConfig,
    /// Whose transforms are believed.
    pub trust: TrustConfig,
    /// The connection to the broker; `None` is local only.
    pub mqtt: Option<BrokerConfig>,
    /// Where metrics are served; `None` is nowhere.
    pub http: Option<HttpConfig>,
    /// Where the control sockets stand.
    pub control: ControlConfig,
    /// Where readings come from, in the order of the file.
    pub sources: Vec<SourceConfig>,
    /// The sensors, in the order of the file.
    pub sensors: Vec<SensorConfig>,
    /// Recipes for sensors made on first sight.
    pub templates: Vec<SensorTemplate>,
    /// Sensors that measure the same thing.
    pub peers: Vec<PeersConfig>,
    /// When findings become alerts.
    pub alerts: Policy,
    /// What is wanted of transforms that are tried.
    pub rollout: RolloutPolicy,
    /// What stands on every certificate; `None`: none are issued.
    pub certificate: Option<Office>,
    /// The file of the maintenance key that signs in sessions; `None`: technicians sign with their own.
    pub held_key: Option<PathBuf>,
    /// Where readings go.
    pub sinks: Vec<SinkConfig>,
}

impl Config {
    /// Reads the whole. After faults the result may be incomplete or `None`; it is to be dropped.
    pub fn read(root: &mut Section<'_>) -> Option<Config> {
        let gateway = gateway::read_gateway(root);
        let store = store::read_store(root);
        let trust = trust::read_trust(root);
        let has_mqtt = root.has("mqtt");
        let mqtt = root.table("mqtt").map(|mut section| broker::read_broker(&mut section));
        let http = gateway::read_http(root);
        let control = gateway::read_control(root);
        let sources = source::read_sources(root, has_mqtt);
        let (sensors, templates) = sensor::read_sensors(root, &sources);
        let peers = peers::read_peers(root, &sensors, !templates.is_empty());
        let alerts = alerts::read_alerts(root);
        let rollout = rollout::read_rollout(root);
        let certificate = certificate::read_certificate(root);
        let held_key = held_key::read_held_key(root);
        let broker = mqtt.as_ref().and_then(Option::as_ref);
        let around = Surroundings { has_mqtt, mqtt: broker, gateway: gateway.as_ref(), sources: &sources };
        let sinks = sink::read_sinks(root, &around);
        warn_of_idle(root, &sensors, &templates);
        Some(Config {
            gateway: gateway?,
            store: store?,
            trust,
            mqtt: mqtt.flatten(),
            http,
            control,
            sources: sources.into_configs(),
            sensors,
            templates,
            peers,
            alerts,
            rollout,
            certificate,
            held_key,
            sinks,
        })
    }

    /// Whether nothing that `root` holds was lost on the way without a fault.
    fn is_whole(&self, root: &Section<'_>) -> bool {
        self.mqtt.is_some() == root.has("mqtt")
            && self.http.is_some() == root.has("http")
            && self.certificate.is_some() == root.has("certificate")
            && self.held_key.is_some() == root.has("recalibration")
            && self.sources.len() == root.count("source")
            && self.sensors.len() == root.count("sensor")
            && self.peers.len() == root.count("peers")
            && self.templates.len() == root.count("sensors")
            && self.sinks.len() == root.count("sink")
    }
}

/// Says which sources nothing reads from, and that there are none.
fn warn_of_idle(root: &mut Section<'_>, sensors: &[SensorConfig], templates: &[SensorTemplate]) {
    let sources = root.tables("source");
    if root.is_sound() && sources.is_empty() {
        root.warn("source", "no source is configured, so nothing will be read", "add [source.<name>]");
    }
    let used = |name: &str| {
        sensors.iter().any(|sensor| sensor.source.as_str() == name)
            || templates.iter().any(|template| template.model.source.as_str() == name)
    };
    for (name, mut section) in sources {
        section.abandon();
        if root.is_sound() && !used(&name) {
            let remedy = format!("add [sensor.<id>] with source = \"{name}\"");
            section.warn("kind", "no sensor takes its readings from this source", remedy);
        }
    }
}
