//! The operator's MQTT connection: pushes artifacts, hears everything that the gateway publishes.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event as MqttEvent, MqttOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::error::DemoError;
use super::fleet::{FLEET, GATEWAY};
use crate::sync::connect::MAX_PACKET;

/// Messages that may wait for the story to look at them: more than there are in all.
const WAITING: usize = 10_000;
const RETRY: Duration = Duration::from_millis(50);

/// Something the operator heard.
#[derive(Debug)]
pub enum Heard {
    /// The broker has taken the subscription: from here on nothing is missed.
    Subscribed,
    /// A message of the gateway.
    Message {
        /// The topic below `up/<gateway>/`.
        about: String,
        /// What it says.
        payload: Bytes,
    },
}

/// The operator.
#[derive(Debug)]
pub struct Operator {
    client: Arc<Mutex<Option<AsyncClient>>>,
    heard: mpsc::Receiver<Heard>,
    task: JoinHandle<()>,
}

impl Operator {
    /// Connects to the broker's port, and again whenever the connection is lost.
    pub fn connect(port: u16) -> Operator {
        let (sender, heard) = mpsc::channel(WAITING);
        let client = Arc::new(Mutex::new(None));
        let task = tokio::spawn(stay_connected(port, client.clone(), sender));
        Operator { client, heard, task }
    }

    /// The next thing heard. May be dropped while it waits: nothing is lost.
    pub async fn hear(&mut self) -> Result<Heard, DemoError> {
        self.heard.recv().await.ok_or_else(|| DemoError::Setup("the operator's connection ended".to_owned()))
    }

    /// Publishes the gateway's transform, as desired state if it is to be retained.
    pub async fn push(&self, id: &str, retain: bool, envelope: Vec<u8>) -> Result<(), DemoError> {
        self.publish(format!("calibd/1/{FLEET}/down/gw/{GATEWAY}/transform/{id}"), retain, envelope).await
    }

    /// Publishes a mark among what the gateway publishes; it is heard after all that came before it.
    pub async fn mark(&self, about: &str) -> Result<(), DemoError> {
        self.publish(format!("{}{about}", branch()), false, b"{}".to_vec()).await
    }

    async fn publish(&self, topic: String, retain: bool, payload: Vec<u8>) -> Result<(), DemoError> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let client = client.ok_or_else(|| DemoError::Setup("the operator has no connection".to_owned()))?;
        let published = client.publish(topic, QoS::AtLeastOnce, retain, payload).await;
        published.map_err(|fault| DemoError::Setup(format!("the operator cannot publish: {fault}")))
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn branch() -> String {
    format!("calibd/1/{FLEET}/up/{GATEWAY}/")
}

async fn stay_connected(port: u16, slot: Arc<Mutex<Option<AsyncClient>>>, sender: mpsc::Sender<Heard>) {
    let branch = branch();
    loop {
        let mut options = MqttOptions::new("demo-operator", Ipv4Addr::LOCALHOST.to_string(), port);
        options.set_keep_alive(Duration::from_secs(30)).set_clean_start(true).set_connection_timeout(5);
        options.set_max_packet_size(Some(MAX_PACKET)).set_outgoing_inflight_upper_limit(16);
        let (client, mut events) = AsyncClient::new(options, 64);
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        while let Ok(event) = events.poll().await {
            let heard = match event {
                MqttEvent::Incoming(Packet::ConnAck(_)) => {
                    // A full request queue cannot be: it is the first request.
                    let _ = client.try_subscribe(format!("{branch}#"), QoS::AtLeastOnce);
                    continue;
                }
                MqttEvent::Incoming(Packet::SubAck(_)) => Heard::Subscribed,
                MqttEvent::Incoming(Packet::Publish(publish)) => {
                    let topic = String::from_utf8_lossy(&publish.topic);
                    let about = topic.strip_prefix(&branch).unwrap_or(&topic).to_owned();
                    Heard::Message { about, payload: publish.payload }
                }
                _ => continue,
            };
            if sender.send(heard).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}
