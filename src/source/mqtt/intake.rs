//! Takes MQTT messages of one source and turns them into samples. The link calls it; it never waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::id::SensorId;
use crate::domain::sample::{AckToken, Sample};
use crate::source::SourceContext;
use crate::wire::decoder::Decoder;
use crate::wire::topic::TopicPattern;

/// Topics whose sensors are remembered; more are looked up each time.
const REMEMBERED: usize = 20_000;
/// Longest topic that is remembered.
const REMEMBERED_LEN: usize = 256;

/// What to do about a subscription that is refused.
pub const ALLOW: &str = "allow it in the broker's ACL";

/// Whether the message's acknowledgement waits for a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Samples are on their way; the last one carries the token.
    Queued,
    /// It gave no sample and never will: acknowledge it now.
    Settled,
    /// There was no room for it: have the broker send it again, by a new connection.
    Refused,
}

/// The sensors of a topic, each with the field that feeds it.
type Bound = Box<[(usize, SensorId)]>;

/// One MQTT source.
#[derive(Debug)]
pub struct Intake {
    context: SourceContext,
    pattern: TopicPattern,
    filter: String,
    qos: u8,
    decoder: Decoder,
    /// For each topic, the sensors of every field.
    remembered: HashMap<Box<[u8]>, Bound>,
    found: Vec<Sample>,
}

impl Intake {
    /// A source that takes messages whose topics fit `pattern`.
    pub fn new(context: SourceContext, pattern: TopicPattern, qos: u8, decoder: Decoder) -> Intake {
        let filter = pattern.filter();
        Intake { context, pattern, filter, qos, decoder, remembered: HashMap::new(), found: Vec::new() }
    }

    /// The filter to subscribe to.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// The quality of service to subscribe with.
    pub fn qos(&self) -> u8 {
        self.qos
    }

    /// The source's number.
    pub fn index(&self) -> u16 {
        self.context.index
    }

    /// Whether a topic is this source's.
    pub fn matches(&self, topic: &str) -> bool {
        self.pattern.matches(topic).is_some()
    }

    /// Notes that the broker is connected.
    pub fn connected(&self, broker: &str) {
        self.context.events.connected(&format!("broker {broker}, topic {}", self.filter));
    }

    /// Notes that the broker is lost.
    pub fn disconnected(&self, problem: &str, retry: Duration) {
        self.context.events.disconnected(problem, retry);
    }

    /// Notes that the broker does not let the source have its messages.
    pub fn refused(&self, problem: &str) {
        self.context.events.refused(problem, ALLOW);
    }

    /// Takes one message; `token` goes with its last sample.
    pub fn take(&mut self, topic: &[u8], payload: &[u8], token: Option<AckToken>) -> Taken {
        if !self.decode(topic, payload) {
            return Taken::Settled;
        }
        let Some(last) = self.found.last_mut() else { return Taken::Settled };
        last.ack = token;
        let mut taken = Taken::Settled;
        for sample in self.found.drain(..) {
            match self.context.out.try_send(sample) {
                Ok(None) => {
                    self.context.events.sample();
                    taken = Taken::Queued;
                }
                Ok(Some(rejected)) => {
                    // The channel holds all that the broker may have on its way at QoS 1, but not what
                    // somebody publishes at QoS 0 beside it.
                    let sensor = rejected.sensor.as_str();
                    self.context
                        .events
                        .dropped("channel_full", &format!("a reading of {sensor} came too fast"));
                    if token.is_some() {
                        return Taken::Refused;
                    }
                }
                Err(_) => return Taken::Queued, // stopping: unacknowledged, it will come again
            }
        }
        taken
    }

    /// Fills `found`; answers whether the message could be decoded.
    fn decode(&mut self, topic: &[u8], payload: &[u8]) -> bool {
        let Intake { context, pattern, decoder, remembered, found, .. } = self;
        found.clear();
        if context.bind.refresh() {
            remembered.clear();
        }
        let record = match decoder.message(payload) {
            Ok(record) => record,
            Err(error) => {
                let name = String::from_utf8_lossy(&topic[..topic.len().min(80)]).into_owned();
                context.events.dropped(error.kind.as_str(), &format!("{name}: {error}"));
                return false;
            }
        };
        if context.events.tap().watched() {
            let topic = String::from_utf8_lossy(topic);
            let found = pattern.matches(&topic);
            let mut names = found.as_ref().map_or(Vec::new(), |found| found.as_slice().to_vec());
            names.extend(record.captures.iter().copied());
            context.show(&record, Some(&topic), &names);
        }
        for fault in record.faults {
            context.events.dropped(fault.kind.as_str(), &fault.to_string());
        }
        let now = context.clock.now();
        let event: Option<Arc<str>> = record.event.map(Arc::from);
        let mut add = |sensor: &SensorId, raw| {
            found.push(Sample {
                sensor: sensor.clone(),
                device_time: record.device_time,
                gateway_time: now,
                raw,
                u: None,
                event: event.clone(),
                ack: None,
            });
        };
        if record.captures.is_empty()
            && let Some(bound) = remembered.get(topic)
        {
            for (field, raw) in record.readings() {
                bound.iter().filter(|(of, _)| *of == field).for_each(|(_, sensor)| add(sensor, raw));
            }
            return true;
        }
        let Some(captures) = std::str::from_utf8(topic).ok().and_then(|text| pattern.matches(text)) else {
            context.events.dropped("bad_topic", "a topic that is not UTF-8");
            return false;
        };
        let mut names = captures.as_slice().to_vec();
        names.extend(record.captures.iter().copied());
        let mut bound = Vec::new();
        let mut whole = record.captures.is_empty();
        for field in 0..record.values.len() {
            let (sensors, problem) = context.bind.sensors(field, &names);
            bound.extend(sensors.iter().map(|sensor| (field, sensor.clone())));
            if let Some(problem) = problem {
                whole = false;
                context
                    .events
                    .dropped(problem.as_str(), &format!("topic {}", String::from_utf8_lossy(topic)));
            }
        }
        for (field, raw) in record.readings() {
            bound.iter().filter(|(of, _)| *of == field).for_each(|(_, sensor)| add(sensor, raw));
        }
        if whole && remembered.len() < REMEMBERED && topic.len() <= REMEMBERED_LEN {
            remembered.insert(topic.into(), bound.into());
        }
        true
    }
}
