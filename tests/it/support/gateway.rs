//! A gateway's directory: configuration, store, log.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::broker::Broker;
use super::history::History;
use super::process::{Daemon, free_port};
use super::trust::Authority;

/// A source of sensors named by their topic, and the field `v` of its messages.
pub const MQTT_SOURCE: &str = r#"
[source.broker]
kind = "mqtt"
topic = "sensors/+name/raw"
qos = 1
format = { kind = "json" }
fields = { value = { pointer = "/v" } }

[sensors."{name}"]
source = "broker"
field = "value"
unit = "nA"
max = 100
"#;

/// Where every reading goes.
pub const UPLINK: &str = r#"
[sink.uplink]
kind = "mqtt"
topic = "calibd/1/{fleet}/up/{gateway}/reading/{sensor}"
qos = 1
start = "oldest"
"#;

/// The topic of everything that the gateway publishes.
pub const UP: &str = "calibd/1/plant-7/up/gw-1";
/// The topic of transforms for this gateway.
pub const DOWN: &str = "calibd/1/plant-7/down/gw/gw-1/transform";

/// A gateway `gw-1` of fleet `plant-7`.
pub struct Gateway {
    dir: TempDir,
    /// The port of its metrics.
    pub http: u16,
    text: String,
}

impl Gateway {
    /// A gateway without sources, broker or root, that commits every 100 ms.
    pub fn new() -> Gateway {
        let dir = tempfile::tempdir().unwrap();
        let http = free_port();
        let store = dir.path().join("store");
        let text = format!(
            "[gateway]\nid = \"gw-1\"\nfleet = \"plant-7\"\nrtc_good = true\n\n[store]\ndir = \"{}\"\ncommit_interval = \"100ms\"\n\n\
             [http]\nlisten = \"127.0.0.1:{http}\"\n\n[control]\ndir = \"{}\"\n",
            store.display(),
            dir.path().join("run").display()
        );
        Gateway { dir, http, text }
    }

    /// Adds lines to the configuration.
    pub fn with(mut self, text: &str) -> Gateway {
        self.text.push('\n');
        self.text.push_str(text);
        self
    }

    /// Leaves it without a clock that is believed before it is synchronised. The others believe that of this machine.
    pub fn without_rtc(mut self) -> Gateway {
        self.text = self.text.replace("rtc_good = true", "rtc_good = false");
        self
    }

    /// Gives it another id.
    pub fn named(mut self, id: &str) -> Gateway {
        self.text = self.text.replace("\"gw-1\"", &format!("\"{id}\""));
        self
    }

    /// Has it say that it is in a group.
    pub fn in_group(mut self, group: &str) -> Gateway {
        self.text = self.text.replace("rtc_good", &format!("groups = [\"{group}\"]\nrtc_good"));
        self
    }

    /// Connects it to a broker.
    pub fn linked_to(self, broker: &Broker) -> Gateway {
        self.with(&format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port))
    }

    /// Makes it trust an authority.
    pub fn trusting(self, authority: &Authority) -> Gateway {
        self.with(&format!("[trust]\nroot = \"{}\"\n", authority.root().display()))
    }

    /// A path in its directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the store's files are.
    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Writes the configuration.
    pub fn configured(&self) -> PathBuf {
        let config = self.path("calibd.toml");
        std::fs::write(&config, &self.text).unwrap();
        config
    }

    /// Its configuration's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes another text where its configuration is.
    pub fn rewrite(&self, text: &str) {
        std::fs::write(self.path("calibd.toml"), text).unwrap();
    }

    /// Starts calibd.
    pub fn start(&self) -> Daemon {
        Daemon::start(&self.configured(), self.http, &self.path("log"))
    }

    /// Starts calibd with this environment in addition.
    pub fn start_with(&self, environment: &[(&str, &str)]) -> Daemon {
        Daemon::start_with(&self.configured(), self.http, &self.path("log"), environment)
    }

    /// What the history holds.
    pub fn history(&self) -> History {
        History::open(&self.store())
    }
}
