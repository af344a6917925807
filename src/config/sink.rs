//! `[sink.<name>]`: where readings go.

use std::time::Duration;

use super::broker::BrokerConfig;
use super::gateway::GatewayConfig;
use super::reader::Section;
use super::source::Sources;
use crate::domain::id::Id;
use crate::wire::reading_field::ReadingField;
use crate::wire::topic::TopicTemplate;

/// A place to which every reading is published over the `[mqtt]` connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkConfig {
    /// Its name.
    pub name: Id,
    /// The topic of a reading, with `{fleet}`, `{gateway}` and `{sensor}`.
    pub topic: TopicTemplate,
    /// Whether readings go out before or after their commit.
    pub delivery: Delivery,
    /// MQTT quality of service, 0 or 1.
    pub qos: u8,
    /// Where a sink that has no cursor yet begins.
    pub start: Start,
    /// Most readings of one sensor in one message.
    pub batch: usize,
    /// The longest time that a reading waits for its batch to fill.
    pub linger: Duration,
    /// Keys of the published object and what they hold; `None` for the whole reading.
    pub fields: Option<Vec<(String, ReadingField)>>,
}

/// When a reading is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// At once.
    Live,
    /// Only once it is committed.
    Durable,
}

/// Where a new sink begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the next reading.
    Now,
    /// With the oldest reading in the store.
    Oldest,
}

const PLACEHOLDERS: [&str; 3] = ["fleet", "gateway", "sensor"];
const LATER_KINDS: [&str; 4] = ["sparkplug", "homeassistant", "http", "file"];
const LATER_FORMATS: [&str; 3] = ["senml", "senml-cbor", "influx"];
const MAX_LINGER: Duration = Duration::from_secs(3600);

/// What sinks are checked against.
pub struct Surroundings<'a> {
    /// Whether `[mqtt]` is present, valid or not.
    pub has_mqtt: bool,
    /// The `[mqtt]` connection.
    pub mqtt: Option<&'a BrokerConfig>,
    /// Who this gateway is.
    pub gateway: Option<&'a GatewayConfig>,
    /// Where readings come from.
    pub sources: &'a Sources,
}

/// Reads every `[sink.<name>]`.
pub fn read_sinks(root: &mut Section<'_>, around: &Surroundings<'_>) -> Vec<SinkConfig> {
    let mut sinks: Vec<SinkConfig> = Vec::new();
    for (name, mut section) in root.tables("sink") {
        let Some(sink) = read_sink(&name, &mut section, around) else { continue };
        if let Some(other) = sinks.iter().find(|other| other.topic == sink.topic) {
            let problem = format!("is the topic of sink `{}` too: readings would arrive twice", other.name);
            section.fault("topic", problem, "give each sink its own topic");
        }
        sinks.push(sink);
    }
    sinks
}

fn read_sink(name: &str, section: &mut Section<'_>, around: &Surroundings<'_>) -> Option<SinkConfig> {
    let id = Id::new(name).ok();
    if id.is_none() {
        section.fault_here(format!("`{name}` is not an identifier"), super::value::ID_RULE);
    }
    section.required("kind", "kind = \"mqtt\"");
    if section.choice_or_later("kind", &[("mqtt", ())], &LATER_KINDS).is_none() {
        section.abandon();
        return None;
    }
    if !around.has_mqtt {
        section.fault("kind", "needs a broker", "add [mqtt] with its url");
    }
    section.choice_or_later("format", &[("json", ())], &LATER_FORMATS);
    let topic = read_topic(section, around);
    let delivery = section
        .choice("delivery", &[("live", Delivery::Live), ("durable", Delivery::Durable)])
        .unwrap_or(Delivery::Live);
    let qos = u8::from(section.integer("qos", 0..=1) != Some(0));
    if qos == 0 && delivery == Delivery::Durable {
        section.fault(
            "qos",
            "durable delivery needs acknowledgements, which QoS 0 has not",
            "write qos = 1 or delivery = \"live\"",
        );
    }
    let start = section.choice("start", &[("now", Start::Now), ("oldest", Start::Oldest)]);
    if qos == 0 && start == Some(Start::Oldest) {
        section.fault(
            "start",
            "a QoS 0 sink has no position in the store",
            "write qos = 1 or start = \"now\"",
        );
    }
    let (batch, linger) = read_batch(section);
    let fields = read_fields(section);
    let topic = topic?;
    let names_sensor =
        fields.as_ref().is_none_or(|fields| fields.iter().any(|(_, f)| *f == ReadingField::Sensor));
    if !names_sensor && !topic.names().any(|name| name == "sensor") {
        section.warn(
            "topic",
            "neither the topic nor the fields name the sensor",
            "add {sensor} to the topic, or `sensor = \"sensor\"` to fields",
        );
    }
    let start = start.unwrap_or(Start::Now);
    Some(SinkConfig { name: id?, topic, delivery, qos, start, batch, linger, fields })
}

fn read_topic(section: &mut Section<'_>, around: &Surroundings<'_>) -> Option<TopicTemplate> {
    let example = "topic = \"calibd/1/{fleet}/up/{gateway}/reading/{sensor}\"";
    let text = section.required("topic", example).string("topic")?;
    let topic = match TopicTemplate::parse(&text, &PLACEHOLDERS) {
        Ok(topic) => topic,
        Err(error) => {
            section.fault("topic", error.problem, error.remedy);
            return None;
        }
    };
    let filled = with_names(&topic, around.gateway);
    if let Some(source) = around.sources.fed_by(&filled, around.mqtt) {
        section.fault(
            "topic",
            format!("source `{source}` reads what this sink publishes, without end"),
            "publish to topics that no source reads",
        );
    }
    if text.starts_with("calibd/1/") && text.split('/').nth(3) == Some("down") {
        section.fault("topic", "belongs to the control plane", "publish under .../up/{gateway}/ instead");
    }
    Some(topic)
}

/// The topic with the gateway's own names in it, so that only the sensor is left open.
fn with_names(topic: &TopicTemplate, gateway: Option<&GatewayConfig>) -> TopicTemplate {
    let Some(gateway) = gateway else { return topic.clone() };
    let mut text = String::new();
    let values =
        [("fleet", gateway.fleet.as_str()), ("gateway", gateway.id.as_str()), ("sensor", "{sensor}")];
    topic.render(&values, &mut text);
    TopicTemplate::parse(&text, &PLACEHOLDERS).unwrap_or_else(|_| topic.clone())
}

fn read_batch(section: &mut Section<'_>) -> (usize, Duration) {
    let batch = section.integer("batch", 1..=10_000).unwrap_or(1);
    let linger = section.duration("linger", Duration::ZERO..=MAX_LINGER);
    if batch == 1 && section.has("linger") {
        section.fault("linger", "has no use with one reading a message", "write batch = 100 or remove it");
    }
    let standard = if batch > 1 { Duration::from_secs(1) } else { Duration::ZERO };
    (usize::try_from(batch).unwrap_or(1), linger.unwrap_or(standard))
}

fn read_fields(section: &mut Section<'_>) -> Option<Vec<(String, ReadingField)>> {
    let mut table = section.table("fields")?;
    let keys = table.keys();
    if keys.is_empty() {
        table.fault_here("is empty", "write { v = \"value\" }, or remove it to send the whole reading");
    }
    Some(
        keys.into_iter()
            .filter_map(|key| Some((key.to_owned(), table.choice(key, &ReadingField::ALL)?)))
            .collect(),
    )
}
