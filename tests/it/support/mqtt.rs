//! MQTT clients for tests: one that publishes and waits for each acknowledgement, one that collects.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, PublishProperties, SubscribeReasonCode};
use rumqttc::v5::{Client, Connection, Event, MqttOptions};
use serde_json::Value;

use super::broker::Broker;
use super::wait::{rest, until, until_true};

/// How long one event may take.
const EVENT: Duration = Duration::from_secs(20);

fn options(port: u16, id: &str) -> MqttOptions {
    let mut options = MqttOptions::new(id, "127.0.0.1", port);
    options
        .set_keep_alive(Duration::from_secs(600))
        .set_max_packet_size(Some(32 << 20))
        .set_outgoing_inflight_upper_limit(16);
    let mut network = rumqttc::NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    options
}

fn fresh_id(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test-{what}-{}", NEXT.fetch_add(1, Ordering::SeqCst))
}

/// Publishes at QoS 1, one message after the other.
pub struct Publisher {
    port: u16,
    connection: Option<(Client, Connection)>,
}

impl Publisher {
    /// A publisher that connects when it has something to say.
    pub fn new(broker: &Broker) -> Publisher {
        Publisher { port: broker.port, connection: None }
    }

    /// Publishes and waits for the acknowledgement.
    pub fn publish(&mut self, topic: &str, payload: impl AsRef<[u8]>) {
        self.attempt(topic, payload.as_ref(), false).unwrap();
    }

    /// Publishes with the wish for an answer on a topic, and what is to be echoed there.
    pub fn ask(&mut self, topic: &str, payload: impl AsRef<[u8]>, answer: &str, correlation: &[u8]) {
        let response_topic = Some(answer.to_owned());
        let correlation_data = Some(correlation.to_vec().into());
        let properties = PublishProperties { response_topic, correlation_data, ..Default::default() };
        self.send(topic, payload.as_ref(), false, properties).unwrap();
    }

    /// Publishes a retained message and waits for the acknowledgement.
    pub fn retain(&mut self, topic: &str, payload: impl AsRef<[u8]>) {
        self.attempt(topic, payload.as_ref(), true).unwrap();
    }

    /// Publishes as often as it takes until the broker has acknowledged it.
    pub fn insist(&mut self, topic: &str, payload: impl AsRef<[u8]>) {
        until("the broker to take a message", || self.attempt(topic, payload.as_ref(), false).ok());
    }

    fn attempt(&mut self, topic: &str, payload: &[u8], retain: bool) -> Result<(), String> {
        self.send(topic, payload, retain, PublishProperties::default())
    }

    fn send(
        &mut self,
        topic: &str,
        payload: &[u8],
        retain: bool,
        properties: PublishProperties,
    ) -> Result<(), String> {
        let port = self.port;
        let (client, connection) =
            self.connection.get_or_insert_with(|| Client::new(options(port, &fresh_id("pub")), 16));
        let (qos, payload) = (QoS::AtLeastOnce, payload.to_vec());
        client
            .try_publish_with_properties(topic, qos, retain, payload, properties)
            .map_err(|error| error.to_string())?;
        let outcome = loop {
            match connection.recv_timeout(EVENT) {
                Ok(Ok(Event::Incoming(Packet::PubAck(_)))) => break Ok(()),
                Ok(Ok(Event::Outgoing(Outgoing::Disconnect))) => break Err("disconnected".to_owned()),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => break Err(error.to_string()),
                Err(_) => break Err("no answer".to_owned()),
            }
        };
        if outcome.is_err() {
            self.connection = None;
        }
        outcome
    }
}

/// A received message.
#[derive(Debug, Clone)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    /// What it answers.
    pub correlation: Option<Vec<u8>>,
}

impl Message {
    /// The payload as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap_or_else(|error| panic!("{}: {error}", self.topic))
    }
}

