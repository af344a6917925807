//! Transforms, roots, refusals, and the audit chain that records them.

use calibd::domain::audit::ChainError;
use calibd::domain::digest::Digest;
use calibd::store::{Activation, ActiveTransform, RefusalRecord, RolloutStep, RootInstallation, StoredRoot};
use rusqlite::Connection;

use super::*;

fn activation(version: u64, sensors: &[&str]) -> Activation {
    Activation {
        envelope: format!("envelope {version}").into_bytes(),
        digest: Digest::of(&[&version.to_be_bytes()]),
        id: Id::new("co-electrochemical").unwrap(),
        epoch: 1,
        version,
        keyids: vec!["key".into()],
        sensors: sensors.iter().map(|sensor| Id::new(sensor).unwrap()).collect(),
        at: noon(),
        actor: "fleet".into(),
        rolled_back: false,
    }
}

/// Accepts it, and puts it in force.
async fn activate(store: &Store, activation: Activation) -> Result<(), StoreError> {
    let step =
        RolloutStep { accepted: Some(activation.clone()), put: vec![activation], ..RolloutStep::default() };
    store.advance(step).await
}

fn refusal(known: bool, reason: &str, digest: u8) -> RefusalRecord {
    RefusalRecord {
        digest: Some(Digest([digest; 32])),
        by_known_key: known,
        reason: reason.into(),
        subject: "co".into(),
        detail: "a sentence".into(),
        actor: "fleet".into(),
    }
}

fn audit_rows(dir: &Path) -> Vec<(String, String)> {
    let db = Connection::open(dir.join("ledger.db")).unwrap();
    let mut rows = db.prepare("SELECT action, subject FROM audit ORDER BY seq").unwrap();
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn an_activation_survives_a_crash_whole() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    activate(&store, activation(7, &["co-1", "co-2"])).await.unwrap();
    activate(&store, activation(8, &["co-2"])).await.unwrap();
    // Something older again, as a rollback does it: the floor stays.
    activate(&store, activation(7, &["co-2"])).await.unwrap();
    activate(&store, activation(7, &["co-2"])).await.unwrap();
    let dir = crash(dir.path());
    let recovered = open(dir.path()).recovered;
    let active: Vec<_> =
        recovered.active.iter().map(|active| (active.sensor.as_str(), &active.envelope)).collect();
    let seven = b"envelope 7".to_vec();
    assert_eq!(active, [("co-1", &seven), ("co-2", &seven)]);
    assert_eq!(recovered.active[0].since, noon());
    assert_eq!((recovered.floors.len(), recovered.floors[0].version), (1, 8));
    let rows = audit_rows(dir.path());
    let actions: Vec<(&str, &str)> = rows.iter().map(|(action, subject)| (&**action, &**subject)).collect();
    let id = "co-electrochemical";
    let wanted = [
        ("transform.accepted", id),
        ("transform.activated", "co-1"),
        ("transform.activated", "co-2"),
        ("transform.accepted", id),
        ("transform.activated", "co-2"),
        ("transform.activated", "co-2"),
    ];
    assert_eq!(actions[1..], wanted);
}

#[tokio::test]
async fn a_rollback_is_told_from_a_new_version_until_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let sensor = || Id::new("co-1").unwrap();
    for (version, rolled_back) in [(7, false), (8, false), (7, true)] {
        let activation = activation(version, &["co-1"]);
        let actor = format!("actor {version} {rolled_back}");
        activate(&store, Activation { rolled_back, actor, ..activation }).await.unwrap();
    }
    activate(&store, activation(8, &["co-2"])).await.unwrap();
    let past = store.activations(sensor()).await.unwrap();
    let told: Vec<_> = past.iter().map(|put| (put.version, put.actor.as_deref(), put.rolled_back)).collect();
    // All at one time, as a clock that stands makes them: the newest actor of a digest is told.
    let wanted =
        [(7, Some("actor 7 true"), true), (8, Some("actor 8 false"), false), (7, Some("actor 7 true"), true)];
    assert_eq!(told, wanted);
    let dir = crash(dir.path());
    let Opened { store, recovered, .. } = open(dir.path());
    let marked =
        |active: &[ActiveTransform]| active.iter().map(|active| active.rolled_back).collect::<Vec<_>>();
    assert_eq!((marked(&recovered.active), recovered.floors[0].version), (vec![true, false], 8));
    activate(&store, activation(9, &["co-1"])).await.unwrap();
    assert_eq!(marked(&store.active().await.unwrap()), [false, false]);
}

