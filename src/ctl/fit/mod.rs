//! `calibctl fit`: from pairs of sensor and reference values to a transform.

mod artifact;
mod columns;
mod how;
mod prior;
mod report;

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::data::{DataArgs, RowArgs};
use super::output::{Failure, note, plainly, print, print_json};
use crate::domain::fit::method::{Method, Options};
use crate::domain::fit::select::{self, Candidate, choose, measurement_methods, probability_methods};
use crate::domain::fit::validation::Validation;
use crate::domain::fit::{Fit, FitError, Pairs, method};

use artifact::ArtifactArgs;
use how::HowArgs;
use report::{Holdout, Report};

pub use artifact::plain;
pub use columns::{ColumnArgs, Read, read};

const EXAMPLES: &str = "examples:
  calibctl fit pairs.csv --method affine
  calibctl fit pairs.csv --method auto --time time --holdout 0.25 --json
  calibctl fit pairs.csv --method multilinear --x no2_mv --x temperature --y reference --out no2.json
  calibctl fit air.csv --method affine --x 'PT08.S1(CO)' --y 'CO(GT)' --missing -200 --skip-missing
  calibctl fit three.csv --method affine --prior last.json
  calibctl fit three.csv --method affine --prior gateway:alphasense-co-b4
  calibctl fit scores.csv --method platt --x score --label truth

methods: offset, affine, polynomial:N, piecewise:N, pchip, isotonic, multilinear, deming, york, theil-sen,
huber, rational:M/N, exponential, saturation, power, logistic, and for probabilities platt, temperature,
beta, histogram:N, venn-abers; auto tries those that suit the data and takes the simplest that predicts
unseen pairs as well as the best one does.

exit codes: 0 done, 1 the data support no such fit, 2 usage";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct FitArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    rows: RowArgs,
    /// What is fitted: affine, polynomial:2, ... or auto.
    #[arg(long, value_name = "METHOD")]
    method: String,
    #[command(flatten)]
    columns: ColumnArgs,
    /// Scores rows that the fit does not see: this share of the rows, the last in time, or another file
    /// with the same columns.
    #[arg(long, value_name = "SHARE|FILE", value_parser = HeldOut::read, allow_hyphen_values = true)]
    holdout: Option<HeldOut>,
    #[command(flatten)]
    how: HowArgs,
    #[command(flatten)]
    artifact: ArtifactArgs,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// What was fitted, with its score at pairs it had not seen.
struct Fitted {
    fit: Fit,
    cross_validation_rmse: Option<f64>,
    candidates: Vec<Candidate>,
}

