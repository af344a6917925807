//! The alerts, one below the other.

use clap::Args;

use super::verdict_of;
use crate::ctl::gateway::Asked;
use crate::ctl::gateway::client::{escaped, get};
use crate::ctl::gateway::show::{MENTIONED, PLAIN, URGENT, clean, time};
use crate::ctl::output::{Failure, note, print_json, print_lines, print_screen};
use crate::ctl::screen::Screen;
use crate::wire::control::{Alert, Alerts, Severity};

/// Columns before what is said of an alert.
const INDENT: usize = 3;
/// Digits of an identifier that are shown, unless more are needed to tell it from the others.
const DIGITS: usize = 8;
/// Sensors that are named.
const NAMED: usize = 4;
/// Alerts of a page of the history.
const PAGE: usize = 1000;

#[derive(Args)]
pub struct ListArgs {
    /// Those of this sensor only.
    #[arg(long, value_name = "ID")]
    sensor: Option<String>,
    /// Those that are over, from the newest.
    #[arg(long)]
    history: bool,
    /// Of the history at most so many; absent: all.
    #[arg(long, value_name = "N", requires = "history")]
    limit: Option<usize>,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &ListArgs) -> Result<(), Failure> {
    let found = if args.history { past(args)? } else { of(&args.asked, args.sensor.as_deref())? };
    if args.asked.json {
        return print_json(&found);
    }
    if found.alerts.is_empty() {
        note(match args.history {
            true => "no alert is over yet",
            false => "no alerts: none stands, and none waits to be acknowledged",
        });
    } else {
        print_screen(&text(&found.alerts, Screen::stdout()))?;
    }
    // They are about all sensors.
    if args.sensor.is_none() { print_lines(&served(&found)) } else { Ok(()) }
}

/// The alerts that stand or wait to be acknowledged, of all sensors or of one.
pub fn of(asked: &Asked, sensor: Option<&str>) -> Result<Alerts, Failure> {
    let query = sensor.map_or(String::new(), |sensor| format!("?sensor={}", escaped(sensor)));
    get(asked, &format!("/v1/alerts{query}"))
}

fn past(args: &ListArgs) -> Result<Alerts, Failure> {
    let wanted = args.limit.unwrap_or(usize::MAX);
    let sensor = args.sensor.as_deref().map_or(String::new(), |id| format!("&sensor={}", escaped(id)));
    let page = |before: Option<u64>, left: usize| -> Result<Alerts, Failure> {
        let before = before.map_or(String::new(), |before| format!("before={before}&"));
        get(&args.asked, &format!("/v1/alerts?{before}history=true&limit={}{sensor}", left.clamp(1, PAGE)))
    };
    let mut found = page(None, wanted)?;
    while let Some(before) = found.before.filter(|_| found.alerts.len() < wanted) {
        let mut next = page(Some(before), wanted - found.alerts.len())?;
        found.alerts.append(&mut next.alerts);
        found.before = next.before;
    }
    Ok(found)
}

fn text(alerts: &[Alert], screen: Screen) -> String {
    let digits = digits(alerts);
    alerts.iter().map(|alert| entry(alert, digits, screen)).collect()
}

/// An alert in a few lines.
fn entry(alert: &Alert, digits: usize, screen: Screen) -> String {
    let (style, mark) = mark(alert);
    let id = alert.id.get(..digits).unwrap_or(&alert.id);
    let mut lines = vec![format!("{id}  {}, {}", alert.cause, stood(alert)), alert.message.clone()];
    lines.extend(Some(alert.remedy.clone()).filter(|remedy| !remedy.is_empty()));
    lines.extend(folded(alert));
    lines.extend(marks(alert));
    let margin = " ".repeat(INDENT);
    let lines: Vec<String> = lines.iter().map(|line| screen.wrapped(&clean(line), INDENT)).collect();
    format!("{style}{mark}{PLAIN} {}\n", lines.join(&format!("\n{margin}")))
}

/// How urgent it is; nothing is once it is over.
fn mark(alert: &Alert) -> (&'static str, &'static str) {
    match (alert.cleared, alert.severity) {
        (Some(_), _) => (PLAIN, " -"),
        (None, Severity::Page) => (URGENT, "!!"),
        (None, Severity::Ticket) => (MENTIONED, " !"),
    }
}

