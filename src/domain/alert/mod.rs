//! Alerts about sensors: what is found of single sensors becomes few alerts, each with one cause, that stand until
//! their cause is gone.
//!
//! [`Alerts`] is a state machine: an event and the time give actions, which the shell carries out. What is wrong with
//! the daemon itself is no alert but an alarm of `telemetry`.

mod clock;
mod group;
mod machine;
mod policy;
mod stored;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::digest::Digest;
use super::id::{Id, SensorId};
use super::time::Timestamp;

pub use machine::Alerts;
pub use policy::{Policy, Timing};
pub use stored::Stored;
pub use tally::{LATENCIES, Latency, Tally};

/// How urgent an alert is; the more urgent one is the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody has to look now.
    Page,
    /// It can wait for a working day.
    Ticket,
}

impl Severity {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Page => "page",
            Severity::Ticket => "ticket",
        }
    }
}

/// What can be the matter with a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It no longer agrees with its references as it did.
    Drift,
    /// Its raw values are distributed otherwise than at its calibration.
    InputDrift,
    /// Too many pairs are beyond the maximum permissible error.
    Slo,
    /// The maximum permissible error will be crossed before the next calibration.
    Forecast,
    /// The value does not change.
    Stuck,
    /// The noise has collapsed or exploded.
    Noise,
    /// Single values lie far off.
    Spikes,
    /// The value changes faster than it can.
    Rate,
    /// Values lie outside the calibrated range.
    OutOfDomain,
    /// No values come.
    Silent,
    /// It disagrees with the sensors beside it.
    Peers,
    /// A zero check is out of its limits.
    ZeroCheck,
    /// A span check is out of its limits.
    SpanCheck,
    /// A precision check is out of its limits.
    PrecisionCheck,
    /// Its reference is silent or stuck.
    Reference,
    /// A standard is overdue.
    StandardOverdue,
    /// A rollout was refused or taken back, or its transform is not valid any more.
    Rollout,
    /// The fleet asks for a recalibration.
    Recalibration,
    /// The trust root expires soon, or has expired.
    RootExpiry,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 19] = [
        Kind::Drift,
        Kind::InputDrift,
        Kind::Slo,
        Kind::Forecast,
        Kind::Stuck,
        Kind::Noise,
        Kind::Spikes,
        Kind::Rate,
        Kind::OutOfDomain,
        Kind::Silent,
        Kind::Peers,
        Kind::ZeroCheck,
        Kind::SpanCheck,
        Kind::PrecisionCheck,
        Kind::Reference,
        Kind::StandardOverdue,
        Kind::Rollout,
        Kind::Recalibration,
        Kind::RootExpiry,
    ];

    /// The name, as in a cause.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Drift => "drift",
            Kind::InputDrift => "input_drift",
            Kind::Slo => "slo",
            Kind::Forecast => "forecast",
            Kind::Stuck => "stuck",
            Kind::Noise => "noise",
            Kind::Spikes => "spikes",
            Kind::Rate => "rate",
            Kind::OutOfDomain => "out_of_domain",
            Kind::Silent => "silent",
            Kind::Peers => "peers",
            Kind::ZeroCheck => "zero_check",
            Kind::SpanCheck => "span_check",
            Kind::PrecisionCheck => "precision_check",
            Kind::Reference => "reference",
            Kind::StandardOverdue => "standard_overdue",
            Kind::Rollout => "rollout",
            Kind::Recalibration => "recalibration",
            Kind::RootExpiry => "root_expiry",
        }
    }

    /// What explains this at the same sensor: as long as one of these stands, this is no news and is not raised.
    pub(super) fn explained_by(self) -> &'static [Kind] {
        use Kind::{
            Drift, Forecast, InputDrift, Noise, OutOfDomain, Peers, Rate, Reference, Slo, Spikes, Stuck,
        };
        match self {
            Drift => &[Stuck, Noise, Spikes, Reference],
            InputDrift | Peers => &[Stuck, Noise, Spikes],
            Slo => &[Stuck, Reference],
            Forecast => &[Stuck, Reference, Drift, Slo],
            Noise | OutOfDomain => &[Stuck],
            Rate => &[Noise, Spikes],
            Spikes => &[Noise],
            _ => &[],
        }
    }

    /// Whether it is the matter with the gateway itself, and with no sensor.
    pub fn is_of_the_gateway(self) -> bool {
        self == Kind::RootExpiry
    }

    /// Whether a new calibration is an answer to it: then the time until one is in force is measured.
    pub fn calibration_answers(self) -> bool {
        use Kind::{Drift, Forecast, Peers, Recalibration, Slo, SpanCheck, ZeroCheck};
        matches!(self, Drift | Slo | Forecast | Peers | ZeroCheck | SpanCheck | Recalibration)
    }
}

