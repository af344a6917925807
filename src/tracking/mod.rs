//! Comparing sensors with their references: references and readings to pairs, pairs to the statistics of drift.
//!
//! [`tracker`] is one sensor and decides; [`run`] is the task that feeds all of them from the pipeline and the
//! store, keeps what came of it, and tells. Only this task makes and deletes pairs. [`arrive`]
//! takes references from the broker.

pub mod about;
pub mod arrive;
mod beside;
pub mod follow;
mod judges;
mod judging;
mod pairs;
mod pending;
pub mod publish;
pub mod run;
mod stored;
mod traced;
pub mod tracker;
mod trial;

use std::time::Duration;

use tokio::sync::oneshot;

use crate::domain::id::{Id, SensorId};
use crate::domain::reference::Reference;
use crate::domain::time::Timestamp;
use crate::store::{Added, StoreError};
use crate::wire::control::SensorDrift;

/// What can be asked of the task.
#[derive(Debug)]
pub enum Ask {
    /// Pair these references, which are stored.
    References(Vec<Reference>),
    /// Store references that came by themselves, and pair what is new; answers with what each was.
    Keep(Vec<Reference>, oneshot::Sender<Result<Vec<Added>, StoreError>>),
    /// Withdraw references; answers with the ids of those that were not withdrawn already.
    Withdraw(Withdraw, oneshot::Sender<Result<Vec<Id>, StoreError>>),
    /// Another instrument was mounted at a sensor, at a time.
    Mounted(SensorId, Timestamp),
    /// Store what is not stored yet: the end is near.
    Finish(oneshot::Sender<()>),
    /// Say how far sensors are from their references.
    Drift(Wanted, oneshot::Sender<Vec<SensorDrift>>),
}

/// Which references of a sensor do not count any more.
#[derive(Debug)]
pub struct Withdraw {
    /// The sensor.
    pub sensor: SensorId,
    /// The references.
    pub ids: Vec<Id>,
    /// Who says so.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

/// Whose drift, over which time.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this sensor; `None`: of all that have pairs.
    pub sensor: Option<SensorId>,
    /// Over so much of the window, in whole panes; `None`: all of it.
    pub part: Option<Duration>,
    /// Of this cohort beside all pairs; `None`: of each.
    pub cohort: Option<String>,
}
