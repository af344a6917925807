//! Instruments that are swapped, and sensors in maintenance.

use serde_json::{Value, json};

use super::ctl::{calibctl, prints};
use super::{gateway, socket, started};
use crate::support::broker::Broker;
use crate::support::control::get;
use crate::support::gateway::{DOWN, Gateway, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::trust::{Authority, calibrated, transform};
use crate::support::wait::until_true;

/// The sensor `co-1`, whose instrument has the serial number 7.
const SENSOR: &str = r#"
[source.broker]
kind = "mqtt"
topic = "sensors/co-1/raw"
qos = 1
format = { kind = "json" }
fields = { value = { pointer = "/v" } }

[sensor.co-1]
source = "broker"
field = "value"
unit = "nA"
model = "alphasense"
serial = "7"
"#;

/// A transform that is bound to serial number 7.
fn bound() -> Value {
    let mut bound = transform(1);
    bound["target"]["serials"] = json!(["7"]);
    bound
}

/// The value of a reading that is made now of this raw value.
fn value(publisher: &mut Publisher, above: &Subscriber, raw: f64) -> Value {
    publisher.publish("sensors/co-1/raw", json!({"v": raw}).to_string());
    above.await_on(&format!("{UP}/reading/co-1"), |message| {
        let reading = message.json();
        (reading["raw"] == raw).then(|| reading["value"].clone())
    })
}

#[test]
fn a_swapped_instrument_puts_what_is_bound_to_the_other_out_of_force() {
    let (broker, authority) = (Broker::start(), Authority::new());
    let gateway = Gateway::new().linked_to(&broker).trusting(&authority).with(SENSOR).with(UPLINK);
    let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    let mut publisher = Publisher::new(&broker);
    let mut daemon = gateway.start();
    daemon.linked();
    publisher.publish(&format!("{DOWN}/co"), authority.signed(&bound()));
    above.await_on(&format!("{UP}/ack"), |_| Some(()));
    assert_eq!(value(&mut publisher, &above, 10.0), json!(calibrated(10.0)));

    let admin = gateway.path("run/admin.sock");
    let mount = |serial| ["instrument", "mount", "co-1", "--model", "other", "--serial", serial];
    let said = prints(&mount("8"), &admin);
    assert_eq!(said, "co-1: other 8 is mounted; co 1 is for another instrument: readings go out raw now\n");
    assert_eq!(value(&mut publisher, &above, 11.0), Value::Null);
    daemon.process.stop();

    // It counts after a restart, too.
    let mut daemon = gateway.start();
    daemon.linked();
    assert_eq!(value(&mut publisher, &above, 12.0), Value::Null);
    let sensor = get(&socket(&gateway), "/v1/sensors/co-1").json();
    assert_eq!(
        (&sensor["serial"], &sensor["model"], &sensor["transform"]),
        (&json!("8"), &json!("other"), &Value::Null)
    );

    let said = prints(&mount("7"), &admin);
    assert_eq!(said, "co-1: other 7 is mounted; co 1 is in force now\n");
    assert_eq!(value(&mut publisher, &above, 13.0), json!(calibrated(13.0)));
    let history = prints(&["instrument", "history", "co-1", "--json"], &socket(&gateway));
    let history: Value = serde_json::from_str(&history).unwrap();
    let serials: Vec<&Value> =
        history["mounts"].as_array().unwrap().iter().map(|mount| &mount["instrument"]["serial"]).collect();
    assert_eq!(serials, ["8", "7"]);
    let actor = history["mounts"][0]["actor"].as_str().unwrap();
    assert!(actor.starts_with("user:") || actor.starts_with("uid:"), "{actor}");
    let audit = get(&socket(&gateway), "/v1/audit").json();
    let rows = audit["rows"].as_array().unwrap().iter().filter(|row| row["action"] == "instrument.mounted");
    assert_eq!(rows.map(|row| &row["actor"]).collect::<Vec<_>>(), [actor, actor]);
}

#[test]
fn readings_in_maintenance_are_flagged_also_after_a_restart() {
    let gateway = gateway();
    let mut daemon = started(&gateway);
    let flagged = || {
        let last = get(&socket(&gateway), "/v1/sensors/now").json()["last"].clone();
        last["reasons"].as_array().unwrap().contains(&json!("maintenance"))
    };
    assert!(!flagged());
    let maintenance = gateway.path("run/maintenance.sock");
    let on = ["maintenance", "on", "now", "--for", "1h", "--reason", "filter"];
    assert!(prints(&on, &maintenance).starts_with("now is in maintenance until 20"));
    until_true("a flagged reading", flagged);
    let shown = prints(&["sensor", "now"], &socket(&gateway));
    assert!(shown.contains("filter"), "{shown}");
    assert!(prints(&["status"], &socket(&gateway)).contains(", 1 in maintenance"));
    daemon.process.stop();

    let _daemon = gateway.start();
    until_true("an answer", || std::os::unix::net::UnixStream::connect(socket(&gateway)).is_ok());
    let left = || get(&socket(&gateway), "/v1/sensors/now").json()["maintenance"]["until"].clone();
    until_true("the sensor", || left().is_string());
    until_true("a flagged reading", flagged);
    assert_eq!(prints(&["maintenance", "off", "now"], &maintenance), "now is not in maintenance\n");
    until_true("a reading that is not flagged", || !flagged());
    let audit = get(&socket(&gateway), "/v1/audit").json();
    let rows = audit["rows"].as_array().unwrap().iter().filter(|row| row["subject"] == "now");
    let actions: Vec<&Value> = rows.map(|row| &row["action"]).collect();
    assert_eq!(actions, ["maintenance.on", "maintenance.off"]);
}

#[test]
fn the_wrong_socket_names_the_right_one() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let output = calibctl(&["maintenance", "on", "now"], &socket(&gateway));
    let says = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), says.contains("use maintenance.sock")), (Some(4), true), "{says}");
}
