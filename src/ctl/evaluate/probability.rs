//! Probabilities against what happened.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::EvaluateArgs;
use crate::ctl::data::{Loaded, Wanted, load};
use crate::ctl::number::finite;
use crate::ctl::output::{Failure, aligned, note, print, print_json, significant};
use crate::domain::drift::probability::{Binning, Costs, Interval, Options, ProbabilityScores, evaluate};
use crate::domain::fit::{FitError, Pairs};

/// Bins and decisions.
#[derive(Args, Debug, Clone)]
pub struct ProbabilityArgs {
    #[command(flatten)]
    pub bins: BinArgs,
    /// Counts decisions: an event is expected from this probability on.
    #[arg(long, value_name = "P", value_parser = finite, allow_negative_numbers = true, help_heading = "Probabilities")]
    threshold: Option<f64>,
    /// The cost of expecting what does not happen; with --cost-fn gives the threshold of least cost.
    #[arg(
        long,
        value_name = "COST",
        value_parser = finite,
        requires = "cost_fn",
        allow_negative_numbers = true,
        help_heading = "Probabilities"
    )]
    cost_fp: Option<f64>,
    /// The cost of not expecting what happens.
    #[arg(
        long,
        value_name = "COST",
        value_parser = finite,
        requires = "cost_fp",
        allow_negative_numbers = true,
        help_heading = "Probabilities"
    )]
    cost_fn: Option<f64>,
}

/// The bins of a reliability diagram.
#[derive(Args, Debug, Clone)]
pub struct BinArgs {
    /// Bins of probabilities; [lo, hi), the last one closed.
    #[arg(long, value_name = "N", default_value_t = 15, help_heading = "Probabilities")]
    bins: usize,
    /// Bins of equal widths, or of equal counts.
    #[arg(long, value_enum, default_value = "equal-width", help_heading = "Probabilities")]
    binning: BinningArg,
    /// Bins with fewer rows are merged with their neighbours; 0 keeps empty ones.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Probabilities")]
    min_count: usize,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum BinningArg {
    EqualWidth,
    EqualMass,
}

/// Most bins: a picture or a table of more says nothing.
const MAX_BINS: usize = 10_000;

impl BinArgs {
    /// Refuses numbers of bins that there cannot be.
    pub fn check(&self) -> Result<(), Failure> {
        match (1..=MAX_BINS).contains(&self.bins) {
            true => Ok(()),
            false => Err(Failure::usage(format!("--bins: expected 1 to {MAX_BINS}, found {}", self.bins))),
        }
    }

    /// As the scores take it.
    pub fn options(&self) -> Options {
        let binning = match self.binning {
            BinningArg::EqualWidth => Binning::EqualWidth,
            BinningArg::EqualMass => Binning::EqualMass,
        };
        Options { bins: self.bins, binning, min_count: self.min_count, ..Options::default() }
    }
}

/// The scores, as `--json` prints them.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    scores: ProbabilityScores,
    #[serde(skip_serializing_if = "Option::is_none")]
    cohorts: Option<BTreeMap<String, ProbabilityScores>>,
    skipped: u64,
}

impl ProbabilityArgs {
    /// The first option that only probabilities heed, if one was given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            (self.threshold.is_some(), "--threshold"),
            (self.cost_fp.is_some(), "--cost-fp"),
            (self.cost_fn.is_some(), "--cost-fn"),
        ];
        given.iter().find(|(given, _)| *given).map(|(_, option)| *option)
    }

    fn check(&self) -> Result<(), Failure> {
        self.bins.check()?;
        if let Some(threshold) = self.threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
            return Err(Failure::usage(format!(
                "--threshold: expected a probability from 0 to 1, found {threshold}"
            )));
        }
        for (option, cost) in [("--cost-fp", self.cost_fp), ("--cost-fn", self.cost_fn)] {
            if cost.is_some_and(|cost| !cost.is_finite() || cost <= 0.0) {
                return Err(Failure::usage(format!("{option}: expected a number above 0")));
            }
        }
        Ok(())
    }
}

