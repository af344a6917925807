//! `calibctl recalibrate`

mod certify;
mod points;
mod prompt;
mod show;
mod steps;
mod terminal;
mod wait;

use std::io::{IsTerminal as _, stdin};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use self::points::Points;
use self::steps::{NO_KEY, Script, Signer};
use self::terminal::Terminal;
use super::client::{escaped, get, post};
use super::{Asked, Door};
use crate::config::scalar::parse_duration;
use crate::ctl::output::{Failure, note, print_json, print_lines};
use crate::ctl::passphrase::PassphraseArgs;
use crate::domain::id::SensorId;
use crate::domain::session::{Ending, Mode, Point, Session, Stage, Stated, Words};
use crate::domain::uncertainty::decision::Outcome;
use crate::wire::control::{OpenSession, SessionCommand, SessionState, Sessions, WholeSession};

const EXAMPLES: &str = "examples:
  calibctl recalibrate co-1 --key tech.key.pem
  calibctl recalibrate co-1 --points points.csv --key tech.key.pem
  calibctl recalibrate co-1 --points points.csv --spot-check --yes
  calibctl recalibrate co-1 --reference-source co-ref --key tech.key.pem --yes
  calibctl recalibrate co-1 --points points.csv --key tech.key.pem --resume
  calibctl recalibrate co-1 --abort

