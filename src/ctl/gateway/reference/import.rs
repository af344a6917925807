//! `calibctl reference import`

use std::fs;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::agreement::Compared;
use super::{AddReferences, Stamped, interval, send};
use crate::ctl::data::{DataArgs, Rows};
use crate::ctl::gateway::Asked;
use crate::ctl::gateway::show::{clean, count};
use crate::ctl::number::finite;
use crate::ctl::output::{Failure, note, print_json, print_lines};
use crate::ctl::progress::Progress;
use crate::domain::id::SensorId;
use crate::domain::pairing::lag::Agreement;
use crate::domain::reference::{Given, Stamp};
use crate::wire::reference::{Defaults, References};
use crate::wire::time::{Pattern, TimeFormat};

const EXAMPLES: &str = "examples:
  calibctl reference import co-1 references.csv --unit mg/m3 --u 0.05 --standard gas-7
  calibctl reference import co-1 hourly.csv --unit mg/m3 --interval 1h --stamp begin --time-format \"%d/%m/%Y %H:%M\"

The columns are time, value, unit, u, U, k, standard, interval, stamp, id, event and qc, each where it is
needed; the options are for rows that don't say. Importing a file again adds nothing twice. Bad rows are told
and the others imported (exit code 1). It warns if the references would agree much better with the readings
at another time.";

