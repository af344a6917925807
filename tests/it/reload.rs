//! Another configuration while readings flow.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::gateway::{DOWN, Gateway, UP};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::process::{Daemon, free_port, metric, metrics};
use crate::support::trust::{Authority, calibrated, transform};
use crate::support::tty::Tty;
use crate::support::wait::until_true;

fn calibctl(gateway: &Gateway, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calibctl"));
    command.args(words).arg("--socket").arg(gateway.path("run/admin.sock")).output().unwrap()
}

/// Has the daemon take over `text`; answers what it says of that.
fn reload(gateway: &Gateway, text: &str) -> Value {
    gateway.rewrite(text);
    let output = calibctl(gateway, &["reload", "--json"]);
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(output.status.success(), said["applied"] == true, "{said}");
    said
}

/// The same for a text that it has to take over; answers what has changed.
pub fn taken_over(gateway: &Gateway, text: &str) -> Vec<String> {
    let said = reload(gateway, text);
    assert_eq!(said["applied"], true, "{said}");
    serde_json::from_value(said["changes"].clone()).unwrap()
}

fn line(tty: &Tty) -> String {
    format!(
        "[source.line1]\nkind = \"serial\"\nport = \"{}\"\nfirst_line = \"keep\"\nformat = {{ kind = \"csv\" }}\n\
         fields = {{ a = {{ column = 0 }}, b = {{ column = 1 }} }}\n\n{}",
        tty.path().display(),
        sensor("a-1", "line1", "a")
    )
}

fn sensor(id: &str, source: &str, field: &str) -> String {
    format!("[sensor.{id}]\nsource = \"{source}\"\nfield = \"{field}\"\nunit = \"nA\"\n\n")
}

const UP_LINE1: &str = "calibd_source_up{source=\"line1\"}";

fn numbers(gateway: &Gateway, sensor: &str) -> Vec<u32> {
    gateway.history().raw_of(sensor).iter().map(|raw| raw.unwrap() as u32).collect()
}

/// Writes a line, whose first value is `number`, and waits until it is stored.
fn measured(gateway: &Gateway, tty: &mut Tty, number: u32) {
    tty.write(format!("{number},7\n"));
    until_true("the line to be stored", || numbers(gateway, "a-1").last() == Some(&number));
}

#[test]
fn a_sensor_comes_and_goes_while_its_source_goes_on() {
    let mut tty = Tty::new();
    let gateway = Gateway::new().with(&line(&tty));
    let mut daemon = gateway.start();
    daemon.reaches(UP_LINE1, 1);
    measured(&gateway, &mut tty, 0);
    let more = format!("{}{}", gateway.text(), sensor("b-1", "line1", "b"));
    for round in 0..10u32 {
        // Lines are under way while the configuration changes.
        (1..=20).for_each(|step| tty.write(format!("{},7\n", round * 40 + step)));
        assert_eq!(taken_over(&gateway, &more), ["sensor.b-1: added"]);
        (21..=40).for_each(|step| tty.write(format!("{},7\n", round * 40 + step)));
        assert_eq!(taken_over(&gateway, gateway.text()), ["sensor.b-1: removed"]);
    }
    measured(&gateway, &mut tty, 401);
    assert_eq!(numbers(&gateway, "a-1"), (0..=401).collect::<Vec<_>>());
    let of_b = numbers(&gateway, "b-1").len();
    assert!((1..=400).contains(&of_b), "{of_b}");
    assert_eq!(daemon.process.log().matches("connected to").count(), 1, "the port was opened once");
    assert_eq!(taken_over(&gateway, gateway.text()), [""; 0]);
}

