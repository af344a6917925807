//! The shared state of the MQTT link: what waits, what is under way, whose acknowledgement means what.
//!
//! It follows one recipe, because the client gives no token for a publish: every QoS 1 publish goes
//! out through [`Link`] and pushes a token to a first-in-first-out list; the client's `Outgoing`
//! event names the packet id for the oldest of them; the broker's PUBACK for that id is the token's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::v5::Filter;
use tokio::sync::Notify;

use super::acks::UpstreamAcks;
use super::control::{ControlOutbox, Purpose};
use super::sink::{Seqs, Sink};
use super::stream::Fetch;
use crate::domain::sample::{AckToken, Reading};
use crate::runtime::clock::Clock;
use crate::telemetry::link::outbox_full;
use crate::telemetry::metrics::Metrics;

/// Packet ids in flight; the client allocates a slot for each.
pub const IN_FLIGHT: u16 = 16;
/// Requests that the client may hold, QoS 0 publishes and acknowledgements included.
pub const REQUESTS: usize = 8192;

mod inner;

/// What a PUBACK is for.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Control(u64),
    Readings { sink: usize, seqs: Seqs, generation: u32 },
}

/// A handle to the link's state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Link(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// Wakes the task that fetches readings back from the store.
    fetch: Notify,
    /// Wakes whoever waits for the link to be drained.
    progress: Notify,
    clock: Clock,
    metrics: Metrics,
}

#[derive(Debug)]
struct Inner {
    client: Option<AsyncClient>,
    ready: bool,
    unappended: bool,
    max_packet: usize,
    leaving: bool,
    fifo: VecDeque<Token>,
    in_flight: Vec<Option<Token>>,
    sinks: Vec<Sink>,
    control: ControlOutbox,
    upstream: UpstreamAcks,
    moved: Vec<usize>,
    announced: Vec<crate::domain::sequence::Gap>,
    scratch: Vec<u8>,
}

