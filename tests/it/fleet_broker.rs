//! The broker's configuration as it is shipped: what each may do, and how everything else is refused.

mod peer;
pub mod site;

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use rumqttc::v5::mqttbytes::v5::PubAckReason;
use serde_json::{Value, json};

use crate::support::gateway::{DOWN, Gateway, MQTT_SOURCE, UP, UPLINK};
use crate::support::trust::{Authority, calibrated, opened, transform};

use peer::Peer;
use site::{FLEET, ODD, Site};

/// A message of the control plane that everybody in the fleet gets: what was sent before it has arrived.
const FENCE: &str = "calibd/1/plant-7/down/all/command";

fn up(rest: &str) -> String {
    format!("{FLEET}/up/{rest}")
}

fn down(rest: &str) -> String {
    format!("{FLEET}/down/{rest}")
}

/// Somebody who sees everything of the fleet.
fn watch(site: &Site) -> Peer {
    let mut reader = site.operator("reader");
    reader.listen("#");
    reader
}

/// What came until everything sent so far has come.
fn all_heard(site: &Site, by: &mut Peer) -> Vec<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mark = NEXT.fetch_add(1, Ordering::SeqCst).to_string();
    let answer = site.operator("control").publish(FENCE, mark.as_str());
    assert_eq!(answer, Ok(PubAckReason::Success));
    while by.hears(FENCE) != mark.as_bytes() {}
    by.heard.iter().filter(|topic| *topic != FENCE).cloned().collect()
}

/// The JSON of the message that `fits` on `topic`.
fn until_heard(peer: &mut Peer, topic: &str, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        let said = serde_json::from_slice(&peer.hears(topic)).unwrap();
        if fits(&said) {
            return said;
        }
    }
}

