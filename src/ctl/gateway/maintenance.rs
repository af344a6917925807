//! `calibctl maintenance`

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::{escaped, post};
use super::show::time;
use super::{Asked, Door};
use crate::config::scalar::parse_duration;
use crate::ctl::output::{Failure, print_json, print_lines};
use crate::wire::control::{Maintain, Maintained};

const EXAMPLES: &str = "examples:
  calibctl maintenance on co-1
  calibctl maintenance on co-1 --for 30m --reason \"new filter\"
  calibctl maintenance off co-1

While it is on, readings are `suspect` with the reason `maintenance`. It ends by itself, after two hours if not
asked otherwise, and survives a restart. Said again, it is for so long from then on.";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum MaintenanceCommand {
    /// Begins it, or changes how long it lasts.
    On(OnArgs),
    /// Ends it.
    Off(OffArgs),
}

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct OnArgs {
    /// The sensor.
    #[arg(value_name = "ID")]
    id: String,
    /// How long it lasts (like 2h, 30m, 1d), at most 30 days.
    #[arg(long = "for", value_name = "DURATION", default_value = "2h")]
    length: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
#[command(after_help = "examples:\n  calibctl maintenance off co-1")]
pub struct OffArgs {
    /// The sensor.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(command: &MaintenanceCommand) -> Result<ExitCode, Failure> {
    let (id, asked, wanted) = match command {
        MaintenanceCommand::On(OnArgs { id, length, reason, asked }) => {
            let seconds = parse_duration(length).map(|length| length.as_secs()).filter(|s| *s > 0);
            let unusable = || Failure::usage(format!("--for: `{length}` is no duration like 2h, 30m or 1d"));
            let for_seconds = Some(seconds.ok_or_else(unusable)?);
            (id, asked, Maintain { on: true, for_seconds, reason: reason.clone() })
        }
        MaintenanceCommand::Off(OffArgs { id, asked }) => {
            (id, asked, Maintain { on: false, for_seconds: None, reason: None })
        }
    };
    let path = format!("/v1/sensors/{}/maintenance", escaped(id));
    let done: Maintained = post(asked, Door::Maintenance, &path, serde_json::json!(wanted).to_string())?;
    if asked.json {
        print_json(&done)?;
    } else {
        let state = match &done.maintenance {
            Some(upkeep) => format!("in maintenance until {}; its readings are flagged", time(upkeep.until)),
            None => "not in maintenance".to_owned(),
        };
        print_lines(&format!("{} is {state}\n", done.sensor))?;
    }
    Ok(ExitCode::SUCCESS)
}