impl Link {
    /// A link that is not connected yet.
    pub fn new(sinks: Vec<Sink>, clock: Clock, metrics: Metrics) -> Link {
        let inner = Inner {
            client: None,
            ready: false,
            unappended: false,
            max_packet: usize::MAX,
            leaving: false,
            fifo: VecDeque::new(),
            in_flight: vec![None; usize::from(IN_FLIGHT) + 1],
            sinks,
            control: ControlOutbox::default(),
            upstream: UpstreamAcks::default(),
            moved: Vec::new(),
            announced: Vec::new(),
            scratch: Vec::with_capacity(512),
        };
        let (fetch, progress) = (Notify::new(), Notify::new());
        Link(Arc::new(Shared { inner: Mutex::new(inner), fetch, progress, clock, metrics }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while holding the lock.
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes readings fresh from the pipeline, before they are handed to the store.
    ///
    /// Call [`Link::appended`] once the store has them.
    pub fn offer(&self, readings: &[Reading]) {
        let mut inner = self.lock();
        inner.unappended = true;
        let now = self.0.clock.monotonic();
        for reading in readings {
            inner.offer(reading, &self.0.metrics);
        }
        inner.pump(now, &self.0.metrics);
    }

    /// Tells that the store has every reading offered so far.
    pub fn appended(&self) {
        self.lock().unappended = false;
        self.0.fetch.notify_one();
    }

    /// Notes a commit up to `seq`, and that the upstream messages of `acks` are safe.
    pub fn committed(&self, seq: u64, acks: &[AckToken]) {
        let mut inner = self.lock();
        let Inner { sinks, moved, .. } = &mut *inner;
        for (index, stream) in sinks.iter_mut().enumerate().filter_map(|(i, s)| Some((i, s.stream.as_mut()?)))
        {
            let before = stream.cursor();
            stream.committed(seq);
            if stream.cursor() != before && !moved.contains(&index) {
                moved.push(index);
            }
        }
        acks.iter().for_each(|token| inner.upstream.done(*token));
        inner.send_upstream_acks();
        drop(inner);
        self.0.fetch.notify_one();
        self.0.progress.notify_one();
    }

    /// Marks an upstream message as settled without a commit: it gave no reading.
    pub fn settled(&self, token: AckToken) {
        let mut inner = self.lock();
        inner.upstream.done(token);
        inner.send_upstream_acks();
    }

    /// Notes the arrival of an upstream QoS 1 message.
    pub fn arrived(&self, source: u16, packet: u16) -> AckToken {
        self.lock().upstream.arrived(source, packet)
    }

    /// Publishes one of the gateway's own messages at QoS 1, now or when the broker is back.
    pub fn publish(&self, topic: String, payload: impl Into<Bytes>, purpose: Purpose) {
        let dropped = self.lock().control.push(topic, payload.into(), purpose);
        self.after_control(dropped);
    }

    /// Sets a retained message.
    pub fn retain(&self, topic: String, payload: impl Into<Bytes>) {
        let dropped = self.lock().control.retain(topic, payload.into());
        self.after_control(dropped);
    }

    fn after_control(&self, dropped: usize) {
        outbox_full(dropped, &self.0.metrics);
        self.pump();
    }

    /// Hands to the client whatever may go now.
    pub fn pump(&self) {
        let now = self.0.clock.monotonic();
        self.lock().pump(now, &self.0.metrics);
        self.0.fetch.notify_one();
    }

    /// The broker has said how large a packet it takes; `None`: any.
    pub fn takes(&self, max_packet: Option<u32>) {
        self.lock().max_packet = max_packet.map_or(usize::MAX, |bytes| bytes as usize);
    }

    /// A new client is about to connect.
    pub fn connecting(&self, client: AsyncClient) {
        let mut inner = self.lock();
        // A driver that failed may have left a connection's state behind.
        inner.reset();
        inner.client = Some(client);
        inner.upstream.reconnected();
    }

    /// Subscribes; answers whether the client took the request.
    pub fn subscribe(&self, filters: Vec<Filter>) -> bool {
        self.lock().client.as_ref().is_some_and(|client| client.try_subscribe_many(filters).is_ok())
    }

    /// The broker has accepted the connection and the subscriptions.
    pub fn connected(&self) {
        let mut inner = self.lock();
        inner.ready = true;
        inner.control.connected();
        drop(inner);
        self.0.metrics.link_up.set(1);
        self.pump();
    }

    /// The connection is lost: everything unacknowledged will be sent again on the next one.
    pub fn disconnected(&self) {
        self.lock().reset();
        self.0.metrics.link_up.set(0);
        self.0.progress.notify_one();
    }

    /// The client has put a publish on its way as `packet` (0 for QoS 0).
    pub fn sent(&self, packet: u16) {
        if packet == 0 {
            return;
        }
        let mut inner = self.lock();
        let token = inner.fifo.pop_front();
        if let Some(slot) = inner.in_flight.get_mut(usize::from(packet)) {
            *slot = token;
        }
    }

    /// The broker has answered for `packet`.
    pub fn acknowledged(&self, packet: u16, accepted: bool, reason: &str) {
        let now = self.0.clock.monotonic();
        let mut inner = self.lock();
        let token = inner.in_flight.get_mut(usize::from(packet)).and_then(Option::take);
        if let Some(token) = token {
            if accepted { inner.acked(token) } else { inner.refused(token, reason, now, &self.0.metrics) }
        }
        inner.pump(now, &self.0.metrics);
        drop(inner);
        self.0.fetch.notify_one();
        self.0.progress.notify_one();
    }

    /// The next readings to fetch from the store, as (sink, request); waits until there are some.
    pub async fn wanted(&self) -> (usize, Fetch) {
        loop {
            if let Some(found) = self.lock().wanted() {
                return found;
            }
            self.0.fetch.notified().await;
        }
    }

    /// Takes the answer to [`Link::wanted`]; `None`: the store could not answer.
    pub fn fetched(&self, sink: usize, fetch: Fetch, answer: Option<(Vec<Reading>, bool)>) {
        let now = self.0.clock.monotonic();
        let mut inner = self.lock();
        if let Some(stream) = inner.sinks.get_mut(sink).and_then(|sink| sink.stream.as_mut()) {
            match answer {
                Some((rows, complete)) => stream.fetched(fetch, rows, complete),
                None => stream.fetch_failed(),
            }
        }
        inner.pump(now, &self.0.metrics);
        drop(inner);
        self.0.progress.notify_one();
    }

    /// Cursors that moved since the last call, and gaps whose announcement was acknowledged.
    pub fn take_progress(&self) -> (Vec<(String, u64)>, Vec<crate::domain::sequence::Gap>) {
        let mut inner = self.lock();
        let moved = std::mem::take(&mut inner.moved);
        let cursors = moved.into_iter().filter_map(|index| {
            let sink = inner.sinks.get(index)?;
            Some((sink.spec.name.to_string(), sink.stream.as_ref()?.cursor()))
        });
        let cursors = cursors.collect();
        (cursors, std::mem::take(&mut inner.announced))
    }

    /// Sets the backlog gauges.
    pub fn measure(&self) -> u64 {
        let inner = self.lock();
        let mut most = 0;
        for sink in &inner.sinks {
            if let Some(stream) = &sink.stream {
                let label = vec![("sink", sink.spec.name.to_string())];
                self.0.metrics.sink_backlog.get_or_create(&label).set(stream.backlog() as i64);
                most = most.max(stream.backlog());
            }
        }
        most
    }

    /// Waits until everything committed has been acknowledged; returns at once while disconnected.
    pub async fn drained(&self) {
        loop {
            let done = {
                let inner = self.lock();
                let streams = inner.sinks.iter().filter(|s| s.spec.qos > 0).filter_map(|s| s.stream.as_ref());
                !inner.ready || (inner.control.is_empty() && streams.into_iter().all(|s| s.is_drained()))
            };
            if done {
                return;
            }
            self.0.progress.notified().await;
        }
    }

    /// Whether the broker is connected.
    pub fn is_connected(&self) -> bool {
        self.lock().ready
    }

    /// Waits until the connection has ended.
    pub async fn left(&self) {
        while self.is_connected() {
            self.0.progress.notified().await;
        }
    }

    /// Every sink that has a place in the history, with its cursor.
    pub fn cursors(&self) -> Vec<(String, u64)> {
        let inner = self.lock();
        let streams = inner.sinks.iter().filter(|sink| sink.spec.qos > 0);
        streams.filter_map(|s| Some((s.spec.name.to_string(), s.stream.as_ref()?.cursor()))).collect()
    }

    /// Asks the client to leave the broker in an orderly way. Answers whether it was connected.
    pub fn leave(&self) -> bool {
        let mut inner = self.lock();
        inner.leaving = true;
        inner.client.as_ref().is_some_and(|client| client.try_disconnect().is_ok())
    }

    /// Has the broker send again what it saw no acknowledgement for, by a new connection.
    pub fn reconnect(&self) {
        let inner = self.lock();
        if let Some(client) = inner.client.as_ref().filter(|_| inner.ready && !inner.upstream.is_empty()) {
            // A client that cannot take the request is about to lose the connection anyway.
            let _ = client.try_disconnect();
        }
    }

    /// Whether the end of the connection is wanted.
    pub fn is_leaving(&self) -> bool {
        self.lock().leaving
    }
}
