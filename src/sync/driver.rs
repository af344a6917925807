//! Drives one MQTT connection: connect, subscribe, pass events on; on any error start afresh.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Filter, Packet, PubAck, PubAckReason, Publish, SubAck, SubscribeReasonCode,
};
use rumqttc::v5::{Event, EventLoop};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::connect::{Broker, client};
use super::downlink::{Down, Inbox};
use super::link::Link;
use super::parting::{Brief, LASTING, ONE_EACH, Parting, SEE_ITS_LOG};
use crate::runtime::backoff::Retries;
use crate::runtime::pulse::{Pulse, Waits};
use crate::runtime::random;
use crate::source::mqtt::intake::{ALLOW, Intake, Taken};
use crate::telemetry::alarm::Alarm;
use crate::telemetry::link::{LinkLost, downlink_ignored};
use crate::telemetry::metrics::Metrics;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Another client with the same id is back after [`LONGEST_WAIT`]: where a session stands for longer there is none, and
/// what ended those before is over.
const UNCONTESTED: Duration = Duration::from_secs(600);
/// Topics whose destination is remembered.
const ROUTES: usize = 20_000;

/// What one connection is for.
#[derive(Debug)]
pub struct Driver {
    /// The broker.
    pub broker: Broker,
    /// The shared state.
    pub link: Link,
    /// MQTT sources that share this connection.
    pub intakes: Vec<Intake>,
    /// Filters of the session's past that nobody wants any more.
    pub stale: Vec<String>,
    /// Where artifacts and references go.
    pub inbox: Option<Inbox>,
    /// Counters.
    pub metrics: Metrics,
    /// Asks the driver to end; what is under way is dropped.
    pub end: std::sync::Arc<Notify>,
    /// Signs of life.
    pub pulse: Pulse,
}

/// How a connection has ended.
struct Ended {
    parting: Parting,
    /// For how long the session stood, if the broker accepted it.
    stood: Option<Duration>,
    /// This side asked for the end.
    ours: bool,
}

impl Ended {
    /// For how long it stood by what it says of the broker: a connection that was left from here says nothing against it.
    fn lasted(&self) -> Duration {
        let stood = self.stood.unwrap_or_default();
        if self.ours && self.stood.is_some() { stood.max(LASTING) } else { stood }
    }
}

/// Where messages of a topic go.
#[derive(Debug, Clone, Copy)]
enum Route {
    Source(usize),
    Down(Down),
    Nowhere,
}

impl Driver {
    /// Runs until [`Driver::end`] is notified.
    pub async fn run(mut self) {
        let end = self.end.clone();
        tokio::select! {
            () = self.forever() => {}
            () = end.notified() => {}
        }
        self.disconnected();
        self.contested().clear();
    }

    /// That sessions do not last.
    fn contested(&self) -> Alarm {
        self.metrics.alarms.part(&format!("link {}", self.broker.client_id))
    }

    /// The uplink is the one that artifacts come by; the brokers of sources count as their sources do.
    fn counts(&self, up: i64) {
        if self.inbox.is_some() {
            self.metrics.link_up.set(up);
        }
    }

    fn connected(&self) {
        self.counts(1);
        self.link.connected();
    }

    fn disconnected(&self) {
        self.counts(0);
        self.link.disconnected();
    }

    async fn forever(&mut self) {
        let mut retries = Retries::new(FIRST_WAIT, LONGEST_WAIT, LASTING);
        let mut brief = Brief::default();
        let mut waits = self.pulse.waits();
        loop {
            let ended = self.attempt(&mut waits).await;
            let lasted = ended.lasted();
            let Ended { parting, stood, ours } = ended;
            self.disconnected();
            if self.link.is_leaving() {
                return;
            }
            let wait = retries.wait_after(lasted, random::bits());
            let broker = self.address();
            if parting.taken_over {
                let client = &self.broker.client_id;
                let message = format!("another client takes the session of {client} over at broker {broker}");
                self.contested().raise("taken_over", message, ONE_EACH);
            } else if brief.ended(stood, ours) {
                let message = format!("broker {broker} takes connections and soon ends each of them");
                self.contested().raise("dropped", message, SEE_ITS_LOG);
            }
            let problem = parting.problem;
            let lost = format!("{broker}: {problem}");
            for intake in &self.intakes {
                intake.disconnected(&format!("broker {lost}"), wait);
            }
            self.link.lost(lost);
            LinkLost { broker: &broker, problem: &problem, retry: wait }.record(&self.metrics);
            waits.on(tokio::time::sleep(wait)).await;
        }
    }

    /// One connection, until it fails or cannot be made.
    async fn attempt(&mut self, waits: &mut Waits) -> Ended {
        match client(&self.broker) {
            Ok((client, events)) => {
                self.link.connecting(client);
                self.session(events, waits).await
            }
            Err(error) => {
                let parting = Parting { problem: error.to_string(), taken_over: false };
                Ended { parting, stood: None, ours: false }
            }
        }
    }

