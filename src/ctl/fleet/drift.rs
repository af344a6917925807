//! `calibctl fleet drift`

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::book::Ignored;
use super::reach::Reach;
use super::said::{Drift, Scores};
use super::topic::Up;
use super::{ignored, or_dash, table};
use crate::ctl::gateway::block_on;
use crate::ctl::output::{Failure, note, print_json, print_table, significant};
use crate::domain::drift::state::DriftState;
use crate::domain::id::Id;
use crate::domain::order::sort_by;

const EXAMPLES: &str = "examples:
  calibctl fleet drift --root root.json --broker mqtts://broker.example:8884 --fleet plant-7 --ca gateways-ca.pem \\
      --cert reader.pem --key reader.key
  calibctl fleet drift --bad --broker mqtt://127.0.0.1 --fleet plant-7

Sensors that are out of tolerance come first, then those that drift. DAYS: until the bias is beyond the maximum permissible
error, with 5, 50 and 95 %. Exit code 1 with --bad: there is one.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DriftArgs {
    /// Only sensors that drift or are out of tolerance.
    #[arg(long)]
    bad: bool,
    #[command(flatten)]
    reach: Reach,
}

/// A sensor, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    gateway: &'a Id,
    sensor: &'a Id,
    verified: bool,
    #[serde(flatten)]
    drift: &'a Drift,
    scores: Option<Scores>,
}

#[derive(Serialize)]
struct Report<'a> {
    sensors: Vec<Row<'a>>,
    ignored: Vec<&'a Ignored>,
}

pub fn run(args: &DriftArgs) -> Result<ExitCode, Failure> {
    block_on(async {
        let mut session = args.reach.open(None).await?;
        session.gateways(&[Up::Reported, Up::Metrics]).await?;
        let mut rows = Vec::new();
        for (gateway, state) in &session.book.gateways {
            for (sensor, said) in state.reported() {
                let Some(drift) = &said.drift else { continue };
                if !args.bad || rank(drift.state) < 2 {
                    let (verified, scores) = (said.verified, said.scores);
                    rows.push(Row { gateway, sensor, verified, drift, scores });
                }
            }
        }
        sort_by(&mut rows, |one, other| rank(one.drift.state).cmp(&rank(other.drift.state)));
        let found = !rows.is_empty();
        if args.reach.json {
            print_json(&Report { sensors: rows, ignored: ignored(&session) })?;
        } else {
            if found {
                let head =
                    ["GATEWAY", "SENSOR", "STATE", "BIAS", "U", "MPE", "RMSE", "PAIRS", "DAYS", "SIGNED"];
                print_table(&table(head, rows.iter().map(cells)), 0)?;
            } else {
                note(if args.bad { "no sensor drifts" } else { "no sensor has met a reference" });
            }
            session.notes();
        }
        session.link.leave().await;
        Ok(ExitCode::from(u8::from(args.bad && found)))
    })
}

/// The worst first.
fn rank(state: DriftState) -> u8 {
    match state {
        DriftState::OutOfTolerance => 0,
        DriftState::Drifting => 1,
        DriftState::Ok => 2,
        DriftState::Unknown => 3,
    }
}

fn cells(row: &Row<'_>) -> [String; 10] {
    let number = |value: Option<f64>| or_dash(value.map(|value| significant(value, 4)));
    let state = row.drift.state.as_str().replace('_', " ");
    let day = |day: Option<f64>| day.map_or_else(|| "later".to_owned(), |day| format!("{day:.0}"));
    let days = row.drift.days_to_mpe.map(|days| days.map(day).join(" / "));
    [
        row.gateway.to_string(),
        row.sensor.to_string(),
        state,
        number(row.drift.bias),
        number(row.drift.u_bias),
        number(row.drift.mpe),
        number(row.scores.and_then(|scores| scores.rmse)),
        or_dash(row.scores.map(|scores| scores.n)),
        or_dash(days),
        if row.verified { "yes" } else { "no" }.to_owned(),
    ]
}
