//! `calibd check`, by the real binary, on the examples and on one file for each fault.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn data(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config").join(kind)
}

/// `name.toml`, or `name/calibd.toml` with its drop-ins, relative to the directory.
fn cases(kind: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(data(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            match path.is_dir() {
                true => Some(format!("{name}/calibd.toml")),
                false => name.ends_with(".toml").then_some(name),
            }
        })
        .collect();
    names.sort();
    names
}

fn check(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_calibd")).arg("check").args(arguments).current_dir(dir).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(output: &Output) -> Value {
    assert_eq!(text(&output.stderr), "", "with --json nothing goes to standard error");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The faults as lines, in the form of `expected` files.
fn lines(faults: &Value) -> String {
    let line = |fault: &Value| {
        let part = |key: &str| fault[key].as_str().unwrap().to_owned();
        let place = format!("{}:{}", part("file"), fault["line"]);
        format!("{place}: {}: {}; {}\n", part("key"), part("problem"), part("remedy"))
    };
    faults.as_array().unwrap().iter().map(line).collect()
}

#[test]
fn every_valid_example_is_accepted() {
    let dir = data("valid");
    for case in cases("valid") {
        let output = check(&dir, &["--config", &case, "--json"]);
        let report = json(&output);
        assert_eq!(report["faults"], serde_json::json!([]), "{case}");
        assert_eq!(report["valid"], true, "{case}");
        assert_eq!(output.status.code(), Some(0), "{case}");
    }
}

#[test]
fn the_shipped_example_is_accepted() {
    let output = check(Path::new(env!("CARGO_MANIFEST_DIR")), &["--config", "config/calibd.toml", "--json"]);
    let report = json(&output);
    assert_eq!(report["faults"], serde_json::json!([]));
    // It may warn of what this machine hasn't got, and of nothing else.
    for warning in report["warnings"].as_array().unwrap() {
        assert!(warning["key"].as_str().unwrap().ends_with(".port"), "{warning}");
    }
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn every_example_of_the_documentation_is_accepted() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let mut checked = 0;
    for file in fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".toml") {
            let report = json(&check(&dir, &["--config", name, "--json"]));
            assert_eq!(
                (&report["faults"], &report["warnings"]),
                (&serde_json::json!([]), &serde_json::json!([])),
                "{name}"
            );
            checked += 1;
        }
    }
    assert!(checked > 0);
}

/// What stands commented out in the example is accepted too, but for the files that it names.
#[test]
fn the_commented_keys_of_the_example_are_real() {
    let example =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/calibd.toml")).unwrap();
    let mut seen = BTreeSet::new();
    let uncommented: Vec<&str> = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || is_setting(rest) => rest,
            _ => line,
        })
        .collect();
    let whole = uncommented
        .join("\n")
        .replace("mqtt://127.0.0.1:1883", "mqtts://broker.example")
        .replace("\nbatch = 1 ", "\nbatch = 100 ")
        .replace("sensor = \"co-ref\"", "sensor = \"temp-1\"");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("calibd.toml"), whole).unwrap();
    let report = json(&check(dir.path(), &["--config", "calibd.toml", "--json"]));
    for fault in report["faults"].as_array().unwrap() {
        let problem = fault["problem"].as_str().unwrap();
        assert!(problem.contains("cannot be read") || problem.contains("there is no credential"), "{fault}");
        seen.insert(fault["key"].as_str().unwrap().to_owned());
    }
    let files =
        ["mqtt.ca_file", "mqtt.cert_file", "mqtt.key_file", "mqtt.password_file", "recalibration.key_file"];
    assert_eq!(seen, files.map(str::to_owned).into());
}

fn is_setting(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| {
        key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
    })
}

