//! `calibctl transform`

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::show::{clean, time};
use super::{Asked, client};
use crate::ctl::output::{Failure, note, print_json, print_table};
use crate::wire::control::{Transform, Transforms};

#[derive(Subcommand)]
pub enum TransformCommand {
    /// Lists what is in force at which sensor.
    List(ListArgs),
}

#[derive(Args)]
pub struct ListArgs {
    #[command(flatten)]
    asked: Asked,
}

pub fn run(command: &TransformCommand) -> Result<ExitCode, Failure> {
    let TransformCommand::List(args) = command;
    let found: Transforms = client::get(&args.asked, "/v1/transforms")?;
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
    Ok(ExitCode::SUCCESS)
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
