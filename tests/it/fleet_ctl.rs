//! `calibctl fleet` against mosquitto and running gateways.

mod hostile;
mod local;
mod manifests;
mod orders;
mod prior;
mod road;

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::fleet_broker::site::Site;
use crate::prometheus::{older, promtool_finds_nothing};
use crate::support::desk::stderr;
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::process::{Process, page};
use crate::support::trust::transform;
use crate::support::wait::{until, until_true};

use road::{FLEET, Road, code};

/// A transform of one sensor on these gateways.
fn for_gateways(version: u64, gateways: &[&str]) -> Value {
    let mut transform = transform(version);
    transform["target"]["gateways"] = json!(gateways);
    transform
}

#[test]
fn roots_enrolments_and_transforms_are_pushed_and_answered() {
    let road = Road::new();
    let (one, two) = (road.gateway("gw-1", Some("north")), road.gateway("gw-2", None));

    // Before anybody is enrolled nothing can be verified, and it is said so.
    let root = road.json(&["root", "push", "root-2.json"], 0);
    assert_eq!((&root["accepted"], &root["counts"]), (&json!(true), &json!({"accepted": 2})), "{root}");
    assert_eq!(root["topic"], "calibd/1/plant-7/down/root/2");
    assert_eq!(root["gateways"][0]["verified"], false);

    for (gateway, group) in [(&one, &["north"][..]), (&two, &[])] {
        let file = road.enrolment(gateway, group, 1);
        let answer = road.json(&["enrol", &file, "--root", "root.json"], 0);
        assert_eq!(answer["gateways"][0]["verified"], true, "{answer}");
    }
    let list = road.json(&["list", "--root", "root.json"], 0);
    assert_eq!(list["root_version"], 2, "the retained root follows the one that was given");
    for (row, id) in list["gateways"].as_array().unwrap().iter().zip(["gw-1", "gw-2"]) {
        assert_eq!(
            (&row["gateway"], &row["online"], &row["enrolled"]),
            (&json!(id), &json!(true), &json!("verified"))
        );
        assert_eq!(&row["root_version"], 2, "{row}");
    }

    let first = road.signed("co-1.json", &transform(1));
    let push = |args: &[&str], code| road.json(&[&["push"], args, &["--root", "root.json"]].concat(), code);
    let answer = push(&[&first, "--gateway", "gw-1"], 0);
    let row = &answer["gateways"][0];
    assert_eq!(
        (&row["standing"], &row["verified"], &row["stage"]),
        (&json!("accepted"), &json!(true), &json!("active"))
    );
    let again = push(&[&first, "--gateway", "gw-1"], 0);
    assert_eq!(again["counts"], json!({"already_applied": 1}));

    // With the root, what a gateway would refuse is not sent; without it, the gateway says why.
    let elsewhere = for_gateways(2, &["gw-1"]);
    let elsewhere = road.signed("co-2.json", &elsewhere);
    let refused = road.run(&["push", &elsewhere, "--gateway", "gw-2", "--root", "root.json"]);
    assert_eq!(code(&refused), 1);
    assert!(
        stderr(&refused).contains("not sent: gateways refuse it: not_for_this_gateway"),
        "{}",
        stderr(&refused)
    );
    let answer = road.json(&["push", &elsewhere, "--gateway", "gw-2"], 1);
    let row = &answer["gateways"][0];
    assert_eq!(
        (&row["standing"], &row["reason"]),
        (&json!("refused"), &json!("not_for_this_gateway")),
        "{answer}"
    );

    let mut grouped = for_gateways(1, &[]);
    (grouped["id"], grouped["target"]["groups"]) = (json!("co-north"), json!(["north"]));
    grouped["replaces"] = json!(["co"]);
    let grouped = road.signed("north.json", &grouped);
    let answer = push(&[&grouped, "--group", "north"], 0);
    assert_eq!(
        (&answer["counts"], &answer["gateways"][0]["gateway"]),
        (&json!({"accepted": 1}), &json!("gw-1"))
    );

    let mut all = for_gateways(1, &["gw-1", "gw-2"]);
    (all["id"], all["target"]["sensors"]) = (json!("temperature"), json!(["co-7"]));
    let all = road.signed("all.json", &all);
    assert_eq!(push(&[&all, "--all"], 0)["counts"], json!({"accepted": 2}));

    let status = road.json(&["status", "temperature", "--root", "root.json"], 0);
    assert_eq!(
        (&status["desired"][0]["number"], &status["desired"][0]["verified"]),
        (&json!(1), &json!(true))
    );
    let group = &status["groups"][0];
    assert_eq!(
        (&group["sensors"], &group["verified"], &group["stage"]),
        (&json!(2), &json!(2), &json!("active")),
        "{status}"
    );
    let text = String::from_utf8(road.run(&["status", "temperature", "--root", "root.json"]).stdout).unwrap();
    assert!(text.contains("down/all/transform/temperature: version 1, "), "{text}");
    assert_eq!(code(&road.run(&["status", "nothing"])), 1);
    let list = road.json(&["list", "--root", "root.json"], 0);
    assert_eq!(
        (&list["gateways"][0]["active"], &list["gateways"][0]["verified"]),
        (&json!(2), &json!(2)),
        "{list}"
    );
}