On a terminal each point is asked for; `?` says what may be typed. Else the points are rows of a CSV file with the columns role (zero, span, linearity), reference, unit, standard, u,
U, k, source and round (as_found, as_left, both), each where it is needed. A point waits three response times
and then until its readings have settled; Ctrl-C takes it back, and once more leaves the session. What is interrupted is gone on with by --resume, also by somebody
else, and --abort puts back what ran before. At its end the certificate is signed with --key,
where the gateway issues any. Without --key the gateway signs on your behalf, if it holds a maintenance
key. Exit code 1 if the sensor is left, or found, out of tolerance, or the uncertainty is too large to tell.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RecalibrateArgs {
    /// The sensor.
    #[arg(value_name = "ID")]
    id: String,
    /// The points to measure: CSV with a header row.
    #[arg(long, value_name = "FILE")]
    points: Option<PathBuf>,
    /// The sensor whose values are the reference where a point states none.
    #[arg(long, value_name = "R")]
    reference_source: Option<SensorId>,
    /// Only looks how it is found, and adjusts nothing.
    #[arg(long)]
    spot_check: bool,
    /// The method of the fit: auto, offset, affine, polynomial:N, piecewise:N or pchip; absent: auto.
    #[arg(long, value_name = "M")]
    method: Option<String>,
    /// The private key that approves the new transform and signs the certificate, in PEM; absent: the one that the
    /// gateway holds, if it does.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Asks nothing: the references are applied by themselves, and what the guards let pass is approved.
    #[arg(long)]
    yes: bool,
    /// Ends without a certificate.
    #[arg(long, conflicts_with = "abort")]
    no_certificate: bool,
    /// Goes on with the session that the sensor has, and takes it over if somebody else has it.
    #[arg(long, conflicts_with = "abort")]
    resume: bool,
    /// Ends the session that the sensor has, and puts back what ran before.
    #[arg(long)]
    abort: bool,
    /// Why it is aborted.
    #[arg(long, value_name = "TEXT", requires = "abort")]
    reason: Option<String>,
    /// The response time t90 of the sensor, like 30s; absent: as configured.
    #[arg(long, value_name = "DURATION", help_heading = "New session")]
    t90: Option<String>,
    /// The unit of the values of a sensor that has no transform yet.
    #[arg(long, value_name = "UNIT", help_heading = "New session")]
    unit: Option<String>,
    /// Accepts a gateway's clock that is not synchronised; the certificate states it.
    #[arg(long, help_heading = "New session")]
    untrusted_clock: bool,
    /// The customer, for the certificate.
    #[arg(long, value_name = "TEXT", help_heading = "New session")]
    customer: Option<String>,
    /// Where the sensor is, for the certificate.
    #[arg(long, value_name = "TEXT", help_heading = "New session")]
    location: Option<String>,
    /// The condition of the sensor, for the certificate.
    #[arg(long, value_name = "TEXT", help_heading = "New session")]
    condition: Option<String>,
    /// The procedure that is followed, for the certificate.
    #[arg(long, value_name = "TEXT", help_heading = "New session")]
    procedure: Option<String>,
    /// What else is to be stated; may be given several times.
    #[arg(long = "remark", value_name = "TEXT", help_heading = "New session")]
    remarks: Vec<String>,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &RecalibrateArgs) -> Result<ExitCode, Failure> {
    let script = script(args)?;
    if args.abort {
        return abort(args, &script);
    }
    let whole = match args.resume {
        true => present(args)?,
        false => open(args, &script)?,
    };
    let whole = go(args, &script, &whole).map_err(|failure| stays_open(&script, &whole.session, failure))?;
    told(args, &whole)?;
    if whole.session.is_open() {
        return Ok(ExitCode::from(u8::from(!whole.session.paused)));
    }
    let Session { as_found, as_left, .. } = &whole.session;
    let last = if as_left.is_empty() { as_found } else { as_left };
    Ok(if !last.is_empty() && last.iter().all(is_within) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Whether a point is within tolerance, beyond doubt or not. Where U exceeds what is permitted nobody can tell.
fn is_within(point: &Point) -> bool {
    let within = |it: Stated| matches!(it.outcome, Outcome::Pass | Outcome::ConditionalPass) && it.capable;
    point.stated.is_some_and(within)
}

/// Goes through a session that was opened, or takes up one that is shown before it goes on.
fn go(args: &RecalibrateArgs, script: &Script<'_>, whole: &WholeSession) -> Result<WholeSession, Failure> {
    if !args.resume {
        return script.go(whole.clone());
    }
    let session = &whole.session;
    let (adjusts, stage) = (session.plan.mode == Mode::Adjust, session.stage);
    if adjusts && matches!(stage, Stage::AsFound | Stage::Found | Stage::Preview | Stage::AsLeft) {
        has_both_rounds(script)?;
    }
    if adjusts && matches!(stage, Stage::AsFound | Stage::Found | Stage::Preview) {
        match can_approve(script) {
            // Somebody who types may well have come for something else.
            Err(failure) if script.points.is_none() => note(failure.message()),
            checked => checked?,
        }
    }
    if !args.asked.json {
        show::standing(session)?;
    }
    script.go(script.command(whole, "resume", SessionCommand::default())?)
}

/// Whether there are points to look at a sensor after its adjustment.
fn has_both_rounds(script: &Script<'_>) -> Result<(), Failure> {
    script.points.as_ref().map_or(Ok(()), Points::check_rounds)
}

/// Whether there is a key for a new transform.
fn can_approve(script: &Script<'_>) -> Result<(), Failure> {
    match script.signer {
        Signer::Nobody => Err(Failure::usage(NO_KEY)),
        _ => Ok(()),
    }
}

/// A failure with what becomes of the session, if that is not over.
fn stays_open(script: &Script<'_>, session: &Session, failure: Failure) -> Failure {
    if script.whole(session).is_ok_and(|now| !now.session.is_open()) {
        return failure;
    }
    let sensor = &session.plan.sensor;
    failure.with_remedy(&format!(
        "the session stays open: `calibctl recalibrate {sensor} --resume` goes on with it, --abort ends it"
    ))
}

fn script(args: &RecalibrateArgs) -> Result<Script<'_>, Failure> {
    let source = args.reference_source.as_ref();
    let points = match (&args.points, source) {
        (Some(file), source) => Some(Points::read(file, source)?),
        (None, Some(source)) => Some(Points::of_source(source)),
        (None, None) if args.abort || (stdin().is_terminal() && !args.yes && !args.asked.json) => None,
        (None, None) => {
            let text = "say what to measure: --points FILE, or --reference-source R for one point beside it; on a terminal it is asked for";
            return Err(Failure::usage(text));
        }
    };
    // Before anything is measured: whoever does not know the passphrase shall not learn that at the end.
    let signer = match &args.key {
        _ if args.abort => Signer::Nobody,
        Some(file) => Signer::Key(Box::new(args.passphrase.private_key(file)?)),
        None => sessions(args, "")?.gateway_key.map_or(Signer::Nobody, Signer::Gateway),
    };
    let (method, certificate) = (args.method.clone(), !args.no_certificate);
    let terminal = if args.abort { Terminal::default() } else { Terminal::new()? };
    Ok(Script { asked: &args.asked, points, method, signer, certificate, yes: args.yes, terminal })
}

fn open(args: &RecalibrateArgs, script: &Script<'_>) -> Result<WholeSession, Failure> {
    if !args.spot_check {
        has_both_rounds(script)?;
        can_approve(script)?;
    }
    let sensor = SensorId::new(&args.id).map_err(|fault| Failure::usage(fault.to_string()))?;
    let t90 = args.t90.as_ref().map(|text| {
        let unusable = || Failure::usage(format!("--t90: `{text}` is no duration like 30s or 2m"));
        parse_duration(text).ok_or_else(unusable)
    });
    let wanted = OpenSession {
        sensor,
        mode: if args.spot_check { Mode::SpotCheck } else { Mode::Adjust },
        unit: args.unit.clone(),
        t90_seconds: t90.transpose()?.map(|t90| t90.as_secs_f64()),
        time_limit_seconds: None,
        rule: None,
        untrusted_clock: args.untrusted_clock,
        words: Words {
            customer: args.customer.clone(),
            location: args.location.clone(),
            condition: args.condition.clone(),
            procedure: args.procedure.clone(),
            remarks: args.remarks.clone(),
        },
        points: script.points.as_ref().map_or(Vec::new(), Points::wanted),
    };
    let opened = post(&args.asked, Door::Maintenance, "/v1/sessions", serde_json::json!(wanted).to_string());
    opened.map_err(|failure| match &script.points {
        Some(points) => points.opened(failure),
        None => failure,
    })
}

/// The sessions of the sensor, and with which key the gateway signs.
fn sessions(args: &RecalibrateArgs, more: &str) -> Result<Sessions, Failure> {
    get(&args.asked, &format!("/v1/sessions?sensor={}{more}", escaped(&args.id)))
}

/// The session that the sensor has.
fn present(args: &RecalibrateArgs) -> Result<WholeSession, Failure> {
    let found = sessions(args, "")?;
    if let Some(state) = found.sessions.into_iter().next() {
        return get(&args.asked, &format!("/v1/sessions/{}", escaped(state.id.as_str())));
    }
    let last = sessions(args, "&all=true&limit=1")?
        .sessions
        .into_iter()
        .next()
        .map_or(String::new(), |state| ended(&state));
    Err(Failure::refused(format!("{} has no open session{last}: begin one without --resume", args.id)))
}

/// How the last session ended: whoever lost the connection at its end has to know.
fn ended(state: &SessionState) -> String {
    let (id, how) = match &state.ending {
        Some(Ending::Done { certificate: Some(_) }) => {
            (&state.id, "ended with a certificate, which `calibctl certificate list` shows")
        }
        Some(Ending::Done { certificate: None }) => (&state.id, "ended without a certificate"),
        Some(Ending::Aborted { .. }) => (&state.id, "was aborted"),
        None => return String::new(),
    };
    format!("; the last one, {id}, {how}")
}

fn abort(args: &RecalibrateArgs, script: &Script<'_>) -> Result<ExitCode, Failure> {
    let command = SessionCommand { reason: args.reason.clone(), ..SessionCommand::default() };
    let aborted = script.command(&present(args)?, "abort", command)?;
    told(args, &aborted)?;
    Ok(if aborted.session.is_open() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn told(args: &RecalibrateArgs, whole: &WholeSession) -> Result<(), Failure> {
    match args.asked.json {
        true => print_json(whole),
        false => print_lines(&format!("{}\n", show::end(&whole.session))),
    }
}
