//! The shared state of the MQTT link: what waits, what is under way, whose acknowledgement means what.
//!
//! It follows one recipe, because the client gives no token for a publish: every QoS 1 publish goes
//! out through [`Link`] and pushes a token to a first-in-first-out list; the client's `Outgoing`
//! event names the packet id for the oldest of them; the broker's PUBACK for that id is the token's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::v5::Filter;
use tokio::sync::Notify;

use super::acks::UpstreamAcks;
use super::control::{ControlOutbox, Purpose};
use super::sink::{Seqs, Sink, SinkSpec};
use super::stream::Fetch;
use crate::domain::sample::{AckToken, Reading};
use crate::runtime::clock::Clock;
use crate::telemetry::link::outbox_full;
use crate::telemetry::metrics::Metrics;

/// Packet ids in flight; the client allocates a slot for each.
pub const IN_FLIGHT: u16 = 16;
/// Requests that the client may hold, QoS 0 publishes and acknowledgements included.
pub const REQUESTS: usize = 8192;

/// Numbers the connections of all links.
static CONNECTIONS: AtomicU32 = AtomicU32::new(1);

mod inner;

/// What a PUBACK is for.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Control(u64),
    Readings { sink: SinkKey, seqs: Seqs, generation: u32 },
}

/// Names a sink of a link for as long as that lives; never given twice.
pub type SinkKey = u32;

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
    /// What comes from above.
    down: Vec<Filter>,
    ready: bool,
    unappended: bool,
    max_packet: usize,
    leaving: bool,
    fifo: VecDeque<Token>,
    in_flight: Vec<Option<Token>>,
    configured: bool,
    sinks: Vec<(SinkKey, Sink)>,
    next_key: SinkKey,
    control: ControlOutbox,
    upstream: UpstreamAcks,
    /// The client has been asked to end the connection.
    ending: bool,
    moved: Vec<SinkKey>,
    announced: Vec<crate::domain::sequence::Gap>,
    scratch: Vec<u8>,
    /// Why there is no connection, once one was tried in vain or lost.
    problem: Option<String>,
}

