use serde_json::{Value, json};

use super::*;
use crate::domain::trust::enrolment::Enrolment;
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::fixtures::{FLEET, GATEWAY, ROOT, id, key, root};
use crate::domain::trust::slot::Slot;
use crate::domain::trust::target::SensorFacts;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn enrolment() -> Enrolment {
    let document = json!({
        "schema": 1, "fleet": "plant-7", "gateway": "gw-1", "version": 1,
        "public_key": key(GATEWAY).public().to_pem(), "groups": ["north"],
        "sensors": {"co-1": {"model": "b4"}, "co-2": {"model": "b5"}}, "issued_at": "2026-02-01T00:00:00Z",
    });
    Enrolment::parse(document.to_string().as_bytes()).unwrap()
}

fn document() -> Value {
    json!({
        "schema": 1, "fleet": "plant-7", "targets": {"gateways": ["gw-1"], "sensors": ["co-1"]},
        "command": "recalibrate", "serial": 12,
        "issued_at": "2026-06-01T00:00:00Z", "expires": "2026-06-01T12:00:00Z",
        "arguments": {"reason": "the span gas of May was off"},
    })
}

fn level() -> Value {
    with(
        &with(&with(&document(), "/command", json!("log_level")), "/targets", json!({"gateways": ["gw-1"]})),
        "/arguments",
        json!({"level": "debug"}),
    )
}

fn with(document: &Value, pointer: &str, value: Value) -> Value {
    let mut document = document.clone();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[field] = value;
    document
}

fn signed(document: &Value, seed: u8) -> Vec<u8> {
    sign(&payload_type("command"), document.to_string().as_bytes(), &[key(seed)])
}

/// A gateway an hour after the command was issued.
struct Here {
    root: Root,
    enrolment: Option<Enrolment>,
    time: TimeView,
    past: Past,
}

impl Here {
    fn new() -> Here {
        let now = at("2026-06-01T01:00:00Z");
        let time = TimeView { now, trusted: true, floor: at("2026-01-01T00:00:00Z") };
        Here { root: root(json!([])), enrolment: None, time, past: Past::default() }
    }

    fn judge(&self, bytes: &[u8]) -> Result<Accepted, Refused> {
        let (fleet, gateway) = (id("plant-7"), id("gw-1"));
        let known = |sensor: &SensorId| sensor.as_str().starts_with("co-").then(SensorFacts::default);
        let ctx = Context {
            root: Some(&self.root),
            fleet: &fleet,
            gateway: Some(&gateway),
            enrolment: self.enrolment.as_ref(),
            sensors: &known,
            time: self.time,
            slots: &|_| Slot::default(),
            floors: &|_| None,
            accepted: &|_| false,
            freshness: None,
        };
        verify_command(bytes, &ctx, &self.past)
    }

    fn reason(&self, document: &Value) -> Reason {
        self.judge(&signed(document, FLEET)).unwrap_err().refusal.reason
    }
}

#[test]
fn a_command_of_the_fleet_is_accepted_with_what_it_wants() {
    let accepted = Here::new().judge(&signed(&document(), FLEET)).unwrap();
    let until = at("2026-07-01T00:00:00Z");
    assert_eq!(accepted.wanted, Wanted::Recalibrate { reason: "the span gas of May was off".into(), until });
    assert_eq!((accepted.sensors, accepted.already_applied), (vec![id("co-1")], false));
    let level = Here::new().judge(&signed(&level(), FLEET)).unwrap();
    assert_eq!((level.wanted, level.sensors), (Wanted::LogLevel("debug".into()), vec![]));
    let withdrawn = with(&document(), "/arguments", json!({"reason": "done", "withdraw": true}));
    let withdrawn = Here::new().judge(&signed(&withdrawn, FLEET)).unwrap();
    assert_eq!(withdrawn.wanted, Wanted::Withdraw { reason: "done".into() });
}

