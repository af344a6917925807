//! Checks the files that a configuration names: there, readable, and secrets not open to everybody.
//!
//! Works on the tree and not on the validated types, because places are known here.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::fault::Faults;
use super::held_key::held_key;
use super::tree::{Kind, Node, Table, join};

/// Checks every file that `root` names. Relative paths are relative to the working directory.
pub fn check_files(root: &Table, faults: &Faults) {
    let check = Check { faults };
    if let Some(store) = table(root, "store") {
        check.each(store, "store", "dir", Check::directory);
    }
    if let Some(trust) = table(root, "trust") {
        check.each(trust, "trust", "root", Check::trust_root);
    }
    if let Some(mqtt) = table(root, "mqtt") {
        check.connection(mqtt, "mqtt");
    }
    if let Some(recalibration) = table(root, "recalibration") {
        check.each(recalibration, "recalibration", "key_file", Check::held_key);
    }
    let mut ports: Vec<(PathBuf, String)> = Vec::new();
    for (name, node) in table(root, "source").map_or(&[][..], |sources| &sources.entries) {
        let Some(source) = node.kind.as_table() else { continue };
        let path = join("source", name);
        check.connection(source, &path);
        check.each(source, &path, "file", Check::readable);
        check.each(source, &path, "port", Check::port);
        check.twin(source, name, &mut ports);
    }
}

/// Where systemd puts what it hands over to the service, and where the package has it come from.
const CREDENTIALS: &str = "/run/credentials/calibd.service";
const SEALED: &str = "/etc/calibd/credentials";

fn table<'a>(parent: &'a Table, key: &str) -> Option<&'a Table> {
    parent.get(key)?.kind.as_table()
}

struct Check<'a> {
    faults: &'a Faults,
}

