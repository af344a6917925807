//! Alerts through the daemon: kept, published, and the same after whatever happens to it.

use std::path::Path;
use std::time::Duration;

use calibd::domain::alert::{Alert, Alerts, Event, Finding, Kind, Policy, Severity};
use calibd::domain::id::Id;
use calibd::runtime::clock::{Clock, system_now};
use calibd::store::{self, AlertChanges, Opened, Options, RecoveredAlerts};
use serde_json::{Value, json};

use crate::control::ctl::prints;
use crate::support::broker::Broker;
use crate::support::gateway::{Gateway, UP};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::trust::{Authority, transform};
use crate::support::wait::until_true;

/// A sensor that never gives a reading.
const SENSOR: &str = "
[sensor.co-1]
source = \"none\"
field = \"v\"
unit = \"nA\"
monitor = { enabled = false }

[source.none]
kind = \"mqtt\"
url = \"mqtt://127.0.0.1:1\"
topic = \"none\"
format = { kind = \"raw\" }
fields = { v = {} }
";
/// An alert that nobody knows of any more.
const GONE: &str = "feedfacefeedface";

/// Opens the store of a gateway that does not run, and closes it again.
pub fn with_store<T>(dir: &Path, work: impl AsyncFnOnce(&store::Store, RecoveredAlerts) -> T) -> T {
    let options = Options {
        dir: dir.to_path_buf(),
        commit_interval: Duration::from_secs(1),
        ack_batch: 10,
        max_age: Duration::from_secs(90 * 86_400),
        max_size: 1 << 30,
        max_pages: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Opened { store, recovered, .. } = store::open(options, Clock::system()).unwrap();
        let done = work(&store, recovered.alerts).await;
        store.close(Duration::from_secs(60)).await.unwrap();
        done
    })
}

/// Has the ledger say that the sensor has drifted; the broker may hold an alert that is gone beside it.
fn drifted(gateway: &Gateway) -> Alert {
    let finding = Finding {
        severity: Severity::Ticket,
        message: "is 0.8 nA above its reference".to_owned(),
        remedy: "calibrate it".to_owned(),
        snapshot: Some(calibd::domain::alert::Snapshot::default()),
    };
    let (sensor, finding) = (Id::new("co-1").unwrap(), Some(Box::new(finding)));
    let event = Event::Judged { sensor, kind: Kind::Drift, source: None, cohort: None, finding };
    let mut alerts = Alerts::new(Policy::default(), Default::default());
    let minute_ago = system_now().saturating_add_micros(-61_000_000);
    alerts.apply(event, minute_ago).unwrap();
    alerts.apply(Event::Tick, system_now()).unwrap();
    let alert = alerts.alerts().next().unwrap().clone();
    let changes = AlertChanges {
        rows: vec![alert.clone()],
        state: serde_json::to_string(alerts.stored()).unwrap(),
        retained: vec![alert.id.clone(), GONE.to_owned()],
        emptied: Vec::new(),
    };
    with_store(&gateway.store(), async |store, _| store.keep_alerts(changes).await.unwrap());
    alert
}

fn topic(id: &str) -> String {
    format!("{UP}/alert/{id}")
}

/// What the broker keeps of an alert: a fresh client is told.
fn kept(broker: &Broker, alert: &Alert) -> Value {
    let topic = topic(&alert.id);
    Subscriber::new(broker, &[&topic]).await_on(&topic, |message| Some(message.json()))
}

