//! `calibctl standard`

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::{get, post};
use super::show::{clean, measured, time};
use super::{Asked, Door};
use crate::ctl::output::{Failure, note, print_json, print_lines, print_table};
use crate::domain::id::Id;
use crate::domain::reference::{Certified, Standard};
use crate::domain::time::Timestamp;
use crate::runtime::clock::system_now;
use crate::wire::control::{AddedStandard, KeptStandard, Standards};

const ADD_EXAMPLES: &str = "examples:
  calibctl standard add gas-7 --value 40 --unit mg/m3 --u 0.4 --certificate \"PTB 2026-17\" --due 2027-05-01T00:00:00Z
  calibctl standard add bath --unit Cel --u 0.02 --description \"stirred bath with Pt100\" --lot 4711

Adding it again with other words replaces what was said; the ledger keeps both.";

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
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, requires = "unit")]
    value: Option<f64>,
    /// The value's unit.
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// Standard uncertainty of the value.
    #[arg(long, value_name = "U", requires = "unit")]
    u: Option<f64>,
    /// When it has to be calibrated or replaced: a time, or a date.
    #[arg(long, value_name = "TIME")]
    due: Option<String>,
    /// Whatever else is to be remembered.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
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
    let value = args.unit.as_ref().map(|unit| Certified {
        quantity: args.quantity.clone(),
        value: args.value,
        unit: unit.clone(),
        u: args.u,
    });
    let standard = Standard {
        id: Id::new(&args.id).map_err(|fault| Failure::usage(fault.to_string()))?,
        description: args.description.clone(),
        certificate: args.certificate.clone(),
        lot: args.lot.clone(),
        values: value.into_iter().collect(),
        due: args.due.as_deref().map(due).transpose()?,
        comment: args.comment.clone(),
    };
    let body = serde_json::json!(standard).to_string();
    let added: AddedStandard = post(&args.asked, Door::Maintenance, "/v1/standards", body)?;
    if args.asked.json {
        return print_json(&added);
    }
    let told = if added.new { "is noted" } else { "is there already, just so" };
    print_lines(&format!("{} {told}\n", added.standard.id))
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

fn row(kept: &KeptStandard, now: Timestamp) -> Vec<String> {
    let Standard { id, description, certificate, lot, values, due, .. } = &kept.standard;
    let word = |text: &Option<String>| text.as_deref().map_or("-".to_owned(), clean);
    let value = |it: &Certified| match it.value {
        Some(value) => format!("{} {}", measured(value, it.u), clean(&it.unit)),
        None => clean(&it.unit),
    };
    let values = values.iter().map(value).collect::<Vec<_>>().join(", ");
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
}
