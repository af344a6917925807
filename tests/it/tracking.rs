//! Sensors beside their references, through the daemon: pairs, and what they say.

use calibd::domain::drift::measurement::{Agreement, Scores, evaluate};
use calibd::domain::fit::{Column, Pairs};
use calibd::domain::time::Timestamp;
use calibd::runtime::clock::system_now;
use serde_json::{Value, json};

use crate::control::ctl::prints;
use crate::house::files::repository;
use crate::support::broker::Broker;
use crate::support::gateway::{Gateway, UP};
use crate::support::mqtt::Subscriber;
use crate::support::process::Daemon;
use crate::support::trust::{Authority, transform};
use crate::support::wait::{until, until_true};

/// A year of hourly carbon monoxide and a sensor beside it; some 7,000 rows have both.
const UCI: &str = "tests/data/collocation/uci_air_quality/AirQualityUCI.csv";
/// What the transform of these tests makes of the sensor's response.
const OFFSET: f64 = -3.0;
const GAIN: f64 = 0.0046;
const U: f64 = 0.3;

fn number(text: &str) -> Option<f64> {
    let value: f64 = text.replace(',', ".").parse().ok()?;
    (value != -200.0).then_some(value)
}

/// Response and reference of each row that has both, and whether it was colder than 10 Cel.
fn rows() -> Vec<(f64, f64, bool)> {
    let text = std::fs::read_to_string(repository().join(UCI)).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(';').collect();
        let cold = number(cells[12]).is_some_and(|temperature| temperature < 10.0);
        Some((number(cells[3])?, number(cells[2])?, cold))
    };
    text.lines().skip(1).filter_map(row).collect()
}

/// The same scores, computed over all pairs at once.
fn expected(rows: &[(f64, f64, bool)]) -> Scores {
    let values = rows.iter().map(|(raw, ..)| OFFSET + GAIN * raw).collect();
    let references = rows.iter().map(|(_, reference, _)| *reference).collect();
    let pairs = Pairs::new(vec![Column::new("x", values)], Column::new("y", references)).unwrap();
    evaluate(&pairs, &Agreement::default()).unwrap()
}

/// The year, and an hour after it without a reference: nothing waits for what could yet come.
fn source(gateway: &Gateway) -> String {
    let mut text = std::fs::read_to_string(repository().join(UCI)).unwrap();
    text.truncate(text.trim_end_matches([';', '\r', '\n']).len());
    text.push_str(
        ";;\n04/04/2005;16.00.00;-200;1000;-200;-200;-200;-200;-200;-200;-200;-200;-200;-200;-200;;\n",
    );
    let file = gateway.path("uci.csv");
    std::fs::write(&file, text).unwrap();
    format!(
        r#"
[source.uci]
kind = "replay"
file = "{}"
speed = "max"
format = {{ separator = ";", decimal = "," }}
[source.uci.fields]
reference = {{ column = "CO(GT)", missing = [-200] }}
co = {{ column = "PT08.S1(CO)", missing = [-200] }}
temperature = {{ column = "T", missing = [-200] }}
time = {{ columns = ["Date", "Time"], format = "%d/%m/%Y %H.%M.%S", offset = "+01:00" }}

[sensor.co-ref]
source = "uci"
field = "reference"
unit = "mg/m3"

[sensor.temp-1]
source = "uci"
field = "temperature"
unit = "Cel"

[sensor.co-1]
source = "uci"
field = "co"
unit = "{{counts}}"
period = "1h"
mpe = {{ absolute = 1.0, relative = 0.2 }}
covariates = {{ temperature = "temp-1" }}
reference = {{ sensor = "co-ref", uncertainty = 0.1 }}

[sensor.co-1.drift]
window = "400d"
cohorts = {{ cold = {{ temperature = {{ below = 10 }} }} }}
"#,
        file.display()
    )
}

