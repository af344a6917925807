use serde_json::{Value, json};

use super::*;
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::fixtures::{FLEET, ROOT, key, root};
use crate::domain::trust::root::KeyState;

fn document() -> Value {
    json!({
        "schema": 1, "fleet": "plant-7", "model": "b4", "version": 3, "input_unit": "nA", "output_unit": "mg/m3",
        "fit": {
            "parameter_names": ["a", "b"], "parameters": [0.5, 2.0], "covariance": [[0.01, 0.0], [0.0, 0.0001]],
            "residual_std": 0.3, "degrees_of_freedom": 40.0,
        },
        "sensors": 30, "issued_at": "2026-02-01T00:00:00Z", "expires": "2026-12-01T00:00:00Z",
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut document = document();
    *document.pointer_mut(pointer).unwrap() = value;
    document
}

fn judged(
    document: &Value,
    seed: u8,
    scopes: Value,
    floor: Option<(u64, Digest)>,
) -> Result<Accepted, Reason> {
    let bytes = sign(&payload_type("prior"), document.to_string().as_bytes(), &[key(seed)]);
    let (root, fleet) = (root(scopes), Id::new("plant-7").unwrap());
    let now = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
    let time = TimeView { now, trusted: true, floor: now };
    let floors = |model: &str| floor.filter(|_| model == "b4");
    let models = |model: &str| model != "c1";
    let accepted = |digest: &Digest| floor.is_some_and(|(_, floor)| floor == *digest);
    let (root, fleet) = (Some(&root), &fleet);
    let place = Standpoint { root, fleet, models: Some(&models), time, floors: &floors, accepted: &accepted };
    verify_prior(&bytes, &place).map_err(|refused| refused.refusal.reason)
}

#[test]
fn a_prior_of_the_fleet_is_accepted_within_the_scope_of_its_model() {
    let accepted = judged(&document(), FLEET, json!([]), None).unwrap();
    assert_eq!((accepted.prior.fit.parameters, accepted.already_applied), (vec![0.5, 2.0], false));
    assert!(judged(&document(), FLEET, json!([{"models": ["b5"]}, {"models": ["b4"]}]), None).is_ok());
    for scopes in
        [json!([{"models": ["b5"]}]), json!([{"groups": ["north"]}]), json!([{"gateways": ["gw-1"]}])]
    {
        assert_eq!(judged(&document(), FLEET, scopes, None), Err(Reason::OutOfScope));
    }
    assert_eq!(judged(&document(), ROOT, json!([]), None), Err(Reason::RoleNotAllowed));
    assert_eq!(judged(&with("/model", json!("c1")), FLEET, json!([]), None), Err(Reason::NotForThisGateway));
    let elsewhere = judged(&with("/model", json!("c1")), FLEET, json!([{"models": ["b4"]}]), None);
    assert_eq!(elsewhere, Err(Reason::OutOfScope), "who may not say it is told so first");
}

#[test]
fn what_was_accepted_stays_until_its_key_is_revoked_or_its_scope_is_gone() {
    let bytes = sign(&payload_type("prior"), document().to_string().as_bytes(), &[key(FLEET)]);
    let mut old = root(json!([]));
    assert_eq!(verify_kept(&bytes, &old).unwrap().1.version, 3);
    let elsewhere = root(json!([{"models": ["b5"]}]));
    assert_eq!(verify_kept(&bytes, &elsewhere).unwrap_err().reason, Reason::OutOfScope);
    old.keys.get_mut(&key(FLEET).public().id()).unwrap().state = KeyState::Retired;
    assert!(verify_kept(&bytes, &old).is_ok());
    old.keys.get_mut(&key(FLEET).public().id()).unwrap().state = KeyState::Revoked;
    assert_eq!(verify_kept(&bytes, &old).unwrap_err().reason, Reason::KeyRevoked);
    let other = sign(&payload_type("order"), document().to_string().as_bytes(), &[key(FLEET)]);
    assert_eq!(verify_kept(&other, &old).unwrap_err().reason, Reason::WrongType);
}

#[test]
fn the_covariates_of_a_plane_are_named() {
    let plane = |covariates: &[&str]| {
        let mut plane = document();
        plane["covariates"] = json!(covariates);
        plane["fit"]["parameter_names"] = json!(["a", "b1", "b2"]);
        plane["fit"]["parameters"] = json!([0.5, 2.0, 0.1]);
        plane["fit"]["covariance"] = json!([[0.01, 0.0, 0.0], [0.0, 0.0001, 0.0], [0.0, 0.0, 0.01]]);
        plane
    };
    assert!(judged(&plane(&["temperature"]), FLEET, json!([]), None).is_ok());
    assert_eq!(judged(&plane(&[]), FLEET, json!([]), None), Err(Reason::InvalidContent));
}

#[test]
fn versions_of_a_model_only_rise() {
    let digest = judged(&document(), FLEET, json!([]), None).unwrap().digest;
    assert!(judged(&document(), FLEET, json!([]), Some((3, digest))).unwrap().already_applied);
    let other = Some((3, Digest([7; 32])));
    assert_eq!(judged(&document(), FLEET, json!([]), other), Err(Reason::ConflictingVersion));
    assert_eq!(judged(&document(), FLEET, json!([]), Some((4, digest))), Err(Reason::RolledBackVersion));
    assert!(judged(&with("/model", json!("b5")), FLEET, json!([]), Some((4, digest))).is_ok());
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (document, reason) in [
        (with("/schema", json!(2)), Reason::UnknownSchema),
        (with("/version", json!(-1)), Reason::Malformed),
        (with("/fleet", json!("plant-8")), Reason::WrongFleet),
        (with("/expires", json!("2026-05-01T00:00:00Z")), Reason::Expired),
        (with("/version", json!(0)), Reason::InvalidContent),
        (with("/model", json!(" ")), Reason::InvalidContent),
        (with("/issued_at", json!("2026-12-01T00:00:00Z")), Reason::InvalidContent),
        (with("/fit/residual_std", json!(0.0)), Reason::InvalidContent),
        (with("/fit/covariance", json!([[1.0, 2.0], [2.0, 1.0]])), Reason::InvalidContent),
        (with("/fit/parameter_names", json!(["a"])), Reason::InvalidContent),
        (with("/fit/parameter_names", json!(["a", "c"])), Reason::InvalidContent),
        (with("/output_unit", json!("mg per m3")), Reason::InvalidContent),
    ] {
        assert_eq!(judged(&document, FLEET, json!([]), None), Err(reason), "{document}");
    }
}

#[test]
fn what_was_accepted_comes_again_under_a_retired_key() {
    let bytes = sign(&payload_type("prior"), document().to_string().as_bytes(), &[key(FLEET)]);
    let mut retired = root(json!([]));
    retired.keys.get_mut(&key(FLEET).public().id()).unwrap().state = KeyState::Retired;
    let (fleet, now) = (Id::new("plant-7").unwrap(), Timestamp::parse("2026-06-01T00:00:00Z").unwrap());
    let time = TimeView { now, trusted: true, floor: now };
    let digest = verify_kept(&bytes, &retired).unwrap().0;
    let judged = |floor: Option<(u64, Digest)>| {
        let floors = |_: &str| floor;
        let accepted = |digest: &Digest| floor.is_some_and(|(_, floor)| floor == *digest);
        let (root, fleet) = (Some(&retired), &fleet);
        let place = Standpoint { root, fleet, models: None, time, floors: &floors, accepted: &accepted };
        verify_prior(&bytes, &place).map(|it| it.already_applied).map_err(|refused| refused.refusal.reason)
    };
    assert_eq!(judged(Some((3, digest))), Ok(true));
    assert_eq!(judged(Some((3, Digest([1; 32])))), Err(Reason::KeyRetired));
    assert_eq!(judged(None), Err(Reason::KeyRetired));
}
