//! `calibctl alerts`

pub mod list;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::{escaped, get, post};
use super::show::{clean, time};
use super::{Asked, Door};
use crate::config::scalar::parse_duration;
use crate::ctl::output::{Failure, print_json, print_lines, print_screen};
use crate::ctl::screen::Screen;
use crate::domain::alert::Verdict;
use crate::wire::control::{Acknowledge, Alert, Hush, Miss, Missed};

const EXAMPLES: &str = "examples:
  calibctl alerts
  calibctl alerts --sensor co-1
  calibctl alerts --history --limit 20
  calibctl alerts show 3f2a91c0
  calibctl alerts ack 3f2a91c0 --real

Those that stand, pages (!!) before tickets (!), then those that are over and wait to be acknowledged. An alert may be
named by as many digits of its identifier, four at least, as no other one begins with.";

const SHOW_EXAMPLES: &str = "examples:
  calibctl alerts show 3f2a91c0
  calibctl alerts show 3f2a --json | jq .snapshot.pairs";

const ACK_EXAMPLES: &str = "examples:
  calibctl alerts ack 3f2a91c0
  calibctl alerts ack 3f2a91c0 --real
  calibctl alerts ack 3f2a --false

It says that somebody has looked, and whether there was something: of this the precision of the alerts is made. Said
again, the last word counts. The alert stands until its cause is gone; one that is over is done with.";

const SILENCE_EXAMPLES: &str = "examples:
  calibctl alerts silence 3f2a91c0 --reason \"waiting for the spare part\"
  calibctl alerts silence 3f2a91c0 --for 2d --reason \"waiting for the spare part\"
  calibctl alerts silence 3f2a91c0 --for 0s --reason \"it has come\"

Until then nothing of this cause is published but that it is over; it is still listed. Said again, it is for so long
from then on; `--for 0s` ends it.";

const MISSED_EXAMPLES: &str = "examples:
  calibctl alerts missed co-1

Counted as a drift that no alert told of. Refused where one does: acknowledge that.";

#[derive(Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct AlertsArgs {
    #[command(subcommand)]
    command: Option<AlertsCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Subcommand)]
enum AlertsCommand {
    /// Shows all that is known of one.
    Show(ShowArgs),
    /// Says that somebody has looked at one.
    Ack(AckArgs),
    /// Has the cause of one not published for a while.
    Silence(SilenceArgs),
    /// Says that a sensor was found wrong of which no alert told.
    Missed(MissedArgs),
}

#[derive(Args)]
#[command(after_help = SHOW_EXAMPLES)]
struct ShowArgs {
    /// The alert; its first digits do.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
#[command(after_help = ACK_EXAMPLES)]
struct AckArgs {
    /// The alert; its first digits do.
    #[arg(value_name = "ID")]
    id: String,
    /// There was something.
    #[arg(long, conflicts_with = "unreal")]
    real: bool,
    /// There was nothing.
    #[arg(long = "false")]
    unreal: bool,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
#[command(after_help = SILENCE_EXAMPLES)]
struct SilenceArgs {
    /// The alert; its first digits do.
    #[arg(value_name = "ID")]
    id: String,
    /// For how long (like 2h, 30m, 1d), at most 30 days; 0s ends it.
    #[arg(long = "for", value_name = "DURATION", default_value = "2h")]
    length: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
#[command(after_help = MISSED_EXAMPLES)]
struct MissedArgs {
    /// The sensor that was found wrong.
    #[arg(value_name = "SENSOR")]
    sensor: String,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &AlertsArgs) -> Result<ExitCode, Failure> {
    match &args.command {
        None => list::run(&args.list)?,
        Some(AlertsCommand::Show(args)) => show(args)?,
        Some(AlertsCommand::Ack(args)) => acknowledge(args)?,
        Some(AlertsCommand::Silence(args)) => silence(args)?,
        Some(AlertsCommand::Missed(args)) => missed(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &ShowArgs) -> Result<(), Failure> {
    let alert: Alert = get(&args.asked, &format!("/v1/alerts/{}", escaped(&args.id)))?;
    if args.asked.json {
        return print_json(&alert);
    }
    print_screen(&show::text(&alert, Screen::stdout()))
}

/// Has something done with an alert; what it is then.
fn act(asked: &Asked, id: &str, what: &str, body: &serde_json::Value) -> Result<Alert, Failure> {
    post(asked, Door::Maintenance, &format!("/v1/alerts/{}/{what}", escaped(id)), body.to_string())
}

fn acknowledge(args: &AckArgs) -> Result<(), Failure> {
    let verdict = match (args.real, args.unreal) {
        (true, _) => Some(Verdict::Real),
        (_, true) => Some(Verdict::False),
        _ => None,
    };
    let alert = act(&args.asked, &args.id, "acknowledge", &serde_json::json!(Acknowledge { verdict }))?;
    if args.asked.json {
        return print_json(&alert);
    }
    let verdict = alert.verdict.map_or("", verdict_of);
    let state = match alert.cleared {
        Some(_) => "it is over, and done with",
        None => "it stands until its cause is gone",
    };
    print_lines(&format!("{}, {}: acknowledged{verdict}; {state}\n", alert.id, clean(&cause(&alert))))
}

fn silence(args: &SilenceArgs) -> Result<(), Failure> {
    let unusable = || Failure::usage(format!("--for: `{}` is no duration like 2h, 30m or 1d", args.length));
    let seconds = parse_duration(&args.length).ok_or_else(unusable)?;
    // What is not quite nothing must not end it.
    let for_seconds = Some(seconds.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX));
    let hush = Hush { for_seconds, reason: args.reason.clone() };
    let alert = act(&args.asked, &args.id, "silence", &serde_json::json!(hush))?;
    if args.asked.json {
        return print_json(&alert);
    }
    let state = match &alert.silence {
        Some(silence) => format!("silent until {}", time(silence.until)),
        None => "not silenced".to_owned(),
    };
    print_lines(&format!("{}, {}: {state}\n", alert.id, clean(&cause(&alert))))
}

fn missed(args: &MissedArgs) -> Result<(), Failure> {
    let body = serde_json::json!(Missed { sensor: args.sensor.clone() }).to_string();
    let miss: Miss = post(&args.asked, Door::Maintenance, "/v1/alerts/missed", body)?;
    if args.asked.json {
        return print_json(&miss);
    }
    print_lines(&format!("{}: noted; {} missed in all\n", miss.sensor, miss.missed))
}

fn cause(alert: &Alert) -> String {
    alert.cause.to_string()
}

fn verdict_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Real => " as real",
        Verdict::False => " as false",
    }
}
