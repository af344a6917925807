//! How a transform comes into force at a sensor: beside the one in force first, compared with it by references, then
//! in force on trial, then for good; or taken back.
//!
//! [`Rollout`] is a state machine, one for each sensor: an event and the time give actions, which the shell carries out
//! in their order. It knows neither envelopes nor values: what it is told of was verified, what it asks for is verified
//! again.

pub mod canary;
pub mod evidence;
pub mod limits;
pub mod looks;
pub mod plan;
pub mod series;
pub mod state;

mod accept;
mod judge;
mod machine;
mod order;
mod sentence;
mod standing;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::alert::Finding;
use super::digest::Digest;
use super::drift::pair::Pair;
use evidence::Readings;
use plan::{Artifact, Plan, Policy};

pub use machine::{MOST_BETWEEN, Rollout};
pub use standing::{Standing, Standings, Wait, Watched};

/// Where a transform stands at a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Accepted; it waits.
    Candidate,
    /// Computed beside the one in force.
    Shadow,
    /// In force on trial: a failing gate takes it back.
    Canary,
    /// In force.
    Active,
    /// Another one has taken its place.
    Superseded,
    /// Taken back, refused or retired.
    RolledBack,
}

impl Stage {
    /// The name, as in answers and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Candidate => "candidate",
            Stage::Shadow => "shadow",
            Stage::Canary => "canary",
            Stage::Active => "active",
            Stage::Superseded => "superseded",
            Stage::RolledBack => "rolled_back",
        }
    }
}

/// How a transform came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Another one took its place: it was on trial, or a local one overlays it.
    Superseded,
    /// Another candidate took its place before it was in force.
    Displaced,
    /// A gate spoke against it.
    Failed,
    /// Its bake ended without enough to judge it by.
    Unproven,
    /// It expired before it came into force.
    Expired,
    /// Somebody ended it.
    Ordered,
    /// Its signature is not believed any more.
    Invalid,
}

impl Ending {
    /// Whether the same transform may be accepted once more: another one took its place in force, or its signature was
    /// not believed for a time. Of candidates that displace each other the last one stays: the broker says all of them
    /// again with each connection.
    pub fn may_return(self) -> bool {
        matches!(self, Ending::Superseded | Ending::Invalid)
    }
}

/// What an order wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderAction {
    /// The transform comes into force, whatever its gate says; with a share, that share of the gateways goes on
    /// by the gate.
    Promote,
    /// The transform in force is left for the last good one.
    Rollback,
    /// The rollout ends, and what was good before it stays or comes back.
    Abort,
    /// All transforms of its id are left: values are raw.
    Retire,
}

impl OrderAction {
    /// The name, as in an order.
    pub fn as_str(self) -> &'static str {
        match self {
            OrderAction::Promote => "promote",
            OrderAction::Rollback => "rollback",
            OrderAction::Abort => "abort",
            OrderAction::Retire => "retire",
        }
    }
}

/// An order about one transform.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    /// What it wants.
    pub action: OrderAction,
    /// Of which transform: the one that is to be promoted, or to be left.
    pub digest: Digest,
    /// The share of the gateways to promote it on, in percent; `None`: all that get the order.
    pub percent: Option<f64>,
}

/// A pair of a transform that is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// The transform that made the pair's value.
    pub of: Digest,
    /// The transform beside, and the value that it gives for the same readings.
    pub beside: Option<(Digest, f64)>,
    /// Value, reference and their uncertainties.
    pub pair: Pair,
    /// Whether the reference is of a configured source or of a session: others don't count.
    pub counts: bool,
}

/// What happens.
#[derive(Debug, Clone)]
pub enum Event {
    /// Time passes: at least every [`MOST_BETWEEN`], or a bake takes longer than it has to.
    Tick,
    /// A transform was accepted for this sensor: verified, its floor raised.
    Accepted {
        /// Which one.
        artifact: Artifact,
        /// What it says about its rollout.
        plan: Plan,
        /// Whether the session that is open at the sensor made it: then it goes on meanwhile, and nothing else does.
        of_session: bool,
    },
    /// There is a new pair of a transform that is watched.
    Pair(Box<Paired>),
    /// Readings were computed by a transform that is watched and the one beside it.
    Read {
        /// The transform that is watched.
        of: Digest,
        /// What came of it.
        readings: Readings,
    },
    /// An order came, verified.
    Ordered {
        /// What it wants.
        order: Order,
        /// Who signed it.
        by: String,
    },
    /// A transform does not verify any more.
    Invalid {
        /// Which one.
        digest: Digest,
        /// Why, as in "its key was revoked".
        why: String,
    },
    /// A transform that was to be gone back to does not verify, or could not be put in force.
    NotRestored {
        /// Which one.
        digest: Digest,
        /// Why.
        why: String,
    },
    /// Something else was put in force without being asked for here, as by `calibctl transform rollback`.
    Put {
        /// What; `None`: values are raw.
        artifact: Option<Artifact>,
    },
    /// The gateway's policy has changed.
    Policy(Policy),
    /// A session has begun or ended at the sensor: while it is open nothing changes by itself.
    Session {
        /// Whether it is open.
        open: bool,
    },
    /// An instrument with this serial number is mounted at the sensor.
    Instrument(Option<String>),
    /// The clock has become trusted, or is not any more: then no bake goes on.
    Clock {
        /// Whether it is trusted.
        trusted: bool,
    },
}

/// What has to be done. The audit comes before what it tells of.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write it to the audit.
    Audit {
        /// As `rollout.promoted`.
        action: &'static str,
        /// About which transform.
        artifact: Artifact,
        /// What happened and why, in a sentence with its numbers.
        sentence: String,
    },
    /// Put the candidate in force, verified again.
    Activate(Digest),
    /// Put another one in force again, verified again, else say [`Event::NotRestored`]; `None`: values are raw.
    RollBack {
        /// What is left.
        from: Digest,
        /// What is gone back to.
        to: Option<Digest>,
    },
    /// Take it out of force: values are raw.
    Deactivate(Digest),
    /// What [`Rollout::standings`] says has changed: publish it.
    Publish,
    /// What is the matter with the rollout, for the alerts; `None`: nothing any more.
    Alert(Option<Box<Finding>>),
}

/// Why an event has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The same line has this version or a newer one here.
    #[error("{0} is not newer than {1}, which was accepted here: sign a higher version")]
    Older(String, String),
    /// It has come to an end here.
    #[error("{0} has come to its end here ({1}): sign a new version")]
    Ended(String, String),
    /// It is not here.
    #[error("no transform {0} is in force here or about to be: push it first")]
    Unknown(Digest),
    /// It has no share of the gateways.
    #[error("{0} is no canary, so its share cannot be widened: promote it without `percent`")]
    NoShare(String),
    /// It is in force for good.
    #[error("{0} is in force for good: roll it back instead")]
    Settled(String),
    /// There is nothing behind it.
    #[error("nothing was in force before {0}: retire it to have raw values")]
    NothingBefore(String),
}
