//! The connection to the broker: fetch what is retained, listen, publish.

use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectReturnCode, Filter, Packet, PubAckReason, Publish, RetainForwardRule, SubAck, SubscribeProperties,
    SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop};
use tokio::time::{Instant, timeout, timeout_at};

use crate::ctl::output::Failure;
use crate::sync::connect::{self, Broker};

/// How long the broker may take to let somebody in, or to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Without a message for so long, nothing is retained, or the broker does not say where it ends.
const QUIET: Duration = Duration::from_secs(2);
/// After the end of what is retained, brokers that send in no order may have something left.
const SETTLE: Duration = Duration::from_millis(100);
/// Requests that may wait to be sent.
const REQUESTS: usize = 256;

/// A message, which is lent.
pub struct Heard<'a> {
    /// Its topic.
    pub topic: &'a [u8],
    /// What it says.
    pub payload: &'a [u8],
}

/// Whoever takes messages.
pub type Take<'t> = &'t mut dyn FnMut(&Heard<'_>);

/// A connection.
pub struct Link {
    client: AsyncClient,
    events: EventLoop,
    /// The broker's address, for messages.
    address: String,
    /// The largest packet that the broker takes.
    largest: usize,
    /// Whether the broker says which subscription a message is for.
    named: bool,
    subscriptions: usize,
    /// A topic with a retained message.
    retained: Option<String>,
    /// The number of the subscription by which an end is awaited.
    marker: Option<usize>,
}

/// What is waited for.
#[derive(Clone, Copy)]
enum Until {
    /// A retained message.
    One,
    /// The one that marks the end.
    Marked,
    /// Nothing.
    Quiet,
}

impl Link {
    /// Connects.
    pub async fn connect(broker: &Broker) -> Result<Link, Failure> {
        let address = format!("{}:{}", broker.host, broker.port);
        let mut options = connect::options(broker).map_err(|fault| Failure::usage(fault.to_string()))?;
        options.set_clean_start(true);
        let (client, events) = AsyncClient::new(options, REQUESTS);
        let (largest, named) = (connect::MAX_PACKET as usize, true);
        let mut link =
            Link { client, events, address, largest, named, subscriptions: 0, retained: None, marker: None };
        let late = |_| Failure::unreachable(format!("broker {}: no answer", link.address));
        let ack = timeout(PATIENCE, async {
            loop {
                if let Event::Incoming(Packet::ConnAck(ack)) = link.events.poll().await? {
                    return Ok(ack);
                }
            }
        });
        let ack = ack.await.map_err(late)?.map_err(|fault| refused(&link.address, &fault))?;
        if let Some(properties) = ack.properties {
            link.named = properties.subscription_identifiers_available != Some(0);
            link.largest = properties.max_packet_size.map_or(link.largest, |most| most as usize);
        }
        Ok(link)
    }

    async fn poll(&mut self) -> Result<Packet, Failure> {
        loop {
            match self.events.poll().await {
                Ok(Event::Incoming(packet)) => return Ok(packet),
                Ok(Event::Outgoing(_)) => {}
                Err(fault) => return Err(refused(&self.address, &fault)),
            }
        }
    }

    /// The next message.
    pub async fn next(&mut self, take: Take<'_>) -> Result<(), Failure> {
        loop {
            if let Packet::Publish(publish) = self.poll().await? {
                self.give(&publish, take);
                return Ok(());
            }
        }
    }

    fn busy<E>(&self) -> impl Fn(E) -> Failure {
        let text = format!("broker {}: takes no more requests", self.address);
        move |_| Failure::unreachable(text.clone())
    }

    /// Subscribes, under the next number. Messages that come meanwhile are taken.
    async fn subscribe(
        &mut self,
        filters: &[String],
        retained: RetainForwardRule,
        take: Take<'_>,
    ) -> Result<(), Failure> {
        self.subscriptions += 1;
        let id = self.subscriptions;
        let filter = |path: &String| Filter {
            retain_forward_rule: retained.clone(),
            ..Filter::new(path.clone(), QoS::AtLeastOnce)
        };
        let filters: Vec<Filter> = filters.iter().map(filter).collect();
        let properties = SubscribeProperties { id: self.named.then_some(id), user_properties: Vec::new() };
        self.client.try_subscribe_many_with_properties(filters, properties).map_err(self.busy())?;
        loop {
            match self.answer().await? {
                Packet::SubAck(ack) => return self.granted(&ack),
                Packet::Publish(publish) => self.give(&publish, take),
                _ => {}
            }
        }
    }

    fn granted(&self, ack: &SubAck) -> Result<(), Failure> {
        let refused = ack.return_codes.iter().find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
        match refused {
            None => Ok(()),
            Some(code) => Err(Failure::not_permitted(format!(
                "broker {}: the subscription was refused ({code:?}); use the certificate of a reader or of the control plane",
                self.address
            ))),
        }
    }

    /// The next packet, which has to come: an answer is awaited.
    async fn answer(&mut self) -> Result<Packet, Failure> {
        match timeout(PATIENCE, self.poll()).await {
            Ok(packet) => packet,
            Err(_) => Err(Failure::unreachable(format!("broker {}: no answer", self.address))),
        }
    }

    /// Subscribes for what is published from now on; what is retained does not come.
    pub async fn listen(&mut self, filters: &[String], take: Take<'_>) -> Result<(), Failure> {
        self.subscribe(filters, RetainForwardRule::Never, take).await
    }

    /// Fetches what is retained, all of it; what is published there later comes too.
    ///
    /// How its end is known stands in `docs/decisions/0215`: behind it, the broker is asked for one retained message that is known,
    /// under a subscription of its own, whose number the answer bears.
    pub async fn fetch(&mut self, filters: &[String], take: Take<'_>) -> Result<(), Failure> {
        self.subscribe(filters, RetainForwardRule::OnEverySubscribe, take).await?;
        if self.retained.is_none() {
            self.quiet(QUIET, Until::One, take).await?;
        }
        match self.retained.clone() {
            Some(topic) if self.named => {
                self.marker = Some(self.subscriptions + 1);
                self.subscribe(&[topic], RetainForwardRule::OnEverySubscribe, take).await?;
                self.quiet(QUIET, Until::Marked, take).await?;
                self.marker = None;
                self.quiet(SETTLE, Until::Quiet, take).await
            }
            Some(_) => self.quiet(QUIET, Until::Quiet, take).await,
            None => Ok(()),
        }
    }

    /// Takes messages until no retained one has come for so long, or the one has that is waited for.
    async fn quiet(&mut self, patience: Duration, until: Until, take: Take<'_>) -> Result<(), Failure> {
        let mut end = Instant::now() + patience;
        loop {
            let done = match until {
                Until::One => self.retained.is_some(),
                Until::Marked => self.marker.is_none(),
                Until::Quiet => false,
            };
            if done {
                return Ok(());
            }
            let Ok(packet) = timeout_at(end, self.poll()).await else { return Ok(()) };
            let Packet::Publish(publish) = packet? else { continue };
            self.give(&publish, take);
            if publish.retain {
                end = Instant::now() + patience;
            }
        }
    }

    /// Passes a message on, unless it is the one that only marks an end.
    fn give(&mut self, publish: &Publish, take: Take<'_>) {
        if publish.retain {
            let mut numbers = publish.properties.iter().flat_map(|it| &it.subscription_identifiers);
            if self.marker.is_some_and(|marker| numbers.any(|it| *it == marker)) {
                self.marker = None;
                return;
            }
            if self.retained.is_none() {
                self.retained = std::str::from_utf8(&publish.topic).ok().map(str::to_owned);
            }
        }
        take(&Heard { topic: &publish.topic, payload: &publish.payload });
    }

    /// Publishes, and waits until the broker has taken it. Messages that come meanwhile are taken.
    pub async fn publish(
        &mut self,
        topic: &str,
        retain: bool,
        payload: &[u8],
        take: Take<'_>,
    ) -> Result<(), Failure> {
        // The topic, its length, and the fixed header, generously.
        if payload.len() + topic.len() + 64 > self.largest {
            return Err(Failure::refused(format!(
                "broker {} takes packets of {} bytes at most",
                self.address, self.largest
            )));
        }
        self.client.try_publish(topic, QoS::AtLeastOnce, retain, payload.to_vec()).map_err(self.busy())?;
        loop {
            match self.answer().await? {
                Packet::PubAck(ack) => return self.published(topic, ack.reason),
                Packet::Publish(publish) => self.give(&publish, take),
                _ => {}
            }
        }
    }

    fn published(&self, topic: &str, reason: PubAckReason) -> Result<(), Failure> {
        let address = &self.address;
        match reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
            PubAckReason::NotAuthorized => Err(Failure::not_permitted(format!(
                "broker {address}: may not publish on {topic}; use the certificate of the control plane"
            ))),
            other => Err(Failure::refused(format!("broker {address}: {topic} was refused: {other:?}"))),
        }
    }

    /// Says goodbye. What was acknowledged is there already.
    pub async fn leave(mut self) {
        if self.client.try_disconnect().is_ok() {
            // It is gone either way.
            let _ =
                timeout(Duration::from_secs(1), async { while self.events.poll().await.is_ok() {} }).await;
        }
    }
}

fn refused(address: &str, fault: &ConnectionError) -> Failure {
    let text = format!("broker {address}: {fault}");
    match fault {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::NotAuthorized | ConnectReturnCode::BadUserNamePassword,
        ) => {
            Failure::not_permitted(format!("{text}; see --cert and --key, or --username and --password-file"))
        }
        _ => Failure::unreachable(text),
    }
}
