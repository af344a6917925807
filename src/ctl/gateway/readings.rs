//! `calibctl readings`

pub mod every;
mod formats;

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::client::escaped;
use super::{Asked, client};
use crate::config::scalar::parse_duration;
use crate::ctl::output::{Failure, note, print, print_json, print_table};
use crate::domain::time::{Timestamp, micros};
use crate::runtime::clock::system_now;
use crate::wire::control::{Reading, Readings};

const EXAMPLES: &str = "examples:
  calibctl readings co-1 --since 2h
  calibctl readings co-1 --since 2026-11-22T10:00:00Z --until 2026-11-22T11:00:00Z --format csv > co-1.csv
  calibctl readings co-1 --since 90d --every 1d
  calibctl readings co-1 --limit 5

--every gives a row an interval (UTC): how many readings, and least, greatest, mean and standard deviation of
their values, raw ones and calibrated ones, from the statistics that calibd keeps of every minute.
Of more readings than --limit, the newest are shown; without --since and --limit the newest 1,000.";

/// Shown without `--since` and `--limit`.
const USUAL: usize = 1000;
/// Held in memory at most.
const MOST: usize = 1_000_000;
/// Asked for at a time.
pub(super) const PAGE: usize = 10_000;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns for people.
    Text,
    /// A header and a row a reading, all digits.
    Csv,
    /// One object.
    Json,
    /// Sensor Measurement Lists (RFC 8428), one array.
    Senml,
}

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ReadingsArgs {
    /// The sensor.
    #[arg(value_name = "ID")]
    id: String,
    /// Measured at or after this time, or so long ago (like 2h, 30m, 7d).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Measured before this time, or so long ago.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Statistics by interval in place of readings: whole minutes, at most a day (like 1m, 1h, 1d).
    #[arg(long, value_name = "INTERVAL", conflicts_with = "limit")]
    every: Option<String>,
    /// At most so many, the newest.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// How they are written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &ReadingsArgs) -> Result<ExitCode, Failure> {
    let now = system_now();
    let since = args.since.as_deref().map(|text| moment("--since", text, now)).transpose()?;
    let until = args.until.as_deref().map(|text| moment("--until", text, now)).transpose()?;
    let range = range(&args.id, since, until);
    let format = if args.asked.json { Format::Json } else { args.format };
    match &args.every {
        Some(every) => every::show(args, &range, every, format)?,
        None => show(&gather(args, &range)?, format)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(readings: &Readings, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => print_json(readings),
        Format::Csv => print(formats::csv(&readings.readings).as_bytes()),
        Format::Senml => print(&formats::senml(&readings.readings)),
        Format::Text if readings.readings.is_empty() => {
            note("no readings in this range");
            Ok(())
        }
        Format::Text => print_table(&formats::table(&readings.readings), 0),
    }
}

/// The sensor and the time range as a query.
fn range(id: &str, since: Option<Timestamp>, until: Option<Timestamp>) -> String {
    let mut range = format!("sensor={}", escaped(id));
    for (name, time) in [("since", since), ("until", until)] {
        if let Some(time) = time {
            range.push_str(&format!("&{name}={time}"));
        }
    }
    range
}

/// A time, or a time so long before `now`.
pub(super) fn moment(option: &str, text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Some(ago) = parse_duration(text) {
        let micros = micros(ago);
        return Ok(now.saturating_add_micros(-micros));
    }
    Timestamp::parse(text)
        .map_err(|fault| Failure::usage(format!("{option}: {fault}, or how long ago, like 2h, 30m or 7d")))
}

/// All pages of the range as one: they come from the newest on.
fn gather(args: &ReadingsArgs, range: &str) -> Result<Readings, Failure> {
    let wanted = args.limit.unwrap_or(if args.since.is_some() { MOST } else { USUAL });
    let mut newest_first: Vec<Reading> = Vec::new();
    let mut before = String::new();
    loop {
        let limit = (wanted - newest_first.len()).min(PAGE);
        if limit == 0 {
            break;
        }
        let page: Readings =
            client::get(&args.asked, &format!("/v1/readings?{range}&limit={limit}{before}"))?;
        newest_first.extend(page.readings.into_iter().rev());
        match page.before {
            Some(seq) => before = format!("&before={seq}"),
            None => {
                newest_first.reverse();
                return Ok(Readings { readings: newest_first, before: None });
            }
        }
    }
    if args.limit.is_none() && wanted == MOST {
        note(&format!("only the newest {MOST} readings are shown; ask for a shorter range with --until"));
    }
    newest_first.reverse();
    let before = newest_first.first().map(|first| first.seq);
    Ok(Readings { readings: newest_first, before })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        let now = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        let at = |text| moment("--since", text, now).map(|time| time.to_string());
        assert_eq!(at("2h").unwrap(), "2026-11-24T10:00:00.000000Z");
        assert_eq!(at("1d12h").unwrap(), "2026-11-23T00:00:00.000000Z");
        assert_eq!(at("2026-11-24T01:00:00+01:00").unwrap(), "2026-11-24T00:00:00.000000Z");
        assert!(at("yesterday").unwrap_err().message().contains("how long ago"));
    }
}