impl Check<'_> {
    fn each(&self, table: &Table, path: &str, key: &str, check: fn(&Self, &Node, &str, &Path)) {
        if let Some(node) = table.get(key)
            && let Kind::String(text) = &node.kind
        {
            check(self, node, &join(path, key), Path::new(text));
        }
    }

    fn connection(&self, table: &Table, path: &str) {
        self.each(table, path, "ca_file", Check::readable);
        self.each(table, path, "cert_file", Check::readable);
        self.each(table, path, "key_file", Check::secret);
        self.each(table, path, "password_file", Check::secret);
    }

    fn readable(&self, node: &Node, key: &str, path: &Path) {
        let shown = path.display();
        match File::open(path).and_then(|file| file.metadata()) {
            Ok(found) if found.is_dir() => {
                self.faults.fault(&node.place, key, format!("{shown} is a directory"), "name a file");
            }
            Ok(_) => {}
            Err(_) if path.starts_with(CREDENTIALS) => self.credential(node, key, path),
            Err(error) => {
                let remedy = "name a file that calibd's user can read";
                self.faults.fault(&node.place, key, format!("{shown} cannot be read: {error}"), remedy);
            }
        }
    }

    /// A credential of systemd that is not there, or not for this process.
    fn credential(&self, node: &Node, key: &str, path: &Path) {
        let shown = path.display();
        let name = path.strip_prefix(CREDENTIALS).unwrap_or(path).to_string_lossy();
        let Some(name) = name.strip_prefix("calibd_") else {
            let remedy = format!("the file NAME of {SEALED} is {CREDENTIALS}/calibd_NAME");
            self.faults.fault(
                &node.place,
                key,
                format!("{shown} is nothing that systemd hands over"),
                remedy,
            );
            return;
        };
        let remedy =
            format!("put it into {SEALED}/{name}, for root alone (mode 0600), and restart the service");
        let inside = std::env::var_os("CREDENTIALS_DIRECTORY").is_some();
        match fs::metadata(Path::new(SEALED).join(name)) {
            // The service will have it.
            Ok(_) if !inside => {}
            Err(error) if !inside && error.kind() != ErrorKind::NotFound => {
                let problem =
                    format!("{shown} is for root and the service alone: whether it is there is not known");
                self.faults.warn(&node.place, key, problem, "look again as root");
            }
            _ => self.faults.fault(&node.place, key, format!("there is no credential {shown}"), remedy),
        }
    }

    fn secret(&self, node: &Node, key: &str, path: &Path) {
        self.readable(node, key, path);
        let Ok(found) = fs::metadata(path) else { return };
        if found.is_file() && found.permissions().mode() & 0o007 != 0 {
            let problem = format!("{} is open to every user of this machine", path.display());
            self.faults.warn(&node.place, key, problem, format!("run `chmod o= {}`", path.display()));
        }
    }

    /// Whoever can open it can sign.
    fn held_key(&self, node: &Node, key: &str, path: &Path) {
        if path.starts_with(CREDENTIALS) && File::open(path).is_err() {
            self.credential(node, key, path);
        } else if let Err(fault) = held_key(path) {
            self.faults.fault(&node.place, key, fault.problem, fault.remedy);
        }
    }

    /// An installed root lives in the ledger, so a missing file is wrong at the first start only.
    fn trust_root(&self, node: &Node, key: &str, path: &Path) {
        if path.exists() {
            self.readable(node, key, path);
            return;
        }
        let problem = format!("{} does not exist", path.display());
        let remedy = "put the root there before the first start; an installed one is kept in the ledger";
        self.faults.warn(&node.place, key, problem, remedy);
    }

    fn directory(&self, node: &Node, key: &str, path: &Path) {
        if path.exists() && !path.is_dir() {
            let problem = format!("{} is not a directory", path.display());
            self.faults.fault(&node.place, key, problem, "name a directory; it is made if it is missing");
        }
    }

    fn port(&self, node: &Node, key: &str, path: &Path) {
        let shown = path.display();
        match fs::metadata(path) {
            Ok(found) if !found.file_type().is_char_device() => {
                let remedy = "name a serial port, best under /dev/serial/by-id";
                self.faults.fault(&node.place, key, format!("{shown} is not a serial port"), remedy);
            }
            Ok(_) => {}
            Err(error) => {
                let remedy = "plug it in or correct the name; the source waits for it";
                self.faults.warn(&node.place, key, format!("{shown} cannot be found: {error}"), remedy);
            }
        }
    }

    /// Finds a port that two sources name differently, as through `/dev/serial/by-id`.
    fn twin(&self, source: &Table, name: &str, ports: &mut Vec<(PathBuf, String)>) {
        let Some(Node { place, kind: Kind::String(text) }) = source.get("port") else { return };
        let Ok(real) = fs::canonicalize(text) else { return };
        // The same name twice is reported where sources are read.
        let twin = ports.iter().find(|(other, written)| *other == real && written != text);
        if twin.is_some() {
            let problem = format!("is {}, which another source reads under another name", real.display());
            let key = join(&join("source", name), "port");
            self.faults.fault(place, key, problem, "give each source its own port");
        }
        ports.push((real, text.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_that_is_not_there_is_said_to_come_from_elsewhere() {
        let text = "[mqtt]\npassword_file = \"/run/credentials/calibd.service/calibd_no-password\"\n\
            key_file = \"/run/credentials/calibd.service/gw.key\"\n\
            [recalibration]\nkey_file = \"/run/credentials/calibd.service/calibd_no.key\"\n";
        let faults = Faults::new();
        check_files(&Table::parse("c.toml", text, &faults), &faults);
        let shown: Vec<String> = faults.take().0.iter().map(ToString::to_string).collect();
        let begins = [
            "c.toml:2: mqtt.password_file: there is no credential /run/credentials/calibd.service/calibd_no-password; put \
             it into /etc/calibd/credentials/no-password, for root alone",
            "c.toml:3: mqtt.key_file: /run/credentials/calibd.service/gw.key is nothing that systemd hands over; the file \
             NAME of /etc/calibd/credentials is /run/credentials/calibd.service/calibd_NAME",
            "c.toml:5: recalibration.key_file: there is no credential",
        ];
        assert_eq!(shown.len(), begins.len(), "{shown:#?}");
        assert!(shown.iter().zip(begins).all(|(shown, begin)| shown.starts_with(begin)), "{shown:#?}");
    }
}
