use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::fixtures::{FLEET, SNAPSHOT, id, key, root};

const TWO: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn document() -> Value {
    json!({
        "schema": 1, "fleet": "plant-7", "branch": "group/north", "version": 3, "root_version": 1,
        "transforms": [["co", 7, TWO], ["no2", 1, TWO]],
        "issued_at": "2026-05-30T00:00:00.000000Z", "expires": "2026-06-08T00:00:00.000000Z",
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut document = document();
    *document.pointer_mut(pointer).unwrap() = value;
    document
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn view(now: &str, trusted: bool) -> TimeView {
    TimeView { now: at(now), trusted, floor: at("2026-01-01T00:00:00Z") }
}

/// As a gateway of the branch does on the first of June.
struct Judge {
    seed: u8,
    root: Root,
    gateway: &'static str,
    branch: Option<&'static str>,
    time: TimeView,
    floor: Option<(u64, Digest)>,
}

impl Judge {
    fn new() -> Judge {
        let time = view("2026-06-01T00:00:00Z", true);
        Judge {
            seed: SNAPSHOT,
            root: root(json!([])),
            gateway: "gw-1",
            branch: Some("group/north"),
            time,
            floor: None,
        }
    }

    fn says(&self, document: &Value) -> Result<Accepted, Reason> {
        let bytes = sign(&payload_type("manifest"), document.to_string().as_bytes(), &[key(self.seed)]);
        let (gateway, fleet) = (id(self.gateway), id("plant-7"));
        let branch: Option<Branch> = self.branch.map(|branch| branch.parse().unwrap());
        let floors = |branch: &Branch| self.floor.filter(|_| branch.to_string() == "group/north");
        let place = Standpoint {
            root: Some(&self.root),
            fleet: &fleet,
            gateway: Some(&gateway),
            branch: branch.as_ref(),
            time: self.time,
            floors: &floors,
            accepted: &|digest| self.floor.is_some_and(|(_, floor)| floor == *digest),
        };
        verify_manifest(&bytes, &place).map_err(|refused| refused.refusal.reason)
    }
}

#[test]
fn one_of_the_branch_by_a_snapshot_key_is_accepted() {
    let accepted = Judge::new().says(&document()).unwrap();
    assert_eq!((accepted.manifest.transforms.len(), accepted.already_applied), (2, false));
    assert_eq!(serde_json::to_value(&accepted.manifest).unwrap(), document());
    assert_eq!(Judge { seed: FLEET, ..Judge::new() }.says(&document()), Err(Reason::RoleNotAllowed));
}

#[test]
fn it_holds_for_the_branch_that_it_names() {
    let other = Judge { branch: Some("all"), ..Judge::new() };
    assert_eq!(other.says(&document()), Err(Reason::NotForThisGateway));
    assert!(other.says(&with("/branch", json!("all"))).is_ok());
    let brought = Judge { branch: None, ..Judge::new() };
    assert!(brought.says(&document()).is_ok());
    assert!(brought.says(&with("/branch", json!("gw/gw-1"))).is_ok());
    assert_eq!(brought.says(&with("/branch", json!("gw/gw-2"))), Err(Reason::NotForThisGateway));
}

#[test]
fn versions_of_a_branch_only_rise() {
    let digest = Judge::new().says(&document()).unwrap().digest;
    let judged = |floor| Judge { floor: Some(floor), ..Judge::new() }.says(&document());
    assert!(judged((3, digest)).unwrap().already_applied);
    assert_eq!(judged((3, Digest([7; 32]))), Err(Reason::ConflictingVersion));
    assert_eq!(judged((4, digest)), Err(Reason::RolledBackVersion));
    let all = Judge { branch: Some("all"), floor: Some((4, digest)), ..Judge::new() };
    assert!(all.says(&with("/branch", json!("all"))).is_ok());
}

#[test]
fn it_is_of_the_root_that_is_installed() {
    let mut second = Judge::new();
    second.root.version = 2;
    assert_eq!(second.says(&document()), Err(Reason::StaleManifest));
    assert!(second.says(&with("/root_version", json!(2))).is_ok());
    assert_eq!(second.says(&with("/root_version", json!(3))), Err(Reason::NotYetValid));
}

#[test]
fn time_decides_as_of_everything_else() {
    let late = Judge { time: view("2026-06-08T00:00:00Z", true), ..Judge::new() };
    assert_eq!(late.says(&document()), Err(Reason::Expired));
    assert!(Judge { time: view("2026-06-08T00:00:00Z", false), ..Judge::new() }.says(&document()).is_ok());
    let early = "2026-05-29T23:54:59Z";
    assert_eq!(Judge { time: view(early, true), ..Judge::new() }.says(&document()), Err(Reason::NotYetValid));
    // A clock that is not believed has to believe the manifest.
    assert!(Judge { time: view(early, false), ..Judge::new() }.says(&document()).is_ok());
    assert!(Judge { time: view("2026-05-29T23:55:00Z", true), ..Judge::new() }.says(&document()).is_ok());
    let after = Judge { time: view("2027-01-01T00:00:00Z", true), ..Judge::new() };
    assert_eq!(after.says(&with("/expires", json!("2028-01-01T00:00:00Z"))), Err(Reason::RootExpired));
}

#[test]
fn no_manifest_proves_a_time_at_which_the_root_is_over() {
    let mut far = with("/issued_at", json!("2027-01-01T00:00:00Z"));
    far["expires"] = json!("2099-01-01T00:00:00Z");
    let unsure = Judge { time: view("2026-06-01T00:00:00Z", false), ..Judge::new() };
    assert_eq!(unsure.says(&far), Err(Reason::RootExpired));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let many: Vec<_> = (0..=MOST).map(|number| json!([format!("t{number}"), 1, TWO])).collect();
    for (document, reason) in [
        (with("/schema", json!(2)), Reason::UnknownSchema),
        (with("/fleet", json!("plant-8")), Reason::WrongFleet),
        (with("/version", json!(-1)), Reason::Malformed),
        (with("/branch", json!("north")), Reason::Malformed),
        (with("/transforms/0", json!(["co", 7])), Reason::Malformed),
        (with("/transforms/0", json!(["co", 7, TWO, 1])), Reason::Malformed),
        (with("/transforms/0", json!(["../co", 7, TWO])), Reason::Malformed),
        (with("/transforms/0", json!({"id": "co"})), Reason::Malformed),
        (with("/version", json!(0)), Reason::InvalidContent),
        (with("/transforms/1/0", json!("co")), Reason::InvalidContent),
        (with("/transforms", json!(many)), Reason::InvalidContent),
    ] {
        assert_eq!(Judge::new().says(&document), Err(reason), "{document}");
    }
    let mut none = Manifest::parse(document().to_string().as_bytes()).unwrap();
    (none.expires, none.transforms) = (none.issued_at, Vec::new());
    assert_eq!(none.check().unwrap_err().reason, Reason::InvalidContent);
    let mut roots = with("/version", json!(1));
    roots["root_version"] = json!(0);
    let roots = Manifest::parse(roots.to_string().as_bytes()).unwrap();
    assert_eq!(roots.check().unwrap_err().reason, Reason::InvalidContent);
}

#[test]
fn the_most_fit_into_an_envelope() {
    let long = |number: usize| format!("{}{number:04}", "x".repeat(60));
    let many: Vec<_> = (0..MOST).map(|number| json!([long(number), (1_u64 << 53) - 1, TWO])).collect();
    let document = with("/transforms", json!(many));
    assert!(Judge::new().says(&document).is_ok());
    let pretty = serde_json::to_vec(&document).unwrap();
    let keys: Vec<_> = (0..16).map(|_| key(SNAPSHOT)).collect();
    let bytes = sign(&payload_type("manifest"), &pretty, &keys);
    assert!(bytes.len() < super::super::envelope::MAX_ARTIFACT, "{}", bytes.len());
}

#[test]
fn a_transform_has_to_be_in_a_manifest_of_now() {
    let (root, time) = (root(json!([])), view("2026-06-01T00:00:00Z", true));
    let manifest = Manifest::parse(document().to_string().as_bytes()).unwrap();
    let branch = manifest.branch.clone();
    let two = Digest::parse(TWO).unwrap();
    let fresh = Freshness { branch: &branch, manifest: Some(&manifest) };
    let says = |fresh: Freshness<'_>, name: &str, version, digest, time: &TimeView| {
        fresh.check(&id(name), version, digest, &root, time).map_err(|refusal| refusal.reason)
    };
    assert_eq!(says(fresh, "co", 7, two, &time), Ok(()));
    for (name, version, digest) in
        [("so2", 7, two), ("co", 6, two), ("co", 8, two), ("co", 7, Digest([7; 32]))]
    {
        assert_eq!(says(fresh, name, version, digest, &time), Err(Reason::NotListed), "{name} {version}");
    }
    assert_eq!(says(Freshness { manifest: None, ..fresh }, "co", 7, two, &time), Err(Reason::StaleManifest));
    let late = view("2026-06-08T00:00:00Z", true);
    assert_eq!(says(fresh, "co", 7, two, &late), Err(Reason::StaleManifest));
    assert_eq!(says(fresh, "co", 7, two, &TimeView { trusted: false, ..late }), Ok(()));
    let old = Manifest { root_version: 2, ..manifest.clone() };
    assert_eq!(
        says(Freshness { manifest: Some(&old), ..fresh }, "co", 7, two, &time),
        Err(Reason::StaleManifest)
    );
}

#[test]
fn what_was_kept_is_believed_until_its_key_is_revoked() {
    let bytes = sign(&payload_type("manifest"), document().to_string().as_bytes(), &[key(SNAPSHOT)]);
    let mut root = root(json!([]));
    assert_eq!(verify_kept(&bytes, &root).unwrap().1.version, 3);
    let keyid = key(SNAPSHOT).public().id();
    root.keys.get_mut(&keyid).unwrap().state = crate::domain::trust::root::KeyState::Revoked;
    assert_eq!(verify_kept(&bytes, &root).unwrap_err().reason, Reason::KeyRevoked);
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Manifest::parse(&bytes).is_err());
    }

    #[test]
    fn what_is_read_is_written_alike(version in 1_u64..1 << 53, count in 0_usize..5) {
        let mut document = with("/version", json!(version));
        document["transforms"] = (0..count).map(|at| json!([format!("t{at}"), version, TWO])).collect();
        let manifest = Manifest::parse(document.to_string().as_bytes()).unwrap();
        prop_assert_eq!(serde_json::to_value(&manifest).unwrap(), document);
    }
}
