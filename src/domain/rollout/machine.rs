//! The machine: what happened and what time it is give what has to be done.

use super::evidence::Evidence;
use super::limits::Limits;
use super::plan::{Artifact, Mode, Policy};
use super::state::{Candidate, Running, State, Trial};
use super::{Action, Ending, Event, Paired, Refused};
use crate::domain::alert::Severity;
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;

/// A bake counts no more than this between two events, in microseconds: neither the time in which nobody watched nor a
/// jump of the clock passes for a bake.
pub const MOST_BETWEEN: i64 = 600_000_000;

/// The rollouts of one sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    pub(super) policy: Policy,
    pub(super) state: State,
}

impl Rollout {
    /// Goes on from what was stored.
    pub fn new(policy: Policy, state: State) -> Rollout {
        Rollout { policy, state: state.sound() }
    }

    /// What has to survive a restart.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes in what happened; what has to be done, in this order.
    ///
    /// # Errors
    /// Says why an artifact or an order has no effect; nothing has changed then.
    pub fn apply(&mut self, event: Event, now: Timestamp) -> Result<Vec<Action>, Refused> {
        self.elapse(now);
        let mut actions = Vec::new();
        let mut own = None;
        match event {
            Event::Tick => {}
            Event::Accepted { artifact, plan, of_session } => {
                own = of_session.then_some(artifact.digest);
                self.accept(artifact, plan, now, &mut actions)?;
            }
            Event::Pair(paired) => self.pair(&paired),
            Event::Read { of, readings } => {
                if let Some(evidence) = self.evidence(of) {
                    evidence.readings(readings);
                }
            }
            Event::Ordered { order, by } => self.order(order, &by, now, &mut actions)?,
            Event::Invalid { digest, why } => self.invalid(digest, &why, now, &mut actions),
            Event::NotRestored { digest, why } => self.not_restored(digest, &why, now, &mut actions),
            Event::Put { artifact } => self.put(artifact, now, &mut actions),
            Event::Policy(policy) => self.policy = policy,
            Event::Session { open } => self.state.session = open,
            Event::Instrument(serial) => self.mounted(serial, now, &mut actions),
            Event::Clock { trusted } => self.state.trusted = trusted,
        }
        if !self.state.session {
            self.judge_trial(now, &mut actions);
            self.advance(now, &mut actions);
        } else if own.is_some() && own == self.state.candidate().map(|candidate| candidate.digest) {
            self.advance(now, &mut actions);
        }
        Ok(actions)
    }

    /// Takes in which of the transforms that are watched are computed; says whether that is news. The time of the
    /// others does not count.
    pub fn computes(&mut self, is_computed: impl Fn(Digest) -> bool) -> bool {
        let State { running, candidate, .. } = &mut self.state;
        let trial = running.as_mut().and_then(|it| Some((it.artifact.digest, &mut it.trial.as_mut()?.idle)));
        let shadow =
            candidate.as_mut().and_then(|it| Some((it.artifact.digest, &mut it.shadow.as_mut()?.idle)));
        let mut news = false;
        for (digest, idle) in trial.into_iter().chain(shadow) {
            let now = !is_computed(digest);
            news |= std::mem::replace(idle, now) != now;
        }
        news
    }

    /// Counts the time that has passed, as far as somebody watched and the clock is trusted.
    fn elapse(&mut self, now: Timestamp) {
        let last = self.state.last.replace(now);
        let gone = match last {
            Some(last) if self.state.trusted => now.micros_since(last).clamp(0, MOST_BETWEEN),
            _ => 0,
        };
        if let Some(trial) = self.state.running.as_mut().and_then(|running| running.trial.as_mut()) {
            trial.watched = trial.watched.saturating_add(if trial.idle { 0 } else { gone });
            // The clock was ahead: pairs from now on count.
            trial.since = trial.since.min(now);
        }
        if let Some(shadow) = self.state.candidate.as_mut().and_then(|held| held.shadow.as_mut()) {
            shadow.baked = shadow.baked.saturating_add(if shadow.idle { 0 } else { gone });
            shadow.since = shadow.since.min(now);
        }
    }

