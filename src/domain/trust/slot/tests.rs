use serde_json::json;

use super::*;

fn transform(epoch: u64, version: u64, replaces: &[&str], supersedes: &[Digest]) -> Transform {
    let document = json!({
        "schema": 1, "id": "co", "epoch": epoch, "version": version, "replaces": replaces,
        "target": {"fleet": "f", "gateways": ["g"], "sensors": ["a", "b"]},
        "quantity": "q", "input_unit": "mV", "output_unit": "mV", "pipeline": [],
        "supersedes": supersedes,
        "issued_at": "2026-01-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z",
    });
    Transform::parse(document.to_string().as_bytes()).unwrap()
}

fn digest(text: &str) -> Digest {
    Digest::of(&[text.as_bytes()])
}

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

#[test]
fn floors_compare_the_epoch_first() {
    let floor = Some(Floor { epoch: 2, version: 5, digest: digest("old") });
    let check = |epoch, version, text| {
        check_floor(&transform(epoch, version, &[], &[]), digest(text), floor).map_err(|r| r.reason)
    };
    assert_eq!(check(2, 4, "new"), Err(Reason::RolledBackVersion));
    assert_eq!(check(1, 9, "new"), Err(Reason::RolledBackVersion));
    assert_eq!(check(2, 5, "new"), Err(Reason::ConflictingVersion));
    assert_eq!(check(2, 5, "old"), Ok(true));
    assert_eq!(check(2, 6, "new"), Ok(false));
    assert_eq!(check(3, 1, "new"), Ok(false));
    assert_eq!(check_floor(&transform(1, 1, &[], &[]), digest("new"), None), Ok(false));
}

fn slots(
    transform: &Transform,
    role: RoleName,
    owner: Option<&str>,
    local: Option<Digest>,
) -> Result<Changes, Reason> {
    let slot = Slot { active_id: owner.map(id), local, before: Before::Raw, ..Slot::default() };
    let (a, b) = (id("a"), id("b"));
    let free = Slot::default();
    check_slots(transform, role, [(&a, &free), (&b, &slot)].into_iter()).map_err(|refusal| refusal.reason)
}

#[test]
fn another_id_takes_a_sensor_only_by_naming_the_owner() {
    let fleet = RoleName::Fleet;
    assert_eq!(slots(&transform(1, 1, &[], &[]), fleet, Some("co"), None), Ok(Changes::default()));
    assert_eq!(slots(&transform(1, 1, &["x"], &[]), fleet, Some("old"), None), Err(Reason::Conflict));
    let changes = slots(&transform(1, 1, &["old"], &[]), fleet, Some("old"), None).unwrap();
    assert_eq!(changes.retires, [(id("b"), id("old"))]);
}

#[test]
fn a_maintenance_transform_stays_until_it_is_named() {
    let (local, fleet) = (digest("local"), RoleName::Fleet);
    assert_eq!(slots(&transform(1, 1, &[], &[]), fleet, None, Some(local)), Err(Reason::LocalInForce));
    let changes = slots(&transform(1, 1, &[], &[local]), fleet, None, Some(local)).unwrap();
    assert_eq!(changes.supersedes, [(id("b"), local)]);
    let overlay = slots(&transform(1, 1, &[], &[]), RoleName::Maintenance, Some("old"), Some(local));
    assert_eq!(overlay, Ok(Changes::default()));
}

#[test]
fn a_conflict_comes_before_a_local_one() {
    let result = slots(&transform(1, 1, &[], &[]), RoleName::Fleet, Some("old"), Some(digest("local")));
    assert_eq!(result, Err(Reason::Conflict));
}

#[test]
fn while_a_session_is_open_only_its_own_transform_passes() {
    let made_in = |session: &str| {
        let mut transform = transform(1, 1, &[], &[]);
        transform.provenance.session = Some(session.to_owned());
        transform
    };
    let sensor = id("a");
    let check = |transform: &Transform, role, slot: &Slot| {
        check_slots(transform, role, [(&sensor, slot)].into_iter()).map_err(|refusal| refusal.reason)
    };
    let open = Slot { session: Some(id("s-1")), ..Slot::default() };
    let (fleet, maintenance) = (RoleName::Fleet, RoleName::Maintenance);
    assert_eq!(check(&transform(1, 1, &[], &[]), fleet, &open), Err(Reason::SessionOpen));
    assert_eq!(check(&made_in("s-1"), fleet, &open), Err(Reason::SessionOpen));
    assert_eq!(check(&made_in("s-2"), maintenance, &open), Err(Reason::SessionOpen));
    assert_eq!(check(&made_in("s-1"), maintenance, &open), Ok(Changes::default()));
    // "conflict, local_in_force, session_open"
    let local = Slot { local: Some(digest("local")), ..open.clone() };
    assert_eq!(check(&transform(1, 1, &[], &[]), fleet, &local), Err(Reason::LocalInForce));
}
