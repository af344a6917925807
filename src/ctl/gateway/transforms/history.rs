//! `calibctl transform history`

use std::process::ExitCode;

use clap::Args;

use super::super::Asked;
use super::super::show::{clean, time};
use super::chosen::past;
use crate::ctl::output::{Failure, note, print_json, print_table};
use crate::wire::control::InForce;

const EXAMPLES: &str = "examples:
  calibctl transform history co-1
  calibctl transform history co-1 --json | jq '.transforms[0]'";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct HistoryArgs {
    /// The sensor.
    #[arg(value_name = "SENSOR")]
    sensor: String,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &HistoryArgs) -> Result<ExitCode, Failure> {
    let past = past(&args.asked, &args.sensor)?;
    if args.asked.json {
        print_json(&past)?;
    } else if past.transforms.is_empty() {
        note(&format!("no transform was ever in force at {}", past.sensor));
    } else {
        let head = ["SINCE", "UNTIL", "TRANSFORM", "VERSION", "BY", "HOW", "DIGEST"].map(str::to_owned);
        let rows: Vec<Vec<String>> =
            [head.to_vec()].into_iter().chain(past.transforms.iter().map(row)).collect();
        print_table(&rows, 0)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(put: &InForce) -> Vec<String> {
    vec![
        time(put.since),
        put.until.map_or("in force".to_owned(), time),
        put.id.to_string(),
        put.version.to_string(),
        put.actor.as_deref().map_or("-".to_owned(), clean),
        if put.rolled_back { "rolled back" } else { "accepted" }.to_owned(),
        put.digest.to_string().chars().take(12).collect(),
    ]
}
