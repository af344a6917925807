//! What a verdict tells the gateway beside yes and no, and how stored transforms are judged again.

use std::sync::Arc;

use calibd::domain::digest::Digest;
use calibd::domain::id::Id;
use calibd::domain::time::Timestamp;
use calibd::domain::transform::artifact::Transform;
use calibd::domain::transform::{Compiled, compile};
use calibd::domain::trust::enrolment::Enrolment;
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
    enrolment: Option<Enrolment>,
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
        Gateway { root, now: NOW, slot: Slot::default(), floor: None, enrolment: None }
    }

    fn with<T>(&self, judge: impl FnOnce(&Context) -> T) -> T {
        let now = Timestamp::parse(self.now).unwrap();
        judge(&Context {
            root: Some(&self.root),
            fleet: &id("plant-7"),
            gateway: Some(&id("gw-1")),
            enrolment: self.enrolment.as_ref(),
            sensors: &|sensor| {
                let facts = SensorFacts { unit: "nA".to_owned(), ..SensorFacts::default() };
                sensor.as_str().starts_with("co-").then_some(facts)
            },
            time: TimeView { now, trusted: true, floor: now },
            slots: &|sensor| if *sensor == id("co-1") { self.slot.clone() } else { Slot::default() },
            floors: &|_| self.floor,
            accepted: &|_| false,
            freshness: None,
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
    gateway.slot =
        Slot { active_id: Some(id("co-old")), local: Some(local), before: Before::Raw, ..Slot::default() };
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

fn compiled(offset: f64) -> Arc<Compiled> {
    let pipeline = json!([{"kind": "affine", "offset": offset, "gain": 0.034}]);
    let document = changed(&[("/pipeline", pipeline)]);
    Arc::new(compile(&Transform::parse(pretty(&document).as_bytes()).unwrap()).unwrap())
}

fn local_of(offset: f64, pointer: &str, value: Value) -> Vec<u8> {
    let mut document = local();
    document["pipeline"][0]["offset"] = json!(offset);
    set(&mut document, pointer, value);
    signed(&document, &[MAINTENANCE])
}

/// The permissible error is 0.2 mg/m3, or 2 % where that is more; half of it is allowed.
fn technician() -> Gateway {
    let scope = json!([{"mpe_share": 0.5}]);
    let mut gateway = Gateway::trusting(&root_with("maintenance", 1, &[MAINTENANCE], scope));
    let enrolment = json!({
        "schema": 1, "fleet": "plant-7", "gateway": "gw-1", "version": 1, "public_key": key(STRANGER).public().to_pem(),
        "sensors": {"co-1": {"mpe": {"absolute": 0.2, "relative": 0.02}}}, "issued_at": "2026-11-01T00:00:00Z",
    });
    gateway.enrolment = Some(Enrolment::parse(enrolment.to_string().as_bytes()).unwrap());
    gateway
}

#[test]
fn steps_of_maintenance_count_from_what_the_fleet_signed() {
    let mut gateway = technician();
    let plain = |offset| local_of(offset, "/replaces", json!([]));
    let reason = |gateway: &Gateway, bytes: &[u8]| {
        gateway.verify(bytes).map(drop).map_err(|refused| refused.refusal.reason)
    };
    let beyond = Err(Reason::LimitsExceeded);
    // Raw readings, or what maintenance put over them, are no baseline.
    assert_eq!(reason(&gateway, &plain(-0.42)), beyond);
    gateway.slot = Slot { before: Before::Active(compiled(-0.4)), baseline: None, ..Slot::default() };
    assert_eq!(reason(&gateway, &plain(-0.42)), beyond);
    gateway.slot.baseline = Some(compiled(-0.42));
    for (offset, expected) in
        [(-0.42, Ok(())), (-0.33, Ok(())), (-0.31, beyond), (-0.51, Ok(())), (-0.53, beyond)]
    {
        // Whatever runs, however close it is.
        for runs in [-0.32, -0.42, offset] {
            gateway.slot.before = Before::Active(compiled(runs));
            assert_eq!(reason(&gateway, &plain(offset)), expected, "{offset} after {runs}");
        }
    }
    // 980 nA are 32.9 mg/m3, of which 2 % are 0.66 and half of that 0.33; 120 nA are 3.66, and there it is 0.1.
    let gain = |gain: f64| local_of(-0.42, "/pipeline/0/gain", json!(gain));
    assert_eq!((reason(&gateway, &gain(0.0343)), reason(&gateway, &gain(0.0345))), (Ok(()), beyond));
    // Nobody but the enrolment says what is permissible.
    let mut bare = technician();
    bare.slot = gateway.slot.clone();
    let enrolled = bare.enrolment.as_mut().unwrap();
    enrolled.sensors.get_mut(&id("co-1")).unwrap().mpe = None;
    assert_eq!(reason(&bare, &plain(-0.42)), Err(Reason::OutOfScope));
    // What is in the ledger stands.
    assert!(gateway.stored(&plain(9.0)).is_ok());
}

#[test]
fn a_signer_cannot_state_away_what_its_scope_allows() {
    let scoped = |limits: Value| root_with("fleet", 1, &[FLEET], json!([{"limits": limits}]));
    let narrow = |outside: &str| json!({"input": [120.0, 120.001], "outside": outside});
    let steep = |domain: Value, unit: &str| {
        let pipeline = json!([{"kind": "affine", "offset": -0.42 - 120.0, "gain": 1.034}]);
        let fields = [
            ("/pipeline", pipeline),
            ("/domain", domain),
            ("/output_unit", json!(unit)),
            ("/limits", json!({})),
        ];
        signed(&changed(&fields), &[FLEET])
    };
    for (limits, reason) in [(json!({"max_step": 2.0}), Err(Reason::LimitsExceeded)), (json!({}), Ok(()))] {
        let mut gateway = Gateway::trusting(&scoped(limits));
        gateway.slot.before = Before::Active(compiled(-0.42));
        let judged = |bytes: &[u8]| gateway.verify(bytes).map(drop).map_err(|refused| refused.refusal.reason);
        assert_eq!(judged(&steep(narrow("extrapolate"), "mg/m3")), reason);
        assert_eq!(judged(&steep(narrow("flag"), "g/m3")), reason);
        assert_eq!(judged(&steep(narrow("flag"), "mg/m3")), Ok(()), "what lies outside is marked");
    }
}