/// References sent at a time.
const BATCH: usize = 500;
/// Bad rows that are told.
const TOLD: usize = 50;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArgs {
    /// The sensor.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    data: DataArgs,
    /// Unit of values whose row says none.
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// Standard uncertainty of values whose row says none.
    #[arg(long, value_name = "U", value_parser = finite)]
    u: Option<f64>,
    /// The standard behind references whose row says none.
    #[arg(long, value_name = "S")]
    standard: Option<String>,
    /// The interval that each averages, like 1h, where its row says none.
    #[arg(long, value_name = "INTERVAL", value_parser = interval)]
    interval: Option<f64>,
    /// Which point of the interval the times are; absent: its end.
    #[arg(long, value_enum)]
    stamp: Option<Stamped>,
    /// How the times are written, such as `%d/%m/%Y %H:%M`, in UTC; absent: RFC 3339 or seconds since 1970.
    #[arg(long, value_name = "PATTERN")]
    time_format: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

/// What became of a file.
#[derive(Debug, Default, Serialize)]
struct Report {
    sensor: String,
    new: u64,
    unchanged: u64,
    revised: u64,
    withdrawn: u64,
    refused: Vec<Refused>,
    /// Squared correlation with the readings as they are, and by how many seconds the references would have
    /// to be moved for the best one.
    agreement: Option<Moved>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Moved {
    r_squared: f64,
    best_lag_seconds: f64,
    best_r_squared: f64,
    n: usize,
}

/// A bad row.
#[derive(Debug, Serialize)]
struct Refused {
    line: u64,
    reason: String,
}

pub fn run(args: &ImportArgs) -> Result<ExitCode, Failure> {
    let sensor = SensorId::new(&args.id).map_err(|fault| Failure::usage(fault.to_string()))?;
    let mut rows = args.data.open()?;
    let mut references = columns(args, &rows)?;
    let mut import = Import {
        args,
        report: Report { sensor: sensor.to_string(), ..Report::default() },
        batch: Vec::new(),
        lines: Vec::new(),
        compared: Compared::default(),
    };
    let total = fs::metadata(&args.data.file).map_or(0, |file| file.len());
    let mut bar = Progress::new("importing");
    while rows.next()? {
        let line = rows.line();
        match rows.reference(&mut references) {
            Ok(given) => import.take(given, line)?,
            Err(reason) => import.report.refused.push(Refused { line, reason }),
        }
        if total > 0 {
            bar.of(rows.bytes_read(), total);
        }
    }
    import.send()?;
    drop(bar);
    import.compare()?;
    let mut report = import.report;
    report.refused.sort_by_key(|refused| refused.line);
    tell(args, &report)?;
    Ok(if report.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn columns(args: &ImportArgs, rows: &Rows) -> Result<References, Failure> {
    let format = args.time_format.as_deref().map(|text| Pattern::new(text, 0)).transpose();
    let format = format.map_err(|problem| Failure::usage(format!("--time-format: {problem}")))?;
    let defaults = Defaults {
        unit: args.unit.clone(),
        u: args.u,
        standard: args.standard.clone(),
        interval_seconds: args.interval,
        stamp: args.stamp.map(Stamp::from),
        time: format.map(TimeFormat::Pattern),
    };
    References::new(rows.header(), defaults)
        .map_err(|problem| Failure::usage(format!("{}: {problem}", args.data.name())))
}

struct Import<'a> {
    args: &'a ImportArgs,
    report: Report,
    batch: Vec<Given>,
    lines: Vec<u64>,
    compared: Compared,
}

impl Import<'_> {
    fn take(&mut self, given: Given, line: u64) -> Result<(), Failure> {
        self.batch.push(given);
        self.lines.push(line);
        if self.batch.len() == BATCH { self.send() } else { Ok(()) }
    }

    /// Sends what has been gathered.
    fn send(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let wanted = AddReferences { references: std::mem::take(&mut self.batch), import: true };
        let lines = std::mem::take(&mut self.lines);
        let added = send(&self.args.asked, &self.args.id, &wanted)?;
        let report = &mut self.report;
        for ((result, line), given) in added.results.into_iter().zip(lines).zip(&wanted.references) {
            match result.outcome.as_str() {
                "new" => report.new += 1,
                "unchanged" => report.unchanged += 1,
                "revised" => report.revised += 1,
                "withdrawn" => report.withdrawn += 1,
                _ => {
                    let reason = result.message.unwrap_or_else(|| "it is refused".to_owned());
                    report.refused.push(Refused { line, reason });
                    continue;
                }
            }
            if let Some(message) = result.message.filter(|it| !report.warnings.contains(it)) {
                report.warnings.push(message);
            }
            self.compared.take(given);
        }
        Ok(())
    }

    /// Looks for the time at which the references agree best with the readings.
    fn compare(&mut self) -> Result<(), Failure> {
        let Some(best) = self.compared.best(&self.args.asked, &self.args.id)? else { return Ok(()) };
        let Agreement { lag, r_squared, n, unmoved } = best;
        self.report.warnings.extend(best.warning());
        let best_lag_seconds = lag as f64 / 1e6;
        self.report.agreement =
            Some(Moved { r_squared: unmoved, best_lag_seconds, best_r_squared: r_squared, n });
        Ok(())
    }
}

fn tell(args: &ImportArgs, report: &Report) -> Result<(), Failure> {
    let name = args.data.name();
    for Refused { line, reason } in report.refused.iter().take(TOLD) {
        note(&format!("{name}: line {line}: {}", clean(reason)));
    }
    if report.refused.len() > TOLD {
        note(&format!("{name}: and {} more bad rows", count((report.refused.len() - TOLD) as u64)));
    }
    for warning in &report.warnings {
        note(&format!("warning: {}", clean(warning)));
    }
    if args.asked.json {
        return print_json(report);
    }
    let Report { new, unchanged, revised, withdrawn, refused, .. } = report;
    let parts = [
        (*new, "new"),
        (*unchanged, "there already"),
        (*revised, "revised"),
        (*withdrawn, "withdrawn before"),
        (refused.len() as u64, "refused"),
    ];
    let shown = parts.iter().filter(|(number, _)| *number > 0);
    let shown: Vec<String> = shown.map(|(number, word)| format!("{} {word}", count(*number))).collect();
    let shown = if shown.is_empty() { "no references in it".to_owned() } else { shown.join(", ") };
    print_lines(&format!("{}: {shown}\n", report.sensor))
}