#[test]
fn who_signed_and_what_is_judged_before_what_it_says() {
    let here = Here::new();
    let reason = |bytes: &[u8]| here.judge(bytes).unwrap_err().refusal.reason;
    assert_eq!(reason(&signed(&json!({"nonsense": 1}), ROOT)), Reason::RoleNotAllowed);
    assert_eq!(reason(&signed(&json!({"nonsense": 1}), GATEWAY)), Reason::UnknownKey);
    assert_eq!(reason(&signed(&json!({"nonsense": 1}), FLEET)), Reason::Malformed);
    let order = sign(&payload_type("order"), document().to_string().as_bytes(), &[key(FLEET)]);
    assert_eq!(reason(&order), Reason::WrongType);
    assert_eq!(here.reason(&with(&document(), "/schema", json!(2))), Reason::UnknownSchema);
    assert_eq!(here.reason(&with(&document(), "/extra", json!(2))), Reason::Malformed);
    assert_eq!(here.reason(&with(&document(), "/command", json!("reboot"))), Reason::Malformed);
}

#[test]
fn fleet_scope_and_target_come_before_time_and_serial() {
    let mut here = Here::new();
    here.time.now = at("2026-06-02T00:00:00Z");
    here.past.newest = Some((99, Digest::of(&[b"another"])));
    let targets = |targets: Value| with(&document(), "/targets", targets);
    assert_eq!(here.reason(&with(&document(), "/fleet", json!("plant-8"))), Reason::WrongFleet);
    assert_eq!(
        here.reason(&targets(json!({"gateways": ["gw-2"], "sensors": ["co-1"]}))),
        Reason::NotForThisGateway
    );
    assert_eq!(
        here.reason(&targets(json!({"gateways": ["gw-1"], "sensors": ["no2-1"]}))),
        Reason::UnknownSensor
    );
    assert_eq!(
        here.reason(&targets(json!({"sensors": ["co-1"]}))),
        Reason::NotForThisGateway,
        "not enrolled"
    );
    assert_eq!(here.reason(&document()), Reason::Expired);
    here.time.now = at("2026-06-01T01:00:00Z");
    assert_eq!(here.reason(&document()), Reason::RolledBackVersion);
    here.root = root(json!([{"sensors": ["co-9"]}]));
    assert_eq!(here.reason(&document()), Reason::OutOfScope);
    assert_eq!(here.reason(&level()), Reason::OutOfScope, "of a scope that is for sensors");
}

#[test]
fn an_enrolment_proves_groups_and_models() {
    let mut here = Here::new();
    let north = |document: &Value, more: Value| {
        let mut targets = json!({"groups": ["north"]});
        targets.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with(document, "/targets", targets)
    };
    let model = north(&document(), json!({"models": ["b4"]}));
    assert_eq!(here.reason(&model), Reason::NotForThisGateway);
    assert_eq!(here.reason(&north(&level(), json!({}))), Reason::NotForThisGateway);
    assert_eq!(here.reason(&with(&level(), "/targets", json!({}))), Reason::NotForThisGateway);
    here.enrolment = Some(enrolment());
    assert_eq!(here.judge(&signed(&model, FLEET)).unwrap().sensors, [id("co-1")]);
    assert!(here.judge(&signed(&north(&level(), json!({})), FLEET)).is_ok());
    assert!(here.judge(&signed(&with(&level(), "/targets", json!({})), FLEET)).is_ok(), "the whole fleet");
    here.root = root(json!([{"groups": ["north"]}]));
    assert!(here.judge(&signed(&level(), FLEET)).is_ok());
    here.root = root(json!([{"groups": ["south"]}]));
    assert_eq!(here.reason(&level()), Reason::OutOfScope);
}

