//! `calibctl root`: the trust root of a fleet.

mod draft;
mod init;
mod keys;
mod show;
mod sign;

use std::process::ExitCode;

use clap::Subcommand;

use super::output::Failure;
use crate::domain::trust::root::KeyState;

const ADD: &str = "examples:
  calibctl root add-key root.json --role fleet --key fleet-2027.pub.pem -o root-2.json
  calibctl root add-key root-2.json --role maintenance --key van-2.pub.pem --not-after 2027-06-01T00:00:00Z

Several changes go into one draft; the first names it with -o.";

const REMOVE: &str = "examples:
  calibctl root remove-key root.json --key old-root -o root-2.json
  calibctl root remove-key root.json --role snapshot --key 1f0c2a9e -o root-2.json

To keep what gateways have accepted by a key, retire it instead.";

const RETIRE: &str = "examples:
  calibctl root retire-key root.json --key fleet-2026.pub.pem -o root-2.json";

const REVOKE: &str = "examples:
  calibctl root revoke-key root.json --key fleet-2026.pub.pem -o root-2.json

What the key signed and is in force stays, flagged, or gives way: trust.on_revoked of each gateway says which.";

const THRESHOLD: &str = "examples:
  calibctl root set-threshold root-2.json --role fleet --threshold 2";

const RENEW: &str = "examples:
  calibctl root renew root.json --expires 730d -o root-2.json
  calibctl root renew root.json --epoch 2 -o root-2.json

A higher epoch lets a transform begin again with version 1, after somebody has signed one with far too high a number.";

#[derive(Subcommand)]
#[command(after_help = init::EXAMPLES)]
pub enum RootCommand {
    /// Makes the first root of a fleet and signs it.
    #[command(after_help = init::EXAMPLES)]
    Init(Box<init::InitArgs>),
    /// Gives a key a role in the next root.
    #[command(after_help = ADD)]
    AddKey(Box<keys::AddArgs>),
    /// Takes a key out of the next root: nothing that it signed counts any more.
    #[command(after_help = REMOVE)]
    RemoveKey(keys::RemoveArgs),
    /// Has a key sign nothing new; what gateways have accepted by it stays.
    #[command(after_help = RETIRE)]
    RetireKey(keys::StateArgs),
    /// Has nothing count any more that a key ever signed.
    #[command(after_help = REVOKE)]
    RevokeKey(keys::StateArgs),
    /// Sets how many keys of a role must sign.
    #[command(after_help = THRESHOLD)]
    SetThreshold(keys::ThresholdArgs),
    /// Gives the next root new dates, and nothing else unless it is asked for.
    #[command(after_help = RENEW)]
    Renew(keys::RenewArgs),
    /// Signs the next root, and says whose signatures are still needed.
    #[command(after_help = sign::EXAMPLES)]
    Sign(sign::SignArgs),
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
        RootCommand::AddKey(args) => keys::add(&args),
        RootCommand::RemoveKey(args) => keys::remove(&args),
        RootCommand::RetireKey(args) => keys::set_state(&args, KeyState::Retired),
        RootCommand::RevokeKey(args) => keys::set_state(&args, KeyState::Revoked),
        RootCommand::SetThreshold(args) => keys::set_threshold(&args),
        RootCommand::Renew(args) => keys::renew(&args),
        RootCommand::Sign(args) => sign::run(&args),
        RootCommand::Show(args) => show::run(&args),
    }
}
