//! Transforms over the control interface: installed, shown, compared, rolled back.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Output};

use calibd::domain::trust::envelope::Envelope;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::control::{get, post};
use crate::support::gateway::Gateway;
use crate::support::process::Daemon;
use crate::support::trust::{Authority, hours_from_now, transform};
use crate::support::wait::{until, until_true};

/// A gateway whose sensors `co-1` and `temp-1` have 50 readings a second each, from one source.
pub struct Bench {
    pub authority: Authority,
    pub gateway: Gateway,
    pub daemon: Daemon,
}

impl Bench {
    pub fn new() -> Bench {
        let authority = Authority::new();
        let gateway = Gateway::new().trusting(&authority);
        let row = |at: u32| {
            format!("2026-03-10T08:00:00.{:02}Z;{};{}\n", at * 2, 100 + at, 15.0 + f64::from(at) / 8.0)
        };
        let rows: String = (0..50).map(row).collect();
        std::fs::write(gateway.path("live.csv"), format!("time;co;t\n{rows}")).unwrap();
        let source = format!(
            "[source.line]\nkind = \"replay\"\nfile = \"{}\"\nspeed = 1\nloop = true\ntimes = \"now\"\n\
             format = {{ separator = \";\" }}\nfields = {{ co = {{ column = \"co\" }}, t = {{ column = \"t\" }}, \
             time = {{ column = \"time\" }} }}\n\
             [sensor.co-1]\nsource = \"line\"\nfield = \"co\"\nunit = \"nA\"\nuncertainty = 0.25\n\
             covariates = {{ temperature = \"temp-1\" }}\n\
             [sensor.temp-1]\nsource = \"line\"\nfield = \"t\"\nunit = \"Cel\"\nuncertainty = 0.5\n",
            gateway.path("live.csv").display()
        );
        let gateway = gateway.with(&source);
        let daemon = started(&gateway);
        Bench { authority, gateway, daemon }
    }

    pub fn socket(&self, name: &str) -> PathBuf {
        self.gateway.path(format!("run/{name}.sock"))
    }

    /// Ends it and starts it again.
    fn restart(&mut self) {
        assert_eq!(self.daemon.process.stop().code(), Some(0));
        self.daemon = started(&self.gateway);
    }