#[test]
fn alerts_are_the_same_at_the_broker_and_in_the_ledger_after_the_daemon_was_killed() {
    let broker = Broker::start();
    let gateway = Gateway::new().linked_to(&broker).with(SENSOR);
    let alert = drifted(&gateway);
    Publisher::new(&broker).retain(&topic(GONE), "{}");
    let above = Subscriber::new(&broker, &[&format!("{UP}/alert/+")]);
    let mut daemon = gateway.start();
    daemon.linked();
    let told = above.await_on(&topic(&alert.id), |message| Some(message.json()));
    assert_eq!(told, serde_json::to_value(&alert).unwrap());
    let names =
        ["id", "severity", "cause", "sensors", "raised", "cleared", "acknowledged", "message", "remedy"];
    assert!(names.iter().all(|name| told.get(*name).is_some()), "{told}");
    assert_eq!(told["snapshot"], json!({"transform": null, "window": null, "statistics": {}, "pairs": []}));
    above.await_on(&topic(GONE), |message| message.payload.is_empty().then_some(()));
    daemon.reaches("calibd_alerts_open{severity=\"ticket\"}", 1);
    assert_eq!(daemon.metric("calibd_alerts_raised_total{severity=\"ticket\"}"), 1);
    daemon.process.kill();
    let mut daemon = gateway.start();
    daemon.reaches("calibd_alerts_open{severity=\"ticket\"}", 1);
    assert_eq!(kept(&broker, &alert), told);
    // The end in order writes the state, and what the broker does not hold any more.
    daemon.linked();
    daemon.process.stop();
    with_store(&gateway.store(), async |store, recovered| {
        assert_eq!(recovered.retained, std::slice::from_ref(&alert.id));
        let alerts = Alerts::new(Policy::default(), recovered.stored);
        assert_eq!(alerts.alerts().collect::<Vec<_>>(), [&alert]);
        assert_eq!(store.past_alerts(None, 10).await.unwrap().len(), 1);
    });
}

#[test]
fn a_new_transform_answers_an_alert_and_a_sensor_that_is_gone_has_none() {
    let (broker, authority) = (Broker::start(), Authority::new());
    let gateway = Gateway::new().linked_to(&broker).trusting(&authority).with(SENSOR);
    let alert = drifted(&gateway);
    let mut daemon = gateway.start();
    daemon.linked();
    let signed = gateway.path("signed.json");
    std::fs::write(&signed, authority.signed(&transform(1))).unwrap();
    let admin = gateway.path("run/admin.sock");
    prints(&["transform", "install", signed.to_str().unwrap()], &admin);
    daemon.reaches("calibd_calibration_latency_seconds_count", 1);
    gateway.rewrite(gateway.text().split("[sensor.co-1]").next().unwrap());
    prints(&["reload"], &admin);
    let (cleared, topic) = (Subscriber::new(&broker, &[&topic(&alert.id)]), topic(&alert.id));
    let cleared = cleared.await_on(&topic, |message| {
        let alert = message.json();
        alert["cleared"].is_string().then_some(alert)
    });
    assert!(cleared["answered"].is_string(), "{cleared}");
    daemon.reaches("calibd_alerts_cleared_total", 1);
    assert_eq!(daemon.metric("calibd_alerts_unacknowledged"), 1);
    daemon.says("over: drift co-1");
    daemon.process.stop();
}

#[test]
fn a_restored_ledger_has_its_alerts_and_the_broker_none_beside_them() {
    let broker = Broker::start();
    let gateway = Gateway::new().linked_to(&broker).with(SENSOR);
    let old = drifted(&gateway);
    let mut daemon = gateway.start();
    daemon.linked();
    let (admin, backup) = (gateway.path("run/admin.sock"), gateway.path("ledger.db"));
    until_true("its socket", || admin.exists());
    prints(&["backup", backup.to_str().unwrap()], &admin);
    daemon.process.stop();
    let new = drifted(&gateway);
    let mut daemon = gateway.start();
    daemon.linked();
    assert_eq!(kept(&broker, &new)["id"], json!(new.id));
    prints(&["restore", backup.to_str().unwrap()], &admin);
    daemon.process.stop();
    let above = Subscriber::new(&broker, &[&format!("{UP}/alert/+")]);
    let mut daemon = gateway.start();
    daemon.linked();
    above.await_on(&topic(&new.id), |message| message.payload.is_empty().then_some(()));
    assert_eq!(kept(&broker, &old)["id"], json!(old.id));
    daemon.process.stop();
}
