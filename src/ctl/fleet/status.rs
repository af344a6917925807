//! `calibctl fleet status`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::book::{Book, Gateway, Ignored, Kept, Sensor};
use super::reach::Reach;
use super::said::{Answer, Gate, Held, Scores};
use super::topic::{About, Up};
use super::{ignored, or_dash, table};
use crate::ctl::gateway::block_on;
use crate::ctl::output::{Failure, print_json, print_lines, print_table, significant};
use crate::domain::digest::Digest;
use crate::domain::id::Id;

const EXAMPLES: &str = "examples:
  calibctl fleet status co --root root.json --broker mqtts://broker.example:8884 --fleet plant-7 \\
      --ca gateways-ca.pem --cert reader.pem --key reader.key
  calibctl fleet status co --broker mqtt://127.0.0.1 --fleet plant-7 --json | jq .groups

Bias and RMSE are those of the sensors' calibrated values over their windows: the mean of the biases, and the root of the mean squared error over all pairs.
Exit code 1: the broker keeps no transform of that id, and no gateway reports one.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    /// The transform's id.
    #[arg(value_name = "ID")]
    id: Id,
    #[command(flatten)]
    reach: Reach,
}

/// An artifact that the broker keeps.
#[derive(Debug, Serialize)]
struct Desired<'a> {
    topic: String,
    /// The version of a transform, the serial of an order.
    number: u64,
    action: Option<&'a super::said::Text>,
    digest: Digest,
    /// The transform that an order is about.
    on: Option<Digest>,
    verified: bool,
}

/// A sensor that has the transform.
#[derive(Debug, Serialize)]
struct Row<'a> {
    gateway: &'a Id,
    sensor: &'a Id,
    online: bool,
    verified: bool,
    stage: &'a str,
    held: &'a Held,
    scores: Option<Scores>,
    alerts: usize,
}

/// Sensors that have the same version at the same stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    version: u64,
    digest: Digest,
    stage: String,
    sensors: usize,
    /// Of these, reported with the enrolled key's signature.
    verified: usize,
    /// Mean of the biases.
    bias: Option<f64>,
    /// Over all pairs.
    rmse: Option<f64>,
    /// Pairs.
    pairs: u64,
    /// Alerts that stand at these sensors.
    alerts: usize,
}

/// A gateway that has refused it.
#[derive(Debug, Serialize)]
struct Refusal<'a> {
    gateway: &'a Id,
    sensor: &'a Id,
    verified: bool,
    #[serde(flatten)]
    answer: &'a Answer,
}

#[derive(Serialize)]
struct Report<'a> {
    id: &'a Id,
    desired: Vec<Desired<'a>>,
    groups: Vec<Group>,
    sensors: Vec<Row<'a>>,
    refused: Vec<Refusal<'a>>,
    ignored: Vec<&'a Ignored>,
}

pub fn run(args: &StatusArgs) -> Result<ExitCode, Failure> {
    let id = &args.id;
    block_on(async {
        let mut session = args.reach.open(Some(id.clone())).await?;
        for kind in ["transform", "order"] {
            let below = ["down/all", "down/group/+", "down/gw/+"].map(|it| format!("{it}/{kind}/{id}"));
            session.fetch(&below.each_ref().map(String::as_str)).await?;
        }
        session.gateways(&[Up::Reported, Up::Metrics, Up::Alert]).await?;
        let sensors = rows(&session.book, id);
        let report = Report {
            id,
            desired: session.book.desired.iter().map(desired).collect(),
            groups: groups(&sensors),
            refused: refusals(&session.book),
            sensors,
            ignored: ignored(&session),
        };
        let found = !report.desired.is_empty() || !report.sensors.is_empty();
        if args.reach.json {
            print_json(&report)?;
        } else {
            show(&report)?;
            session.notes();
        }
        session.link.leave().await;
        Ok(ExitCode::from(u8::from(!found)))
    })
}

fn desired<'a>((about, kept): (&About, &'a Kept)) -> Desired<'a> {
    let Kept { digest, number, action, on, verified, .. } = kept;
    let (digest, number, verified) = (*digest, *number, *verified);
    let on = on.filter(|_| matches!(about, About::Order(..)));
    Desired { topic: about.path(), number, action: action.as_ref(), digest, on, verified }
}

fn rows<'a>(book: &'a Book, wanted: &Id) -> Vec<Row<'a>> {
    let mut found = Vec::new();
    for (gateway, state) in &book.gateways {
        for (sensor, said) in state.reported() {
            let held = [(&said.active, "active"), (&said.candidate, "candidate")];
            for (held, stage) in held.into_iter().filter_map(|(held, stage)| Some((held.as_ref()?, stage))) {
                if held.id == *wanted {
                    found.push(row(gateway, state, sensor, said, held, stage));
                }
            }
        }
    }
    found
}

fn row<'a>(
    gateway: &'a Id,
    state: &'a Gateway,
    sensor: &'a Id,
    said: &'a Sensor,
    held: &'a Held,
    usual: &'static str,
) -> Row<'a> {
    let stage = held.stage.as_ref().map_or(usual, super::said::Text::as_str);
    let alerts = state.standing().filter(|alert| alert.sensors.contains(sensor)).count();
    // Scores are of what is in force.
    let scores = said.scores.filter(|_| usual == "active");
    Row { gateway, sensor, online: state.is_online(), verified: said.verified, stage, held, scores, alerts }
}

