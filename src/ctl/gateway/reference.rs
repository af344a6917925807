//! `calibctl reference`

mod agreement;
mod import;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use self::import::ImportArgs;
use super::client::{escaped, get, post};
use super::readings::moment;
use super::show::{clean, measured, time};
use super::{Asked, Door};
use crate::config::scalar::parse_duration;
use crate::ctl::number::finite;
use crate::ctl::output::{Failure, note, print_json, print_lines, print_table};
use crate::domain::reference::{Given, Stamp};
use crate::domain::time::Timestamp;
use crate::runtime::clock::system_now;
use crate::wire::control::{
    AddReferences, AddedReference, AddedReferences, Reference, References, Withdraw, Withdrawn,
};

const ADD_EXAMPLES: &str = "examples:
  calibctl reference add co-1 4.2 mg/m3 --standard gas-7 --u 0.05
  calibctl reference add co-1 4.2 mg/m3 --U 0.1 --k 2 --at 2026-11-22T10:00:00+01:00 --interval 1h --stamp end
  calibctl reference add leak-1 1 --event batch-17

The same reference again changes nothing; another value for the same time and standard is a revision, which
counts from then on. Exit code 1: it is refused.";

const LIST_EXAMPLES: &str = "examples:
  calibctl reference list co-1 --since 7d
  calibctl reference list --all --json | jq '.references[] | select(.overdue)'";

const WITHDRAW_EXAMPLES: &str = "examples:
  calibctl reference withdraw co-1 r-0d34c1a2b3c4d5e6 --reason \"the bottle was empty\"

A withdrawn reference, and the pair made of it, do not count any more; it stays in the ledger.";

#[derive(Subcommand)]
#[command(after_help = ADD_EXAMPLES)]
pub enum ReferenceCommand {
    /// Adds a reference reading of a sensor.
    Add(Box<AddArgs>),
    /// Adds the reference readings in a file.
    Import(Box<ImportArgs>),
    /// Lists reference readings, from the first that was entered.
    List(ListArgs),
    /// Withdraws reference readings.
    Withdraw(WithdrawArgs),
}

/// Which point of its interval a time is.
#[derive(Clone, Copy, ValueEnum)]
enum Stamped {
    /// Its begin.
    Begin,
    /// Its middle.
    Mid,
    /// Its end.
    End,
}

impl From<Stamped> for Stamp {
    fn from(stamped: Stamped) -> Stamp {
        match stamped {
            Stamped::Begin => Stamp::Begin,
            Stamped::Mid => Stamp::Mid,
            Stamped::End => Stamp::End,
        }
    }
}

