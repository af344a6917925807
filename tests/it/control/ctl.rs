//! calibctl's commands for the gateway: against recorded answers, and against a running calibd.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::{gateway, socket, started};
use crate::house::files::repository;

pub fn calibctl(words: &[&str], socket: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calibctl"));
    command.args(words).arg("--socket").arg(socket).output().unwrap()
}

/// What it prints; it has to succeed.
pub fn prints(words: &[&str], socket: &Path) -> String {
    let output = calibctl(words, socket);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {} {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The recorded answer to a request: its status and the file.
fn recorded(target: &str) -> (&'static str, &'static str) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/v1/status" => ("200 OK", "status.json"),
        "/v1/sensors" => ("200 OK", "sensors.json"),
        "/v1/sensors/co-1" => ("200 OK", "sensor.json"),
        "/v1/readings" if query.contains("before=1840") => ("200 OK", "readings-before.json"),
        "/v1/readings" => ("200 OK", "readings.json"),
        "/v1/sensors/co-1/instrument" => ("200 OK", "mounted.json"),
        "/v1/sensors/co-1/instruments" => ("200 OK", "instruments.json"),
        "/v1/sensors/co-1/maintenance" => ("200 OK", "maintained.json"),
        "/v1/transforms" => ("200 OK", "transforms.json"),
        "/v1/audit" => ("200 OK", "audit.json"),
        "/v1/audit/verify" => ("200 OK", "verify.events"),
        "/v1/restore" => ("200 OK", "restoring.json"),
        "/v1/watch" => ("200 OK", "watch.events"),
        _ => ("404 Not Found", "problem.json"),
    }
}

/// Answers one request with what is recorded for it.
fn play(mut stream: UnixStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap() == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
    let (status, file) = recorded(head.split(' ').nth(1).unwrap());
    let body = std::fs::read(repository().join("tests/data/control").join(file)).unwrap();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
    // A client that has what it wants leaves without reading the rest.
    let _ = stream.write_all(&[answer.as_bytes(), &body].concat());
}

/// What the commands of a transcript print now, in the transcript's own form.
fn transcribe(transcript: &str, socket: &Path) -> String {
    let mut out = String::new();
    for command in transcript.lines().filter(|line| line.starts_with("$ ")) {
        let words: Vec<&str> = command.split(' ').skip(2).collect();
        let output = calibctl(&words, socket);
        out.push_str(&format!("{command}\n{}", String::from_utf8(output.stdout).unwrap()));
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            out.push_str(&format!("stderr: {line}\n"));
        }
        if !output.status.success() {
            out.push_str(&format!("exit: {}\n", output.status.code().unwrap()));
        }
        out.push('\n');
    }
    out.replace(&socket.display().to_string(), "SOCKET")
}

/// `CALIBD_RECORD=1` writes the transcript anew.
#[test]
fn recorded_answers_are_shown_as_transcribed() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(play));
    let file = repository().join("tests/data/control/commands.transcript");
    let transcript = std::fs::read_to_string(&file).unwrap();
    let now = transcribe(&transcript, &socket);
    if std::env::var_os("CALIBD_RECORD").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    assert_eq!(now, transcript);
}

#[test]
fn every_command_works_against_a_running_calibd() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let socket = socket(&gateway);
    let json = |words: &[&str]| -> Value { serde_json::from_str(&prints(words, &socket)).unwrap() };
    assert!(prints(&["status"], &socket).starts_with("gw-1 of plant-7: 2 things need attention\n"));
    assert_eq!(json(&["status", "--json"])["gateway"], "gw-1");
    assert!(prints(&["sensors"], &socket).contains("past"));
    assert_eq!(json(&["sensors", "--json"])["sensors"].as_array().unwrap().len(), 2);
    let one = prints(&["sensor", "past"], &socket);
    assert!(one.contains("119 mV raw") && one.contains("▁") && one.contains("█"), "{one}");
    let range = ["readings", "past", "--since", "2026-03-10T08:10:00Z", "--until", "2026-03-10T08:20:00Z"];
    let csv = prints(&[&range[..], &["--format", "csv"]].concat(), &socket);
    let column =
        |at: usize| csv.lines().skip(1).map(|line| line.split(',').nth(at).unwrap()).collect::<Vec<_>>();
    assert_eq!(column(3), (10..20).map(|minute| minute.to_string()).collect::<Vec<_>>());
    assert_eq!(json(&["readings", "past", "--limit", "7", "--json"])["readings"][0]["raw"], 113.0);
    assert_eq!(json(&["transform", "list", "--json"])["transforms"], Value::Array(vec![]));
    assert_eq!(json(&["audit", "list", "--json"])["after"], Value::Null);
    let lines = prints(&["watch", "now", "--json", "--limit", "3"], &socket);
    assert_eq!(lines.lines().filter(|line| line.contains(r#""sensor":"now""#)).count(), 3);
}

#[test]
fn exit_codes_tell_why_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let code = |path: &str| calibctl(&["status"], &dir.path().join(path)).status.code().unwrap();
    assert_eq!(code("nothing.sock"), 3);
    drop(UnixListener::bind(dir.path().join("stale.sock")).unwrap());
    assert_eq!(code("stale.sock"), 3);
    // What root may do is not asked of the permissions.
    let _listener = UnixListener::bind(dir.path().join("closed.sock")).unwrap();
    std::fs::set_permissions(dir.path().join("closed.sock"), PermissionsExt::from_mode(0o000)).unwrap();
    let us = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(dir.path()).unwrap());
    if us != 0 {
        assert_eq!(code("closed.sock"), 4);
    }
}
