//! `calibctl status`

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::show::{GOOD, MENTIONED, PLAIN, URGENT, clean, count, span, time};
use super::{Asked, client};
use crate::ctl::output::{Failure, print_json, print_screen};
use crate::ctl::screen::Screen;
use crate::wire::control::{
    Attention, DiskStatus, OpenedSession, Severity, SourceStatus, Status, StoreStatus,
};
use crate::wire::message::ClockState;

const EXAMPLES: &str = "examples:
  calibctl status
  calibctl status --json | jq '.attention[].message'";

/// Lines of a terminal that is taken for no smaller than it: the last is for the prompt.
const USUAL_ROWS: usize = 24;
/// Lines that sources have however much needs attention.
const FEWEST_SOURCES: usize = 3;
/// Sessions that are shown one by one.
const MOST_SESSIONS: usize = 3;
/// Columns before what is said of a name.
const INDENT: usize = 9;

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
        print_screen(&text(&status, Screen::stdout()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What needs attention, then facts, then sources; of the first and the last only as many as fit into the
/// terminal beside the facts.
fn text(status: &Status, screen: Screen) -> String {
    let (head, facts) = (headline(status, screen), facts(status, screen));
    let sources = sources(status, screen);
    let room = screen.rows.map_or(usize::MAX, |rows| rows.max(USUAL_ROWS) - 1);
    let room = room.saturating_sub(lines(&head) + lines(&facts));
    let kept = sources.iter().map(|it| lines(it)).sum::<usize>().min(FEWEST_SOURCES);
    let things: Vec<String> = status.attention.iter().map(|it| attention(it, screen)).collect();
    let things = fitted(&things, room.saturating_sub(kept), |shown| {
        let left = status.attention.len() - shown;
        screen.lines(&format!("   ... and {left} more: `calibctl status --json` has all\n"))
    });
    let sources = fitted(&sources, room.saturating_sub(lines(&things)), |shown| {
        let left: Vec<_> = ordered(status).skip(shown).collect();
        let down = left.iter().filter(|source| !source.up).count();
        let how = if down == 0 { "all up".to_owned() } else { format!("{down} of them down") };
        let text = format!("... and {} more, {how}", left.len());
        format!("{:INDENT$}{}\n", "", screen.wrapped(&text, INDENT))
    });
    head + &things + &facts + &sources
}

fn lines(text: &str) -> usize {
    text.matches('\n').count()
}

/// As many entries as fit into so many lines, one at least, and `rest` if that is not all of them.
fn fitted(entries: &[String], room: usize, rest: impl Fn(usize) -> String) -> String {
    if entries.iter().map(|it| lines(it)).sum::<usize>() <= room {
        return entries.concat();
    }
    let (mut shown, mut used) = (0, 0);
    for entry in entries {
        used += lines(entry);
        if shown > 0 && used + lines(&rest(shown + 1)) > room {
            break;
        }
        shown += 1;
    }
    let rest = if shown < entries.len() { rest(shown) } else { String::new() };
    entries[..shown].concat() + &rest
}

fn facts(status: &Status, screen: Screen) -> String {
    let running = status.time.micros_since(status.started);
    let clock = match status.clock {
        ClockState::Synced => "synchronised",
        ClockState::Holdover => "plausible",
        ClockState::Untrusted => "not to be believed",
    };
    let root = status.root_version.map_or("none".to_owned(), |version| format!("version {version}"));
    let mut rows = vec![
        ("calibd", format!("{}, running for {}", clean(&status.version), span(running))),
        ("clock", format!("{}, {clock}", time(status.time))),
        ("broker", broker(status)),
        ("store", store(&status.store)),
        ("disk", disk(&status.store)),
        ("root", root),
        ("sensors", sensors(status)),
    ];
    rows.extend(sessions(status).map(|text| ("sessions", text)));
    let row = |(name, text): &(&str, String)| format!("{name:<8} {}\n", screen.wrapped(text, INDENT));
    format!("\n{}", rows.iter().map(row).collect::<String>())
}

fn headline(status: &Status, screen: Screen) -> String {
    let style = if status.attention.is_empty() { GOOD } else { PLAIN };
    let needs = match status.attention.len() {
        0 => "nothing needs attention".to_owned(),
        1 => "1 thing needs attention".to_owned(),
        several => format!("{several} things need attention"),
    };
    let text = screen.wrapped(&format!("{} of {}: {needs}", status.gateway, status.fleet), 0);
    format!("{style}{text}{PLAIN}\n")
}

fn attention(entry: &Attention, screen: Screen) -> String {
    let (style, mark) = match entry.severity {
        Severity::Page => (URGENT, "!!"),
        Severity::Ticket => (MENTIONED, " !"),
    };
    let text = |text: &str| screen.wrapped(&clean(text), 3);
    format!("{style}{mark}{PLAIN} {}\n   {}\n", text(&entry.message), text(&entry.remedy))
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
    match status.sensors.alerts {
        None | Some(0) => {}
        Some(1) => text.push_str(", 1 alert stands"),
        Some(several) => {
            let _ = write!(text, ", {} alerts stand", count(several));
        }
    }
    text
}

/// The recalibration sessions that are not over: somebody left those that nobody works on.
fn sessions(status: &Status) -> Option<String> {
    let open = status.sessions.as_deref().filter(|open| !open.is_empty())?;
    let told = |it: &OpenedSession| {
        let paused = if it.paused { ", paused" } else { "" };
        let stage = it.stage.as_str().replace('_', " ");
        format!("{} {stage}{paused}, {} since {}", it.sensor, clean(&it.by), time(it.opened))
    };
    let mut text = open.iter().take(MOST_SESSIONS).map(told).collect::<Vec<_>>().join("; ");
    let left = open.len().saturating_sub(MOST_SESSIONS);
    if left > 0 {
        let _ = write!(text, "; and {left} more");
    }
    Some(text)
}

/// Those that are down come first.
fn ordered(status: &Status) -> impl Iterator<Item = &SourceStatus> {
    let these = |up: bool| status.sources.iter().filter(move |source| source.up == up);
    these(false).chain(these(true))
}

fn sources(status: &Status, screen: Screen) -> Vec<String> {
    let row = |source: &SourceStatus| {
        let up = if source.up { "up" } else { "down" };
        let samples = format!("{} samples", count(source.samples));
        let mut row = vec![source.name.to_string(), clean(&source.kind), up.to_owned(), samples];
        if source.reconnects > 0 {
            row.push(format!("opened again {} times", count(source.reconnects)));
        }
        row
    };
    let rows: Vec<Vec<String>> = ordered(status).map(row).collect();
    let mut entries = screen.table(&rows, 0, INDENT);
    if let Some(first) = entries.first_mut() {
        *first = format!("{:<INDENT$}{}", "sources", first.trim_start());
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::session::Stage;

    fn recorded() -> Status {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/control/answers/GET_v1_status.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    /// The recorded status with so many sources, every tenth of them down, and so many things to look at.
    fn busy(sources: usize, things: usize) -> Status {
        let mut status = recorded();
        let source = status.sources[0].clone();
        let named = |at: usize| SourceStatus {
            name: format!("line{at}").parse().unwrap(),
            up: at % 10 != 9,
            ..source.clone()
        };
        status.sources = (0..sources).map(named).collect();
        let urgent = status.attention[0].clone();
        let long = "co-1 lost a covariate: no reading of temp-1 in the last 10 minutes, and what is published is suspect";
        let thing = |at: usize| Attention {
            message: format!("{at} {long}"),
            severity: Severity::Ticket,
            ..urgent.clone()
        };
        status.attention = [urgent.clone()].into_iter().chain((1..things).map(thing)).collect();
        status
    }

    fn plain(text: &str) -> String {
        [URGENT, MENTIONED, GOOD, PLAIN].iter().fold(text.to_owned(), |text, style| text.replace(style, ""))
    }

    #[test]
    fn a_busy_gateway_fits_one_screen() {
        let screen = Screen { columns: Some(80), rows: Some(24) };
        let text = plain(&text(&busy(30, 10), screen));
        assert!(text.lines().count() < 24 && text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.starts_with("gw-1 of plant-7: 10 things need attention\n!! readings cannot"), "{text}");
        let order = [
            "... and 7 more: `calibctl status --json` has all",
            "\nsources  line9",
            "... and 27 more, all up",
        ];
        assert!(order.map(|part| text.find(part).unwrap_or_else(|| panic!("no {part}: {text}"))).is_sorted());
    }

    #[test]
    fn what_fits_is_shown_whole() {
        let all = |status: &Status, rows| plain(&text(status, Screen { columns: Some(80), rows }));
        let busy = busy(30, 10);
        assert!(!all(&busy, None).contains("..."));
        assert_eq!(all(&busy, Some(200)), all(&busy, None));
        assert_eq!(all(&recorded(), Some(24)), all(&recorded(), None));
        let narrow = Screen { columns: Some(40), rows: Some(24) };
        assert!(plain(&text(&busy, narrow)).contains("... and 29 more, 2 of them down"));
        // A terminal with hardly any lines is scrolled.
        assert_eq!(all(&busy, Some(5)), all(&busy, Some(24)));
    }

    #[test]
    fn sessions_that_are_open_are_told_with_who_has_them() {
        let mut status = recorded();
        assert!(
            !plain(&text(&status, Screen { columns: None, rows: None })).contains("sessions"),
            "none are known"
        );
        let opened = status.started;
        let session = |number: usize| OpenedSession {
            id: format!("s-{number}").parse().unwrap(),
            sensor: format!("co-{number}").parse().unwrap(),
            stage: Stage::AsLeft,
            paused: number == 1,
            by: "ana".to_owned(),
            opened,
        };
        status.sessions = Some((1..=5).map(session).collect());
        let text = plain(&text(&status, Screen { columns: None, rows: None }));
        assert!(
            text.contains("sessions co-1 as left, paused, ana since 2026-11-20 08:00:00Z; co-2 as left"),
            "{text}"
        );
        assert!(text.contains("; and 2 more\n") && !text.contains("co-4"), "{text}");
        status.sessions = Some(Vec::new());
        assert!(!plain(&super::text(&status, Screen { columns: None, rows: None })).contains("sessions"));
    }

    #[test]
    fn the_rest_is_told_of_only_where_there_is_one() {
        let entries = ["a\n", "b\nb\n", "c\n"].map(str::to_owned);
        let shown = |room| fitted(&entries, room, |shown| format!("{} more\n", 3 - shown));
        assert_eq!(shown(4), "a\nb\nb\nc\n");
        assert_eq!(shown(3), "a\n2 more\n");
        assert_eq!(shown(0), "a\n2 more\n");
        assert_eq!(fitted(&[], 0, |_| unreachable!()), "");
    }
}
