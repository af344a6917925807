//! `calibctl readings`

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::client::escaped;
use super::show::{clean, reading, state, time};
use super::{Asked, client};
use crate::config::scalar::parse_duration;
use crate::ctl::output::{Failure, note, print, print_json, print_table};
use crate::domain::time::Timestamp;
use crate::runtime::clock::system_now;
use crate::wire::control::{Reading, Readings};

const EXAMPLES: &str = "examples:
  calibctl readings co-1 --since 2h
  calibctl readings co-1 --since 2026-11-22T10:00:00Z --until 2026-11-22T11:00:00Z --format csv > co-1.csv
  calibctl readings co-1 --limit 5

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
    let readings = gather(args, since, until)?;
    match args.format {
        _ if args.asked.json => print_json(&readings)?,
        Format::Json => print_json(&readings)?,
        Format::Csv => print(csv(&readings.readings).as_bytes())?,
        Format::Text if readings.readings.is_empty() => note("no readings in this range"),
        Format::Text => print_table(&table(&readings.readings), 0)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A time, or a time so long before `now`.
pub(super) fn moment(option: &str, text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Some(ago) = parse_duration(text) {
        let micros = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
        return Ok(now.saturating_add_micros(-micros));
    }
    Timestamp::parse(text)
        .map_err(|fault| Failure::usage(format!("{option}: {fault}, or how long ago, like 2h, 30m or 7d")))
}

/// All pages of the range as one: they come from the newest on.
fn gather(
    args: &ReadingsArgs,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Readings, Failure> {
    let wanted = args.limit.unwrap_or(if since.is_some() { MOST } else { USUAL });
    let mut range = format!("sensor={}", escaped(&args.id));
    for (name, time) in [("since", since), ("until", until)] {
        if let Some(time) = time {
            range.push_str(&format!("&{name}={time}"));
        }
    }
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

fn table(readings: &[Reading]) -> Vec<Vec<String>> {
    let head = ["TIME", "READING", "RAW", "STATE", "TRANSFORM"].map(str::to_owned).to_vec();
    let row = |shown: &Reading| {
        vec![
            time(shown.time),
            reading(shown),
            shown.raw.map_or("-".to_owned(), |raw| raw.to_string()),
            state(shown),
            shown.transform.as_ref().map_or("-".to_owned(), |t| format!("{} {}", t.id, t.version)),
        ]
    };
    [head].into_iter().chain(readings.iter().map(row)).collect()
}

fn csv(readings: &[Reading]) -> String {
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let mut out = "time,sensor,seq,raw,value,u,unit,state,reasons,transform,version,p0,p1\n".to_owned();
    for reading in readings {
        let (id, version) = reading
            .transform
            .as_ref()
            .map_or((String::new(), String::new()), |t| (t.id.to_string(), t.version.to_string()));
        let cells = [
            reading.time.to_string(),
            reading.sensor.to_string(),
            reading.seq.to_string(),
            number(reading.raw),
            number(reading.value),
            number(reading.u),
            quoted(&reading.unit),
            clean(&reading.state),
            quoted(&reading.reasons.join(" ")),
            id,
            version,
            number(reading.p0),
            number(reading.p1),
        ];
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

/// A cell, in quotes where CSV needs them (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
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

    #[test]
    fn cells_with_separators_are_quoted() {
        assert_eq!((quoted("mg/m3"), quoted("a,\"b\"")), ("mg/m3".into(), "\"a,\"\"b\"\"\"".into()));
    }
}
