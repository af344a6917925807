//! One root after the other: verified, into the ledger with all that it changes, in force, answered.

use std::collections::HashMap;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Desk, Item, Reach, back_from};
use crate::config::trust::Fallback;
use crate::domain::digest::Digest;
use crate::domain::trust::reason::Reason;
use crate::domain::trust::root::Root;
use crate::domain::trust::rotation::{Succession, Successor};
use crate::domain::trust::verify::{Context, Refused, Verified, verify_stored};
use crate::pipeline::run::Request;
use crate::store::{ActiveTransform, Fallen, Fate, RootInstallation, StoreError, StoredRoot};
use crate::wire::message::{Ack, Verdict};

/// What roots are called in answers and in the audit.
const NAME: &str = "root";

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
                let ack = self.succeed(*next, item.arrived.payload, item.way.actor(), pipeline).await?;
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
        let (way, known) = (item.way.clone(), refused.by_known_key);
        if let Some(version) = refused.version.filter(|_| refused.refusal.reason.waits()) {
            self.roots.wait(version, item.arrived.payload);
            refused.refusal.message.push_str("; it waits here until then");
        }
        let ack = self.refuse(NAME, way.actor(), refused).await;
        self.rest_after(known, &way).await;
        ack
    }

    /// Installs the roots that came before their predecessors did.
    pub(super) async fn succeed_by_waiting(&mut self, pipeline: &mpsc::Sender<Request>) {
        while let Some(payload) = self.roots.next_waiting() {
            let outcome = match self.roots.judge(&payload, &self.fleet) {
                Ok(Succession::Next(next)) => self.succeed(*next, payload, "mqtt", pipeline).await.map(drop),
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
        actor: &str,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Ack, StoreError> {
        let Successor { root, digest, .. } = next;
        let (version, issued_at) = (root.version, root.issued_at);
        self.roots.succeed(root, digest);
        self.enrolled.judge_again(self.roots.installed());
        let written = self.write_down(version, digest, &payload, actor).await;
        let fallen = match written {
            Ok(fallen) => fallen,
            Err(error) => {
                self.roots.step_back();
                self.enrolled.judge_again(self.roots.installed());
                self.roots.wait(version, payload);
                self.events.root_not_installed(version, &error.to_string());
                return Err(error);
            }
        };
        self.time.prove(issued_at);
        self.roots.tell();
        self.events.root_installed(version, &digest, fallen.len());
        // What was refused for its keys may pass now.
        self.ask_again = true;
        let changes = self.restore_again().await;
        self.effect(changes, pipeline, Request::Activate).await;
        let replaced: Vec<_> =
            fallen.iter().filter(|fallen| matches!(fallen.fate, Fate::Replaced(_))).collect();
        let sensors: Vec<_> = replaced.iter().map(|fallen| fallen.sensor.clone()).collect();
        if !sensors.is_empty() {
            self.alerting.deployed(&sensors, false, self.clock.now()).await;
        }
        Ok(self.of_document(NAME, version, digest, Verdict::Accepted, sentence(version, &fallen)))
    }

    /// One transaction: the root, and what becomes of transforms that it does not let stand.
    async fn write_down(
        &self,
        version: u64,
        digest: Digest,
        payload: &Bytes,
        actor: &str,
    ) -> Result<Vec<Fallen>, StoreError> {
        let fallen = self.fallen().await?;
        let root = StoredRoot { version, envelope: payload.to_vec(), digest };
        let time_floor = self.roots.installed().map(|root| root.issued_at);
        let installation =
            RootInstallation { root, time_floor, actor: actor.to_owned(), fallen: fallen.clone() };
        self.store.install_root(installation).await?;
        Ok(fallen)
    }

    /// The transforms in force that the installed root does not let stand, though one before it did.
    async fn fallen(&self) -> Result<Vec<Fallen>, StoreError> {
        let (mut fallen, mut reasons) = (Vec::new(), HashMap::new());
        for entry in self.store.active().await? {
            let reason = reasons.entry(entry.digest).or_insert_with(|| self.does_not_stand(&entry.envelope));
            let Some(reason) = *reason else { continue };
            let fate = match self.on_revoked {
                Fallback::Keep => Fate::Kept,
                Fallback::Uncalibrated => Fate::Withdrawn,
                Fallback::Previous => self.earlier(&entry).await?,
            };
            let (sensor, digest, reason) = (entry.sensor, entry.digest, reason.to_string());
            fallen.push(Fallen { sensor, digest, reason, fate });
        }
        Ok(fallen)
    }

    /// Why the installed root does not let a transform stand, though one before it did. What no root lets stand does
    /// not fit the configuration any more, and that may come back.
    fn does_not_stand(&self, envelope: &[u8]) -> Option<Reason> {
        let refused = self.verify_again(envelope).err()?;
        self.verify_by_former(envelope).map(|_| refused.refusal.reason)
    }

    /// The last transform before the present one that the root lets stand.
    async fn earlier(&self, entry: &ActiveTransform) -> Result<Fate, StoreError> {
        let past = self.store.activations(entry.sensor.clone()).await?;
        for digest in back_from(&past) {
            let Some(stored) = self.store.transforms_named(&digest.to_string()).await?.pop() else {
                continue;
            };
            if let Ok(verified) = self.verified_for(&stored, &entry.sensor) {
                let earlier = super::activation(&verified, self.clock.now(), "calibd:root".to_owned(), true);
                return Ok(Fate::Replaced(Box::new(earlier)));
            }
        }
        Ok(Fate::Withdrawn)
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
fn sentence(version: u64, fallen: &[Fallen]) -> String {
    let count = |fate: fn(&Fate) -> bool| fallen.iter().filter(|fallen| fate(&fallen.fate)).count();
    let fates = [
        (count(|fate| matches!(fate, Fate::Kept)), "stays in force, flagged"),
        (count(|fate| matches!(fate, Fate::Replaced(_))), "gave way to the one before it"),
        (count(|fate| matches!(fate, Fate::Withdrawn)), "was withdrawn"),
    ];
    let told = fates.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> =
        told.map(|(count, what)| format!("at {count} sensor(s) the transform {what}")).collect();
    if told.is_empty() {
        return format!("root {version} is installed");
    }
    format!("root {version} is installed; {}", told.join(", "))
}
