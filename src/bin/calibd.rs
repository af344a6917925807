//! The daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    calibd::daemon::cli::main()
}
