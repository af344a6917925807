//! A gateway under attack, and what has to hold after each of them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use calibd::domain::trust::envelope::Envelope;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::fleet;
use crate::support::broker::Broker;
use crate::support::gateway::{DOWN, Gateway, UP, UPLINK};
use crate::support::mqtt::{Message, Publisher, Subscriber};
use crate::support::process::Daemon;
use crate::support::trust::{calibrated, opened};
use crate::support::wait::until;

/// Two sensors, each with a topic of its own.
pub const SENSORS: &str = r#"
[source.one]
kind = "mqtt"
topic = "sensors/co-1/raw"
qos = 1
format = { kind = "json" }
fields = { value = { pointer = "/v" } }
[source.two]
kind = "mqtt"
topic = "sensors/co-2/raw"
qos = 1
format = { kind = "json" }
fields = { value = { pointer = "/v" } }
[sensor.co-1]
source = "one"
field = "value"
unit = "nA"
mpe = { absolute = 1000.0 }
[sensor.co-2]
source = "two"
field = "value"
unit = "nA"
"#;

/// What a refusal has to be like.
pub struct Attack {
    pub name: &'static str,
    pub reason: &'static str,
    /// Whether a key of the root that is not revoked signed it.
    pub known: bool,
    pub topic: String,
    pub payload: Vec<u8>,
}

impl Attack {
    /// By nobody that the root knows.
    pub fn strange(name: &'static str, reason: &'static str, payload: Vec<u8>) -> Attack {
        Attack { name, reason, known: false, topic: format!("{DOWN}/co"), payload }
    }

    /// By a key of the root.
    pub fn known(name: &'static str, reason: &'static str, payload: Vec<u8>) -> Attack {
        Attack { known: true, ..Attack::strange(name, reason, payload) }
    }

    /// On another topic below `down`.
    pub fn on(self, topic: &str) -> Attack {
        Attack { topic: format!("calibd/1/plant-7/down/{topic}"), ..self }
    }
}

/// A row of the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct Audited {
    pub time: String,
    pub actor: String,
    pub action: String,
    pub detail: Value,
}

/// A broker, a gateway that trusts the attacked fleet, and somebody above who listens.
pub struct Scene {
    pub broker: Broker,
    pub gateway: Gateway,
    pub daemon: Daemon,
    pub publisher: Publisher,
    pub above: Subscriber,
    /// Reasons and hours that strangers have their row for.
    strange: BTreeSet<(String, String)>,
}

impl Scene {
    /// A gateway that trusts this root; `None`: it has none.
    pub fn of(root: Option<&[u8]>, more: &str) -> Scene {
        let broker = Broker::start();
        let mut gateway = Gateway::new().in_group("north").linked_to(&broker).with(SENSORS).with(UPLINK);
        if let Some(root) = root {
            let path = gateway.path("root.json");
            std::fs::write(&path, root).unwrap();
            gateway = gateway.with(&format!("[trust]\nroot = \"{}\"\n{more}", path.display()));
        }
        let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
        let publisher = Publisher::new(&broker);
        let mut daemon = gateway.start();
        daemon.linked();
        Scene { broker, gateway, daemon, publisher, above, strange: BTreeSet::new() }
    }

    /// One that trusts the first root of the fleet.
    pub fn new() -> Scene {
        Scene::of(Some(&fleet::signed_root(&fleet::root(1), &[fleet::ROOT, fleet::ROOT_2])), "")
    }

    /// Stops it in order, does something, and starts it again.
    pub fn restart(&mut self, meanwhile: impl FnOnce(&Gateway)) {
        assert_eq!(self.daemon.process.stop().code(), Some(0));
        meanwhile(&self.gateway);
        self.daemon = self.gateway.start();
        self.daemon.linked();
    }

    fn key(&self) -> PathBuf {
        self.gateway.store().join("gateway.pub.pem")
    }

    /// Every ack so far, each signed by the gateway.
    pub fn acks(&self) -> Vec<Value> {
        let acks = self.above.on(&format!("{UP}/ack"));
        acks.iter().map(|ack| opened(&ack.payload, "ack", &self.key())).collect()
    }

    /// Publishes something, retained, and waits for the answer to it. What the broker sends again is answered, too.
    pub fn push(&mut self, topic: &str, payload: &[u8]) -> Value {
        let (acks, key) = (format!("{UP}/ack"), self.key());
        let digest = Envelope::parse(payload).ok().map(|envelope| envelope.digest().to_string());
        let mut seen = self.above.on(&acks).len();
        self.publisher.retain(topic, payload);
        until(&format!("an answer to what is on {topic}"), || {
            let fresh = self.above.on(&acks).split_off(seen);
            seen += fresh.len();
            let mut fresh = fresh.iter().map(|ack| opened(&ack.payload, "ack", &key));
            fresh.find(|ack| ack["digest"] == json!(digest))
        })
    }

    /// Publishes what has to be accepted.
    pub fn accepts(&mut self, topic: &str, payload: &[u8]) {
        let ack = self.push(topic, payload);
        assert_eq!(ack["verdict"], "accepted", "{ack}");
    }

    /// Publishes a transform that has to be accepted.
    pub fn puts(&mut self, transform: &Value) {
        let topic = format!("{DOWN}/{}", transform["id"].as_str().unwrap());
        self.accepts(&topic, &fleet::by_fleet(transform));
    }

    fn ledger(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(self.gateway.store().join("ledger.db"), flags).unwrap()
    }

