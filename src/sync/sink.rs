//! One MQTT sink: where its readings go, in which form, and its stream through the history.

use std::collections::HashMap;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use rumqttc::v5::mqttbytes::QoS;

use super::stream::{Delivery, Stream};
use crate::domain::id::{Id, SensorId};
use crate::domain::sample::Reading;
use crate::telemetry::link::TooLarge;
use crate::telemetry::metrics::Metrics;
use crate::wire::reading::ReadingFormat;

/// What one reading takes in a batch, at most, in bytes: the full form with the longest names.
const LARGEST_READING: usize = 640;

/// A sink as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkSpec {
    /// Its name.
    pub name: Id,
    /// Its topic, `{fleet}` and `{gateway}` filled in, `{sensor}` still open.
    pub topic: String,
    /// When it publishes.
    pub delivery: Delivery,
    /// 0 or 1.
    pub qos: u8,
    /// Whether it starts with the oldest reading when it has no cursor yet.
    pub from_oldest: bool,
    /// What a reading looks like.
    pub format: ReadingFormat,
    /// Readings a message.
    pub batch: usize,
    /// How long a reading waits for its batch to fill.
    pub linger: Duration,
}

/// A message for one sink, ready to publish.
#[derive(Debug, PartialEq)]
pub struct Outgoing {
    /// Where it goes.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
    /// The sequence numbers of its readings.
    pub seqs: Seqs,
}

/// Sequence numbers of one message; mostly one.
#[derive(Debug, Clone, PartialEq)]
pub enum Seqs {
    One(u64),
    Many(Box<[u64]>),
}

impl Seqs {
    /// All of them.
    pub fn as_slice(&self) -> &[u64] {
        match self {
            Seqs::One(seq) => std::slice::from_ref(seq),
            Seqs::Many(seqs) => seqs,
        }
    }
}

/// A sink at work.
#[derive(Debug)]
pub struct Sink {
    /// As configured.
    pub spec: SinkSpec,
    /// Its place in the history; `None` for a live sink at QoS 0, which has none.
    pub stream: Option<Stream>,
    /// Set while the broker refuses its messages: nothing is sent before this (monotonic) time.
    pub paused_until: Option<Duration>,
    /// Readings published.
    pub published: Counter,
    topics: HashMap<SensorId, String>,
    /// When the oldest queued reading began to wait for its batch.
    lingering_since: Option<Duration>,
    ready: Vec<Outgoing>,
}

impl Sink {
    /// A sink whose stream goes on after `cursor`, in a history that ends with `committed`.
    pub fn new(spec: SinkSpec, cursor: Option<u64>, committed: u64, metrics: &Metrics) -> Sink {
        let direct = spec.qos == 0 && spec.delivery == Delivery::Live && spec.batch <= 1;
        let start = if spec.from_oldest { 0 } else { committed };
        let cursor = if spec.qos == 0 { committed } else { cursor.unwrap_or(start) };
        let stream = (!direct).then(|| Stream::new(spec.delivery, cursor, committed));
        Sink::with(spec, stream, metrics)
    }

    /// A sink that takes the place of one of the same name, whose stream was `stream`.
    ///
    /// It goes on after what that one saw acknowledged; what was under way is sent again.
    pub fn after(spec: SinkSpec, mut stream: Stream, metrics: &Metrics) -> Sink {
        stream.rewind();
        // What is being fetched is answered under the old key.
        stream.fetch_failed();
        stream.deliver(spec.delivery);
        Sink::with(spec, Some(stream), metrics)
    }

    fn with(spec: SinkSpec, stream: Option<Stream>, metrics: &Metrics) -> Sink {
        let published = metrics.publishes.get_or_create_owned(&vec![("sink", spec.name.to_string())]);
        Sink {
            spec,
            stream,
            paused_until: None,
            published,
            topics: HashMap::new(),
            lingering_since: None,
            ready: Vec::new(),
        }
    }

