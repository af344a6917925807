//! `calibctl reprocess`: stored raw values with another transform. What is stored stays as it is.

mod recompute;
mod stored;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::client::escaped;
use super::readings::moment;
use super::show::{clean, count, time};
use super::transforms::{Chosen, choose};
use super::{Asked, client};
use crate::ctl::files::write_out_by;
use crate::ctl::output::{Failure, note, significant};
use crate::domain::calibration::Dated;
use crate::runtime::clock::system_now;
use crate::wire::control::Sensor;
use recompute::{Around, Row, Summary, again};
use stored::{Range, Stored, beside, readings};

const EXAMPLES: &str = "examples:
  calibctl reprocess co-1 --since 7d --out co-1.csv
  calibctl reprocess co-1 --since 2026-11-01T00:00:00Z --until 2026-11-08T00:00:00Z --transform 9f2c41aa
  calibctl reprocess co-1 --since 7d --transform what-if.json --json

A transform is named by its id (then its newest version), its digest or the first 8 digits of that, or by a
file, signed or not: a name with a `.` or a `/`. A summary goes to stderr.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ReprocessArgs {
    /// The sensor.
    #[arg(value_name = "ID")]
    id: String,
    /// Measured at or after this time, or so long ago (like 2h, 30m, 7d).
    #[arg(long, value_name = "TIME")]
    since: String,
    /// Measured before this time, or so long ago.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The transform; absent: the one in force.
    #[arg(long, value_name = "NAME")]
    transform: Option<String>,
    /// Where the rows go; absent: stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &ReprocessArgs) -> Result<ExitCode, Failure> {
    let now = system_now();
    let until = args.until.as_deref().map(|text| moment("--until", text, now)).transpose()?;
    let range = Range { since: moment("--since", &args.since, now)?, until };
    let sensor = sensor(args, &args.id)?;
    let chosen = transform(args, &sensor)?;
    let rows = readings(&args.asked, &args.id, &range, &chosen.transform.output_unit)?;
    let around = around(args, &sensor, &chosen, &rows)?;
    let mut work =
        Work { sensor: &sensor, chosen: &chosen, rows: &rows, around, summary: Summary::default() };
    write_out_by(args.out.as_deref(), |out| if args.asked.json { work.json(out) } else { work.csv(out) })?;
    note(&said(&work.summary, &chosen.transform.output_unit));
    Ok(ExitCode::SUCCESS)
}

fn sensor(args: &ReprocessArgs, id: &str) -> Result<Sensor, Failure> {
    client::get(&args.asked, &format!("/v1/sensors/{}", escaped(id)))
}

fn transform(args: &ReprocessArgs, sensor: &Sensor) -> Result<Chosen, Failure> {
    let id = &sensor.id;
    let raw = || Failure::refused(format!("no transform is in force at {id}: name one with --transform"));
    let chosen = match (&args.transform, &sensor.transform) {
        (Some(name), _) => choose(&args.asked, name)?,
        (None, in_force) => choose(&args.asked, &in_force.as_ref().ok_or_else(raw)?.digest.to_string())?,
    };
    let (taken, given) = (&chosen.transform.input_unit, &sensor.unit);
    if taken != given {
        let (taken, given) = (clean(taken), clean(given));
        return Err(Failure::refused(format!("{} takes `{taken}`, {id} gives `{given}`", chosen.label())));
    }
    Ok(chosen)
}

/// What the covariates' sensors said meanwhile.
fn around(
    args: &ReprocessArgs,
    sensor: &Sensor,
    chosen: &Chosen,
    rows: &[Stored],
) -> Result<Around, Failure> {
    let mut sources = Vec::new();
    for role in chosen.compiled.covariates() {
        let Some(source) = sensor.covariates.get(role) else {
            note(&format!("note: no sensor plays `{}` at {}: it is missing", clean(role), sensor.id));
            sources.push(None);
            continue;
        };
        let u_raw = self::sensor(args, source.as_str())?.uncertainty;
        sources.push(Some(beside(&args.asked, source, u_raw, rows)?));
    }
    Ok(Around::new(sources))
}

/// Rows that are computed while they are written.
struct Work<'a> {
    sensor: &'a Sensor,
    chosen: &'a Chosen,
    rows: &'a [Stored],
    around: Around,
    summary: Summary,
}

impl Work<'_> {
    fn each(&mut self, mut write: impl FnMut(&Row) -> io::Result<()>) -> io::Result<()> {
        let Chosen { transform, compiled, .. } = self.chosen;
        let dated = Dated { compiled, calibrated_at: transform.calibrated_at(), expires: transform.expires };
        for stored in self.rows {
            let row = again(stored, dated, self.sensor.uncertainty, &mut self.around);
            self.summary.add(&row, stored.comparable);
            write(&row)?;
        }
        Ok(())
    }

    fn csv(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "time,seq,raw,value_stored,u_stored,value_new,u_new,state,reasons")?;
        self.each(|row| writeln!(out, "{}", cells(row).join(",")))
    }

    /// One object; a row a line.
    fn json(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let Chosen { transform, digest, .. } = self.chosen;
        let name = json!({ "id": transform.id, "version": transform.version, "digest": digest });
        let (sensor, unit) = (json!(self.sensor.id), json!(transform.output_unit));
        write!(out, "{{\"sensor\":{sensor},\"transform\":{name},\"unit\":{unit},\"rows\":[")?;
        let mut between = "\n";
        self.each(|row| {
            write!(out, "{between}{}", serde_json::to_string(row)?)?;
            between = ",\n";
            Ok(())
        })?;
        writeln!(out, "],\"summary\":{}}}", serde_json::to_string(&self.summary)?)
    }
}

fn cells(row: &Row) -> [String; 9] {
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    [
        row.time.to_string(),
        row.seq.to_string(),
        number(row.raw),
        number(row.value_stored),
        number(row.u_stored),
        number(row.value_new),
        number(row.u_new),
        row.state.as_str().to_owned(),
        row.reasons.names().collect::<Vec<_>>().join(" "),
    ]
}

fn said(summary: &Summary, unit: &str) -> String {
    let unit = clean(unit);
    let readings = |n: u64| format!("{} reading{}", count(n), if n == 1 { "" } else { "s" });
    let differences = summary.mean_difference.zip(summary.largest_difference).zip(summary.largest_at);
    let compared =
        differences.map_or("none has a stored value to compare".to_owned(), |((mean, most), at)| {
            let (mean, most) = (significant(mean, 3), significant(most, 3));
            let compared = count(summary.compared);
            format!(
                "|new - stored| of {compared}: on average {mean} {unit}, at most {most} {unit} ({})",
                time(at)
            )
        });
    format!("{}; {compared}; without a new value: {}", readings(summary.n), count(summary.without_value))
}