pub fn run(args: &EvaluateArgs) -> Result<ExitCode, Failure> {
    args.probability.check()?;
    let (pairs, loaded) = read(args)?;
    let options = options(args);
    let fault = |fault: FitError| Failure::refused(format!("{}: {fault}", args.data.name()));
    let mut scores = evaluate(&pairs, &options).map_err(fault)?;
    scores.notes.splice(0..0, loaded.notes.iter().cloned());
    scores.notes.extend(one_class(&pairs));
    scores.notes.iter().for_each(|text| note(&format!("note: {text}")));
    let cohorts = args.by.as_ref().map(|_| by(&pairs, &loaded.texts, &options)).transpose();
    let report = Report { scores, cohorts: cohorts.map_err(fault)?, skipped: loaded.skipped };
    match args.json {
        true => print_json(&report)?,
        false => print(text(&report).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(args: &EvaluateArgs) -> Result<(Pairs, Loaded), Failure> {
    let mut rows = args.data.open()?;
    let x = rows.find_or(args.x.as_deref(), 0)?;
    let y = rows.find_or(args.label.as_deref().or(args.y.as_deref()), 1)?;
    let text = args.by.as_deref().map(|name| rows.find(name)).transpose()?;
    let mut loaded = load(&mut rows, &Wanted { numbers: vec![x, y], text }, &args.rows)?;
    let (x, y) = (loaded.take(), loaded.take());
    let pairs = Pairs::with_lines(vec![x], y, loaded.lines.clone());
    let pairs = pairs.map_err(|fault| Failure::refused(format!("{}: {fault}", args.data.name())))?;
    Ok((pairs, loaded))
}

/// Scores of one class are numbers, and say less than they seem to.
fn one_class(pairs: &Pairs) -> Option<String> {
    let label = pairs.y()[0];
    pairs.y().iter().all(|other| *other == label).then(|| {
        format!("every label is {label}: nothing tells whether the probabilities part the two; add rows of the other")
    })
}

fn options(args: &EvaluateArgs) -> Options {
    let of = &args.probability;
    let costs = of.cost_fp.zip(of.cost_fn);
    Options {
        resamples: args.bootstrap,
        seed: args.seed,
        threshold: of.threshold,
        costs: costs.map(|(false_positive, false_negative)| Costs { false_positive, false_negative }),
        ..of.bins.options()
    }
}

fn by(
    pairs: &Pairs,
    texts: &[String],
    options: &Options,
) -> Result<BTreeMap<String, ProbabilityScores>, FitError> {
    let mut places: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (at, text) in texts.iter().enumerate() {
        places.entry(text).or_default().push(at);
    }
    let scored = |(text, places): (&String, Vec<usize>)| {
        Ok((text.clone(), evaluate(&pairs.select(&places)?, options)?))
    };
    places.into_iter().map(scored).collect()
}

/// Digits that are shown.
const DIGITS: usize = 7;

fn named(scores: &ProbabilityScores) -> [(&'static str, f64); 9] {
    [
        ("rows", scores.n as f64),
        ("expected calibration error", scores.ece),
        ("maximum calibration error", scores.mce),
        ("Brier score", scores.brier),
        ("log loss", scores.log_loss),
        ("reliability", scores.murphy.reliability),
        ("resolution", scores.murphy.resolution),
        ("uncertainty", scores.murphy.uncertainty),
        ("sharpness", scores.sharpness),
    ]
}

fn text(report: &Report) -> String {
    let cohorts: Vec<_> = report.cohorts.iter().flatten().collect();
    let interval = |name: &str| {
        let intervals = report.scores.intervals.as_ref()?;
        let of = match name {
            "expected calibration error" => &intervals.ece,
            "Brier score" => &intervals.brier,
            "log loss" => &intervals.log_loss,
            _ => return None,
        };
        let Interval { lo, hi } = of;
        Some(format!("[{}, {}]", significant(*lo, DIGITS), significant(*hi, DIGITS)))
    };
    let mut table: Vec<Vec<String>> = Vec::new();
    if !cohorts.is_empty() {
        let names = cohorts.iter().map(|(name, _)| (*name).clone());
        table.push([String::new(), "all".to_owned()].into_iter().chain(names).collect());
    }
    for (at, (name, value)) in named(&report.scores).into_iter().enumerate() {
        let others = cohorts.iter().map(|(_, scores)| significant(named(scores)[at].1, DIGITS));
        let cells = [name.to_owned(), significant(value, DIGITS)];
        table.push(cells.into_iter().chain(others).chain(interval(name)).collect());
    }
    aligned(&table, 1 + cohorts.len()) + &decisions(&report.scores) + "\n" + &bins(&report.scores)
}

fn decisions(scores: &ProbabilityScores) -> String {
    let mut rows = Vec::new();
    let mut add = |name: &str, value: Option<f64>| {
        let value = value.map_or("-".to_owned(), |value| significant(value, DIGITS));
        rows.push(vec![name.to_owned(), value]);
    };
    if let Some(rates) = &scores.decisions {
        add("threshold", Some(rates.threshold));
        add("precision", rates.precision);
        add("recall", rates.recall);
        add("false positives", Some(rates.false_positives as f64));
        add("false negatives", Some(rates.false_negatives as f64));
    }
    if let Some(least) = &scores.least_cost {
        add("threshold of least cost here", Some(least.threshold));
        add("mean cost there", Some(least.cost));
        add("threshold of calibrated probabilities", Some(least.theoretical_threshold));
        add("mean cost there", Some(least.theoretical_cost));
    }
    if rows.is_empty() { String::new() } else { format!("\n{}", aligned(&rows, 1)) }
}

fn bins(scores: &ProbabilityScores) -> String {
    let head = ["bin", "count", "predicted", "observed"].map(str::to_owned).to_vec();
    let share = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    let rows = scores.bins.iter().map(|bin| {
        let range = format!("{:.4} to {:.4}", bin.lo, bin.hi);
        vec![range, bin.count.to_string(), share(bin.mean_predicted), share(bin.observed)]
    });
    aligned(&[head].into_iter().chain(rows).collect::<Vec<_>>(), 3)
}
