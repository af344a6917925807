//! The daemon: command line, start, wiring, drain.

pub mod cli;

use std::process::ExitCode;

use crate::config::Config;

/// Runs until SIGTERM.
pub fn run(_config: Config) -> ExitCode {
    anstream::eprintln!("running is not available in this build; use `calibd check`");
    ExitCode::FAILURE
}
