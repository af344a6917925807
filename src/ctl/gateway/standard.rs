//! `calibctl standard`

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::{get, post};
use super::show::{clean, measured, time};
use super::{Asked, Door};
use crate::ctl::number::finite;
use crate::ctl::output::{Failure, note, print_json, print_lines, print_table, significant};
use crate::domain::id::Id;
use crate::domain::reference::{Certified, Standard};
use crate::domain::time::Timestamp;
use crate::runtime::clock::system_now;
use crate::wire::control::{AddedStandard, KeptStandard, Standards};

const ADD_EXAMPLES: &str = "examples:
  calibctl standard add gas-7 --value 40 --unit mg/m3 --u 0.4 --certificate \"PTB 2026-17\" --due 2027-05-01T00:00:00Z
  calibctl standard add bath --unit Cel --u 0.02 --description \"stirred bath with Pt100\" --lot 4711
  calibctl standard add gas-7 --certificate \"PTB 2027-31\" --due 2028-05-01

Of a standard that is known only what is given changes; what stays is told. Another one under the same name, such as a
new bottle, takes its place with --replace. The ledger keeps what was said before.";

const LIST_EXAMPLES: &str = "examples:
  calibctl standard list
  calibctl standard list --json | jq '.standards[].standard.due'";

#[derive(Subcommand)]
#[command(after_help = ADD_EXAMPLES)]
pub enum StandardCommand {
    /// Adds a reference standard, or what is new of a known one.
    Add(Box<AddArgs>),
    /// Lists the reference standards.
    List(ListArgs),
}

#[derive(Args)]
#[command(after_help = ADD_EXAMPLES)]
pub struct AddArgs {
    /// Its name on this gateway.
    #[arg(value_name = "ID")]
    id: String,
    /// What it is.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The certificate that it is traced by.
    #[arg(long, value_name = "TEXT")]
    certificate: Option<String>,
    /// Its lot, or its serial number.
    #[arg(long, value_name = "TEXT")]
    lot: Option<String>,
    /// The quantity, in words.
    #[arg(long, value_name = "TEXT", requires = "unit")]
    quantity: Option<String>,
    /// Its certified value; absent for an instrument, which has many.
    #[arg(long, value_name = "VALUE", value_parser = finite, allow_negative_numbers = true, requires = "unit")]
    value: Option<f64>,
    /// The value's unit.
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// Standard uncertainty of the value.
    #[arg(long, value_name = "U", value_parser = finite, requires = "unit")]
    u: Option<f64>,
    /// When it has to be calibrated or replaced: a time, or a date.
    #[arg(long, value_name = "TIME")]
    due: Option<String>,
    /// Whatever else is to be remembered.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Forgets what was said of it before: it is another standard under the same name.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArgs {
    #[command(flatten)]
    asked: Asked,
}