/// Since when it stands, or when it stood.
pub fn stood(alert: &Alert) -> String {
    let kind = alert.severity.as_str();
    match alert.cleared {
        None => format!("{kind} since {}", time(alert.raised)),
        Some(cleared) => format!("{kind} from {} to {}", time(alert.raised), time(cleared)),
    }
}

/// The sensors of an alert about several.
fn folded(alert: &Alert) -> Option<String> {
    if !alert.cause.subject.is_of_several() {
        return None;
    }
    let mut names: Vec<String> = alert.sensors.iter().take(NAMED).map(ToString::to_string).collect();
    let rest = alert.count.saturating_sub(names.len());
    names.extend((rest > 0).then(|| format!("{rest} more")));
    Some(format!("{} sensors: {}", alert.count, names.join(", ")))
}

/// What people said to it, and what became of it.
pub fn marks(alert: &Alert) -> Vec<String> {
    let mut marks = Vec::new();
    if let Some(at) = alert.acknowledged {
        let by = alert.acknowledged_by.as_deref().map_or(String::new(), |by| format!(" by {by}"));
        let verdict = alert.verdict.map_or("", verdict_of);
        marks.push(format!("acknowledged{verdict}{by} at {}", time(at)));
    } else if alert.cleared.is_some() && alert.merged_into.is_none() {
        marks.push("not acknowledged".to_owned());
    }
    if let Some(silence) = &alert.silence {
        marks.push(format!("silent until {} by {}: {}", time(silence.until), silence.by, silence.reason));
    }
    if let Some(at) = alert.answered {
        marks.push(format!("a new transform came into force at {}", time(at)));
    }
    if let Some(other) = &alert.merged_into {
        marks.push(format!("goes on in {other}"));
    }
    marks
}

/// As many digits as tell each identifier from the others.
fn digits(alerts: &[Alert]) -> usize {
    let longest = alerts.iter().map(|alert| alert.id.len()).max().unwrap_or(DIGITS);
    let differ = |digits: &usize| {
        let mut heads: Vec<&str> =
            alerts.iter().map(|alert| alert.id.get(..*digits).unwrap_or(&alert.id)).collect();
        heads.sort_unstable();
        heads.windows(2).all(|two| two[0] != two[1])
    };
    (DIGITS..longest).find(differ).unwrap_or(longest)
}

/// How well the alerts have served; nothing before there was one.
fn served(found: &Alerts) -> String {
    let tally = &found.tally;
    let judged = tally.real + tally.false_alarms;
    let mut parts = Vec::new();
    if let Some(precision) = found.precision {
        parts.push(format!("{:.0} % of {judged} judged alerts were real", 100.0 * precision));
    }
    if tally.missed > 0 {
        parts.push(format!("{} missed", tally.missed));
    }
    if parts.is_empty() { String::new() } else { format!("\n{}\n", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> Alerts {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/control/answers/GET_v1_alerts.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    #[test]
    fn identifiers_have_as_many_digits_as_tell_them_apart() {
        let with = |ids: &[&str]| {
            let one = recorded().alerts[0].clone();
            ids.iter().map(|id| Alert { id: (*id).to_owned(), ..one.clone() }).collect::<Vec<_>>()
        };
        assert_eq!(digits(&[]), 8);
        assert_eq!(digits(&with(&["0123456789abcdef", "1123456789abcdef"])), 8);
        assert_eq!(digits(&with(&["0123456789abcdef", "012345678fabcdef"])), 10);
        // One that is there twice is shown whole.
        assert_eq!(digits(&with(&["0123456789abcdef", "0123456789abcdef"])), 16);
    }

    #[test]
    fn of_many_sensors_some_are_named() {
        let mut alert = recorded().alerts.into_iter().find(|alert| alert.count > 1).unwrap();
        alert.count = 150;
        alert.sensors = (1..=100).map(|at| format!("s-{at}").parse().unwrap()).collect();
        assert_eq!(folded(&alert).as_deref(), Some("150 sensors: s-1, s-2, s-3, s-4, 146 more"));
    }
}