    /// What is gathered about a transform that is watched.
    fn evidence(&mut self, of: Digest) -> Option<&mut Evidence> {
        let State { running, candidate, .. } = &mut self.state;
        if let Some(candidate) = candidate.as_mut().filter(|held| held.artifact.digest == of) {
            return candidate.shadow.as_mut().map(|shadow| &mut shadow.evidence);
        }
        let running = running.as_mut().filter(|running| running.artifact.digest == of)?;
        running.trial.as_mut().map(|trial| &mut trial.evidence)
    }

    /// Takes a pair that counts: of a reference that can be believed, measured since the transform is watched.
    fn pair(&mut self, paired: &Paired) {
        let Some((beside, since)) = self.watching(paired.of) else { return };
        if !paired.counts || !self.state.trusted || paired.pair.time < since {
            return;
        }
        let other = paired.beside.filter(|(digest, _)| Some(*digest) == beside).map(|(_, value)| value);
        if let Some(evidence) = self.evidence(paired.of) {
            evidence.pair(&paired.pair, other);
        }
    }

    /// Ends the candidate; what is in force stays.
    pub(super) fn end_candidate(
        &mut self,
        how: Ending,
        why: String,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let Some(candidate) = self.state.candidate.take() else { return };
        let artifact = candidate.artifact;
        self.state.end(artifact.clone(), how, now, &why);
        if matches!(how, Ending::Failed | Ending::Unproven | Ending::Invalid) {
            self.found(Severity::Ticket, &why, actions);
        }
        actions.push(Action::Audit { action: "rollout.refused", artifact, sentence: why });
        actions.push(Action::Publish);
    }

    /// Puts the candidate in force. What was in force for good is what a rollback leads to from now on; what was on
    /// trial is not.
    pub(super) fn activate(&mut self, sentence: String, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(Candidate { artifact, plan, .. }) = self.state.candidate.take() else { return };
        if let Some(before) = self.state.running.take() {
            let why = format!("{artifact} has taken its place");
            match before.trial {
                None => self.state.step(before.artifact),
                Some(_) => self.state.end(before.artifact, Ending::Superseded, now, &why),
            }
        }
        self.state.steps.retain(|step| step.digest != artifact.digest);
        self.state.ended.retain(|ended| ended.artifact.digest != artifact.digest);
        let trial = plan.watched.then(|| Trial {
            limits: plan.limits,
            since: now,
            bake: plan.bake.unwrap_or(self.policy.bake),
            watched: 0,
            evidence: Evidence::new(&self.limits(plan.limits), !self.state.steps.is_empty()),
            idle: false,
        });
        self.state.running = Some(Running { artifact: artifact.clone(), since: now, trial });
        let digest = artifact.digest;
        actions.push(Action::Audit { action: "rollout.activated", artifact, sentence });
        actions.push(Action::Activate(digest));
        self.clear(actions);
        actions.push(Action::Publish);
    }

    /// Leaves the transform in force for the last good one; without one values are raw.
    pub(super) fn roll_back(&mut self, how: Ending, why: String, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(left) = self.state.running.take() else { return };
        let to = self.state.steps.pop();
        let back = to.as_ref().map_or_else(
            || "nothing good was in force before, so values are raw".to_owned(),
            |good| format!("{good} is in force again"),
        );
        let sentence = format!("{why}; {back}");
        self.state.end(left.artifact.clone(), how, now, &why);
        if how != Ending::Ordered {
            let severity = if to.is_some() { Severity::Ticket } else { Severity::Page };
            self.found(severity, &sentence, actions);
        }
        let (from, digest) = (left.artifact.digest, to.as_ref().map(|good| good.digest));
        self.state.running = to.map(|artifact| Running { artifact, since: now, trial: None });
        self.begin_again(now);
        actions.push(Action::Audit { action: "rollout.rolled_back", artifact: left.artifact, sentence });
        actions.push(Action::RollBack { from, to: digest });
        actions.push(Action::Publish);
    }

