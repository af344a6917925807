//! `[source.<name>]`: where readings come from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::broker::BrokerConfig;
use super::reader::Section;
use crate::domain::id::Id;
use crate::domain::synthetic::Signal;
use crate::source::mqtt::config::MqttSourceConfig;
use crate::source::replay::config::ReplayConfig;
use crate::source::serial::config::SerialConfig;
use crate::source::synthetic::config::SyntheticConfig;
use crate::wire::decoder::Decoder;
use crate::wire::format::{FormatSpec, Layout};
use crate::wire::topic::TopicTemplate;

/// One source.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceConfig {
    /// Its name.
    pub name: Id,
    /// What it is.
    pub kind: SourceKind,
}

/// What a source is.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceKind {
    /// A serial line.
    Serial(SerialConfig),
    /// A recorded file.
    Replay(ReplayConfig),
    /// Invented signals.
    Synthetic(SyntheticConfig),
    /// Topics of a broker.
    Mqtt(Box<MqttSourceConfig>),
}

impl SourceKind {
    /// The kind as it is configured.
    pub fn name(&self) -> &'static str {
        match self {
            SourceKind::Serial(_) => "serial",
            SourceKind::Replay(_) => "replay",
            SourceKind::Synthetic(_) => "synthetic",
            SourceKind::Mqtt(_) => "mqtt",
        }
    }
}

impl SourceConfig {
    /// How its bytes are read, if it reads any.
    fn layout(&self) -> Option<&Layout> {
        match &self.kind {
            SourceKind::Serial(serial) => Some(&serial.layout),
            SourceKind::Replay(replay) => Some(&replay.layout),
            SourceKind::Synthetic(_) => None,
            SourceKind::Mqtt(mqtt) => Some(&mqtt.layout),
        }
    }

    fn signals(&self) -> &[Signal] {
        match &self.kind {
            SourceKind::Synthetic(synthetic) => &synthetic.signals,
            _ => &[],
        }
    }

    /// The names of its fields, in the order in which records give them.
    pub fn fields(&self) -> impl Iterator<Item = &str> + Clone {
        let read = self.layout().map_or(&[][..], |layout| &layout.fields);
        let invented = self.signals().iter().map(|signal| signal.name.as_str());
        read.iter().map(|field| &*field.name).chain(invented)
    }

    /// The names that templates can use.
    pub fn captures(&self) -> Vec<String> {
        match &self.kind {
            SourceKind::Mqtt(mqtt) => mqtt.topic.names().map(str::to_owned).collect(),
            _ => self.layout().map_or_else(Vec::new, groups),
        }
    }

    /// The serial port.
    pub fn port(&self) -> Option<&Path> {
        match &self.kind {
            SourceKind::Serial(serial) => Some(&serial.port),
            _ => None,
        }
    }

    /// The files that must be readable, with the keys that name them.
    pub fn files(&self) -> Vec<(&'static str, &PathBuf)> {
        match &self.kind {
            SourceKind::Serial(_) | SourceKind::Synthetic(_) => Vec::new(),
            SourceKind::Replay(replay) => vec![("file", &replay.file)],
            SourceKind::Mqtt(mqtt) => mqtt.broker.as_ref().map_or_else(Vec::new, BrokerConfig::files),
        }
    }
}

/// The groups of a regular expression that are no fields.
fn groups(layout: &Layout) -> Vec<String> {
    if !matches!(layout.format, FormatSpec::Regex { .. }) {
        return Vec::new();
    }
    // The layout was tried when it was read.
    let decoder = Decoder::new(layout).ok();
    decoder.iter().flat_map(Decoder::capture_names).map(str::to_owned).collect()
}

const LATER_KINDS: [&str; 10] =
    ["modbus_rtu", "modbus_tcp", "iio", "hwmon", "w1", "nmea", "scpi", "udp", "tcp", "http"];

/// More sources than a gateway has; each has a number of 16 bits while it runs.
const MOST: usize = 16_384;

/// All sources, those with faults by name only, so that what refers to them is judged fairly.
pub struct Sources {
    entries: Vec<(String, Option<SourceConfig>)>,
    /// The fields of those without faults, by the source's name: each of a thousand sensors asks for one.
    fields: BTreeMap<String, BTreeSet<String>>,
}

