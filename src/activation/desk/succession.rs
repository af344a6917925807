//! One root after the other: verified, into the ledger with all that it changes, in force, answered.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use super::turn::Turn;
use super::{Desk, Item, Reach, Way};
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::rollout::Event;
use crate::domain::trust::reason::Refusal;
use crate::domain::trust::root::Root;
use crate::domain::trust::rotation::{Succession, Successor};
use crate::domain::trust::verify::{Context, Refused, Verified, verify_stored};
use crate::pipeline::run::Request;
use crate::store::{RootInstallation, StoreError, StoredRoot};
use crate::wire::message::{Ack, Verdict};

/// What roots are called in answers and in the audit.
const NAME: &str = "root";
/// What becomes of a transform in force that a new root does not let stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It stays in force, flagged.
    Kept,
    /// An earlier one takes its place.
    Replaced,
    /// Readings go out raw.
    Withdrawn,
}

/// Who has transforms give way where a root does, in the audit.
const ROOT: &str = "calibd:root";

impl Desk {
    /// Judges a root and answers it; an error says why one that may be installed could not be.
    pub(super) async fn judge_root(
        &mut self,
        item: Item,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Ack, StoreError> {
        let ack = match self.roots.judge(&item.arrived.payload, &self.fleet) {
            Ok(Succession::Known(version, digest)) => {
                let text = "it was installed before".to_owned();
                self.of_document(NAME, version, digest, Verdict::AlreadyApplied, text)
            }
            Ok(Succession::Next(next)) => {
                let ack = self.succeed(*next, item.arrived.payload, &item.way, pipeline).await?;
                self.succeed_by_waiting(pipeline).await;
                ack
            }
            // A gateway that began with a later one is not concerned, however often the broker says it.
            Err(refused) if refused.version.is_some_and(|version| self.roots.is_before_all(version)) => {
                tracing::debug!("a root from before this gateway's first one: {refused}");
                self.refusal(NAME.to_owned(), &refused)
            }
            Err(refused) => self.turn_root_away(item, refused).await,
        };
        Ok(ack)
    }

    async fn turn_root_away(&mut self, item: Item, mut refused: Refused) -> Ack {
        let waits = refused.refusal.reason.waits() && matches!(item.way, Way::Broker);
        if let Some(version) = refused.version.filter(|_| waits) {
            self.roots.wait(version, item.arrived.payload);
            refused.refusal.message.push_str("; it waits here until then");
        }
        self.refuse_by(NAME, &item.way, refused).await
    }

    /// Installs the roots that came before their predecessors did.
    pub(super) async fn succeed_by_waiting(&mut self, pipeline: &mpsc::Sender<Request>) {
        while let Some(payload) = self.roots.next_waiting() {
            let outcome = match self.roots.judge(&payload, &self.fleet) {
                Ok(Succession::Next(next)) => {
                    self.succeed(*next, payload, &Way::Broker, pipeline).await.map(drop)
                }
                Ok(Succession::Known(..)) => Ok(()),
                Err(refused) => {
                    self.refuse(NAME, "mqtt", refused).await;
                    Ok(())
                }
            };
            if outcome.is_err() {
                return;
            }
        }
    }

    /// Installs a verified successor, and has what it does not let stand give way.
    async fn succeed(
        &mut self,
        next: Successor,
        payload: Bytes,
        way: &Way,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Ack, StoreError> {
        let Successor { root, digest, .. } = next;
        let (version, issued_at) = (root.version, root.issued_at);
        self.roots.succeed(root, digest);
        self.enrolled.judge_again(self.roots.installed());
        let written = self.write_down(version, digest, &payload, way.actor()).await;
        let (fallen, turn) = match written {
            Ok(written) => written,
            Err(error) => {
                self.roots.step_back();
                self.enrolled.judge_again(self.roots.installed());
                // Whoever brought it here has the error.
                if matches!(way, Way::Broker) {
                    self.roots.wait(version, payload);
                    self.events.root_not_installed(version, &error.to_string());
                }
                return Err(error);
            }
        };
        self.priors.judge_again(self.roots.installed());
        self.time.prove(issued_at);
        self.roots.tell();
        self.events.root_installed(version, &digest, fallen.len());
        self.tell_root_expiry().await;
        // What was refused for its keys may pass now.
        self.asking.want();
        self.take_effect(turn, true, pipeline).await;
        let changes = self.restore_again().await;
        self.effect(changes, pipeline, Request::Activate).await;
        Ok(self.of_document(NAME, version, digest, Verdict::Accepted, sentence(version, &fallen)))
    }

    /// One transaction: the root, and what becomes of transforms that it does not let stand.
    async fn write_down(
        &self,
        version: u64,
        digest: Digest,
        payload: &Bytes,
        actor: &str,
    ) -> Result<(Vec<Fate>, Turn), StoreError> {
        let (fallen, mut turn) = self.fallen(version).await?;
        let root = StoredRoot { version, envelope: payload.to_vec(), digest };
        let time_floor = self.roots.installed().map(|root| root.issued_at);
        let installation =
            RootInstallation { root, time_floor, actor: actor.to_owned(), rollouts: turn.step() };
        self.store.install_root(installation).await?;
        Ok((fallen, turn))
    }

    /// What the installed root does not let stand, though one before it did: what becomes of the transforms in force,
    /// and what that means for rollouts.
    async fn fallen(&self, root: u64) -> Result<(Vec<Fate>, Turn), StoreError> {
        let mut turn = Turn::new(self.clock.now(), ROOT);
        let (mut fallen, mut rows, mut refusals) = (Vec::new(), Vec::new(), HashMap::new());
        let active: BTreeMap<SensorId, Digest> =
            self.store.active().await?.into_iter().map(|entry| (entry.sensor, entry.digest)).collect();
        let sensors: BTreeSet<&SensorId> = active.keys().chain(self.rollouts.busy()).collect();
        for sensor in sensors {
            let machine = self.machine(sensor).await?;
            // Where a rollback leads comes before what it leads from.
            for digest in machine.state().held_to().map(|artifact| artifact.digest) {
                if let Entry::Vacant(unknown) = refusals.entry(digest) {
                    unknown.insert(self.why_it_falls(digest).await?);
                }
                let Some(Some(refusal)) = refusals.get(&digest) else { continue };
                let Refusal { reason, message } = refusal;
                let event = Event::Invalid { digest, why: message.clone() };
                // It has no effect where it is not.
                let _ = self.tell(&mut turn, sensor, event).await?;
                if active.get(sensor) == Some(&digest) {
                    let (fate, action) = match turn.put_at(sensor) {
                        None => (Fate::Kept, Some("transform.kept")),
                        Some(None) => (Fate::Withdrawn, Some("transform.withdrawn")),
                        // What takes its place has a row of its own.
                        Some(Some(_)) => (Fate::Replaced, None),
                    };
                    fallen.push(fate);
                    let reason = reason.to_string();
                    let detail = json!({ "digest": digest, "reason": reason, "root": root.to_string() });
                    let row =
                        |action| ["calibd", action, sensor.as_str(), &detail.to_string()].map(str::to_owned);
                    rows.extend(action.map(row));
                }
            }
        }
        turn.step.audits.splice(0..0, rows);
        Ok((fallen, turn))
    }

    /// Why the installed root does not let a transform stand, though one before it did. What no root lets stand does
    /// not fit the configuration any more, and that may come back.
    async fn why_it_falls(&self, digest: Digest) -> Result<Option<Refusal>, StoreError> {
        let Some(stored) = self.store.transforms_named(&digest.to_string()).await?.pop() else {
            return Ok(None);
        };
        let Err(refused) = self.verify_again(&stored.envelope) else { return Ok(None) };
        Ok(self.verify_by_former(&stored.envelope).map(|_| refused.refusal))
    }

    pub(super) fn verify_again(&self, envelope: &[u8]) -> Result<Verified, Refused> {
        verify_stored(envelope, &self.context(&Reach::of(self)))
    }

    /// Verifies what the ledger holds as accepted by the newest former root that lets it stand.
    pub(super) fn verify_by_former(&self, envelope: &[u8]) -> Option<Verified> {
        let reach = Reach::of(self);
        let by = |root: &Root| {
            let enrolment = self.enrolled.by(root);
            let context = Context { root: Some(root), enrolment: enrolment.as_ref(), ..self.context(&reach) };
            verify_stored(envelope, &context).ok()
        };
        self.roots.former().iter().find_map(by)
    }
}

/// What came of a new root.
fn sentence(version: u64, fallen: &[Fate]) -> String {
    let count = |fate| fallen.iter().filter(|fallen| **fallen == fate).count();
    let fates = [
        (count(Fate::Kept), "stays in force, flagged"),
        (count(Fate::Replaced), "gave way to the one before it"),
        (count(Fate::Withdrawn), "was withdrawn"),
    ];
    let told = fates.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> =
        told.map(|(count, what)| format!("at {count} sensor(s) the transform {what}")).collect();
    if told.is_empty() {
        return format!("root {version} is installed");
    }
    format!("root {version} is installed; {}", told.join(", "))
}
