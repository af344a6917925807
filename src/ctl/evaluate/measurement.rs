//! Values against references.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::EvaluateArgs;
use super::conformity::{Conformity, ConformityArgs};
use crate::ctl::data::{Loaded, Rows, Wanted, load};
use crate::ctl::number::finite;
use crate::ctl::output::{Failure, aligned, note, print, print_json, significant};
use crate::domain::drift::measurement::{
    Agreement, Bootstrap, Intervals, Scores, errors, evaluate, evaluate_by, intervals,
};
use crate::domain::fit::{Column, FitError, Pairs};

/// What E_n needs.
#[derive(Args, Debug, Clone)]
pub struct MeasurementArgs {
    /// Standard uncertainties of the values; with those of the references they give E_n.
    #[arg(long, value_name = "COL", help_heading = "Measurements")]
    ux: Option<String>,
    /// Standard uncertainties of the references.
    #[arg(long, value_name = "COL", help_heading = "Measurements")]
    uy: Option<String>,
    /// Expanded uncertainties of the values.
    #[arg(long = "Ux", value_name = "COL", conflicts_with = "ux", help_heading = "Measurements")]
    expanded_ux: Option<String>,
    /// Expanded uncertainties of the references.
    #[arg(long = "Uy", value_name = "COL", conflicts_with = "uy", help_heading = "Measurements")]
    expanded_uy: Option<String>,
    /// Standard uncertainties that value and reference have in common: one standard is behind both.
    #[arg(long, value_name = "COL", help_heading = "Measurements")]
    u_shared: Option<String>,
    /// Expanded over standard uncertainty.
    #[arg(long, value_name = "K", value_parser = finite, default_value_t = 2.0, help_heading = "Measurements")]
    k: f64,
    #[command(flatten)]
    conformity: ConformityArgs,
}

impl MeasurementArgs {
    /// The first option that only measurements heed, if one was given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            (&self.ux, "--ux"),
            (&self.uy, "--uy"),
            (&self.expanded_ux, "--Ux"),
            (&self.expanded_uy, "--Uy"),
            (&self.u_shared, "--u-shared"),
        ];
        let given = given.iter().find(|(column, _)| column.is_some()).map(|(_, option)| *option);
        given.or(self.conformity.given())
    }
}

/// The scores, as `--json` prints them.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    scores: Scores,
    #[serde(skip_serializing_if = "Option::is_none")]
    conformity: Option<Conformity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intervals: Option<Intervals>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cohorts: Option<BTreeMap<String, Scores>>,
    skipped: u64,
    notes: Vec<String>,
}

