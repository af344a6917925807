//! The synthetic source: on its own, and through the daemon.

use std::process::Command;
use std::time::Duration;

use calibd::config::reader::read_str;
use calibd::domain::synthetic::Generator;
use calibd::source::synthetic::{config::SyntheticConfig, run};
use tokio::time::Instant;

use crate::support::gateway::Gateway;
use crate::support::source::{bench, gateway_time};
use crate::support::wait::until_true;

/// Two fields, of which one has a gap from the fifth to the seventh value.
const SIGNALS: &str = r#"seed = 11
period = "10s"
[FIELDS.truth]
level = 20
sine = { amplitude = 5, period = "1d" }
walk = { std = 0.5, per = "1d" }
[FIELDS.raw]
follows = "truth"
gain = 2.5
noise = { std = 0.1, phi = 0.8 }
resolution = 0.01
faults = [
    { kind = "gap", at = "40s", until = "70s" },
    { kind = "stuck", at = "100s", until = "130s" },
    { kind = "spike", at = "150s", by = 9 },
]
"#;

fn signals(fields: &str) -> String {
    SIGNALS.replace("FIELDS", fields)
}

fn config(keys: &str) -> SyntheticConfig {
    let text = format!("{keys}\n{}", signals("fields"));
    let (config, faults) = read_str("a.toml", &text, SyntheticConfig::read);
    assert!(faults.is_empty(), "{faults:?}");
    config.unwrap()
}

/// What the two fields give in `count` ticks.
fn expected(count: usize) -> [Vec<Option<f64>>; 2] {
    let config = config("");
    let mut generator = Generator::new(config.signals, config.period, config.seed);
    let (mut all, mut values) = ([Vec::new(), Vec::new()], Vec::new());
    for _ in 0..count {
        generator.next_into(&mut values);
        all.iter_mut().zip(&values).for_each(|(all, value)| all.push(*value));
    }
    all
}

/// The values that come.
fn present(values: &[Option<f64>]) -> Vec<Option<f64>> {
    values.iter().copied().filter(Option::is_some).collect()
}

#[tokio::test(start_paused = true)]
async fn values_come_with_their_times_at_the_chosen_speed() {
    let (context, mut bench) = bench(&["truth", "raw"]);
    let began = Instant::now();
    tokio::spawn(run::run(config("speed = 10\nstart = \"2026-01-01T00:00:00Z\"\nfor = \"200s\""), context));
    let [truth, raw] = expected(20);
    for place in 0..20 {
        for (sensor, values) in [("truth", &truth), ("raw", &raw)] {
            let Some(value) = values[place] else { continue };
            let sample = bench.sample().await;
            assert_eq!((sample.sensor.as_str(), sample.raw), (sensor, Some(value)), "{place}");
            let at = place as i64 * 10;
            let time = sample.device_time.unwrap().to_string();
            assert_eq!(time, format!("2026-01-01T00:{:02}:{:02}.000000Z", at / 60, at % 60));
            assert_eq!(sample.gateway_time, gateway_time());
            // The tick is due a tenth of its time after the beginning, to the resolution of timers.
            assert_eq!(began.elapsed().as_millis() as usize / 100, place * 10);
        }
    }
    assert!(bench.samples.recv().await.is_none(), "the source ends after its time");
    assert_eq!(bench.metric("calibd_source_up", None), 0);
    assert_eq!(bench.metric("calibd_readings_total", None), 37);
}

#[tokio::test]
async fn without_a_start_readings_have_the_gateways_time_and_the_stop_is_seen_at_full_speed() {
    let (context, mut bench) = bench(&["raw"]);
    let task = tokio::spawn(run::run(config("speed = \"max\"\nfor = \"36500d\""), context));
    let sample = bench.sample().await;
    assert_eq!((sample.device_time, sample.gateway_time), (None, gateway_time()));
    bench.stopper.stop();
    while bench.samples.recv().await.is_some() {}
    tokio::time::timeout(Duration::from_secs(30), task).await.unwrap().unwrap();
}

fn sensor(id: &str, field: &str) -> String {
    format!("[sensor.{id}]\nsource = \"game\"\nfield = \"{field}\"\nunit = \"nA\"\n\n")
}

/// The gateway with the signals and a sensor of the field `raw`.
fn gateway(keys: &str) -> Gateway {
    let source = format!("[source.game]\nkind = \"synthetic\"\n{keys}\n{}", signals("source.game.fields"));
    Gateway::new().with(&format!("{source}\n{}", sensor("raw", "raw")))
}

#[test]
fn the_daemon_stores_exactly_the_values_of_the_seed() {
    let keys = "speed = \"max\"\nstart = \"2026-01-01T00:00:00Z\"\nfor = \"20000s\"";
    let gateway = gateway(keys).with(&sensor("truth", "truth"));
    let mut daemon = gateway.start();
    daemon.says("finished");
    let [truth, raw] = expected(2000);
    assert_eq!(raw.iter().filter(|value| value.is_none()).count(), 3);
    daemon.reaches("calibd_readings_stored_total", 2000 + 1997);
    assert_eq!(gateway.history().raw_of("truth"), truth);
    assert_eq!(gateway.history().raw_of("raw"), present(&raw));
}

#[test]
fn a_reload_does_not_begin_the_signals_again() {
    let gateway = gateway("speed = 500\nfor = \"30d\"");
    let daemon = gateway.start();
    let stored = |id: &str| gateway.history().raw_of(id);
    until_true("values to be stored", || stored("raw").len() > 20);
    gateway.rewrite(&(gateway.text().to_owned() + &sensor("truth", "truth")));
    let mut reload = Command::new(env!("CARGO_BIN_EXE_calibctl"));
    let reload = reload.arg("reload").arg("--socket").arg(gateway.path("run/admin.sock"));
    assert!(reload.output().unwrap().status.success());
    until_true("values of the new sensor to be stored", || stored("truth").len() > 20);
    let [truth, raw] = expected(100_000);
    let (found, raw) = (stored("raw"), present(&raw));
    assert_eq!(found, raw[..found.len()]);
    let found = stored("truth");
    let since = truth.iter().position(|value| *value == found[0]).unwrap();
    assert!(since >= 20, "{since}");
    assert_eq!(found, truth[since..since + found.len()]);
    assert_eq!(daemon.process.log().matches("connected to").count(), 1, "the source was started once");
}
