//! How transforms come into force.

use serde::{Deserialize, Serialize};

use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::rollout::evidence::Findings;
use crate::domain::rollout::plan::Artifact;
use crate::domain::rollout::state::{Ended, State};
use crate::domain::rollout::{Ending, Rollout, Stage, Standing, Wait};
use crate::domain::time::Timestamp;

/// `GET /v1/rollouts`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollouts {
    /// By sensor.
    pub rollouts: Vec<SensorRollout>,
}

/// How transforms come into force at one sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SensorRollout {
    /// Where.
    pub sensor: SensorId,
    /// In force.
    pub active: Option<RolloutStage>,
    /// To come.
    pub candidate: Option<RolloutStage>,
    /// Where a rollback leads.
    pub last_good: Option<EndedAs>,
    /// What came to its end last, the last one first.
    pub ended: Vec<EndedAs>,
    /// What goes on, or how the last one ended; null: there is nothing to say.
    pub message: Option<String>,
}

/// A transform and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutStage {
    /// The transform's identifier.
    pub id: Id,
    /// Its version.
    pub version: u64,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
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

/// A transform that is not in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedAs {
    /// The transform's identifier.
    pub id: Id,
    /// Its version.
    pub version: u64,
    /// SHA-256 of its signed bytes.
    pub digest: Digest,
    /// How it ended; null: another one took its place, and a rollback leads back to it.
    pub how: Option<Ending>,
    /// When.
    pub at: Option<Timestamp>,
    /// Why, in a sentence.
    pub why: Option<String>,
}

impl From<Standing> for RolloutStage {
    fn from(standing: Standing) -> RolloutStage {
        let Standing { artifact, stage, since, waits, bake_until, gate, next_look } = standing;
        let Artifact { id, version, digest, .. } = artifact;
        RolloutStage { id, version, digest, stage, since, waits, bake_until, gate, next_look }
    }
}

impl From<&Artifact> for EndedAs {
    fn from(artifact: &Artifact) -> EndedAs {
        let Artifact { id, version, digest, .. } = artifact.clone();
        EndedAs { id, version, digest, how: None, at: None, why: None }
    }
}

impl From<&Ended> for EndedAs {
    fn from(ended: &Ended) -> EndedAs {
        let (how, at, why) = (Some(ended.how), Some(ended.at), Some(ended.why.clone()));
        EndedAs { how, at, why, ..EndedAs::from(&ended.artifact) }
    }
}

impl SensorRollout {
    /// Of a sensor's machine, now.
    pub fn of(sensor: SensorId, machine: &Rollout, now: Timestamp) -> SensorRollout {
        let standings = machine.standings(now);
        let state: &State = machine.state();
        SensorRollout {
            sensor,
            active: standings.active.map(RolloutStage::from),
            candidate: standings.candidate.map(RolloutStage::from),
            last_good: state.last_good().map(EndedAs::from),
            ended: state.ended().iter().rev().map(EndedAs::from).collect(),
            message: machine.explained(now),
        }
    }
}
