//! What the ledger says is in force, verified again: at the start, and whenever what it depends on changes.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZero;
use std::sync::Arc;
use std::thread::{self, available_parallelism};

use super::{Desk, Installed, active};
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::rollout::plan::Fallback;
use crate::domain::trust::root::RoleName;
use crate::domain::trust::verify::{Refused, Verified};
use crate::pipeline::active::{Active, Change};
use crate::store::ActiveTransform;

/// So many transforms are worth the start of another thread: together they take some 2 ms.
const WORTH_A_THREAD: usize = 32;

/// A stored transform that may stand.
#[derive(Clone)]
struct Standing {
    verified: Arc<Verified>,
    /// Whether only a former root lets it stand.
    revoked: bool,
}

impl Desk {
    /// Verifies again what the ledger says is in force. Answers what may run.
    pub fn restore(&mut self, stored: Vec<ActiveTransform>) -> Vec<Change> {
        self.rollouts.adopt(&stored);
        let mut changes = Vec::new();
        let (mut bare, mut kept) = (BTreeSet::new(), BTreeSet::new());
        let judged = self.judge_all(&stored);
        for refused in judged.values().filter_map(|standing| standing.as_ref().err()) {
            self.events.refused(refused.refusal.reason.as_str());
        }
        for entry in stored {
            if entry.rolled_back {
                self.rolled_back.insert(entry.sensor.clone());
            }
            let Some(standing) = judged.get(&entry.digest) else { continue };
            let Standing { verified, revoked } = match standing {
                Ok(standing) => standing.clone(),
                Err(refused) => {
                    self.events.not_restored(&entry.sensor, &entry.digest, &refused.refusal);
                    bare.insert(entry.sensor);
                    continue;
                }
            };
            if !verified.sensors.contains(&entry.sensor) {
                let id = &verified.transform.id;
                tracing::warn!(sensor = %entry.sensor, transform = %id, "no longer fits the sensor; its readings go out raw");
                continue;
            }
            if revoked {
                kept.insert(entry.sensor.clone());
            }
            let active = Arc::new(active(&verified, entry.since, revoked));
            let below = entry.baseline.as_deref().and_then(|envelope| self.below(envelope, &entry.sensor));
            let role = verified.role;
            let local = (role == RoleName::Maintenance).then(|| entry.envelope.into());
            let installed = Installed { active: active.clone(), role, below, local };
            self.installed.insert(entry.sensor.clone(), installed);
            changes.push(Change { sensor: entry.sensor, active: Some(active) });
        }
        self.events.restored(bare, kept);
        changes
    }

    /// The fleet's transform below one of maintenance that was gone back to: not what was in force until now.
    pub(super) async fn was_below(&self, sensor: &SensorId, local: Digest) -> Option<Arc<Active>> {
        match self.store.below(sensor.clone(), local).await {
            Ok(envelope) => self.below(&envelope?, sensor),
            Err(error) => {
                tracing::warn!(%sensor, "what the fleet signed below its local transform is not known until the next start: {error}");
                None
            }
        }
    }

    /// Each of the transforms, judged once, by all processors: most of a start is spent here.
    fn judge_all(&self, stored: &[ActiveTransform]) -> HashMap<Digest, Result<Standing, Refused>> {
        let mut envelopes: HashMap<Digest, &[u8]> = HashMap::new();
        envelopes.extend(stored.iter().map(|entry| (entry.digest, &*entry.envelope)));
        let envelopes: Vec<_> = envelopes.into_iter().collect();
        let judge = |part: &[(Digest, &[u8])]| -> Vec<_> {
            part.iter().map(|(digest, envelope)| (*digest, self.standing_of(envelope))).collect()
        };
        let hands = available_parallelism().map_or(1, NonZero::get);
        let share = envelopes.len().div_ceil(hands).max(WORTH_A_THREAD);
        let Some((own, others)) = envelopes.split_at_checked(share) else {
            return judge(&envelopes).into_iter().collect();
        };
        thread::scope(|scope| {
            let start = |part| thread::Builder::new().spawn_scoped(scope, move || judge(part)).ok();
            let started: Vec<_> = others.chunks(share).map(|part| (part, start(part))).collect();
            let mut judged: HashMap<_, _> = judge(own).into_iter().collect();
            for (part, thread) in started {
                // Where no thread could be had; and a fault of the program that ended one is met again here, where it is
                // told.
                let done = thread.and_then(|thread| thread.join().ok());
                judged.extend(done.unwrap_or_else(|| judge(part)));
            }
            judged
        })
    }

    /// The fleet's transform below one of maintenance, if it may stand there.
    fn below(&self, envelope: &[u8], sensor: &SensorId) -> Option<Arc<Active>> {
        let Standing { verified, revoked } = self.standing_of(envelope).ok()?;
        let fits = verified.sensors.contains(sensor);
        fits.then(|| Arc::new(active(&verified, verified.transform.issued_at, revoked)))
    }

    fn standing_of(&self, envelope: &[u8]) -> Result<Standing, Refused> {
        let refused = match self.verify_again(envelope) {
            Ok(verified) => return Ok(Standing { verified: Arc::new(verified), revoked: false }),
            Err(refused) => refused,
        };
        let former = match self.rollouts.policy.when_invalid {
            Fallback::Keep => self.verify_by_former(envelope),
            Fallback::Previous | Fallback::Uncalibrated => None,
        };
        former.map(|verified| Standing { verified: Arc::new(verified), revoked: true }).ok_or(refused)
    }

    /// Does what a start does with the transforms that the ledger says are in force.
    pub(super) async fn restore_again(&mut self) -> Vec<Change> {
        let stored = match self.store.active().await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!("what is in force stays as it is: {error}");
                return Vec::new();
            }
        };
        let before: Vec<_> = std::mem::take(&mut self.installed).into_keys().collect();
        let mut changes = self.restore(stored);
        let gone = before.into_iter().filter(|sensor| !self.installed.contains_key(sensor));
        changes.extend(gone.map(|sensor| Change { sensor, active: None }));
        changes
    }
}
