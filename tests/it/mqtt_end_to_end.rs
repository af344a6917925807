//! The main street: raw messages in, a signed transform from above, calibrated readings out.

use calibd::runtime::clock::system_now;
use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::control::post;
use crate::support::gateway::{DOWN, Gateway, MQTT_SOURCE, UP, UPLINK};
use crate::support::mqtt::{Message, Publisher, Subscriber};
use crate::support::process::Daemon;
use crate::support::trust::{Authority, calibrated, hours_from_now, opened, transform};
use crate::support::wait::until_true;

/// Everything that most of these tests need.
pub struct Street {
    pub broker: Broker,
    pub authority: Authority,
    pub gateway: Gateway,
    pub daemon: Daemon,
    pub publisher: Publisher,
    pub above: Subscriber,
}

impl Street {
    /// A broker, a fleet, and a gateway that is linked.
    pub fn new() -> Street {
        Street::with("")
    }

    /// The same with more lines in the gateway's section of trust.
    pub fn with(trust: &str) -> Street {
        Street::at(Gateway::new(), trust)
    }

    /// The same for this gateway.
    pub fn at(gateway: Gateway, trust: &str) -> Street {
        let broker = Broker::start();
        let authority = Authority::new();
        let gateway =
            gateway.linked_to(&broker).trusting(&authority).with(trust).with(MQTT_SOURCE).with(UPLINK);
        let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
        let publisher = Publisher::new(&broker);
        let mut daemon = gateway.start();
        daemon.linked();
        Street { broker, authority, gateway, daemon, publisher, above }
    }

    /// Has the sensor say something.
    pub fn measure(&mut self, raw: f64) {
        self.publisher.publish("sensors/co-1/raw", json!({"v": raw}).to_string());
    }

    /// Publishes a transform for the gateway.
    pub fn push(&mut self, id: &str, envelope: impl AsRef<[u8]>) {
        self.publisher.retain(&format!("{DOWN}/{id}"), envelope);
    }

    /// Every ack so far; each has to be signed with the gateway's own key.
    pub fn acks(&self) -> Vec<Value> {
        let key = self.gateway.store().join("gateway.pub.pem");
        self.above.on(&format!("{UP}/ack")).iter().map(|ack| opened(&ack.payload, "ack", &key)).collect()
    }

    /// Waits for this many acks and answers with the last one.
    pub fn ack(&self, count: usize) -> Value {
        let topic = format!("{UP}/ack");
        until_true(&format!("ack number {count}"), || self.above.on(&topic).len() >= count);
        let mut acks = self.acks();
        assert_eq!(acks.len(), count, "{acks:#?}");
        acks.remove(count - 1)
    }

    /// Waits for the reading with this raw value.
    pub fn reading(&self, raw: f64) -> Value {
        self.above.await_on(&format!("{UP}/reading/co-1"), |message| {
            let reading = message.json();
            (reading["raw"] == json!(raw)).then_some(reading)
        })
    }

    /// What a client that comes now is told of a retained topic.
    pub fn retained(&self, topic: &str) -> Message {
        let late = Subscriber::new(&self.broker, &[topic]);
        late.await_on(topic, |message| Some(message.clone()))
    }
}