/// A transform from the response to mg/m3, in force for the year of the data.
fn calibration() -> Value {
    let mut transform = transform(1);
    transform["input_unit"] = json!("{counts}");
    transform["pipeline"] = json!([{"kind": "affine", "offset": OFFSET, "gain": GAIN}]);
    transform["uncertainty"] = json!({"residual_std": U});
    transform
}

fn drift(gateway: &Gateway) -> Value {
    let text = prints(&["drift", "co-1", "--json"], &gateway.path("run/control.sock"));
    serde_json::from_str::<Value>(&text).unwrap()["sensors"][0].clone()
}

/// The drift report once it has so many pairs.
fn drift_of(gateway: &Gateway, pairs: usize) -> Value {
    until("every pair to be counted", || {
        let report = drift(gateway);
        (report["all"]["calibrated"]["n"] == pairs).then_some(report)
    })
}

fn close(report: &Value, scores: &Scores) {
    assert_eq!(report["n"].as_u64(), Some(scores.n as u64));
    for (name, wanted) in [
        ("bias", Some(scores.bias)),
        ("rmse", Some(scores.rmse)),
        ("mae", Some(scores.mae)),
        ("std", scores.std),
    ] {
        let (found, wanted) = (report[name].as_f64().unwrap(), wanted.unwrap());
        assert!((found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0), "{name}: {found}, not {wanted}");
    }
}

/// A gateway on which the calibration is in force, without its source.
fn calibrated(gateway: Gateway, authority: &Authority) -> (Gateway, Daemon) {
    let gateway = gateway.trusting(authority).with(
        "[sensor.co-1]\nsource = \"none\"\nfield = \"v\"\nunit = \"{counts}\"\n\
         [source.none]\nkind = \"mqtt\"\nurl = \"mqtt://127.0.0.1:1\"\ntopic = \"none\"\n\
         format = { kind = \"raw\" }\nfields = { v = {} }\n",
    );
    let daemon = gateway.start();
    let admin = gateway.path("run/admin.sock");
    until_true("its socket", || admin.exists());
    let signed = gateway.path("signed.json");
    std::fs::write(&signed, authority.signed(&calibration())).unwrap();
    prints(&["transform", "install", signed.to_str().unwrap()], &admin);
    (gateway, daemon)
}

fn reload(gateway: &Gateway, with: &str) {
    let without = gateway.text().split("[sensor.co-1]").next().unwrap().to_owned();
    gateway.rewrite(&(without + with));
    prints(&["reload"], &gateway.path("run/admin.sock"));
}

#[test]
fn a_year_through_the_daemon_says_the_same_as_offline() {
    let broker = Broker::start();
    let above = Subscriber::new(&broker, &[&format!("{UP}/metrics/co-1")]);
    let authority = Authority::new();
    let (gateway, mut daemon) = calibrated(Gateway::new().linked_to(&broker), &authority);
    reload(&gateway, &source(&gateway));
    let rows = rows();
    let report = drift_of(&gateway, rows.len());
    close(&report["all"]["calibrated"], &expected(&rows));
    let cold: Vec<_> = rows.iter().filter(|row| row.2).copied().collect();
    assert_eq!(report["cohorts"][0]["cohort"], "cold");
    close(&report["cohorts"][0]["calibrated"], &expected(&cold));
    let within = |(raw, reference, _): &&(f64, f64, bool)| {
        (OFFSET + GAIN * raw - reference).abs() <= (0.2 * reference).max(1.0)
    };
    let share = rows.iter().filter(within).count() as f64 / rows.len() as f64;
    let found = report["all"]["calibrated"]["within_mpe"].as_f64().unwrap();
    assert!((found - share).abs() < 1e-9, "{found}, not {share}");
    assert_eq!(report["all"]["raw"]["n"], 0, "counts are no mg/m3");
    let message = above.await_on(&format!("{UP}/metrics/co-1"), |message| Some(message.json()));
    assert_eq!((&message["sensor"], &message["cohort"]), (&json!("co-1"), &Value::Null));
    assert!(message["calibrated"]["n"].as_u64() > Some(0), "{message}");

    // All of it is there after another start, to the last bit.
    assert!(daemon.process.stop().success());
    let header = std::fs::read_to_string(gateway.path("uci.csv")).unwrap().lines().next().unwrap().to_owned();
    std::fs::write(gateway.path("uci.csv"), header + "\n").unwrap();
    let mut daemon = Daemon::start(&gateway.path("calibd.toml"), gateway.http, &gateway.path("log-2"));
    daemon.says("started: gateway");
    let again = until("the pairs to be counted again", || {
        let report = drift(&gateway);
        (!report.is_null()).then_some(report)
    });
    assert_eq!(again["all"]["calibrated"], report["all"]["calibrated"]);
    assert_eq!(again["cohorts"][0]["calibrated"], report["cohorts"][0]["calibrated"]);
    assert!(daemon.process.stop().success());
}

