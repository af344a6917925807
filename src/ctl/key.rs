//! `calibctl key`: signing keys.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::files;
use super::output::{Failure, print, print_json};
use crate::domain::trust::key::PrivateKey;

#[derive(Subcommand)]
#[command(
    after_help = "examples:\n  calibctl key generate fleet-2026\n  calibctl key show fleet-2026.pub.pem"
)]
pub enum KeyCommand {
    /// Makes an ed25519 key pair: NAME.key.pem (mode 0600) and NAME.pub.pem.
    #[command(after_help = "examples:\n  calibctl key generate fleet-2026")]
    Generate(GenerateArgs),
    /// Shows a key's identifier, from its public or its private file.
    #[command(after_help = "examples:\n  calibctl key show fleet-2026.pub.pem --json")]
    Show(ShowArgs),
}

#[derive(Args)]
pub struct GenerateArgs {
    /// The files' name without their endings; may have a directory in front.
    name: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct ShowArgs {
    /// A key in PEM, as `key generate` or OpenSSL writes it.
    file: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(command: KeyCommand) -> Result<ExitCode, Failure> {
    match command {
        KeyCommand::Generate(args) => generate(&args),
        KeyCommand::Show(args) => show(&args),
    }
}

fn with_ending(name: &Path, ending: &str) -> PathBuf {
    let mut path = name.as_os_str().to_owned();
    path.push(ending);
    PathBuf::from(path)
}

fn generate(args: &GenerateArgs) -> Result<ExitCode, Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|fault| Failure::usage(format!("random numbers: {fault}")))?;
    let key = PrivateKey::from_seed(&seed).map_err(|fault| Failure::refused(fault.to_string()))?;
    let (private, public) = (with_ending(&args.name, ".key.pem"), with_ending(&args.name, ".pub.pem"));
    if public.exists() {
        return Err(Failure::usage(format!("{} exists already; it was left as it is", public.display())));
    }
    files::write_new(&private, 0o600, key.to_pem().as_bytes())?;
    files::write_new(&public, 0o644, key.public().to_pem().as_bytes())?;
    let keyid = key.public().id();
    if args.json {
        print_json(&json!({"keyid": keyid, "private_key": private, "public_key": public}))?;
    } else {
        let text = format!(
            "keyid    {keyid}\nprivate  {} (keep it secret)\npublic   {}\n",
            private.display(),
            public.display()
        );
        print(text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &ShowArgs) -> Result<ExitCode, Failure> {
    let key = files::public_key(&args.file)?;
    let private = files::holds_private_key(&args.file)?;
    let kind = if private { "private" } else { "public" };
    if args.json {
        print_json(
            &json!({"keyid": key.id(), "kind": kind, "algorithm": "ed25519", "public_key": key.to_pem()}),
        )?;
    } else {
        print(format!("keyid  {}\nkind   {kind}, ed25519\n{}", key.id(), key.to_pem()).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
