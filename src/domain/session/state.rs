//! All there is to know of a session, and what can be seen of it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::candidate::Candidate;
use super::event::{At, Effect, Ending};
use super::fault::Fault;
use super::measuring::{Measuring, Progress};
use super::plan::{Item, Plan};
use super::point::{Point, worst};
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::reference::Standard;
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::Outcome;

/// The most points of one round.
pub const MOST_POINTS: usize = 32;

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// As-found points are measured.
    AsFound,
    /// They are judged.
    Found,
    /// A new transform is made and shown.
    Preview,
    /// It is signed, and on its way into force.
    Approved,
    /// As-left points are measured.
    AsLeft,
    /// They are judged.
    Left,
    /// The session is given up, and what ran before is on its way back.
    Reverting,
    /// It is over.
    Ended,
}

/// Who has had the session, and since when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// The user.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// The signature under the new transform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// The signed envelope.
    pub envelope: String,
    /// Who brought it.
    pub by: String,
    /// The keys that it names.
    pub keys: Vec<String>,
    /// Whether the gateway signed it on their behalf, with a maintenance key that it holds.
    #[serde(default)]
    pub gateway_key: bool,
    /// When.
    pub time: Timestamp,
    /// When it came into force.
    pub in_force: Option<Timestamp>,
}

/// A session. As JSON it is all there is to know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its name.
    pub id: Id,
    /// What it is about.
    pub plan: Plan,
    /// Where it is.
    pub stage: Stage,
    /// Whether it rests.
    pub paused: bool,
    /// Rises with everything that changes it, but for readings.
    pub revision: u64,
    /// Who has had it; the last one has it now.
    pub holders: Vec<Holder>,
    /// The point that is being measured.
    pub measuring: Option<Measuring>,
    /// As found.
    pub as_found: Vec<Point>,
    /// As left.
    pub as_left: Vec<Point>,
    /// The standards of the points, as they were known then.
    pub standards: Vec<Standard>,
    /// The new transform.
    pub candidate: Option<Candidate>,
    /// Its signature.
    pub approval: Option<Approval>,
    /// A transform of the fleet that waits: id and version, the last one.
    pub waiting: Option<(Id, u64)>,
    /// What the technician was told last.
    pub told: Option<String>,
    /// How it ended, and when.
    pub ended: Option<(Ending, Timestamp)>,
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// What of the plan makes no sense, and a clock that can't be believed, unless that is `accepted`.
    pub fn open(id: Id, plan: Plan, at: &At<'_>, accepted: bool) -> Result<(Session, Vec<Effect>), Fault> {
        plan.check()?;
        if !plan.clock_trusted && !accepted {
            return Err(Fault::ClockUntrusted { sensor: plan.sensor.clone() });
        }
        let detail = json!({ "session": id, "mode": plan.mode, "in_force": plan.in_force });
        let session = Session {
            id,
            plan,
            stage: Stage::AsFound,
            paused: false,
            revision: 1,
            holders: vec![Holder { by: at.by.to_owned(), since: at.time }],
            measuring: None,
            as_found: Vec::new(),
            as_left: Vec::new(),
            standards: Vec::new(),
            candidate: None,
            approval: None,
            waiting: None,
            told: None,
            ended: None,
        };
        let effects = vec![Effect::Write, Effect::Audit("session.opened", detail), Effect::Flag(true)];
        Ok((session, effects))
    }

    /// What to say to somebody who opens another one for the sensor.
    pub fn refuse_another(&self) -> Fault {
        Fault::AlreadyOpen {
            sensor: self.plan.sensor.clone(),
            session: self.id.clone(),
            by: self.holder().to_owned(),
            since: self.plan.opened,
        }
    }

    /// Who has it now.
    pub fn holder(&self) -> &str {
        self.holders.last().map_or("", |holder| &holder.by)
    }

    /// Whether it is not over: transforms of the fleet for its sensor wait.
    pub fn is_open(&self) -> bool {
        self.stage != Stage::Ended
    }

    /// Refuses a command by somebody who has seen another state of it.
    ///
    /// # Errors
    /// [`Fault::Stale`].
    pub fn check_revision(&self, expected: Option<u64>) -> Result<(), Fault> {
        match expected.filter(|expected| *expected != self.revision) {
            None => Ok(()),
            Some(expected) => Err(Fault::Stale { session: self.id.clone(), expected, found: self.revision }),
        }
    }

    /// Whether its last round is judged, so that it may end with a certificate.
    ///
    /// # Errors
    /// [`Fault::NotNow`] and [`Fault::Paused`].
    pub fn can_be_certified(&self) -> Result<(), Fault> {
        self.in_stage("a certificate", &[Stage::Found, Stage::Left])?;
        if self.paused { Err(Fault::Paused(self.plan.sensor.clone())) } else { Ok(()) }
    }

    /// The new transform, if it came into force.
    pub fn adjusted(&self) -> Option<&Candidate> {
        self.approval.as_ref()?.in_force?;
        self.candidate.as_ref()
    }

    /// Whether a certificate of it would be true: what is mounted at the sensor and what is in force there now is what
    /// its points were measured with.
    ///
    /// # Errors
    /// [`Fault::AnotherMounted`], [`Fault::NotLeftInForce`] and [`Fault::AnotherInForce`].
    pub fn is_true_of(&self, item: &Item, in_force: Option<Digest>) -> Result<(), Fault> {
        let sensor = self.plan.sensor.clone();
        if *item != self.plan.item {
            let (opened, now) = (self.plan.item.to_string(), item.to_string());
            return Err(Fault::AnotherMounted { sensor, opened, now });
        }
        let before = self.plan.in_force.as_ref().map(|it| it.digest);
        let after = self.adjusted().map(|candidate| candidate.digest).or(before);
        if in_force != after {
            return Err(Fault::NotLeftInForce { sensor, left: words(after), now: words(in_force) });
        }
        let by = |points: &[Point], transform: Option<Digest>| {
            points.iter().all(|point| point.transform == transform)
        };
        match by(&self.as_found, before) && by(&self.as_left, after) {
            true => Ok(()),
            false => Err(Fault::AnotherInForce { sensor }),
        }
    }

    /// The verdict on the as-found points, once they are judged.
    pub fn found(&self) -> Option<Outcome> {
        worst(&self.as_found).filter(|_| self.stage != Stage::AsFound)
    }

    /// The verdict on the as-left points, once they are judged.
    pub fn left(&self) -> Option<Outcome> {
        let judged = !matches!(self.stage, Stage::Approved | Stage::AsLeft);
        worst(&self.as_left).filter(|_| judged)
    }

    /// How far the point is that is being measured.
    pub fn progress(&self, passed: std::time::Duration) -> Option<Progress> {
        Some(self.measuring.as_ref()?.progress(&self.plan, passed))
    }

    /// What ran before is to be in force again.
    pub(super) fn restore(&self) -> Effect {
        Effect::Restore(self.plan.in_force.as_ref().map(|it| it.digest))
    }

    /// What has to be done again after a stop, for nobody knows whether it was.
    pub fn pending(&self) -> Option<Effect> {
        match self.stage {
            Stage::Approved => {
                self.approval.as_ref().map(|approval| Effect::Activate(approval.envelope.clone()))
            }
            Stage::Reverting => Some(self.restore()),
            _ => None,
        }
    }
}

/// What is in force, in a word.
fn words(transform: Option<Digest>) -> String {
    transform.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string().chars().take(12).collect())
}
