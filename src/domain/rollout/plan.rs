//! How one transform is to come into force, and what the gateway adds to that.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::canary;
use super::limits::Limits;
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::{RolloutMode, Transform};

/// Which transform: its line of versions, its place there, its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its id.
    pub id: Id,
    /// Its epoch.
    pub epoch: u64,
    /// Its version.
    pub version: u64,
    /// Its digest.
    pub digest: Digest,
    /// Not to come into force before.
    pub not_before: Option<Timestamp>,
    /// Not to come into force afterwards.
    pub expires: Timestamp,
}

impl Artifact {
    /// Of a transform that was verified.
    pub fn of(transform: &Transform, digest: Digest) -> Artifact {
        Artifact {
            id: transform.id.clone(),
            epoch: transform.epoch,
            version: transform.version,
            digest,
            not_before: transform.not_before,
            expires: transform.expires,
        }
    }

    /// Whether it is another one of the same line and does not stand behind the other.
    pub(super) fn is_not_newer(&self, other: &Artifact) -> bool {
        let place = |artifact: &Artifact| (artifact.epoch, artifact.version);
        self.id == other.id && self.digest != other.digest && place(self) <= place(other)
    }
}

impl std::fmt::Display for Artifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} version {}", self.id, self.version)
    }
}

/// By which stages a transform comes into force at a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// At once.
    Immediate,
    /// In shadow until somebody promotes it.
    Shadow,
    /// In shadow, then by its gate, where the share reaches this gateway.
    Canary {
        /// The share of the gateways, in percent.
        percent: f64,
        /// Where this gateway stands on the scale of shares.
        point: u16,
    },
}

/// What a transform says about its rollout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// By which stages.
    pub mode: Mode,
    /// How long it is watched in shadow, and again once it is in force, in microseconds.
    pub bake: Option<i64>,
    /// What its signer wants of it.
    pub limits: Limits,
    /// Whether it is watched once it is in force.
    pub watched: bool,
}

impl Plan {
    /// Of a transform whose content was checked, on this gateway. One without a rollout comes into force at once and is
    /// not watched, nor is one that is `immediate` without a gate: there is nothing it could be taken back by.
    pub fn of(transform: &Transform, gateway: &Id) -> Plan {
        let limits = Limits::of(transform);
        let Some(rollout) = &transform.rollout else {
            return Plan { mode: Mode::Immediate, bake: None, limits, watched: false };
        };
        let mode = match rollout.mode {
            RolloutMode::Immediate => Mode::Immediate,
            RolloutMode::Shadow => Mode::Shadow,
            RolloutMode::Canary => Mode::Canary {
                percent: rollout.percent.unwrap_or(0.0),
                point: canary::point(&transform.id, rollout.seed.as_deref().unwrap_or(""), gateway),
            },
        };
        let watched = mode != Mode::Immediate || rollout.gate.is_some();
        Plan { mode, bake: rollout.bake.map(micros), limits, watched }
    }
}

fn micros(time: SignedDuration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// What happens at the end of a bake in which fewer pairs came than are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithoutReferences {
    /// The bake goes on until they have come.
    #[default]
    Extend,
    /// The candidate is refused.
    Refuse,
    /// The candidate is promoted if what needs no reference says nothing against it.
    SanityOnly,
}

/// What becomes of a transform in force that is not valid any more, as `trust.on_revoked` says, or expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// It stays.
    #[default]
    Keep,
    /// The last good one takes its place.
    Previous,
    /// Values are raw.
    Uncalibrated,
}

/// What the gateway wants of every rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// What has to be reached, beside what the signer wants: the stricter counts.
    pub limits: Limits,
    /// How long a candidate is watched that does not say it, in microseconds.
    pub bake: i64,
    /// After so long a candidate of which too little is known is refused, in microseconds.
    pub longest: i64,
    /// What to do without references.
    pub without_references: WithoutReferences,
    /// What to do with what is not valid any more.
    pub when_invalid: Fallback,
}

const DAY: i64 = 86_400_000_000;

impl Default for Policy {
    /// 12 pairs, an RMSE of at most 1.1 times that of the transform in force, at least 90 % of the pairs within their
    /// uncertainties; a day in shadow, 30 days at most; without references the bake goes on.
    fn default() -> Policy {
        Policy {
            limits: Limits {
                min_pairs: 12,
                max_rmse_ratio: Some(1.1),
                max_bias: None,
                min_coverage: Some(0.9),
                max_step: None,
            },
            bake: DAY,
            longest: 30 * DAY,
            without_references: WithoutReferences::default(),
            when_invalid: Fallback::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(rollout: serde_json::Value) -> Plan {
        let artifact = json!({
            "schema": 1, "id": "t", "epoch": 1, "version": 1, "target": {"fleet": "f", "sensors": ["s"]},
            "quantity": "q", "input_unit": "1", "output_unit": "1", "pipeline": [],
            "limits": {"max_step": 2.0}, "issued_at": "2026-01-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z",
            "rollout": rollout,
        });
        let transform = Transform::parse(artifact.to_string().as_bytes()).unwrap();
        Plan::of(&transform, &Id::new("g").unwrap())
    }

    #[test]
    fn a_plan_is_what_the_artifact_says() {
        let none = plan(json!(null));
        assert_eq!((none.mode, none.watched, none.limits.max_step), (Mode::Immediate, false, Some(2.0)));
        assert!(!plan(json!({"mode": "immediate"})).watched);
        assert!(plan(json!({"mode": "immediate", "gate": {}})).watched);
        let shadow = plan(json!({"mode": "shadow", "bake": "2h"}));
        assert_eq!((shadow.mode, shadow.bake), (Mode::Shadow, Some(7_200_000_000)));
        let canary =
            plan(json!({"mode": "canary", "percent": 10, "seed": "Köln 7", "gate": {"min_pairs": 9}}));
        assert_eq!(canary.mode, Mode::Canary { percent: 10.0, point: 1110 });
        assert_eq!((canary.watched, canary.limits.min_pairs), (true, 9));
    }
}
