//! How transforms come into force, through the daemon and a broker: in shadow, on trial, for good, or back.

mod again;
mod canary;
mod keys;
mod orders;
mod policies;

use std::thread::JoinHandle;
use std::time::Duration;

use calibd::config::load;
use calibd::daemon::run::{DRAIN, Drained, start};
use calibd::runtime::clock::{Clock, system_now};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::broker::Broker;
use crate::support::gateway::{DOWN, Gateway, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::trust::{Authority, opened, transform};
use crate::support::wait::{until, until_true};

/// A sensor and its reference, each from a topic of its own.
const SENSORS: &str = r#"
[source.co]
kind = "mqtt"
topic = "sensors/co-1/raw"
qos = 1
format = { kind = "json" }
fields = { value = { pointer = "/v" } }

[source.ref]
kind = "mqtt"
topic = "sensors/co-ref/raw"
qos = 1
format = { kind = "json" }
fields = { value = { pointer = "/v" } }

[sensor.co-1]
source = "co"
field = "value"
unit = "nA"
reference = { sensor = "co-ref", uncertainty = 0.05 }

[sensor.co-ref]
source = "ref"
field = "value"
unit = "mg/m3"
"#;

/// Between two readings and their reference.
const STEP: Duration = Duration::from_secs(120);

/// A daemon in this process, whose clock a test moves.
pub struct Trial {
    pub authority: Authority,
    pub gateway: Gateway,
    pub above: Subscriber,
    pub publisher: Publisher,
    pub clock: Clock,
    _broker: Broker,
    running: Option<(oneshot::Sender<()>, JoinHandle<Drained>)>,
    count: u32,
}

impl Trial {
    /// A gateway with a sensor and its reference, and these lines more in its configuration.
    pub fn new(more: &str) -> Trial {
        let authority = Authority::new();
        let gateway = Gateway::new().trusting(&authority).with(more);
        Trial::at(Broker::start(), authority, gateway)
    }

    /// The same at this gateway.
    pub fn at(broker: Broker, authority: Authority, gateway: Gateway) -> Trial {
        let gateway = gateway.linked_to(&broker).with(SENSORS).with(UPLINK);
        let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
        let publisher = Publisher::new(&broker);
        let clock = Clock::manual(system_now());
        let mut trial =
            Trial { authority, gateway, above, publisher, clock, _broker: broker, running: None, count: 0 };
        trial.begin();
        trial
    }

    /// Starts the daemon.
    pub fn begin(&mut self) {
        let config = load(&self.gateway.configured()).unwrap().config;
        let (end, ended) = oneshot::channel();
        let clock = self.clock.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let running = start(config, clock, async {}).await.unwrap();
                ended.await.unwrap();
                running.stop(DRAIN).await
            })
        });
        self.running = Some((end, thread));
        let http = self.gateway.http;
        until_true("the link", || crate::support::process::metric(http, "calibd_link_up") == 1);
    }

    /// Stops it in order.
    pub fn end(&mut self) {
        if let Some((end, thread)) = self.running.take() {
            end.send(()).unwrap();
            thread.join().unwrap();
        }
    }

    /// Publishes a transform.
    pub fn push(&mut self, transform: &Value) {
        let envelope = self.authority.signed(transform);
        self.publisher.retain(&format!("{DOWN}/co"), envelope);
    }

    /// So many readings with their references, whose error is small, one after the other.
    pub fn compare(&mut self, pairs: usize) {
        for _ in 0..pairs {
            self.count += 1;
            let raw = 5.0 + f64::from(self.count % 7);
            // Errors without a pattern that would hang together.
            let error = 0.04 * f64::from(self.count * 37 % 11) - 0.2;
            let seen = self.above.readings().len();
            let say = |publisher: &mut Publisher, sensor: &str, value: f64| {
                publisher.publish(&format!("sensors/{sensor}/raw"), json!({"v": value}).to_string());
            };
            say(&mut self.publisher, "co-1", raw);
            say(&mut self.publisher, "co-ref", 0.5 + 2.0 * raw + error);
            until_true("both readings", || self.above.readings().len() >= seen + 2);
            self.clock.advance(STEP);
        }
    }

    /// Waits for the last word of the gateway on an artifact of this version that fits.
    pub fn ack(&self, version: u64, fits: impl Fn(&Value) -> bool) -> Value {
        let key = self.gateway.store().join("gateway.pub.pem");
        self.above.await_on(&format!("{UP}/ack"), |message| {
            let ack = opened(&message.payload, "ack", &key);
            (ack["version"] == version && fits(&ack)).then_some(ack)
        })
    }

    /// Waits until what is reported of the sensor fits.
    pub fn reported(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let key = self.gateway.store().join("gateway.pub.pem");
        self.above.await_on(&format!("{UP}/reported/co-1"), |message| {
            let reported = opened(&message.payload, "reported", &key);
            fits(&reported).then_some(reported)
        })
    }

    /// The same of what came after so many messages.
    pub fn reported_after(&self, seen: usize, fits: impl Fn(&Value) -> bool) -> Value {
        let key = self.gateway.store().join("gateway.pub.pem");
        until("what is reported", || {
            let messages = self.above.on(&format!("{UP}/reported/co-1"));
            let new = messages.iter().skip(seen).map(|message| opened(&message.payload, "reported", &key));
            new.into_iter().find(|reported| fits(reported))
        })
    }

    /// Waits for a step of a rollout.
    pub fn event(&self, action: &str) -> Value {
        self.above.await_on(&format!("{UP}/event"), |message| {
            let event = message.json();
            (event["event"] == "rollout" && event["action"] == action).then_some(event)
        })
    }

    /// The actions in the audit, from the first.
    pub fn audited(&self) -> Vec<String> {
        audited(&self.gateway)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.running.take() {
            // A daemon that has failed is told of by its thread.
            let _ = end.send(());
            let _ = thread.join();
        }
    }
}

/// The actions in the audit of a gateway, from the first.
pub fn audited(gateway: &Gateway) -> Vec<String> {
    let db = rusqlite::Connection::open(gateway.store().join("ledger.db")).unwrap();
    let mut rows = db.prepare("SELECT action FROM audit ORDER BY seq").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Version `version` of the transform, which is off by so much, and how it is to come into force.
pub fn version(version: u64, off: f64, rollout: Value) -> Value {
    let mut transform = transform(version);
    transform["pipeline"][0]["offset"] = json!(0.5 + off);
    if !rollout.is_null() {
        transform["rollout"] = rollout;
    }
    transform
}

/// A canary on all gateways.
pub fn canary(bake: &str) -> Value {
    json!({"mode": "canary", "percent": 100, "seed": "s", "bake": bake, "gate": {"min_pairs": 8}})
}
