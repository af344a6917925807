//! A small Debian that boots in a container of systemd-nspawn.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tempfile::TempDir;

use super::made;
use crate::house::files::repository;
use crate::support::disk::rooted;
use crate::support::process::Process;
use crate::support::wait::{until, until_true};

/// Two machines would share the control groups of the tests' own process.
static ONE: Mutex<()> = Mutex::new(());

/// A running machine; what is written there is forgotten with it.
pub struct Machine {
    nspawn: Process,
    /// The number of its first process on this machine.
    first: u32,
    /// What its console says.
    _dir: TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Machine {
    /// Boots one that has folders of this machine at places of its own, and `made::folder()` at `/packages`.
    pub fn boot(binds: &[(&Path, &str)]) -> Machine {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let tree = repository().join("target/machine/tree");
        assert!(tree.is_dir(), "tests/run makes {}", tree.display());
        let rig = repository().join("tests/rig/machine");
        let mut words = vec!["unshare", "--mount", rig.to_str().unwrap(), tree.to_str().unwrap()];
        let packages = format!("--bind-ro={}:/packages", made::folder().display());
        let binds: Vec<String> =
            binds.iter().map(|(here, there)| format!("--bind={}:{there}", here.display())).collect();
        words.push(&packages);
        words.extend(binds.iter().map(String::as_str));
        let dir = tempfile::tempdir().unwrap();
        let mut nspawn = Process::start(&rooted(&words), &dir.path().join("console"));
        let first = until("the machine's first process", || {
            assert!(nspawn.runs(), "systemd-nspawn ended");
            below(nspawn.id(), "systemd")
        });
        let machine = Machine { nspawn, first, _dir: dir, _one: one };
        until_true("the machine to be up", || {
            machine.ask(&["systemctl", "is-system-running", "--wait"]).status.success()
        });
        machine
    }

    /// Boots one and installs the package.
    pub fn installed(binds: &[(&Path, &str)]) -> Machine {
        let machine = Machine::boot(binds);
        machine.does(&["dpkg", "-i", "/packages/new.deb"]);
        machine
    }

    /// What comes of a command there, which root runs.
    pub fn ask(&self, words: &[&str]) -> Output {
        let (first, top) = (self.first.to_string(), format!("--wd=/proc/{}/root", self.first));
        let enter = ["nsenter", "-t", &first, "-m", "-u", "-i", "-n", "-p", "-C", "-r", &top, "--"];
        let clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"];
        rooted(&[&enter[..], &clean, words].concat()).output().unwrap()
    }

    /// What a command there says; it has to succeed.
    pub fn does(&self, words: &[&str]) -> String {
        let output = self.ask(words);
        let (said, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(
            output.status.success(),
            "{words:?}: {}\n{said}\n{errors}\n{}",
            output.status,
            self.journal()
        );
        said
    }

    /// The exit code and the complaint of a command there, which has to fail.
    pub fn refuses(&self, words: &[&str]) -> (i32, String) {
        let output = self.ask(words);
        assert!(!output.status.success(), "{words:?} is done");
        (output.status.code().unwrap(), text(&output.stderr))
    }

    /// Writes a file there.
    pub fn write(&self, path: &str, content: &str) {
        let script = r#"mkdir -p "${1%/*}"; printf %s "$2" >"$1""#;
        self.does(&["sh", "-ec", script, "sh", path, content]);
    }

    /// Lays settings over those of one of the package's units.
    pub fn override_unit(&self, unit: &str, settings: &str) {
        self.write(&format!("/etc/systemd/system/{unit}.d/test.conf"), settings);
        self.does(&["systemctl", "daemon-reload"]);
    }

    /// A property of calibd.service, as systemd has it.
    pub fn shows(&self, property: &str) -> String {
        self.does(&["systemctl", "show", "calibd.service", "--value", "-p", property]).trim().to_owned()
    }

    /// Whether a unit is at work.
    pub fn runs(&self, unit: &str) -> bool {
        self.ask(&["systemctl", "is-active", "--quiet", unit]).status.success()
    }

    /// What systemd and calibd have said about the service so far.
    pub fn journal(&self) -> String {
        text(&self.ask(&["journalctl", "-u", "calibd.service", "-o", "cat", "--no-pager"]).stdout)
    }

    /// Waits until the journal holds `text`.
    pub fn says(&self, text: &str) {
        until_true(&format!("the journal to say `{text}`"), || self.journal().contains(text));
    }

    /// What `calibctl status` says; null while nobody answers.
    pub fn status(&self) -> Value {
        let said = self.ask(&["calibctl", "status", "--json"]).stdout;
        serde_json::from_slice(&said).unwrap_or_default()
    }

    /// Waits until readings of the present run are on the disk.
    pub fn stores(&self) {
        until_true("readings to be stored", || {
            self.status()["store"]["written"].as_u64().is_some_and(|readings| readings > 0)
        });
    }

    /// Lets a sensor speak, and waits until its readings are stored.
    pub fn measures(&self) {
        self.write(super::SENSOR_FILE, super::SENSOR);
        self.does(&["systemctl", "reload", "calibd.service"]);
        self.stores();
    }
}

impl Drop for Machine {
    #[expect(clippy::print_stderr, reason = "a failed test shows what the service said")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- calibd.service said:\n{}", self.journal());
        }
        // With its first process the machine is gone, and nspawn ends.
        let _ = rooted(&["kill", "-KILL", &self.first.to_string()]).status();
        if !std::thread::panicking() {
            self.nspawn.ended();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The first process of this name among those that a process has started, and they.
fn below(process: u32, name: &str) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    children.split_whitespace().filter_map(|child| child.parse().ok()).find_map(|child| {
        let comm = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        if comm.trim() == name { Some(child) } else { below(child, name) }
    })
}
