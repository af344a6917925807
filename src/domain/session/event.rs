//! What a session is told, and what it wants done.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::point::Role;
use crate::domain::digest::Digest;
use crate::domain::fit::population::Fitted;
use crate::domain::id::{Id, SensorId};
use crate::domain::reference::{Given, Standard};
use crate::domain::time::Timestamp;

/// When something happens, and by whom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct At<'a> {
    /// The wall clock: for dates only.
    pub time: Timestamp,
    /// The time that passes, whatever is done to the wall clock: for durations.
    pub passed: Duration,
    /// Who does it.
    pub by: &'a str,
}

/// A reading of the sensor.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// As measured.
    pub raw: Option<f64>,
    /// Calibrated.
    pub value: Option<f64>,
    /// The transform that made the value.
    pub transform: Option<Digest>,
    /// Why it is of no use, if so: `missing`, `out_of_domain`.
    pub unusable: Option<String>,
    /// Covariates at the time.
    pub covariates: Vec<Beside>,
}

/// A covariate beside a reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// Its role, like `temperature`.
    pub role: String,
    /// The sensor that plays it.
    pub sensor: SensorId,
    /// UCUM code.
    pub unit: String,
    /// Its value.
    pub value: f64,
}

/// What a point is measured against.
#[derive(Debug, Clone, PartialEq)]
pub enum Against {
    /// A value that somebody states.
    Stated(Given),
    /// Another sensor, whose values have this unit.
    Source {
        /// That sensor.
        sensor: SensorId,
        /// UCUM code.
        unit: String,
        /// Standard uncertainty of its values, where they bring none, in `unit`.
        u: Option<f64>,
    },
}

/// A point to be measured.
#[derive(Debug, Clone, PartialEq)]
pub struct PointOrder {
    /// What it is for.
    pub role: Role,
    /// What it is measured against.
    pub against: Against,
    /// The standard, as known now.
    pub standard: Option<Standard>,
}

/// A fit to be made of the as-found points.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOrder {
    /// `auto`, or a method as on the command line.
    pub method: String,
    /// What the fleet knows of the model.
    pub prior: Option<Fitted>,
    /// The payload of the transform in force, if one is.
    pub in_force: Option<String>,
    /// The epoch of the new transform.
    pub epoch: u64,
    /// Its version.
    pub version: u64,
    /// When it expires.
    pub expires: Timestamp,
}

/// What happens in a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The sensor has measured.
    Reading(Reading),
    /// The reference source has measured: value and standard uncertainty, in its unit.
    Reference(f64, Option<f64>),
    /// Time has passed.
    Tick,
    /// The daemon runs again, after a stop or a loss of power.
    Restarted,
    /// Measure a point.
    Point(Box<PointOrder>),
    /// Take back: the point that is being measured, else the last one.
    Undo,
    /// The points of this round are done: judge them.
    Finish,
    /// Make a transform of the as-found points.
    Fit(Box<FitOrder>),
    /// Drop the preview; its points stay.
    Discard,
    /// The preview's transform is the one to take.
    Approve {
        /// It, signed.
        envelope: String,
        /// Whether with the gateway's own key, for whoever says so.
        gateway_key: bool,
    },
    /// It is in force.
    Activated(Digest),
    /// It was refused: reason code and sentence.
    Declined(String, String),
    /// What ran before is in force again.
    Restored,
    /// Something else than the session's transform is in force already: somebody has put it there.
    Replaced(Digest),
    /// It is not: a sentence.
    NotRestored(String),
    /// Stop for now.
    Pause,
    /// Go on; whoever says it has the session from now on.
    Resume,
    /// End it, with what ran before in force.
    Abort(String),
    /// End it: all is done. The digest of the certificate, if there is one.
    End(Option<Digest>),
    /// The fleet has sent a transform: id and version.
    PushWaits(Id, u64),
}

/// What the session wants done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Write the session down, before anything else of the list.
    Write,
    /// Write into the audit: the action, and its detail as JSON.
    Audit(&'static str, serde_json::Value),
    /// Flag the sensor's readings (or no more), and keep them out of the statistics of drift.
    Flag(bool),
    /// Tell whoever looks on.
    Tell(Fault),
    /// Put the approved transform into force: its envelope.
    Activate(String),
    /// Put this back into force, or nothing, if nothing was.
    Restore(Option<Digest>),
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All was done.
    Done {
        /// The digest of its certificate.
        certificate: Option<Digest>,
    },
    /// It was given up.
    Aborted {
        /// Why.
        reason: String,
    },
}
