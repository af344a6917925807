use serde_json::{Value, json};

use super::*;
use crate::domain::certificate::fixtures::{GATEWAY, TECHNICIAN, key, thermometer, time};
use crate::domain::trust::envelope::sign;

const ROOT: u8 = 1;
const ENROL: u8 = 2;

fn keyid(seed: u8) -> String {
    key(seed).public().id().to_string()
}

fn root(technician: &Value, scopes: &Value) -> Root {
    let mut keys = json!({});
    for seed in [ROOT, ENROL] {
        keys[keyid(seed)] = json!({"public_key": key(seed).public().to_pem()});
    }
    let mut held = json!({"public_key": key(TECHNICIAN).public().to_pem(), "label": "b. fitter"});
    held.as_object_mut().unwrap().extend(technician.as_object().unwrap().clone());
    keys[keyid(TECHNICIAN)] = held;
    let root = json!({
        "schema": 1, "fleet": "plant-7", "version": 3, "epoch": 1,
        "issued_at": "2026-01-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z", "keys": keys,
        "roles": {
            "root": {"threshold": 1, "keyids": [keyid(ROOT)]},
            "enrol": {"threshold": 1, "keyids": [keyid(ENROL)]},
            "maintenance": {"threshold": 1, "keyids": [keyid(TECHNICIAN)], "scopes": scopes},
        },
    });
    Root::parse(root.to_string().as_bytes()).unwrap()
}

fn usual() -> Root {
    root(&json!({}), &json!([]))
}

fn enrolment(gateway: &str, seed: u8) -> Enrolment {
    let document = json!({
        "schema": 1, "fleet": "plant-7", "gateway": gateway, "version": 2,
        "public_key": key(seed).public().to_pem(), "groups": ["north"],
        "sensors": {"t-1": {"model": "example-lig-25", "serial": "T-0815"}},
        "issued_at": "2026-02-01T00:00:00Z",
    });
    Enrolment::parse(document.to_string().as_bytes()).unwrap()
}

fn signed(payload: &[u8], seeds: &[u8]) -> Vec<u8> {
    let keys: Vec<_> = seeds.iter().map(|seed| key(*seed)).collect();
    sign(&payload_type(TYPE), payload, &keys)
}

fn certificate() -> Vec<u8> {
    signed(&thermometer().to_payload().unwrap(), &[GATEWAY, TECHNICIAN])
}

fn changed(change: impl FnOnce(&mut Certificate), seeds: &[u8]) -> Vec<u8> {
    let mut certificate = thermometer();
    change(&mut certificate);
    signed(&certificate.to_payload().unwrap(), seeds)
}

fn judged(bytes: &[u8], root: &Root, enrolment: Option<&Enrolment>) -> Result<Accepted, Reason> {
    let place = Standpoint { root: Some(root), enrolment, now: time("2031-06-01T00:00:00Z") };
    verify_certificate(bytes, &place).map_err(|refused| refused.refusal.reason)
}

#[test]
fn both_signatures_count_years_later() {
    let accepted = judged(&certificate(), &usual(), None).unwrap();
    assert_eq!(accepted.gateway, key(GATEWAY).public().id());
    assert_eq!(accepted.technicians, [key(TECHNICIAN).public().id()]);
    assert_eq!(accepted.notes.len(), 1);
    assert!(accepted.notes[0].contains("not by an enrolment"), "{:?}", accepted.notes);
    let enrolled = judged(&certificate(), &usual(), Some(&enrolment("gw-1", GATEWAY))).unwrap();
    assert!(enrolled.notes.is_empty(), "{:?}", enrolled.notes);
}