#[tokio::test]
async fn transforms_are_found_by_digest_by_its_beginning_and_by_id() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    for version in [7, 8] {
        activate(&store, activation(version, &["co-1"])).await.unwrap();
    }
    let digest = activation(7, &[]).digest.to_string();
    for (name, version) in
        [(&*digest, Some(7)), (&digest[..8], Some(7)), ("co-electrochemical", Some(8)), (&digest[..7], None)]
    {
        let found = store.transforms_named(name).await.unwrap();
        assert_eq!(found.iter().map(|it| it.version).collect::<Vec<_>>(), Vec::from_iter(version), "{name}");
    }
    for name in ["", "%%%%%%%%", "________", "0000000g"] {
        assert_eq!(store.transforms_named(name).await.unwrap(), [], "{name}");
    }
    let found = store.transforms_named(&digest).await.unwrap();
    assert_eq!((found[0].keyids.as_slice(), found[0].accepted), (&["key".to_owned()][..], noon()));
}

#[tokio::test]
async fn the_newest_root_and_the_highest_time_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    for version in [1, 2, 2] {
        let root = StoredRoot { version, envelope: vec![version as u8], digest: Digest([version as u8; 32]) };
        let time_floor = Some(noon());
        let installation =
            RootInstallation { root, time_floor, actor: "file".into(), rollouts: RolloutStep::default() };
        store.install_root(installation).await.unwrap();
    }
    store.raise_time_floor(Timestamp::EPOCH).await.unwrap();
    store.close(LONG).await.unwrap();
    let mut recovered = open(dir.path()).recovered;
    assert_eq!((recovered.roots.pop().unwrap().version, recovered.time_floor), (2, Some(noon())));
    let installed = audit_rows(dir.path()).iter().filter(|(action, _)| action == "root.installed").count();
    assert_eq!(installed, 2);
}

#[tokio::test]
async fn refusals_are_audited_once_per_digest_or_reason_and_hour() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(noon());
    let Opened { store, .. } = store::open(options(dir.path()), clock.clone()).unwrap();
    let cases = [
        (refusal(true, "expired", 1), true),
        (refusal(true, "expired", 1), false),
        (refusal(true, "expired", 2), true),
        (refusal(false, "bad_signature", 3), true),
        (refusal(false, "bad_signature", 4), false),
        (refusal(false, "unknown_key", 4), true),
    ];
    for (record, written) in cases {
        assert_eq!(store.record_refusal(record.clone()).await.unwrap(), written, "{record:?}");
    }
    clock.set(noon().saturating_add_micros(3_600_000_000));
    assert!(store.record_refusal(refusal(false, "bad_signature", 5)).await.unwrap());
    assert!(!store.record_refusal(refusal(true, "expired", 2)).await.unwrap());
}

#[tokio::test]
async fn the_audit_chain_tells_which_row_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    for subject in ["a", "b", "c"] {
        store.audit("calibd", "test", subject, "{\"n\":1}").await.unwrap();
    }
    assert_eq!(store.verify_audit().await.unwrap().unwrap().rows, 4);
    store.close(LONG).await.unwrap();
    let faults = [
        ("UPDATE audit SET detail = '' WHERE seq = 3", ChainError::Changed(3)),
        ("UPDATE audit SET time = 'noon' WHERE seq = 2", ChainError::Changed(2)),
        ("DELETE FROM audit WHERE seq = 2", ChainError::Missing { expected: 2, found: 3 }),
        ("UPDATE audit SET prev_hash = zeroblob(32) WHERE seq = 4", ChainError::Unchained(4)),
    ];
    for (fault, found) in faults {
        let copy = crash(dir.path());
        let db = Connection::open(copy.path().join("ledger.db")).unwrap();
        db.execute_batch(fault).unwrap();
        drop(db);
        let Opened { store, .. } = open(copy.path());
        assert_eq!(store.verify_audit().await.unwrap().unwrap_err(), found);
    }
}
