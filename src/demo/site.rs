//! The directory of a demo: keys, root, configuration, databases, log.

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::dataset::{MISSING, REFERENCE_COLUMN, SENSOR_COLUMN};
use super::error::DemoError;
use super::fleet::{FLEET, Fleet, GATEWAY};
use super::voice::Voice;
use crate::daemon::identity::PUBLIC_FILE;
use crate::domain::trust::key::PublicKey;
use crate::runtime::random;

/// The signed trust root.
pub const ROOT: &str = "root.json";
/// What the technician signs with.
pub const TECHNICIAN_KEY: &str = "technician.key.pem";
/// Hours that a point of the recalibration is the mean of, at least: the error of one hour says little of the next
/// ones, and the mean over a day and a half is judged to a few tenths of a milligram.
const POINT_HOURS: f64 = 36.0;
/// Lines of the log that are shown after a failure.
const LAST_LINES: usize = 12;

/// Free ports of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// Where the operator meets the broker.
    pub operator: u16,
    /// Where the gateway meets the broker.
    pub gateways: u16,
    /// Where calibd serves its metrics.
    pub metrics: u16,
}

impl Ports {
    /// Three ports that nobody uses now.
    pub fn free() -> Result<Ports, DemoError> {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let all = || {
            // All are held until all are known, so that they differ.
            let held = [bind()?, bind()?, bind()?];
            let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
            Ok(Ports { operator: port(&held[0])?, gateways: port(&held[1])?, metrics: port(&held[2])? })
        };
        all().map_err(DemoError::io("no free port on 127.0.0.1"))
    }
}

/// The directory; a temporary one goes away with this value, unless it is to be kept.
#[derive(Debug)]
pub struct Site {
    dir: PathBuf,
    temporary: Cell<bool>,
}

impl Site {
    /// Takes the empty or new directory `wanted`, or makes a temporary one that only its owner can read.
    pub fn create(wanted: Option<&Path>) -> Result<Site, DemoError> {
        let name = || format!("calibd-demo-{:08x}", random::bits() as u32);
        let dir = wanted.map_or_else(|| std::env::temp_dir().join(name()), Path::to_owned);
        let io = |dir: &Path| DemoError::io(dir.display().to_string());
        if let Ok(mut entries) = fs::read_dir(&dir)
            && entries.next().is_some()
        {
            return Err(DemoError::InUse(dir.display().to_string()));
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io(&dir))?;
        let dir = dir.canonicalize().map_err(io(&dir))?;
        Ok(Site { dir, temporary: Cell::new(wanted.is_none()) })
    }

    /// A path below the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where calibd's control sockets are. A socket's address has room for 107 bytes; the demo works without.
    pub fn control(&self) -> Option<PathBuf> {
        Some(self.path("run")).filter(|control| control.as_os_str().len() <= 80)
    }

    /// Keeps the directory, and names it.
    pub fn keep(&self) -> &Path {
        self.temporary.set(false);
        &self.dir
    }

    /// Whether the directory stays.
    pub fn is_kept(&self) -> bool {
        !self.temporary.get()
    }

    /// Writes the keys and the root.
    pub fn write_trust(&self, fleet: &Fleet) -> Result<(), DemoError> {
        self.write("root.key.pem", 0o600, fleet.root_key.to_pem().as_bytes())?;
        self.write("fleet.key.pem", 0o600, fleet.fleet_key.to_pem().as_bytes())?;
        self.write(TECHNICIAN_KEY, 0o600, fleet.technician_key.to_pem().as_bytes())?;
        self.write(ROOT, 0o644, &fleet.root()?)
    }

    /// Writes calibd's configuration for a serial `port` that so many hours of the data set come from in a second.
    pub fn write_config(&self, port: &str, speed: f64, ports: &Ports) -> Result<(), DemoError> {
        let text = self.config(port, speed, ports)?;
        self.write("calibd.toml", 0o644, text.as_bytes())
    }

    fn write(&self, name: &str, mode: u32, bytes: &[u8]) -> Result<(), DemoError> {
        let path = self.path(name);
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        let written = opened.and_then(|mut file| file.write_all(bytes));
        written.map_err(DemoError::io(path.display().to_string()))
    }

