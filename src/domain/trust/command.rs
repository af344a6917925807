//! Commands: what the fleet asks of gateways once, and soon.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::key::KeyId;
use super::payload;
use super::reason::{Reason, Refusal};
use super::scope::Place;
use super::target;
use super::time::{Come, TimeView};
use super::verify::{Context, Refused, Signed, verify_typed};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::strict_json;
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::Target;
use crate::domain::trust::root::{RoleName, Root};

/// The only schema of commands there is yet.
pub const SCHEMA: u64 = 1;
/// The longest time from `issued_at` to `expires`: a day, in microseconds.
pub const LONGEST: i64 = 86_400 * 1_000_000;
/// How far the issuer's clock may be ahead of the gateway's: five minutes, in microseconds.
pub(super) const AHEAD: i64 = 300 * 1_000_000;
/// How long a request stands that names no end: 30 days, in microseconds.
const STANDS: i64 = 30 * LONGEST;
/// The longest time that a request may stand: a year, in microseconds.
const STANDS_AT_MOST: i64 = 366 * LONGEST;
/// The longest reason and the longest choice of log levels, in characters.
const TEXT: usize = 500;

/// For whom something is, beside the fleet: all fields must fit, each by one of its elements; an empty field fits
/// anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Targets {
    /// Gateways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<Id>,
    /// Groups of gateways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Id>,
    /// Sensors by identifier.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sensors: Vec<SensorId>,
    /// Sensors by model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Sensors by serial number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub serials: Vec<String>,
    /// Sensors by tags, each of which must be equal.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Targets {
    /// Whether it says which sensors are meant.
    pub fn names_sensors(&self) -> bool {
        !self.sensors.is_empty()
            || !self.models.is_empty()
            || !self.serials.is_empty()
            || !self.tags.is_empty()
    }

    /// The same within a fleet.
    pub fn of(&self, fleet: Id) -> Target {
        let Targets { gateways, groups, sensors, models, serials, tags } = self.clone();
        Target { fleet, gateways, groups, sensors, models, serials, tags }
    }
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandName {
    /// That somebody calibrates sensors.
    Recalibrate,
    /// That more or less is logged for a while.
    LogLevel,
}

impl CommandName {
    /// The name in a command.
    pub fn as_str(self) -> &'static str {
        match self {
            CommandName::Recalibrate => "recalibrate",
            CommandName::LogLevel => "log_level",
        }
    }
}

/// A command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// 1.
    pub schema: u64,
    /// The fleet.
    pub fleet: Id,
    /// For whom it is.
    pub targets: Targets,
    /// What is asked.
    pub command: CommandName,
    /// Counts the fleet's commands from 1; at a gateway it only rises.
    pub serial: u64,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From this moment on nobody follows it; at most a day later.
    pub expires: Timestamp,
    /// What belongs to it.
    #[serde(default)]
    pub arguments: serde_json::Value,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Somebody is to calibrate the sensors.
    Recalibrate {
        /// Why.
        reason: String,
        /// Until when that is of interest.
        until: Timestamp,
    },
    /// Nobody needs to calibrate the sensors any more.
    Withdraw {
        /// Why.
        reason: String,
    },
    /// Log so much.
    LogLevel(String),
}

/// The arguments of `recalibrate`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recalibrate {
    reason: String,
    #[serde(default)]
    until: Option<Timestamp>,
    #[serde(default)]
    withdraw: bool,
}

/// The arguments of `log_level`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogLevel {
    level: String,
}

/// What of earlier commands counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Past {
    /// Serial and digest of the newest one that was accepted.
    pub newest: Option<(u64, Digest)>,
    /// Those issued before are refused: what was accepted until then is not known.
    pub since: Option<Timestamp>,
}

/// A command that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// What it says.
    pub command: Command,
    /// What is to be done.
    pub wanted: Wanted,
    /// The sensors of this gateway that it is about; none where it is about the gateway.
    pub sensors: Vec<SensorId>,
    /// Its digest.
    pub digest: Digest,
    /// The keys that signed it.
    pub keyids: Vec<KeyId>,
    /// Whether these very bytes were accepted before.
    pub already_applied: bool,
}

impl Command {
    /// Reads a command's own bytes, whoever signed them.
    ///
    /// # Errors
    /// `malformed` or `unknown_schema`, with the field's path.
    pub fn parse(payload: &[u8]) -> Result<Command, Refusal> {
        payload::read("command", SCHEMA, payload)
    }

