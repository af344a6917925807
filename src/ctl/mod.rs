//! calibctl: the command line for people. Parses, acts, renders.

mod apply;
mod artifacts;
mod completions;
mod data;
mod detect;
mod evaluate;
mod expiry;
mod files;
mod fit;
mod fleet;
mod gateway;
mod groups;
mod key;
mod number;
mod output;
mod passphrase;
mod plot;
mod progress;
mod root;
mod screen;
mod sign;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use output::Failure;

const EXAMPLES: &str = "examples:
  calibctl status
  calibctl readings co-1 --since 2h
  calibctl fit pairs.csv --method affine
  calibctl help transform show

exit codes: 0 done, 1 refused or not so, 2 usage, 3 calibd can't be reached, 4 not permitted";

/// Keeps field sensors truthful: the gateway, keys, trust roots and signed calibrations.
#[derive(Parser)]
#[command(name = "calibctl", version, propagate_version = true, subcommand_required = true)]
#[command(after_help = EXAMPLES)]
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
    /// Shows how far sensors are from their references.
    Drift(gateway::DriftArgs),
    /// Shows what is the matter with sensors, and takes what people say to it.
    Alerts(gateway::AlertsArgs),
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
    /// Recalibrates a sensor on site: as found, adjusted, as left.
    Recalibrate(Box<gateway::RecalibrateArgs>),
    /// Adds, imports, lists and withdraws what sensors should have shown.
    #[command(subcommand)]
    Reference(gateway::ReferenceCommand),
    /// Lists and shows calibration certificates, and writes them as documents.
    #[command(subcommand)]
    Certificate(gateway::CertificateCommand),
    /// Notes the standards behind reference readings, and lists them.
    #[command(subcommand)]
    Standard(gateway::StandardCommand),
    /// Computes stored readings again with another transform, and leaves them as they are.
    Reprocess(gateway::ReprocessArgs),
    /// Shows the audit, or verifies it with the whole ledger.
    #[command(subcommand)]
    Audit(gateway::AuditCommand),
    /// Copies the gateway's ledger to a file while calibd runs.
    Backup(gateway::BackupArgs),
    /// Has calibd go on with a backup of its ledger.
    Restore(gateway::RestoreArgs),
    /// Collects what helps to find a fault into one file without secrets.
    SupportBundle(gateway::BundleArgs),
    /// Looks after all gateways of a fleet, through its broker.
    #[command(subcommand)]
    Fleet(Box<fleet::FleetCommand>),
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
    /// Finds where the values in a file change.
    Detect(Box<detect::DetectArgs>),
    /// Draws a calibration, its residuals, reliability or drift as an SVG picture.
    Plot(Box<plot::PlotArgs>),
    /// Signs an artifact, or adds signatures to a signed one.
    Sign(sign::SignArgs),
    /// Checks a signed artifact as a gateway would, as far as that goes away from it.
    Verify(verify::VerifyArgs),
    /// Writes what bash, zsh or fish needs to complete calibctl's command line.
    Completions(completions::CompletionsArgs),
}

/// calibctl's command line, of which its help, its completions and its manual pages are made.
pub fn command() -> clap::Command {
    groups::grouped(Cli::command())
}

/// Runs calibctl with the process's arguments.
pub fn main() -> ExitCode {
    run(std::env::args_os().skip(1))
}

/// Runs calibctl with these arguments, the program's name left out.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = std::iter::once(OsString::from("calibctl")).chain(arguments);
    let parsed = Cli::from_arg_matches(&command().get_matches_from(arguments));
    let result = match parsed.unwrap_or_else(|fault| fault.exit()).command {
        Command::Status(args) => gateway::run::status(&args),
        Command::Sensors(args) => gateway::run::sensors(&args),
        Command::Sensor(args) => gateway::run::sensor(&args),
        Command::Watch(args) => gateway::run::watch(&args),
        Command::Readings(args) => gateway::run::readings(&args),
        Command::Drift(args) => gateway::run::drift(&args),
        Command::Alerts(args) => gateway::run::alerts(&args),
        Command::Source(command) => gateway::run::source(&command),
        Command::Reload(args) => gateway::run::reload(&args),
        Command::Transform(command) => gateway::run::transform(&command),
        Command::Instrument(command) => gateway::run::instrument(command),
        Command::Maintenance(command) => gateway::run::maintenance(&command),
        Command::Recalibrate(args) => gateway::run::recalibrate(&args),
        Command::Reference(command) => gateway::run::reference(&command),
        Command::Certificate(command) => gateway::run::certificate(&command),
        Command::Standard(command) => gateway::run::standard(&command),
        Command::Reprocess(args) => gateway::run::reprocess(&args),
        Command::Audit(command) => gateway::run::audit(&command),
        Command::Backup(args) => gateway::run::backup(&args),
        Command::Restore(args) => gateway::run::restore(&args),
        Command::SupportBundle(args) => gateway::run::bundle(&args),
        Command::Fleet(command) => fleet::run(*command),
        Command::Key(command) => key::run(command),
        Command::Root(command) => root::run(command),
        Command::Apply(args) => apply::run(&args),
        Command::Fit(args) => fit::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Detect(args) => detect::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Completions(args) => completions::run(&args),
    };
    result.unwrap_or_else(|failure: Failure| failure.report())
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::command;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        fn without(command: &Command, path: &str, found: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            if !help.starts_with("examples:\n  ") {
                found.push(path.clone());
            }
            command.get_subcommands().for_each(|it| without(it, &path, found));
        }
        let mut found = Vec::new();
        without(&command(), "", &mut found);
        assert!(found.is_empty(), "no examples in the help of {found:#?}");
    }

    #[test]
    fn the_help_lists_every_command_once_and_in_its_group() {
        let help = command().render_help().to_string();
        for it in command().get_subcommands() {
            let head = format!("\n  {} ", it.get_name());
            assert_eq!(help.matches(&head).count(), 1, "{head}: {help}");
        }
        let at = |text: &str| help.find(text).unwrap_or_else(|| panic!("no `{text}` in {help}"));
        let order = [
            "On the gateway:\n",
            "\n  status ",
            "\n  transform ",
            "\nFleet:\n",
            "\n  fleet ",
            "\nFiles:\n",
            "\n  fit ",
            "\nKeys and trust:\n",
            "\n  verify ",
            "\nThis program:\n",
            "\n  completions ",
            "\nOptions:\n",
            "--help",
            "\nexamples:\n",
        ];
        assert!(order.map(at).is_sorted(), "{help}");
    }
}
