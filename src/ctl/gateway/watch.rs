//! `calibctl watch`

use std::process::ExitCode;

use clap::Args;

use super::client::escaped;
use super::show::{reading, state};
use super::{Asked, client};
use crate::ctl::output::{Failure, note, print};
use crate::wire::control::{Lost, Reading};

const EXAMPLES: &str = "examples:
  calibctl watch
  calibctl watch co-1 co-2 --json | jq .value

Readings are shown as they are made, before they are in the history. Ends with Ctrl-C.";

/// A line of the stream is not longer than this.
const LONGEST: usize = 1 << 20;

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
    let time = shown.time.to_string();
    let clock = time.get(11..23).unwrap_or(&time);
    format!("{clock}Z  {:<12}  {:<24}  {}\n", shown.sensor.as_str(), reading(shown), state(shown))
}

/// A server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    name: String,
    data: String,
}

/// Puts events together from the pieces in which they come.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
    event: Event,
}

impl Events {
    /// The events that are complete with these bytes.
    fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Failure> {
        let mut done = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.len() > LONGEST {
                return Err(Failure::refused("an event of calibd is too long"));
            }
            if self.line.pop_if(|byte| *byte == b'\n').is_some() {
                let line = String::from_utf8_lossy(&self.line).into_owned();
                self.line.clear();
                done.extend(self.end_of_line(&line));
            }
        }
        Ok(done)
    }

    fn end_of_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            return Some(std::mem::take(&mut self.event)).filter(|event| !event.data.is_empty());
        }
        // A line that begins with a colon is a comment.
        let (field, value) = line.split_once(':')?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => value.clone_into(&mut self.event.data),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn events_are_the_same_however_they_are_cut(cuts in proptest::collection::vec(1usize..9, 1..40)) {
            let stream = b": alive\n\nid: 1\nevent: reading\ndata: {\"a\":1}\n\nevent: lost\ndata: {\"count\":2}\n\n";
            let mut events = Events::default();
            let mut found = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(*cut));
                found.extend(events.take(piece).unwrap());
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let event = |name: &str, data: &str| Event { name: name.into(), data: data.into() };
            proptest::prop_assert_eq!(found, [event("reading", r#"{"a":1}"#), event("lost", r#"{"count":2}"#)]);
        }
    }
}
