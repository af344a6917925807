//! What has to survive a restart, all of it and no more.

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::limits::Limits;
use super::plan::{Artifact, Plan};
use super::{Ending, Stage};
use crate::domain::alert::{Finding, Severity};
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;

/// So many transforms are remembered to which a rollback may lead, one behind the other.
pub const MOST_STEPS: usize = 4;
/// So many transforms are remembered that have come to an end.
pub const MOST_ENDED: usize = 8;

/// What to do about what was found.
const REMEDY: &str = "look at the pairs with `calibctl drift`; if the transform is bad, sign a better version, and if the \
                      reference is, mend that and push the transform anew under a higher version";

/// A transform in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Running {
    pub artifact: Artifact,
    pub since: Timestamp,
    /// It is watched, and may be taken back.
    pub trial: Option<Trial>,
}

/// What is seen of a transform in force beside the one that was before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Trial {
    /// What its signer wants.
    pub limits: Limits,
    /// Pairs measured before say nothing of it.
    pub since: Timestamp,
    /// How long it is watched, and has been, in microseconds.
    pub bake: i64,
    pub watched: i64,
    pub evidence: Evidence,
    /// It is not computed; found out anew after a restart.
    #[serde(skip)]
    pub idle: bool,
}

/// A transform that may come into force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Candidate {
    pub artifact: Artifact,
    pub plan: Plan,
    /// Since when it is there.
    pub since: Timestamp,
    /// Who ordered that it comes into force.
    pub ordered: Option<String>,
    pub shadow: Option<Shadow>,
}

/// What is seen of a candidate beside the transform in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Shadow {
    pub since: Timestamp,
    /// How long it has been watched, in microseconds.
    pub baked: i64,
    /// It was told that its bake is over and it cannot be decided yet.
    pub extended: bool,
    pub evidence: Evidence,
    /// It is not computed; found out anew after a restart.
    #[serde(skip)]
    pub idle: bool,
}

/// A transform that is not in force and will not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Which one.
    pub artifact: Artifact,
    /// How it ended.
    pub how: Ending,
    /// When.
    pub at: Timestamp,
    /// Why, in a sentence.
    pub why: String,
}

/// All that is known of the rollouts of one sensor. Of bounded size.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    pub(super) running: Option<Running>,
    /// What was good before it, the last one last.
    pub(super) steps: Vec<Artifact>,
    pub(super) candidate: Option<Candidate>,
    pub(super) ended: Vec<Ended>,
    pub(super) session: bool,
    pub(super) trusted: bool,
    /// Serial number of the mounted instrument, as far as is known here.
    pub(super) instrument: Option<String>,
    /// When something happened last.
    pub(super) last: Option<Timestamp>,
    /// What was found last, as long as it stands: how urgent it is, and what it says.
    pub(super) finding: Option<(Severity, String)>,
}

impl State {
    /// Of a sensor whose transforms came into force before there were rollouts: what is in force since when, and what
    /// was before it, the last one last.
    pub fn adopted(running: Option<(Artifact, Timestamp)>, steps: Vec<Artifact>) -> State {
        let running = running.map(|(artifact, since)| Running { artifact, since, trial: None });
        State { running, steps, ..State::default() }.sound()
    }

    /// The same within its bounds.
    pub(super) fn sound(mut self) -> State {
        keep_last(&mut self.steps, MOST_STEPS);
        self.forget_ended();
        self
    }

    /// The transform in force.
    pub fn active(&self) -> Option<&Artifact> {
        self.running.as_ref().map(|running| &running.artifact)
    }

    /// The one that a rollback leads to.
    pub fn last_good(&self) -> Option<&Artifact> {
        self.steps.last()
    }

    /// The one that may come into force.
    pub fn candidate(&self) -> Option<&Artifact> {
        self.candidate.as_ref().map(|candidate| &candidate.artifact)
    }

    /// What can be in force: where rollbacks lead, the candidate, and what is in force, in this order.
    pub fn held_to(&self) -> impl Iterator<Item = &Artifact> {
        self.steps.iter().chain(self.candidate()).chain(self.active())
    }

    /// Those that have come to an end, the last one last.
    pub fn ended(&self) -> &[Ended] {
        &self.ended
    }

    /// What is the matter with the rollout, for the alerts; `None`: nothing.
    pub fn finding(&self) -> Option<Finding> {
        let (severity, message) = self.finding.clone()?;
        Some(Finding { severity, message, remedy: REMEDY.to_owned(), snapshot: None })
    }

    /// Whether the clock is trusted, as far as is known here.
    pub fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Whether a session is open at the sensor, as far as is known here.
    pub fn in_session(&self) -> bool {
        self.session
    }

    /// Where a transform stands; `None` for one that is not known, or was forgotten.
    pub fn stage(&self, digest: Digest) -> Option<Stage> {
        if let Some(running) = self.running.as_ref().filter(|running| running.artifact.digest == digest) {
            return Some(if running.trial.is_some() { Stage::Canary } else { Stage::Active });
        }
        if let Some(candidate) = self.candidate.as_ref().filter(|held| held.artifact.digest == digest) {
            return Some(if candidate.shadow.is_some() { Stage::Shadow } else { Stage::Candidate });
        }
        if self.steps.iter().any(|step| step.digest == digest) {
            return Some(Stage::Superseded);
        }
        let ended = self.ended.iter().rev().find(|ended| ended.artifact.digest == digest)?;
        Some(match ended.how {
            Ending::Superseded | Ending::Displaced => Stage::Superseded,
            _ => Stage::RolledBack,
        })
    }

    /// The serial number of the mounted instrument, as far as is known here.
    pub fn instrument(&self) -> Option<&str> {
        self.instrument.as_deref()
    }

    /// All that are held in some way.
    pub(super) fn held(&self) -> impl Iterator<Item = &Artifact> {
        let ended = self.ended.iter().map(|ended| &ended.artifact);
        self.active().into_iter().chain(self.candidate()).chain(&self.steps).chain(ended)
    }

    /// Remembers how a transform ended.
    pub(super) fn end(&mut self, artifact: Artifact, how: Ending, at: Timestamp, why: &str) {
        self.ended.retain(|ended| ended.artifact.digest != artifact.digest);
        self.ended.push(Ended { artifact, how, at, why: why.to_owned() });
        self.forget_ended();
    }

    /// Keeps so many of those that have ended: first those go of whose id a later one is kept, which the floor keeps
    /// out. What is forgotten could be accepted again.
    fn forget_ended(&mut self) {
        while self.ended.len() > MOST_ENDED {
            let mut places = 0..self.ended.len();
            let behind = places.find(|at| {
                let id = &self.ended[*at].artifact.id;
                self.ended[at + 1..].iter().any(|later| later.artifact.id == *id)
            });
            self.ended.remove(behind.unwrap_or(0));
        }
    }

    /// Remembers a transform that a rollback may lead to; the one that falls out of the memory is superseded.
    pub(super) fn step(&mut self, artifact: Artifact) {
        self.steps.retain(|step| step.digest != artifact.digest);
        self.steps.push(artifact);
        keep_last(&mut self.steps, MOST_STEPS);
    }
}

fn keep_last<T>(list: &mut Vec<T>, most: usize) {
    list.drain(..list.len().saturating_sub(most));
}
