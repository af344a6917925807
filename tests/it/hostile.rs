//! Messages and brokers that mean no good: counted, survived, and nobody else stops.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use calibd::runtime::clock::Clock;
use serde_json::json;

use crate::support::broker::Broker;
use crate::support::control::get;
use crate::support::gateway::{DOWN, Gateway, MQTT_SOURCE, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::process::Daemon;
use crate::support::trust::{Authority, calibrated, transform};
use crate::support::wait::until_true;

const DROPPED: &str = "calibd_samples_dropped_total";
const REFUSED: &str = "calibd_refusals_total";

/// What nobody should send.
fn poison() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", vec![]),
        ("garbage", (0..=255).collect()),
        ("bad UTF-8", b"{\"v\":1,\"\xff\xfe\":2}".to_vec()),
        ("a lone surrogate", br#"{"v":"\ud800"}"#.to_vec()),
        ("NaN", b"{\"v\":NaN}".to_vec()),
        ("infinity", b"{\"v\":-Infinity}".to_vec()),
        ("an overflow", b"{\"v\":1e999}".to_vec()),
        ("a text", b"{\"v\":\"twelve\"}".to_vec()),
        ("an object", b"{\"v\":{}}".to_vec()),
        ("no field", b"{}".to_vec()),
        ("an array", b"[1,2,3]".to_vec()),
        ("half a message", b"{\"v\":".to_vec()),
        ("something behind", b"{\"v\":1}{\"v\":2}".to_vec()),
        ("deep arrays", vec![b'['; 200_000]),
        ("deep objects", b"{\"v\":".repeat(50_000)),
        ("deep after the field", [&b"{\"v\":1,\"w\":"[..], &vec![b'['; 200_000]].concat()),
        ("400 kB", [&b"{\"w\":\""[..], &vec![b'x'; 400 << 10]].concat()),
    ]
}

fn measures(publisher: &mut Publisher, above: &Subscriber, raw: f64) -> serde_json::Value {
    publisher.publish("sensors/co-1/raw", json!({"v": raw}).to_string());
    above.await_on(&format!("{UP}/reading/co-1"), |message| {
        (message.json()["raw"] == raw).then(|| message.json())
    })
}

/// Counts one more than before under `name`.
fn counted(daemon: &mut Daemon, name: &str, what: &str, act: impl FnOnce()) {
    let before = daemon.total(name);
    act();
    until_true(&format!("{what} to be counted in {name}"), || {
        assert!(daemon.process.runs(), "calibd did not survive {what}");
        daemon.total(name) > before
    });
}