    /// What comes and goes over it, until it fails.
    async fn session(&mut self, mut events: EventLoop, waits: &mut Waits) -> Ended {
        let mut routes = HashMap::new();
        let mut accepted: Option<Instant> = None;
        let (mut subscribed, mut uncontested, mut ours) = (false, false, false);
        loop {
            match waits.on(events.poll()).await {
                Ok(Event::Incoming(Packet::Publish(publish))) => self.incoming(publish, &mut routes),
                Ok(Event::Incoming(Packet::PubAck(ack))) => self.acknowledged(&ack),
                Ok(Event::Outgoing(Outgoing::Publish(packet))) => self.link.sent(packet),
                Ok(Event::Outgoing(Outgoing::Disconnect)) => ours = true,
                Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                    accepted = Some(Instant::now());
                    self.link.takes(ack.properties.and_then(|properties| properties.max_packet_size));
                    self.subscribe();
                }
                // A later one answers to having asked for what is retained again.
                Ok(Event::Incoming(Packet::SubAck(ack))) => {
                    if !std::mem::replace(&mut subscribed, true) {
                        self.subscribed(&ack);
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let parting = Parting::of(&error, &self.broker.client_id);
                    return Ended { parting, stood: accepted.map(|accepted| accepted.elapsed()), ours };
                }
            }
            if !uncontested && accepted.is_some_and(|accepted| accepted.elapsed() >= UNCONTESTED) {
                uncontested = true;
                self.contested().clear();
            }
        }
    }

    /// Those of the sources, and those of what comes from above.
    fn filters(&self) -> (Vec<Filter>, Vec<Filter>) {
        let qos = |level| if level == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let source = |intake: &Intake| Filter::new(intake.filter().to_owned(), qos(intake.qos()));
        let down = self.inbox.iter().flat_map(Inbox::filters);
        let down = down.map(|filter| Filter::new(filter, QoS::AtLeastOnce)).collect();
        (self.intakes.iter().map(source).collect(), down)
    }

    /// Subscribes before anything else is in flight.
    fn subscribe(&self) {
        self.link.unsubscribe(&self.stale);
        let (sources, down) = self.filters();
        if sources.is_empty() && down.is_empty() || !self.link.subscribe(sources, down) {
            self.connected();
        }
        tracing::info!("connected to broker {}", self.address());
    }

    fn address(&self) -> String {
        format!("{}:{}", self.broker.host, self.broker.port)
    }

    fn subscribed(&self, ack: &SubAck) {
        // In the order of the filters: the sources', then those of what comes from above.
        let (sources, down) = self.filters();
        for (index, (filter, code)) in sources.iter().chain(&down).zip(&ack.return_codes).enumerate() {
            let granted = matches!(code, SubscribeReasonCode::Success(_));
            let refused = || format!("the broker refused the subscription to {} ({code:?})", filter.path);
            match self.intakes.get(index) {
                Some(intake) if granted => intake.connected(&self.address()),
                Some(intake) => intake.refused(&refused()),
                None if granted => {}
                None => tracing::warn!("{}; {ALLOW}", refused()),
            }
        }
        self.connected();
    }

    fn acknowledged(&self, ack: &PubAck) {
        let accepted = matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers);
        self.link.acknowledged(ack.pkid, accepted, &format!("{:?}", ack.reason));
    }

    fn incoming(&mut self, publish: Publish, routes: &mut HashMap<Bytes, Route>) {
        let route = match routes.get(&publish.topic) {
            Some(route) => *route,
            None => {
                let route = self.route(&publish.topic);
                if routes.len() < ROUTES && publish.topic.len() <= 256 {
                    // A copy, so that the network buffer behind the message is not kept alive.
                    routes.insert(Bytes::copy_from_slice(&publish.topic), route);
                }
                route
            }
        };
        let token =
            |source| (publish.qos != QoS::AtMostOnce).then(|| self.link.arrived(source, publish.pkid));
        match route {
            Route::Source(index) => {
                let Some(intake) = self.intakes.get_mut(index) else { return };
                let token = token(intake.index());
                let taken = intake.take(&publish.topic, &publish.payload, token);
                match (token, taken) {
                    (Some(token), Taken::Settled) => self.link.settled(token),
                    (Some(_), Taken::Refused) => self.link.reconnect(),
                    _ => {}
                }
            }
            Route::Down(about) => {
                let token = token(u16::MAX);
                if let Some(inbox) = &self.inbox {
                    inbox.put(about, &publish, token, &self.link);
                }
            }
            Route::Nowhere => {
                downlink_ignored("unexpected_topic", &self.metrics);
                if let Some(token) = token(u16::MAX) {
                    self.link.settled(token);
                }
            }
        }
    }

    fn route(&self, topic: &[u8]) -> Route {
        let Ok(topic) = std::str::from_utf8(topic) else { return Route::Nowhere };
        if let Some(index) = self.intakes.iter().position(|intake| intake.matches(topic)) {
            return Route::Source(index);
        }
        self.inbox.as_ref().and_then(|inbox| inbox.about(topic)).map_or(Route::Nowhere, Route::Down)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_is_left_from_here_says_nothing_against_the_broker() {
        let lasted = |stood, ours| {
            let parting = Parting { problem: String::new(), taken_over: false };
            Ended { parting, stood, ours }.lasted()
        };
        let short = Duration::from_secs(2);
        assert_eq!((lasted(None, true), lasted(Some(short), false)), (Duration::ZERO, short));
        assert_eq!(lasted(Some(short), true), LASTING);
    }
}