/// The sensors by version and stage: a canary beside the rest.
fn groups(rows: &[Row<'_>]) -> Vec<Group> {
    let mut found: BTreeMap<(u64, Digest, &str), Vec<&Row<'_>>> = BTreeMap::new();
    for row in rows {
        found.entry((row.held.version, row.held.digest, row.stage)).or_default().push(row);
    }
    let group = |((version, digest, stage), rows): ((u64, Digest, &str), Vec<&Row<'_>>)| {
        let scores = || rows.iter().filter_map(|row| row.scores);
        let biases: Vec<f64> = scores().filter_map(|scores| scores.bias).collect();
        let squares = || scores().filter_map(|it| Some((it.n as f64, it.rmse?)));
        let pairs: f64 = squares().map(|(n, _)| n).sum();
        let sum: f64 = squares().map(|(n, rmse)| n * rmse * rmse).sum();
        Group {
            version,
            digest,
            stage: stage.to_owned(),
            sensors: rows.len(),
            verified: rows.iter().filter(|row| row.verified).count(),
            bias: (!biases.is_empty()).then(|| biases.iter().sum::<f64>() / biases.len() as f64),
            rmse: (pairs > 0.0).then(|| (sum / pairs).sqrt()),
            pairs: scores().map(|scores| scores.n).fold(0, u64::saturating_add),
            alerts: rows.iter().map(|row| row.alerts).sum(),
        }
    };
    found.into_iter().rev().map(group).collect()
}

fn refusals(book: &Book) -> Vec<Refusal<'_>> {
    let mut found = Vec::new();
    for (gateway, state) in &book.gateways {
        for (sensor, said) in state.reported() {
            if let Some(answer) = said.answer.as_deref().filter(|answer| answer.reason.is_some()) {
                found.push(Refusal { gateway, sensor, verified: said.verified, answer });
            }
        }
    }
    found
}

fn show(report: &Report<'_>) -> Result<(), Failure> {
    let mut text = String::new();
    for it in &report.desired {
        let what = it.action.map_or_else(|| "version".to_owned(), |action| format!("{action}, serial"));
        let verified = if it.verified { "" } else { " (unverified)" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: {what} {}, {}{verified}", it.topic, it.number, short(&it.digest));
    }
    if report.desired.is_empty() {
        let _ = writeln!(text, "the broker keeps no transform {}", report.id);
    }
    print_lines(&text)?;
    let head = ["VERSION", "DIGEST", "STAGE", "SENSORS", "SIGNED", "BIAS", "RMSE", "PAIRS", "ALERTS"];
    if !report.groups.is_empty() {
        print_table(&table(head, report.groups.iter().map(group_cells)), 0)?;
        let head =
            ["GATEWAY", "SENSOR", "VERSION", "STAGE", "SIGNED", "BIAS", "RMSE", "GATE", "ALERTS", "ONLINE"];
        print_lines("\n")?;
        print_table(&table(head, report.sensors.iter().map(cells)), 0)?;
    }
    for Refusal { gateway, sensor, answer, verified } in &report.refused {
        let verified = if *verified { "" } else { " (unverified)" };
        let reason = or_dash(answer.reason.as_ref());
        let version = or_dash(answer.version);
        print_lines(&format!(
            "{gateway} {sensor}: refused version {version}{verified}: {reason}: {}\n",
            answer.message
        ))?;
    }
    Ok(())
}

fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(12).collect()
}

fn number(value: Option<f64>) -> String {
    or_dash(value.map(|value| significant(value, 4)))
}

fn group_cells(group: &Group) -> [String; 9] {
    [
        group.version.to_string(),
        short(&group.digest),
        group.stage.clone(),
        group.sensors.to_string(),
        format!("{} of {}", group.verified, group.sensors),
        number(group.bias),
        number(group.rmse),
        group.pairs.to_string(),
        group.alerts.to_string(),
    ]
}

/// What was seen of a transform on trial, beside the one before it.
fn gate(gate: &Gate) -> String {
    let beside = gate.rmse_beside.map(|beside| format!(" (before: {})", significant(beside, 4)));
    format!("{} pairs, RMSE {}{}", gate.pairs, number(gate.rmse), beside.unwrap_or_default())
}

fn cells(row: &Row<'_>) -> [String; 10] {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    [
        row.gateway.to_string(),
        row.sensor.to_string(),
        row.held.version.to_string(),
        row.stage.to_owned(),
        yes(row.verified),
        number(row.scores.and_then(|scores| scores.bias)),
        number(row.scores.and_then(|scores| scores.rmse)),
        or_dash(row.held.gate.as_ref().map(gate)),
        row.alerts.to_string(),
        yes(row.online),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::fleet::said::Text;

    #[test]
    fn a_canary_stands_beside_the_rest() {
        let id = |text| Id::new(text).unwrap();
        let (gateway, sensor) = (id("g"), id("s"));
        let held = |version| Held {
            id: id("co"),
            version,
            digest: Digest::of(&[&[version as u8]]),
            stage: (version == 8).then(|| Text::new("canary")),
            since: None,
            bake_until: None,
            gate: None,
        };
        let (old, new) = (held(7), held(8));
        let row = |held, stage, n, bias, rmse| Row {
            gateway: &gateway,
            sensor: &sensor,
            online: true,
            verified: true,
            stage,
            held,
            scores: Some(Scores { n, bias: Some(bias), rmse: Some(rmse) }),
            alerts: 1,
        };
        let rows = [
            row(&old, "active", 10, 1.0, 3.0),
            row(&old, "active", 30, 3.0, 1.0),
            row(&new, "canary", 5, 0.5, 0.7),
        ];
        let found = groups(&rows);
        let shown: Vec<_> =
            found.iter().map(|it| (it.version, it.stage.as_str(), it.sensors, it.alerts)).collect();
        assert_eq!(shown, [(8, "canary", 1, 1), (7, "active", 2, 2)]);
        // sqrt((10 * 9 + 30 * 1) / 40)
        assert_eq!((found[1].bias, found[1].rmse, found[1].pairs), (Some(2.0), Some(3.0_f64.sqrt()), 40));
    }
}