#[test]
fn who_says_nothing_or_says_it_with_another_key_is_named() {
    let road = Road::new();
    let _one = road.gateway("gw-1", None);
    let mut publisher = Publisher::new(&road.broker);
    publisher.retain(&format!("{FLEET}/up/gw-8/status"), r#"{"online":true,"root_version":1}"#);
    publisher.retain(&format!("{FLEET}/up/gw-9/status"), r#"{"online":false}"#);
    let file = road.signed("co.json", &for_gateways(1, &["gw-1", "gw-8", "gw-9"]));
    let answer = road.json(&["push", &file, "--all", "--wait", "2s"], 1);
    assert_eq!(answer["counts"], json!({"accepted": 1, "silent": 1, "offline": 1}), "{answer}");
    let said = road.run(&["push", &file, "--all", "--wait", "2s"]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(text.contains("gw-8") && text.contains("silent") && text.contains("1 already applied"), "{text}");
}

/// `gw-8` is enrolled with a key, and somebody else answers in its name: that it has taken what it has not.
#[test]
fn spoofed_ack() {
    let road = Road::new();
    let mut publisher = Publisher::new(&road.broker);
    publisher.retain(&format!("{FLEET}/up/gw-8/status"), r#"{"online":true,"root_version":1}"#);
    publisher.retain(&format!("{FLEET}/down/root/2"), road.authority.file("root-2.json"));
    publisher.retain(&format!("{FLEET}/down/gw/gw-8/enrolment"), road.enrolment_of("gw-8", "fleet", &[], 1));
    let heard = Subscriber::new(&road.broker, &[&format!("{FLEET}/down/gw/gw-8/#")]);
    let alone = road.signed("alone.json", &for_gateways(2, &["gw-8"]));
    let push = ["push", &alone, "--gateway", "gw-8", "--wait", "4s", "--root", "root.json", "--json"];
    let pushing = road.command(&push).stdout(Stdio::piped()).spawn().unwrap();
    let topic = format!("{FLEET}/down/gw/gw-8/transform/co");
    let digest = heard.await_on(&topic, |message| Some(road::digest(&message.payload)));
    let ack = json!({
        "digest": digest, "id": "co", "version": 2, "verdict": "accepted", "reason": null, "message": "trust me",
        "stage": "active", "time": "2026-11-22T10:00:00Z",
    });
    publisher.publish(&format!("{FLEET}/up/gw-8/ack"), road.authority.signed_as("ack", "stranger", &ack));
    let pushing = pushing.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&pushing.stdout).unwrap();
    assert_eq!((code(&pushing), &answer["counts"]), (1, &json!({"unverified": 1})), "{answer}");
    assert_eq!(answer["gateways"][0]["message"], "trust me");
}

#[test]
fn the_fleet_is_served_to_prometheus_watched_and_archived() {
    let road = Road::new();
    let one = road.gateway("gw-1", None);
    let mut publisher = Publisher::new(&road.broker);
    publisher.retain(&format!("{FLEET}/down/root/2"), road.authority.file("root-2.json"));
    let file = road.enrolment(&one, &[], 1);
    road.json(&["enrol", &file, "--root", "root.json"], 0);
    let alert = r#"{"severity":"page","cause":"drift co-1","sensors":["co-1"],"raised":"2026-11-22T10:00:00Z","cleared":null,"message":"it drifts"}"#;
    publisher.retain(&format!("{FLEET}/up/gw-1/alert/00aa"), alert);

    let root = road.path("root.json").display().to_string();
    let mut exporter = road.command(&["exporter", "--listen", "127.0.0.1:0", "--root", &root]);
    let mut exporter = road.start(&mut exporter, "exporter.log");
    let port = until("the exporter's address", || {
        let log = exporter.log();
        let (_, rest) = log.split_once("serving http://127.0.0.1:")?;
        rest.split_once('/')?.0.parse::<u16>().ok()
    });
    let text = || page(port, "/metrics").map(|(_, text)| text).unwrap_or_default();
    until_true("the gateway to be counted", || text().contains("calibd_fleet_gateways{state=\"online\"} 1"));
    let push = road.signed("co.json", &transform(1));
    road.json(&["push", &push, "--all", "--root", "root.json"], 0);
    until_true("the answer to be counted", || {
        text().contains("calibd_fleet_answers_total{verdict=\"accepted\"} 1")
    });
    until_true("the sensor to be counted", || text().contains("calibd_fleet_sensors{state=\"active\"} 1"));
    let page = text();
    for line in [
        "calibd_fleet_broker_up 1",
        "calibd_fleet_alerts{severity=\"page\"} 1",
        "calibd_fleet_gateways_enrolled 1",
        "calibd_fleet_sensors_unverified 0",
    ] {
        assert!(page.lines().any(|it| it == line), "{line}: {page}");
    }
    promtool_finds_nothing(&older(page.strip_suffix("# EOF\n").unwrap()));
    assert!(exporter.stop().success(), "{}", exporter.log());

    let watch = |more: &[&str], log: &str| {
        let watching = road.start(&mut road.command(&[&["watch", "--root", &root], more].concat()), log);
        until_true("the watch to begin", || watching.log().contains("watching fleet plant-7"));
        watching
    };
    let mut watching = watch(&[], "watch.log");
    publisher.publish(&format!("{FLEET}/up/gw-1/event"), r#"{"event":"gap","reason":"\u001b[2J"}"#);
    road.json(&["push", &push, "--all", "--root", "root.json"], 0);
    until_true("the answer to be shown", || watching.log().contains("already applied co 1: "));
    let log = watching.log();
    assert!(
        log.contains(r#"event   {"event":"gap","reason":"\u001b[2J"}"#) && !log.contains('\u{1b}'),
        "{log}"
    );
    watching.kill();
    let mut watching = watch(&["--limit", "1", "--json"], "one.log");
    publisher.publish(&format!("{FLEET}/up/gw-1/event"), "{}");
    assert!(watching.ended().success(), "{}", watching.log());

    let archive = |code| road.json(&["archive", "kept", "--root", "root.json"], code);
    let first = archive(0);
    assert_eq!(
        (&first["unchanged"], &first["unverified"], &first["ignored"]),
        (&json!(0), &json!(0), &json!([])),
        "{first}"
    );
    let names = road.files("kept");
    for name in ["up/gw-1/status.json", "up/gw-1/reported/co-1.json", "up/gw-1/alert/00aa.json"] {
        assert!(names.iter().any(|it| it == name), "{name}: {names:?}");
    }
    let transform = names.iter().find(|name| name.starts_with("down/all/transform/co.")).unwrap();
    let kept = std::fs::read(road.path("kept").join(transform)).unwrap();
    assert_eq!(kept, std::fs::read(road.path(&push)).unwrap());
    assert!(first["written"].as_u64().unwrap() >= names.len() as u64, "{first}");
    // What the gateway has said again in the meantime may differ; the files are the same.
    let again = archive(0);
    assert!(again["unchanged"].as_u64().unwrap() >= 4, "{again}");
    assert_eq!(road.files("kept"), names);
    publisher.retain(
        &format!("{FLEET}/down/all/transform/forged"),
        road.authority.signed_by("stranger", &for_gateways(3, &["gw-1"])),
    );
    assert_eq!(archive(1)["unverified_topics"], json!([format!("{FLEET}/down/all/transform/forged")]));
}

#[test]
fn certificates_open_what_they_are_for() {
    let site = Site::open(&[]);
    let road = Road::beside();
    let broker = format!("mqtts://127.0.0.1:{}", site.operators);
    let run = |name: &str, args: &[&str]| {
        let [cert, key] = site.papers(name);
        let mut command = road.bare(args);
        command.args(["--broker", &broker, "--fleet", "plant-7"]).arg("--ca").arg(site.authority());
        command.arg("--cert").arg(cert).arg("--key").arg(key).output().unwrap()
    };
    let file = road.signed("co.json", &transform(1));
    let push = ["push", &file, "--all", "--wait", "0s", "--json"];
    let refused = run("reader", &push);
    assert_eq!(code(&refused), 4, "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("may not publish on calibd/1/plant-7/down/all/transform/co"),
        "{}",
        stderr(&refused)
    );
    let pushed = run("control", &push);
    assert_eq!(code(&pushed), 0, "{}", stderr(&pushed));
    let status = run("reader", &["status", "co", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["desired"][0]["topic"], "down/all/transform/co");
    let stranger = run("gw-1", &["list"]);
    assert_eq!(code(&stranger), 3, "{}", stderr(&stranger));
    let mut plain = road.bare(&["list", "--broker", "mqtt://127.0.0.1:1", "--fleet", "plant-7"]);
    let plain = plain.output().unwrap();
    assert_eq!(code(&plain), 3, "{}", stderr(&plain));
}

impl Road {
    fn start(&self, command: &mut Command, log: &str) -> Process {
        Process::start(command, &self.path(log))
    }
}
