//! The power is cut at each step of a session, and it goes on.

use serde_json::{Value, json};

use super::bench::Bench;
use crate::support::wait::until_true;

/// What of a session must survive: all but how far a point was.
fn lasting(whole: &Value) -> Value {
    let mut session = whole["session"].clone();
    session["measuring"] = json!(session["measuring"].is_object());
    session
}

struct Visit {
    bench: Bench,
    id: String,
    steps: usize,
}

impl Visit {
    fn now(&self) -> Value {
        self.bench.get(&format!("/v1/sessions/{}", self.id))
    }

    /// The power is cut, and nothing is lost.
    fn cut(&mut self) {
        let before = lasting(&self.now());
        self.bench.cut_power();
        assert_eq!(lasting(&self.now()), before);
        let sensor = self.bench.get("/v1/sensors/co-1");
        assert_eq!(sensor["maintenance"].is_object(), before["stage"] != "ended", "{}", before["stage"]);
        self.steps += 1;
    }

    fn does(&mut self, command: &str, body: Value) {
        self.bench.session(&self.id, command, body);
        self.cut();
    }

    fn point(&mut self, reference: &str, standard: &str) {
        self.does("point", json!({"role": "span", "reference": reference, "standard": standard}));
        self.bench.point_taken(&self.id);
        self.cut();
    }
}

#[test]
fn the_power_may_be_cut_at_every_step() {
    let bench = Bench::new();
    let id = bench.open(json!({"sensor": "co-1"}))["session"]["id"].as_str().unwrap().to_owned();
    let mut visit = Visit { bench, id, steps: 0 };
    visit.cut();
    visit.point("0 mg/m3", "zero-air");
    visit.does("undo", json!({}));
    visit.point("0 mg/m3", "zero-air");
    visit.does("pause", json!({}));
    visit.does("resume", json!({}));
    visit.point("20 mg/m3", "co-20");
    visit.does("finish", json!({}));
    visit.does("fit", json!({}));
    visit.does("discard", json!({}));
    visit.does("fit", json!({"method": "affine"}));
    let payload = visit.now()["session"]["candidate"]["payload"].as_str().unwrap().to_owned();
    let signed = visit.bench.authority.signed_bytes("technician", payload.as_bytes());
    visit.does("approve", json!({"envelope": String::from_utf8(signed).unwrap()}));
    assert_eq!(visit.now()["session"]["stage"], "as_left");
    visit.point("0 mg/m3", "zero-air");
    visit.point("20 mg/m3", "co-20");
    visit.does("finish", json!({}));
    visit.does("end", json!({}));
    assert_eq!(visit.steps, 21);
    let whole = visit.now();
    assert_eq!(
        (&whole["state"]["stage"], &whole["state"]["left"]),
        (&json!("ended"), &json!("pass")),
        "{whole}"
    );
    assert_eq!(visit.bench.get("/v1/sensors/co-1")["transform"]["id"], "local-co-1");
    let verified = visit.bench.calibctl(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn a_power_cut_between_the_end_and_its_effect_leaves_nothing_behind() {
    let mut bench = Bench::new();
    let id = bench.open(json!({"sensor": "co-1"}))["session"]["id"].as_str().unwrap().to_owned();
    bench.daemon.take().unwrap().process.kill();
    // As the ledger is when the end is written, and nothing has come of it yet.
    let ledger = rusqlite::Connection::open(bench.gateway.store().join("ledger.db")).unwrap();
    let read = |sql: &str| -> Value {
        let text: String = ledger.query_row(sql, [], |row| row.get(0)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let mut session = read("SELECT content FROM sessions");
    session["stage"] = json!("ended");
    session["ended"] = json!([{"aborted": {"reason": "rain"}}, session["plan"]["opened"]]);
    let mut rollout = read("SELECT state FROM rollouts WHERE sensor = 'co-1'");
    assert!(rollout["session"].is_boolean(), "{rollout}");
    rollout["session"] = json!(true);
    ledger.execute("UPDATE sessions SET ended = opened, content = ?", [session.to_string()]).unwrap();
    ledger.execute("UPDATE rollouts SET state = ? WHERE sensor = 'co-1'", [rollout.to_string()]).unwrap();
    drop(ledger);
    bench.start();
    until_true("its flag to go", || bench.get("/v1/sensors/co-1")["maintenance"].is_null());
    assert_eq!(bench.audited("maintenance."), ["maintenance.on", "maintenance.off"]);
    assert_eq!(bench.get(&format!("/v1/sessions/{id}"))["state"]["stage"], "ended");
    // The rollout goes on.
    let pushed = bench.file("pushed.json", bench.authority.signed(&super::bench::factory(2)));
    let output = bench.calibctl(&["transform", "install", &pushed]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bench.get("/v1/sensors/co-1")["transform"]["version"], 2);
}

#[test]
fn a_power_cut_between_signature_and_effect_ends_in_one_of_the_two() {
    let bench = Bench::new();
    let id = bench.open(json!({"sensor": "co-1"}))["session"]["id"].as_str().unwrap().to_owned();
    let mut visit = Visit { bench, id, steps: 0 };
    for (reference, standard) in [("0 mg/m3", "zero-air"), ("20 mg/m3", "co-20")] {
        let id = visit.id.clone();
        visit.bench.session(
            &id,
            "point",
            json!({"role": "span", "reference": reference, "standard": standard}),
        );
        visit.bench.point_taken(&id);
    }
    let id = visit.id.clone();
    visit.bench.session(&id, "finish", json!({}));
    let whole = visit.bench.session(&id, "fit", json!({}));
    let payload = whole["session"]["candidate"]["payload"].as_str().unwrap().to_owned();
    let signed = visit.bench.authority.signed_bytes("technician", payload.as_bytes());
    visit.bench.daemon.take().unwrap().process.kill();
    // As the ledger is when the signature is written, and nothing is in force yet.
    let ledger = rusqlite::Connection::open(visit.bench.gateway.store().join("ledger.db")).unwrap();
    let content: String =
        ledger.query_row("SELECT content FROM sessions WHERE id = ?", [&id], |row| row.get(0)).unwrap();
    let mut session: Value = serde_json::from_str(&content).unwrap();
    session["stage"] = json!("approved");
    session["approval"] = json!({"envelope": String::from_utf8(signed).unwrap(), "by": "user:ada", "keys": [],
        "time": "2026-11-22T10:00:00Z", "in_force": null});
    ledger
        .execute("UPDATE sessions SET content = ? WHERE id = ?", [session.to_string(), id.clone()])
        .unwrap();
    drop(ledger);
    visit.bench.start();
    crate::support::wait::until("the transform in force", || {
        (visit.now()["session"]["stage"] == "as_left").then_some(())
    });
    assert_eq!(visit.bench.get("/v1/sensors/co-1")["transform"]["id"], "local-co-1");
    // Again at the way back.
    visit.bench.session(&id, "pause", json!({}));
    visit.bench.session(&id, "abort", json!({"reason": "rain"}));
    assert_eq!(visit.now()["state"]["ending"], json!({"aborted": {"reason": "rain"}}));
    assert_eq!(visit.bench.get("/v1/sensors/co-1")["transform"]["id"], "co");
}
