//! The ledger does not take a step of a session.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::bench::Bench;
use crate::support::wait::{rest, until, until_true};

/// What waits at the desk has been judged again after this time.
pub const JUDGED_AGAIN: Duration = Duration::from_secs(6);

/// Has the ledger refuse rows of `table` of which `when` is so, until it is dropped.
struct Refusing(Connection);

impl Refusing {
    fn rows(bench: &Bench, table: &str, when: &str) -> Refusing {
        let ledger = Connection::open(bench.gateway.store().join("ledger.db")).unwrap();
        ledger.busy_timeout(Duration::from_secs(20)).unwrap();
        let refuse = format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, 'no room'); END"
        );
        ledger.execute_batch(&refuse).unwrap();
        Refusing(ledger)
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        self.0.execute_batch("DROP TRIGGER refuse").unwrap();
    }
}

/// A session with a preview, and the envelope that approves it.
fn fitted(bench: &Bench) -> (String, Value) {
    let (id, whole) = bench.previewed();
    let payload = whole["session"]["candidate"]["payload"].as_str().unwrap();
    let signed = bench.authority.signed_bytes("technician", payload.as_bytes());
    (id, json!({"envelope": String::from_utf8(signed).unwrap()}))
}

fn in_force(bench: &Bench) -> Value {
    bench.get("/v1/sensors/co-1")["transform"]["id"].take()
}

#[test]
fn a_transform_that_the_ledger_did_not_take_does_not_come_into_force_later() {
    let bench = Bench::new();
    let (id, approval) = fitted(&bench);
    let refusing = Refusing::rows(&bench, "activations", "true");
    let whole = bench.session(&id, "approve", approval);
    assert_eq!(whole["session"]["stage"], "preview", "{whole}");
    drop(refusing);
    rest(JUDGED_AGAIN);
    assert_eq!(in_force(&bench), "co");
    // Whoever approved it was told, and nothing is tried again that could end an alarm.
    assert_eq!(bench.get("/v1/health")["healthy"], true);
    bench.session(&id, "abort", json!({"reason": "rain"}));
    assert_eq!(in_force(&bench), "co");
    assert_eq!(bench.audited("transform.activated").len(), 1);
}

#[test]
fn a_step_that_could_not_be_written_is_done_again() {
    let bench = Bench::new();
    let (id, approval) = fitted(&bench);
    let stage = || bench.get(&format!("/v1/sessions/{id}"))["session"]["stage"].take();
    let refusing = Refusing::rows(&bench, "audit", "NEW.action = 'session.activated'");
    bench.session(&id, "approve", approval);
    assert_eq!((stage(), in_force(&bench)), (json!("approved"), json!("local-co-1")));
    drop(refusing);
    until_true("the step to be written", || stage() == "as_left");
    let refusing = Refusing::rows(&bench, "audit", "NEW.action = 'session.restored'");
    bench.session(&id, "abort", json!({"reason": "rain"}));
    assert_eq!((stage(), in_force(&bench)), (json!("reverting"), json!("co")));
    drop(refusing);
    until("the end to be written", || (stage() == "ended").then_some(()));
    let mut steps = bench.audited("session.");
    steps.drain(..steps.len() - 4);
    assert_eq!(steps, ["session.approved", "session.activated", "session.aborted", "session.restored"]);
}
