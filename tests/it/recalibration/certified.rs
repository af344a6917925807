//! Sessions that end with certificates.

use std::io::Write as _;
use std::process::Command;

use calibd::domain::trust::envelope::Envelope;
use calibd::domain::trust::key::PrivateKey;
use serde_json::{Value, json};

use super::bench::Bench;
use super::{POINTS, stderr, stdout};
use crate::support::broker::Broker;
use crate::support::control::{connect, get, post};
use crate::support::mqtt::Subscriber;

/// What stands on every certificate.
pub const OFFICE: &str = "[certificate]\nrecommend_as_agreed_in = \"contract 7\"\n\
    [certificate.laboratory]\nname = \"Example Metrology Service\"\ncountry = \"DE\"\n\
    [certificate.location]\ndescription = \"plant 7\"\n\
    [certificate.method]\nname = \"comparison with reference gases\"\n";
const EVENTS: &str = "calibd/1/plant-7/up/gw-1/event";

pub fn private_key(bench: &Bench, name: &str) -> PrivateKey {
    PrivateKey::from_pem(&std::fs::read_to_string(bench.key(name)).unwrap()).unwrap()
}

pub fn path(session: &str) -> String {
    format!("/v1/sessions/{session}/certificate")
}

/// A spot check with one point, judged.
pub fn judged(bench: &Bench) -> String {
    let opened = bench.open(json!({"sensor": "co-1", "mode": "spot_check"}));
    let id = opened["session"]["id"].as_str().unwrap().to_owned();
    measured(bench, &id);
    id
}

fn measured(bench: &Bench, id: &str) {
    bench.session(id, "point", json!({"role": "span", "reference": "20 mg/m3", "standard": "co-20"}));
    bench.point_taken(id);
    bench.session(id, "finish", json!({}));
}

/// What the technician is to sign, signed by somebody.
pub fn signed(bench: &Bench, id: &str, by: &str) -> Vec<u8> {
    let technician = private_key(bench, "technician").public().id();
    let offer = get(&bench.socket("maintenance"), &format!("{}?key={technician}", path(id)));
    assert_eq!(offer.status, 200, "{}", offer.text());
    let mut envelope = Envelope::parse(offer.json()["envelope"].to_string().as_bytes()).unwrap();
    envelope.add_signatures(&[private_key(bench, by)]);
    envelope.to_json()
}

#[test]
fn a_scripted_session_ends_with_a_certificate_that_is_believed_without_the_gateway() {
    let broker = Broker::start();
    let above = Subscriber::new(&broker, &[EVENTS]);
    let mut bench = Bench::with(&format!("{OFFICE}[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port));
    bench.daemon.as_mut().unwrap().linked();
    let (points, key) = (bench.file("points.csv", POINTS), bench.key("technician"));
    let words = ["--location", "stack 2", "--remark", "The filter was changed first."];
    let script = ["recalibrate", "co-1", "--points", &points, "--key", &key, "--yes"];
    let output = bench.calibctl(&[&script[..], &words].concat());
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    let head = bench.get("/v1/certificates")["certificates"][0].take();
    let number = head["number"].as_str().unwrap().to_owned();
    assert!(number.starts_with("gw-1-2") && number.ends_with("-0001"), "{number}");
    assert!(text.contains(&format!("certificate {number}: as found fail, as left pass")), "{text}");
    assert_eq!((&head["as_found"], &head["as_left"]), (&json!("fail"), &json!("pass")));
    let state = bench.get("/v1/sessions?all=true")["sessions"][0].take();
    assert_eq!(state["ending"], json!({"done": {"certificate": head["digest"]}}));
    assert_eq!(bench.audited("certificate."), ["certificate.issued"]);
    let event = above
        .await_on(EVENTS, |message| Some(message.json()).filter(|event| event["event"] == "certificate"));
    assert_eq!((&event["number"], &event["digest"]), (&head["number"], &head["digest"]));
    assert_eq!((&event["action"], &event["session"]), (&json!("certificate.issued"), &state["id"]));
    // Whoever comes back is told how it ended.
    let again = stderr(&bench.calibctl(&[&script[..], &["--resume"]].concat()));
    assert!(again.contains("no open session") && again.contains("ended with a certificate"), "{again}");

    // The gateway is gone; the file is left.
    let file = bench.path("signed.json");
    bench.does(&["certificate", "export", &number, "--format", "signed", "-o", &file]);
    bench.daemon.take().unwrap().process.kill();
    let mut verify = Command::new(env!("CARGO_BIN_EXE_calibctl"));
    verify.args(["verify", &file, "--json", "--root"]).arg(bench.authority.root());
    let output = verify.output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["verdict"], &report["number"]), (&json!("accepted"), &head["number"]), "{report}");
    assert_eq!(report["keyids"].as_array().unwrap().len(), 2);
    let envelope = Envelope::parse(&std::fs::read(&file).unwrap()).unwrap();
    let content: Value = serde_json::from_slice(&envelope.payload).unwrap();
    let about = &content["about"];
    assert_eq!(about["location"]["description"], "stack 2");
    assert_eq!(about["deviations"], json!(["The filter was changed first."]));
    assert_eq!(about["authorised_by"]["name"], "technician");
    assert_eq!(about["item"]["instrument"]["element_serial"], "E-1");
    assert_eq!(about["recommended"]["agreement"], "contract 7");
    assert!(about["curve"]["places"].as_array().unwrap().len() > 10, "{}", about["curve"]);
    assert_eq!(content["results"]["conformity"]["as_left"], "pass");
    assert_eq!(content["results"]["as_found"][1]["standard"], "co-20");
}

