//! What must not change under a session, and of what no certificate is issued.

use serde_json::{Value, json};

use super::bench::{Bench, factory};
use super::certified::{OFFICE, judged, path, private_key, signed};
use super::stderr;
use crate::support::control::{get, post};

/// Neither is a certificate offered, nor is the one that was signed before taken.
fn is_not_issued(bench: &Bench, id: &str, signed: &[u8], why: &str) {
    let technician = private_key(bench, "technician").public().id();
    let maintenance = bench.socket("maintenance");
    let offered = get(&maintenance, &format!("{}?key={technician}", path(id)));
    let taken = post(&maintenance, &path(id), signed);
    for answer in [offered, taken] {
        assert_eq!(answer.status, 409, "{}", answer.text());
        assert!(
            answer.text().contains(why) && answer.text().contains("--no-certificate"),
            "{}",
            answer.text()
        );
    }
    assert_eq!(bench.audited("certificate."), [""; 0]);
}

#[test]
fn an_instrument_is_not_swapped_in_the_middle_of_a_session() {
    let bench = Bench::with(OFFICE);
    let id = judged(&bench);
    let mount = ["instrument", "mount", "co-1", "--model", "b4", "--serial", "999"];
    let refused = bench.calibctl(&mount);
    assert_eq!(refused.status.code(), Some(1));
    let said = stderr(&refused);
    for words in [&format!("co-1 is being recalibrated (session {id}"), "--abort", "open a new one"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(bench.get("/v1/sensors/co-1")["serial"], "162741");
    // A configuration that has come to name another one counts, but not for the certificate.
    let signed = signed(&bench, &id, "technician");
    bench.gateway.rewrite(&bench.gateway.text().replace("\"162741\"", "\"999\""));
    bench.does(&["reload"]);
    is_not_issued(
        &bench,
        &id,
        &signed,
        "b4 999 is mounted at co-1 now, and the session was opened for b4 162741 E-1",
    );
    bench.session(&id, "end", json!({}));
    bench.does(&mount);
}

#[test]
fn what_runs_is_not_rolled_back_in_the_middle_of_a_session() {
    let bench = Bench::with(OFFICE);
    let second = bench.file("second.json", bench.authority.signed(&factory(2)));
    bench.does(&["transform", "install", &second]);
    let id = judged(&bench);
    let back = ["transform", "rollback", "co-1", "--yes"];
    let refused = bench.calibctl(&[&back[..], &["--json"]].concat());
    let ack: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{ack}");
    assert_eq!((&ack["verdict"], &ack["reason"]), (&json!("refused"), &json!("session_open")), "{ack}");
    assert!(ack["message"].as_str().unwrap().contains(&id), "{ack}");
    assert_eq!(bench.audited("transform.rollback_refused").len(), 1);
    assert_eq!(bench.get("/v1/sensors/co-1")["transform"]["version"], 2);
    bench.session(&id, "abort", json!({}));
    bench.does(&back);
    assert_eq!(bench.get("/v1/sensors/co-1")["transform"]["version"], 1);

    // The fleet may take back what runs at any time; then nothing is certified of it.
    let id = judged(&bench);
    let signed = signed(&bench, &id, "technician");
    let digest = bench.get("/v1/sensors/co-1")["transform"]["digest"].take();
    let order = json!({"schema": 1, "fleet": "plant-7", "id": "co", "serial": 1, "action": "retire", "digest": digest,
        "targets": {"gateways": ["gw-1"], "sensors": ["co-1"]}, "issued_at": "2026-11-01T00:00:00Z"});
    let order = bench.file("order.json", bench.authority.signed_as("order", "fleet", &order));
    bench.does(&["transform", "install", &order]);
    is_not_issued(&bench, &id, &signed, "in force at co-1 is nothing, and the session left");
    bench.session(&id, "end", json!({}));
}