    fn config(&self, port: &str, speed: f64, ports: &Ports) -> Result<String, DemoError> {
        let quoted = |path: &Path| {
            let text =
                path.to_str().ok_or_else(|| DemoError::Setup(format!("{}: not UTF-8", path.display())))?;
            // A JSON string is a TOML string too.
            Ok(serde_json::Value::from(text).to_string())
        };
        let (store, root) = (quoted(&self.path("store"))?, quoted(&self.path(ROOT))?);
        let control = match self.control() {
            Some(control) => format!("\n[control]\ndir = {}\n", quoted(&control)?),
            None => String::new(),
        };
        let Ports { gateways, metrics, .. } = ports;
        let t90 = POINT_HOURS / speed;
        Ok(format!(
            r#"# Written by `calibd demo`.

[gateway]
id = "{GATEWAY}"
fleet = "{FLEET}"
rtc_good = true

[store]
dir = {store}

[trust]
root = {root}

[mqtt]
url = "mqtt://127.0.0.1:{gateways}"

[http]
listen = "127.0.0.1:{metrics}"
{control}
[source.line1]
kind = "serial"
port = "{port}"
baud = 115200
format = {{ kind = "csv", separator = ";", decimal = "," }}
[source.line1.fields]
reference = {{ column = {REFERENCE_COLUMN}, missing = [{MISSING}] }}
co = {{ column = {SENSOR_COLUMN}, missing = [{MISSING}] }}
time = {{ columns = [0, 1], format = "%d/%m/%Y %H.%M.%S", offset = "+01:00" }}

[sensor.co-1]
source = "line1"
field = "co"
quantity = "carbon monoxide mass concentration"
unit = "1"
period = "1h"
mpe = {{ absolute = 1.0 }}
reference = {{ sensor = "co-ref", uncertainty = 0.1 }}

# The detector needs 2,000 pairs, twelve weeks of hours, for the false alarms that are promised; here are nine weeks.
[sensor.co-1.drift]
baseline = 400
objective = {{ share = 0.9 }}

# Street air is not still: a point is the mean over 36 hours or more. What counts is the time that passes here.
[sensor.co-1.recalibration]
t90 = "{t90:.3}s"
max_drift = 0.5
max_scatter = 0.75
time_limit = "5m"

[certificate.laboratory]
name = "calibd demo, which is no laboratory"
country = "IT"

[certificate.location]
description = "beside the analyser, in the street"

[certificate.method]
name = "comparison with the reference analyser in street air"

[sensor.co-ref]
source = "line1"
field = "reference"
quantity = "carbon monoxide mass concentration"
unit = "mg/m3"

# Hours go by in a second here, which is no time to wait for.
[alerts]
settling = "0s"

[alerts.slo]
raise_after = "0s"
clear_after = "0s"

[alerts.drift]
raise_after = "0s"

[alerts.forecast]
raise_after = "0s"

[sink.uplink]
kind = "mqtt"
topic = "calibd/1/{{fleet}}/up/{{gateway}}/reading/{{sensor}}"
qos = 1
"#
        ))
    }

    /// The gateway's public key, which its acks are checked with: in a fleet it is enrolled.
    pub fn gateway_key(&self) -> Result<PublicKey, DemoError> {
        let path = self.path("store").join(PUBLIC_FILE);
        let text = fs::read_to_string(&path).map_err(DemoError::io(path.display().to_string()))?;
        PublicKey::from_pem(&text).map_err(|fault| DemoError::Setup(format!("{}: {fault}", path.display())))
    }

    /// Shows the end of calibd's log.
    pub fn show_log(&self, voice: &Voice) {
        let log = fs::read(self.path("calibd.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
            voice.complain(&format!("log: {line}"));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.temporary.get() {
            // Best effort: what stays behind is in the machine's temporary directory.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    #[test]
    fn the_configuration_is_valid_and_says_where_things_are() {
        let dir = tempfile::tempdir().unwrap();
        let site = Site::create(Some(&dir.path().join("new \"place\""))).unwrap();
        site.write_trust(&Fleet::new().unwrap()).unwrap();
        site.write_config("/dev/null", 60.0, &Ports::free().unwrap()).unwrap();
        let loaded = load(&site.path("calibd.toml")).unwrap();
        assert_eq!(loaded.warnings, []);
        assert_eq!(loaded.config.store.dir, site.path("store"));
        assert_eq!(loaded.config.sensors.len(), 2);
    }

    #[test]
    fn a_directory_in_use_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.txt"), "mine").unwrap();
        let error = Site::create(Some(dir.path())).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(dir.path().join("thesis.txt").exists());
    }

    #[test]
    fn a_temporary_directory_goes_away_unless_it_is_kept() {
        let site = Site::create(None).unwrap();
        let path = site.path("");
        drop(site);
        assert!(!path.exists());
        let site = Site::create(None).unwrap();
        let path = site.keep().to_owned();
        drop(site);
        assert!(path.exists());
        fs::remove_dir(path).unwrap();
    }
}