#[test]
fn a_source_that_is_read_in_another_way_loses_nothing_that_it_had_read() {
    let mut tty = Tty::new();
    let gateway = Gateway::new().with(&line(&tty));
    let mut daemon = gateway.start();
    daemon.reaches(UP_LINE1, 1);
    measured(&gateway, &mut tty, 1);
    let other = gateway.text().replace("a = { column = 0 }, b = { column = 1 }", "a = { column = 1 }");
    let changes = taken_over(&gateway, &other);
    assert_eq!(changes, ["source.line1.fields.a.column: 0 -> 1", "source.line1.fields.b: removed"]);
    daemon.says("finished");
    until_true("the port to be opened again", || daemon.process.log().matches("connected to").count() == 2);
    tty.write("8,2\n");
    until_true("the line to be stored", || numbers(&gateway, "a-1") == [1, 2]);
    let without: String = gateway.text().split("[source.line1]").next().unwrap().to_owned();
    assert_eq!(taken_over(&gateway, &without), ["source.line1: removed", "sensor.a-1: removed"]);
    assert!(
        !metrics(gateway.http).unwrap().contains("line1"),
        "the series of a source that is gone are gone"
    );
    let status = calibctl(&gateway, &["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["sources"], json!([]));
}

#[test]
fn what_is_wrong_or_cannot_change_is_refused_and_the_old_stays() {
    let mut tty = Tty::new();
    let gateway = Gateway::new().with(&line(&tty));
    let mut daemon = gateway.start();
    daemon.reaches(UP_LINE1, 1);
    let taken = std::net::TcpListener::bind(("127.0.0.1", free_port())).unwrap();
    let elsewhere = taken.local_addr().unwrap();
    let swap = |from: &str, to: &str| {
        assert!(gateway.text().contains(from), "{from}");
        gateway.text().replace(from, to)
    };
    let store = gateway.store().display().to_string();
    for (text, faults) in [
        ("[gateway".to_owned(), vec!["calibd.toml"]),
        (
            swap("unit = \"nA\"", "unit = 5") + "[sink.x]\nkind = \"mqtt\"\n",
            vec!["sensor.a-1.unit", "sink.x"],
        ),
        (swap("id = \"gw-1\"", "id = \"gw-2\""), vec!["gateway.id cannot change while calibd runs"]),
        (swap("plant-7", "plant-8"), vec!["gateway.fleet cannot change"]),
        (swap(&store, "/tmp/elsewhere"), vec!["[store] cannot change"]),
        (swap("100ms", "200ms"), vec!["[store] cannot change"]),
        (
            swap("listen = \"127.0.0.1:", "listen = \"0.0.0.0:"),
            vec!["http.listen, with the same port, cannot"],
        ),
        (
            swap(&format!("127.0.0.1:{}", gateway.http), &elsewhere.to_string())
                + &sensor("b-1", "line1", "b"),
            vec!["http.listen", "choose a free address"],
        ),
    ] {
        let said = reload(&gateway, &text);
        assert_eq!(said["applied"], false, "{said}");
        for fault in faults {
            assert!(said["faults"].to_string().contains(fault), "{fault} in {said}");
        }
    }
    daemon.says("the configuration is not taken over, the one before stays in force");
    measured(&gateway, &mut tty, 5);
    assert_eq!(numbers(&gateway, "b-1"), [0; 0]);
    let output = calibctl(&gateway, &["reload"]);
    assert_eq!(output.status.code(), Some(1));
    // By the socket for readers nothing changes.
    let mut command = Command::new(env!("CARGO_BIN_EXE_calibctl"));
    let output =
        command.arg("reload").arg("--socket").arg(gateway.path("run/control.sock")).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("use admin.sock"));
}

#[test]
fn a_hangup_reloads_and_is_audited() {
    let tty = Tty::new();
    let gateway = Gateway::new().with(&line(&tty));
    let daemon = gateway.start();
    daemon.says("started: gateway");
    let port = free_port();
    gateway.rewrite(&gateway.text().replace(&gateway.http.to_string(), &port.to_string()));
    daemon.process.signal("HUP");
    daemon.says("the configuration is taken over: http.listen: ");
    until_true("the new port to be served", || {
        metric(port, "calibd_commits_total") >= 0 && {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        }
    });
    assert!(std::net::TcpStream::connect(("127.0.0.1", gateway.http)).is_err(), "the old one is closed");
    let audit = || String::from_utf8(calibctl(&gateway, &["audit", "list", "--json"]).stdout).unwrap();
    until_true("the audit row", || audit().contains("configuration.reloaded"));
    assert!(audit().contains("\"actor\":\"signal\""), "{}", audit());
}

/// A source on the uplink, and its sensor.
fn subscribed(name: &str) -> String {
    let source = format!(
        "[source.{name}]\nkind = \"mqtt\"\ntopic = \"sensors/{name}/raw\"\nqos = 1\nformat = {{ kind = \"json\" }}\n\
         fields = {{ v = {{ pointer = \"/v\" }} }}\n"
    );
    format!("{source}{}", sensor(&format!("{name}-1"), name, "v"))
}

fn sink(name: &str, keys: &str) -> String {
    format!("[sink.{name}]\nkind = \"mqtt\"\ntopic = \"{name}/{{sensor}}\"\nqos = 1\n{keys}\n")
}

fn seqs(subscriber: &Subscriber, topic: &str) -> Vec<u64> {
    let mut seqs: Vec<u64> =
        subscriber.on(topic).iter().map(|message| message.json()["seq"].as_u64().unwrap()).collect();
    seqs.sort_unstable();
    seqs.dedup();
    seqs
}

#[test]
fn mqtt_sources_and_sinks_come_and_go_without_a_lost_message() {
    let broker = Broker::start();
    let gateway = Gateway::new().linked_to(&broker).with(&subscribed("one")).with(&sink("live", ""));
    let above = Subscriber::new(&broker, &["live/+", "durable/+", "other/+"]);
    let mut publisher = Publisher::new(&broker);
    let mut daemon = gateway.start();
    daemon.linked();
    let more =
        format!("{}{}{}", gateway.text(), subscribed("two"), sink("durable", "delivery = \"durable\""));
    let mut value = 0;
    let mut publish = |count: u32| {
        for _ in 0..count {
            value += 1;
            publisher.publish("sensors/one/raw", format!("{{\"v\":{value}}}"));
        }
        value
    };
    publish(20);
    taken_over(&gateway, &more);
    publish(20);
    until_true("the second source to be read", || {
        // Its subscription is made once the connection stands again.
        daemon.metric("calibd_source_up{source=\"two\"}") == 1
    });
    let mut other = Publisher::new(&broker);
    other.publish("sensors/two/raw", "{\"v\":1}");
    until_true("its sensor", || numbers(&gateway, "two-1") == [1]);
    taken_over(&gateway, gateway.text());
    daemon.linked();
    publish(20);
    other.publish("sensors/two/raw", "{\"v\":2}");
    // The live sink's topic changes; what it had not seen acknowledged goes there.
    let changed = gateway.text().replace("live/{sensor}", "other/{sensor}");
    assert_eq!(taken_over(&gateway, &changed), ["sink.live.topic: \"live/{sensor}\" -> \"other/{sensor}\""]);
    let last = publish(20);
    until_true("every message to be stored", || {
        let mut stored = numbers(&gateway, "one-1");
        stored.sort_unstable();
        stored.dedup();
        stored == (1..=last).collect::<Vec<_>>()
    });
    let rows: Vec<u64> =
        gateway.history().rows().iter().filter(|row| row.sensor == "one-1").map(|row| row.seq).collect();
    until_true("every reading at the live sink", || {
        let mut there = seqs(&above, "live/one-1");
        there.extend(seqs(&above, "other/one-1"));
        there.sort_unstable();
        there.dedup();
        there == rows
    });
    assert!(!seqs(&above, "durable/one-1").is_empty());
    assert_eq!(numbers(&gateway, "two-1"), [1], "nobody listens there any more");
    assert!(daemon.process.runs());
}

#[test]
fn a_broker_is_added_exchanged_and_removed() {
    let (first, second) = (Broker::start(), Broker::start());
    let status = format!("{UP}/status");
    let (at_first, at_second) = (Subscriber::new(&first, &[&status]), Subscriber::new(&second, &[&status]));
    let gateway = Gateway::new();
    let mut daemon = gateway.start();
    daemon.says("started: gateway");
    let linked = |broker: &Broker| {
        let url = format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port);
        format!("{}{url}{}{}", gateway.text(), subscribed("one"), sink("live", ""))
    };
    let online = |subscriber: &Subscriber| {
        let last = subscriber.on(&status).last().map(|message| message.json()["online"].clone());
        last.and_then(|online| online.as_bool())
    };
    taken_over(&gateway, &linked(&first));
    daemon.linked();
    until_true("the first broker to be told", || online(&at_first) == Some(true));
    Publisher::new(&first).publish("sensors/one/raw", "{\"v\":1}");
    until_true("the reading", || numbers(&gateway, "one-1") == [1]);
    taken_over(&gateway, &linked(&second));
    until_true("the second broker to be told", || online(&at_second) == Some(true));
    until_true("the first broker to be told", || online(&at_first) == Some(false));
    until_true("the second broker to be read", || {
        Publisher::new(&second).publish("sensors/one/raw", "{\"v\":2}");
        numbers(&gateway, "one-1").contains(&2)
    });
    taken_over(&gateway, gateway.text());
    until_true("the second broker to be told", || online(&at_second) == Some(false));
    let said = calibctl(&gateway, &["status", "--json"]);
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(said["link"], Value::Null);
}