#[test]
fn a_gateway_gets_on_is_calibrated_answers_and_is_missed() {
    let (site, authority) = (Site::open(&["pattern read sensors/#"]), Authority::new());
    let [certificate, key] = site.papers("gw-1").map(|path| path.display().to_string());
    let connection = format!(
        "[mqtt]\nurl = \"mqtts://127.0.0.1:{}\"\nca_file = \"{}\"\ncert_file = \"{certificate}\"\nkey_file = \"{key}\"\n",
        site.gateways,
        site.authority().display(),
    );
    let gateway = Gateway::new().with(&connection).with(MQTT_SOURCE).with(UPLINK).trusting(&authority);
    let (mut control, mut reader) = (site.operator("control"), watch(&site));
    control.listen(&up("#"));
    let mut daemon = gateway.start();
    daemon.linked();
    until_heard(&mut control, &format!("{UP}/status"), |status| status["online"] == true);

    // A sensor of its source is made when it is first heard of.
    site.anybody().publish("sensors/co-1/raw", r#"{"v":1.25}"#);
    let raw = until_heard(&mut control, &format!("{UP}/reading/co-1"), |_| true);
    assert_eq!((&raw["raw"], &raw["transform"]), (&json!(1.25), &Value::Null), "{raw}");

    control.retain(&format!("{DOWN}/co"), authority.signed(&transform(1)));
    let public = gateway.store().join("gateway.pub.pem");
    let ack = opened(&control.hears(&format!("{UP}/ack")), "ack", &public);
    assert_eq!((&ack["verdict"], &ack["version"]), (&json!("accepted"), &json!(1)), "{ack}");
    site.anybody().publish("sensors/co-1/raw", r#"{"v":3.5}"#);
    let reading = until_heard(&mut control, &format!("{UP}/reading/co-1"), |reading| reading["raw"] == 3.5);
    assert_eq!(reading["value"], json!(calibrated(3.5)));

    daemon.process.kill();
    until_heard(&mut reader, &format!("{UP}/status"), |status| status["online"] == false);
}

#[test]
fn a_gateway_writes_in_its_own_branch_only() {
    let site = Site::open(&[]);
    let (mut watch, mut gateway) = (watch(&site), site.gateway("gw-1"));
    gateway.may(&up("gw-1/ack"));
    for rest in ["gw-2/status", "gw-11/status", "status", "gw-2", "/gw-1/status"] {
        gateway.may_not(&up(rest));
    }
    for rest in [
        "all/transform/co",
        "gw/gw-1/transform/co",
        "gw/gw-1/enrolment",
        "group/north/command",
        "all/manifest",
        "root/2",
    ] {
        gateway.may_not(&down(rest));
    }
    for topic in ["$SYS/broker/version", "sensors/co-1/raw", "calibd/1/plant-8/up/gw-1/status", "calibd/1"] {
        gateway.may_not(topic);
    }
    assert_eq!(all_heard(&site, &mut watch), [up("gw-1/ack")]);
}

#[test]
fn a_gateway_hears_only_what_is_for_it() {
    let site = Site::open(&[]);
    let heard =
        ["gw/gw-1/transform/co", "gw/gw-1/enrolment", "all/order/co", "group/north/manifest", "root/1"];
    let mut heard: Vec<String> = heard.map(down).into();
    let mut unheard: Vec<String> =
        ["gw/gw-2/transform/co", "gw/gw-2/manifest", "gw/gw-2/enrolment", "gw/gw-11/command"]
            .map(down)
            .into();
    unheard.extend(["gw-1/status", "gw-2/status", "gw-2/reading/co-1"].map(up));
    unheard.extend(["calibd/1/plant-8/down/all/transform/co", "sensors/co-1/raw"].map(str::to_owned));
    let (mut anybody, mut gateway) = (site.anybody(), site.gateway("gw-1"));
    // Retained before it listens, and live while it does.
    for topic in heard.iter().chain(&unheard) {
        anybody.retain(topic, "old");
    }
    for filter in ["#", "$SYS/#", &down("gw/gw-2/#"), &up("#"), "$share/all/#"] {
        gateway.listen(filter);
    }
    for topic in unheard.iter().chain(&heard) {
        anybody.publish(topic, "new");
    }
    let mut found = all_heard(&site, &mut gateway);
    found.sort();
    found.dedup();
    heard.sort();
    assert_eq!(found, heard);
}

#[test]
fn control_speaks_readers_only_look() {
    let site = Site::open(&[]);
    let (mut watch, mut control, mut reader) =
        (watch(&site), site.operator("control"), site.operator("reader"));
    let said = ["gw/gw-1/transform/co", "root/1", "all/order/co", "gw/gw-1/reference/co-1"].map(down);
    for topic in &said {
        control.may(topic);
    }
    control.may_not(&up("gw-1/status"));
    for topic in ["calibd/1/plant-8/down/all/transform/co", "sensors/co-1/raw", "$SYS/broker/version"] {
        control.may_not(topic);
        reader.may_not(topic);
    }
    for topic in [up("reader/status"), up("gw-1/alert/a"), down("all/transform/co"), down("gw/gw-1/command")]
    {
        reader.may_not(&topic);
    }
    site.gateway("gw-1").may(&up("gw-1/event"));
    site.anybody().publish("calibd/1/plant-8/up/gw-1/event", "another fleet's");
    assert_eq!(all_heard(&site, &mut watch), [&said[..], &[up("gw-1/event")]].concat());
}

#[test]
fn a_certificate_is_worth_its_own_name_whatever_its_bearer_says() {
    let site = Site::open(&[]);
    let (mut watch, mut first) = (watch(&site), site.gateway("gw-1"));
    let mut claims = site.at(site.gateways, Some("gw-2"), "gw-1");
    claims.user = Some("control");
    claims.will = Some(up("gw-1/status"));
    let mut second = claims.connect().unwrap();
    for topic in [up("gw-1/status"), up("control/status"), down("all/transform/co")] {
        second.may_not(&topic);
    }
    second.may(&up("gw-2/event"));
    // The one whose client id it claimed is still there, and hears what is for itself.
    first.may(&up("gw-1/event"));
    for peer in [&mut first, &mut second] {
        peer.listen(&down("gw/+/command"));
        peer.listen(FENCE);
    }
    site.operator("control").may(&down("gw/gw-1/command"));
    assert_eq!(all_heard(&site, &mut first), [down("gw/gw-1/command")]);
    second.hears(FENCE);
    assert_eq!(second.heard, [FENCE]);
    second.vanish();
    // What it leaves behind in another one's branch is not published. The broker has seen its end once it knows it no more.
    let mut again = claims.connect().unwrap();
    again.may(&up("gw-2/ack"));
    let ours = ["gw-2/event", "gw-1/event"].map(up);
    assert_eq!(
        all_heard(&site, &mut watch),
        [&ours[..], &[down("gw/gw-1/command"), up("gw-2/ack")]].concat()
    );
}

#[test]
fn a_name_that_means_something_in_topics_gives_nothing() {
    let site = Site::open(&[]);
    let mut watch = watch(&site);
    site.anybody().retain(&down("gw/gw-1/transform/co"), "for gw-1");
    for (file, name) in ODD {
        let mut peer = site.at(site.gateways, Some(file), "gw-1").connect().unwrap();
        peer.listen("#");
        peer.may_not(&up("gw-1/status"));
        site.anybody().publish(&down("gw/gw-1/command"), "for gw-1");
        // Its answer comes after everything before it.
        peer.may_not(&up("gw-2/status"));
        assert!(peer.heard.is_empty(), "{name}: {:?}", peer.heard);
    }
    let theirs = all_heard(&site, &mut watch);
    assert!(theirs.iter().all(|topic| topic.contains("/down/gw/gw-1/")), "{theirs:?}");
}

#[test]
fn the_authority_signs_ids_only_and_only_the_one_that_is_typed() {
    let site = Site::open(&[]);
    for name in ["+", "#", "gw-1/status", "", "-gw", "gw 1"] {
        // mosquitto takes the levels of a name as levels of the topic.
        site.office(&format!("if issue gateways-ca '{name}' clientAuth; then exit 1; fi"));
    }
    site.office("cp gw-1.csr gw-9.csr\nif issue gateways-ca gw-9 clientAuth; then exit 1; fi");
    assert!(!site.papers("gw-9")[0].exists());
}

#[test]
fn who_has_no_certificate_for_a_listener_stays_outside() {
    let site = Site::open(&[]);
    let [gateways, operators] = [site.gateways, site.operators];
    for (port, name, why) in [
        (gateways, None, "CertificateRequired"),
        (operators, None, "CertificateRequired"),
        (gateways, Some("stranger"), "UnknownCA"),
        (operators, Some("stranger"), "UnknownCA"),
        (operators, Some("gw-1"), "UnknownCA"),
        (gateways, Some("control"), "UnknownCA"),
        (gateways, Some("broker"), "UnsupportedCertificate"),
    ] {
        let answer = site.at(port, name, "gw-1").connect().map(drop);
        let refused = answer.as_ref().is_err_and(|said| said.contains(why));
        assert!(refused, "{name:?} should be refused with {why}: {answer:?}");
    }
    assert!(!site.broker.log().contains("New client connected"), "{}", site.broker.log());
}

#[test]
fn a_revoked_certificate_opens_nothing_after_the_restart() {
    let mut site = Site::open(&[]);
    site.gateway("gw-2").may(&up("gw-2/event"));
    site.office("revoke gateways-ca gw-2\nrevoke operators-ca reader\n");
    site.broker.stop();
    site.broker.resume();
    for (port, name) in [(site.gateways, "gw-2"), (site.operators, "reader")] {
        let answer = site.at(port, Some(name), name).connect().map(drop);
        assert!(answer.as_ref().is_err_and(|said| said.contains("CertificateRevoked")), "{name}: {answer:?}");
    }
    site.gateway("gw-1").may(&up("gw-1/event"));
    site.operator("control").may(FENCE);
    // A new certificate for the same name is another one.
    site.office("request gw-2\nissue gateways-ca gw-2 clientAuth\n");
    site.gateway("gw-2").may(&up("gw-2/event"));
}

#[test]
fn a_packet_beyond_the_limit_ends_the_connection_and_reaches_nobody() {
    let site = Site::open(&[]);
    let (mut watch, mut gateway) = (watch(&site), site.gateway("gw-1"));
    let answer = gateway.publish(&up("gw-1/event"), vec![b'x'; (512 << 10) - 100]);
    assert!(answer.is_ok(), "{answer:?}");
    let answer = gateway.publish(&up("gw-1/ack"), vec![b'x'; 512 << 10]);
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(all_heard(&site, &mut watch), [up("gw-1/event")]);
    let log = site.broker.log();
    assert!(log.contains("oversize packet"), "{log}");
}

#[test]
fn what_an_absent_gateway_was_sent_and_what_is_retained_survive_a_restart() {
    let mut site = Site::open(&[]);
    let mut attempt = site.at(site.gateways, Some("gw-1"), "gw-1");
    attempt.stays = true;
    let mut gateway = attempt.connect().unwrap();
    gateway.listen(&down("gw/gw-1/+"));
    gateway.vanish();
    let mut control = site.operator("control");
    control.may(&down("gw/gw-1/command"));
    control.retain(&down("all/transform/co"), "desired");
    site.broker.stop();
    site.broker.resume();
    let mut gateway = attempt.connect().unwrap();
    assert!(gateway.known, "the broker has forgotten the session");
    assert_eq!(gateway.hears(&down("gw/gw-1/command")), b"allowed");
    gateway.listen(&down("all/transform/+"));
    assert_eq!(gateway.hears(&down("all/transform/co")), b"desired");
}

#[test]
fn every_file_that_the_configuration_names_is_spoken_of_in_the_handbook() {
    let read = |path: &str| fs::read_to_string(crate::house::files::repository().join(path)).unwrap();
    let (text, handbook) = (read("config/mosquitto/mosquitto.conf"), read("docs/fleet/certificates.md"));
    let files = text.lines().filter(|line| !line.starts_with('#'));
    let files: Vec<&str> =
        files.filter_map(|line| line.split_once("/etc/mosquitto/calibd/")).map(|it| it.1).collect();
    assert!(files.len() >= 10, "{files:?}");
    for file in files.into_iter().filter(|file| !file.ends_with(".acl")) {
        assert!(handbook.contains(&format!("`{file}`")), "{file}");
    }
}