pub fn run(command: &StandardCommand) -> Result<ExitCode, Failure> {
    match command {
        StandardCommand::Add(args) => add(args)?,
        StandardCommand::List(args) => list(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A time, or a date as certificates have it: the beginning of that day in UTC, so that nothing is used for too long.
fn due(text: &str) -> Result<Timestamp, Failure> {
    let day = || Timestamp::parse(&format!("{text}T00:00:00Z")).ok();
    let wrong = |fault| Failure::usage(format!("--due: {fault}, or a date like 2027-03-01"));
    Timestamp::parse(text).or_else(|fault| day().ok_or_else(|| wrong(fault)))
}

fn add(args: &AddArgs) -> Result<(), Failure> {
    let given = given(args)?;
    let before = if args.replace { None } else { known(&args.asked, &given.id)? };
    let (standard, kept) = match before {
        Some(before) => completed(given, before),
        None => (given, Vec::new()),
    };
    let body = serde_json::json!(standard).to_string();
    let added: AddedStandard = post(&args.asked, Door::Maintenance, "/v1/standards", body)?;
    if args.asked.json {
        return print_json(&added);
    }
    let told = if added.new { "is noted" } else { "is there already, just so" };
    let kept = match kept.is_empty() || !added.new {
        true => String::new(),
        false => format!("  as before: {}\n", kept.join(", ")),
    };
    print_lines(&format!("{} {told}\n{kept}", added.standard.id))
}

fn given(args: &AddArgs) -> Result<Standard, Failure> {
    let value = args.unit.as_ref().map(|unit| Certified {
        quantity: args.quantity.clone(),
        value: args.value,
        unit: unit.clone(),
        u: args.u,
    });
    Ok(Standard {
        id: Id::new(&args.id).map_err(|fault| Failure::usage(fault.to_string()))?,
        description: args.description.clone(),
        certificate: args.certificate.clone(),
        lot: args.lot.clone(),
        values: value.into_iter().collect(),
        due: args.due.as_deref().map(due).transpose()?,
        comment: args.comment.clone(),
    })
}

/// The standard of this name, if there is one.
fn known(asked: &Asked, id: &Id) -> Result<Option<Standard>, Failure> {
    let found: Standards = get(asked, "/v1/standards")?;
    Ok(found.standards.into_iter().map(|kept| kept.standard).find(|standard| standard.id == *id))
}

/// What is given of a standard that is known, with all else as it was; and that, in words.
fn completed(given: Standard, before: Standard) -> (Standard, Vec<String>) {
    let mut kept = Vec::new();
    let values = completed_values(given.values.into_iter().next(), before.values, &mut kept);
    let mut text = |name: &str, given: Option<String>, before: Option<String>| {
        if let (None, Some(before)) = (&given, &before) {
            kept.push(format!("{name} {}", clean(before)));
        }
        given.or(before)
    };
    let description = text("description", given.description, before.description);
    let certificate = text("certificate", given.certificate, before.certificate);
    let lot = text("lot", given.lot, before.lot);
    let comment = text("comment", given.comment, before.comment);
    if let (None, Some(due)) = (given.due, before.due) {
        kept.push(format!("due {}", time(due)));
    }
    let due = given.due.or(before.due);
    (Standard { id: given.id, description, certificate, lot, values, due, comment }, kept)
}

/// The values of a standard: the one that is given completes that of its unit, else takes the place of a single one.
fn completed_values(
    given: Option<Certified>,
    mut values: Vec<Certified>,
    kept: &mut Vec<String>,
) -> Vec<Certified> {
    let Some(new) = given else {
        kept.extend(values.iter().map(shown));
        return values;
    };
    if let Some(old) = values.iter_mut().find(|it| it.unit == new.unit) {
        if let (None, Some(value)) = (new.value, old.value) {
            kept.push(format!("value {} {}", significant(value, 6), clean(&old.unit)));
        }
        if let (None, Some(u)) = (new.u, old.u) {
            kept.push(format!("u {}", significant(u, 2)));
        }
        old.quantity = new.quantity.or_else(|| old.quantity.take());
        (old.value, old.u) = (new.value.or(old.value), new.u.or(old.u));
        return values;
    }
    if let [old] = &values[..] {
        kept.push(format!("no longer {}", shown(old)));
        values.clear();
    }
    values.push(new);
    values
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let found: Standards = get(&args.asked, "/v1/standards")?;
    if args.asked.json {
        return print_json(&found);
    }
    if found.standards.is_empty() {
        note("there are no standards yet; add one with `calibctl standard add`");
        return Ok(());
    }
    let now = system_now();
    let head = ["ID", "VALUE", "CERTIFICATE", "LOT", "DUE", "WHAT", "BY"].map(str::to_owned).to_vec();
    let rows = found.standards.iter().map(|kept| row(kept, now));
    print_table(&[head].into_iter().chain(rows).collect::<Vec<_>>(), 0)
}

/// A value as its certificate says it.
fn shown(it: &Certified) -> String {
    match it.value {
        Some(value) => format!("{} {}", measured(value, it.u), clean(&it.unit)),
        None => clean(&it.unit),
    }
}

fn row(kept: &KeptStandard, now: Timestamp) -> Vec<String> {
    let Standard { id, description, certificate, lot, values, due, .. } = &kept.standard;
    let word = |text: &Option<String>| text.as_deref().map_or("-".to_owned(), clean);
    let values = values.iter().map(shown).collect::<Vec<_>>().join(", ");
    let due = due.map_or("-".to_owned(), |due| {
        let overdue = if due < now { " overdue" } else { "" };
        format!("{}{overdue}", time(due))
    });
    let values = if values.is_empty() { "-".to_owned() } else { values };
    vec![id.to_string(), values, word(certificate), word(lot), due, word(description), clean(&kept.actor)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_the_beginning_of_its_day() {
        let due = |text: &str| due(text).map(|time| time.to_string()).ok();
        assert_eq!(due("2027-03-01").as_deref(), Some("2027-03-01T00:00:00.000000Z"));
        assert_eq!(due("2027-03-01T12:00:00+01:00").as_deref(), Some("2027-03-01T11:00:00.000000Z"));
        assert_eq!((due("2027-02-30"), due("1.3.2027"), due("")), (None, None, None));
    }

    fn standard(value: Option<f64>, unit: &str, u: Option<f64>) -> Standard {
        let value = Certified { quantity: None, value, unit: unit.to_owned(), u };
        Standard {
            id: Id::new("co-20").unwrap(),
            description: None,
            certificate: None,
            lot: None,
            values: vec![value],
            due: None,
            comment: None,
        }
    }

    #[test]
    fn what_is_not_given_stays_and_is_told() {
        let before = Standard {
            certificate: Some("4711-2026".to_owned()),
            due: due("2026-03-01").ok(),
            ..standard(Some(20.0), "mg/m3", Some(0.1))
        };
        let given = Standard { values: Vec::new(), due: due("2027-04-01").ok(), ..standard(None, "1", None) };
        let (after, kept) = completed(given.clone(), before.clone());
        assert_eq!(after, Standard { due: given.due, ..before.clone() });
        assert_eq!(kept, ["20.00 ± 0.10 mg/m3", "certificate 4711-2026"]);
        // Only the value is new, in its unit and in another.
        let (after, kept) = completed(standard(Some(19.8), "mg/m3", None), before.clone());
        assert_eq!(
            (after.values[0].value, after.values[0].u, after.values.len()),
            (Some(19.8), Some(0.1), 1)
        );
        assert_eq!(kept, ["u 0.1", "certificate 4711-2026", "due 2026-03-01 00:00:00Z"]);
        let (after, _) = completed(standard(Some(17.5), "ppm", None), before);
        assert_eq!((after.values[0].value, after.values[0].u, after.values.len()), (Some(17.5), None, 1));
    }
}
