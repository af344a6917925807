//! The fixtures in `tests/data/trust/<attack>/`: made from fixed seeds by the code beside this file, checked
//! in, and judged from the files.
//!
//! `CALIBD_BLESS=1` writes them anew; otherwise the files must be what the code makes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use calibd::domain::digest::Digest;
use calibd::domain::id::Id;
use calibd::domain::time::Timestamp;
use calibd::domain::trust::envelope::Envelope;
use calibd::domain::trust::reason::Reason;
use calibd::domain::trust::root::Root;
use calibd::domain::trust::slot::{Floor, Slot};
use calibd::domain::trust::target::SensorFacts;
use calibd::domain::trust::time::TimeView;
use calibd::domain::trust::verify::{Context, Refused, Verified, verify_transform};
use serde_json::{Value, json};

use super::world::{NOW, pretty, root, signed_root};
use super::{accepted, refused, transform_attacks};

/// One fixture: an envelope, the gateway's state where it is not the usual one, and the answer.
pub struct Fixture {
    pub name: &'static str,
    pub envelope: Vec<u8>,
    /// A root of its own.
    pub root: Option<Vec<u8>>,
    /// What differs from the usual state; see [`State`].
    pub context: Value,
    /// The gateway's reason; `None`: accepted.
    pub reason: Option<Reason>,
    /// What `calibctl verify` says, which knows less.
    pub offline: Option<Reason>,
}

impl Fixture {
    pub fn new(name: &'static str, reason: impl Into<Option<Reason>>, envelope: Vec<u8>) -> Fixture {
        let reason = reason.into();
        Fixture { name, envelope, root: None, context: json!({}), reason, offline: reason }
    }

    pub fn root(self, document: &Value) -> Fixture {
        Fixture { root: Some(signed_root(document)), ..self }
    }

    pub fn context(self, context: Value) -> Fixture {
        Fixture { context, ..self }
    }

    pub fn offline(self, offline: impl Into<Option<Reason>>) -> Fixture {
        Fixture { offline: offline.into(), ..self }
    }

    fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let line = |value: &Value| format!("{}\n", pretty(value)).into_bytes();
        let expect = json!({"verdict": verdict(self.reason), "reason": self.reason,
            "offline": {"verdict": verdict(self.offline), "reason": self.offline}});
        let mut files = vec![("envelope.json", self.envelope.clone()), ("expect.json", line(&expect))];
        files.extend(self.root.clone().map(|bytes| ("root.json", bytes)));
        if self.context != json!({}) {
            files.push(("context.json", line(&self.context)));
        }
        files
    }
}

fn verdict(reason: Option<Reason>) -> &'static str {
    if reason.is_some() { "refused" } else { "accepted" }
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/trust")
}

fn all() -> Vec<Fixture> {
    [refused::fixtures(), transform_attacks::fixtures(), accepted::fixtures()].into_iter().flatten().collect()
}