/// Reads every `[source.<name>]`. `has_mqtt` says whether there is a `[mqtt]` connection.
pub fn read_sources(root: &mut Section<'_>, has_mqtt: bool) -> Sources {
    let mut entries: Vec<(String, Option<SourceConfig>)> = Vec::new();
    for (index, (name, mut section)) in root.tables("source").into_iter().enumerate() {
        let source = read_source(&name, index, &mut section, has_mqtt);
        let twin = source.as_ref().and_then(SourceConfig::port).and_then(|port| {
            let others = entries.iter().filter_map(|(_, other)| other.as_ref());
            others.into_iter().find(|other| other.port() == Some(port)).map(|other| &other.name)
        });
        if let Some(twin) = twin {
            let problem = format!("is the port of source `{twin}` too");
            section.fault(
                "port",
                problem,
                "give each source its own port, or read both values from one source",
            );
        }
        entries.push((name, source));
    }
    let sound = entries.iter().filter_map(|(name, source)| Some((name, source.as_ref()?)));
    let named = |source: &SourceConfig| source.fields().map(str::to_owned).collect();
    let fields = sound.map(|(name, source)| (name.clone(), named(source))).collect();
    Sources { entries, fields }
}

fn read_source(name: &str, index: usize, section: &mut Section<'_>, has_mqtt: bool) -> Option<SourceConfig> {
    let id = Id::new(name).ok();
    if id.is_none() {
        section.fault_here(format!("`{name}` is not an identifier"), super::value::ID_RULE);
    }
    if index >= MOST {
        section.fault_here("is one source too many", "configure at most 16384 sources");
    }
    let kinds = [("serial", 0), ("replay", 1), ("mqtt", 2), ("synthetic", 3)];
    section.required("kind", "kind = \"serial\"");
    let kind = match section.choice_or_later("kind", &kinds, &LATER_KINDS) {
        Some(0) => SerialConfig::read(section).map(SourceKind::Serial),
        Some(1) => ReplayConfig::read(section).map(SourceKind::Replay),
        Some(2) => read_mqtt(section, has_mqtt).map(|mqtt| SourceKind::Mqtt(Box::new(mqtt))),
        Some(_) => SyntheticConfig::read(section).map(SourceKind::Synthetic),
        None => {
            section.abandon();
            None
        }
    };
    Some(SourceConfig { name: id?, kind: kind? })
}

fn read_mqtt(section: &mut Section<'_>, has_mqtt: bool) -> Option<MqttSourceConfig> {
    if !has_mqtt && !section.has("url") {
        section.fault("kind", "needs a broker", "add [mqtt] with its url, or a url here");
    }
    MqttSourceConfig::read(section)
}

impl Sources {
    /// The names of all sources, also of those with faults.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// Whether there is a source of this name, also one with faults.
    pub fn is_named(&self, name: &Id) -> bool {
        self.names().any(|known| known == name.as_str())
    }

    fn get(&self, name: &Id) -> Option<&SourceConfig> {
        self.entries.iter().find(|(known, _)| known == name.as_str()).and_then(|(_, source)| source.as_ref())
    }

    /// The fields of a source without faults.
    pub fn fields(&self, name: &Id) -> Option<impl Iterator<Item = &str> + Clone> {
        self.get(name).map(SourceConfig::fields)
    }

    /// Whether a source has this field; one with faults may have any.
    pub fn may_have(&self, name: &Id, field: &str) -> bool {
        self.fields.get(name.as_str()).is_none_or(|fields| fields.contains(field))
    }

    /// The captures of a source without faults.
    pub fn captures(&self, name: &Id) -> Option<Vec<String>> {
        self.get(name).map(SourceConfig::captures)
    }

    /// The topic of an MQTT source, if more than one topic fits it.
    pub fn varying_topic(&self, name: &Id) -> Option<String> {
        match &self.get(name)?.kind {
            SourceKind::Mqtt(mqtt) if !mqtt.topic.is_literal() => Some(mqtt.topic.to_string()),
            _ => None,
        }
    }

    /// The source that would read what is published to `topic` at the broker `mqtt`.
    pub fn fed_by(&self, topic: &TopicTemplate, mqtt: Option<&BrokerConfig>) -> Option<&Id> {
        let sources = self.entries.iter().filter_map(|(_, source)| source.as_ref());
        sources.into_iter().find_map(|source| match &source.kind {
            SourceKind::Mqtt(config) => {
                let own = config.broker.as_ref();
                let same = own.is_none_or(|own| {
                    mqtt.is_some_and(|mqtt| (&mqtt.host, mqtt.port) == (&own.host, own.port))
                });
                (same && config.topic.overlaps(topic)).then_some(&source.name)
            }
            _ => None,
        })
    }

    /// The sources without faults.
    pub fn into_configs(self) -> Vec<SourceConfig> {
        self.entries.into_iter().filter_map(|(_, source)| source).collect()
    }
}