#[test]
fn poison_on_a_source_topic_is_counted_and_good_readings_flow_on() {
    let broker = Broker::start();
    let gateway = Gateway::new().linked_to(&broker).with(&MQTT_SOURCE.replace("100", "3")).with(UPLINK);
    let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    let mut publisher = Publisher::new(&broker);
    let mut daemon = gateway.start();
    daemon.linked();
    measures(&mut publisher, &above, 1.0);
    for (what, payload) in poison() {
        counted(&mut daemon, DROPPED, what, || publisher.retain("sensors/co-1/raw", &payload));
    }
    measures(&mut publisher, &above, 2.0);
    for name in ["x".repeat(65), "a b".to_owned(), "-".to_owned(), "..".to_owned(), "\u{1F525}".to_owned()] {
        let topic = format!("sensors/{name}/raw");
        counted(&mut daemon, DROPPED, &topic, || publisher.publish(&topic, r#"{"v":1}"#));
    }
    for name in ["b", "c"] {
        publisher.publish(&format!("sensors/{name}/raw"), r#"{"v":1}"#);
    }
    counted(&mut daemon, "calibd_samples_dropped_total", "one sensor too many", || {
        publisher.publish("sensors/d/raw", r#"{"v":1}"#);
    });
    // More than the gateway takes: the broker keeps it to itself.
    publisher.retain("sensors/co-1/raw", [&b"{\"v\":9,\"w\":\""[..], &vec![b'x'; 10 << 20], b"\"}"].concat());
    measures(&mut publisher, &above, 3.0);

    publisher.retain("sensors/co-1/raw", vec![b'['; 200_000]);
    assert_eq!(daemon.process.stop().code(), Some(0));
    daemon = gateway.start();
    daemon.linked();
    measures(&mut publisher, &above, 4.0);
    let sensors: std::collections::BTreeSet<_> =
        gateway.history().rows().into_iter().map(|row| row.sensor).collect();
    assert_eq!(sensors.into_iter().collect::<Vec<_>>(), ["b", "c", "co-1"]);
}

#[test]
fn poison_from_above_is_refused_and_what_is_in_force_stays() {
    let (broker, authority) = (Broker::start(), Authority::new());
    let gateway = Gateway::new().linked_to(&broker).trusting(&authority).with(MQTT_SOURCE).with(UPLINK);
    let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    let mut publisher = Publisher::new(&broker);
    let mut daemon = gateway.start();
    daemon.linked();
    publisher.retain(&format!("{DOWN}/co"), authority.signed(&transform(1)));
    above.await_on(&format!("{UP}/ack"), |_| Some(()));

    let mut all = poison();
    let signed = |payload: &[u8]| authority.signed_bytes("fleet", payload);
    all.push(("signed depth", signed(&[b'['; 100_000])));
    all.push(("signed garbage", signed(b"\xff\x00")));
    all.push(("signed NaN", signed(b"{\"schema\":NaN}")));
    for topic in
        ["calibd/1/plant-7/down/all/transform/x", &format!("{DOWN}/co"), &format!("{DOWN}/\u{1F525}")]
    {
        for (what, payload) in &all {
            let ignored = payload.is_empty() || topic.ends_with('\u{1F525}');
            let name = if ignored { "calibd_downlink_ignored_total" } else { REFUSED };
            counted(&mut daemon, name, what, || publisher.retain(topic, payload));
        }
        publisher.retain(topic, vec![b'x'; 10 << 20]);
    }
    let before = measures(&mut publisher, &above, 2.0);
    assert_eq!(before["value"], json!(calibrated(2.0)));

    publisher.retain(&format!("{DOWN}/co"), vec![b'{'; 300_000]);
    assert_eq!(daemon.process.stop().code(), Some(0));
    daemon = gateway.start();
    daemon.reaches(&format!("{REFUSED}{{reason=\"too_large\"}}"), 1);
    assert_eq!(measures(&mut publisher, &above, 3.0)["transform"], before["transform"]);
}

/// A broker that answers each connection with the next of these, and hangs up.
fn impostor(answers: Vec<Vec<u8>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { continue };
            answer(&mut stream, &answers[index % answers.len()]);
        }
    });
    port
}

/// What goes wrong here is the other side hanging up first, as it should.
fn answer(stream: &mut TcpStream, bytes: &[u8]) {
    let mut connect = [0; 1024];
    if stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok() && stream.read(&mut connect).is_ok() {
        let _ = stream.write_all(bytes).and_then(|()| stream.read(&mut connect).map(drop));
    }
}

/// A second gateway with the same id looks like this to the first one, over and over.
#[test]
fn a_session_that_is_taken_over_again_and_again_is_sought_less_and_less_often() {
    const TAKEN_OVER: &[u8] = &[0x20, 3, 0, 0, 0, 0xe0, 2, 0x8e, 0];
    let port = impostor(vec![TAKEN_OVER.to_vec()]);
    let gateway = Gateway::new().with(&format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\n")).with(UPLINK);
    let mut daemon = gateway.start();
    daemon.reaches("calibd_link_reconnects_total", 5);
    let clock = Clock::system();
    let (mut count, mut since) = (0, clock.monotonic());
    until_true("a wait that is longer than a first one can be", || {
        let now = daemon.metric("calibd_link_reconnects_total");
        if now > count {
            (count, since) = (now, clock.monotonic());
        }
        clock.monotonic() - since > Duration::from_secs(2)
    });
    let status = get(&gateway.path("run/control.sock"), "/v1/status").json();
    let problem = status["link"]["problem"].as_str().unwrap();
    assert!(problem.contains("another client has connected with the id gw-1"), "{problem}");
    let page = &status["attention"][0];
    assert_eq!(page["severity"], "page", "{status:#}");
    assert!(page["remedy"].as_str().unwrap().contains("a gateway.id of its own"), "{page}");
    let log = daemon.process.log();
    let told = log.lines().filter(|line| line.contains("a gateway.id of its own"));
    assert_eq!(told.count(), 1, "{log}");
    assert_eq!(daemon.process.stop().code(), Some(0));
}

/// mosquitto does so when another client has the same id.
#[test]
fn a_broker_that_ends_every_session_without_a_word_is_for_somebody() {
    let port = impostor(vec![vec![0x20, 3, 0, 0, 0]]);
    let gateway = Gateway::new().with(&format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\n"));
    let mut daemon = gateway.start();
    daemon.says("takes connections and soon ends each of them; see its log");
    assert_eq!(daemon.process.stop().code(), Some(0));
}

#[test]
fn a_broker_that_talks_nonsense_is_left_and_tried_again() {
    const WELCOME: &[u8] = &[0x20, 3, 0, 0, 0];
    let publish = |length: &[u8], topic: &[u8]| {
        let head = [WELCOME, &[0x30], length, &[0, topic.len() as u8], topic, &[0]].concat();
        [head, vec![b'x'; 10 << 20]].concat()
    };
    let answers = vec![
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        publish(&[0x88, 0x80, 0x80, 0x05], b"s"),
        publish(&[0xff, 0xff, 0xff, 0xff, 0xff], b"s"),
        publish(&[0x05], b"\xff\xfe"),
        [WELCOME, &[0x90, 0xff, 0x7f]].concat(),
        [WELCOME, &[0x40, 2, 0xff, 0xff]].concat(),
        vec![0; 4096],
    ];
    let count = answers.len() as i64;
    let port = impostor(answers);
    let broker = Broker::start();
    let own = "[source.impostor]\nkind = \"mqtt\"\ntopic = \"s\"\nformat = { kind = \"json\" }\n\
               fields = { value = { pointer = \"/v\" } }\n";
    let sensor = "[sensor.s]\nsource = \"impostor\"\nfield = \"value\"\nunit = \"nA\"\n";
    let gateway = Gateway::new()
        .linked_to(&broker)
        .with(MQTT_SOURCE)
        .with(UPLINK)
        .with(&format!("{own}url = \"mqtt://127.0.0.1:{port}\"\n{sensor}"));
    let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    let mut daemon = gateway.start();
    daemon.linked();
    daemon.reaches("calibd_source_reconnects_total{source=\"impostor\"}", count);
    measures(&mut Publisher::new(&broker), &above, 1.0);
    assert_eq!(daemon.total("calibd_task_restarts_total"), 0, "{}", daemon.process.log());
    assert_eq!(daemon.process.stop().code(), Some(0));
}
