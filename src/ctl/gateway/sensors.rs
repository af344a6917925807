//! `calibctl sensors` and `calibctl sensor`

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::alerts::list;
use super::client::escaped;
use super::show::{clean, measured, reading, sparkline, state, time};
use super::{Asked, client};
use crate::ctl::output::{Failure, note, print_json, print_screen, print_table, significant};
use crate::ctl::screen::Screen;
use crate::domain::drift::window::Scores;
use crate::wire::control::{Alert, Drift, Readings, Rollup, Rollups, Sensor, SensorDrift, Sensors, Upkeep};

/// Readings, or half hours, that the line of bars shows.
const BARS: usize = 48;
/// Minutes that one bar stands for, and microseconds that all of them do: a day.
const BAR_MINUTES: i64 = 30;
const DAY: i64 = BARS as i64 * BAR_MINUTES * 60_000_000;
/// Columns before a field's text.
const INDENT: usize = 14;

const LIST_EXAMPLES: &str = "examples:
  calibctl sensors
  calibctl sensors --json | jq '.sensors[] | select(.transform == null).id'";

const EXAMPLES: &str = "examples:
  calibctl sensor co-1
  calibctl sensor co-1 --json | jq .last.value";

#[derive(Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct SensorsArgs {
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct SensorArgs {
    /// The sensor.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    asked: Asked,
}