/// Collects everything it gets, in a session that outlives lost connections.
pub struct Subscriber {
    client: Client,
    messages: Arc<Mutex<Vec<Message>>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Subscriber {
    /// A subscriber at QoS 1; returns once the broker has granted the subscriptions.
    pub fn new(broker: &Broker, filters: &[&str]) -> Subscriber {
        let mut options = options(broker.port, &fresh_id("sub"));
        options.set_clean_start(false).set_session_expiry_interval(Some(3600));
        let (client, connection) = Client::new(options, 16);
        let filters =
            filters.iter().map(|filter| Filter::new((*filter).to_owned(), QoS::AtLeastOnce)).collect();
        let (messages, end) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let granted = Arc::new(AtomicBool::new(false));
        let collector = Collector {
            client: client.clone(),
            filters,
            messages: Arc::clone(&messages),
            granted: Arc::clone(&granted),
            end: Arc::clone(&end),
        };
        let thread = Some(std::thread::spawn(move || collector.run(connection)));
        let subscriber = Subscriber { client, messages, end, thread };
        until_true("the subscriptions", || granted.load(Ordering::SeqCst));
        subscriber
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// What came on one topic so far.
    pub fn on(&self, topic: &str) -> Vec<Message> {
        let messages = self.messages.lock().unwrap();
        messages.iter().filter(|message| message.topic == topic).cloned().collect()
    }

    /// Waits until a message on `topic` is what `fits` looks for.
    pub fn await_on<T>(&self, topic: &str, mut fits: impl FnMut(&Message) -> Option<T>) -> T {
        until(&format!("a message on {topic}"), || self.on(topic).iter().find_map(&mut fits))
    }

    /// Every reading so far, as JSON, in the order of arrival.
    pub fn readings(&self) -> Vec<Value> {
        self.all().iter().filter(|message| message.topic.contains("/reading/")).map(Message::json).collect()
    }

    /// How many readings with different numbers have come so far.
    pub fn distinct_readings(&self) -> usize {
        self.readings_by_seq().len()
    }

    /// The readings by sequence number; one that came again must be the same.
    pub fn readings_by_seq(&self) -> BTreeMap<u64, Value> {
        let mut found: BTreeMap<u64, Value> = BTreeMap::new();
        for reading in self.readings() {
            let seq = reading["seq"].as_u64().unwrap();
            let before = found.entry(seq).or_insert_with(|| reading.clone());
            assert_eq!(*before, reading, "two readings have the number {seq}");
        }
        found
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        // Wakes the thread; an error means that it has something else to wake it.
        let _ = self.client.try_disconnect();
        if let Some(thread) = self.thread.take() {
            let fine = thread.join().is_ok();
            assert!(fine || std::thread::panicking(), "the subscriber's thread has failed");
        }
    }
}

struct Collector {
    client: Client,
    filters: Vec<Filter>,
    messages: Arc<Mutex<Vec<Message>>>,
    granted: Arc<AtomicBool>,
    end: Arc<AtomicBool>,
}

impl Collector {
    fn run(self, mut connection: Connection) {
        while !self.end.load(Ordering::SeqCst) {
            match connection.recv_timeout(Duration::from_millis(500)) {
                Ok(Ok(Event::Incoming(packet))) => self.incoming(packet),
                Ok(Err(_)) => rest(Duration::from_millis(50)),
                Ok(Ok(_)) | Err(_) => {}
            }
        }
    }

    fn incoming(&self, packet: Packet) {
        match packet {
            // A broker that lost the session has to be told again; one that did not is told the same.
            Packet::ConnAck(_) => self.client.try_subscribe_many(self.filters.clone()).unwrap(),
            Packet::SubAck(ack) => {
                let fine = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
                assert!(ack.return_codes.iter().all(fine), "{ack:?}");
                self.granted.store(true, Ordering::SeqCst);
            }
            Packet::Publish(publish) => {
                let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
                let payload = publish.payload.to_vec();
                let properties = publish.properties;
                let correlation = properties.and_then(|it| it.correlation_data).map(|data| data.to_vec());
                self.messages.lock().unwrap().push(Message { topic, payload, correlation });
            }
            _ => {}
        }
    }
}