pub fn run(args: &FitArgs) -> Result<ExitCode, Failure> {
    let method = wanted(&args.method)?;
    let mut options = args.how.options()?;
    let mut data = read(&args.data, &args.rows, &args.columns)?;
    let name = args.data.name();
    let fault = |fault: FitError| Failure::refused(format!("{name}: {fault}"));
    let held_out = args.holdout.as_ref().map(|it| it.take(args, &mut data)).transpose()?;
    let labelled = args.columns.label.is_some();
    let known = args.how.known(method, &data.pairs)?;
    options.prior = known.as_ref().map(|known| known.prior.clone());
    let how_judged = args.how.complete(&mut options, &data.pairs);
    if method.is_none() && labelled {
        data.notes.extend(outside(&data.pairs));
    }
    let mut fitted = fit(method, &data.pairs, &options, labelled).map_err(fault)?;
    fitted.fit.notes.splice(0..0, data.notes.drain(..));
    let judged = fitted.cross_validation_rmse.is_some();
    fitted.fit.notes.extend(how_judged.filter(|_| judged).map(str::to_owned));
    fitted.fit.notes.extend(known.as_ref().and_then(|known| known.remark(&fitted.fit, data.pairs.len())));
    let score = |(pairs, name): (Pairs, String)| {
        Holdout::score(&fitted.fit, &pairs).map_err(|fault| Failure::refused(format!("{name}: {fault}")))
    };
    let holdout = held_out.map(score).transpose()?;
    if let Some(path) = &args.artifact.out {
        let notes = artifact::write(path, &args.artifact, &fitted.fit, &data, known.as_ref())?;
        fitted.fit.notes.extend(notes);
    }
    for text in &mut fitted.fit.notes {
        *text = plainly(text);
        note(&format!("note: {text}"));
    }
    let report = Report::new(fitted, holdout, data.skipped);
    match args.json {
        true => print_json(&report)?,
        false => print(report.text().as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Rows that judge the fit and are no part of it.
#[derive(Debug, Clone)]
enum HeldOut {
    /// The last ones of the data.
    Share(f64),
    /// All of another file.
    File(PathBuf),
}

impl HeldOut {
    fn read(text: &str) -> Result<HeldOut, Infallible> {
        Ok(text.parse().map_or_else(|_| HeldOut::File(text.into()), HeldOut::Share))
    }

    /// The rows, and the name of their file; those of a share are taken out of `data`.
    fn take(&self, args: &FitArgs, data: &mut Read) -> Result<(Pairs, String), Failure> {
        match self {
            HeldOut::Share(share) => Ok((data.hold_out(*share)?, data.name.clone())),
            HeldOut::File(file) => {
                let file = DataArgs { file: file.clone(), ..args.data.clone() };
                // what the fit weighs by has no say in the score
                let columns = ColumnArgs { ux: None, uy: None, weights: None, ..args.columns.clone() };
                let read = read(&file, &args.rows, &columns)?;
                data.skipped += read.skipped;
                data.notes.extend(read.notes);
                Ok((read.pairs, read.name))
            }
        }
    }
}

/// The method that was asked for; `None` is `auto`.
pub fn wanted(text: &str) -> Result<Option<Method>, Failure> {
    match text {
        "auto" => Ok(None),
        _ => Method::parse(text).map(Some).map_err(|fault| Failure::usage(format!("{fault}, or auto"))),
    }
}

/// Fits, and judges by pairs that the fit has not seen.
fn fit(method: Option<Method>, pairs: &Pairs, options: &Options, labelled: bool) -> Result<Fitted, FitError> {
    let Some(method) = method else {
        let selection = choose(&candidates(pairs, labelled), pairs, options)?;
        return Ok(Fitted {
            fit: selection.fit,
            cross_validation_rmse: Some(selection.cross_validation_rmse),
            candidates: selection.table,
        });
    };
    let mut fit = method::fit(method, pairs, options)?;
    let cross_validation_rmse = match select::cross_validate(method, pairs, options) {
        Ok(rmse) => Some(rmse),
        Err(fault) => {
            fit.notes.push(format!("not cross-validated: {fault}"));
            None
        }
    };
    Ok(Fitted { fit, cross_validation_rmse, candidates: Vec::new() })
}

/// The methods that `auto` tries.
fn candidates(pairs: &Pairs, labelled: bool) -> Vec<Method> {
    match labelled {
        true => probability_methods(outside(pairs).is_some()),
        false => measurement_methods(pairs),
    }
}

/// Says where the first score is that is no probability, if there is one: the others count as scores then.
fn outside(pairs: &Pairs) -> Option<String> {
    let at = pairs.x().iter().position(|value| !(0.0..=1.0).contains(value))?;
    let (line, score) = (pairs.lines()[at], pairs.x()[at]);
    Some(format!("line {line} has {score}, which is no probability: the scores are taken as logits"))
}

/// Fits the method, `None` being `auto`, with default options.
pub fn simple(method: Option<Method>, pairs: &Pairs, labelled: bool) -> Result<Fit, FitError> {
    let options = Options { validation: Validation::suited(pairs), ..Options::default() };
    match method {
        Some(method) => method::fit(method, pairs, &options),
        None => choose(&candidates(pairs, labelled), pairs, &options).map(|selection| selection.fit),
    }
}
