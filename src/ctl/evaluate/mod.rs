//! `calibctl evaluate`: how good values are.

mod measurement;
mod probability;

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::data::{DataArgs, RowArgs};
use super::output::Failure;

pub use probability::BinArgs;

const EXAMPLES: &str = "examples:
  calibctl evaluate calibrated.csv --kind measurement --x value --y reference
  calibctl evaluate calibrated.csv --kind measurement --x value --y reference --ux u --uy u_ref --by site --json
  calibctl evaluate scores.csv --kind probability --x prob --label truth --bins 15 --bootstrap 1000
  calibctl evaluate scores.csv --kind probability --x prob --label truth --cost-fp 1 --cost-fn 20

exit codes: 0 done, 1 the data are of no use for it, 2 usage";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct EvaluateArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    rows: RowArgs,
    /// What the values are.
    #[arg(long, value_enum)]
    kind: Kind,
    /// The values, or the predicted probabilities. Absent: the first column.
    #[arg(long, value_name = "COL")]
    x: Option<String>,
    /// The references. Absent: the second column.
    #[arg(long, value_name = "COL", conflicts_with = "label")]
    y: Option<String>,
    /// What happened, 0 or 1, in place of references. Absent: the second column.
    #[arg(long, value_name = "COL")]
    label: Option<String>,
    /// Scores each group of rows by itself, too: those with one text in this column.
    #[arg(long, value_name = "COL")]
    by: Option<String>,
    /// Resamples of the intervals; 0: no intervals.
    #[arg(long, value_name = "N", default_value_t = 0)]
    bootstrap: usize,
    /// Neighbouring rows that are drawn together: as many as are correlated.
    #[arg(long, value_name = "N", default_value_t = 1)]
    block: usize,
    /// Of the draws.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    measurement: measurement::MeasurementArgs,
    #[command(flatten)]
    probability: probability::ProbabilityArgs,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Measurement,
    Probability,
}

/// Most resamples: each looks at every row.
const MAX_RESAMPLES: usize = 100_000;

pub fn run(args: &EvaluateArgs) -> Result<ExitCode, Failure> {
    if args.bootstrap > MAX_RESAMPLES || args.block == 0 {
        return Err(Failure::usage(format!(
            "--bootstrap: expected at most {MAX_RESAMPLES}; --block: expected at least 1"
        )));
    }
    let (kind, unheeded) = match args.kind {
        Kind::Measurement => ("measurement", args.probability.given()),
        Kind::Probability => {
            ("probability", args.measurement.given().or((args.block != 1).then_some("--block")))
        }
    };
    if let Some(option) = unheeded {
        return Err(Failure::usage(format!("--kind {kind} does not take {option}: leave that out")));
    }
    match args.kind {
        Kind::Measurement => measurement::run(args),
        Kind::Probability => probability::run(args),
    }
}