#[test]
fn keys_count_as_of_the_moment_of_issue_and_revoked_ones_never() {
    let held = |technician: Value| judged(&certificate(), &root(&technician, &json!([])), None);
    let later = held(json!({"state": "retired", "not_after": "2026-12-31T00:00:00Z"})).unwrap();
    assert!(later.notes.iter().any(|note| note.contains("retired")), "{:?}", later.notes);
    assert!(later.notes.iter().any(|note| note.contains("signed before")), "{:?}", later.notes);
    for (technician, reason) in [
        (json!({"state": "revoked"}), Reason::KeyRevoked),
        (json!({"not_after": "2026-05-04T12:30:00Z"}), Reason::KeyNotValidNow),
        (json!({"not_before": "2026-05-04T12:30:01Z"}), Reason::KeyNotValidNow),
    ] {
        assert_eq!(held(technician.clone()).unwrap_err(), reason, "{technician}");
    }
}

#[test]
fn signatures_that_are_named_cannot_be_taken_away() {
    let payload = thermometer().to_payload().unwrap();
    for seeds in [&[GATEWAY][..], &[TECHNICIAN], &[]] {
        let reason = judged(&signed(&payload, seeds), &usual(), None).unwrap_err();
        assert_eq!(reason, Reason::ThresholdNotMet, "{seeds:?}");
    }
    let text = String::from_utf8(payload).unwrap().replace("A. Example", "B. Example");
    let mut envelope = Envelope::parse(&certificate()).unwrap();
    envelope.payload = text.into_bytes();
    assert_eq!(judged(&envelope.to_json(), &usual(), None).unwrap_err(), Reason::BadSignature);
}

#[test]
fn a_gateway_alone_needs_its_enrolment() {
    let alone = changed(|it| it.about.signed_by.technicians.clear(), &[GATEWAY]);
    assert_eq!(judged(&alone, &usual(), None).unwrap_err(), Reason::UnknownKey);
    let accepted = judged(&alone, &usual(), Some(&enrolment("gw-1", GATEWAY))).unwrap();
    assert!(accepted.technicians.is_empty());
    assert_eq!(accepted.notes, ["no technician signed, only the gateway"]);
    for (enrolment, reason) in
        [(enrolment("gw-2", GATEWAY), Reason::NotForThisGateway), (enrolment("gw-1", 9), Reason::UnknownKey)]
    {
        assert_eq!(judged(&certificate(), &usual(), Some(&enrolment)).unwrap_err(), reason);
    }
}

#[test]
fn whoever_signs_needs_the_role_and_its_scope() {
    let other = |seed: u8| {
        changed(|it| it.about.signed_by.technicians = vec![key(seed).public().id()], &[GATEWAY, seed])
    };
    assert_eq!(judged(&other(ENROL), &usual(), None).unwrap_err(), Reason::RoleNotAllowed);
    assert_eq!(judged(&other(9), &usual(), None).unwrap_err(), Reason::UnknownKey);
    let scoped = |scope: Value| root(&json!({}), &json!([scope]));
    let enrolled = enrolment("gw-1", GATEWAY);
    let elsewhere = scoped(json!({"sensors": ["t-2"]}));
    assert_eq!(judged(&certificate(), &elsewhere, None).unwrap_err(), Reason::OutOfScope);
    let south = scoped(json!({"groups": ["south"]}));
    assert!(judged(&certificate(), &south, None).is_ok(), "only an enrolment can tell");
    assert_eq!(judged(&certificate(), &south, Some(&enrolled)).unwrap_err(), Reason::OutOfScope);
    assert!(judged(&certificate(), &scoped(json!({"groups": ["north"]})), Some(&enrolled)).is_ok());
}

