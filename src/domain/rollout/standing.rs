//! What there is to see of a rollout.

use serde::{Deserialize, Serialize};

use super::Stage;
use super::evidence::Findings;
use super::machine::Rollout;
use super::plan::Artifact;
use super::state::{Candidate, Running};
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;

/// What a candidate waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// A share of the gateways that reaches this one.
    Share,
    /// Its `not_before`.
    NotBefore,
    /// A clock that is trusted.
    Clock,
    /// The end of the session at the sensor.
    Session,
    /// A sensor that it fits again: unit, covariates, or keys are not those that it needs.
    Fit,
}

/// A transform at a sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Which one.
    pub artifact: Artifact,
    /// Where it stands.
    pub stage: Stage,
    /// Since when it is there.
    pub since: Timestamp,
    /// What it waits for.
    pub waits: Option<Wait>,
    /// When its bake is over if somebody watches all the time.
    pub bake_until: Option<Timestamp>,
    /// What was seen of it.
    pub gate: Option<Findings>,
    /// At how many pairs it is judged for its promotion next.
    pub next_look: Option<u64>,
}

/// What is in force, and what may come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standings {
    /// In force.
    pub active: Option<Standing>,
    /// To come.
    pub candidate: Option<Standing>,
}

/// Two transforms that have to be computed for the same readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// The one in question.
    pub of: Digest,
    /// The one beside it.
    pub beside: Option<Digest>,
    /// Pairs measured before say nothing of it.
    pub since: Timestamp,
}

impl Rollout {
    /// What has to be computed beside the transform in force: at most a candidate in shadow, and the last good one
    /// while the one in force is on trial.
    pub fn watched(&self) -> impl Iterator<Item = Watched> {
        let state = &self.state;
        let active = state.active().map(|active| active.digest);
        let candidate = state.candidate.as_ref().and_then(|candidate| {
            let since = candidate.shadow.as_ref()?.since;
            Some(Watched { of: candidate.artifact.digest, beside: active, since })
        });
        let running = state.running.as_ref().and_then(|running| {
            let since = running.trial.as_ref()?.since;
            let beside = state.last_good().map(|good| good.digest);
            Some(Watched { of: running.artifact.digest, beside, since })
        });
        candidate.into_iter().chain(running)
    }

    /// The transform beside one that is watched, and since when that is.
    pub(super) fn watching(&self, of: Digest) -> Option<(Option<Digest>, Timestamp)> {
        self.watched().find(|watched| watched.of == of).map(|watched| (watched.beside, watched.since))
    }

    /// What there is to see, and to publish.
    pub fn standings(&self, now: Timestamp) -> Standings {
        let state = &self.state;
        Standings {
            active: state.running.as_ref().map(|running| active(running, now)),
            candidate: state.candidate.as_ref().map(|candidate| self.candidate(candidate, now)),
        }
    }

    fn candidate(&self, candidate: &Candidate, now: Timestamp) -> Standing {
        let bake = candidate.plan.bake.unwrap_or(self.policy.bake);
        let limits = self.limits(candidate.plan.limits);
        let shadow = candidate.shadow.as_ref();
        Standing {
            artifact: candidate.artifact.clone(),
            stage: if shadow.is_some() { Stage::Shadow } else { Stage::Candidate },
            since: shadow.map_or(candidate.since, |shadow| shadow.since),
            waits: self.waits(candidate, now).or(self.state.session.then_some(Wait::Session)),
            bake_until: shadow.map(|shadow| until(bake, shadow.baked, now)),
            gate: shadow.map(|shadow| shadow.evidence.findings()),
            next_look: shadow.map(|shadow| shadow.evidence.next_look(&limits)),
        }
    }
}

fn active(running: &Running, now: Timestamp) -> Standing {
    let trial = running.trial.as_ref();
    Standing {
        artifact: running.artifact.clone(),
        stage: if trial.is_some() { Stage::Canary } else { Stage::Active },
        since: running.since,
        waits: trial.is_some_and(|trial| trial.idle).then_some(Wait::Fit),
        bake_until: trial.map(|trial| until(trial.bake, trial.watched, now)),
        gate: trial.map(|trial| trial.evidence.findings()),
        next_look: None,
    }
}

fn until(bake: i64, done: i64, now: Timestamp) -> Timestamp {
    now.saturating_add_micros(bake.saturating_sub(done).max(0))
}
