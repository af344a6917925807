//! Checkpoints: said of the ledger where the ledger is not, and what one says of a ledger that is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Desk, Floor};
use crate::domain::certificate::placed;
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::store::{Head, LedgerFacts, StoreError, StoredFloor, StoredManifest, StoredOrder, StoredPrior};
use crate::telemetry::alarm::Alarm;
use crate::wire::control::AuditHead;
use crate::wire::message::{Checkpoint, CheckpointFloor, CheckpointSerial};

/// Between two checkpoints after changes.
const CHANGES: Duration = Duration::from_secs(30);
/// Between two checkpoints without a change.
const QUIET: Duration = Duration::from_secs(86_400);
/// The name of the serial of commands, and what stands before a transform's id in that of its orders, and before a
/// sensor model in the version of its prior.
const COMMAND: &str = "command";
const ORDER: &str = "order ";
/// What stands before a branch in the name of the version of its manifest.
const MANIFEST: &str = "manifest ";
const PRIOR: &str = "prior ";
/// What stands before the number of the last certificate of a series; the serial is the last part of that.
const CERTIFICATE: &str = "certificate ";

/// The last checkpoint.
#[derive(Debug)]
pub(super) struct Checkpoints {
    incarnation: Arc<str>,
    /// Of a ledger that does not go on from its last checkpoint.
    alarm: Alarm,
    /// The end of the audit in the last one, and when that was (monotonic).
    last: Option<(Head, Duration)>,
    /// Not before there is one after a change (monotonic).
    not_before: Duration,
    /// Whether the broker was there when it was looked last, and all that had come from it was judged.
    settled: bool,
}

impl Checkpoints {
    /// None yet.
    pub fn new(incarnation: Arc<str>, alarm: Alarm) -> Checkpoints {
        Checkpoints { incarnation, alarm, last: None, not_before: Duration::ZERO, settled: false }
    }
}

impl Desk {
    /// Makes a checkpoint if it is time for one: at the start, after a change but not too often, and once a day.
    /// `judged`: nothing from the broker waits to be judged.
    pub(super) async fn check_point(&mut self, judged: bool) {
        let now = self.clock.monotonic();
        // The last one, which the broker may have kept for a ledger that is lost, has to be read before it is replaced:
        // it comes within a round after the connection, if there is one.
        let settled = judged && self.reports.is_settled();
        let before = std::mem::replace(&mut self.checkpoints.settled, settled);
        if self.checkpoints.last.is_none() && !(before && settled) {
            return;
        }
        let head = match self.store.audit_head().await {
            Ok(head) => head,
            Err(error) => return tracing::debug!("no checkpoint: {error}"),
        };
        let due = match self.checkpoints.last {
            None => true,
            Some((last, _)) if last != head => self.checkpoints.not_before <= now,
            Some((_, at)) => now.saturating_sub(at) >= QUIET,
        };
        if !due {
            return;
        }
        match self.make_checkpoint().await {
            Ok(head) => {
                if self.checkpoints.last.is_some() {
                    self.checkpoints.not_before = now + CHANGES;
                }
                self.checkpoints.last = Some((head, now));
            }
            Err(error) => tracing::warn!("no checkpoint: {error}"),
        }
    }

    async fn make_checkpoint(&mut self) -> Result<Head, StoreError> {
        let facts = self.store.ledger_facts().await?;
        let head = facts.head;
        let envelope = self.reports.checkpoint(&self.said_of(facts));
        self.store.mirror_checkpoint(head, envelope).await?;
        Ok(head)
    }

    /// At the start: what the checkpoint mirrored in the history says of the ledger.
    pub(super) async fn recall_checkpoint(&mut self) {
        if let Err(error) = self.look_for_the_last().await {
            tracing::warn!("the ledger is not compared with its last checkpoint: {error}");
        }
        match self.store.mirrored_checkpoint().await {
            Ok(Some(envelope)) => self.remember(&envelope).await,
            Ok(None) => {}
            Err(error) => tracing::warn!("the last checkpoint cannot be read: {error}"),
        }
    }

    /// Whether the audit still holds the end that it had at the last checkpoint, or a restore has replaced it.
    async fn look_for_the_last(&mut self) -> Result<(), StoreError> {
        let Some((rows, head)) = self.store.missing_checkpoint().await? else { return Ok(()) };
        let message = format!(
            "the ledger does not go on from its last checkpoint: row {rows} of its audit was another one"
        );
        let remedy =
            "see who replaced it; `calibctl restore` takes a backup. Floors and serials have not fallen";
        self.checkpoints.alarm.raise("discontinued", message, remedy);
        let detail = serde_json::json!({ "rows": rows, "head": head }).to_string();
        self.store.audit("calibd", "audit.discontinued", "ledger.db", &detail).await
    }