    /// The MQTT quality of service.
    pub fn qos(&self) -> QoS {
        if self.spec.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce }
    }

    /// The topic for a sensor's readings.
    pub fn topic(&mut self, sensor: &SensorId) -> &str {
        let template = &self.spec.topic;
        self.topics.entry(sensor.clone()).or_insert_with(|| template.replace("{sensor}", sensor.as_str()))
    }

    /// The next message, if one is due at the monotonic time `now`.
    pub fn next(&mut self, now: Duration, max_packet: usize) -> Option<Outgoing> {
        if self.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        self.paused_until = None;
        if self.spec.batch <= 1 {
            let reading = self.stream.as_mut()?.take()?;
            return Some(self.message(std::slice::from_ref(&reading)));
        }
        if self.ready.is_empty() {
            self.fill(now, max_packet);
        }
        self.ready.pop()
    }

    /// Cuts what waits into messages of one topic and at most `batch` readings each.
    fn fill(&mut self, now: Duration, max_packet: usize) {
        let Some(stream) = &mut self.stream else { return };
        if stream.queued() == 0 {
            self.lingering_since = None;
            return;
        }
        let since = *self.lingering_since.get_or_insert(now);
        if stream.queued() < super::stream::QUEUE && now.saturating_sub(since) < self.spec.linger {
            return;
        }
        self.lingering_since = None;
        let batch = self.spec.batch.min(max_packet / LARGEST_READING).max(1);
        let readings: Vec<Reading> = std::iter::from_fn(|| stream.take()).collect();
        let mut groups: Vec<(String, Vec<Reading>)> = Vec::new();
        for reading in readings {
            let topic = self.topic(&reading.sensor).to_owned();
            match groups.iter_mut().find(|(t, group)| *t == topic && group.len() < batch) {
                Some((_, group)) => group.push(reading),
                None => groups.push((topic, vec![reading])),
            }
        }
        self.ready = groups.iter().rev().map(|(_, group)| self.message(group)).collect();
    }

    /// Leaves out a message that the broker would not take: sending it would only cost the connection.
    pub fn too_large(&mut self, message: &Outgoing, metrics: &Metrics) {
        let Sink { spec, stream, .. } = self;
        let seqs = message.seqs.as_slice();
        TooLarge { sink: Some(&spec.name), topic: &message.topic, count: seqs.len() }.record(metrics);
        if let Some(stream) = stream {
            let generation = stream.generation();
            for seq in seqs {
                stream.acked(*seq, generation);
            }
        }
    }

    fn message(&mut self, readings: &[Reading]) -> Outgoing {
        let mut payload = Vec::with_capacity(256 * readings.len());
        let seqs = match readings {
            [one] if self.spec.batch <= 1 => {
                self.spec.format.write(one, &mut payload);
                Seqs::One(one.seq)
            }
            many => {
                self.spec.format.write_batch(many, &mut payload);
                Seqs::Many(many.iter().map(|r| r.seq).collect())
            }
        };
        let topic = readings.first().map(|r| self.topic(&r.sensor).to_owned()).unwrap_or_default();
        Outgoing { topic, payload, seqs }
    }

    /// Goes back to the cursor after a lost connection or a refused message.
    pub fn rewind(&mut self) {
        self.ready.clear();
        self.lingering_since = None;
        if let Some(stream) = &mut self.stream {
            stream.rewind();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::quality::{Reasons, State};
    use crate::domain::time::Timestamp;

    fn spec(batch: usize) -> SinkSpec {
        SinkSpec {
            name: Id::new("uplink").unwrap(),
            topic: "r/{sensor}".into(),
            delivery: Delivery::Live,
            qos: 1,
            from_oldest: false,
            format: ReadingFormat::full(),
            batch,
            linger: Duration::from_secs(1),
        }
    }

    fn reading(sensor: &str, seq: u64) -> Reading {
        Reading {
            sensor: Id::new(sensor).unwrap(),
            seq,
            after: None,
            time: Timestamp::EPOCH,
            received: Timestamp::EPOCH,
            raw: None,
            value: None,
            u: None,
            p0_p1: None,
            event: None,
            unit: Arc::from("1"),
            state: State::Missing,
            reasons: Reasons::NONE,
            transform: None,
        }
    }

    #[test]
    fn one_reading_is_an_object_on_its_own_topic() {
        let mut sink = Sink::new(spec(1), None, 0, &Metrics::new());
        sink.stream.as_mut().unwrap().offer(&reading("a", 1));
        let out = sink.next(Duration::ZERO, usize::MAX).unwrap();
        assert_eq!((out.topic.as_str(), out.seqs, out.payload[0]), ("r/a", Seqs::One(1), b'{'));
        assert_eq!(sink.next(Duration::ZERO, usize::MAX), None);
    }

    #[test]
    fn a_batch_lingers_and_is_an_array_per_topic() {
        let mut sink = Sink::new(spec(2), None, 0, &Metrics::new());
        for (sensor, seq) in [("a", 1), ("b", 2), ("a", 3), ("a", 4)] {
            sink.stream.as_mut().unwrap().offer(&reading(sensor, seq));
        }
        assert_eq!(sink.next(Duration::ZERO, usize::MAX), None);
        let due = Duration::from_secs(1);
        let out: Vec<_> = std::iter::from_fn(|| sink.next(due, usize::MAX))
            .map(|o| (o.topic, o.seqs.as_slice().to_vec()))
            .collect();
        assert_eq!(out, [("r/a".into(), vec![1, 3]), ("r/b".into(), vec![2]), ("r/a".into(), vec![4])]);
    }

    #[test]
    fn a_new_sink_starts_now_or_with_the_oldest() {
        let metrics = Metrics::new();
        let cursor = |sink: Sink| sink.stream.unwrap().backlog();
        assert_eq!(cursor(Sink::new(spec(1), None, 9, &metrics)), 0);
        assert_eq!(cursor(Sink::new(SinkSpec { from_oldest: true, ..spec(1) }, None, 9, &metrics)), 9);
        assert_eq!(cursor(Sink::new(spec(1), Some(4), 9, &metrics)), 5);
    }

    #[test]
    fn a_sink_that_takes_anothers_place_fetches_again_what_was_being_fetched() {
        let metrics = Metrics::new();
        let mut stream =
            Sink::new(SinkSpec { from_oldest: true, ..spec(1) }, None, 9, &metrics).stream.unwrap();
        assert!(stream.fetch().is_some() && stream.fetch().is_none());
        let mut sink = Sink::after(spec(2), stream, &metrics);
        assert!(sink.stream.as_mut().unwrap().fetch().is_some());
    }

    #[test]
    fn a_paused_sink_waits() {
        let mut sink = Sink::new(spec(1), None, 0, &Metrics::new());
        sink.stream.as_mut().unwrap().offer(&reading("a", 1));
        sink.paused_until = Some(Duration::from_secs(30));
        assert_eq!(sink.next(Duration::from_secs(29), usize::MAX), None);
        assert!(sink.next(Duration::from_secs(30), usize::MAX).is_some());
    }
}
