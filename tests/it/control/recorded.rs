//! calibctl's commands for the gateway against recorded answers: a transcript a command.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::house::files::repository;

/// A socket at which everything is answered as it was recorded.
pub struct Recorded {
    dir: TempDir,
}

impl Recorded {
    pub fn start() -> Recorded {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("control.sock")).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(|| play(stream));
            }
        });
        Recorded { dir }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("control.sock")
    }

    /// calibctl as a program that asks this socket where no other is said.
    pub fn calibctl(&self) -> PathBuf {
        let program = self.dir.path().join("calibctl");
        let (binary, socket) = (env!("CARGO_BIN_EXE_calibctl"), self.socket());
        let script = format!(
            "#!/bin/sh\n\
             case \" $* \" in *' --socket '*) exec '{binary}' \"$@\" ;; esac\n\
             exec '{binary}' \"$@\" --socket '{}'\n",
            socket.display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        program
    }
}

/// The files that may answer a request, the first that is there does: `GET /v1/readings?sensor=co-1&before=7`
/// has `GET_v1_readings_sensor=co-1`, `GET_v1_readings_before=7` and then `GET_v1_readings`.
fn names(method: &str, target: &str) -> Vec<String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let plain = format!("{method}{}", path.replace('/', "_"));
    let with = |pair: &str| format!("{plain}_{pair}");
    query.split('&').filter(|pair| !pair.is_empty()).map(with).chain([plain.clone()]).collect()
}

/// What is recorded for a request: its status line and the body. A file may begin with its status line.
fn recorded(method: &str, target: &str) -> (String, String) {
    let dir = repository().join("tests/data/control/answers");
    let names = names(method, target);
    let files =
        names.iter().flat_map(|name| ["json", "events"].map(|kind| dir.join(format!("{name}.{kind}"))));
    let Some(text) = files.into_iter().find_map(|file| std::fs::read_to_string(file).ok()) else {
        let body = serde_json::json!({"error": format!("nothing is recorded as {}", names.join(" or "))});
        return ("HTTP/1.1 404 Not Found".into(), body.to_string());
    };
    match text.split_once('\n') {
        Some((status, body)) if status.starts_with("HTTP/1.1 ") => (status.into(), body.into()),
        _ => ("HTTP/1.1 200 OK".into(), text),
    }
}

/// Answers one request with what is recorded for it.
fn play(mut stream: UnixStream) {
    let Some(head) = head(&mut stream) else { return };
    let mut words = head.split(' ');
    let (status, body) = recorded(words.next().unwrap(), words.next().unwrap());
    let length = body.len();
    // A client that has what it wants leaves without reading the rest.
    let _ = stream.write_all(format!("{status}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    // What the client still sends is taken, so that it is not told of a broken pipe.
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

fn head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap() == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8(head).unwrap())
}

/// `TRYCMD=overwrite` writes the transcripts anew.
#[test]
fn recorded_answers_are_shown_as_transcribed() {
    let recorded = Recorded::start();
    let cases = trycmd::TestCases::new();
    cases.register_bin("calibctl", recorded.calibctl()).timeout(Duration::from_secs(60));
    cases.case(transcripts().join("*.trycmd")).run();
}

/// Where the transcripts are.
pub fn transcripts() -> PathBuf {
    repository().join("tests/data/control/commands")
}

/// A transcript that lost its fence would be a test of nothing.
#[test]
fn every_transcript_has_commands() {
    let mut files = 0;
    for entry in std::fs::read_dir(transcripts()).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let fenced = text.starts_with("```console\n$ ") && text.ends_with("```\n");
        assert!(
            fenced && is_transcript(&path),
            "{}: does not begin with ```console and a command",
            path.display()
        );
        files += 1;
    }
    assert!(files > 0);
}

fn is_transcript(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "trycmd")
}
