//! What the link does under its lock: hand over, match acknowledgements, start afresh.

use std::time::Duration;

use bytes::Bytes;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Publish, PublishProperties};

use super::{Inner, SinkKey, Token};
use crate::domain::sample::Reading;
use crate::sync::control::Purpose;
use crate::sync::sink::Sink;
use crate::sync::stream::Fetch;
use crate::telemetry::link::{PublishRefused, TooLarge};
use crate::telemetry::metrics::Metrics;

/// QoS 1 publishes in the client at any time.
const WINDOW: usize = 64;
/// How long a sink rests after the broker refused one of its messages.
const PAUSE: Duration = Duration::from_secs(30);
/// How long a sink rests when the client has no room.
const FULL_PAUSE: Duration = Duration::from_millis(100);
/// What a message takes beside its topic and payload, at most.
const OVERHEAD: usize = 32;

impl Inner {
    pub(super) fn reset(&mut self) {
        self.client = None;
        self.ready = false;
        self.ending = false;
        self.fifo.clear();
        self.in_flight.iter_mut().for_each(|slot| *slot = None);
        self.control.rewind();
        self.sinks.iter_mut().for_each(|(_, sink)| sink.rewind());
    }

    pub(super) fn sink(&mut self, key: SinkKey) -> Option<&mut Sink> {
        self.sinks.iter_mut().find(|(other, _)| *other == key).map(|(_, sink)| sink)
    }

    pub(super) fn offer(&mut self, reading: &Reading, metrics: &Metrics) {
        let client = self.client.as_ref().filter(|_| self.ready);
        for (_, sink) in &mut self.sinks {
            if let Some(stream) = &mut sink.stream {
                stream.offer(reading);
                continue;
            }
            self.scratch.clear();
            sink.spec.format.write(reading, &mut self.scratch);
            let payload = Bytes::copy_from_slice(&self.scratch);
            let sent = client.is_some_and(|client| {
                client.try_publish(sink.topic(&reading.sensor), QoS::AtMostOnce, false, payload).is_ok()
            });
            if sent {
                sink.published.inc();
            } else {
                let reason = if client.is_some() { "client_full" } else { "disconnected" };
                metrics.publishes_dropped.of(sink.spec.name.as_str(), reason).inc();
            }
        }
    }

    /// Asks the client to end a connection on which nothing is acknowledged any more; one without room is asked again.
    pub(super) fn end_connection(&mut self) {
        if let Some(client) = self.client.as_ref().filter(|_| self.upstream.has_ceased() && !self.ending) {
            self.ending = client.try_disconnect().is_ok();
        }
    }

    pub(super) fn pump(&mut self, now: Duration, metrics: &Metrics) {
        self.send_upstream_acks();
        while self.ready && self.under_way() < WINDOW {
            // In turn: after a connect there is a report of every sensor to send.
            let control = self.send_control(metrics);
            if !self.send_readings(now, metrics) && !control {
                return;
            }
        }
    }

    pub(super) fn under_way(&self) -> usize {
        self.fifo.len() + self.in_flight.iter().flatten().count()
    }

    pub(super) fn send_control(&mut self, metrics: &Metrics) -> bool {
        let Some(client) = &self.client else { return false };
        let Some(message) = self.control.next() else { return false };
        let (id, topic, payload) = (message.id, message.topic.clone(), message.payload.clone());
        let correlation = message.correlation.clone();
        let more = correlation.as_ref().map_or(0, Bytes::len);
        if topic.len() + payload.len() + more + OVERHEAD > self.max_packet {
            TooLarge { sink: None, topic: &topic, count: 1 }.record(metrics);
            self.control.acked(id);
            return true;
        }
        let taken = match correlation {
            None => client.try_publish(topic, QoS::AtLeastOnce, message.retain, payload),
            Some(_) => {
                let properties = PublishProperties { correlation_data: correlation, ..Default::default() };
                client.try_publish_with_properties(
                    topic,
                    QoS::AtLeastOnce,
                    message.retain,
                    payload,
                    properties,
                )
            }
        };
        if taken.is_err() {
            return false;
        }
        self.control.submitted(id);
        self.fifo.push_back(Token::Control(id));
        true
    }

    /// One message from each sink that has one; answers whether any was sent.
    pub(super) fn send_readings(&mut self, now: Duration, metrics: &Metrics) -> bool {
        let Some(client) = &self.client else { return false };
        let mut any = false;
        for (key, sink) in &mut self.sinks {
            let Some(message) = sink.next(now, self.max_packet) else { continue };
            let count = message.seqs.as_slice().len() as u64;
            if message.topic.len() + message.payload.len() + OVERHEAD > self.max_packet {
                sink.too_large(&message, metrics);
                any = true;
                continue;
            }
            if client.try_publish(message.topic, sink.qos(), false, message.payload).is_err() {
                // Nothing is lost: it is read from the history again once the client has room.
                sink.rewind();
                sink.paused_until = Some(now + FULL_PAUSE);
                continue;
            }
            any = true;
            sink.published.inc_by(count);
            let Some(stream) = &mut sink.stream else { continue };
            let generation = stream.generation();
            if sink.spec.qos == 0 {
                for seq in message.seqs.as_slice() {
                    stream.acked(*seq, generation);
                }
            } else {
                self.fifo.push_back(Token::Readings { sink: *key, seqs: message.seqs, generation });
            }
        }
        any
    }

    pub(super) fn send_upstream_acks(&mut self) {
        self.end_connection();
        let Some(client) = &self.client else { return };
        while let Some(packet) = self.upstream.ready() {
            let mut publish = Publish::new("", QoS::AtLeastOnce, Bytes::new(), None);
            publish.pkid = packet;
            if client.try_ack(&publish).is_err() {
                return;
            }
            self.upstream.sent();
        }
    }

    pub(super) fn acked(&mut self, token: Token) {
        match token {
            Token::Control(id) => {
                if let Some(Purpose::Gap(gap)) = self.control.acked(id) {
                    self.announced.push(gap);
                }
            }
            Token::Readings { sink, seqs, generation } => {
                let Some(stream) = self.sink(sink).and_then(|sink| sink.stream.as_mut()) else { return };
                let mut moved = false;
                for seq in seqs.as_slice() {
                    moved |= stream.acked(*seq, generation);
                }
                if moved && !self.moved.contains(&sink) {
                    self.moved.push(sink);
                }
            }
        }
    }

    /// The broker took the message and refused it: trying at once again would only flood it.
    pub(super) fn refused(&mut self, token: Token, reason: &str, now: Duration, metrics: &Metrics) {
        match token {
            Token::Control(id) => {
                PublishRefused { sink: None, reason }.record(metrics);
                self.control.acked(id);
            }
            Token::Readings { sink, .. } => {
                let Some(sink) = self.sink(sink) else { return };
                PublishRefused { sink: Some((&sink.spec.name, &sink.spec.topic)), reason }.record(metrics);
                sink.paused_until = Some(now + PAUSE);
                sink.rewind();
            }
        }
    }

    pub(super) fn wanted(&mut self) -> Option<(SinkKey, Fetch)> {
        if !self.ready || self.unappended {
            return None;
        }
        self.sinks.iter_mut().find_map(|(key, sink)| Some((*key, sink.stream.as_mut()?.fetch()?)))
    }
}
