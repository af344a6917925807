//! `calibctl status`

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::show::{GOOD, MENTIONED, PLAIN, URGENT, clean, count, span, time};
use super::{Asked, client};
use crate::ctl::output::{Failure, aligned, print_json, print_screen, wrapped};
use crate::wire::control::{Attention, DiskStatus, Severity, SourceStatus, Status, StoreStatus};
use crate::wire::message::ClockState;

const EXAMPLES: &str = "examples:
  calibctl status
  calibctl status --json | jq '.attention[].message'";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &StatusArgs) -> Result<ExitCode, Failure> {
    let status: Status = client::get(&args.asked, "/v1/status")?;
    if args.asked.json {
        print_json(&status)?;
    } else {
        print_screen(&text(&status))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(status: &Status) -> String {
    let mut out = headline(status);
    for entry in &status.attention {
        out.push_str(&attention(entry));
    }
    let running = status.time.micros_since(status.started);
    let clock = match status.clock {
        ClockState::Synced => "synchronised",
        ClockState::Holdover => "plausible",
        ClockState::Untrusted => "not to be believed",
    };
    let root = status.root_version.map_or("none".to_owned(), |version| format!("version {version}"));
    let rows = [
        ("calibd", format!("{}, running for {}", clean(&status.version), span(running))),
        ("clock", format!("{}, {clock}", time(status.time))),
        ("broker", broker(status)),
        ("store", store(&status.store)),
        ("disk", disk(&status.store)),
        ("root", root),
        ("sensors", sensors(status)),
    ];
    // Writing to a string cannot fail.
    let _ = writeln!(out);
    for (name, text) in rows {
        let _ = writeln!(out, "{name:<8} {text}");
    }
    out + &sources(status)
}

fn headline(status: &Status) -> String {
    let (gateway, fleet) = (&status.gateway, &status.fleet);
    match status.attention.len() {
        0 => format!("{gateway} of {fleet}: {GOOD}nothing needs attention{PLAIN}\n"),
        1 => format!("{gateway} of {fleet}: 1 thing needs attention\n"),
        several => format!("{gateway} of {fleet}: {several} things need attention\n"),
    }
}

fn attention(entry: &Attention) -> String {
    let (style, mark) = match entry.severity {
        Severity::Page => (URGENT, "!!"),
        Severity::Ticket => (MENTIONED, " !"),
    };
    let message = wrapped(&clean(&entry.message), 3);
    format!("{style}{mark}{PLAIN} {message}\n   {}\n", wrapped(&clean(&entry.remedy), 3))
}

fn broker(status: &Status) -> String {
    match &status.link {
        None => "none is configured".to_owned(),
        Some(link) => {
            let state = if link.connected { "connected" } else { "not connected" };
            format!("{state}, {} readings wait", count(link.backlog))
        }
    }
}

fn store(store: &StoreStatus) -> String {
    let since = store.oldest.map_or("empty".to_owned(), |oldest| format!("from {}", time(oldest)));
    let mut text = format!("{since}, {} readings written since the start", count(store.written));
    for (number, what) in [(store.waiting, "waiting"), (store.dropped, "given up")] {
        if number > 0 {
            let _ = write!(text, ", {} {what}", count(number));
        }
    }
    text
}

fn disk(store: &StoreStatus) -> String {
    let room =
        |disk: &DiskStatus| format!("{} of {} MiB free", count(disk.free >> 20), count(disk.total >> 20));
    let room = store.disk.as_ref().map_or("unknown".to_owned(), room);
    let checked = match &store.checked {
        None => "not yet checked".to_owned(),
        Some(check) if check.result == "ok" => format!("whole at {}", time(check.time)),
        Some(check) => format!("{} at {}", clean(&check.result).replace('_', " "), time(check.time)),
    };
    format!("{room}, databases {checked}")
}

fn sensors(status: &Status) -> String {
    let calibrated = status.sensors.calibrated.map_or("unknown how many".to_owned(), count);
    let mut text = format!("{}, {calibrated} with a transform in force", count(status.sensors.known));
    if status.sensors.in_maintenance > 0 {
        let _ = write!(text, ", {} in maintenance", count(status.sensors.in_maintenance));
    }
    text
}

fn sources(status: &Status) -> String {
    let row = |source: &SourceStatus| {
        let up = if source.up { "up" } else { "down" };
        let samples = format!("{} samples", count(source.samples));
        let mut row = vec![source.name.to_string(), clean(&source.kind), up.to_owned(), samples];
        if source.reconnects > 0 {
            row.push(format!("opened again {} times", count(source.reconnects)));
        }
        row
    };
    let rows: Vec<Vec<String>> = status.sources.iter().map(row).collect();
    let line = |(at, line): (usize, &str)| format!("{:<8} {line}\n", if at == 0 { "sources" } else { "" });
    aligned(&rows, 0).lines().enumerate().map(line).collect()
}
