//! The command line of `calibd`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::config::fault::Fault;
use crate::config::{Loaded, Refused, load};

/// Exit code for a configuration with faults (EX_CONFIG of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;

/// Keeps field sensors truthful: reads raw measurements, applies signed calibration transforms,
/// keeps both with their uncertainty, and publishes them.
#[derive(Debug, Parser)]
#[command(name = "calibd", version, after_help = EXAMPLES)]
struct Arguments {
    /// The configuration; the files conf.d/*.toml beside it are laid over it
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/calibd/calibd.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the configuration and report every fault at once
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// Print one JSON object to standard output and nothing else
        #[arg(long)]
        json: bool,
    },
    /// Show the whole way with real data and nothing else set up, in half a minute
    #[cfg(feature = "demo")]
    #[command(after_help = crate::demo::args::EXAMPLES)]
    Demo(crate::demo::args::Arguments),
    /// The demo's broker, in a process of its own
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    DemoBroker(crate::demo::args::BrokerArguments),
    /// Says that this binary holds no demo
    #[cfg(not(feature = "demo"))]
    #[command(hide = true)]
    Demo {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        ignored: Vec<String>,
    },
}

const EXAMPLES: &str = "\
Examples:
  calibd --config /etc/calibd/calibd.toml        run until SIGTERM
  calibd check --config /etc/calibd/calibd.toml  report every fault of the configuration

Exit codes: 0 done, 2 wrong usage, 78 bad configuration";

const CHECK_EXAMPLES: &str = "\
Examples:
  calibd check
  calibd check --config calibd.toml --json

Relative paths in the configuration are relative to the working directory.
Exit codes: 0 valid (warnings may be shown), 78 bad configuration
--json prints {\"valid\", \"faults\": [{\"file\", \"line\", \"key\", \"problem\", \"remedy\"}], \"warnings\": [...]}";

/// calibd's command line, of which its help and its manual pages are made.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs `calibd` with the arguments of the process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        None => run(&arguments.config),
        Some(Command::Check { json }) => check(&arguments.config, json),
        #[cfg(feature = "demo")]
        Some(Command::Demo(arguments)) => crate::demo::run(&arguments),
        #[cfg(feature = "demo")]
        Some(Command::DemoBroker(arguments)) => crate::demo::broker::run(&arguments),
        #[cfg(not(feature = "demo"))]
        Some(Command::Demo { .. }) => {
            anstream::eprintln!(
                "error: this calibd was built without its demo; build it with `cargo build --features demo`"
            );
            ExitCode::from(2)
        }
    }
}

fn run(file: &Path) -> ExitCode {
    match load(file) {
        Ok(loaded) => {
            show(&loaded.warnings, "warning: ");
            super::run(file, loaded)
        }
        Err(refused) => {
            show_refused(file, &refused);
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

fn check(file: &Path, json: bool) -> ExitCode {
    let result = load(file);
    let code = if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) };
    match result {
        result if json => anstream::println!("{}", as_json(&result)),
        Ok(loaded) => {
            show(&loaded.warnings, "warning: ");
            anstream::println!("{}: valid, {}", file.display(), summary(&loaded));
        }
        Err(refused) => show_refused(file, &refused),
    }
    code
}

fn as_json(result: &Result<Loaded, Refused>) -> serde_json::Value {
    let (faults, warnings): (&[Fault], &[Fault]) = match result {
        Ok(loaded) => (&[], &loaded.warnings),
        Err(refused) => (&refused.faults, &refused.warnings),
    };
    serde_json::json!({ "valid": result.is_ok(), "faults": faults, "warnings": warnings })
}

fn summary(loaded: &Loaded) -> String {
    let config = &loaded.config;
    let mut parts = vec![
        counted(config.sources.len(), "source"),
        counted(config.sensors.len(), "sensor"),
        counted(config.templates.len(), "sensor template"),
        counted(config.sinks.len(), "sink"),
    ];
    if !loaded.warnings.is_empty() {
        parts.push(counted(loaded.warnings.len(), "warning"));
    }
    parts.join(", ")
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn show(faults: &[Fault], prefix: &str) {
    for fault in faults {
        anstream::eprintln!("{prefix}{fault}");
    }
}

fn show_refused(file: &Path, refused: &Refused) {
    show(&refused.warnings, "warning: ");
    show(&refused.faults, "");
    let count = counted(refused.faults.len(), "fault");
    let rest = if refused.judged { "" } else { "; the rest is judged once the files can be read" };
    anstream::eprintln!("{}: not valid, {count}{rest}", file.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_configuration_can_stand_before_and_after_the_command() {
        for line in [["calibd", "--config", "a", "check"], ["calibd", "check", "--config", "a"]] {
            let arguments = Arguments::try_parse_from(line).unwrap();
            assert_eq!(arguments.config, PathBuf::from("a"));
            assert!(matches!(arguments.command, Some(Command::Check { json: false })));
        }
    }
}