pub fn all(args: &SensorsArgs) -> Result<ExitCode, Failure> {
    let found: Sensors = client::get(&args.asked, "/v1/sensors")?;
    if args.asked.json {
        print_json(&found)?;
    } else if found.sensors.is_empty() {
        note("there are no sensors: none is configured, and none was seen");
    } else {
        let head = ["SENSOR", "READING", "STATE", "TIME", "TRANSFORM", "SOURCE"].map(str::to_owned);
        let rows: Vec<Vec<String>> =
            [head.to_vec()].into_iter().chain(found.sensors.iter().map(row)).collect();
        print_table(&rows, 0)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(sensor: &Sensor) -> Vec<String> {
    let last = sensor.last.as_ref();
    let none = || "-".to_owned();
    vec![
        sensor.id.to_string(),
        last.map_or_else(none, reading),
        last.map_or_else(none, |last| clean(&last.state)),
        last.map_or_else(none, |last| time(last.time)),
        transform(sensor).unwrap_or_else(none),
        sensor.source.as_ref().map_or_else(none, ToString::to_string),
    ]
}

fn transform(sensor: &Sensor) -> Option<String> {
    sensor.transform.as_ref().map(|transform| format!("{} {}", transform.id, transform.version))
}

pub fn one(args: &SensorArgs) -> Result<ExitCode, Failure> {
    let sensor: Sensor = client::get(&args.asked, &format!("/v1/sensors/{}", escaped(&args.id)))?;
    if args.asked.json {
        print_json(&sensor)?;
    } else {
        let past = past(&args.asked, &sensor)?;
        let id = escaped(&args.id);
        // While many references are being paired there is no answer; the rest is worth having without it.
        let drift: Option<Drift> = client::get(&args.asked, &format!("/v1/drift?sensor={id}")).ok();
        let drift = drift.as_ref().and_then(|drift| drift.sensors.first());
        let alerts = list::of(&args.asked, Some(&args.id))?.alerts;
        print_screen(&text(&sensor, &past, drift, &alerts, Screen::stdout()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a sensor showed last.
struct Past {
    /// What the values are.
    name: &'static str,
    values: Vec<f64>,
}

/// The means of each half hour of the last day; of a sensor that has fewer than two, its last readings.
fn past(asked: &Asked, sensor: &Sensor) -> Result<Past, Failure> {
    let id = escaped(sensor.id.as_str());
    if let Some(last) = &sensor.last {
        let since = last.time.saturating_add_micros(-DAY);
        let path = format!("/v1/rollups?sensor={id}&since={since}&every={BAR_MINUTES}");
        let day: Rollups = client::get(asked, &path)?;
        let alike = day.rollups.iter().filter(|rollup| rollup.unit == last.unit);
        let mean = |rollup: &Rollup| {
            let of = if last.value.is_some() { &rollup.value } else { &rollup.raw };
            of.as_ref().map(|summary| summary.mean)
        };
        let values: Vec<f64> = alike.filter_map(mean).collect();
        if values.len() > 1 {
            return Ok(Past { name: "last day", values });
        }
    }
    let path = format!("/v1/readings?sensor={id}&limit={BARS}");
    let readings: Readings = client::get(asked, &path)?;
    Ok(Past { name: "recent", values: recent(&readings) })
}

fn text(
    sensor: &Sensor,
    past: &Past,
    drift: Option<&SensorDrift>,
    alerts: &[Alert],
    screen: Screen,
) -> String {
    let mut rows = Vec::new();
    let mut row = |name, text: Option<String>| rows.extend(text.map(|text| (name, text)));
    let quantity = Some(&sensor.quantity).filter(|quantity| !quantity.is_empty());
    row("quantity", quantity.map(|quantity| clean(quantity)));
    row("unit", Some(format!("{} (raw)", clean(&sensor.unit))));
    row("kind", Some(clean(&sensor.kind)));
    row("model", sensor.model.as_deref().map(clean));
    row("serial", sensor.serial.as_deref().map(clean));
    let field = sensor.field.as_deref().map_or(String::new(), |field| format!(", field {}", clean(field)));
    row("source", sensor.source.as_ref().map(|source| format!("{source}{field}")));
    let last = sensor.last.as_ref();
    row("reading", Some(last.map_or("none yet".to_owned(), reading)));
    row(
        "raw",
        last.filter(|last| last.value.is_some())
            .and_then(|last| Some(format!("{} {}", last.raw?, clean(&sensor.unit)))),
    );
    row("state", last.map(state));
    row("time", last.map(|last| time(last.time)));
    let bars = sparkline(newest(&past.values, screen), screen.is_plain());
    row(past.name, Some(bars).filter(|bars| !bars.is_empty()));
    row("transform", Some(in_force(sensor)));
    row("rollout", rollout(sensor));
    row("drift", drift.map(agreement));
    let newest = drift.and_then(|drift| drift.newest);
    row("reference", newest.map(|newest| format!("the last one at {}", time(newest))));
    row("maintenance", sensor.maintenance.as_ref().map(upkeep));
    for alert in alerts.iter().filter(|alert| alert.cleared.is_none()) {
        row("alert", Some(format!("{}: {}", alert.cause, clean(&alert.message))));
        row("", Some(format!("{}, {}", list::stood(alert), clean(&alert.id))));
    }
    let mut out = screen.lines(&format!("{}\n", sensor.id));
    for (name, text) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {name:<11} {}", screen.wrapped(&text, INDENT));
    }
    out
}

/// As many as there is room for.
fn newest(values: &[f64], screen: Screen) -> &[f64] {
    let room = screen.columns.map_or(BARS, |columns| columns.saturating_sub(INDENT));
    &values[values.len().saturating_sub(room)..]
}

/// The last values, all calibrated or all raw.
fn recent(past: &Readings) -> Vec<f64> {
    let values: Vec<f64> = past.readings.iter().filter_map(|reading| reading.value).collect();
    if values.is_empty() { past.readings.iter().filter_map(|reading| reading.raw).collect() } else { values }
}

/// How far the sensor is from its references, with the expanded uncertainty of that.
fn agreement(drift: &SensorDrift) -> String {
    let scores = &drift.all.calibrated;
    let Scores { n, bias, within_mpe, .. } = *scores;
    let state = drift.state.as_str().replace('_', " ");
    let unit = drift.unit.as_deref().map_or(String::new(), |unit| format!(" {}", clean(unit)));
    let expanded = scores.expanded();
    let mut parts = vec![state];
    parts.extend(bias.map(|bias| {
        let k = scores.coverage_factor().filter(|_| expanded.is_some());
        let k = k.map_or_else(String::new, |k| format!(" (k = {k:.2})"));
        format!("bias {}{unit}{k}", measured(bias, expanded))
    }));
    parts.extend(drift.mpe.map(|mpe| format!("permitted {}{unit}", significant(mpe, 6))));
    parts.extend(within_mpe.map(|share| format!("{:.1} % of the pairs within that", 100.0 * share)));
    let [from, to] = drift.all.window.map(time);
    parts.push(format!("{n} pairs from {from} to {to}"));
    parts.join(", ")
}

fn upkeep(upkeep: &Upkeep) -> String {
    let reason = upkeep.reason.as_deref().map_or(String::new(), |reason| format!(": {}", clean(reason)));
    let (since, until) = (time(upkeep.since), time(upkeep.until));
    format!("since {since}, until {until}, by {}{reason}", clean(&upkeep.actor))
}

/// What goes on there, or how the last transform ended that did not stay.
fn rollout(sensor: &Sensor) -> Option<String> {
    let rollout = sensor.rollout.as_ref()?;
    Some(clean(rollout.message.as_deref()?))
}

fn in_force(sensor: &Sensor) -> String {
    let Some(transform) = &sensor.transform else { return "none: readings go out raw".to_owned() };
    let (since, expires) = (time(transform.since), time(transform.expires));
    let digest: String = transform.digest.to_string().chars().take(12).collect();
    format!("{} {} ({digest}), since {since}, expires {expires}", transform.id, transform.version)
}
