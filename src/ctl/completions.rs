//! `calibctl completions`

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use clap_complete::aot::{self, Generator, generate};

use super::output::{Failure, print};

const EXAMPLES: &str = "examples:
  source <(calibctl completions bash)
  calibctl completions bash | sudo tee /usr/share/bash-completion/completions/calibctl > /dev/null
  calibctl completions zsh | sudo tee /usr/local/share/zsh/site-functions/_calibctl > /dev/null
  calibctl completions fish > ~/.config/fish/completions/calibctl.fish

The first is for this shell only; the others are for every new one.";

/// A shell.
#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell that is to complete calibctl's command line.
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    let script = match args.shell {
        Shell::Bash => script(aot::Bash),
        Shell::Zsh => script(aot::Zsh),
        Shell::Fish => script(aot::Fish),
    };
    print(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Written to memory first: the generators end the process where a pipe is closed.
fn script(shell: impl Generator) -> Vec<u8> {
    let mut out = Vec::new();
    generate(shell, &mut super::command(), "calibctl", &mut out);
    out
}
