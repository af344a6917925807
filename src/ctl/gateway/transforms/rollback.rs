//! `calibctl transform rollback`

use std::io::{BufRead as _, IsTerminal as _, stdin};
use std::process::ExitCode;

use clap::Args;

use super::super::client::escaped;
use super::super::show::time;
use super::super::{Asked, Door, client};
use super::answered;
use super::chosen::{held, past};
use crate::ctl::output::{Failure, ask};
use crate::domain::digest::Digest;
use crate::wire::control::{Rollback, SensorTransforms};

const EXAMPLES: &str = "examples:
  sudo calibctl transform rollback co-1
  sudo calibctl transform rollback co-1 --to 9f2c41aa --yes

The transform was accepted here before, and is verified once more. It stays in force at this sensor until a new
version is accepted: the one that is left does not come back with the broker's retained message.
exit codes: 0 done, 1 refused, or not confirmed";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RollbackArgs {
    /// The sensor.
    #[arg(value_name = "SENSOR")]
    sensor: String,
    /// The transform: its digest, the first 8 digits of that, or an id (its newest version). Absent: what was
    /// in force before.
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
    /// Doesn't ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &RollbackArgs) -> Result<ExitCode, Failure> {
    let past = past(&args.asked, &args.sensor)?;
    let nothing = || {
        Failure::refused(format!(
            "nothing was in force at {} before; name a transform with --to",
            past.sensor
        ))
    };
    let target = match &args.to {
        Some(name) => held(&args.asked, name)?.digest,
        None => past.previous.ok_or_else(nothing)?,
    };
    if !args.yes && !confirmed(&question(&past, target))? {
        return Err(Failure::refused("nothing was changed"));
    }
    // Texts always serialise.
    let body = serde_json::to_string(&Rollback { digest: Some(target) }).unwrap_or_default();
    let path = format!("/v1/sensors/{}/rollback", escaped(&args.sensor));
    answered(&client::post(&args.asked, Door::Admin, &path, body)?, args.asked.json)
}

fn question(past: &SensorTransforms, target: Digest) -> String {
    let name = |digest: Digest| {
        let put = past.transforms.iter().find(|put| put.digest == digest);
        put.map_or_else(
            || digest.to_string().chars().take(12).collect(),
            |put| format!("{} version {} (in force from {})", put.id, put.version, time(put.since)),
        )
    };
    let present = past.transforms.first().map_or("raw readings".to_owned(), |put| name(put.digest));
    format!("roll {} back from {present} to {}?", past.sensor, name(target))
}

fn confirmed(question: &str) -> Result<bool, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::usage(format!("{question} there is no terminal to ask at: say --yes")));
    }
    ask(&format!("{question} [y/N]"));
    let mut line = String::new();
    stdin().lock().read_line(&mut line).map_err(|fault| Failure::io("stdin", &fault))?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
