//! calibctl: the command line for people. Parses, acts, renders.

mod apply;
mod artifacts;
mod data;
mod evaluate;
mod expiry;
mod files;
mod fit;
mod gateway;
mod key;
mod output;
mod plot;
mod progress;
mod root;
mod sign;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::Failure;

/// Keeps field sensors truthful: the gateway, keys, trust roots and signed calibrations.
#[derive(Parser)]
#[command(name = "calibctl", version, about, propagate_version = true, subcommand_required = true)]
#[command(
    after_help = "exit codes: 0 done, 1 refused or not so, 2 usage, 3 calibd can't be reached, 4 not permitted"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows how the gateway is: what needs attention, links, store, sources.
    Status(gateway::StatusArgs),
    /// Lists the sensors with their last readings.
    Sensors(gateway::SensorsArgs),
    /// Shows one sensor.
    Sensor(gateway::SensorArgs),
    /// Shows readings as they are made.
    Watch(gateway::WatchArgs),
    /// Shows a sensor's readings from the history.
    Readings(gateway::ReadingsArgs),
    /// Tests a source.
    #[command(subcommand)]
    Source(gateway::SourceCommand),
    /// Has calibd take over its configuration files as they are now.
    Reload(gateway::ReloadArgs),
    /// Shows transforms, and puts them in force.
    #[command(subcommand)]
    Transform(gateway::TransformCommand),
    /// Notes which instrument is mounted where, and shows what was.
    #[command(subcommand)]
    Instrument(gateway::InstrumentCommand),
    /// Flags the readings of a sensor that is being worked on.
    #[command(subcommand)]
    Maintenance(gateway::MaintenanceCommand),
    /// Computes stored readings again with another transform, and leaves them as they are.
    Reprocess(gateway::ReprocessArgs),
    /// Shows the audit, or verifies it with the whole ledger.
    #[command(subcommand)]
    Audit(gateway::AuditCommand),
    /// Copies the gateway's ledger to a file while calibd runs.
    Backup(gateway::BackupArgs),
    /// Has calibd go on with a backup of its ledger.
    Restore(gateway::RestoreArgs),
    /// Makes and shows signing keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Makes and shows the trust root of a fleet.
    #[command(subcommand)]
    Root(root::RootCommand),
    /// Applies a transform to the values in a file, row by row.
    Apply(apply::ApplyArgs),
    /// Fits a calibration to pairs of sensor and reference values in a file.
    #[command(disable_version_flag = true)]
    Fit(Box<fit::FitArgs>),
    /// Scores values against references, or probabilities against what happened.
    Evaluate(Box<evaluate::EvaluateArgs>),
    /// Draws a calibration, its residuals, reliability or drift as an SVG picture.
    Plot(Box<plot::PlotArgs>),
    /// Signs an artifact, or adds signatures to a signed one.
    Sign(sign::SignArgs),
    /// Checks a signed artifact as a gateway would, as far as that goes away from it.
    Verify(verify::VerifyArgs),
}

/// Runs calibctl with the process's arguments.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Status(args) => gateway::run::status(&args),
        Command::Sensors(args) => gateway::run::sensors(&args),
        Command::Sensor(args) => gateway::run::sensor(&args),
        Command::Watch(args) => gateway::run::watch(&args),
        Command::Readings(args) => gateway::run::readings(&args),
        Command::Source(command) => gateway::run::source(&command),
        Command::Reload(args) => gateway::run::reload(&args),
        Command::Transform(command) => gateway::run::transform(&command),
        Command::Instrument(command) => gateway::run::instrument(command),
        Command::Maintenance(command) => gateway::run::maintenance(&command),
        Command::Reprocess(args) => gateway::run::reprocess(&args),
        Command::Audit(command) => gateway::run::audit(&command),
        Command::Backup(args) => gateway::run::backup(&args),
        Command::Restore(args) => gateway::run::restore(&args),
        Command::Key(command) => key::run(command),
        Command::Root(command) => root::run(command),
        Command::Apply(args) => apply::run(&args),
        Command::Fit(args) => fit::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Verify(args) => verify::run(&args),
    };
    result.unwrap_or_else(|failure: Failure| failure.report())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
