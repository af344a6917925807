//! Schemathesis, which makes requests of all kinds from the description, finds no fault on any socket.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::{gateway, started};
use crate::support::process::without_our_files;
use crate::support::python::program;

/// A port of this machine behind which a Unix socket is: Schemathesis speaks TCP only.
fn port_of(socket: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let socket = socket.clone();
            thread::spawn(move || join(&client, &UnixStream::connect(socket).unwrap()));
        }
    });
    port
}

/// Passes bytes on in both directions; a side that breaks off ends its own only.
fn join(client: &TcpStream, server: &UnixStream) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = copy(&mut &*client, &mut &*server);
            let _ = server.shutdown(Shutdown::Write);
        });
        let _ = copy(&mut &*server, &mut &*client);
        let _ = client.shutdown(Shutdown::Both);
    });
}

fn finds_nothing_at(socket: &Path) {
    let url = format!("http://127.0.0.1:{}/v1/openapi.json", port_of(socket.to_owned()));
    let mut command = Command::new(program("schemathesis"));
    command.args(["run", &url, "--seed", "1", "--max-examples", "25", "--request-timeout", "30"]);
    // These two have no end; other tests read them.
    command.args(["--exclude-path", "/v1/watch", "--exclude-path", "/v1/sources/{name}/test"]);
    command.args(["--warnings", "off", "--no-color"]);
    let folder = tempfile::tempdir().unwrap();
    // It lives long, and would keep the pseudo-terminals of other tests plugged in.
    let output = without_our_files(&command).current_dir(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {text}", socket.display());
    assert!(text.contains("No issues found"), "{text}");
}

#[test]
fn requests_of_all_kinds_are_answered_as_described_on_every_socket() {
    let gateway = gateway();
    let mut daemon = started(&gateway);
    for name in ["control", "maintenance", "admin"] {
        finds_nothing_at(&gateway.path(format!("run/{name}.sock")));
    }
    assert!(daemon.process.runs());
    let log = daemon.process.log();
    assert!(!log.contains("a fault of the program"), "{log}");
}
