//! A real Prometheus scrapes a running calibd.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::house::files::repository;
use crate::support::broker::command;
use crate::support::gateway::Gateway;
use crate::support::process::{Process, free_port, metrics, page};
use crate::support::tty::Tty;
use crate::support::wait::until;

/// Names as long and as odd as they may be.
const SOURCE: &str = "0_-Source-with-a-name-of-sixty-four-characters_________________X";
const SENSOR: &str = "9-__sensor_with_a_name_of_sixty_four_characters-----------------";

/// A Prometheus with a directory of its own that looks at one target every second.
struct Prometheus {
    port: u16,
    process: Process,
}

impl Prometheus {
    fn start(dir: &Path, target: u16) -> Prometheus {
        let (port, config) = (free_port(), dir.join("prometheus.yml"));
        let text = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
             scrape_configs: [{{ job_name: calibd, static_configs: [{{ targets: [\"127.0.0.1:{target}\"] }}] }}]\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = command("prometheus");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        Prometheus { port, process: Process::start(&command, &dir.join("prometheus.log")) }
    }

    /// What it answers to a query, once it has an answer.
    fn finds(&mut self, query: &str) -> Value {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        until(&format!("an answer to {query}"), || {
            assert!(self.process.runs(), "prometheus ended");
            let (_, body) = page(self.port, &format!("/api/v1/query?query={encoded}"))?;
            let answer: Value = serde_json::from_str(&body).ok()?;
            assert_eq!(answer["status"], "success", "{query}: {answer}");
            answer["data"]["result"].as_array()?.first().cloned()
        })
    }
}

#[test]
fn a_real_prometheus_takes_the_metrics_as_they_are_meant() {
    let mut tty = Tty::new();
    let gateway = Gateway::new().with(&format!(
        "[source.{SOURCE}]\nkind = \"serial\"\nport = \"{}\"\nfirst_line = \"keep\"\nformat = {{ kind = \"csv\" }}\n\
         fields = {{ a = {{ column = 0 }} }}\n[sensor.{SENSOR}]\nsource = \"{SOURCE}\"\nfield = \"a\"\nunit = \"nA\"\n",
        tty.path().display()
    ));
    let mut daemon = gateway.start();
    daemon.reaches(&format!("calibd_source_up{{source=\"{SOURCE}\"}}"), 1);
    tty.write("17\nnoise\n-1.5e300\n");
    daemon.reaches("calibd_readings_stored_total", 2);
    let mut prometheus = Prometheus::start(&gateway.path(""), gateway.http);
    for (query, value) in [
        ("up{job=\"calibd\"} == 1".to_owned(), "1"),
        (format!("calibd_readings_total{{source=\"{SOURCE}\"}}"), "2"),
        (format!("calibd_samples_dropped_total{{source=\"{SOURCE}\",reason=\"bad_number\"}}"), "1"),
        (format!("calibd_raw_value{{sensor=\"{SENSOR}\"}}"), "-1.5e+300"),
        ("calibd_sensors_left_out".to_owned(), "0"),
        ("calibd_alarms".to_owned(), "0"),
        (format!("calibd_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), "1"),
        ("count(calibd_clock_state) - sum(calibd_clock_state)".to_owned(), "2"),
        ("calibd_start_time_seconds < bool time()".to_owned(), "1"),
        // One series of a name and its labels, and nothing that it could not read.
        ("scrape_samples_scraped == bool scrape_samples_post_metric_relabeling".to_owned(), "1"),
    ] {
        assert_eq!(prometheus.finds(&query)["value"][1], value, "{query}");
    }
    tty.unplug();
    prometheus.finds("calibd_alarms == 1");
    prometheus.finds(&format!("calibd_source_up{{source=\"{SOURCE}\"}} == 0"));
    assert!(prometheus.process.stop().success());
    let text = metrics(gateway.http).unwrap();
    assert_eq!(text.matches("# UNIT ").count(), 7, "{text}");
    let reference = std::fs::read_to_string(repository().join("docs/reference/metrics.md")).unwrap();
    for metric in text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()) {
        assert!(reference.contains(&format!("`{metric}")), "docs/reference/metrics.md lacks {metric}");
    }
    promtool_finds_nothing(&older(text.strip_suffix("# EOF\n").unwrap()));
}

/// The same in Prometheus's older format: promtool reads no other.
pub fn older(text: &str) -> String {
    let (mut older, mut suffix) = (String::new(), "");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("# UNIT ")).collect();
    for (index, line) in lines.iter().enumerate() {
        let Some((kind, rest)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')) else {
            older.push_str(&format!("{line}\n"));
            continue;
        };
        if kind == "HELP" {
            let (_, of) = lines[index + 1].rsplit_once(' ').unwrap();
            suffix = match of {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
        }
        let (name, text) = rest.split_once(' ').unwrap();
        let text = if text == "info" { "gauge" } else { text };
        older.push_str(&format!("# {kind} {name}{suffix} {text}\n"));
    }
    older
}

/// Has promtool look at metrics in the older format.
pub fn promtool_finds_nothing(text: &str) {
    let mut promtool = command("promtool");
    let mut promtool = promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut promtool.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}