#[test]
fn readings_turn_from_raw_to_calibrated_when_a_signed_transform_arrives() {
    let mut street = Street::new();
    street.measure(1.5);
    let raw = street.reading(1.5);
    assert_eq!((&raw["value"], &raw["u"], &raw["transform"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!((&raw["unit"], &raw["reasons"]), (&json!("nA"), &json!(["raw_only"])));

    let envelope = street.authority.signed(&transform(7));
    street.push("co", &envelope);
    let ack = street.ack(1);
    assert_eq!((&ack["verdict"], &ack["reason"]), (&json!("accepted"), &Value::Null), "{ack}");
    assert_eq!((&ack["id"], &ack["version"], &ack["stage"]), (&json!("co"), &json!(7), &json!("active")));

    street.measure(2.5);
    let reading = street.reading(2.5);
    assert_eq!((&reading["value"], &reading["unit"]), (&json!(calibrated(2.5)), &json!("mg/m3")));
    assert_eq!((&reading["state"], &reading["reasons"]), (&json!("valid"), &json!([])));
    assert_eq!(reading["after"], raw["seq"]);
    // By propagation: residual_std^2 + var(offset) + raw^2 var(gain).
    let u = (0.3f64.powi(2) + 0.01 + 2.5f64.powi(2) * 0.0001).sqrt();
    assert!((reading["u"].as_f64().unwrap() - u).abs() < 1e-12, "{reading}");
    let by = json!({"id": "co", "version": 7, "digest": ack["digest"]});
    assert_eq!(reading["transform"], by);

    let key = street.gateway.store().join("gateway.pub.pem");
    let reported = street.retained(&format!("{UP}/reported/co-1"));
    let reported = opened(&reported.payload, "reported", &key);
    assert_eq!((&reported["active"]["id"], &reported["active"]["digest"]), (&json!("co"), &ack["digest"]));
    assert_eq!(reported["floors"], json!({"co": [1, 7]}));
    assert_eq!(reported["verdicts"][0]["verdict"], json!("accepted"));
    assert_eq!(street.daemon.process.stop().code(), Some(0));
    let row = street.gateway.history().rows().pop().unwrap();
    assert_eq!((row.raw, row.value, row.version), (Some(2.5), Some(calibrated(2.5)), Some(7)));
}

#[test]
fn what_root_installs_and_rolls_back_on_the_gateway_is_told_above() {
    let mut street = Street::new();
    let admin = street.gateway.path("run/admin.sock");
    let (seven, eight) = (street.authority.signed(&transform(7)), street.authority.signed(&transform(8)));
    for (count, envelope) in [(1, &seven), (2, &eight)] {
        let answer = post(&admin, "/v1/transforms", envelope).json();
        assert_eq!((street.ack(count), &answer["verdict"]), (answer.clone(), &json!("accepted")));
    }
    assert_eq!(post(&admin, "/v1/sensors/co-1/rollback", b"").json()["verdict"], "accepted");
    let key = street.gateway.store().join("gateway.pub.pem");
    let reported = street.above.await_on(&format!("{UP}/reported/co-1"), |message| {
        let reported = opened(&message.payload, "reported", &key);
        (reported["active"]["version"] == 7 && reported["floors"] == json!({"co": [1, 8]}))
            .then_some(reported)
    });
    assert_eq!(reported["active"]["id"], "co");
    // The broker's own copy of the version that was left takes nothing back.
    street.push("co", &eight);
    assert_eq!(street.ack(3)["verdict"], "already_applied");
    street.measure(2.5);
    assert_eq!(street.reading(2.5)["transform"]["version"], 7);
}

#[test]
fn each_refusal_is_answered_with_its_reason_and_changes_nothing() {
    let mut street = Street::new();
    let good = street.authority.signed(&transform(7));
    street.push("co", &good);
    assert_eq!(street.ack(1)["verdict"], "accepted");

    let with = |pointer: &str, value: Value| {
        let mut document = transform(8);
        *document.pointer_mut(pointer).unwrap() = value;
        document
    };
    let envelope = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
    let mut unsigned = envelope(good.clone());
    unsigned["signatures"] = json!([]);
    let mut tampered = envelope(street.authority.signed(&transform(9)));
    tampered["signatures"] = envelope(good.clone())["signatures"].clone();
    let mut conflicting = transform(7);
    conflicting["pipeline"][0]["offset"] = json!(9.0);
    let mut expired = with("/expires", json!(hours_from_now(-1)));
    expired["issued_at"] = json!(hours_from_now(-5));
    let authority = &street.authority;
    let refused: Vec<(&str, Vec<u8>)> = vec![
        ("threshold_not_met", unsigned.to_string().into_bytes()),
        ("bad_signature", tampered.to_string().into_bytes()),
        ("unknown_key", authority.signed_by("stranger", &transform(8))),
        ("role_not_allowed", authority.signed_by("root", &transform(8))),
        ("rolled_back_version", authority.signed(&transform(6))),
        ("conflicting_version", authority.signed(&conflicting)),
        ("expired", authority.signed(&expired)),
        ("not_yet_valid", authority.signed(&with("/not_before", json!(hours_from_now(2))))),
        ("wrong_fleet", authority.signed(&with("/target/fleet", json!("plant-8")))),
        ("not_for_this_gateway", authority.signed(&with("/target/gateways", json!(["gw-2"])))),
        ("unit_mismatch", authority.signed(&with("/input_unit", json!("V")))),
        ("conflict", authority.signed(&with("/id", json!("other")))),
        ("unknown_stage", authority.signed(&with("/pipeline/0/kind", json!("magic")))),
        ("malformed", b"{\"payload\":".to_vec()),
        ("too_large", vec![b' '; 300 << 10]),
    ];
    let mut count = 1;
    for (reason, envelope) in refused {
        street.push("co", envelope);
        count += 1;
        let ack = street.ack(count);
        assert_eq!((&ack["verdict"], &ack["reason"]), (&json!("refused"), &json!(reason)), "{ack}");
        assert!(!ack["message"].as_str().unwrap().is_empty(), "{ack}");
        assert_eq!(street.daemon.metric(&format!("calibd_refusals_total{{reason=\"{reason}\"}}")), 1);
    }
    street.measure(3.0);
    assert_eq!(street.reading(3.0)["value"], json!(calibrated(3.0)));

    street.push("co", &good);
    let again = street.ack(count + 1);
    assert_eq!((&again["verdict"], &again["version"]), (&json!("already_applied"), &json!(7)));
}

#[test]
fn without_a_root_every_transform_is_refused_and_readings_stay_raw() {
    let broker = Broker::start();
    let authority = Authority::new();
    let gateway = Gateway::new().linked_to(&broker).with(MQTT_SOURCE).with(UPLINK);
    let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    let mut publisher = Publisher::new(&broker);
    let mut daemon = gateway.start();
    daemon.linked();
    publisher.retain(&format!("{DOWN}/co"), authority.signed(&transform(1)));
    let ack = above.await_on(&format!("{UP}/ack"), |message| Some(message.clone()));
    let ack = opened(&ack.payload, "ack", &gateway.store().join("gateway.pub.pem"));
    assert_eq!((&ack["verdict"], &ack["reason"]), (&json!("refused"), &json!("no_root")));
    publisher.publish("sensors/co-1/raw", r#"{"v":1}"#);
    let reading = above.await_on(&format!("{UP}/reading/co-1"), |message| Some(message.json()));
    assert_eq!((&reading["value"], &reading["reasons"]), (&Value::Null, &json!(["raw_only"])));
    daemon.says("set trust.root");
}

#[test]
fn a_transform_in_force_survives_a_restart_and_a_crash() {
    let mut street = Street::new();
    let envelope = street.authority.signed(&transform(7));
    street.push("co", &envelope);
    assert_eq!(street.ack(1)["verdict"], "accepted");
    street.measure(1.0);
    let first = street.reading(1.0);

    assert_eq!(street.daemon.process.stop().code(), Some(0));
    street.daemon = street.gateway.start();
    street.daemon.linked();
    street.measure(2.0);
    let second = street.reading(2.0);
    assert_eq!((&second["value"], &second["transform"]), (&json!(calibrated(2.0)), &first["transform"]));
    assert_eq!(
        second["seq"].as_u64(),
        first["seq"].as_u64().map(|seq| seq + 1),
        "an orderly stop leaves no gap"
    );
    assert_eq!(second["after"], first["seq"]);
    // The retained push comes again with each connection; the kill may come before its answer otherwise.
    assert_eq!(street.ack(2)["verdict"], "already_applied");

    street.daemon.process.kill();
    street.daemon = street.gateway.start();
    street.daemon.linked();
    street.measure(3.0);
    let third = street.reading(3.0);
    assert_eq!((&third["value"], &third["transform"]), (&json!(calibrated(3.0)), &first["transform"]));
    assert!(third["seq"].as_u64() > second["seq"].as_u64());
    until_true("the pushes to be answered", || street.acks().len() >= 3);
    assert!(street.acks()[1..].iter().all(|ack| ack["verdict"] == "already_applied"), "{:#?}", street.acks());
}

#[test]
fn an_emptied_retained_transform_changes_nothing() {
    let mut street = Street::new();
    let envelope = street.authority.signed(&transform(7));
    street.push("co", &envelope);
    assert_eq!(street.ack(1)["verdict"], "accepted");
    street.push("co", b"");
    street.daemon.reaches("calibd_downlink_ignored_total{reason=\"emptied\"}", 1);
    street.measure(4.0);
    assert_eq!(street.reading(4.0)["value"], json!(calibrated(4.0)));
    assert_eq!(street.acks().len(), 1);
}

#[test]
fn the_status_says_whether_the_gateway_is_there() {
    let mut street = Street::new();
    let topic = format!("{UP}/status");
    let is =
        |online: bool| move |message: &Message| (message.json()["online"] == online).then(|| message.json());
    let status = street.above.await_on(&topic, is(true));
    assert_eq!((&status["version"], &status["root_version"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(1)));
    assert!(status["incarnation"].as_str().is_some_and(|name| !name.is_empty()), "{status}");
    assert_eq!(street.retained(&topic).json()["online"], true);

    street.daemon.process.kill();
    street.above.await_on(&topic, is(false));
    assert_eq!(street.retained(&topic).json()["online"], false, "the last will");

    street.daemon = street.gateway.start();
    street.daemon.linked();
    until_true("the status to say online again", || street.retained(&topic).json()["online"] == true);
    assert_eq!(street.daemon.process.stop().code(), Some(0));
    let last = street.retained(&topic).json();
    assert_eq!((&last["online"], &last["incarnation"]), (&json!(false), &status["incarnation"]));
}

#[test]
fn an_orderly_stop_commits_publishes_and_acknowledges_everything() {
    let mut street = Street::new();
    for raw in 0..300 {
        street.measure(f64::from(raw));
    }
    let status = street.daemon.process.stop();
    assert_eq!(status.code(), Some(0));
    let rows = street.gateway.history().by_seq();
    let seen = street.above.readings_by_seq();
    assert_eq!(
        seen.keys().collect::<Vec<_>>(),
        rows.keys().collect::<Vec<_>>(),
        "published is what is committed"
    );
    // What came after the sources were stopped is with the broker still.
    street.daemon = street.gateway.start();
    until_true("every message to be in the history", || street.gateway.history().rows().len() >= 300);
    let raw = street.gateway.history().raw_of("co-1");
    assert_eq!(raw, (0..300).map(|raw| Some(f64::from(raw))).collect::<Vec<_>>(), "each once, in order");
}

#[test]
fn a_second_daemon_on_one_store_is_refused_and_the_first_goes_on() {
    let mut street = Street::new();
    let other = Gateway::new().with(&format!("# {}", street.gateway.store().display()));
    let config = std::fs::read_to_string(other.configured()).unwrap();
    let config =
        config.replace(&other.store().display().to_string(), &street.gateway.store().display().to_string());
    std::fs::write(other.path("calibd.toml"), config).unwrap();
    let mut second = Daemon::start(&other.path("calibd.toml"), 0, &other.path("log"));
    assert_ne!(second.process.ended().code(), Some(0));
    let said = second.process.log();
    assert!(said.contains("in use by another calibd; stop it or set another store.dir"), "{said}");
    street.measure(1.0);
    street.reading(1.0);
}

#[test]
fn a_transform_that_came_too_early_is_put_in_force_when_its_time_has_come() {
    let mut street = Street::new();
    let mut early = transform(1);
    early["not_before"] = json!(system_now().saturating_add_micros(3_000_000).to_string());
    let envelope = street.authority.signed(&early);
    street.push("co", &envelope);
    let refused = street.ack(1);
    assert_eq!(
        (refused["verdict"].as_str(), refused["reason"].as_str()),
        (Some("refused"), Some("not_yet_valid"))
    );
    let accepted = street.ack(2);
    assert_eq!(
        (accepted["verdict"].as_str(), accepted["digest"].clone()),
        (Some("accepted"), refused["digest"].clone())
    );
    street.measure(2.0);
    assert_eq!(street.reading(2.0)["transform"]["version"], 1);
}