#[test]
fn every_fault_is_reported_with_file_line_key_and_remedy() {
    let dir = data("invalid");
    let all = cases("invalid");
    assert!(all.len() > 70);
    let mut wrong = String::new();
    for case in all {
        let output = check(&dir, &["--config", &case, "--json"]);
        let report = json(&output);
        assert_eq!(report["valid"], false, "{case}");
        assert_eq!(output.status.code(), Some(78), "{case}");
        for fault in report["faults"].as_array().unwrap() {
            assert!(fault["line"].as_u64().unwrap() > 0, "{fault}");
            assert!(!fault["remedy"].as_str().unwrap().is_empty(), "{fault}");
        }
        let expected = dir.join(case.replace(".toml", ".expected"));
        let found = lines(&report["faults"]);
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        if wanted != found {
            wrong.push_str(&format!("== {}\n-- wanted\n{wanted}-- found\n{found}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn people_get_the_same_as_lines_on_standard_error() {
    let output = check(&data("invalid"), &["--config", "out-of-range.toml"]);
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(text(&output.stdout), "");
    let wanted = fs::read_to_string(data("invalid").join("out-of-range.expected")).unwrap();
    let wanted = format!("{wanted}out-of-range.toml: not valid, 5 faults\n");
    assert_eq!(text(&output.stderr), wanted);
}

#[test]
fn a_missing_file_says_what_to_do() {
    let report = json(&check(&data("invalid"), &["--config", "no-such.toml", "--json"]));
    let fault = &report["faults"][0];
    assert_eq!(fault["file"], "no-such.toml");
    assert!(fault["problem"].as_str().unwrap().starts_with("cannot be read"), "{fault}");
    assert!(fault["remedy"].as_str().unwrap().contains("--config"), "{fault}");
}

#[test]
fn the_daemon_starts_nothing_with_a_faulty_configuration() {
    let output = Command::new(env!("CARGO_BIN_EXE_calibd"))
        .args(["--config", "store-is-a-file.toml"])
        .current_dir(data("invalid"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("store.dir: /dev/null is not a directory"));
}

#[test]
fn wrong_usage_ends_with_2() {
    assert_eq!(check(&data("valid"), &["--no-such-option"]).status.code(), Some(2));
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("password");
    fs::write(&secret, "x").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(dir.path().join("calibd.toml"), DOUBTFUL).unwrap();
    let report = json(&check(dir.path(), &["--config", "calibd.toml", "--json"]));
    assert_eq!(report["faults"], serde_json::json!([]));
    let found: Vec<(u64, &str)> = report["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| (warning["line"].as_u64().unwrap(), warning["key"].as_str().unwrap()))
        .collect();
    let wanted = [
        (6, "trust.root"),
        (11, "mqtt.password_file"),
        (11, "mqtt.password_file"),
        (14, "http.listen"),
        (17, "source.idle.kind"),
        (18, "source.idle.port"),
        (28, "sensor.mixed.source"),
        (33, "sensors.\"{name}\".source"),
        (35, "sensors.\"{name}\".unit"),
        (41, "sink.nameless.topic"),
    ];
    assert_eq!(found, wanted);
}

/// Accepted, but each marked line deserves a warning.
const DOUBTFUL: &str = r#"[gateway]
id = "gw-1"
fleet = "plant-7"

[trust]
root = "no-such-root.json" # may be in the ledger

[mqtt]
url = "mqtt://broker.example"
username = "gw-1"
password_file = "password" # open to all, and sent in the clear

[http]
listen = "0.0.0.0:9110" # open to the network

[source.idle]
kind = "serial" # nothing reads it
port = "/dev/no-such-port" # not there now
format = { preset = "sds011" }

[source.broker]
kind = "mqtt"
topic = "+site/+name/raw"
format = { kind = "json" }
fields = { value = { pointer = "/v" } }

[sensor.mixed]
source = "broker" # every topic feeds one sensor
field = "value"
unit = "Cel"

[sensors."{name}"]
source = "broker" # the site is captured but not used
field = "value"
unit = "ug/m^3" # a slip
max = 10


[sink.nameless]
kind = "mqtt"
topic = "up/all" # whose reading is it?
fields = { v = "value" }
"#;
