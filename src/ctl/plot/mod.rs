//! `calibctl plot`: pictures of calibrations.

mod relation;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::data::{DataArgs, RowArgs};
use super::evaluate::BinArgs;
use super::files;
use super::fit::{ColumnArgs, Read, read};
use super::number::finite;
use super::output::{Failure, note, print_json};
use crate::domain::drift::probability::{self, evaluate};
use crate::domain::fit::FitError;
use crate::picture::Labels;
use crate::picture::calibration::Calibration;
use crate::picture::drift::Drift;
use crate::picture::reliability::{Bin, Reliability, wilson};
use crate::picture::residual::Residual;

use relation::Relation;

const EXAMPLES: &str = "examples:
  calibctl plot pairs.csv --kind calibration --method affine -o curve.svg
  calibctl plot pairs.csv --kind residual --transform co.json --time time -o residuals.svg
  calibctl plot checks.csv --kind drift --x value --y reference --time time --limit 0.5 -o drift.svg
  calibctl plot scores.csv --kind reliability --x prob --label truth -o reliability.svg

calibration draws pairs, curve and the 95 % band of a transform or of a fit; residual and drift draw
value less reference. Where neither --transform nor --method is given, the curve is the least-squares
line, and the value x itself.

exit codes: 0 done, 1 the data are of no use for it, 2 usage";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct PlotArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    rows: RowArgs,
    /// What is drawn.
    #[arg(long, value_enum)]
    kind: Kind,
    #[command(flatten)]
    columns: ColumnArgs,
    /// The transform that makes values of x.
    #[arg(long, value_name = "FILE", conflicts_with = "method")]
    transform: Option<PathBuf>,
    /// Fits this method to the pairs, or auto.
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// Drift: the largest error that is permitted, in the unit of the reference.
    #[arg(long, value_name = "ERROR", value_parser = finite, alias = "mpe")]
    limit: Option<f64>,
    /// Drift: over how many errors the bias is taken; absent: a twentieth of them.
    #[arg(long, value_name = "N")]
    window: Option<usize>,
    #[command(flatten)]
    bins: BinArgs,
    /// Written above the picture.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Written below it; absent: the column's name.
    #[arg(long, value_name = "TEXT")]
    x_label: Option<String>,
    /// Written beside it; absent: the column's name.
    #[arg(long, value_name = "TEXT")]
    y_label: Option<String>,
    /// Where the picture goes; `-` is stdout.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Reliability,
    Residual,
    Drift,
    Calibration,
}

pub fn run(args: &PlotArgs) -> Result<ExitCode, Failure> {
    if args.json && args.output == Path::new("-") {
        return Err(Failure::usage("--json and a picture on stdout exclude each other"));
    }
    if args.limit.is_some_and(|limit| limit.is_nan() || limit <= 0.0 || limit.is_infinite()) {
        return Err(Failure::usage("--limit: expected a number above 0"));
    }
    if args.window == Some(0) {
        return Err(Failure::usage("--window: expected at least 1"));
    }
    args.bins.check()?;
    let relation = Relation::stated(args)?;
    if args.kind == Kind::Reliability && !matches!(relation, Relation::AsTheyAre) {
        return Err(Failure::usage(
            "reliability draws the probabilities of a column: `calibctl apply` makes them",
        ));
    }
    let data = read(&args.data, &args.rows, &relation.columns(&args.columns)?)?;
    for text in &data.notes {
        note(&format!("note: {text}"));
    }
    let svg = match args.kind {
        Kind::Calibration => calibration(args, relation, &data)?,
        Kind::Residual => residual(args, relation, &data)?,
        Kind::Drift => drift(args, relation, &data)?,
        Kind::Reliability => reliability(args, &data)?,
    };
    files::write_out(Some(&args.output), svg.as_bytes())?;
    if args.json {
        print_json(&json!({"output": args.output, "n": data.pairs.len(), "skipped": data.skipped}))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The texts, those of the user first.
fn labels(args: &PlotArgs, title: &str, x: &str, y: &str) -> Labels {
    let or = |given: &Option<String>, text: &str| given.clone().unwrap_or_else(|| text.to_owned());
    Labels { title: or(&args.title, title), x: or(&args.x_label, x), y: or(&args.y_label, y), page: None }
}

fn sensor(data: &Read) -> &str {
    data.pairs.columns().first().map_or("x", |column| column.name())
}

fn calibration(args: &PlotArgs, relation: Relation, data: &Read) -> Result<String, Failure> {
    let reference = data.pairs.reference().name();
    let Some(made) = relation.made(data, args.columns.label.is_some())? else {
        return Err(Failure::usage("say which curve: --transform FILE or --method METHOD"));
    };
    let picture = Calibration {
        labels: labels(args, &format!("{reference} from {}", sensor(data)), sensor(data), reference),
        pairs: data.pairs.x().iter().copied().zip(data.pairs.y().iter().copied()).map(Into::into).collect(),
        curve: made.curve(data)?,
        curve_name: made.name.clone(),
        band_name: "95 % of values".to_owned(),
    };
    Ok(picture.svg())
}

fn residual(args: &PlotArgs, relation: Relation, data: &Read) -> Result<String, Failure> {
    let reference = data.pairs.reference().name();
    let picture = Residual {
        labels: labels(
            args,
            &format!("Residuals against {reference}"),
            sensor(data),
            "value \u{2212} reference",
        ),
        x: data.pairs.x().to_vec(),
        residuals: relation.errors(data, args.columns.label.is_some())?,
        times: data.pairs.times().map(<[f64]>::to_vec),
    };
    Ok(picture.svg())
}

fn drift(args: &PlotArgs, relation: Relation, data: &Read) -> Result<String, Failure> {
    let reference = data.pairs.reference().name();
    let errors = relation.errors(data, args.columns.label.is_some())?;
    let times = data.pairs.times();
    let x = if times.is_some() { "time (UTC)" } else { "row" };
    let picture = Drift {
        labels: labels(args, &format!("Errors against {reference}"), x, "value \u{2212} reference"),
        at: times.map_or_else(|| (1..=errors.len()).map(|at| at as f64).collect(), <[f64]>::to_vec),
        timed: times.is_some(),
        window: args.window.unwrap_or(errors.len() / 20).clamp(1, errors.len().max(1)),
        errors,
        limit: args.limit,
    };
    Ok(picture.svg())
}

fn reliability(args: &PlotArgs, data: &Read) -> Result<String, Failure> {
    let fault = |fault: FitError| Failure::refused(format!("{}: {fault}", args.data.name()));
    let scores = evaluate(&data.pairs, &args.bins.options()).map_err(fault)?;
    let bin = |it: &probability::Bin| Bin {
        range: [it.lo, it.hi],
        count: it.count as u64,
        predicted: it.mean_predicted.unwrap_or(0.0),
        observed: it.observed.unwrap_or(0.0),
        interval: it.observed.map(|share| wilson(it.count as f64, share)),
    };
    let picture = Reliability {
        labels: labels(
            args,
            &format!("Reliability of {}", sensor(data)),
            "predicted probability",
            "observed share",
        ),
        bins: scores.bins.iter().map(bin).collect(),
        interval_name: "95 % interval".to_owned(),
    };
    Ok(picture.svg())
}