/// The last reading of `co-1` after this raw value was measured.
fn reading(daemon: &Daemon, publisher: &mut Publisher, above: &Subscriber, raw: f64) -> Value {
    publisher.publish("sensors/co-1/raw", json!({ "v": raw }).to_string());
    assert!(!daemon.process.log().contains("panicked"));
    above.await_on("live/co-1", |message| Some(message.json()).filter(|reading| reading["raw"] == json!(raw)))
}

#[test]
fn a_sensor_with_other_facts_is_judged_again_with_its_transform() {
    let (broker, authority) = (Broker::start(), Authority::new());
    let source = subscribed("co-1").replace("[sensor.co-1-1]", "[sensor.co-1]");
    let gateway =
        Gateway::new().linked_to(&broker).trusting(&authority).with(&source).with(&sink("live", ""));
    let above = Subscriber::new(&broker, &["live/+", &format!("{UP}/#")]);
    let mut publisher = Publisher::new(&broker);
    let mut daemon = gateway.start();
    daemon.linked();
    publisher.retain(&format!("{DOWN}/co"), authority.signed(&transform(1)));
    until_true("the ack", || !above.on(&format!("{UP}/ack")).is_empty());
    assert_eq!(reading(&daemon, &mut publisher, &above, 1.0)["value"], json!(calibrated(1.0)));
    // Its input unit is no longer that of the sensor.
    taken_over(&gateway, &gateway.text().replace("unit = \"nA\"", "unit = \"mV\""));
    let raw = reading(&daemon, &mut publisher, &above, 2.0);
    assert_eq!(
        (&raw["value"], &raw["unit"], &raw["reasons"]),
        (&Value::Null, &json!("mV"), &json!(["raw_only"]))
    );
    taken_over(&gateway, gateway.text());
    assert_eq!(reading(&daemon, &mut publisher, &above, 3.0)["value"], json!(calibrated(3.0)));
}
