//! What the evidence decides.

use super::evidence::Evidence;
use super::limits::Limits;
use super::machine::{Rollout, is_reached};
use super::plan::{Mode, WithoutReferences};
use super::sentence::{against, lasting, numbers};
use super::standing::Wait;
use super::state::{Candidate, Shadow};
use super::{Action, Ending};
use crate::domain::time::Timestamp;

/// What is to become of a candidate in shadow.
enum Decision {
    Wait,
    Extend(String),
    Promote(String),
    End(Ending, String),
}

impl Rollout {
    /// Takes the transform in force back if its gate fails; leaves it in force for good after its trial.
    pub(super) fn judge_trial(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let policy = self.policy.limits;
        let Some(running) = &mut self.state.running else { return };
        let Some(trial) = &mut running.trial else { return };
        let limits = trial.limits.stricter(policy);
        if let Some(fault) = trial.evidence.fault(&limits) {
            let found = trial.evidence.findings();
            let (reason, numbers) = (against(fault, &found, &limits), numbers(&found, &limits));
            let why = format!("{} fails its gate in force: {reason}; {numbers}", running.artifact);
            return self.roll_back(Ending::Failed, why, now, actions);
        }
        if trial.watched >= trial.bake {
            let watched = lasting(trial.watched);
            self.settled(&format!("nothing was shown against it within {watched}"), actions);
        }
    }

    /// Ends the trial of the transform in force: it stays.
    fn settled(&mut self, because: &str, actions: &mut Vec<Action>) {
        let policy = self.policy.limits;
        let Some(running) = &mut self.state.running else { return };
        let Some(trial) = running.trial.take() else { return };
        let numbers = numbers(&trial.evidence.findings(), &trial.limits.stricter(policy));
        let artifact = running.artifact.clone();
        let sentence = format!("{artifact} is in force for good: {because}; {numbers}");
        actions.push(Action::Audit { action: "rollout.settled", artifact, sentence });
        actions.push(Action::Publish);
    }

    /// What a candidate waits for, beside the end of a session.
    pub(super) fn waits(&self, candidate: &Candidate, now: Timestamp) -> Option<Wait> {
        let early = candidate.artifact.not_before.is_some_and(|start| !self.state.trusted || now < start);
        if early {
            return Some(Wait::NotBefore);
        }
        if candidate.ordered.is_some() || candidate.plan.mode == Mode::Immediate {
            return None;
        }
        if !is_reached(candidate.plan.mode) {
            return Some(Wait::Share);
        }
        match &candidate.shadow {
            None => (!self.state.trusted).then_some(Wait::Clock),
            Some(shadow) => shadow.idle.then_some(Wait::Fit),
        }
    }

    /// Takes the candidate as far as it gets.
    pub(super) fn advance(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(candidate) = &self.state.candidate else { return };
        let artifact = &candidate.artifact;
        if self.state.trusted && now > artifact.expires {
            let why = format!("{artifact} expired at {} before it came into force", artifact.expires);
            return self.end_candidate(Ending::Expired, why, now, actions);
        }
        if self.waits(candidate, now).is_some() {
            return;
        }
        if let Some(by) = &candidate.ordered {
            let sentence = format!("{artifact} comes into force by order of {by}");
            return self.activate(sentence, now, actions);
        }
        if candidate.plan.mode == Mode::Immediate {
            let sentence = format!("{artifact} comes into force at once, as its signer wants");
            return self.activate(sentence, now, actions);
        }
        if candidate.shadow.is_none() {
            return self.begin_shadow(now, actions);
        }
        match self.decide() {
            Decision::Wait => {}
            Decision::Extend(sentence) => {
                if let Some(candidate) = &self.state.candidate {
                    let artifact = candidate.artifact.clone();
                    actions.push(Action::Audit { action: "rollout.extended", artifact, sentence });
                    actions.push(Action::Publish);
                }
            }
            Decision::Promote(sentence) => self.activate(sentence, now, actions),
            Decision::End(how, why) => self.end_candidate(how, why, now, actions),
        }
    }

    fn begin_shadow(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let beside = self.state.active().map(ToString::to_string);
        let policy = self.policy;
        let Some(candidate) = &mut self.state.candidate else { return };
        let limits = candidate.plan.limits.stricter(policy.limits);
        let bake = lasting(candidate.plan.bake.unwrap_or(policy.bake));
        let artifact = candidate.artifact.clone();
        let sentence = match &beside {
            Some(beside) => format!("{artifact} is computed beside {beside} for at least {bake}"),
            None => format!("{artifact} is computed, with nothing in force beside it, for at least {bake}"),
        };
        let evidence = Evidence::new(&limits, beside.is_some());
        candidate.shadow = Some(Shadow { since: now, baked: 0, extended: false, evidence, idle: false });
        actions.push(Action::Audit { action: "rollout.shadow", artifact, sentence });
        actions.push(Action::Publish);
    }

    /// Judges the candidate in shadow.
    fn decide(&mut self) -> Decision {
        let policy = self.policy;
        // A candidate is compared with what is good, so that has to be known first.
        let settled = self.state.running.as_ref().is_none_or(|running| running.trial.is_none());
        let Some(candidate) = &mut self.state.candidate else { return Decision::Wait };
        let Some(shadow) = &mut candidate.shadow else { return Decision::Wait };
        let (artifact, plan) = (&candidate.artifact, &candidate.plan);
        let limits = plan.limits.stricter(policy.limits);
        if let Some(fault) = shadow.evidence.fault(&limits) {
            let found = shadow.evidence.findings();
            let (reason, numbers) = (against(fault, &found, &limits), numbers(&found, &limits));
            return Decision::End(
                Ending::Failed,
                format!("{artifact} fails its gate in shadow: {reason}; {numbers}"),
            );
        }
        let bake = plan.bake.unwrap_or(policy.bake);
        if plan.mode == Mode::Shadow || shadow.baked < bake || !settled {
            return Decision::Wait;
        }
        let few = shadow.evidence.pairs() < limits.min_pairs;
        let promoted = match (few, policy.without_references) {
            (true, WithoutReferences::SanityOnly) => shadow.evidence.is_sane(&limits),
            (true, _) => false,
            (false, _) => shadow.evidence.is_good(&limits),
        };
        let ends = few && policy.without_references != WithoutReferences::Extend;
        let over = ends || shadow.baked >= policy.longest.max(bake);
        let told = said(few, &shadow.evidence, &limits);
        let baked = lasting(shadow.baked);
        if promoted {
            let what = if few { "readings alone say nothing against it" } else { "its gate is passed" };
            return Decision::Promote(format!(
                "{artifact} comes into force: after {baked} in shadow {what}; {told}"
            ));
        }
        if over {
            let why = format!(
                "{artifact} is refused: after {baked} in shadow it is not shown to be good enough; {told}"
            );
            return Decision::End(Ending::Unproven, why);
        }
        if std::mem::replace(&mut shadow.extended, true) {
            return Decision::Wait;
        }
        let longest = lasting(policy.longest.max(bake));
        Decision::Extend(format!(
            "{artifact} stays in shadow, for {longest} at most: after {baked} it is not shown to be good enough; {told}"
        ))
    }
}

fn said(few: bool, evidence: &Evidence, limits: &Limits) -> String {
    let numbers = numbers(&evidence.findings(), limits);
    if few { format!("{numbers}; {} pairs are needed", limits.min_pairs) } else { numbers }
}
