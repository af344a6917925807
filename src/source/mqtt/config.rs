//! `kind = "mqtt"`: topics of a broker.

use crate::config::broker::{BrokerConfig, read_broker};
use crate::config::reader::Section;
use crate::source::layout::read_layout;
use crate::wire::format::Layout;
use crate::wire::topic::TopicPattern;

/// Topics of a broker.
#[derive(Debug, Clone, PartialEq)]
pub struct MqttSourceConfig {
    /// Its own connection; `None` for that of `[mqtt]`.
    pub broker: Option<BrokerConfig>,
    /// The topics, with captures.
    pub topic: TopicPattern,
    /// 0, or 1: acknowledged after the commit.
    pub qos: u8,
    /// How a message is read.
    pub layout: Layout,
}

/// The keys of a connection that make no sense without `url`.
const CONNECTION: [&str; 7] =
    ["ca_file", "cert_file", "key_file", "username", "password_file", "keep_alive", "session_expiry"];

impl MqttSourceConfig {
    /// Reads the keys of an MQTT source.
    pub fn read(section: &mut Section<'_>) -> Option<MqttSourceConfig> {
        let topic = read_topic(section);
        let qos = section.integer("qos", 0..=1);
        let has_url = section.has("url");
        let broker = if has_url { read_broker(section) } else { None };
        if !has_url {
            refuse_connection_keys(section);
        }
        let layout = read_layout(section);
        if has_url && broker.is_none() {
            return None;
        }
        Some(MqttSourceConfig { broker, topic: topic?, qos: u8::from(qos != Some(0)), layout: layout? })
    }
}

fn refuse_connection_keys(section: &mut Section<'_>) {
    for key in CONNECTION {
        if section.value(key).is_some() {
            section.fault(key, "stands without url", "add url, or remove it to use the [mqtt] connection");
        }
    }
}

fn read_topic(section: &mut Section<'_>) -> Option<TopicPattern> {
    let text = section.required("topic", "topic = \"sensors/+name/raw\"").string("topic")?;
    match TopicPattern::parse(&text) {
        Ok(topic) => Some(topic),
        Err(error) => {
            section.fault("topic", error.problem, error.remedy);
            None
        }
    }
}
