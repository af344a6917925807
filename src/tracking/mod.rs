//! Comparing sensors with their references: references and readings to pairs, pairs to the statistics of drift.
//!
//! [`tracker`] is one sensor and decides; [`run`] is the task that feeds all of them from the pipeline and the
//! store, keeps what came of it, and tells.

mod beside;
pub mod follow;
mod judges;
mod judging;
mod pairs;
pub mod publish;
pub mod run;
mod stored;
pub mod tracker;

use std::time::Duration;

use tokio::sync::oneshot;

use crate::domain::id::{Id, SensorId};
use crate::domain::reference::Reference;
use crate::wire::control::SensorDrift;

/// What can be asked of the task.
#[derive(Debug)]
pub enum Ask {
    /// Pair these references, which are stored.
    References(Vec<Reference>),
    /// Forget these references of a sensor, and the pairs made with them, which are gone from the store.
    Withdrawn(SensorId, Vec<Id>),
    /// Another instrument was mounted at a sensor.
    Mounted(SensorId),
    /// Store what is not stored yet: the end is near.
    Finish(oneshot::Sender<()>),
    /// Follow the sensors to another configuration.
    Reconfigured,
    /// Say how far sensors are from their references.
    Drift(Wanted, oneshot::Sender<Vec<SensorDrift>>),
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
