//! `calibctl apply`: a transform on the values in a file.

mod columns;
mod sink;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::artifacts;
use super::data::{DataArgs, Rows};
use super::number::finite;
use super::output::{Failure, note};
use crate::domain::transform::{Compiled, Input, Output};

use columns::Columns;
use sink::{Csv, Json, Sink};

const EXAMPLES: &str = "examples:
  calibctl apply data.csv --transform co.json > calibrated.csv
  calibctl apply data.csv --transform no2.json --x no2_mv --covariate temperature=T --json
  tail -n +1 -f log.csv | calibctl apply - --transform co.json --x raw

Each row comes out as it came in, with value, u, state and reasons added. A row without a value to
calibrate stays, as `missing`; one whose value is no number stays, as `invalid`, and is counted on stderr.
Covariates are read from the columns named like their roles.

exit codes: 0 done, 1 the file or the transform is of no use, 2 usage";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ApplyArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The transform, or a signed one, whose signatures are not looked at.
    #[arg(long, value_name = "FILE")]
    transform: PathBuf,
    /// The raw values. Absent: the first column.
    #[arg(long, value_name = "COL")]
    x: Option<String>,
    /// Standard uncertainties of the raw values.
    #[arg(long, value_name = "COL")]
    u: Option<String>,
    /// The column of a covariate whose role is not a column's name; may be given several times.
    #[arg(long, value_name = "ROLE=COL")]
    covariate: Vec<String>,
    /// The column of a covariate's standard uncertainties; may be given several times.
    #[arg(long, value_name = "ROLE=COL")]
    covariate_u: Vec<String>,
    /// Days since a reference last confirmed the calibration.
    #[arg(long, value_name = "DAYS", value_parser = finite, default_value_t = 0.0)]
    age_days: f64,
    /// Put before the names of the columns that are added.
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// What could not be used, for the note at the end.
#[derive(Default)]
pub struct Tally {
    missing: u64,
    without_u: u64,
    unreadable: u64,
    first: Option<String>,
}

pub fn run(args: &ApplyArgs) -> Result<ExitCode, Failure> {
    if !args.age_days.is_finite() || args.age_days < 0.0 {
        return Err(Failure::usage("--age-days: expected a number from 0 on"));
    }
    let (transform, compiled) = artifacts::transform(&args.transform)?;
    let mut rows = args.data.open()?;
    let added = columns::added(&transform, &args.prefix);
    let columns = Columns::find(&rows, &compiled, args, &added)?;
    let mut sink: Box<dyn Sink> = match args.json {
        true => Box::new(Json::new(added)),
        false => Box::new(Csv::new(added)),
    };
    let mut tally = Tally::default();
    let streamed = stream(&mut rows, &columns, &compiled, args.age_days, sink.as_mut(), &mut tally);
    let ended = streamed.and_then(|()| sink.end(&rows, &tally));
    tally.say();
    // `calibctl apply ... | head` is no fault.
    match ended {
        Err(Stop::Closed) | Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

/// Why the stream ended early.
pub enum Stop {
    /// Nobody reads on.
    Closed,
    /// A fault.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

impl From<std::io::Error> for Stop {
    fn from(fault: std::io::Error) -> Stop {
        match fault.kind() {
            std::io::ErrorKind::BrokenPipe => Stop::Closed,
            _ => Stop::Failed(Failure::io("stdout", &fault)),
        }
    }
}

fn stream(
    rows: &mut Rows,
    columns: &Columns,
    compiled: &Compiled,
    age_days: f64,
    sink: &mut dyn Sink,
    tally: &mut Tally,
) -> Result<(), Stop> {
    let mut covariates = Vec::new();
    sink.begin(rows)?;
    while rows.next()? {
        let read = columns.read(rows, &mut covariates, tally);
        let output = read
            .raw
            .map(|raw| compiled.apply(&Input { raw, u_raw: read.u_raw, covariates: &covariates, age_days }));
        sink.row(rows, columns, &output.unwrap_or_else(columns::nothing))?;
    }
    Ok(())
}

impl Tally {
    fn unreadable(&mut self, problem: impl FnOnce() -> String) {
        self.unreadable += 1;
        self.first.get_or_insert_with(problem);
    }

    fn say(&self) {
        if self.missing > 0 {
            note(&format!("note: rows without a value to calibrate, left as `missing`: {}", self.missing));
        }
        if self.without_u > 0 {
            let count = self.without_u;
            note(&format!("note: missing standard uncertainties, which `u` then does not hold: {count}"));
        }
        if let Some(first) = &self.first {
            note(&format!("note: cells that cannot be read: {}; the first: {first}", self.unreadable));
        }
    }
}

/// One row's outcome.
pub type Outcome = Output;
