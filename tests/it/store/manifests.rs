//! Manifests in the ledger: the newest of each branch, whose version never falls.

use calibd::domain::digest::Digest;
use calibd::domain::trust::branch::Branch;
use calibd::store::{LedgerFacts, StoredManifest};

use super::*;

fn manifest(branch: &str, version: u64, envelope: Option<&str>) -> StoredManifest {
    let branch: Branch = branch.parse().unwrap();
    let digest = Digest::of(&[branch.to_string().as_bytes(), &version.to_be_bytes()]);
    StoredManifest { branch, version, digest, envelope: envelope.map(|text| text.as_bytes().to_vec()) }
}

async fn accept(store: &Store, manifest: &StoredManifest) {
    store.accept_manifest(manifest.clone(), noon(), "mqtt".to_owned()).await.unwrap();
}

#[tokio::test]
async fn the_newest_of_each_branch_is_kept_and_proves_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let (all, first, second) =
        (manifest("all", 3, Some("x")), manifest("gw/gw-1", 1, Some("y")), manifest("gw/gw-1", 2, Some("z")));
    for one in [&first, &all, &second] {
        accept(&store, one).await;
    }
    store.close(LONG).await.unwrap();
    let recovered = open(dir.path()).recovered;
    assert_eq!(recovered.manifests, [all, second]);
    assert_eq!(recovered.time_floor, Some(noon()));
}

#[tokio::test]
async fn a_checkpoint_raises_versions_and_lowers_none() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let (all, here) = (manifest("all", 3, Some("x")), manifest("gw/gw-1", 2, Some("y")));
    accept(&store, &all).await;
    accept(&store, &here).await;
    let facts = store.ledger_facts().await.unwrap();
    let bare = |manifest: &StoredManifest| StoredManifest { envelope: None, ..manifest.clone() };
    assert_eq!(facts.manifests, [bare(&all), bare(&here)]);
    let said = vec![manifest("all", 2, None), manifest("gw/gw-1", 9, None), manifest("group/north", 4, None)];
    let after = store.catch_up(LedgerFacts { manifests: said.clone(), ..facts }).await.unwrap();
    assert_eq!(after.manifests, [bare(&all), said[2].clone(), said[1].clone()]);
    store.close(LONG).await.unwrap();
    let Opened { recovered, .. } = open(dir.path());
    assert_eq!(recovered.manifests, [all, said[2].clone(), said[1].clone()]);
}