#[test]
fn a_gateway_signs_what_technicians_may_sign_today() {
    let certificate = thermometer();
    let payload = certificate.to_payload().unwrap();
    let enrolled = enrolment("gw-1", GATEWAY);
    let judged = |seeds: &[u8], root: &Root, at: &str| {
        let envelope = Envelope::parse(&signed(&payload, seeds)).unwrap();
        let whose = Place { gateway: Some(&certificate.about.gateway), enrolment: Some(&enrolled) };
        let time = TimeView { now: time(at), trusted: true, floor: Timestamp::EPOCH };
        may_sign(&certificate, &envelope, root, whose, &time).map_err(|refusal| refusal.reason)
    };
    let today = "2026-05-04T12:40:00Z";
    assert_eq!(judged(&[TECHNICIAN], &usual(), today), Ok(()));
    assert_eq!(judged(&[], &usual(), today), Err(Reason::ThresholdNotMet));
    assert_eq!(judged(&[ENROL], &usual(), today), Err(Reason::ThresholdNotMet));
    // Beyond the 90 days under an expired root.
    assert_eq!(judged(&[TECHNICIAN], &usual(), "2027-04-02T00:00:00Z"), Err(Reason::RootExpired));
    for (technician, scopes, wanted) in [
        (json!({"state": "retired"}), json!([]), Err(Reason::KeyRetired)),
        (json!({"not_after": "2026-05-04T12:35:00Z"}), json!([]), Err(Reason::KeyNotValidNow)),
        (json!({}), json!([{"sensors": ["t-2"]}]), Err(Reason::OutOfScope)),
        (json!({}), json!([{"gateways": ["gw-2"]}]), Err(Reason::OutOfScope)),
        (json!({}), json!([{"groups": ["south"]}]), Err(Reason::OutOfScope)),
        (json!({}), json!([{"gateways": ["gw-1"], "groups": ["north"]}]), Ok(())),
    ] {
        assert_eq!(
            judged(&[TECHNICIAN], &root(&technician, &scopes), today),
            wanted,
            "{technician} {scopes}"
        );
    }
}

#[test]
fn fleet_and_dates_have_to_fit() {
    let fleet =
        changed(|it| it.about.fleet = crate::domain::id::Id::new("plant-8").unwrap(), &[GATEWAY, TECHNICIAN]);
    assert_eq!(judged(&fleet, &usual(), None).unwrap_err(), Reason::WrongFleet);
    let late = |at: &str| changed(|it| it.about.issued = time(at), &[GATEWAY, TECHNICIAN]);
    // maintenance goes on for 90 days under an expired root
    assert!(judged(&late("2027-03-31T00:00:00Z"), &usual(), None).is_ok());
    assert_eq!(judged(&late("2027-04-01T00:00:00Z"), &usual(), None).unwrap_err(), Reason::RootExpired);
    let early = Standpoint { root: Some(&usual()), enrolment: None, now: time("2026-05-04T12:29:00Z") };
    let refused = verify_certificate(&certificate(), &early).unwrap_err();
    assert_eq!(refused.refusal.reason, Reason::NotYetValid);
    let rootless = verify_certificate(&certificate(), &Standpoint { root: None, ..early }).unwrap_err();
    assert_eq!(rootless.refusal.reason, Reason::NoRoot);
    let order = sign(&payload_type("order"), b"{}", &[key(GATEWAY)]);
    assert_eq!(judged(&order, &usual(), None).unwrap_err(), Reason::WrongType);
}

#[test]
fn what_a_gateway_keeps_is_whole_if_its_own_key_signed_it() {
    let bytes = certificate();
    let digest = Envelope::parse(&bytes).unwrap().digest();
    assert_eq!(verify_kept(&bytes), Ok((digest, "gw-1-2026-0007".to_owned())));
    let mut changed = Envelope::parse(&bytes).unwrap();
    let text = String::from_utf8(changed.payload).unwrap().replace("A. Example", "B. Example");
    changed.payload = text.into_bytes();
    let reasons = [
        changed.to_json(),
        signed(b"{}", &[GATEWAY]),
        sign(&payload_type("order"), b"{}", &[key(GATEWAY)]),
        b"{}".to_vec(),
    ]
    .map(|bytes| verify_kept(&bytes).unwrap_err().reason);
    assert_eq!(reasons, [Reason::BadSignature, Reason::Malformed, Reason::WrongType, Reason::Malformed]);
}
