//! What can go wrong in a session, with what to do about it.

use crate::domain::digest::Digest;
use crate::domain::fit::FitError;
use crate::domain::id::{Id, SensorId};
use crate::domain::reference::ReferenceError;
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::ContentError;
use crate::domain::uncertainty::decision::DecisionError;

/// Says what was not done or has happened, where, and what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The typed reference is no number.
    #[error("`{0}` is not a reference value: type a number and its unit, like `4.98 mg/m3`")]
    NotANumber(String),
    /// The typed number has a decimal comma.
    #[error(
        "`{0}` has a comma, which may be a decimal or a thousands separator: write the number with a point, like `4.98`"
    )]
    Comma(String),
    /// The reference is refused for its unit, its uncertainty or its value.
    #[error("the reference of this point of {sensor}: {error}")]
    Reference {
        /// The sensor.
        sensor: SensorId,
        /// Why.
        error: ReferenceError,
    },
    /// Nothing says how uncertain the reference is.
    #[error(
        "nothing says how uncertain the reference of {sensor} is: give `u` (or `U` and `k`) with it, or name a standard whose certificate has one value in its unit"
    )]
    NoReferenceUncertainty {
        /// The sensor.
        sensor: SensorId,
    },
    /// The reference is where the sensor does not measure.
    #[error(
        "the reference {value} {unit} is outside {low} to {high} {unit}, where {sensor} measures: check the unit and the digits, or take another standard"
    )]
    OutsideRange {
        /// The sensor.
        sensor: SensorId,
        /// The reference value.
        value: f64,
        /// Its unit.
        unit: String,
        /// Lowest value.
        low: f64,
        /// Highest value.
        high: f64,
    },
    /// The standard's certificate has run out.
    #[error(
        "the standard {standard} was due for calibration on {due}: take one that is not overdue, or record its new certificate with `calibctl standard add`"
    )]
    StandardOverdue {
        /// The standard.
        standard: Id,
        /// When it was due.
        due: Timestamp,
    },
    /// The values did not become stable within the time limit.
    #[error(
        "{sensor} has not settled within {seconds:.0} s ({what}): check flow, leaks, temperature and power, wait until the reference is applied for long enough, and measure the point again"
    )]
    NeverSettled {
        /// The sensor.
        sensor: SensorId,
        /// The time limit.
        seconds: f64,
        /// What stood against it.
        what: String,
    },
    /// No usable reading for a while in the middle of a point.
    #[error(
        "no usable reading of {sensor} for {seconds:.0} s{why}: check its cable and power; the point begins anew by itself when readings come"
    )]
    SensorSilent {
        /// The sensor.
        sensor: SensorId,
        /// For how long.
        seconds: f64,
        /// What came instead, in brackets; empty if nothing did.
        why: String,
    },
    /// The sensor that serves as reference says nothing.
    #[error(
        "no value of the reference source {source_sensor} for {seconds:.0} s: check it, or undo the point and type the reference"
    )]
    ReferenceSilent {
        /// The reference source.
        source_sensor: SensorId,
        /// For how long.
        seconds: f64,
    },
    /// Another transform came into force in the middle of a point.
    #[error(
        "another transform came into force at {sensor} in the middle of the point: the point begins anew; if that goes on, abort the session and see `calibctl transform history {sensor}`"
    )]
    TransformChanged {
        /// The sensor.
        sensor: SensorId,
    },
    /// What runs is not what ran when the session began.
    #[error(
        "what is in force at {sensor} is not what was in force when the points were taken: undo the points and take them again"
    )]
    AnotherInForce {
        /// The sensor.
        sensor: SensorId,
    },
    /// Another instrument is mounted than the one that the session is about.
    #[error(
        "{now} is mounted at {sensor} now, and the session was opened for {opened}: no certificate can be of both; end it with --no-certificate, or abort it, and open a new one"
    )]
    AnotherMounted {
        /// The sensor.
        sensor: SensorId,
        /// What was mounted then.
        opened: String,
        /// What is now.
        now: String,
    },
    /// What the session left in force is not in force any more.
    #[error(
        "in force at {sensor} is {now}, and the session left {left} in force: its certificate would not be true; see `calibctl transform history {sensor}`, abort the session, which puts back what ran before, or end it with --no-certificate, and open a new one"
    )]
    NotLeftInForce {
        /// The sensor.
        sensor: SensorId,
        /// What the session left.
        left: String,
        /// What is in force.
        now: String,
    },
    /// A standard is not what it was when the session first used it.
    #[error(
        "the standard {standard} was recorded anew since a point of this session of {sensor} was measured with it: undo those points, or end the session and open a new one; another bottle or instrument needs another name"
    )]
    StandardChanged {
        /// The sensor.
        sensor: SensorId,
        /// The standard.
        standard: Id,
    },
    /// The sensor has a session.
    #[error(
        "{sensor} has a session already: {session}, open since {since} by {by}; go on with it (`calibctl recalibrate {sensor} --resume`) or end it (`--abort`)"
    )]
    AlreadyOpen {
        /// The sensor.
        sensor: SensorId,
        /// The session there is.
        session: Id,
        /// Who has it.
        by: String,
        /// Since when.
        since: Timestamp,
    },
    /// Somebody else goes on with the session.
    #[error(
        "the session {session} is in the hands of {by}: ask them, or take it over with `calibctl recalibrate {sensor} --resume`"
    )]
    HeldBy {
        /// The session.
        session: Id,
        /// Its sensor.
        sensor: SensorId,
        /// Who has it.
        by: String,
    },
    /// The session has moved on since it was looked at.
    #[error(
        "the session {session} has moved on (revision {found}, not {expected}): look at it again, and then decide"
    )]
    Stale {
        /// The session.
        session: Id,
        /// The revision that was looked at.
        expected: u64,
        /// The present one.
        found: u64,
    },
    /// Nobody knows what time it is.
    #[error(
        "the gateway's clock is not synchronised, so the dates of this session of {sensor} would prove nothing: connect it or set it (`timedatectl set-time`), or open the session with `--untrusted-clock`, which the certificate will state"
    )]
    ClockUntrusted {
        /// The sensor.
        sensor: SensorId,
    },
    /// The clock was set in the middle of a point.
    #[error(
        "the gateway's clock was set by {seconds:+.0} s in the middle of a point: its dates are by the new time, its durations are not touched"
    )]
    ClockStepped {
        /// By how much.
        seconds: f64,
    },
    /// The approval does not count here.
    #[error("the approval was refused ({reason}): {message}; {}", remedy(.reason))]
    Refused {
        /// The reason code.
        reason: String,
        /// What was said.
        message: String,
    },
    /// Guards stand against the new transform.
    #[error(
        "guards stand against the new transform of {sensor}: {}; take another method, undo or add points, or end the session without adjustment",
        .reasons.join("; ")
    )]
    Guards {
        /// The sensor.
        sensor: SensorId,
        /// Their reasons.
        reasons: Vec<String>,
    },
    /// The fleet has sent a transform for the sensor.
    #[error(
        "the fleet has sent {id} version {version} for {sensor}: it waits until this session ends, and is judged then"
    )]
    PushWaits {
        /// The sensor.
        sensor: SensorId,
        /// The transform's id.
        id: Id,
        /// Its version.
        version: u64,
    },
    /// The command does not belong to this stage.
    #[error("{what} is not possible now, for {sensor} is {stage}: {next}")]
    NotNow {
        /// The sensor.
        sensor: SensorId,
        /// What was asked.
        what: &'static str,
        /// Where the session is.
        stage: &'static str,
        /// What may be done instead.
        next: &'static str,
    },
    /// A point is being measured.
    #[error("a point of {0} is being measured: wait for it, or undo it first")]
    Busy(SensorId),
    /// The session is paused.
    #[error("the session of {0} is paused: resume it first")]
    Paused(SensorId),
    /// No point was taken.
    #[error("no point of {0} is measured yet: measure one first")]
    NoPoints(SensorId),
    /// Too many points.
    #[error("a session has at most {0} points: end it with these")]
    TooManyPoints(usize),
    /// A spot check adjusts nothing.
    #[error(
        "this session of {0} is a spot check, which adjusts nothing: end it, and open one with adjustment"
    )]
    SpotCheckOnly(SensorId),
    /// There is nothing to take back.
    #[error("there is no point of {0} to take back")]
    NothingToUndo(SensorId),
    /// The points make no fit.
    #[error("the points of {sensor} make no fit: {error}")]
    Fit {
        /// The sensor.
        sensor: SensorId,
        /// Why.
        error: FitError,
    },
    /// The fit makes no transform.
    #[error("the fit for {sensor} makes no transform: {error}; take another method")]
    Content {
        /// The sensor.
        sensor: SensorId,
        /// Why.
        error: ContentError,
    },
    /// The prior is not of use here.
    #[error("the prior does not fit {sensor}: {problem}; leave it out or take one of its model")]
    Prior {
        /// The sensor.
        sensor: SensorId,
        /// Why.
        problem: String,
    },
    /// What was signed is not what was shown.
    #[error(
        "what was signed is not the transform shown (its digest is {expected}, that of the signed one {found}): sign the file of this preview"
    )]
    WrongArtifact {
        /// The digest of what was shown.
        expected: Digest,
        /// That of what was signed.
        found: Digest,
    },
    /// Not an envelope.
    #[error("the approval is no signed transform: {0}; sign the file of this preview with a maintenance key")]
    NoEnvelope(String),
    /// Another transform came into force than the approved one.
    #[error("{found} came into force at {sensor}, not the approved {expected}: abort the session")]
    WrongActivation {
        /// The sensor.
        sensor: SensorId,
        /// The digest approved.
        expected: Digest,
        /// The digest in force.
        found: Digest,
    },
    /// The former transform is not back in force.
    #[error(
        "what ran at {sensor} before is not back: {message}; abort again, or put it back with `calibctl transform rollback {sensor}`"
    )]
    NotRestored {
        /// The sensor.
        sensor: SensorId,
        /// Why.
        message: String,
    },
    /// Only measurements are calibrated in sessions.
    #[error("{0} gives probabilities: fit it from labelled data (`calibctl fit`), not in a session")]
    NotAMeasurement(SensorId),
    /// No limit to judge by.
    #[error(
        "no maximum permissible error of {0} is known, so nothing can be judged: set `mpe` in [sensor.{0}], or have the sensor enrolled with one"
    )]
    NoMpe(SensorId),
    /// No response time.
    #[error(
        "the response time of {0} is not known, so nobody can say how long a point takes: give `--t90 30s` from its data sheet, or set `t90` in [sensor.{0}.recalibration]"
    )]
    NoResponseTime(SensorId),
    /// The unit of the values is not known.
    #[error(
        "the unit of the values of {0} is not known before its first transform: say it when the session is opened, like `--unit mg/m3`"
    )]
    NoUnit(SensorId),
    /// Nobody said what is measured.
    #[error(
        "what {0} measures is not known, so neither a transform nor a certificate could name it: set `quantity` in [sensor.{0}], and `calibctl reload`"
    )]
    NoQuantity(SensorId),
    /// A sensor is no reference for itself.
    #[error(
        "{0} is no reference for itself: name the sensor that measures beside it, or type the reference with its unit"
    )]
    ItsOwnReference(SensorId),
    /// A number of the plan makes no sense.
    #[error("{name} of the session of {sensor} is {value}: expected {expected}")]
    Setting {
        /// The sensor.
        sensor: SensorId,
        /// Which.
        name: &'static str,
        /// What was found.
        value: f64,
        /// What would be right.
        expected: &'static str,
    },
    /// A text of the plan is too long or has control characters.
    #[error(
        "{name} of the session of {sensor}: expected 1 to {longest} characters without control characters"
    )]
    Text {
        /// The sensor.
        sensor: SensorId,
        /// Which.
        name: &'static str,
        /// The most characters.
        longest: usize,
    },
    /// No verdict can be given.
    #[error("no verdict on this point of {sensor}: {error}")]
    Decision {
        /// The sensor.
        sensor: SensorId,
        /// Why.
        error: DecisionError,
    },
}

/// What the technician can do about a refusal of the trust checks.
fn remedy(reason: &str) -> &'static str {
    match reason {
        "unknown_key" | "role_not_allowed" => {
            "sign with a maintenance key that the trust root names (`calibctl root show`)"
        }
        "out_of_scope" => {
            "this key may not do that at this sensor: ask for one whose scope holds it, or make a smaller step"
        }
        "key_retired" | "key_revoked" | "key_not_valid_now" => {
            "take a key that is valid now; the fleet hands out new ones with a new root"
        }
        "bad_signature" | "threshold_not_met" => "sign again, with as many keys as the role asks for",
        "limits_exceeded" => {
            "the step is larger than allowed: let the fleet sign it, or replace the instrument"
        }
        "clock_untrusted" | "expired" | "not_yet_valid" | "root_expired" => {
            "set the gateway's clock and sign again"
        }
        "no_root" => "install a trust root first",
        _ => "see `calibctl verify`, then sign again or end the session without adjustment",
    }
}