#[test]
fn the_files_are_what_the_code_makes() {
    let mut expected = BTreeSet::from(["SOURCES.md", "root.json"].map(PathBuf::from));
    let mut check = |path: PathBuf, bytes: &[u8]| {
        let whole = folder().join(&path);
        if std::env::var_os("CALIBD_BLESS").is_some() {
            fs::create_dir_all(whole.parent().unwrap()).unwrap();
            fs::write(&whole, bytes).unwrap();
        }
        let found = fs::read(&whole).unwrap_or_else(|fault| panic!("{}: {fault}", whole.display()));
        assert!(found == bytes, "{} is not what the code makes; CALIBD_BLESS=1 rewrites it", whole.display());
        expected.insert(path);
    };
    check("root.json".into(), &signed_root(&root()));
    for fixture in all() {
        for (name, bytes) in fixture.files() {
            check(Path::new(fixture.name).join(name), &bytes);
        }
    }
    for entry in walk(&folder()) {
        let path = entry.strip_prefix(folder()).unwrap();
        assert!(expected.contains(path), "{} is made by no fixture", path.display());
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn every_reason_that_can_arise_has_a_fixture() {
    // Sessions and manifests come with later artifacts; a pinned root is tested beside `Root`.
    let later = [Reason::SessionOpen, Reason::NotListed, Reason::StaleManifest];
    let covered: BTreeSet<_> = all().iter().filter_map(|fixture| fixture.reason).collect();
    for reason in Reason::ALL {
        assert_eq!(covered.contains(&reason), !later.contains(&reason), "{reason}");
    }
}

/// A fixture as its files say.
struct Loaded {
    folder: PathBuf,
    envelope: Vec<u8>,
    root: Option<PathBuf>,
    context: Value,
    expect: Value,
}

fn load() -> Vec<Loaded> {
    let folders = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let loaded: Vec<_> = folders.filter(|path| path.is_dir()).map(load_one).collect();
    assert!(loaded.len() > 50, "only {} fixtures", loaded.len());
    loaded
}

fn load_one(folder: PathBuf) -> Loaded {
    let json = |name: &str| serde_json::from_slice(&fs::read(folder.join(name)).ok()?).ok();
    let context: Value = json("context.json").unwrap_or_else(|| json!({}));
    let own = folder.join("root.json");
    let shared = folder.parent().unwrap().join("root.json");
    let root = if own.exists() { own } else { shared };
    Loaded {
        envelope: fs::read(folder.join("envelope.json")).unwrap(),
        expect: json("expect.json").unwrap(),
        root: (context["root"] != json!(false)).then_some(root),
        context,
        folder,
    }
}

impl Loaded {
    fn time(&self, field: &str, usual: &str) -> Timestamp {
        Timestamp::parse(self.context[field].as_str().unwrap_or(usual)).unwrap()
    }

    fn id(&self, field: &str, usual: &str) -> Id {
        Id::new(self.context[field].as_str().unwrap_or(usual)).unwrap()
    }

    /// A digest written out, or `self` for the envelope's own.
    fn digest(&self, value: &Value) -> Digest {
        match value.as_str().unwrap() {
            "self" => Envelope::parse(&self.envelope).unwrap().digest(),
            text => Digest::parse(text).unwrap(),
        }
    }

    fn verify(&self) -> Result<Verified, Refused> {
        let root =
            self.root.as_ref().map(|path| Root::verify_first(&fs::read(path).unwrap(), None).unwrap().0);
        let (fleet, gateway) = (self.id("fleet", "plant-7"), self.id("gateway", "gw-1"));
        let context = Context {
            root: root.as_ref(),
            fleet: &fleet,
            gateway: Some(&gateway),
            enrolment: None,
            sensors: &|id| self.sensor(id),
            time: TimeView {
                now: self.time("now", NOW),
                trusted: self.context["trusted"].as_bool().unwrap_or(true),
                floor: self.time("floor", "2026-11-01T00:00:00Z"),
            },
            slots: &|id| self.slot(id),
            floors: &|id| self.floor(id),
            accepted: &|_| self.context["accepted_before"].as_bool().unwrap_or(false),
            freshness: None,
        };
        verify_transform(&self.envelope, &context)
    }

    fn sensor(&self, id: &Id) -> Option<SensorFacts> {
        let usual = json!({"co-1": {"unit": "nA", "serial": "162741"}});
        let sensors = self.context.get("sensors").unwrap_or(&usual);
        let text = |field: &str| sensors[id.as_str()][field].as_str().map(str::to_owned);
        Some(SensorFacts { unit: text("unit")?, model: text("model"), serial: text("serial") })
    }

    fn slot(&self, id: &Id) -> Slot {
        let slot = &self.context["slots"][id.as_str()];
        let local = (!slot["local"].is_null()).then(|| self.digest(&slot["local"]));
        let active_id = slot["active_id"].as_str().map(|id| Id::new(id).unwrap());
        Slot { active_id, local, ..Slot::default() }
    }

    fn floor(&self, id: &Id) -> Option<Floor> {
        let floor = self.context["floors"].get(id.as_str())?;
        let number = |field: &str| floor[field].as_u64().unwrap();
        let digest = self.digest(&floor["digest"]);
        Some(Floor { epoch: number("epoch"), version: number("version"), digest })
    }
}

#[test]
fn the_gateway_answers_as_expected() {
    let mut wrong = Vec::new();
    for fixture in load() {
        let result = fixture.verify();
        let reason = result.as_ref().err().map(|refused| refused.refusal.reason.as_str());
        let name = fixture.folder.display();
        if json!(reason) != fixture.expect["reason"] {
            wrong.push(format!("{name}: {result:?}"));
        }
        if let Err(refused) = result {
            let message = &refused.refusal.message;
            assert!(message.len() > 10 && message.len() < 400, "{name}: {message}");
            assert!(!message.chars().any(char::is_control), "{name}: {message}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn calibctl_verify_answers_as_far_as_it_can() {
    let mut wrong = Vec::new();
    for fixture in load() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calibctl"));
        command.arg("verify").arg(fixture.folder.join("envelope.json")).arg("--json");
        command.args(["--gateway", fixture.id("gateway", "gw-1").as_str()]);
        command.args(["--now", fixture.time("now", NOW).to_string().as_str()]);
        if let Some(root) = &fixture.root {
            command.arg("--root").arg(root);
        }
        let output = command.output().unwrap();
        let name = fixture.folder.display();
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|fault| panic!("{name}: {fault}: {}", String::from_utf8_lossy(&output.stderr)));
        let expected = &fixture.expect["offline"];
        let code = i32::from(report["verdict"] == "refused");
        let answer = [&report["verdict"], &report["reason"]];
        if answer != [&expected["verdict"], &expected["reason"]] || output.status.code() != Some(code) {
            wrong.push(format!("{name}: {report}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