pub fn run(args: &EvaluateArgs) -> Result<ExitCode, Failure> {
    let k = args.measurement.k;
    if !(k.is_finite() && k > 0.0) {
        return Err(Failure::usage("--k: expected a number above 0"));
    }
    let mut rows = args.data.open()?;
    let (pairs, shared, loaded) = read(&mut rows, args)?;
    let fault = |fault: FitError| Failure::refused(format!("{}: {fault}", args.data.name()));
    let agreement = Agreement { coverage_factor: k, shared: shared.as_deref() };
    let scores = evaluate(&pairs, &agreement).map_err(fault)?;
    let by = args.by.as_ref().map(|_| evaluate_by(&pairs, &loaded.texts, &agreement));
    let bootstrap =
        Bootstrap { replicates: args.bootstrap, block: args.block, seed: args.seed, ..Bootstrap::default() };
    let conformity = args.measurement.conformity.decide(&pairs, shared.as_deref(), k)?;
    let report = Report {
        conformity,
        intervals: intervals(&errors(&pairs).map_err(fault)?, &bootstrap),
        cohorts: by.transpose().map_err(fault)?,
        scores,
        skipped: loaded.skipped,
        notes: loaded.notes,
    };
    report.notes.iter().for_each(|text| note(&format!("note: {text}")));
    match args.json {
        true => print_json(&report)?,
        false => print(text(&report, args.bootstrap).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(rows: &mut Rows, args: &EvaluateArgs) -> Result<(Pairs, Option<Vec<f64>>, Loaded), Failure> {
    let x = rows.find_or(args.x.as_deref(), 0)?;
    let y = rows.find_or(args.label.as_deref().or(args.y.as_deref()), 1)?;
    let of = &args.measurement;
    let find = |name: &Option<String>| name.as_deref().map(|name| rows.find(name)).transpose();
    let ux = find(&of.ux.clone().or(of.expanded_ux.clone()))?;
    let uy = find(&of.uy.clone().or(of.expanded_uy.clone()))?;
    let shared = find(&of.u_shared)?;
    let text = find(&args.by)?;
    if ux.is_some() != uy.is_some() || shared.is_some() && ux.is_none() {
        let problem = "E_n needs the uncertainties of both: --ux and --uy, or --Ux and --Uy";
        return Err(Failure::usage(problem));
    }
    let numbers = [x, y].into_iter().chain(ux).chain(uy).chain(shared).collect();
    let mut loaded = load(rows, &Wanted { numbers, text }, &args.rows)?;
    let scaled = |column: Column, expanded: bool| {
        let by = if expanded { of.k } else { 1.0 };
        Column::new(column.name(), column.values().iter().map(|value| value / by).collect())
    };
    let value = loaded.take();
    let made = || -> Result<(Pairs, Option<Vec<f64>>), FitError> {
        let mut pairs = Pairs::with_lines(vec![value], loaded.take(), loaded.lines.clone())?;
        if ux.is_some() {
            pairs = pairs.with_ux(scaled(loaded.take(), of.expanded_ux.is_some()))?;
            pairs = pairs.with_uy(scaled(loaded.take(), of.expanded_uy.is_some()))?;
        }
        Ok((pairs, shared.map(|_| loaded.take().values().to_vec())))
    };
    let (pairs, shared) =
        made().map_err(|fault| Failure::refused(format!("{}: {fault}", args.data.name())))?;
    Ok((pairs, shared, loaded))
}

/// Digits that are shown.
const DIGITS: usize = 7;

fn named(scores: &Scores) -> [(&'static str, Option<f64>); 10] {
    [
        ("pairs", Some(scores.n as f64)),
        ("bias", Some(scores.bias)),
        ("RMSE", Some(scores.rmse)),
        ("mean absolute error", Some(scores.mae)),
        ("standard deviation", scores.std),
        ("r squared", scores.r_squared),
        ("slope", scores.slope),
        ("intercept", scores.intercept),
        ("mean E_n", scores.en_mean),
        ("share of |E_n| <= 1", scores.en_fraction_within_1),
    ]
}

fn text(report: &Report, resamples: usize) -> String {
    let cohorts: Vec<_> = report.cohorts.iter().flatten().collect();
    let of = |name: &str| {
        let intervals = report.intervals.as_ref()?;
        match name {
            "bias" => Some(intervals.bias),
            "RMSE" => Some(intervals.rmse),
            "mean absolute error" => Some(intervals.mae),
            _ => None,
        }
    };
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| significant(value, DIGITS));
    let mut table = Vec::new();
    if !cohorts.is_empty() {
        let names = cohorts.iter().map(|(name, _)| (*name).clone());
        table.push([String::new(), "all".to_owned()].into_iter().chain(names).collect());
    }
    for (at, (name, value)) in named(&report.scores).into_iter().enumerate() {
        if value.is_none() {
            continue;
        }
        let others = cohorts.iter().map(|(_, scores)| shown(named(scores)[at].1));
        let interval = of(name)
            .map(|[low, high]| format!("[{}, {}]", significant(low, DIGITS), significant(high, DIGITS)));
        table.push([name.to_owned(), shown(value)].into_iter().chain(others).chain(interval).collect());
    }
    let mut text = aligned(&table, 1 + cohorts.len());
    if let Some(conformity) = &report.conformity {
        let row = |(name, value): (&str, f64)| vec![name.to_owned(), significant(value, DIGITS)];
        text.push_str(&format!("\n{}", aligned(&conformity.rows().map(row), 1)));
    }
    if report.intervals.is_some() {
        text.push_str(&format!("intervals: 95 %, {resamples} resamples of all pairs\n"));
    }
    text
}