#[test]
fn it_has_its_day() {
    let mut here = Here::new();
    for (now, reason) in [
        ("2026-05-31T23:54:00Z", Some(Reason::NotYetValid)),
        ("2026-05-31T23:56:00Z", None),
        ("2026-06-01T11:59:59Z", None),
        ("2026-06-01T12:00:00Z", Some(Reason::Expired)),
        ("2027-01-01T00:00:00Z", Some(Reason::RootExpired)),
    ] {
        here.time.now = at(now);
        assert_eq!(
            here.judge(&signed(&document(), FLEET)).err().map(|it| it.refusal.reason),
            reason,
            "{now}"
        );
    }
    here.time =
        TimeView { now: at("2026-06-01T01:00:00Z"), trusted: false, floor: at("2026-05-31T12:00:00Z") };
    assert_eq!(here.reason(&document()), Reason::ClockUntrusted);
    here.time.floor = at("2026-06-01T02:00:00Z");
    assert!(here.judge(&signed(&document(), FLEET)).is_ok(), "its time is proven to have come");
    here.time.floor = at("2026-06-01T12:00:00Z");
    assert_eq!(here.reason(&document()), Reason::Expired);
    for (field, value) in [("/expires", "2026-06-02T00:00:01Z"), ("/expires", "2026-06-01T00:00:00Z")] {
        let mut here = Here::new();
        here.time.now = at("2026-05-31T23:59:00Z");
        assert_eq!(here.reason(&with(&document(), field, json!(value))), Reason::InvalidContent, "{value}");
    }
}

#[test]
fn the_serial_only_rises() {
    let mut here = Here::new();
    let bytes = signed(&document(), FLEET);
    let digest = here.judge(&bytes).unwrap().digest;
    here.past.newest = Some((12, digest));
    assert!(here.judge(&bytes).unwrap().already_applied);
    assert_eq!(
        here.reason(&with(&document(), "/arguments/reason", json!("another"))),
        Reason::ConflictingVersion
    );
    assert_eq!(here.reason(&with(&document(), "/serial", json!(11))), Reason::RolledBackVersion);
    assert!(!here.judge(&signed(&with(&document(), "/serial", json!(13)), FLEET)).unwrap().already_applied);
}

#[test]
fn what_was_issued_before_the_gateway_began_anew_is_refused() {
    let mut here = Here::new();
    here.past.since = Some(at("2026-06-01T00:30:00Z"));
    let refused = here.judge(&signed(&document(), FLEET)).unwrap_err();
    assert_eq!((refused.refusal.reason, refused.version), (Reason::RolledBackVersion, Some(12)));
    assert!(refused.refusal.message.contains("issue it anew"), "{refused}");
    assert!(
        here.judge(&signed(&with(&document(), "/issued_at", json!("2026-06-01T00:30:00Z")), FLEET)).is_ok()
    );
}

#[test]
fn what_makes_no_sense_is_named() {
    let here = Here::new();
    let long = "x".repeat(501);
    for (document, field) in [
        (with(&document(), "/serial", json!(0)), "serial"),
        (with(&document(), "/arguments", json!({})), "reason"),
        (with(&document(), "/arguments", json!(null)), "arguments"),
        (with(&document(), "/arguments/reason", json!(" ")), "reason"),
        (with(&document(), "/arguments/reason", json!(long)), "reason"),
        (with(&document(), "/arguments/sensor", json!("co-1")), "sensor"),
        (with(&document(), "/arguments/until", json!("2026-05-01T00:00:00Z")), "until"),
        (with(&document(), "/arguments/until", json!("2029-05-01T00:00:00Z")), "until"),
        (with(&level(), "/arguments/level", json!("")), "level"),
        (with(&level(), "/targets", json!({"gateways": ["gw-1"], "sensors": ["co-1"]})), "targets"),
        (with(&level(), "/arguments", json!({"reason": "why"})), "arguments"),
    ] {
        let refusal = here.judge(&signed(&document, FLEET)).unwrap_err().refusal;
        assert_eq!(refusal.reason, Reason::InvalidContent, "{refusal}");
        assert!(refusal.message.contains(field), "{refusal} does not name {field}");
    }
    // It would select all sensors of a gateway that is enrolled.
    let mut enrolled = Here::new();
    enrolled.enrolment = Some(enrolment());
    assert_eq!(
        enrolled.reason(&with(&document(), "/targets", json!({"gateways": ["gw-1"]}))),
        Reason::InvalidContent
    );
}
