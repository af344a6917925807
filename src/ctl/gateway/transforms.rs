//! `calibctl transform`

mod chosen;
mod diff;
mod effect;
mod fields;
mod history;
mod install;
mod rollback;
mod show;

pub use chosen::{Chosen, choose};

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Asked;
use super::show::{clean, time};
use crate::ctl::output::{Failure, note, print_json, print_lines, print_table};
use crate::wire::control::Transform;
use crate::wire::message::{Ack, Verdict};

const EXAMPLES: &str = "examples:
  calibctl transform list
  calibctl transform show co-1
  calibctl transform diff co-electrochemical
  sudo calibctl transform install co-7.dsse.json";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum TransformCommand {
    /// Lists what is in force at which sensor.
    List(ListArgs),
    /// Shows a transform: its stages, domain, uncertainty, validity, and who signed it.
    Show(show::ShowArgs),
    /// Compares two transforms, field by field and value by value.
    Diff(diff::DiffArgs),
    /// Lists what was in force at a sensor when, and by whose word.
    History(history::HistoryArgs),
    /// Has the gateway judge a signed transform, and put it in force.
    Install(install::InstallArgs),
    /// Puts an earlier transform in force again at one sensor.
    Rollback(rollback::RollbackArgs),
}

#[derive(Args)]
#[command(
    after_help = "examples:\n  calibctl transform list\n  calibctl transform list --json | jq '.transforms[].expires'"
)]
pub struct ListArgs {
    #[command(flatten)]
    asked: Asked,
}

pub fn run(command: &TransformCommand) -> Result<ExitCode, Failure> {
    match command {
        TransformCommand::List(args) => list(args),
        TransformCommand::Show(args) => show::run(args),
        TransformCommand::Diff(args) => diff::run(args),
        TransformCommand::History(args) => history::run(args),
        TransformCommand::Install(args) => install::run(args),
        TransformCommand::Rollback(args) => rollback::run(args),
    }
}

fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
    let found = chosen::in_force(&args.asked)?;
    if args.asked.json {
        print_json(&found)?;
    } else if found.transforms.is_empty() {
        note("no transform is in force: readings go out raw");
    } else {
        let head =
            ["SENSOR", "TRANSFORM", "VERSION", "UNIT", "SINCE", "EXPIRES", "DIGEST"].map(str::to_owned);
        let rows: Vec<Vec<String>> =
            [head.to_vec()].into_iter().chain(found.transforms.iter().map(row)).collect();
        print_table(&rows, 0)?;
    }
    if !args.asked.json {
        let told = found.rollouts.iter().filter_map(|rollout| {
            let message = rollout.message.as_deref()?;
            Some(format!("{}: {}\n", rollout.sensor, clean(message)))
        });
        print_lines(&told.collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows what became of a transform: exit code 1 if it was refused.
fn answered(ack: &Ack, json: bool) -> Result<ExitCode, Failure> {
    let refused = ack.verdict == Verdict::Refused;
    if json {
        print_json(ack)?;
    } else if refused {
        let reason = ack.reason.as_deref().map_or("refused".to_owned(), clean);
        return Err(Failure::refused(format!("refused, {reason}: {}", clean(&ack.message))));
    } else {
        let version = ack.version.map_or(String::new(), |version| format!(" version {version}"));
        print_lines(&format!("{}{version}: {}\n", clean(&ack.id), clean(&ack.message)))?;
    }
    Ok(ExitCode::from(u8::from(refused)))
}

fn row(transform: &Transform) -> Vec<String> {
    vec![
        transform.sensor.to_string(),
        transform.id.to_string(),
        transform.version.to_string(),
        clean(&transform.unit),
        time(transform.since),
        time(transform.expires),
        transform.digest.to_string().chars().take(12).collect(),
    ]
}
