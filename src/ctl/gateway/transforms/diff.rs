//! `calibctl transform diff`

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::super::Asked;
use super::super::show::{clean, measured};
use super::chosen::{Chosen, choose, past};
use super::effect::{Effect, Point, Side, effect};
use super::fields::{flat, shown};
use crate::ctl::output::{Failure, print_json, print_lines, print_table, significant};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};

const EXAMPLES: &str = "examples:
  calibctl transform diff co-electrochemical
  calibctl transform diff 9f2c41aa 03bd55e0 --json
  calibctl transform diff co-1-new.json --sensor co-1

A transform is named by its id (then its newest version), its digest or the first 8 digits of that, or by a
file, signed or not: a name with a `.` or a `/`, or `-` for stdin.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArgs {
    /// The old one; if it is the only one, the new one, compared with what was in force before it.
    #[arg(value_name = "A")]
    first: String,
    /// The new one.
    #[arg(value_name = "B")]
    second: Option<String>,
    /// Where to look for what was in force before. Absent: where A is in force, or what it is for.
    #[arg(long, value_name = "ID", conflicts_with = "second")]
    sensor: Option<SensorId>,
    #[command(flatten)]
    asked: Asked,
}

/// The answer, as `--json` prints it.
#[derive(Serialize)]
struct Diff {
    old: Name,
    new: Name,
    changes: Vec<Change>,
    effect: Option<Effect>,
    /// Why there is no effect.
    note: Option<String>,
}

#[derive(Serialize)]
struct Name {
    id: Id,
    version: u64,
    digest: Option<Digest>,
}

/// A field that differs; null where it is not stated.
#[derive(Serialize)]
struct Change {
    field: String,
    old: Value,
    new: Value,
}

pub fn run(args: &DiffArgs) -> Result<ExitCode, Failure> {
    let first = choose(&args.asked, &args.first)?;
    let (old, new) = match &args.second {
        Some(second) => (first, choose(&args.asked, second)?),
        None => (before(args, &first)?, first),
    };
    let diff = compared(&old, &new);
    if args.asked.json {
        print_json(&diff)?;
    } else {
        show(&diff, &old, &new)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What was in force before a transform; of one that never was, what is in force now.
fn before(args: &DiffArgs, new: &Chosen) -> Result<Chosen, Failure> {
    let sensor = args.sensor.as_ref().or(new.sensors.first()).or(new.transform.target.sensors.first());
    let label = new.label();
    let nowhere = || Failure::usage(format!("{label} names no sensor: say which with --sensor, or name two"));
    let sensor = sensor.ok_or_else(nowhere)?;
    let past = past(&args.asked, sensor.as_str())?.transforms;
    let own = past.iter().position(|put| Some(put.digest) == new.digest);
    let older = past.iter().skip(own.map_or(0, |at| at + 1));
    let found = older.map(|put| put.digest).find(|digest| Some(*digest) != new.digest);
    let nothing = || Failure::refused(format!("nothing was in force at {sensor} before {label}"));
    choose(&args.asked, &found.ok_or_else(nothing)?.to_string())
}

fn compared(old: &Chosen, new: &Chosen) -> Diff {
    let name =
        |it: &Chosen| Name { id: it.transform.id.clone(), version: it.transform.version, digest: it.digest };
    let (effect, note) = match effect(old, new) {
        Ok(effect) => (Some(effect), None),
        Err(note) => (None, Some(note)),
    };
    Diff { old: name(old), new: name(new), changes: changes(old, new), effect, note }
}

fn changes(old: &Chosen, new: &Chosen) -> Vec<Change> {
    // Texts, numbers and structs of them always serialise.
    let fields = |it: &Chosen| flat(&serde_json::to_value(&it.transform).unwrap_or_default());
    let (old, new) = (fields(old), fields(new));
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = paths.into_iter().filter(|path| old.get(*path) != new.get(*path));
    let value = |of: &Value| of.clone();
    changed
        .map(|path| Change {
            field: path.clone(),
            old: old.get(path).map(value).unwrap_or_default(),
            new: new.get(path).map(value).unwrap_or_default(),
        })
        .collect()
}

fn show(diff: &Diff, old: &Chosen, new: &Chosen) -> Result<(), Failure> {
    if diff.changes.is_empty() {
        print_lines(&format!("{} and {} say the same\n", old.label(), new.label()))?;
    } else {
        let head = vec!["FIELD".to_owned(), old.label(), new.label()];
        let cell = |value: &Value| if value.is_null() { "-".to_owned() } else { shown(value) };
        let row = |change: &Change| vec![clean(&change.field), cell(&change.old), cell(&change.new)];
        let rows: Vec<Vec<String>> = [head].into_iter().chain(diff.changes.iter().map(row)).collect();
        print_table(&rows, 0)?;
    }
    if let Some(note) = &diff.note {
        print_lines(&format!("\n{}\n", clean(note)))?;
    }
    diff.effect.as_ref().map_or(Ok(()), show_effect)
}

fn show_effect(effect: &Effect) -> Result<(), Failure> {
    let (raw, unit) = (clean(&effect.input_unit), clean(&effect.unit));
    let head = [format!("RAW/{raw}"), format!("OLD/{unit}"), format!("NEW/{unit}")];
    let head = head.into_iter().chain(["DIFFERENCE".to_owned(), "IN u".to_owned()]).collect();
    let rows: Vec<Vec<String>> = [head].into_iter().chain(effect.points.iter().map(row)).collect();
    print_lines("\n")?;
    print_table(&rows, 4)?;
    let at = effect.covariates.iter().map(|(role, value)| format!("{} {value}", clean(role)));
    let at = at.collect::<Vec<_>>().join(", ");
    if at.is_empty() { Ok(()) } else { print_lines(&format!("at {at}\n")) }
}

fn row(point: &Point) -> Vec<String> {
    let none = || "-".to_owned();
    let side = |side: &Side| side.value.map_or_else(none, |value| measured(value, side.u));
    let number = |value: Option<f64>, digits| value.map_or_else(none, |value| significant(value, digits));
    vec![
        significant(point.raw, 6),
        side(&point.old),
        side(&point.new),
        number(point.difference, 3),
        number(point.difference_in_u, 2),
    ]
}
