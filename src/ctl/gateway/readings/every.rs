//! Statistics by interval.

use std::collections::BTreeMap;

use super::super::show::{clean, count, time};
use super::super::{Asked, client};
use super::formats::{number, quoted};
use super::{Format, ReadingsArgs};
use crate::config::scalar::parse_duration;
use crate::ctl::output::{Failure, note, print, print_json, print_table, significant};
use crate::domain::stats::Stats;
use crate::domain::time::Timestamp;
use crate::wire::control::{Rollup, Rollups, Summary};

/// Shows what the range has in each interval.
pub(super) fn show(args: &ReadingsArgs, range: &str, every: &str, format: Format) -> Result<(), Failure> {
    if format == Format::Senml {
        return Err(Failure::usage("SenML has no statistics: leave out --every, or take csv or json"));
    }
    let rollups = gather(&args.asked, &format!("{range}&every={}", minutes(every)?))?;
    match format {
        Format::Json => print_json(&Rollups { rollups, after: None }),
        Format::Csv => print(csv(&args.id, &rollups).as_bytes()),
        _ if rollups.is_empty() => {
            note("no readings in this range");
            Ok(())
        }
        _ => print_table(&table(&rollups), 0),
    }
}

fn minutes(every: &str) -> Result<u128, Failure> {
    let micros =
        parse_duration(every).map(|every| every.as_micros()).filter(|micros| micros % 60_000_000 == 0);
    let minutes = micros.map(|micros| micros / 60_000_000).filter(|minutes| (1..=1440).contains(minutes));
    minutes.ok_or_else(|| {
        Failure::usage(format!(
            "--every: `{every}` is not 1 to 1,440 whole minutes: write it like 1m, 15m, 1h or 1d"
        ))
    })
}

/// All pages; an interval that is on two of them is put together.
pub fn gather(asked: &Asked, query: &str) -> Result<Vec<Rollup>, Failure> {
    let mut found: BTreeMap<(Timestamp, String), Rollup> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page: Rollups = client::get(asked, &format!("/v1/rollups?{query}&after={after}"))?;
        for rollup in page.rollups {
            let key = (rollup.start, rollup.unit.clone());
            match found.get_mut(&key) {
                Some(known) => *known = merged(known, &rollup),
                None => {
                    found.insert(key, rollup);
                }
            }
        }
        match page.after {
            Some(next) => after = next,
            None => return Ok(found.into_values().collect()),
        }
    }
}

fn merged(one: &Rollup, other: &Rollup) -> Rollup {
    let stats = |summary: &Option<Summary>| summary.as_ref().map_or(Stats::default(), Summary::stats);
    let both = |one, other| Summary::of(&stats(one).merged(stats(other)));
    Rollup {
        start: one.start,
        unit: one.unit.clone(),
        n: one.n + other.n,
        raw: both(&one.raw, &other.raw),
        value: both(&one.value, &other.value),
    }
}

fn table(rollups: &[Rollup]) -> Vec<Vec<String>> {
    let head = ["START", "READINGS", "MEAN", "STD", "MIN", "MAX", "UNIT", "RAW MEAN", "RAW STD"];
    let row = |rollup: &Rollup| {
        let some = |value: Option<f64>| value.map_or("-".to_owned(), |value| significant(value, 6));
        let (value, raw) = (rollup.value.as_ref(), rollup.raw.as_ref());
        // Readings without a transform have raw values only: those are what their unit says.
        let shown = value.or(raw);
        let unit = format!("{}{}", clean(&rollup.unit), if value.is_none() { " raw" } else { "" });
        vec![
            time(rollup.start),
            count(rollup.n),
            some(shown.map(|shown| shown.mean)),
            some(shown.and_then(|shown| shown.std)),
            some(shown.map(|shown| shown.min)),
            some(shown.map(|shown| shown.max)),
            unit,
            some(raw.map(|raw| raw.mean)),
            some(raw.and_then(|raw| raw.std)),
        ]
    };
    [head.map(str::to_owned).to_vec()].into_iter().chain(rollups.iter().map(row)).collect()
}

fn csv(sensor: &str, rollups: &[Rollup]) -> String {
    const STATISTICS: [&str; 5] = ["n", "min", "max", "mean", "std"];
    let of = |kind: &str| STATISTICS.map(|name| format!("{kind}_{name}")).join(",");
    let mut out = format!("start,sensor,unit,n,{},{}\n", of("raw"), of("value"));
    for rollup in rollups {
        let mut cells =
            vec![rollup.start.to_string(), quoted(sensor), quoted(&rollup.unit), rollup.n.to_string()];
        for summary in [&rollup.raw, &rollup.value] {
            let field = |field: fn(&Summary) -> Option<f64>| number(summary.as_ref().and_then(field));
            cells.push(summary.as_ref().map_or(0, |summary| summary.n).to_string());
            cells.push(field(|summary| Some(summary.min)));
            cells.push(field(|summary| Some(summary.max)));
            cells.push(field(|summary| Some(summary.mean)));
            cells.push(field(|summary| summary.std));
        }
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_whole_minutes_of_at_most_a_day() {
        assert_eq!(["1m", "90 min", "1h", "1d"].map(|text| minutes(text).unwrap()), [1, 90, 60, 1440]);
        for bad in ["30s", "90s", "2d", "0m", "hourly"] {
            assert!(minutes(bad).unwrap_err().message().contains("whole minutes"), "{bad}");
        }
    }

    #[test]
    fn an_interval_on_two_pages_is_put_together() {
        let rollup = |values: &[f64]| {
            let mut stats = Stats::default();
            values.iter().for_each(|value| stats.push(*value));
            let n = values.len() as u64;
            Rollup { start: Timestamp::EPOCH, unit: "mV".into(), n, raw: Summary::of(&stats), value: None }
        };
        let both = merged(&rollup(&[1.0, 3.0]), &rollup(&[8.0]));
        assert_eq!(both, rollup(&[1.0, 3.0, 8.0]));
    }
}
