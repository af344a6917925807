//! What of a branch is current: verified, into the ledger, counted, answered; and what is turned away without it.

use std::collections::BTreeMap;

use super::{Desk, Item, Way};
use crate::domain::digest::Digest;
use crate::domain::trust::branch::Branch;
use crate::domain::trust::manifest::{self, Accepted, Freshness, Manifest, Standpoint, verify_manifest};
use crate::domain::trust::reason::Reason;
use crate::domain::trust::root::Root;
use crate::domain::trust::verify::Refused;
use crate::store::{StoreError, StoredManifest};
use crate::wire::message::{Ack, Verdict};

/// What manifests are called in answers.
const NAME: &str = "manifest";

/// The newest manifest of a branch.
#[derive(Debug)]
struct Newest {
    version: u64,
    digest: Digest,
    /// `None`: what it said is not known any more.
    manifest: Option<Manifest>,
}

/// The manifests of all branches, and whether transforms have to be listed in them.
#[derive(Debug)]
pub(super) struct Manifests {
    required: bool,
    newest: BTreeMap<Branch, Newest>,
    /// Whether something was turned away that another manifest may let in.
    turned_away: bool,
}

impl Manifests {
    /// As the ledger holds them, under the installed root.
    pub fn new(required: bool, stored: Vec<StoredManifest>, root: Option<&Root>) -> Manifests {
        let mut manifests = Manifests { required, newest: BTreeMap::new(), turned_away: false };
        for StoredManifest { branch, version, digest, envelope } in stored {
            let kept =
                envelope.zip(root).and_then(|(envelope, root)| manifest::verify_kept(&envelope, root).ok());
            let manifest = kept.map(|(_, manifest)| manifest);
            manifests.newest.insert(branch, Newest { version, digest, manifest });
        }
        manifests
    }

    /// Takes over which versions have been accepted, where that is more than what is known here.
    pub fn catch_up(&mut self, stored: Vec<StoredManifest>) {
        for StoredManifest { branch, version, digest, .. } in stored {
            if self.newest.get(&branch).is_none_or(|known| known.version < version) {
                self.newest.insert(branch, Newest { version, digest, manifest: None });
            }
        }
    }

    /// Whether what was turned away may pass now, if anything was.
    pub fn require(&mut self, required: bool) -> bool {
        let relieved = self.required && !required;
        self.required = required;
        relieved && std::mem::take(&mut self.turned_away)
    }

    fn floor(&self, branch: &Branch) -> Option<(u64, Digest)> {
        self.newest.get(branch).map(|newest| (newest.version, newest.digest))
    }

    /// Whether the newest of a branch is this one.
    fn has(&self, digest: &Digest) -> bool {
        self.newest.values().any(|newest| newest.digest == *digest)
    }

    fn counts(&self, branch: &Branch) -> Option<&Manifest> {
        self.newest.get(branch)?.manifest.as_ref()
    }
}

impl Desk {
    /// What a transform has to be listed in, if it came through a branch and manifests are required.
    pub(super) fn freshness<'a>(&'a self, item: &'a Item) -> Option<Freshness<'a>> {
        let branch = item.arrived.branch.as_ref().filter(|_| self.manifests.required)?;
        Some(Freshness { branch, manifest: self.manifests.counts(branch) })
    }

    /// Notes that a transform was refused which another manifest may let in.
    pub(super) fn note_unlisted(&mut self, way: &Way, reason: Reason) {
        let unlisted = matches!(reason, Reason::NotListed | Reason::StaleManifest);
        self.manifests.turned_away |= unlisted && matches!(way, Way::Broker);
    }

    /// Judges a manifest and answers it; an error says why one that may count could not be written down.
    pub(super) async fn judge_manifest(&mut self, item: Item) -> Result<Ack, StoreError> {
        let Accepted { manifest, digest, already_applied } = match self.verify_manifest(&item) {
            Ok(accepted) => accepted,
            Err(refused) => return Ok(self.turn_manifest_away(item, refused).await),
        };
        let (version, branch) = (manifest.version, manifest.branch.clone());
        if already_applied && self.manifests.counts(&branch).is_some() {
            let text = "it counts already".to_owned();
            return Ok(self.of_document(NAME, version, digest, Verdict::AlreadyApplied, text));
        }
        let (issued_at, envelope) = (manifest.issued_at, Some(item.arrived.payload.to_vec()));
        let stored = StoredManifest { branch: branch.clone(), version, digest, envelope };
        let actor = item.way.actor().to_owned();
        if let Err(error) = self.store.accept_manifest(stored, issued_at, actor).await {
            tracing::warn!("manifest {version} for {branch} is verified, but not in the ledger: {error}");
            return Err(error);
        }
        self.events.ledger_works();
        self.time.prove(issued_at);
        let text = format!(
            "manifest {version} counts for {} until {}, with {} transform(s)",
            branch.words(),
            manifest.expires,
            manifest.transforms.len()
        );
        tracing::info!(version, %digest, "{text}");
        self.waiting.retain(|waiting| waiting.arrived.id != waiting_as(&branch));
        self.manifests.newest.insert(branch, Newest { version, digest, manifest: Some(manifest) });
        // What was refused because no manifest listed it may pass now.
        if std::mem::take(&mut self.manifests.turned_away) {
            self.asking.want();
        }
        Ok(self.of_document(NAME, version, digest, Verdict::Accepted, text))
    }

    fn verify_manifest(&self, item: &Item) -> Result<Accepted, Refused> {
        let standpoint = Standpoint {
            root: self.roots.installed(),
            fleet: &self.fleet,
            gateway: Some(&self.gateway),
            branch: item.arrived.branch.as_ref(),
            time: self.time_view(),
            floors: &|branch| self.manifests.floor(branch),
            accepted: &|digest| self.manifests.has(digest),
        };
        verify_manifest(&item.arrived.payload, &standpoint)
    }

    /// Whether a manifest that waits could count now, or would be refused for good.
    pub(super) fn manifest_goes_on(&self, item: &Item) -> bool {
        self.verify_manifest(item).map_or_else(|refused| !refused.refusal.reason.waits(), |_| true)
    }

    async fn turn_manifest_away(&mut self, mut item: Item, mut refused: Refused) -> Ack {
        let (way, known) = (item.way.clone(), refused.by_known_key);
        let waits = known && refused.refusal.reason.waits();
        if let Some(branch) = item.arrived.branch.as_ref().filter(|_| waits) {
            item.arrived.id = waiting_as(branch);
            if self.wait(item) {
                refused.refusal.message.push_str("; it waits here until then");
            }
        }
        self.refuse_by(NAME, &way, refused).await
    }
}

/// What a manifest is called among those that wait: no transform has such a name.
fn waiting_as(branch: &Branch) -> String {
    format!("{NAME}/{branch}")
}
