//! What a verdict tells the gateway beside yes and no, and how stored transforms are judged again.

use std::sync::Arc;

use calibd::domain::digest::Digest;
use calibd::domain::id::Id;
use calibd::domain::time::Timestamp;
use calibd::domain::transform::artifact::Transform;
use calibd::domain::transform::compile;
use calibd::domain::trust::reason::Reason;
use calibd::domain::trust::root::{RoleName, Root};
use calibd::domain::trust::slot::{Before, Floor, Slot};
use calibd::domain::trust::target::SensorFacts;
use calibd::domain::trust::time::TimeView;
use calibd::domain::trust::verify::{Context, Refused, Verified, verify_stored, verify_transform};
use serde_json::{Value, json};

use super::world::*;

/// A gateway with sensors co-1 and co-2, both in nA.
struct Gateway {
    root: Root,
    now: &'static str,
    slot: Slot,
    floor: Option<Floor>,
}

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

impl Gateway {
    fn new() -> Gateway {
        Gateway::trusting(&root())
    }

    fn trusting(document: &Value) -> Gateway {
        let root = Root::verify_first(&signed_root(document), None).unwrap().0;
        Gateway { root, now: NOW, slot: Slot::default(), floor: None }
    }

    fn with<T>(&self, judge: impl FnOnce(&Context) -> T) -> T {
        let now = Timestamp::parse(self.now).unwrap();
        judge(&Context {
            root: Some(&self.root),
            fleet: &id("plant-7"),
            gateway: Some(&id("gw-1")),
            enrolment: None,
            sensors: &|sensor| {
                let facts = SensorFacts { unit: "nA".to_owned(), ..SensorFacts::default() };
                sensor.as_str().starts_with("co-").then_some(facts)
            },
            time: TimeView { now, trusted: true, floor: now },
            slots: &|sensor| if *sensor == id("co-1") { self.slot.clone() } else { Slot::default() },
            floors: &|_| self.floor,
            accepted: &|_| false,
        })
    }

    fn verify(&self, bytes: &[u8]) -> Result<Verified, Refused> {
        self.with(|context| verify_transform(bytes, context))
    }

    fn stored(&self, bytes: &[u8]) -> Result<Verified, Reason> {
        self.with(|context| verify_stored(bytes, context)).map_err(|refused| refused.refusal.reason)
    }
}

#[test]
fn a_verdict_names_sensors_signers_and_what_gives_way() {
    let local = Digest::of(&[b"local"]);
    let mut gateway = Gateway::new();
    gateway.slot = Slot { active_id: Some(id("co-old")), local: Some(local), before: Before::Raw };
    let document = changed(&[
        ("/target/sensors", json!(["co-1", "no2-1", "co-2", "co-1"])),
        ("/replaces", json!(["co-old"])),
        ("/supersedes", json!([local])),
    ]);
    let bytes = signed(&document, &[FLEET, FLEET_2]);
    let verified = gateway.verify(&bytes).unwrap();
    assert_eq!(verified.sensors, [id("co-1"), id("co-2")]);
    assert_eq!(verified.keyids.len(), 2);
    assert_eq!(verified.role, RoleName::Fleet);
    assert_eq!(verified.changes.retires, [(id("co-1"), id("co-old"))]);
    assert_eq!(verified.changes.supersedes, [(id("co-1"), local)]);
    assert_eq!(verified.envelope, bytes);
    assert!(!verified.already_applied);
}

#[test]
fn the_same_bytes_again_are_already_applied() {
    let bytes = signed(&transform(), &[FLEET]);
    let mut gateway = Gateway::new();
    let first = gateway.verify(&bytes).unwrap();
    gateway.floor = Some(Floor { epoch: 1, version: 7, digest: first.digest });
    gateway.slot.active_id = Some(first.transform.id.clone());
    assert!(gateway.verify(&bytes).unwrap().already_applied);
    // Signed by one more: other bytes of the envelope, the same artifact.
    assert!(gateway.verify(&signed(&transform(), &[FLEET, FLEET_2])).unwrap().already_applied);
}

#[test]
fn a_refusal_tells_whether_its_claims_are_to_be_believed() {
    let gateway = Gateway::new();
    let known = gateway.verify(&signed(&changed(&[("/epoch", json!(9))]), &[FLEET])).unwrap_err();
    assert_eq!((known.id, known.version), (Some(id("co-electrochemical")), Some(7)));
    assert!(known.by_known_key && known.digest.is_some());
    let unknown = gateway.verify(&signed(&transform(), &[STRANGER])).unwrap_err();
    assert_eq!((unknown.id, unknown.version, unknown.by_known_key), (None, None, false));
    assert!(unknown.digest.is_some());
    assert_eq!(gateway.verify(b"{").unwrap_err().digest, None);
}

#[test]
fn a_step_is_judged_against_what_runs() {
    let active = compile(&Transform::parse(pretty(&transform()).as_bytes()).unwrap()).unwrap();
    let mut gateway = Gateway::new();
    gateway.slot.before = Before::Active(Arc::new(active));
    let step = |offset: f64, unit: &str| {
        signed(
            &changed(&[
                ("/pipeline", json!([{"kind": "affine", "offset": offset, "gain": 0.034}])),
                ("/output_unit", json!(unit)),
                ("/limits", json!({"max_step": 0.5})),
            ]),
            &[FLEET],
        )
    };
    let reason = |bytes: &[u8]| gateway.verify(bytes).map(drop).map_err(|refused| refused.refusal.reason);
    assert_eq!(reason(&step(-0.02, "mg/m3")), Ok(()));
    assert_eq!(reason(&step(0.18, "mg/m3")), Err(Reason::LimitsExceeded));
    // Another unit would make the step untold: that is no way around the limit.
    assert_eq!(reason(&step(-0.42, "Cel")), Err(Reason::LimitsExceeded));
}

#[test]
fn what_is_stored_outlives_dates_and_retired_keys_but_no_revocation() {
    let mut gateway = Gateway::new();
    gateway.now = "2035-01-01T00:00:00Z";
    gateway.floor = Some(Floor { epoch: 2, version: 1, digest: Digest::of(&[b"newer"]) });
    let by = |seed| signed(&transform(), &[seed]);
    for seed in [FLEET, RETIRED, PAST] {
        assert!(gateway.stored(&by(seed)).unwrap().already_applied);
    }
    assert_eq!(gateway.stored(&by(REVOKED)).unwrap_err(), Reason::KeyRevoked);
    assert_eq!(gateway.stored(&by(STRANGER)).unwrap_err(), Reason::UnknownKey);
    let elsewhere = changed(&[("/target/gateways", json!(["gw-2"]))]);
    assert_eq!(gateway.stored(&signed(&elsewhere, &[FLEET])).unwrap_err(), Reason::NotForThisGateway);
    let narrowed = root_with("fleet", 1, &[FLEET], json!([{"sensors": ["co-2"]}]));
    assert_eq!(Gateway::trusting(&narrowed).stored(&by(FLEET)).unwrap_err(), Reason::OutOfScope);
}