#[derive(Args)]
#[command(after_help = ADD_EXAMPLES)]
pub struct AddArgs {
    /// The sensor.
    #[arg(value_name = "ID")]
    id: String,
    /// What it should have shown; of a probability sensor 0 or 1.
    #[arg(value_name = "VALUE", value_parser = finite, allow_negative_numbers = true)]
    value: f64,
    /// The value's unit, which is converted to that of the sensor; of a label none.
    #[arg(value_name = "UNIT")]
    unit: Option<String>,
    /// The standard behind it.
    #[arg(long, value_name = "S")]
    standard: Option<String>,
    /// Standard uncertainty, in the same unit.
    #[arg(long, value_name = "U", value_parser = finite, conflicts_with = "expanded")]
    u: Option<f64>,
    /// Expanded uncertainty, in the same unit.
    #[arg(long = "U", value_name = "U", value_parser = finite, requires = "k")]
    expanded: Option<f64>,
    /// Coverage factor of the expanded uncertainty.
    #[arg(long, value_name = "K", value_parser = finite, requires = "expanded")]
    k: Option<f64>,
    /// When it was measured, or how long ago (like 20m); absent: now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The interval that it averages, like 1h; absent: it was measured at a point in time.
    #[arg(long, value_name = "INTERVAL", value_parser = interval)]
    interval: Option<f64>,
    /// Which point of the interval the time is; absent: its end.
    #[arg(long, value_enum, requires = "interval")]
    stamp: Option<Stamped>,
    /// The event that a label is about.
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// Names it; absent: derived from sensor, time and standard.
    #[arg(long = "id", value_name = "REFERENCE")]
    name: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArgs {
    /// The sensor; absent: all.
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// That end at or after this time, or so long ago (like 2h, 7d).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Also those that are withdrawn or that a revision took the place of.
    #[arg(long)]
    all: bool,
    /// Those that came by themselves, from a sensor or the broker.
    #[arg(long)]
    automatic: bool,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
#[command(after_help = WITHDRAW_EXAMPLES)]
pub struct WithdrawArgs {
    /// The sensor.
    #[arg(value_name = "ID")]
    id: String,
    /// The references' ids, as `reference list` shows them.
    #[arg(value_name = "REFERENCE", required = true)]
    references: Vec<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(command: &ReferenceCommand) -> Result<ExitCode, Failure> {
    match command {
        ReferenceCommand::Add(args) => add(args),
        ReferenceCommand::Import(args) => import::run(args),
        ReferenceCommand::List(args) => list(args),
        ReferenceCommand::Withdraw(args) => withdraw(args),
    }
}

fn interval(text: &str) -> Result<f64, String> {
    let wanted = "expected an interval like 1h, 15m or 30s";
    parse_duration(text).map(|length| length.as_secs_f64()).ok_or_else(|| wanted.to_owned())
}

/// Sends references of a sensor.
fn send(asked: &Asked, id: &str, wanted: &AddReferences) -> Result<AddedReferences, Failure> {
    let path = format!("/v1/sensors/{}/references", escaped(id));
    post(asked, Door::Maintenance, &path, serde_json::json!(wanted).to_string())
}

fn add(args: &AddArgs) -> Result<ExitCode, Failure> {
    let time = args.at.as_deref().map(|text| moment("--at", text, system_now())).transpose()?;
    let given = Given {
        id: args.name.clone(),
        time,
        value: args.value,
        unit: args.unit.clone(),
        u: args.u,
        expanded: args.expanded,
        k: args.k,
        standard: args.standard.clone(),
        interval_seconds: args.interval,
        stamp: args.stamp.map(Stamp::from),
        event: args.event.clone(),
        qc: None,
    };
    let added = send(&args.asked, &args.id, &AddReferences { references: vec![given], import: false })?;
    if args.asked.json {
        print_json(&added)?;
    }
    let Some(AddedReference { id, outcome, message }) = added.results.first() else {
        return Err(Failure::refused("calibd does not say what became of it"));
    };
    let Some(id) = id.as_ref().filter(|_| outcome != "refused") else {
        return Err(Failure::refused(clean(message.as_deref().unwrap_or("it is refused"))));
    };
    if let Some(message) = message {
        note(&clean(message));
    }
    let told = match outcome.as_str() {
        "new" => "is added",
        "unchanged" => "is there already",
        "revised" => "is revised: this value counts from now on",
        _ => "was withdrawn and stays so: give another value, or another id with --id",
    };
    if !args.asked.json {
        print_lines(&format!("{}: {id} {told}\n", added.sensor))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
    let since = args.since.as_deref().map(|text| moment("--since", text, system_now())).transpose()?;
    let references = gather(args, since)?;
    if args.asked.json {
        print_json(&References { references, after: None })?;
    } else if references.is_empty() {
        note("no references in this range");
    } else {
        let head = ["TIME", "SENSOR", "ID", "VALUE", "STANDARD", "FROM", "BY", "STATE"];
        let head = head.map(str::to_owned).to_vec();
        print_table(&[head].into_iter().chain(references.iter().map(row)).collect::<Vec<_>>(), 0)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn gather(args: &ListArgs, since: Option<Timestamp>) -> Result<Vec<Reference>, Failure> {
    let mut query = format!("all={}&automatic={}", args.all, args.automatic);
    if let Some(id) = &args.id {
        query.push_str(&format!("&sensor={}", escaped(id)));
    }
    if let Some(since) = since {
        query.push_str(&format!("&since={since}"));
    }
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page: References = get(&args.asked, &format!("/v1/references?{query}&after={after}"))?;
        found.extend(page.references);
        match page.after {
            Some(next) => after = next,
            None => return Ok(found),
        }
    }
}

fn row(reference: &Reference) -> Vec<String> {
    let standard = reference.standard.as_ref().map_or("-".to_owned(), ToString::to_string);
    let states = [
        (reference.flag != "valid", reference.flag.as_str()),
        (reference.overdue, "overdue"),
        (reference.superseded, "superseded"),
        (reference.withdrawn.is_some(), "withdrawn"),
    ];
    let states: Vec<&str> = states.into_iter().filter(|(so, _)| *so).map(|(_, word)| word).collect();
    vec![
        time(reference.until),
        reference.sensor.to_string(),
        reference.id.to_string(),
        format!("{} {}", measured(reference.value, reference.u), clean(&reference.unit)),
        standard,
        clean(&reference.origin),
        clean(&reference.actor),
        if states.is_empty() { "valid".to_owned() } else { clean(&states.join(" ")) },
    ]
}

fn withdraw(args: &WithdrawArgs) -> Result<ExitCode, Failure> {
    let ids = args.references.iter().map(|id| id.parse());
    let ids = ids.collect::<Result<Vec<_>, crate::domain::id::IdError>>();
    let ids = ids.map_err(|fault| Failure::usage(fault.to_string()))?;
    let wanted = serde_json::json!(Withdraw { ids: ids.clone(), reason: args.reason.clone() }).to_string();
    let path = format!("/v1/sensors/{}/references/withdraw", escaped(&args.id));
    let done: Withdrawn = post(&args.asked, Door::Maintenance, &path, wanted)?;
    if args.asked.json {
        print_json(&done)?;
    } else {
        for id in &ids {
            let told = match done.withdrawn.contains(id) {
                true => "is withdrawn",
                false => "is none that counts: `calibctl reference list` shows those that do",
            };
            print_lines(&format!("{}: {id} {told}\n", done.sensor))?;
        }
    }
    Ok(if done.withdrawn.len() == ids.len() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
