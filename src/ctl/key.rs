//! `calibctl key`: signing keys.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;
use zeroize::Zeroizing;

use super::files;
use super::output::{Failure, print, print_json};
use super::passphrase::PassphraseArgs;
use crate::domain::trust::key::{KeyError, PrivateKey, PublicKey};

const GENERATE_EXAMPLES: &str = "examples:
  calibctl key generate fleet-2026
  calibctl key generate technician --passphrase

  a key that is there already gets a passphrase, or another one:
  openssl pkcs8 -topk8 -in technician.key.pem -out new.key.pem";

#[derive(Subcommand)]
#[command(
    after_help = "examples:\n  calibctl key generate fleet-2026\n  calibctl key generate technician --passphrase\n  calibctl key show fleet-2026.pub.pem"
)]
pub enum KeyCommand {
    /// Makes an ed25519 key pair: NAME.key.pem (mode 0600) and NAME.pub.pem.
    #[command(after_help = GENERATE_EXAMPLES)]
    Generate(GenerateArgs),
    /// Shows a key's identifier, from its public or its private file.
    #[command(after_help = "examples:\n  calibctl key show fleet-2026.pub.pem --json")]
    Show(ShowArgs),
}

#[derive(Args)]
pub struct GenerateArgs {
    /// The files' name without their endings; may have a directory in front.
    name: PathBuf,
    /// Encrypts the private key under a passphrase, which is asked for.
    #[arg(long)]
    passphrase: bool,
    #[command(flatten)]
    passphrase_from: PassphraseArgs,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct ShowArgs {
    /// A key in PEM, as `key generate` or OpenSSL writes it.
    file: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
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
    let (private, public) = (with_ending(&args.name, ".key.pem"), with_ending(&args.name, ".pub.pem"));
    if let Some(there) = [&private, &public].into_iter().find(|path| path.exists()) {
        return Err(Failure::usage(format!("{} exists already; it was left as it is", there.display())));
    }
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice())
        .map_err(|fault| Failure::usage(format!("random numbers: {fault}")))?;
    let key = PrivateKey::from_seed(&seed).map_err(|fault| Failure::refused(fault.to_string()))?;
    let encrypted = args.passphrase || args.passphrase_from.is_given();
    let pem = match encrypted {
        true => args.passphrase_from.sealed(&private, &key)?,
        false => key.to_pem(),
    };
    files::write_new(&private, 0o600, pem.as_bytes())?;
    files::write_new(&public, 0o644, key.public().to_pem().as_bytes())?;
    let keyid = key.public().id();
    if args.json {
        print_json(&json!({
            "keyid": keyid, "private_key": private, "public_key": public, "encrypted": encrypted,
        }))?;
    } else {
        let how = if encrypted { "encrypted: keep the passphrase apart" } else { "keep it secret" };
        let text = format!(
            "keyid    {keyid}\nprivate  {} ({how})\npublic   {}\n",
            private.display(),
            public.display()
        );
        print(text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &ShowArgs) -> Result<ExitCode, Failure> {
    let text = Zeroizing::new(files::read_text(&args.file)?);
    let private = PrivateKey::from_pem(&text);
    let encrypted = matches!(private, Err(KeyError::Encrypted));
    let key = match PublicKey::from_pem(&text) {
        Err(KeyError::NoBlock(_)) if encrypted => args.passphrase.opened(&args.file, &text)?.public().clone(),
        _ => files::public_key_in(&args.file, &text)?,
    };
    let kind = if encrypted || private.is_ok() { "private" } else { "public" };
    if args.json {
        print_json(&json!({
            "keyid": key.id(), "kind": kind, "algorithm": "ed25519", "encrypted": encrypted,
            "public_key": key.to_pem(),
        }))?;
    } else {
        let how = if encrypted { ", encrypted" } else { "" };
        print(format!("keyid  {}\nkind   {kind}, ed25519{how}\n{}", key.id(), key.to_pem()).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