    fn said_of(&self, facts: LedgerFacts) -> Checkpoint {
        let floor = |StoredFloor { id, epoch, version, digest }: StoredFloor| {
            (id, CheckpointFloor { epoch, version, digest })
        };
        let order = |StoredOrder { id, serial, digest }: StoredOrder| {
            (format!("{ORDER}{id}"), CheckpointSerial { serial, digest })
        };
        let manifest = |StoredManifest { branch, version, digest, .. }: StoredManifest| {
            (format!("{MANIFEST}{branch}"), CheckpointSerial { serial: version, digest })
        };
        let prior = |StoredPrior { model, version, digest, .. }: StoredPrior| {
            (format!("{PRIOR}{model}"), CheckpointSerial { serial: version, digest })
        };
        let certificate = |(number, digest): (String, Digest)| {
            let (_, serial) = placed(&number)?;
            Some((format!("{CERTIFICATE}{number}"), CheckpointSerial { serial, digest }))
        };
        let command =
            facts.command.map(|(serial, digest)| (COMMAND.to_owned(), CheckpointSerial { serial, digest }));
        let (rows, head) = facts.head;
        let (mut floors, mut serials) = (BTreeMap::new(), BTreeMap::new());
        floors.extend(facts.floors.into_iter().map(floor));
        serials.extend(command.into_iter().chain(facts.orders.into_iter().map(order)));
        serials.extend(facts.manifests.into_iter().map(manifest));
        serials.extend(facts.priors.into_iter().map(prior));
        serials.extend(facts.certificates.into_iter().filter_map(certificate));
        Checkpoint {
            schema: 1,
            fleet: self.fleet.clone(),
            gateway: self.gateway.clone(),
            incarnation: self.checkpoints.incarnation.to_string(),
            time: self.clock.now(),
            audit: AuditHead { rows, head },
            floors,
            root_version: self.roots.installed().map(|root| root.version),
            serials,
            time_floor: facts.time_floor,
        }
    }

    /// Takes over what this gateway's last checkpoint says, as far as the ledger knows less.
    pub(super) async fn remember(&mut self, envelope: &[u8]) {
        let checkpoint = match self.reports.own_checkpoint(envelope) {
            Ok(checkpoint) if checkpoint.fleet == self.fleet && checkpoint.gateway == self.gateway => {
                checkpoint
            }
            Ok(_) => return,
            Err(refusal) => {
                self.events.refused(refusal.reason.as_str());
                tracing::warn!("what is kept as this gateway's checkpoint is none: {refusal}");
                return;
            }
        };
        match self.store.catch_up(facts(checkpoint)).await {
            Ok(facts) => self.take_over(facts),
            Err(error) => tracing::warn!("what the last checkpoint says is not in the ledger: {error}"),
        }
    }

    fn take_over(&mut self, facts: LedgerFacts) {
        facts.time_floor.into_iter().for_each(|time| self.time.prove(time));
        for StoredFloor { id, epoch, version, digest } in facts.floors {
            self.floors.insert(id, Floor { epoch, version, digest });
        }
        self.commands.newest(facts.command);
        for StoredOrder { id, serial, digest } in facts.orders {
            self.orders.insert(id, (serial, digest));
        }
        self.manifests.catch_up(facts.manifests);
        self.priors.raise(facts.priors, self.roots.installed());
    }
}

/// What a checkpoint says of the ledger.
fn facts(checkpoint: Checkpoint) -> LedgerFacts {
    let AuditHead { rows, head } = checkpoint.audit;
    let floor = |(id, floor): (Id, CheckpointFloor)| {
        let CheckpointFloor { epoch, version, digest } = floor;
        StoredFloor { id, epoch, version, digest }
    };
    let order = |(name, it): (&String, &CheckpointSerial)| {
        let id = Id::new(name.strip_prefix(ORDER)?).ok()?;
        Some(StoredOrder { id, serial: it.serial, digest: it.digest })
    };
    let manifest = |(name, it): (&String, &CheckpointSerial)| {
        let branch = name.strip_prefix(MANIFEST)?.parse().ok()?;
        Some(StoredManifest { branch, version: it.serial, digest: it.digest, envelope: None })
    };
    let prior = |(name, it): (&String, &CheckpointSerial)| {
        let model = name.strip_prefix(PRIOR)?.to_owned();
        let (version, digest, accepted) = (it.serial, it.digest, checkpoint.time);
        Some(StoredPrior { model, version, digest, envelope: None, accepted })
    };
    let certificate = |(name, it): (&String, &CheckpointSerial)| {
        Some((name.strip_prefix(CERTIFICATE)?.to_owned(), it.digest))
    };
    LedgerFacts {
        certificates: checkpoint.serials.iter().filter_map(certificate).collect(),
        priors: checkpoint.serials.iter().filter_map(prior).collect(),
        head: (rows, head),
        floors: checkpoint.floors.into_iter().map(floor).collect(),
        command: checkpoint.serials.get(COMMAND).map(|it| (it.serial, it.digest)),
        orders: checkpoint.serials.iter().filter_map(order).collect(),
        manifests: checkpoint.serials.iter().filter_map(manifest).collect(),
        time_floor: checkpoint.time_floor,
    }
}
