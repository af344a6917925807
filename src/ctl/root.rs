//! `calibctl root`: the trust root of a fleet.

mod init;
mod show;

use std::process::ExitCode;

use clap::Subcommand;

use super::output::Failure;

#[derive(Subcommand)]
#[command(after_help = init::EXAMPLES)]
pub enum RootCommand {
    /// Makes the first root of a fleet and signs it.
    #[command(after_help = init::EXAMPLES)]
    Init(Box<init::InitArgs>),
    /// Checks a root by itself and shows what is in it.
    #[command(
        after_help = "examples:\n  calibctl root show root.json\n\nThe digest, or the file's SHA-256, is \
                            what trust.root_sha256 pins."
    )]
    Show(show::ShowArgs),
}

pub fn run(command: RootCommand) -> Result<ExitCode, Failure> {
    match command {
        RootCommand::Init(args) => init::run(&args),
        RootCommand::Show(args) => show::run(&args),
    }
}