#[test]
fn without_pairs_there_is_nothing_to_say() {
    let gateway = Gateway::new();
    let mut daemon = gateway.start();
    daemon.says("started: gateway");
    let text = prints(&["drift", "--json"], &gateway.path("run/control.sock"));
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({"sensors": []}));
    assert!(daemon.process.stop().success());
}

/// An hour of readings, a minute apart, that ended two hours ago: 5.0, 5.1, 5.2, ...
fn an_hour() -> (Gateway, Timestamp) {
    let start = system_now().saturating_add_micros(-3 * 3_600_000_000);
    let gateway = Gateway::new();
    let row = |minute: i64| {
        let (time, value) = (start.saturating_add_micros(minute * 60_000_000), 5.0 + minute as f64 / 10.0);
        format!("{time};{value}\n")
    };
    let rows: String = (0..60).map(row).collect();
    std::fs::write(gateway.path("hour.csv"), format!("t;v\n{rows}")).unwrap();
    let text = format!(
        "[source.hour]\nkind = \"replay\"\nfile = \"{}\"\nspeed = \"max\"\nformat = {{ separator = \";\" }}\n\
         fields = {{ v = {{ column = \"v\" }}, time = {{ column = \"t\" }} }}\n\
         [sensor.t-1]\nsource = \"hour\"\nfield = \"v\"\nunit = \"Cel\"\nmpe = {{ absolute = 0.5 }}\n",
        gateway.path("hour.csv").display()
    );
    (gateway.with(&text), start)
}

#[test]
fn late_references_meet_stored_readings_and_can_be_corrected_and_withdrawn() {
    let (gateway, start) = an_hour();
    let mut daemon = gateway.start();
    daemon.reaches("calibd_readings_stored_total", 60);
    let (control, maintenance) = (gateway.path("run/control.sock"), gateway.path("run/maintenance.sock"));
    let at = start.saturating_add_micros(5 * 60_000_000).to_string();
    let add = |value: &str| {
        prints(&["reference", "add", "t-1", value, "Cel", "--u", "0.1", "--at", &at, "--json"], &maintenance)
    };
    let calibrated = || {
        let text = prints(&["drift", "t-1", "--json"], &control);
        serde_json::from_str::<Value>(&text).unwrap()["sensors"][0]["all"]["calibrated"].clone()
    };
    let says = |n: u64, bias: f64| {
        until_true("the pair to be counted", || {
            let found = calibrated();
            found["n"] == n && found["bias"].as_f64().is_some_and(|it| (it - bias).abs() < 1e-9)
        });
    };
    let told: Value = serde_json::from_str(&add("5.7")).unwrap();
    says(1, -0.2);
    assert_eq!(calibrated()["within_mpe"], 1.0);
    // The later word about the same moment counts, and once.
    add("5.6");
    says(1, -0.1);
    add("5.6");
    says(1, -0.1);
    let id = told["results"][0]["id"].as_str().unwrap();
    prints(&["reference", "withdraw", "t-1", id], &maintenance);
    until_true("the pair to be gone", || calibrated()["n"] != 1);
    assert!(daemon.process.stop().success());
}
