//! Artifacts that come, and artifacts that are not valid any more.

use super::canary::POINTS;
use super::machine::{Rollout, is_reached};
use super::plan::{Artifact, Fallback, Mode, Plan};
use super::state::{Candidate, Running};
use super::{Action, Ending, Refused};
use crate::domain::alert::Severity;
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::domain::trust::target::LOCAL_PREFIX;

impl Rollout {
    /// Takes a transform as the candidate, in the place of the one before. One that is here already changes nothing.
    pub(super) fn accept(
        &mut self,
        artifact: Artifact,
        plan: Plan,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refused> {
        let state = &self.state;
        if [state.active(), state.candidate()]
            .into_iter()
            .flatten()
            .any(|held| held.digest == artifact.digest)
        {
            return Ok(());
        }
        if let Some(newer) = state.held().find(|held| artifact.is_not_newer(held)) {
            return Err(Refused::Older(artifact.to_string(), newer.to_string()));
        }
        let same = state.ended.iter().find(|ended| ended.artifact.digest == artifact.digest);
        if let Some(ended) = same.filter(|ended| !ended.how.may_return()) {
            return Err(Refused::Ended(artifact.to_string(), ended.why.clone()));
        }
        if let Some(before) = self.state.candidate.take() {
            let sentence = format!("{} is superseded: {artifact} has taken its place", before.artifact);
            // What a local one overlays may come again once that is gone.
            let local = artifact.id.as_str().starts_with(LOCAL_PREFIX);
            let how = if local { Ending::Superseded } else { Ending::Displaced };
            self.state.end(before.artifact.clone(), how, now, &sentence);
            actions.push(Action::Audit { action: "rollout.superseded", artifact: before.artifact, sentence });
        }
        let sentence = accepted(&artifact, &plan);
        actions.push(Action::Audit { action: "rollout.accepted", artifact: artifact.clone(), sentence });
        self.state.candidate = Some(Candidate { artifact, plan, since: now, ordered: None, shadow: None });
        actions.push(Action::Publish);
        Ok(())
    }

    /// Somebody else has put a transform in force. Going back to one of the steps ends what was behind it; anything else
    /// is one step more.
    pub(super) fn put(&mut self, artifact: Option<Artifact>, now: Timestamp, actions: &mut Vec<Action>) {
        let digest = artifact.as_ref().map(|artifact| artifact.digest);
        if self.state.active().map(|active| active.digest) == digest {
            return;
        }
        let mut left: Vec<Artifact> = Vec::new();
        let back = self.state.steps.iter().position(|step| Some(step.digest) == digest);
        if let Some(at) = back {
            left.extend(self.state.steps.drain(at..).skip(1));
        }
        match self.state.running.take() {
            Some(running) if back.is_none() && running.trial.is_none() => self.state.step(running.artifact),
            Some(running) => left.push(running.artifact),
            None => {}
        }
        let why = match &artifact {
            Some(artifact) => format!("{artifact} was put in force on the gateway"),
            None => "values were made raw on the gateway".to_owned(),
        };
        left.into_iter().for_each(|left| self.state.end(left, Ending::Ordered, now, &why));
        if self.state.candidate().map(|held| held.digest) == digest {
            self.state.candidate = None;
        }
        self.state.ended.retain(|ended| Some(ended.artifact.digest) != digest);
        self.state.running = artifact.map(|artifact| Running { artifact, since: now, trial: None });
        self.begin_again(now);
        actions.push(Action::Publish);
    }

    /// A transform does not verify any more: it is no candidate, nothing leads back to it, and where it is in force
    /// the gateway's policy says what happens.
    pub(super) fn invalid(&mut self, digest: Digest, why: &str, now: Timestamp, actions: &mut Vec<Action>) {
        self.forget(&|step| step.digest == digest, now);
        if let Some(candidate) = self.state.candidate().filter(|held| held.digest == digest) {
            let why = format!("{candidate} is not valid any more: {why}");
            self.end_candidate(Ending::Invalid, why, now, actions);
        }
        let Some(active) = self.state.active().filter(|active| active.digest == digest).cloned() else {
            return;
        };
        let sentence = format!("{active} is not valid any more: {why}");
        match self.policy.when_invalid {
            Fallback::Keep => {
                let sentence = format!("{sentence}; it stays in force, as `trust.on_revoked` says");
                self.found(Severity::Ticket, &sentence, actions);
                actions.push(Action::Audit { action: "rollout.kept", artifact: active, sentence });
                actions.push(Action::Publish);
            }
            Fallback::Previous => self.roll_back(Ending::Invalid, sentence, now, actions),
            Fallback::Uncalibrated => self.deactivate(Ending::Invalid, sentence, now, actions),
        }
    }

    /// What was gone back to does not verify: the one before it is next.
    pub(super) fn not_restored(
        &mut self,
        digest: Digest,
        why: &str,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let Some(active) = self.state.active().filter(|active| active.digest == digest) else { return };
        let sentence = format!("{active} could not be put in force again: {why}");
        self.roll_back(Ending::Invalid, sentence, now, actions);
    }
}

fn accepted(artifact: &Artifact, plan: &Plan) -> String {
    match plan.mode {
        Mode::Immediate => format!("{artifact} is accepted, to come into force at once"),
        Mode::Shadow => {
            format!("{artifact} is accepted, to be computed in shadow until somebody promotes it")
        }
        Mode::Canary { percent, point } => {
            let place = f64::from(point) * 100.0 / f64::from(POINTS);
            let inside = if is_reached(plan.mode) { "is one of them" } else { "waits for a larger share" };
            format!(
                "{artifact} is accepted for {percent} % of the gateways: this one, at {place:.2} %, {inside}"
            )
        }
    }
}
