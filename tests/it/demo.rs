//! `calibd demo` from outside: it ends well and in time, and leaves nothing behind.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use calibd::runtime::clock::Clock;

/// The demo of this binary, its temporary directories below `temporary`, without colours by itself.
fn demo(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calibd"));
    command.arg("demo").args(arguments).env("TMPDIR", temporary).env_remove("COLUMNS").stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn the_demo_ends_well_within_a_minute() {
    let temporary = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let output = demo(temporary.path(), &[]).output().unwrap();
    assert_code(&output, 0);
    assert!(clock.monotonic() < Duration::from_secs(60), "{:?}", clock.monotonic());
    let said = text(&output.stdout);
    for want in [
        "refused, threshold_not_met",
        "accepted: in force at 1 sensor",
        "refused, rolled_back_version",
        "already_applied",
        "page, slo co-1: ",
        "alert over: slo co-1",
        "ticket, drift co-1: ",
        "forecast: ",
        "alert:   page    slo co-1        over",
        "alert:   ticket  drift co-1      stands",
        "before: v1, two points    386   +0.340   0.694",
        "after:  v2, fitted        386   -0.313   0.591        92 %",
        "24 days later a technician comes",
        "as left: pass",
        "calibctl verify, which needs no gateway: accepted",
        ", as left pass\n",
        "readings received        4000\n  readings lost               0\n",
    ] {
        assert!(said.contains(want), "`{want}` is not in\n{said}");
    }
    assert!(!said.contains('\x1b'), "no colours where there is no terminal");
    let too_wide: Vec<&str> = said.lines().filter(|line| line.chars().count() > 76).collect();
    assert!(too_wide.is_empty(), "{too_wide:#?}");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "the temporary directory is gone");
}

#[test]
fn the_certificate_of_the_demo_verifies_and_states_what_was_left() {
    let temporary = tempfile::tempdir().unwrap();
    let kept = temporary.path().join("kept");
    let arguments = ["--speed", "66", "--data-dir", kept.to_str().unwrap()];
    assert_code(&demo(temporary.path(), &arguments).output().unwrap(), 0);
    let calibctl = |words: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_calibctl")).current_dir(&kept).args(words).output().unwrap();
        assert_code(&output, 0);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let verified = calibctl(&["verify", "certificate.json", "--root", "root.json", "--json"]);
    assert_eq!(verified["verdict"], "accepted", "{verified}");
    let certificate = calibctl(&["certificate", "show", "certificate.json", "--json"]);
    for point in certificate["results"]["as_left"].as_array().unwrap() {
        let (error, expanded) = (point["error"].as_f64().unwrap(), point["expanded"].as_f64().unwrap());
        assert!(error.abs() + expanded <= 1.0, "beyond doubt within 1 mg/m3: {point}");
    }
    assert!(std::fs::read_to_string(kept.join("certificate.html")).unwrap().contains("co-1"));
}

#[test]
fn an_interrupted_demo_takes_its_children_along() {
    let temporary = tempfile::tempdir().unwrap();
    let kept = temporary.path().join("kept");
    let arguments = ["--speed", "10", "--data-dir", kept.to_str().unwrap()];
    let mut child = demo(temporary.path(), &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut processes = Vec::new();
    // It speaks of both children, and then of the sensor.
    loop {
        let mut line = String::new();
        assert_ne!(std::io::BufRead::read_line(&mut said, &mut line).unwrap(), 0, "it ended early");
        if let Some((_, rest)) = line.split_once(": process ") {
            processes.push(rest.split(',').next().unwrap().to_owned());
        }
        if line.contains("sensor: ") {
            break;
        }
    }
    let interrupt =
        Command::new("sh").args(["-c", "kill -INT \"$1\"", "sh", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(processes.len(), 2);
    for process in processes {
        assert!(!Path::new("/proc").join(&process).exists(), "process {process} is still there");
    }
    assert!(kept.join("calibd.toml").exists(), "what was to be kept is kept");
    let again = demo(temporary.path(), &arguments).output().unwrap();
    assert_code(&again, 2);
    assert!(text(&again.stderr).contains("not an empty directory; name a new one"));
}

#[test]
fn wrong_arguments_are_named() {
    let temporary = tempfile::tempdir().unwrap();
    for (arguments, want) in [
        (&["--speed", "1000"][..], "outside 1 to 200"),
        (&["--for", "soon"], "not a duration"),
        (&["--for", "30s", "--speed", "5"], "cannot be used with"),
    ] {
        let output = demo(temporary.path(), arguments).output().unwrap();
        assert_code(&output, 2);
        assert!(text(&output.stderr).contains(want), "{}", text(&output.stderr));
    }
}