impl Link {
    /// A link that is not connected yet; `configured` says whether there is a broker for it.
    pub fn new(configured: bool, clock: Clock, metrics: Metrics) -> Link {
        let inner = Inner {
            client: None,
            down: Vec::new(),
            ready: false,
            unappended: false,
            max_packet: usize::MAX,
            leaving: false,
            fifo: VecDeque::new(),
            in_flight: vec![None; usize::from(IN_FLIGHT) + 1],
            configured,
            sinks: Vec::new(),
            next_key: 0,
            control: ControlOutbox::default(),
            upstream: UpstreamAcks::default(),
            ending: false,
            moved: Vec::new(),
            announced: Vec::new(),
            scratch: Vec::with_capacity(512),
            problem: None,
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
        for (key, stream) in sinks.iter_mut().filter_map(|(key, sink)| Some((key, sink.stream.as_mut()?))) {
            let before = stream.cursor();
            stream.committed(seq);
            if stream.cursor() != before && !moved.contains(key) {
                moved.push(*key);
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

    /// Publishes one of the gateway's own messages at QoS 1, now or when the broker is back; nowhere while
    /// none is configured.
    pub fn publish(&self, topic: String, payload: impl Into<Bytes>, purpose: Purpose) {
        let mut inner = self.lock();
        if inner.configured {
            let dropped = inner.control.push(topic, payload.into(), purpose);
            drop(inner);
            self.after_control(dropped);
        }
    }

    /// Publishes an answer like [`Link::publish`], with the correlation data of what it answers.
    pub fn answer(&self, topic: String, payload: impl Into<Bytes>, correlation: Option<Bytes>) {
        let mut inner = self.lock();
        if inner.configured {
            let dropped = inner.control.answer(topic, payload.into(), correlation);
            drop(inner);
            self.after_control(dropped);
        }
    }

    /// Sets a retained message; nowhere while no broker is configured.
    pub fn retain(&self, topic: String, payload: impl Into<Bytes>) {
        let mut inner = self.lock();
        if inner.configured {
            let dropped = inner.control.retain(topic, payload.into());
            drop(inner);
            self.after_control(dropped);
        }
    }

    /// Sets a retained message unless it is retained already; an empty one only where there is something.
    pub fn keep(&self, topic: String, payload: Bytes) {
        if !self.lock().control.keeps(&topic, &payload) {
            self.retain(topic, payload);
        }
    }

    /// Whether the broker keeps something under a topic, or has not said yet that it does not.
    pub fn holds(&self, topic: &str) -> bool {
        self.lock().control.holds(topic)
    }

    /// Gives up a retained message; what the broker keeps there stays.
    pub fn forget(&self, topic: &str) {
        self.lock().control.forget(topic);
    }

    /// Says whether there is a broker from now on. Without one nothing waits for it.
    pub fn configure(&self, configured: bool) {
        let mut inner = self.lock();
        if !configured {
            inner.control = ControlOutbox::default();
        }
        inner.configured = configured;
    }

    /// Whether there is a broker.
    pub fn is_configured(&self) -> bool {
        self.lock().configured
    }

    /// Publishes by these sinks from now on, in a history that ends with `committed`. One whose name stays
    /// goes on where it was, another one after its cursor in `cursors`.
    pub fn set_sinks(&self, specs: Vec<SinkSpec>, cursors: &BTreeMap<String, u64>, committed: u64) {
        let mut inner = self.lock();
        let mut old = std::mem::take(&mut inner.sinks);
        for spec in specs {
            let before = old.iter().position(|(_, sink)| sink.spec.name == spec.name);
            let before = before.map(|at| old.swap_remove(at));
            let next = match before {
                Some((key, sink)) if sink.spec == spec => (key, sink),
                before => {
                    let key = inner.next_key;
                    inner.next_key = key.wrapping_add(1);
                    let cursor = cursors.get(spec.name.as_str()).copied();
                    let sink = match before.and_then(|(_, sink)| sink.stream) {
                        Some(stream) if spec.qos > 0 => Sink::after(spec, stream, &self.0.metrics),
                        _ => Sink::new(spec, cursor, committed, &self.0.metrics),
                    };
                    (key, sink)
                }
            };
            inner.sinks.push(next);
        }
        drop(inner);
        self.0.progress.notify_one();
        self.pump();
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
        inner.upstream.reconnected(CONNECTIONS.fetch_add(1, Ordering::Relaxed));
    }

    /// Ends subscriptions that an earlier connection of the session has left behind.
    pub fn unsubscribe(&self, filters: &[String]) {
        let inner = self.lock();
        let Some(client) = &inner.client else { return };
        for filter in filters {
            // A client without room leaves it: what comes for the filter is counted and dropped.
            let _ = client.try_unsubscribe(filter.as_str());
        }
    }

    /// Subscribes to what is for sources and to what comes from above; answers whether the client took the request.
    pub fn subscribe(&self, sources: Vec<Filter>, down: Vec<Filter>) -> bool {
        let mut inner = self.lock();
        let all = sources.into_iter().chain(down.iter().cloned());
        let taken = inner.client.as_ref().is_some_and(|client| client.try_subscribe_many(all).is_ok());
        inner.down = down;
        taken
    }

    /// Has the broker send again what it retains of what comes from above; answers whether there is nothing more to
    /// do for it: the next connection brings everything, too, but a client without room has to be asked again.
    pub fn ask_again(&self) -> bool {
        let inner = self.lock();
        let client = inner.client.as_ref().filter(|_| inner.ready && !inner.down.is_empty());
        client.is_none_or(|client| client.try_subscribe_many(inner.down.iter().cloned()).is_ok())
    }

    /// The broker has accepted the connection and the subscriptions.
    pub fn connected(&self) {
        let mut inner = self.lock();
        inner.ready = true;
        inner.problem = None;
        inner.control.connected();
        drop(inner);
        self.pump();
    }

    /// The connection is lost: everything unacknowledged will be sent again on the next one.
    pub fn disconnected(&self) {
        self.lock().reset();
        self.0.progress.notify_one();
    }

    /// Why it is not connected, as far as it was tried.
    pub fn lost(&self, problem: String) {
        self.lock().problem = Some(problem);
    }

    /// Why it is not connected; `None`: it is, or was not tried yet.
    pub fn problem(&self) -> Option<String> {
        self.lock().problem.clone()
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
    pub async fn wanted(&self) -> (SinkKey, Fetch) {
        loop {
            if let Some(found) = self.lock().wanted() {
                return found;
            }
            self.0.fetch.notified().await;
        }
    }

    /// Takes the answer to [`Link::wanted`]; `None`: the store could not answer.
    pub fn fetched(&self, sink: SinkKey, fetch: Fetch, answer: Option<(Vec<Reading>, bool)>) {
        let now = self.0.clock.monotonic();
        let mut inner = self.lock();
        if let Some(stream) = inner.sink(sink).and_then(|sink| sink.stream.as_mut()) {
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
        let cursors = moved.into_iter().filter_map(|key| {
            let sink = inner.sink(key)?;
            Some((sink.spec.name.to_string(), sink.stream.as_ref()?.cursor()))
        });
        let cursors = cursors.collect();
        (cursors, std::mem::take(&mut inner.announced))
    }

    /// Sets the backlog gauges.
    pub fn measure(&self) -> u64 {
        let inner = self.lock();
        let mut most = 0;
        for (_, sink) in &inner.sinks {
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
                let sinks = inner.sinks.iter().filter(|(_, sink)| sink.spec.qos > 0);
                let streams = sinks.filter_map(|(_, sink)| sink.stream.as_ref());
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
        let sinks = inner.sinks.iter().map(|(_, sink)| sink).filter(|sink| sink.spec.qos > 0);
        sinks.filter_map(|sink| Some((sink.spec.name.to_string(), sink.stream.as_ref()?.cursor()))).collect()
    }

    /// Asks the client to leave the broker in an orderly way. Answers whether it was connected.
    pub fn leave(&self) -> bool {
        let mut inner = self.lock();
        inner.leaving = true;
        inner.client.as_ref().is_some_and(|client| client.try_disconnect().is_ok())
    }

    /// A new driver is about to begin: what the one before was asked is over.
    pub fn stay(&self) {
        self.lock().leaving = false;
    }

    /// Has the broker send again what it saw no acknowledgement for, by a new connection; on this one it sees none any
    /// more.
    pub fn reconnect(&self) {
        let mut inner = self.lock();
        if inner.upstream.cease() {
            inner.end_connection();
        }
    }

    /// Whether the end of the connection is wanted.
    pub fn is_leaving(&self) -> bool {
        self.lock().leaving
    }
}