    /// A file with a signed transform.
    pub fn signed(&self, transform: &Value) -> String {
        self.file("signed.dsse.json", self.authority.signed(transform))
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.gateway.path(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// calibctl at admin.sock.
    pub fn calibctl(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calibctl"));
        command.args(words).arg("--socket").arg(self.socket("admin")).output().unwrap()
    }

    /// What it prints; it has to succeed.
    pub fn prints(&self, words: &[&str]) -> String {
        let output = self.calibctl(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {} {errors}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.prints(&[words, &["--json"]].concat())).unwrap()
    }

    /// What it says; it has to refuse.
    fn refuses(&self, words: &[&str]) -> String {
        let output = self.calibctl(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Has a version installed; answers its digest.
    pub fn install(&self, transform: &Value) -> String {
        let ack = self.json(&["transform", "install", &self.signed(transform)]);
        assert_eq!(ack["verdict"], "accepted", "{ack}");
        ack["digest"].as_str().unwrap().to_owned()
    }

    /// Waits until readings of `co-1` are made with this version, and answers one.
    fn reading_by(&self, version: u64) -> Value {
        until(&format!("a reading by version {version}"), || {
            let last = get(&self.socket("control"), "/v1/sensors/co-1").json()["last"].take();
            (last["transform"]["version"] == version).then_some(last)
        })
    }

    fn floor(&self) -> u64 {
        let db = Connection::open(self.gateway.store().join("ledger.db")).unwrap();
        db.query_row("SELECT version FROM floors WHERE id = 'co'", [], |row| row.get(0)).unwrap()
    }

    fn audited(&self, action: &str) -> Vec<(Value, Value)> {
        let rows = get(&self.socket("control"), "/v1/audit?limit=10000").json()["rows"].take();
        let rows = rows.as_array().unwrap().clone();
        rows.into_iter()
            .filter(|row| row["action"] == action)
            .map(|row| (row["actor"].clone(), row["subject"].clone()))
            .collect()
    }
}

fn started(gateway: &Gateway) -> Daemon {
    let daemon = gateway.start();
    let socket = gateway.path("run/control.sock");
    until_true("somebody to answer", || UnixStream::connect(&socket).is_ok());
    until_true("a reading", || get(&socket, "/v1/sensors/co-1").json()["last"].is_object());
    daemon
}

/// A version whose values are `gain` times the raw ones.
pub fn times(version: u64, gain: f64) -> Value {
    let mut transform = transform(version);
    transform["pipeline"] = json!([{"kind": "affine", "offset": 0.0, "gain": gain}]);
    transform
}

fn is_times(reading: &Value, gain: f64) -> bool {
    reading["value"].as_f64().unwrap() == reading["raw"].as_f64().unwrap() * gain
}

/// Who these tests are, as the audit names them.
fn us() -> String {
    let uid = run(Command::new("id").arg("-u"));
    match Command::new("id").arg("-un").output() {
        Ok(output) if output.status.success() => {
            format!("user:{}", String::from_utf8(output.stdout).unwrap().trim())
        }
        _ => format!("uid:{uid}"),
    }
}

fn run(command: &mut Command) -> String {
    crate::support::process::run(command).trim().to_owned()
}

#[test]
fn a_signed_transform_is_installed_and_others_are_refused_as_from_the_broker() {
    let bench = Bench::new();
    let file = bench.signed(&times(2, 3.0));
    let output = bench.prints(&["transform", "install", &file]);
    assert_eq!(output, "co version 2: in force at 1 sensor\n");
    assert!(is_times(&bench.reading_by(2), 3.0));
    assert_eq!(bench.audited("transform.activated"), [(json!(format!("{}:fleet", us())), json!("co-1"))]);
    let again = bench.json(&["transform", "install", &file]);
    assert_eq!(again["verdict"], "already_applied");

    let plain = bench.file("plain.json", times(3, 1.0).to_string());
    assert!(bench.refuses(&["transform", "install", &plain]).contains("not signed"));
    let authority = &bench.authority;
    let mut elsewhere = times(3, 1.0);
    elsewhere["target"]["sensors"] = json!(["co-9"]);
    let mut unsigned: Value = serde_json::from_slice(&authority.signed(&times(3, 1.0))).unwrap();
    unsigned["signatures"] = json!([]);
    for (reason, envelope) in [
        ("threshold_not_met", unsigned.to_string().into_bytes()),
        ("unknown_key", authority.signed_by("stranger", &times(3, 1.0))),
        ("unknown_sensor", authority.signed(&elsewhere)),
        ("rolled_back_version", authority.signed(&times(1, 1.0))),
        ("malformed", b"{}".to_vec()),
    ] {
        let file = bench.file("refused.json", envelope);
        let said = bench.refuses(&["transform", "install", &file]);
        assert!(said.contains(&format!("refused, {reason}: ")), "{said}");
        let output = bench.calibctl(&["transform", "install", &file, "--json"]);
        let ack: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &ack["reason"]), (Some(1), &json!(reason)), "{ack}");
    }
    assert!(is_times(&bench.reading_by(2), 3.0));
    let refused = bench.audited("artifact.refused");
    assert!(!refused.is_empty() && refused.iter().all(|(actor, _)| *actor == us()), "{refused:?}");
}

#[test]
fn one_whose_time_is_yet_to_come_is_refused_and_does_not_wait() {
    let bench = Bench::new();
    let mut later = times(2, 3.0);
    later["not_before"] = json!(hours_from_now(2));
    let said = bench.refuses(&["transform", "install", &bench.signed(&later)]);
    assert!(said.contains("refused, not_yet_valid: ") && !said.contains("waits"), "{said}");
}

#[test]
fn only_the_socket_of_root_takes_changes() {
    let bench = Bench::new();
    let envelope = bench.authority.signed(&times(2, 3.0));
    for name in ["control", "maintenance"] {
        for path in ["/v1/transforms", "/v1/sensors/co-1/rollback"] {
            let answer = post(&bench.socket(name), path, &envelope);
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(answer.status == 403 && error.contains("use admin.sock"), "{} {error}", answer.status);
        }
    }
    let file = bench.signed(&times(2, 3.0));
    let mut command = Command::new(env!("CARGO_BIN_EXE_calibctl"));
    command.args(["transform", "install", &file, "--socket"]).arg(bench.socket("control"));
    assert_eq!(command.output().unwrap().status.code(), Some(4));
    assert_eq!(get(&bench.socket("control"), "/v1/transforms").json()["transforms"], json!([]));
}

#[test]
fn a_rollback_holds_over_a_restart_until_a_new_version_comes() {
    let mut bench = Bench::new();
    let nothing = bench.refuses(&["transform", "rollback", "co-1", "--yes"]);
    assert!(nothing.contains("nothing was in force at co-1 before"), "{nothing}");
    let one = bench.install(&times(1, 2.0));
    let retained = bench.authority.signed(&times(2, 3.0));
    let ack = post(&bench.socket("admin"), "/v1/transforms", &retained).json();
    let two = ack["digest"].as_str().unwrap();
    assert!(is_times(&bench.reading_by(2), 3.0));

    let unasked = bench.calibctl(&["transform", "rollback", "co-1"]);
    assert_eq!(unasked.status.code(), Some(2));
    let said = String::from_utf8(unasked.stderr).unwrap();
    assert!(said.contains("roll co-1 back from co version 2") && said.contains("--yes"), "{said}");
    let done = bench.prints(&["transform", "rollback", "co-1", "--yes"]);
    assert_eq!(done, "co version 1: in force at co-1 again, until a new version is accepted\n");
    assert!(is_times(&bench.reading_by(1), 2.0));
    assert_eq!(bench.audited("transform.rolled_back"), [(json!(us()), json!("co-1"))]);
    assert_eq!(bench.floor(), 2);

    // What a broker has retained comes with every connection: it takes nothing back.
    for _ in 0..2 {
        let ack = post(&bench.socket("admin"), "/v1/transforms", &retained).json();
        assert_eq!(ack["verdict"], "already_applied", "{ack}");
        assert!(ack["message"].as_str().unwrap().contains("rolled back here at co-1"), "{ack}");
        assert!(is_times(&bench.reading_by(1), 2.0));
        bench.restart();
        assert!(is_times(&bench.reading_by(1), 2.0));
    }
    let old = bench.refuses(&["transform", "install", &bench.signed(&times(1, 2.0))]);
    assert!(old.contains("rolled_back_version"), "{old}");
    let again = bench.json(&["transform", "rollback", "co-1", "--to", &one[..8], "--yes"]);
    assert_eq!(again["verdict"], "already_applied");
    let further = bench.refuses(&["transform", "rollback", "co-1", "--yes"]);
    assert!(further.contains("nothing was in force"), "{further}");

    // Forward again by name, and by a new version.
    bench.prints(&["transform", "rollback", "co-1", "--to", two, "--yes"]);
    assert!(is_times(&bench.reading_by(2), 3.0));
    let three = bench.signed(&times(3, 4.0));
    bench.prints(&["transform", "install", &three]);
    assert!(is_times(&bench.reading_by(3), 4.0));
    let again = bench.json(&["transform", "install", &three]);
    assert_eq!(again["message"], "these very bytes are in force already");

    let past = bench.json(&["transform", "history", "co-1"]);
    let told: Vec<_> = past["transforms"].as_array().unwrap().iter().collect();
    let versions: Vec<_> = told.iter().map(|put| put["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, [3, 2, 1, 2, 1]);
    assert_eq!((&told[0]["until"], &told[1]["until"]), (&Value::Null, &told[0]["since"]));
    assert_eq!((&told[2]["rolled_back"], &told[2]["actor"]), (&json!(true), &json!(us())));
    assert_eq!(past["previous"], json!(two));
    let text = bench.prints(&["transform", "history", "co-1"]);
    assert_eq!((text.lines().count(), text.matches("rolled back").count()), (6, 2), "{text}");
}

#[test]
fn a_rollback_leads_only_to_what_was_accepted_for_the_sensor() {
    let bench = Bench::new();
    bench.install(&times(1, 2.0));
    let mut other = times(1, 1.0);
    other["id"] = json!("temperature");
    other["target"]["sensors"] = json!(["temp-1"]);
    (other["input_unit"], other["output_unit"]) = (json!("Cel"), json!("Cel"));
    let other = bench.install(&other);
    let said = bench.refuses(&["transform", "rollback", "co-1", "--to", &other, "--yes"]);
    assert!(said.contains("refused, unknown_sensor: temperature version 1 is not for sensor co-1"), "{said}");
    let unknown = "0".repeat(64);
    let body = json!({ "digest": unknown }).to_string();
    let path = "/v1/sensors/co-1/rollback";
    let answer = post(&bench.socket("admin"), path, body.as_bytes());
    assert!(answer.status == 404 && answer.text().contains("was accepted here"), "{}", answer.text());
    for body in ["{", r#"{"digest": "12"}"#, r#"{"to": null}"#] {
        assert_eq!(post(&bench.socket("admin"), path, body.as_bytes()).status, 400, "{body}");
    }
    assert_eq!(post(&bench.socket("admin"), "/v1/sensors/nobody/rollback", b"").status, 404);
    assert_eq!(bench.audited("transform.rollback_refused"), [(json!(us()), json!("co-1"))]);
}

#[test]
fn a_rollback_to_what_a_revoked_key_signed_is_refused() {
    let mut bench = Bench::new();
    bench.install(&times(1, 2.0));
    bench.install(&times(2, 3.0));
    assert_eq!(bench.daemon.process.stop().code(), Some(0));
    bench.authority.revoke_fleet();
    let db = Connection::open(bench.gateway.store().join("ledger.db")).unwrap();
    db.execute("DELETE FROM roots", []).unwrap();
    drop(db);
    bench.daemon = started(&bench.gateway);
    let said = bench.refuses(&["transform", "rollback", "co-1", "--yes"]);
    assert!(said.contains("refused, key_revoked: "), "{said}");
    assert_eq!(get(&bench.socket("control"), "/v1/transforms").json()["transforms"], json!([]));
}

#[test]
fn a_transform_is_shown_and_its_envelope_can_be_verified_elsewhere() {
    let bench = Bench::new();
    let mut one = transform(1);
    one["provenance"] = json!({"method": "ols", "pairs": 36, "author": "ann"});
    let digest = bench.install(&one);
    for words in [&["co"][..], &["co-1"], &["--sensor", "co-1"], &[&digest[..8]], &[&digest]] {
        let shown = bench.json(&[&["transform", "show"], words].concat());
        assert_eq!((&shown["digest"], &shown["sensors"]), (&json!(digest), &json!(["co-1"])), "{words:?}");
        assert_eq!(shown["transform"], one);
    }
    let text = bench.prints(&["transform", "show", "co"]);
    for part in
        ["co version 1", "stage 1", "affine: ", "gain 2.0", "input from 0 to 1000000000 nA", "author ann"]
    {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    let envelope = bench.prints(&["transform", "show", "co", "--envelope"]);
    assert_eq!(Envelope::parse(envelope.as_bytes()).unwrap().digest().to_string(), digest);
    let file = bench.file("shown.dsse.json", envelope);
    let mut verify = Command::new(env!("CARGO_BIN_EXE_calibctl"));
    run(verify.args(["verify", &file, "--gateway", "gw-1", "--root"]).arg(bench.authority.root()));
    let said = bench.refuses(&["transform", "show", "nobody"]);
    assert!(said.contains("no transform `nobody` was accepted here"), "{said}");
    let raw = bench.refuses(&["transform", "show", "--sensor", "temp-1"]);
    assert!(raw.contains("no transform is in force at temp-1"), "{raw}");
}

#[test]
fn two_transforms_are_compared_field_by_field_and_value_by_value() {
    let bench = Bench::new();
    let with = |version: u64, gain: f64| {
        let mut transform = times(version, gain);
        transform["domain"]["input"] = json!([0.0, 100.0]);
        transform
    };
    let one = bench.install(&with(1, 2.0));
    let two = bench.install(&with(2, 3.0));
    let fields = |diff: &Value| -> Vec<String> {
        let changes = diff["changes"].as_array().unwrap().iter();
        changes.map(|change| change["field"].as_str().unwrap().to_owned()).collect()
    };
    for words in [&["co"][..], &[&two], &[&one, &two]] {
        let diff = bench.json(&[&["transform", "diff"], words].concat());
        assert_eq!((&diff["old"]["digest"], &diff["new"]["digest"]), (&json!(one), &json!(two)), "{words:?}");
        let fields = fields(&diff);
        assert!(fields.contains(&"pipeline[0].gain".to_owned()) && fields.contains(&"version".to_owned()));
        assert_eq!(diff["effect"]["points"][10]["difference"], json!(100.0));
    }
    // A file that was never in force is compared with what is.
    let file = bench.file("candidate.json", with(3, 3.0).to_string());
    let diff = bench.json(&["transform", "diff", &file]);
    assert_eq!((&diff["old"]["digest"], &diff["new"]["digest"]), (&json!(two), &Value::Null));
    assert!(!fields(&diff).contains(&"pipeline[0].gain".to_owned()), "{diff}");
    let text = bench.prints(&["transform", "diff", "co"]);
    assert!(text.contains("FIELD") && text.contains("DIFFERENCE"), "{text}");
    let first = bench.refuses(&["transform", "diff", &one]);
    assert!(first.contains("before co 1"), "{first}");
}
