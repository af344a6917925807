//! `calibctl fleet list`

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::book::{Gateway, Ignored};
use super::reach::Reach;
use super::said::Text;
use super::topic::Up;
use super::{ignored, or_dash, table};
use crate::ctl::gateway::block_on;
use crate::ctl::output::{Failure, note, print_json, print_table};
use crate::domain::alert::Severity;
use crate::domain::id::Id;

const EXAMPLES: &str = "examples:
  calibctl fleet list --root root.json --broker mqtts://broker.example:8884 --fleet plant-7 --ca gateways-ca.pem \\
      --cert reader.pem --key reader.key
  calibctl fleet list --broker mqtt://127.0.0.1 --fleet plant-7 --json | jq '.gateways[] | select(.online | not).gateway'

What a gateway says about its sensors is signed; SIGNED says of how many the signature is that of its enrolled key. That it is online, its version and its
alerts are not signed: the broker's access list says who may say so.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    #[command(flatten)]
    reach: Reach,
}

/// A gateway, as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    gateway: &'a Id,
    online: Option<bool>,
    version: Option<&'a Text>,
    clock: Option<&'a Text>,
    root_version: Option<u64>,
    /// Null: not enrolled.
    enrolled: Option<Enrolment>,
    /// Sensors of which there is a report.
    sensors: usize,
    /// Of these, those whose report the enrolled key signed.
    verified: usize,
    /// With a transform in force.
    active: usize,
    /// With a candidate.
    candidates: usize,
    /// Alerts that stand.
    pages: usize,
    tickets: usize,
}

/// Whether an enrolment is the fleet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Enrolment {
    Verified,
    Unverified,
}

#[derive(Serialize)]
struct Report<'a> {
    fleet: &'a Id,
    root_version: Option<u64>,
    gateways: Vec<Row<'a>>,
    ignored: Vec<&'a Ignored>,
}

pub fn run(args: &ListArgs) -> Result<ExitCode, Failure> {
    block_on(async {
        let mut session = args.reach.open(None).await?;
        session.gateways(&[Up::Reported, Up::Alert]).await?;
        let rows = session.book.gateways.iter().map(|(id, gateway)| row(id, gateway)).collect();
        if args.reach.json {
            print_json(&Report {
                fleet: &session.book.fleet,
                root_version: session.book.trust.root().map(|root| root.version),
                gateways: rows,
                ignored: ignored(&session),
            })?;
        } else {
            show(&rows)?;
            session.notes();
        }
        session.link.leave().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn row<'a>(id: &'a Id, gateway: &'a Gateway) -> Row<'a> {
    let status = gateway.status.as_ref();
    let of = |severity| gateway.standing().filter(|alert| alert.severity == severity).count();
    let sensors = || gateway.reported().map(|(_, sensor)| sensor);
    Row {
        gateway: id,
        online: status.map(|status| status.online),
        version: status.and_then(|status| status.version.as_ref()),
        clock: status.and_then(|status| status.clock.as_ref()),
        root_version: status.and_then(|status| status.root_version),
        enrolled: gateway
            .enrolled
            .as_ref()
            .map(|enrolled| if enrolled.verified { Enrolment::Verified } else { Enrolment::Unverified }),
        sensors: sensors().count(),
        verified: sensors().filter(|sensor| sensor.verified).count(),
        active: sensors().filter(|sensor| sensor.active.is_some()).count(),
        candidates: sensors().filter(|sensor| sensor.candidate.is_some()).count(),
        pages: of(Severity::Page),
        tickets: of(Severity::Ticket),
    }
}

fn show(rows: &Vec<Row<'_>>) -> Result<(), Failure> {
    if rows.is_empty() {
        note("no gateway has said anything: see --fleet, and what the broker lets us read");
        return Ok(());
    }
    let head = [
        "GATEWAY",
        "STATE",
        "VERSION",
        "CLOCK",
        "ROOT",
        "ENROLLED",
        "SENSORS",
        "SIGNED",
        "ACTIVE",
        "CANDIDATES",
        "ALERTS",
    ];
    print_table(&table(head, rows.iter().map(cells)), 0)
}

fn cells(row: &Row<'_>) -> [String; 11] {
    let state = match row.online {
        Some(true) => "online",
        Some(false) => "offline",
        None => "unknown",
    };
    let enrolled = match row.enrolled {
        Some(Enrolment::Verified) => "yes",
        Some(Enrolment::Unverified) => "unverified",
        None => "no",
    };
    let signed = match (row.sensors, row.verified) {
        (0, _) => "-".to_owned(),
        (all, verified) if all == verified => "all".to_owned(),
        (_, 0) => "none".to_owned(),
        (all, verified) => format!("{verified} of {all}"),
    };
    let alerts = match (row.pages, row.tickets) {
        (0, 0) => "-".to_owned(),
        (0, tickets) => format!("{tickets} tickets"),
        (pages, 0) => format!("{pages} pages"),
        (pages, tickets) => format!("{pages} pages, {tickets} tickets"),
    };
    [
        row.gateway.to_string(),
        state.to_owned(),
        or_dash(row.version),
        or_dash(row.clock),
        or_dash(row.root_version),
        enrolled.to_owned(),
        row.sensors.to_string(),
        signed,
        row.active.to_string(),
        row.candidates.to_string(),
        alerts,
    ]
}
