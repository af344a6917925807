//! Orders. One that asks for what is so already changes nothing: orders are retained, and come again.

use super::machine::Rollout;
use super::plan::{Artifact, Mode};
use super::{Action, Ending, Order, OrderAction, Refused, Stage};
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;

impl Rollout {
    pub(super) fn order(
        &mut self,
        order: Order,
        by: &str,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refused> {
        let Order { action, digest, percent } = order;
        let stage = self.state.stage(digest).ok_or(Refused::Unknown(digest))?;
        match (action, stage) {
            (OrderAction::Promote, _) => self.promote(digest, stage, percent, by, actions),
            (OrderAction::Rollback | OrderAction::Abort, Stage::Candidate | Stage::Shadow) => {
                let why = format!("{} is ended by order of {by}", self.named(digest));
                self.end_candidate(Ending::Ordered, why, now, actions);
                Ok(())
            }
            (OrderAction::Abort, Stage::Active) => Err(Refused::Settled(self.named(digest))),
            (OrderAction::Rollback | OrderAction::Abort, Stage::Canary | Stage::Active) => {
                // An abort ends a trial whatever was before; a rollback is asked for where it leads somewhere.
                if action == OrderAction::Rollback && self.state.steps.is_empty() {
                    return Err(Refused::NothingBefore(self.named(digest)));
                }
                let why = format!("{} is left by order of {by}", self.named(digest));
                self.roll_back(Ending::Ordered, why, now, actions);
                Ok(())
            }
            (OrderAction::Rollback | OrderAction::Abort, Stage::Superseded) => {
                let why = format!("it is left by order of {by}");
                self.drop_steps(&|step| step.digest == digest, &why, now, actions);
                Ok(())
            }
            (OrderAction::Rollback | OrderAction::Abort, Stage::RolledBack) => Ok(()),
            (OrderAction::Retire, _) => {
                self.retire(digest, by, now, actions);
                Ok(())
            }
        }
    }

    fn promote(
        &mut self,
        digest: Digest,
        stage: Stage,
        percent: Option<f64>,
        by: &str,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refused> {
        match (stage, percent) {
            (Stage::Candidate | Stage::Shadow, Some(wanted)) => self.widen(wanted, by, actions),
            (Stage::Candidate | Stage::Shadow, None) => {
                if let Some(candidate) = &mut self.state.candidate {
                    candidate.ordered = Some(by.to_owned());
                }
                Ok(())
            }
            (Stage::Canary | Stage::Active, _) => Ok(()),
            (Stage::Superseded | Stage::RolledBack, _) => {
                let ended = self.state.ended.iter().find(|ended| ended.artifact.digest == digest);
                let why =
                    ended.map_or_else(|| "another one is in force".to_owned(), |ended| ended.why.clone());
                Err(Refused::Ended(self.named(digest), why))
            }
        }
    }

    /// Widens the share of the candidate; a smaller one than before changes nothing.
    fn widen(&mut self, wanted: f64, by: &str, actions: &mut Vec<Action>) -> Result<(), Refused> {
        let Some(candidate) = &mut self.state.candidate else { return Ok(()) };
        let artifact = candidate.artifact.clone();
        let Mode::Canary { percent, .. } = &mut candidate.plan.mode else {
            return Err(Refused::NoShare(artifact.to_string()));
        };
        if wanted > *percent {
            let sentence = format!(
                "{artifact} is widened from {percent} to {wanted} % of the gateways by order of {by}"
            );
            *percent = wanted;
            actions.push(Action::Audit { action: "rollout.widened", artifact, sentence });
            actions.push(Action::Publish);
        }
        Ok(())
    }

    /// Ends what could be gone back to.
    fn drop_steps(
        &mut self,
        which: &dyn Fn(&Artifact) -> bool,
        why: &str,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let gone: Vec<Artifact> = self.state.steps.iter().filter(|step| which(step)).cloned().collect();
        self.forget(which, now);
        for artifact in gone {
            let sentence = format!("nothing goes back to {artifact} any more: {why}");
            self.state.end(artifact.clone(), Ending::Ordered, now, &sentence);
            actions.push(Action::Audit { action: "rollout.rolled_back", artifact, sentence });
            actions.push(Action::Publish);
        }
    }

    /// Leaves all transforms of the same id. Where one was in force values are raw, and stay so: nothing that it took
    /// the place of comes back by itself.
    fn retire(&mut self, digest: Digest, by: &str, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(id) = self.state.held().find(|held| held.digest == digest).map(|held| held.id.clone())
        else {
            return;
        };
        let raw = self.state.active().is_some_and(|held| held.id == id);
        let why = format!("{id} is retired by order of {by}");
        self.drop_steps(&|step| raw || step.id == id, &why, now, actions);
        if let Some(candidate) = self.state.candidate().filter(|held| held.id == id) {
            let why = format!("{candidate} is retired by order of {by}");
            self.end_candidate(Ending::Ordered, why, now, actions);
        }
        if let Some(active) = self.state.active().filter(|held| held.id == id) {
            let why = format!("{active} is retired by order of {by}");
            self.deactivate(Ending::Ordered, why, now, actions);
        }
    }

    fn named(&self, digest: Digest) -> String {
        let held = self.state.held().find(|held| held.digest == digest);
        held.map_or_else(|| digest.to_string(), ToString::to_string)
    }
}
