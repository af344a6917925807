//! `calibctl watch`

use std::process::ExitCode;

use clap::Args;

use super::client::escaped;
use super::events::{Event, Events};
use super::show::{clock, reading, state};
use super::{Asked, client};
use crate::ctl::output::{Failure, note, print, wrapped};
use crate::wire::control::{Lost, Reading};

const EXAMPLES: &str = "examples:
  calibctl watch
  calibctl watch co-1 co-2 --json | jq .value

Readings are shown as they are made, before they are in the history. Ends with Ctrl-C.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct WatchArgs {
    /// Sensors; none: all.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    asked: Asked,
    /// Ends after so many readings.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

pub fn run(args: &WatchArgs) -> Result<ExitCode, Failure> {
    let names: Vec<String> = args.ids.iter().map(|id| escaped(id)).collect();
    let query = if names.is_empty() { String::new() } else { format!("?sensors={}", names.join(",")) };
    let mut events = Events::default();
    let mut left = args.limit.unwrap_or(u64::MAX);
    client::follow(&args.asked, &format!("/v1/watch{query}"), |bytes| {
        for event in events.take(bytes)? {
            left = left.saturating_sub(u64::from(show(&event, args.asked.json)?));
            if left == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Shows an event; says whether it was a reading.
fn show(event: &Event, json: bool) -> Result<bool, Failure> {
    let unreadable = |fault| Failure::refused(format!("an event of calibd cannot be read: {fault}"));
    match event.name.as_str() {
        "reading" if json => print(format!("{}\n", event.data).as_bytes())?,
        "reading" => print(line(&serde_json::from_str(&event.data).map_err(unreadable)?).as_bytes())?,
        "lost" => {
            let lost: Lost = serde_json::from_str(&event.data).map_err(unreadable)?;
            note(&format!("{} readings are not shown: this terminal is too slow", lost.count));
        }
        // A newer calibd may have more to say.
        _ => {}
    }
    Ok(event.name == "reading")
}

fn line(shown: &Reading) -> String {
    let said = format!("{:<12}  {:<24}  {}", shown.sensor.as_str(), reading(shown), state(shown));
    // Behind the time.
    format!("{}  {}\n", clock(shown.time), wrapped(&said, 15))
}