    /// All that the ledger holds of artifacts.
    pub fn held(&self) -> Vec<String> {
        let db = self.ledger();
        let tables =
            ["roots", "enrolments", "manifests", "transforms", "floors", "active", "activations", "priors"];
        let rows = tables.iter().flat_map(|table| {
            let mut statement = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
            let columns = statement.column_count();
            let row = |row: &rusqlite::Row<'_>| {
                (0..columns).map(|column| row.get::<_, Cell>(column)).collect::<Result<Vec<_>, _>>()
            };
            let rows: Result<Vec<_>, _> = statement.query_map([], row).unwrap().collect();
            rows.unwrap().into_iter().map(move |row| format!("{table} {row:?}"))
        });
        rows.collect()
    }

    /// The whole audit.
    pub fn audit(&self) -> Vec<Audited> {
        let db = self.ledger();
        let mut rows = db.prepare("SELECT time, actor, action, detail FROM audit ORDER BY seq").unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            let detail: String = row.get(3)?;
            let detail = serde_json::from_str(&detail).unwrap_or_default();
            Ok(Audited { time: row.get(0)?, actor: row.get(1)?, action: row.get(2)?, detail })
        };
        rows.query_map([], row).unwrap().map(Result::unwrap).collect()
    }

    /// What was reported to be in force, and the floors, message by message.
    pub fn reported(&self) -> Vec<(Value, Value, Value)> {
        self.reports_among(&self.above.all())
    }

    fn reports_among(&self, messages: &[Message]) -> Vec<(Value, Value, Value)> {
        let reports = messages.iter().filter(|message| message.topic.contains("/reported/"));
        let told = reports.map(|message| {
            let mut report = opened(&message.payload, "reported", &self.key());
            (report["sensor"].take(), report["active"].take(), report["floors"].take())
        });
        told.collect()
    }

    /// Tries an attack twice: it is refused for its reason, counted and audited as its author deserves, and nothing
    /// else has changed.
    pub fn refuses(&mut self, attack: &Attack) {
        let Attack { name, reason, topic, payload, .. } = attack;
        let (held, audited, came) = (self.held(), self.audit(), self.above.all().len());
        let counter = format!("calibd_refusals_total{{reason=\"{reason}\"}}");
        let digest = json!(Envelope::parse(payload).ok().map(|envelope| envelope.digest().to_string()));
        for _ in 0..2 {
            let counted = self.daemon.metric(&counter);
            let ack = self.push(topic, payload);
            assert_eq!(
                (&ack["verdict"], &ack["reason"]),
                (&json!("refused"), &json!(reason)),
                "{name}: {ack}"
            );
            assert_eq!(ack["digest"], digest, "{name}: {ack}");
            assert!(ack["message"].as_str().unwrap().len() > 10, "{name}: {ack}");
            assert!(self.daemon.metric(&counter) > counted, "{name}");
        }
        // What the broker sends again meanwhile has rows of its own.
        let rows = self.audit().split_off(audited.len()).into_iter();
        let rows: Vec<_> = rows.filter(|row| row.detail["digest"] == digest).collect();
        self.audited_as_deserved(attack, &digest, &rows);
        for Audited { actor, action, detail, .. } in &rows {
            assert_eq!((actor.as_str(), action.as_str()), ("mqtt", "artifact.refused"), "{name}");
            assert_eq!(detail["reason"], *reason, "{name}");
        }
        assert_eq!(self.held(), held, "{name}");
        // What was reported of all before may have come until the first answer, and not after it.
        let all = self.above.all();
        let first = all.iter().skip(came).position(|message| self.is_ack_of(message, &digest));
        let (before, since) = all.split_at(came + first.unwrap());
        let told = self.reports_among(before);
        for (sensor, active, floors) in self.reports_among(since) {
            let before = told.iter().rfind(|(of, _, _)| *of == sensor);
            assert_eq!(
                before.map(|(_, active, floors)| (active, floors)),
                Some((&active, &floors)),
                "{name}"
            );
        }
    }

    fn is_ack_of(&self, message: &Message, digest: &Value) -> bool {
        message.topic == format!("{UP}/ack")
            && opened(&message.payload, "ack", &self.key())["digest"] == *digest
    }

    /// Known keys have one row for a digest, strangers one for a reason and hour.
    fn audited_as_deserved(&mut self, attack: &Attack, digest: &Value, rows: &[Audited]) {
        if attack.known {
            // The broker may have sent again what it retains of it before.
            let is_it = |row: &&Audited| row.action == "artifact.refused" && row.detail["digest"] == *digest;
            assert_eq!(self.audit().iter().filter(is_it).count(), 1, "{}: {rows:?}", attack.name);
            return;
        }
        for row in rows {
            let hour = row.time[..13].to_owned();
            let first = self.strange.insert((attack.reason.to_owned(), hour));
            assert!(first, "{}: twice within an hour: {row:?}", attack.name);
        }
        let told = self.strange.iter().any(|(reason, _)| reason == attack.reason);
        assert!(told, "{}: not audited", attack.name);
    }

    /// Has a sensor say something, and answers its reading.
    pub fn measures(&mut self, sensor: &str, raw: f64) -> Value {
        self.publisher.publish(&format!("sensors/{sensor}/raw"), json!({"v": raw}).to_string());
        self.above.await_on(&format!("{UP}/reading/{sensor}"), |message| {
            let reading = message.json();
            (reading["raw"] == json!(raw)).then_some(reading)
        })
    }

    /// `co-1` is calibrated by this version.
    pub fn runs(&mut self, version: u64, raw: f64) {
        let reading = self.measures("co-1", raw);
        assert_eq!(
            (&reading["value"], &reading["reasons"]),
            (&json!(calibrated(raw)), &json!([])),
            "{reading}"
        );
        assert_eq!(reading["transform"]["version"], version, "{reading}");
    }
}
