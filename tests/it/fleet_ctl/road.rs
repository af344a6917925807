//! A broker, a fleet's keys, gateways, and calibctl.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use calibd::domain::trust::envelope::Envelope;
use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::desk::stderr;
use crate::support::gateway::{Gateway, MQTT_SOURCE};
use crate::support::process::Daemon;
use crate::support::trust::Authority;
use crate::support::wait::until_true;

/// Everything of the fleet.
pub const FLEET: &str = "calibd/1/plant-7";

/// A fleet `plant-7` whose second root has a key that enrols.
pub struct Road {
    pub broker: Broker,
    pub authority: Authority,
    running: RefCell<Vec<Daemon>>,
    gateways: RefCell<Vec<Gateway>>,
}

/// The exit code.
pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// The digest of an envelope.
pub fn digest(envelope: &[u8]) -> Value {
    json!(Envelope::parse(envelope).unwrap().digest())
}

impl Road {
    /// A fleet with a broker of its own.
    pub fn new() -> Road {
        let authority = Authority::new();
        authority.ctl(&["key", "generate", "office"]);
        let office: &[&str] = &["add-key", "--role", "enrol", "--key", "office.pub.pem"];
        authority.next_root(2, &[office]);
        Road { broker: Broker::start(), authority, running: RefCell::default(), gateways: RefCell::default() }
    }

    /// One whose commands go to another broker.
    pub fn beside() -> Road {
        Road::new()
    }

    /// A running gateway that is connected.
    pub fn gateway(&self, id: &str, group: Option<&str>) -> (String, PathBuf) {
        self.gateway_with(id, group, "")
    }

    /// One with more lines of `[trust]`.
    pub fn gateway_with(&self, id: &str, group: Option<&str>, trust: &str) -> (String, PathBuf) {
        let mut gateway = Gateway::new().named(id).with(MQTT_SOURCE);
        if let Some(group) = group {
            gateway = gateway.in_group(group);
        }
        let gateway = gateway.linked_to(&self.broker).trusting(&self.authority).with(trust);
        let mut daemon = gateway.start();
        daemon.linked();
        let key = gateway.store().join("gateway.pub.pem");
        until_true("the gateway to say that it is there", || {
            let list = self.json(&["list"], 0);
            list["gateways"]
                .as_array()
                .unwrap()
                .iter()
                .any(|row| row["gateway"] == id && row["online"] == true)
        });
        self.running.borrow_mut().push(daemon);
        let public = self.path(&format!("{id}.pub.pem"));
        std::fs::copy(key, &public).unwrap();
        self.gateways.borrow_mut().push(gateway);
        (id.to_owned(), public)
    }

    /// The control socket of the gateway that was started as this one, from 0.
    pub fn socket(&self, at: usize) -> PathBuf {
        self.gateways.borrow()[at].path("run/control.sock")
    }

    /// A file in the folder of the keys.
    pub fn path(&self, name: &str) -> PathBuf {
        self.authority.root().parent().unwrap().join(name)
    }

    /// The files below a folder there, by their paths.
    pub fn files(&self, folder: &str) -> Vec<String> {
        fn below(dir: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    below(&path, root, found);
                } else {
                    found.push(path.strip_prefix(root).unwrap().display().to_string());
                }
            }
        }
        let (root, mut found) = (self.path(folder), Vec::new());
        below(&root, &root, &mut found);
        found.sort();
        found
    }

    /// Signs a transform into a file, and gives its name.
    pub fn signed(&self, name: &str, transform: &Value) -> String {
        std::fs::write(self.path(name), self.authority.signed(transform)).unwrap();
        name.to_owned()
    }

    /// The signed enrolment of a gateway with the key in `<key>.pub.pem`.
    pub fn enrolment_of(&self, gateway: &str, key: &str, groups: &[&str], version: u64) -> Vec<u8> {
        let key = std::fs::read_to_string(self.path(&format!("{key}.pub.pem"))).unwrap();
        let enrolment = json!({
            "schema": 1, "fleet": "plant-7", "gateway": gateway, "version": version, "public_key": key,
            "groups": groups, "sensors": {"co-1": {}}, "issued_at": "2026-11-01T00:00:00Z",
        });
        self.authority.signed_as("enrolment", "office", &enrolment)
    }

    /// The same of a running gateway, in a file.
    pub fn enrolment(&self, (id, _): &(String, PathBuf), groups: &[&str], version: u64) -> String {
        let name = format!("{id}.enrolment.json");
        std::fs::write(self.path(&name), self.enrolment_of(id, id, groups, version)).unwrap();
        name
    }

    /// `calibctl fleet` with these arguments.
    pub fn bare(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calibctl"));
        command.current_dir(self.path("")).arg("fleet").args(args);
        command
    }

    /// The same, for the fleet's broker.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bare(args);
        command.args(["--broker", &format!("mqtt://127.0.0.1:{}", self.broker.port), "--fleet", "plant-7"]);
        command
    }

    /// Runs it.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it with `--json`; it must end with this code.
    pub fn json(&self, args: &[&str], wanted: i32) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert_eq!(
            code(&output),
            wanted,
            "{args:?}: {}{}",
            stderr(&output),
            String::from_utf8_lossy(&output.stdout)
        );
        serde_json::from_slice(&output.stdout).unwrap_or_else(|fault| panic!("{args:?}: {fault}"))
    }
}
