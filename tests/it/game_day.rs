//! A game day: faults are laid over invented signals, and exactly the right alerts rise and clear.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::control::ctl::prints;
use crate::support::broker::Broker;
use crate::support::gateway::{Gateway, UP};
use crate::support::mqtt::Subscriber;
use crate::support::wait::{until, until_true};

/// A day of the signals in a second, a value in ten minutes. What goes wrong does so from the twelfth day to the
/// forty-second: a silence is one after ten seconds.
const SIGNALS: &str = r#"
[alerts]
raise_after = "3s"
clear_after = "3s"
group_from = 10
[alerts.drift]
raise_after = "3s"
clear_after = "3s"
[alerts.slo]
raise_after = "3s"
clear_after = "3s"
[alerts.silent]
raise_after = "3s"
clear_after = "3s"

[source.game]
kind = "synthetic"
seed = 4
speed = 86400
period = "10m"
start = "2026-01-01T00:00:00Z"
[source.game.fields]
air = { level = 20, sine = { amplitude = 3, period = "1d" } }
good = { follows = "air", noise = { std = 0.05 } }
well = { follows = "air", noise = { std = 0.3, phi = 0.3 } }
dead = { follows = "air", noise = { std = 0.05 }, faults = [{ kind = "gap", at = "12d", until = "42d" }] }
noisy = { follows = "air", noise = { std = 0.05 }, faults = [{ kind = "noise", factor = 40, at = "12d", until = "42d" }] }
orphan = { follows = "air", noise = { std = 0.3, phi = 0.3 } }
shaken = { follows = "air", noise = { std = 0.3, phi = 0.3 } }
stepped = { follows = "air", noise = { std = 0.3, phi = 0.3 }, faults = [{ kind = "step", by = 1.5, at = "12d", until = "42d" }] }
ramped = { follows = "air", noise = { std = 0.3, phi = 0.3 }, faults = [{ kind = "ramp", by = 2, over = "10d", at = "12d", until = "42d" }] }
frozen = { follows = "air", noise = { std = 0.3, phi = 0.3 }, faults = [{ kind = "stuck", at = "12d", until = "42d" }] }
broken = { follows = "air", noise = { std = 0.3, phi = 0.3 }, faults = [{ kind = "step", by = -10, at = "12d", until = "42d" }] }
"#;

/// What has to rise, and nothing else.
const CAUSES: [&str; 8] = [
    "drift broken",
    "drift ramped",
    "drift stepped",
    "noise ref-noisy",
    "reference orphan",
    "silent ref-dead",
    "slo broken",
    "stuck frozen",
];

fn gateway() -> Gateway {
    let mut text = SIGNALS.to_owned();
    for (name, field) in [("ref-good", "good"), ("ref-dead", "dead"), ("ref-noisy", "noisy")] {
        text += &format!("[sensor.{name}]\nsource = \"game\"\nfield = \"{field}\"\nunit = \"Cel\"\n");
        text += "monitor = { learn = \"7d\" }\n";
    }
    for (name, reference) in [
        ("well", "good"),
        ("stepped", "good"),
        ("ramped", "good"),
        ("frozen", "good"),
        ("broken", "good"),
        ("orphan", "dead"),
        ("shaken", "noisy"),
    ] {
        text += &format!("[sensor.{name}]\nsource = \"game\"\nfield = \"{name}\"\nunit = \"Cel\"\n");
        text += "monitor = { learn = \"7d\" }\nmpe = { absolute = 4 }\n";
        text += &format!("reference = {{ sensor = \"ref-{reference}\", uncertainty = 0.05 }}\n");
        text += &format!("[sensor.{name}.drift]\nbaseline = 1000\n");
    }
    Gateway::new().with(&text)
}

fn causes(alerts: &[Value], open: bool) -> BTreeSet<String> {
    let fits = |alert: &&Value| !open || alert["cleared"].is_null();
    alerts.iter().filter(fits).map(|alert| alert["cause"].as_str().unwrap().to_owned()).collect()
}

fn alerts(gateway: &Gateway) -> Vec<Value> {
    let text = prints(&["alerts", "--json"], &gateway.path("run/control.sock"));
    serde_json::from_str::<Value>(&text).unwrap()["alerts"].as_array().unwrap().clone()
}

#[test]
fn exactly_the_right_alerts_rise_and_clear() {
    let broker = Broker::start();
    let above = Subscriber::new(&broker, &[&format!("{UP}/alert/+")]);
    let gateway = gateway().linked_to(&broker);
    let mut daemon = gateway.start();
    daemon.linked();
    let wanted: BTreeSet<String> = CAUSES.map(str::to_owned).into();
    // All of them rise, ...
    let mut told = BTreeSet::new();
    until("every alert to rise", || {
        let found = causes(&alerts(&gateway), false);
        if found != told {
            // Shown where the test fails.
            println!("{found:?}");
            told.clone_from(&found);
        }
        (found == wanted).then_some(())
    });
    // ... are over when the faults are, ...
    until_true("every alert to clear", || causes(&alerts(&gateway), true).is_empty());
    // ... and were the only ones.
    let all = alerts(&gateway);
    assert_eq!(causes(&all, false), wanted);
    assert_eq!(all.len(), CAUSES.len(), "one of each: {all:#?}");
    assert_eq!(daemon.total("calibd_alerts_raised_total"), CAUSES.len() as i64);
    let slo = all.iter().find(|alert| alert["cause"] == "slo broken").unwrap();
    assert_eq!(slo["severity"], "page");
    assert!(slo["snapshot"]["statistics"]["burn_long"].as_f64() > Some(4.0), "{slo:#}");
    assert!(!slo["snapshot"]["pairs"].as_array().unwrap().is_empty(), "{slo:#}");

    // Each was told above, and goes from there when somebody has looked.
    for alert in &all {
        let id = alert["id"].as_str().unwrap();
        let topic = format!("{UP}/alert/{id}");
        let told = above.await_on(&topic, |message| {
            (!message.payload.is_empty() && !message.json()["cleared"].is_null()).then(|| message.json())
        });
        assert_eq!(told["cause"], alert["cause"]);
        prints(&["alerts", "ack", id, "--real"], &gateway.path("run/maintenance.sock"));
        above.await_on(&topic, |message| message.payload.is_empty().then_some(()));
    }
    assert_eq!(alerts(&gateway), Vec::<Value>::new());
    assert!(daemon.process.stop().success());
}