/// What an alert is about: one sensor, what several have in common, or the gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A sensor.
    Sensor(SensorId),
    /// Sensors that are read from one source.
    Source(Id),
    /// Sensors of one cohort, such as `site=north`.
    Cohort(String),
    /// The gateway itself.
    Gateway,
}

impl Subject {
    /// Whether it is what several sensors have in common.
    pub fn is_of_several(&self) -> bool {
        matches!(self, Subject::Source(_) | Subject::Cohort(_))
    }
}

/// Why an alert was raised: no two open alerts have the same cause. Written as `drift co-1`,
/// `silent source:line1`, `drift cohort:site=north` or `root_expiry gateway`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// What is the matter.
    pub kind: Kind,
    /// With what.
    pub subject: Subject,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_str();
        match &self.subject {
            Subject::Sensor(id) => write!(f, "{kind} {id}"),
            Subject::Source(id) => write!(f, "{kind} source:{id}"),
            Subject::Cohort(name) => write!(f, "{kind} cohort:{name}"),
            Subject::Gateway => write!(f, "{kind} gateway"),
        }
    }
}

impl std::str::FromStr for Cause {
    type Err = String;
    fn from_str(text: &str) -> Result<Cause, String> {
        let wrong = || format!("`{text}` is not the cause of an alert");
        let (kind, subject) = text.split_once(' ').ok_or_else(wrong)?;
        let kind: StrDeserializer<'_, serde::de::value::Error> = kind.into_deserializer();
        let kind = Kind::deserialize(kind).map_err(|_| wrong())?;
        let id = |text: &str| Id::new(text).map_err(|_| wrong());
        let subject = match subject.split_once(':') {
            Some(("source", rest)) => Subject::Source(id(rest)?),
            Some(("cohort", rest)) => Subject::Cohort(rest.to_owned()),
            None if kind.is_of_the_gateway() && subject == "gateway" => Subject::Gateway,
            _ => Subject::Sensor(id(subject)?),
        };
        Ok(Cause { kind, subject })
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cause, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The transform that was active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// Its name.
    pub id: Id,
    /// Its version.
    pub version: u64,
    /// The digest of its content.
    pub digest: Digest,
}

/// A pair that an alert shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// When it was measured.
    pub time: Timestamp,
    /// The calibrated value.
    pub value: f64,
    /// The reference.
    pub reference: f64,
}

/// What was known when an alert was raised.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The active transform; `None` for raw values.
    pub transform: Option<Active>,
    /// The time over which the statistics were taken.
    pub window: Option<[Timestamp; 2]>,
    /// Numbers by name, finite ones only.
    pub statistics: BTreeMap<String, f64>,
    /// The last pairs.
    pub pairs: Vec<Shown>,
}

/// What was found of a sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// How urgent it is.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// What it rests on.
    pub snapshot: Option<Snapshot>,
}

/// What somebody who looked says of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There was something.
    Real,
    /// There was nothing.
    False,
}