    /// What is to be done.
    ///
    /// # Errors
    /// `invalid_content`, with the field.
    pub fn wanted(&self) -> Result<Wanted, Refusal> {
        let invalid = |text: String| Refusal::new(Reason::InvalidContent, format!("command: {text}"));
        let arguments = |fault| invalid(format!("arguments.{fault}"));
        let life = self.expires.micros_since(self.issued_at);
        if self.serial == 0 {
            return Err(invalid("serial: counts from 1".to_owned()));
        }
        if life <= 0 || life > LONGEST {
            return Err(invalid("expires: has to lie at most 24 hours after issued_at".to_owned()));
        }
        let fits = |text: &str| !text.trim().is_empty() && text.chars().count() <= TEXT;
        let needed = |field: &str| invalid(format!("arguments.{field}: has to have 1 to {TEXT} characters"));
        match self.command {
            CommandName::LogLevel => {
                if self.targets.names_sensors() {
                    return Err(invalid("targets: a log level is for gateways, not for sensors".to_owned()));
                }
                let LogLevel { level } = strict_json::from_value(&self.arguments).map_err(arguments)?;
                if fits(&level) { Ok(Wanted::LogLevel(level)) } else { Err(needed("level")) }
            }
            CommandName::Recalibrate => {
                if !self.targets.names_sensors() {
                    return Err(invalid("targets: name sensors, models, serials or tags".to_owned()));
                }
                let Recalibrate { reason, until, withdraw } =
                    strict_json::from_value(&self.arguments).map_err(arguments)?;
                if !fits(&reason) {
                    return Err(needed("reason"));
                }
                if withdraw {
                    return Ok(Wanted::Withdraw { reason });
                }
                let until = until.unwrap_or_else(|| self.issued_at.saturating_add_micros(STANDS));
                if !(1..=STANDS_AT_MOST).contains(&until.micros_since(self.issued_at)) {
                    let text = "arguments.until: has to lie at most 366 days after issued_at";
                    return Err(invalid(text.to_owned()));
                }
                Ok(Wanted::Recalibrate { reason, until })
            }
        }
    }
}

/// Checks a command that came from outside, in the order of [`Reason::ALL`].
///
/// Other than for artifacts that stay, the time of its making counts: a command needs a clock that is believed, or a
/// proven time that has come.
///
/// # Errors
/// The first check that failed.
pub fn verify_command(bytes: &[u8], ctx: &Context<'_>, past: &Past) -> Result<Accepted, Refused> {
    let signed = verify_typed(bytes, "command", ctx.root, &ctx.time)?;
    let refused = signed.refused();
    let command = Command::parse(&signed.envelope.payload).map_err(&refused)?;
    let version = Some(command.serial);
    judge(command, signed, ctx, past).map_err(|refusal| Refused { version, ..refused(refusal) })
}

fn judge(command: Command, signed: Signed, ctx: &Context<'_>, past: &Past) -> Result<Accepted, Refusal> {
    let Some(root) = ctx.root else {
        return Err(Refusal::new(Reason::NoRoot, "no trust root is installed"));
    };
    // "fleet, scope, target"
    target::check_fleet("command", &command.fleet, root, ctx.fleet)?;
    let sensors = concerned(&command, root, ctx)?;
    // "root and time"
    check_time(&command, root, &ctx.time)?;
    // "floor"
    let already_applied = check_floor(&command, signed.digest, past)?;
    // "content"
    let wanted = command.wanted()?;
    let keyids = signed.candidates.into_iter().find_map(|role| role.outcome.ok()).unwrap_or_default();
    Ok(Accepted { command, wanted, sensors, digest: signed.digest, keyids, already_applied })
}

/// The sensors that it is about.
fn concerned(command: &Command, root: &Root, ctx: &Context<'_>) -> Result<Vec<SensorId>, Refusal> {
    let place = Place { gateway: ctx.gateway, enrolment: ctx.enrolment };
    let target = command.targets.of(command.fleet.clone());
    let role = root.role(RoleName::Fleet);
    match command.command {
        CommandName::LogLevel => target::check_whole_gateway(&target, role, place).map(|()| Vec::new()),
        CommandName::Recalibrate => {
            let selected = target::select_sensors(&target, role, place, ctx.sensors)?;
            Ok(selected.into_iter().map(|selected| selected.sensor).collect())
        }
    }
}

fn check_time(command: &Command, root: &Root, time: &TimeView) -> Result<(), Refusal> {
    if time.is_past(root.expires) {
        let text = format!("the trust root expired at {}; install its successor", root.expires);
        return Err(Refusal::new(Reason::RootExpired, text));
    }
    if time.is_past(command.expires) {
        let text = format!("expired at {}; issue it anew", command.expires);
        return Err(Refusal::new(Reason::Expired, text));
    }
    let issued = command.issued_at;
    match time.has_come(issued.saturating_add_micros(-AHEAD)) {
        Come::Yes => Ok(()),
        Come::No => {
            let text = format!("issued at {issued}, and it is {} here; compare the clocks", time.now);
            Err(Refusal::new(Reason::NotYetValid, text))
        }
        Come::Unknown => {
            let text = "a command is of one day, and the clock is not trusted yet; issue it anew when it is";
            Err(Refusal::new(Reason::ClockUntrusted, text))
        }
    }
}

/// Whether these very bytes are the newest that were accepted.
fn check_floor(command: &Command, digest: Digest, past: &Past) -> Result<bool, Refusal> {
    let serial = command.serial;
    let newest = past.newest.filter(|(newest, _)| serial <= *newest);
    if let Some((newest, accepted)) = newest {
        if serial == newest && digest == accepted {
            return Ok(true);
        }
        let (reason, text) = if serial == newest {
            let text = format!("serial {serial} was accepted with digest {accepted}; take a higher serial");
            (Reason::ConflictingVersion, text)
        } else {
            let text = format!("serial {serial} is older than the accepted {newest}; take a higher serial");
            (Reason::RolledBackVersion, text)
        };
        return Err(Refusal::new(reason, text));
    }
    match past.since.filter(|since| command.issued_at < *since) {
        None => Ok(false),
        Some(since) => {
            let text = format!(
                "issued at {}, before this gateway began anew at {since}: whether it was followed before is not known; issue it anew",
                command.issued_at
            );
            Err(Refusal::new(Reason::RolledBackVersion, text))
        }
    }
}

#[cfg(test)]
mod tests;