    /// Takes the transform in force out of it.
    pub(super) fn deactivate(&mut self, how: Ending, why: String, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(left) = self.state.running.take() else { return };
        self.state.end(left.artifact.clone(), how, now, &why);
        self.begin_again(now);
        let digest = left.artifact.digest;
        let sentence = format!("{why}; values are raw");
        if how == Ending::Invalid {
            self.found(Severity::Page, &sentence, actions);
        }
        actions.push(Action::Audit { action: "rollout.deactivated", artifact: left.artifact, sentence });
        actions.push(Action::Deactivate(digest));
        actions.push(Action::Publish);
    }

    /// Another transform is beside the candidate from now on: what was seen of it does not count any more.
    pub(super) fn begin_again(&mut self, now: Timestamp) {
        let (policy, beside) = (self.policy.limits, self.state.running.is_some());
        let Some(candidate) = &mut self.state.candidate else { return };
        if let Some(shadow) = &mut candidate.shadow {
            let limits = candidate.plan.limits.stricter(policy);
            (shadow.since, shadow.baked, shadow.extended) = (now, 0, false);
            shadow.evidence = Evidence::new(&limits, beside);
        }
    }

    /// Nothing leads back to these any more. If that was beside the one on trial, what was seen of both does not count.
    pub(super) fn forget(&mut self, which: &dyn Fn(&Artifact) -> bool, now: Timestamp) {
        let before = self.state.last_good().map(|good| good.digest);
        self.state.steps.retain(|step| !which(step));
        if before != self.state.last_good().map(|good| good.digest) {
            self.try_anew(now);
        }
    }

    /// What was seen of the one on trial does not count any more.
    fn try_anew(&mut self, now: Timestamp) {
        let (policy, beside) = (self.policy.limits, self.state.last_good().is_some());
        let trial = self.state.running.as_mut().and_then(|running| running.trial.as_mut());
        if let Some(trial) = trial {
            trial.since = now;
            trial.evidence = Evidence::new(&trial.limits.stricter(policy), beside);
        }
    }

    /// Another instrument is mounted: what was seen at the one before says nothing of it.
    fn mounted(&mut self, serial: Option<String>, now: Timestamp, actions: &mut Vec<Action>) {
        if std::mem::replace(&mut self.state.instrument, serial) == self.state.instrument {
            return;
        }
        self.begin_again(now);
        self.try_anew(now);
        let State { running, candidate, instrument, .. } = &mut self.state;
        let trial = running.as_mut().and_then(|running| Some((&running.artifact, running.trial.as_mut()?)));
        let on_trial = trial.map(|(artifact, trial)| {
            trial.watched = 0;
            artifact
        });
        let in_shadow = candidate.as_ref().filter(|held| held.shadow.is_some()).map(|held| &held.artifact);
        let named = instrument.as_ref().map_or_else(String::new, |serial| format!(" ({serial})"));
        for artifact in in_shadow.into_iter().chain(on_trial) {
            let sentence = format!("{artifact} is watched anew: another instrument{named} is mounted");
            let artifact = artifact.clone();
            actions.push(Action::Audit { action: "rollout.restarted", artifact, sentence });
            actions.push(Action::Publish);
        }
    }

    /// What the signer and the gateway want together.
    pub(super) fn limits(&self, signer: Limits) -> Limits {
        signer.stricter(self.policy.limits)
    }

    pub(super) fn found(&mut self, severity: Severity, message: &str, actions: &mut Vec<Action>) {
        self.state.finding = Some((severity, message.to_owned()));
        actions.push(Action::Alert(self.state.finding().map(Box::new)));
    }

    pub(super) fn clear(&mut self, actions: &mut Vec<Action>) {
        if self.state.finding.take().is_some() {
            actions.push(Action::Alert(None));
        }
    }
}

/// Whether a share reaches this gateway; what has no share reaches all.
pub(super) fn is_reached(mode: Mode) -> bool {
    match mode {
        Mode::Canary { percent, point } => super::canary::reaches(percent, point),
        Mode::Immediate | Mode::Shadow => true,
    }
}
