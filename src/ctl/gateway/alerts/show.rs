//! All that is known of an alert.

use std::fmt::Write as _;

use super::list::{marks, stood};
use crate::ctl::gateway::show::{clean, time};
use crate::ctl::output::significant;
use crate::ctl::screen::Screen;
use crate::domain::alert::Snapshot;
use crate::wire::control::Alert;

/// Columns before a field's text.
const INDENT: usize = 14;

pub fn text(alert: &Alert, screen: Screen) -> String {
    let mut rows = vec![
        ("cause", alert.cause.to_string()),
        ("stood", stood(alert)),
        ("what", alert.message.clone()),
        ("remedy", alert.remedy.clone()),
        ("sensors", sensors(alert)),
    ];
    rows.extend(marks(alert).into_iter().map(|mark| ("", mark)));
    if let Some(snapshot) = &alert.snapshot {
        rows.push(("transform", transform(snapshot)));
        rows.extend(snapshot.window.map(|[from, to]| ("window", format!("{} to {}", time(from), time(to)))));
    }
    let mut out = screen.lines(&format!("{}\n", clean(&alert.id)));
    for (name, text) in rows.iter().filter(|(_, text)| !text.is_empty()) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {name:<11} {}", screen.wrapped(&clean(text), INDENT));
    }
    let Some(snapshot) = &alert.snapshot else { return out };
    out + &statistics(snapshot, screen) + &pairs(snapshot, screen)
}

fn sensors(alert: &Alert) -> String {
    let names = alert.sensors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match alert.count.saturating_sub(alert.sensors.len()) {
        0 => names,
        rest => format!("{names}, {rest} more"),
    }
}

fn transform(snapshot: &Snapshot) -> String {
    let Some(active) = &snapshot.transform else { return "none: raw values".to_owned() };
    let digest: String = active.digest.to_string().chars().take(12).collect();
    format!("{} {} ({digest})", active.id, active.version)
}

fn statistics(snapshot: &Snapshot, screen: Screen) -> String {
    let row = |(name, value): (&String, &f64)| vec![clean(name), significant(*value, 6)];
    let rows: Vec<_> = snapshot.statistics.iter().map(row).collect();
    titled("statistics", &rows, 1, screen)
}

fn pairs(snapshot: &Snapshot, screen: Screen) -> String {
    let head = ["TIME", "VALUE", "REFERENCE", "DIFFERENCE"].map(str::to_owned).to_vec();
    let rows = snapshot.pairs.iter().map(|pair| {
        let numbers = [pair.value, pair.reference, pair.value - pair.reference];
        [time(pair.time)].into_iter().chain(numbers.map(|number| significant(number, 6))).collect()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    titled("last pairs", &[vec![head], rows].concat(), 3, screen)
}

/// A table under its title; nothing where there are no rows.
fn titled(title: &str, rows: &[Vec<String>], right: usize, screen: Screen) -> String {
    if rows.is_empty() {
        return String::new();
    }
    format!("  {title}\n{}", screen.table(rows, right, 4).concat())
}
