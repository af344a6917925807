//! The replay source: recorded files at a chosen speed.

use std::time::Duration;

use calibd::config::reader::read_str;
use calibd::source::replay::{config::ReplayConfig, run};
use tokio::time::Instant;

use crate::support::source::{Bench, bench};

const ROWS: &str = "Time;CO\n2004-03-10T18:00:00Z;2,6\n2004-03-10T19:00:00Z;-200\n2004-03-10T20:00:00Z;x\n;;\n2004-03-10T21:00:00Z;3,5";

fn start(rows: &str, keys: &str) -> (tempfile::TempDir, Bench) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("record.csv");
    std::fs::write(&file, rows).unwrap();
    let text = format!(
        "file = \"{}\"\nformat = {{ decimal = \",\" }}\n{keys}\n\
         fields = {{ co = {{ column = \"CO\", missing = [-200] }}, time = {{ column = \"Time\" }} }}",
        file.display()
    );
    let (config, faults) = read_str("a.toml", &text, ReplayConfig::read);
    assert!(faults.is_empty(), "{faults:?}");
    let (context, bench) = bench(&["co"]);
    tokio::spawn(run::run(config.unwrap(), context));
    (dir, bench)
}

/// The hour and value of the next reading.
async fn next(bench: &mut Bench) -> (String, Option<f64>) {
    let sample = bench.sample().await;
    let time = sample.device_time.map_or(String::new(), |time| time.to_string()[5..13].to_owned());
    (time, sample.raw)
}

#[tokio::test(start_paused = true)]
async fn rows_come_with_their_times_at_the_chosen_speed() {
    let began = Instant::now();
    let (_dir, mut bench) = start(ROWS, "speed = 3600");
    assert_eq!(next(&mut bench).await, ("03-10T18".into(), Some(2.6)));
    assert_eq!(next(&mut bench).await, ("03-10T19".into(), None));
    assert_eq!(next(&mut bench).await, ("03-10T21".into(), Some(3.5)));
    let took = began.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_millis(3100)).contains(&took), "{took:?}");
    assert!(bench.samples.recv().await.is_none(), "the source ends with its file");
    assert_eq!(bench.dropped("bad_number"), 1);
    assert_eq!(bench.metric("calibd_source_up", None), 0);
}

#[tokio::test]
async fn a_repeated_file_goes_on_in_time() {
    let (_dir, mut bench) = start(ROWS, "speed = \"max\"\nloop = true");
    let mut times = Vec::new();
    for _ in 0..6 {
        times.push(next(&mut bench).await.0);
    }
    // Three hours are recorded and the last step is two: the second pass begins five hours later.
    assert_eq!(times, ["03-10T18", "03-10T19", "03-10T21", "03-10T23", "03-11T00", "03-11T02"]);
    bench.stopper.stop();
    while bench.samples.recv().await.is_some() {}
}

#[tokio::test]
async fn readings_may_have_the_gateways_time() {
    let (_dir, mut bench) = start(ROWS, "speed = \"max\"\ntimes = \"now\"");
    let sample = bench.sample().await;
    assert_eq!((sample.device_time, sample.raw), (None, Some(2.6)));
}

#[tokio::test(start_paused = true)]
async fn a_file_of_no_use_is_tried_again() {
    let (dir, mut bench) = start("When;CO\n", "speed = \"max\"");
    bench.reaches("calibd_source_reconnects_total", None, 1).await;
    std::fs::write(dir.path().join("record.csv"), ROWS).unwrap();
    assert_eq!(next(&mut bench).await.1, Some(2.6));
}

#[tokio::test]
async fn every_row_of_the_air_quality_set_arrives_as_published() {
    let file = crate::house::files::repository().join("src/demo/data/uci_air_quality.csv");
    let text = format!(
        r#"
        file = "{}"
        speed = "max"
        format = {{ separator = ";", decimal = "," }}
        [fields]
        reference = {{ column = "CO(GT)", missing = [-200] }}
        sensor = {{ column = "PT08.S1(CO)", missing = [-200] }}
        time = {{ columns = ["Date", "Time"], format = "%d/%m/%Y %H.%M.%S", offset = "+01:00" }}
        "#,
        file.display()
    );
    let (config, faults) = read_str("a.toml", &text, ReplayConfig::read);
    assert!(faults.is_empty(), "{faults:?}");
    let (context, mut bench) = bench(&["reference", "sensor"]);
    tokio::spawn(run::run(config.unwrap(), context));
    let (mut values, mut missing, mut last) = ([0, 0], [0, 0], None);
    while let Some(sample) = bench.samples.recv().await {
        let field = usize::from(sample.sensor.as_str() == "sensor");
        let count = if sample.raw.is_some() { &mut values } else { &mut missing };
        count[field] += 1;
        assert!(sample.device_time >= last);
        last = sample.device_time;
    }
    assert_eq!((values, missing), ([1500 - 307, 1500 - 27], [307, 27]));
    assert_eq!(last.unwrap().to_string(), "2004-05-12T04:00:00.000000Z");
    assert!(!bench.metrics.text().contains("calibd_samples_dropped_total{"));
}
