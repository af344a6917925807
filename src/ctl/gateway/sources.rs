//! `calibctl source`

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::escaped;
use super::events::{Event, Events};
use super::show::{clean, clock};
use super::{Asked, client};
use crate::config::scalar::parse_duration;
use crate::ctl::output::{Failure, note, print, wrapped};
use crate::domain::time::Timestamp;
use crate::wire::control::{FieldValue, Lost, Tested};

const EXAMPLES: &str = "examples:
  calibctl source test line1
  calibctl source test broker --for 30s
  calibctl source test line1 --json | jq -r 'select(.event == \"fault\").message'

Shows every line, frame or message with what was read from it and the sensors that get it, faults with their
reason, and hints while nothing comes. The source goes on as ever. Ends with Ctrl-C or after --for; the exit
code is 1 if nothing could be read in that time.";

#[derive(Subcommand)]
#[command(after_help = "examples:\n  calibctl source test line1")]
pub enum SourceCommand {
    /// Shows live what a source decodes, and hints when nothing comes.
    Test(TestArgs),
}

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct TestArgs {
    /// The source.
    #[arg(value_name = "NAME")]
    name: String,
    /// Ends after this time (like 10s, 5m).
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(command: &SourceCommand) -> Result<ExitCode, Failure> {
    let SourceCommand::Test(args) = command;
    let wrong = |text| Failure::usage(format!("--for: `{text}` is no time: write it like 10s or 5m"));
    let duration = |text| parse_duration(text).ok_or_else(|| wrong(text));
    let time = args.time.as_deref().map(duration).transpose()?;
    let path = format!("/v1/sources/{}/test", escaped(&args.name));
    let mut events = Events::default();
    let mut read = false;
    let take = |bytes: &[u8]| {
        for event in events.take(bytes)? {
            read |= show(&event, args.asked.json)?;
        }
        Ok(true)
    };
    match time {
        Some(time) => client::follow_for(time, &args.asked, &path, take)?,
        None => client::follow(&args.asked, &path, take)?,
    }
    Ok(if read { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows an event; says whether a value was read.
fn show(event: &Event, json: bool) -> Result<bool, Failure> {
    let unreadable = |fault| Failure::refused(format!("an event of calibd cannot be read: {fault}"));
    if event.name == "lost" {
        let lost: Lost = serde_json::from_str(&event.data).map_err(unreadable)?;
        note(&format!("{} events are not shown: this terminal is too slow", lost.count));
        return Ok(false);
    }
    let tested: Tested = serde_json::from_str(&event.data).map_err(unreadable)?;
    let text = if json { format!("{}\n", event.data) } else { text(&tested) };
    print(text.as_bytes())?;
    Ok(matches!(tested, Tested::Record { values, .. } if !values.is_empty()))
}

fn text(tested: &Tested) -> String {
    let line = |time: &Timestamp, text: &str| format!("{}  {}\n", clock(*time), wrapped(&clean(text), 15));
    match tested {
        Tested::Source { time, name, kind } => line(time, &format!("{name}, {kind}")),
        Tested::Connected { time, message } => line(time, &format!("connected to {message}")),
        Tested::Disconnected { time, message } => line(time, &format!("not connected: {message}")),
        Tested::Fault { time, reason, message } => line(time, &format!("{reason}: {message}")),
        Tested::Record { time, topic, input, values } => {
            let parts = [topic.as_deref(), input.as_deref()].into_iter().flatten();
            let from = parts.collect::<Vec<_>>().join("  ");
            let values = values.iter().map(|field| format!("    {}\n", wrapped(&value(field), 6)));
            line(time, if from.is_empty() { "a row" } else { &from }) + &values.collect::<String>()
        }
        Tested::Silence { seconds, hints } => {
            let hints = hints.iter().map(|hint| format!("  - {}\n", wrapped(&clean(hint), 4)));
            format!("nothing for {seconds} s:\n{}", hints.collect::<String>())
        }
        Tested::Other => String::new(),
    }
}

fn value(value: &FieldValue) -> String {
    let raw = value.raw.map_or("no value".to_owned(), |raw| raw.to_string());
    let field = value.field.as_deref().map_or(String::new(), |field| format!("{} = ", clean(field)));
    let sensors: Vec<&str> = value.sensors.iter().map(|sensor| sensor.as_str()).collect();
    let sensors = if sensors.is_empty() { "no sensor takes it".to_owned() } else { sensors.join(", ") };
    format!("{field}{raw} -> {sensors}")
}
