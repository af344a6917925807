//! Probabilities against what happened.

use std::process::ExitCode;

use clap::Args;

use super::EvaluateArgs;
use crate::ctl::output::Failure;

/// Bins and decisions.
#[derive(Args, Debug, Clone)]
pub struct ProbabilityArgs {
    /// Bins of the reliability diagram.
    #[arg(long, value_name = "N", default_value_t = 15, help_heading = "Probabilities")]
    pub bins: usize,
}

// STUB: waits for `domain::drift::probability`.
pub fn run(_: &EvaluateArgs) -> Result<ExitCode, Failure> {
    Err(Failure::usage("--kind probability is not available yet"))
}