#[test]
fn a_power_cut_around_the_signature_leaves_one_session_with_one_certificate() {
    let mut bench = Bench::with(OFFICE);
    let id = judged(&bench);
    let signed = signed(&bench, &id, "technician");
    // Before the signature came,
    bench.cut_power();
    // before anybody knows what became of it,
    let mut request =
        format!("POST {} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", path(&id), signed.len())
            .into_bytes();
    request.extend_from_slice(&signed);
    let mut stream = connect(&bench.socket("maintenance"));
    stream.write_all(&request).unwrap();
    bench.cut_power();
    drop(stream);
    let answer = post(&bench.socket("maintenance"), &path(&id), &signed);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let ending = answer.json()["state"]["ending"].take();
    assert!(ending["done"]["certificate"].is_string(), "{ending}");
    // and behind the answer.
    bench.cut_power();
    let again = post(&bench.socket("maintenance"), &path(&id), &signed);
    assert_eq!((again.status, &again.json()["state"]["ending"]), (200, &ending), "{}", again.text());
    let certificates = bench.get("/v1/certificates")["certificates"].take();
    assert_eq!(certificates.as_array().unwrap().len(), 1);
    assert_eq!(certificates[0]["digest"], ending["done"]["certificate"]);
    assert_eq!(bench.audited("certificate."), ["certificate.issued"]);
    assert_eq!(bench.audited("session.ended").len(), 1);
    bench.does(&["audit", "verify"]);
    // The next one has the next number.
    let next = judged(&bench);
    let second = post(&bench.socket("maintenance"), &path(&next), &self::signed(&bench, &next, "technician"));
    assert_eq!(second.status, 200, "{}", second.text());
    let number = bench.get("/v1/certificates")["certificates"][0]["number"].take();
    assert!(number.as_str().unwrap().ends_with("-0002"), "{number}");
}

#[test]
fn what_may_not_be_signed_is_refused_and_the_session_goes_on() {
    let bench = Bench::with(OFFICE);
    let id = judged(&bench);
    let maintenance = bench.socket("maintenance");
    let stranger = private_key(&bench, "stranger").public().id();
    for (query, said) in
        [(String::new(), "say whose key"), (format!("?key={stranger}"), "has no role maintenance")]
    {
        let refused = get(&maintenance, &format!("{}{query}", path(&id)));
        assert_eq!(refused.status, 409);
        assert!(refused.text().contains(said), "{}", refused.text());
    }
    assert_eq!(get(&maintenance, &format!("{}?key=short", path(&id))).status, 400);
    assert_eq!(get(&bench.socket("control"), &path(&id)).status, 403);
    let right = signed(&bench, &id, "technician");
    let mut changed = Envelope::parse(&right).unwrap();
    let text = String::from_utf8(changed.payload).unwrap().replace("-0001\"", "-0009\"");
    changed.payload = text.into_bytes();
    for (envelope, said) in [
        (signed(&bench, &id, "stranger"), "threshold_not_met"),
        (changed.to_json(), "not the certificate of session"),
        (bench.authority.signed_bytes("technician", b"{}"), "the envelope holds no"),
        (b"{}".to_vec(), "malformed"),
    ] {
        let refused = post(&maintenance, &path(&id), &envelope);
        assert_eq!(refused.status, 409, "{}", refused.text());
        assert!(refused.text().contains(said), "{}", refused.text());
    }
    // Measured anew, it is another certificate.
    bench.session(&id, "undo", json!({}));
    assert_eq!(post(&maintenance, &path(&id), &right).status, 409);
    measured(&bench, &id);
    let stale = post(&maintenance, &path(&id), &right);
    assert!(stale.status == 409 && stale.text().contains("get it again"), "{}", stale.text());
    assert_eq!(bench.audited("certificate."), [""; 0]);
    // The command says how to go on.
    let (points, key) = (bench.file("points.csv", POINTS), bench.key("stranger"));
    let script = ["recalibrate", "co-1", "--points", &points, "--resume", "--yes"];
    let output = bench.calibctl(&[&script[..], &["--key", &key]].concat());
    let told = stderr(&output);
    assert!(told.contains("has no role maintenance") && told.contains("--no-certificate"), "{told}");
    bench.calibctl(&[&script[..], &["--no-certificate"]].concat());
    let state = bench.get("/v1/sessions?all=true")["sessions"][0].take();
    assert_eq!(state["ending"], json!({"done": {"certificate": null}}));
}

#[test]
fn without_a_laboratory_a_session_ends_without_a_certificate_and_says_so() {
    let bench = Bench::new();
    let points = bench.file("points.csv", POINTS);
    let output = bench.calibctl(&["recalibrate", "co-1", "--points", &points, "--spot-check", "--yes"]);
    let told = stderr(&output);
    assert!(told.contains("this gateway issues no certificates"), "{told}");
    assert!(stdout(&output).contains("as found fail, not adjusted"), "{}", stdout(&output));
    let state = bench.get("/v1/sessions?all=true")["sessions"][0].take();
    assert_eq!(state["ending"], json!({"done": {"certificate": null}}));
}
