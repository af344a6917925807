//! `calibctl fleet`: all gateways of a fleet, through its broker. Nothing is kept here: what there is to know is retained there.

mod adopt;
mod archive;
mod artifact;
mod book;
mod drift;
mod exporter;
mod link;
mod list;
mod manifest;
mod order;
mod page;
mod prior;
mod proposal;
mod publish;
mod push;
mod reach;
mod said;
mod send;
mod status;
mod tally;
mod topic;
mod trusted;
mod watch;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::ctl::output::Failure;
use crate::domain::rollout::OrderAction;
use book::Ignored;
use reach::Session;
use topic::Branch;

const EXAMPLES: &str = "examples:
  calibctl fleet list --broker mqtts://broker.example:8884 --fleet plant-7 --ca gateways-ca.pem \\
      --cert reader.pem --key reader.key --root root.json
  calibctl fleet push co-8.dsse.json --group north --broker mqtts://broker.example:8884 --fleet plant-7 \\
      --ca gateways-ca.pem --cert control.pem --key control.key --root root.json

What gateways sign is verified with the keys that the fleet has enrolled, if --root names the trust root.";

#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum FleetCommand {
    /// Lists the gateways: who is there, with what, and what is the matter.
    List(list::ListArgs),
    /// Publishes a signed artifact, and shows what the gateways answer.
    Push(push::PushArgs),
    /// Shows one transform over the fleet: where it is, how far it has come, how it does.
    Status(status::StatusArgs),
    /// Orders that a candidate comes into force, or reaches a larger share of the gateways.
    #[command(after_help = order::PROMOTE)]
    Promote(order::PromoteArgs),
    /// Orders that the transform before comes into force again.
    #[command(after_help = order::ROLLBACK)]
    Rollback(order::OrderArgs),
    /// Orders that a candidate or a trial ends.
    #[command(after_help = order::ABORT)]
    Abort(order::OrderArgs),
    /// Orders that a transform ends, and nothing of its id comes back.
    #[command(after_help = order::RETIRE)]
    Retire(order::OrderArgs),
    /// Publishes trust roots.
    #[command(subcommand)]
    Root(RootCommand),
    /// Publishes a gateway's signed enrolment, and waits until it counts.
    Enrol(push::EnrolArgs),
    /// Lists the newest transforms of a branch, to be signed as a manifest.
    Manifest(manifest::ManifestArgs),
    /// Shows how far the sensors of the fleet are from their references.
    Drift(drift::DriftArgs),
    /// Lists the local transforms that gateways propose to the fleet.
    Proposals(proposal::ProposalsArgs),
    /// Makes a transform of the fleet from one that a gateway proposes, to be signed.
    #[command(disable_version_flag = true)]
    Adopt(adopt::AdoptArgs),
    /// Makes the prior of a sensor model from the fits in force, to be signed.
    #[command(disable_version_flag = true)]
    Prior(prior::PriorArgs),
    /// Shows what gateways say as they say it.
    Watch(watch::WatchArgs),
    /// Copies what the broker keeps to files.
    Archive(archive::ArchiveArgs),
    /// Serves the state of the fleet to Prometheus.
    Exporter(exporter::ExporterArgs),
}

#[derive(Subcommand)]
#[command(after_help = push::ROOT)]
pub enum RootCommand {
    /// Publishes the next trust root, and waits until the gateways have it.
    #[command(after_help = push::ROOT)]
    Push(push::RootArgs),
}

/// For whom something is published.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct To {
    /// One gateway.
    #[arg(long, value_name = "ID")]
    gateway: Option<crate::domain::id::Id>,
    /// The gateways of a group.
    #[arg(long, value_name = "NAME")]
    group: Option<crate::domain::id::Id>,
    /// Every gateway.
    #[arg(long)]
    all: bool,
}

impl To {
    fn branch(&self) -> Branch {
        match (&self.gateway, &self.group) {
            (Some(gateway), _) => Branch::Gateway(gateway.clone()),
            (_, Some(group)) => Branch::Group(group.clone()),
            _ => Branch::All,
        }
    }
}

/// What was left out of an answer, as `--json` prints it.
fn ignored(session: &Session) -> Vec<&Ignored> {
    session.book.ignored.values().collect()
}

/// A head above rows.
fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Vec<Vec<String>> {
    std::iter::once(head.map(str::to_owned)).chain(rows).map(|row| row.to_vec()).collect()
}

/// A dash for what is not known.
fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

pub fn run(command: FleetCommand) -> Result<ExitCode, Failure> {
    match command {
        FleetCommand::List(args) => list::run(&args),
        FleetCommand::Push(args) => push::run(&args),
        FleetCommand::Status(args) => status::run(&args),
        FleetCommand::Promote(args) => order::promote(&args),
        FleetCommand::Rollback(args) => order::run(&args, OrderAction::Rollback),
        FleetCommand::Abort(args) => order::run(&args, OrderAction::Abort),
        FleetCommand::Retire(args) => order::run(&args, OrderAction::Retire),
        FleetCommand::Root(RootCommand::Push(args)) => push::root(&args),
        FleetCommand::Enrol(args) => push::enrol(&args),
        FleetCommand::Manifest(args) => manifest::run(&args),
        FleetCommand::Drift(args) => drift::run(&args),
        FleetCommand::Proposals(args) => proposal::run(&args),
        FleetCommand::Adopt(args) => adopt::run(&args),
        FleetCommand::Prior(args) => prior::run(&args),
        FleetCommand::Watch(args) => watch::run(&args),
        FleetCommand::Archive(args) => archive::run(&args),
        FleetCommand::Exporter(args) => exporter::run(&args),
    }
}