/// For how long an alert is not published, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Until when.
    pub until: Timestamp,
    /// Who wants it so.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// An alert, as it is published and stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// 16 hexadecimal digits.
    pub id: String,
    /// How urgent it is; never falls while it stands.
    pub severity: Severity,
    /// Why it was raised.
    pub cause: Cause,
    /// The sensors that have it, at most [`MOST_SENSORS`] of them; when it is cleared, those that had it last.
    pub sensors: Vec<SensorId>,
    /// How many have it.
    pub count: usize,
    /// Since when it stands.
    pub raised: Timestamp,
    /// When it was over.
    pub cleared: Option<Timestamp>,
    /// When somebody looked.
    pub acknowledged: Option<Timestamp>,
    /// Who did.
    pub acknowledged_by: Option<String>,
    /// What they say.
    pub verdict: Option<Verdict>,
    /// Why it is not published.
    pub silence: Option<Silence>,
    /// When a new transform of one of its sensors came into force.
    pub answered: Option<Timestamp>,
    /// The alert about several sensors that goes on for this one.
    pub merged_into: Option<String>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// What was known when it was raised.
    pub snapshot: Option<Snapshot>,
}

/// Most alerts that are kept, open and cleared.
pub const MOST_ALERTS: usize = 256;
/// Most sensors that an alert names.
pub const MOST_SENSORS: usize = 100;
/// Most findings that stand at a time.
pub const MOST_CONDITIONS: usize = 10_000;
/// Most suppressions, and most silences, at a time.
pub const MOST_MUTES: usize = 1_024;

/// To which sensors a suppression applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All.
    All,
    /// Those that are read from a source.
    Source(Id),
    /// One.
    Sensor(SensorId),
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Time passes.
    Tick,
    /// A sensor was judged: by every judgement, not only where it changed.
    Judged {
        /// Which one; the gateway's own name for what is of the gateway.
        sensor: SensorId,
        /// What was looked for.
        kind: Kind,
        /// The source it is read from.
        source: Option<Id>,
        /// The cohort it belongs to.
        cohort: Option<String>,
        /// What was found; `None`: nothing is the matter.
        finding: Option<Box<Finding>>,
    },
    /// A sensor is no longer there: what was found of it is gone.
    Removed {
        /// Which one.
        sensor: SensorId,
    },
    /// Somebody looked at an alert.
    Acknowledged {
        /// Which one.
        id: String,
        /// Who.
        by: String,
        /// What they say, if they do.
        verdict: Option<Verdict>,
    },
    /// Somebody wants to hear no more of the cause of an alert for a while. A time that is past ends it.
    Silenced {
        /// Which one.
        id: String,
        /// For how long, why, and who.
        silence: Silence,
    },
    /// From now on nothing new is raised for some sensors, as during maintenance or after a deploy.
    Suppressed {
        /// Which ones.
        scope: Scope,
        /// Why: with the scope, this names the suppression.
        reason: String,
        /// Of which kinds; none stands for all.
        kinds: Vec<Kind>,
        /// Until when; `None`: until it is lifted.
        until: Option<Timestamp>,
    },
    /// A suppression ends.
    Lifted {
        /// Its scope.
        scope: Scope,
        /// Its reason.
        reason: String,
    },
    /// Somebody found a sensor wrong of which no alert told.
    Missed {
        /// Which one.
        sensor: SensorId,
    },
    /// A new transform came into force.
    Activated {
        /// For which sensor.
        sensor: SensorId,
    },
    /// A step that is done without a person, as a gate that promotes or rolls back, has ended.
    Automated {
        /// Whether it ended well, with nobody stepping in.
        succeeded: bool,
    },
}

/// What has to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Write a new row.
    Raise(Alert),
    /// Write the row anew: severity, sensors, acknowledgement or silence have changed.
    Update(Alert),
    /// Write the row anew: the alert is over.
    Clear(Alert),
    /// Publish it, retained.
    Publish(Alert),
    /// Empty the retained message of the alert with this identifier.
    Empty(String),
}

/// Why an event has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such alert.
    #[error("there is no alert {0} that is open or waits to be acknowledged: see `calibctl alerts`")]
    Unknown(String),
    /// It was not missed.
    #[error("the alert {0} tells of this sensor: acknowledge that")]
    NotMissed(String),
    /// There is no such suppression.
    #[error("nothing is suppressed there for this reason")]
    NotSuppressed,
    /// There is no room.
    #[error("more than {MOST_MUTES} suppressions or silences at a time: lift some, or take a wider one")]
    TooMany,
}
