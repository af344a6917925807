//! mosquitto on ports of its own.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, free_port};
use super::wait::until_true;

/// A mosquitto that keeps its sessions and retained messages when it is stopped.
pub struct Broker {
    /// The port of the plain listener, open to everybody.
    pub port: u16,
    dir: TempDir,
    process: Option<Process>,
}

/// A second listener for those who can prove who they are.
pub struct Guarded<'a> {
    /// Its port.
    pub port: u16,
    /// The authority that signs clients' certificates, the listener's certificate and its key.
    pub tls: Option<[&'a Path; 3]>,
    /// Whom it lets in: user and password.
    pub login: Option<(&'a str, &'a str)>,
}

/// Debian puts servers where a user's PATH does not look.
fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

/// A program that `tests/run` installs.
pub fn command(program: &str) -> Command {
    let dirs: Vec<PathBuf> = std::env::split_paths(&search_path()).collect();
    let found = dirs.iter().map(|dir| dir.join(program)).find(|path| path.is_file());
    Command::new(found.unwrap_or_else(|| panic!("{program} is not installed; tests/run installs it")))
}

impl Broker {
    /// A running broker.
    pub fn start() -> Broker {
        Broker::with(None)
    }

    /// A running broker with a second listener.
    pub fn guarded(guarded: &Guarded<'_>) -> Broker {
        Broker::with(Some(guarded))
    }

    fn with(guarded: Option<&Guarded<'_>>) -> Broker {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut text = format!(
            "user root\nper_listener_settings true\npersistence true\npersistence_location {}/\n\
             max_queued_messages 0\nset_tcp_nodelay true\nlog_type error\nlog_type warning\n\
             listener {port} 127.0.0.1\nallow_anonymous true\n",
            dir.path().display()
        );
        if let Some(guarded) = guarded {
            text.push_str(&second_listener(guarded, dir.path()));
        }
        Broker::configured(dir, port, &text)
    }

    /// A running broker with this configuration, which is written into `dir`; `port` is a plain listener of it.
    pub fn configured(dir: TempDir, port: u16, text: &str) -> Broker {
        std::fs::write(dir.path().join("mosquitto.conf"), text).unwrap();
        let mut broker = Broker { port, dir, process: None };
        broker.resume();
        broker
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What it has said so far; it has to run.
    pub fn log(&self) -> String {
        self.process.as_ref().unwrap().log()
    }

    /// Starts it again where it was stopped.
    pub fn resume(&mut self) {
        let mut command = command("mosquitto");
        command.arg("-c").arg(self.dir.path().join("mosquitto.conf"));
        let mut process = Process::start(&command, &self.dir.path().join("log"));
        until_true("mosquitto to listen", || {
            assert!(process.runs(), "mosquitto ended: {}", process.log());
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        self.process = Some(process);
    }

    /// While it is stopped: takes away what it has to remember.
    pub fn forget(&self) {
        std::fs::remove_file(self.dir.path().join("mosquitto.db")).unwrap();
    }

    /// Stops it; it writes down what it has to remember.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop();
        }
    }
}

fn second_listener(guarded: &Guarded<'_>, dir: &Path) -> String {
    let mut text = format!("listener {} 127.0.0.1\n", guarded.port);
    if let Some([ca, cert, key]) = guarded.tls {
        let (ca, cert, key) = (ca.display(), cert.display(), key.display());
        write!(text, "cafile {ca}\ncertfile {cert}\nkeyfile {key}\nrequire_certificate true\n").unwrap();
    }
    match guarded.login {
        Some((user, password)) => {
            let file = dir.join("passwords");
            super::process::run(
                command("mosquitto_passwd").arg("-c").arg("-b").arg(&file).args([user, password]),
            );
            write!(text, "allow_anonymous false\npassword_file {}\n", file.display()).unwrap();
        }
        None => text.push_str("allow_anonymous true\n"),
    }
    text
}
