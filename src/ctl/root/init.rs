//! `calibctl root init`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::ctl::expiry::expiry;
use crate::ctl::files;
use crate::ctl::output::{Failure, note, print_json};
use crate::ctl::passphrase::PassphraseArgs;
use crate::domain::id::Id;
use crate::domain::strict_json;
use crate::domain::time::Timestamp;
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::key::{KeyId, PrivateKey};
use crate::domain::trust::root::{KeyState, Role, RoleName, Root, RootKey, SCHEMA};
use crate::domain::trust::scope::Scope;
use crate::runtime::clock::system_now;

pub const EXAMPLES: &str = "examples:
  calibctl key generate root && calibctl key generate fleet
  calibctl root init --fleet plant-7 --key root.key.pem --fleet-key fleet.pub.pem -o root.json

  two of three people must agree on a new root, and technicians may calibrate on site:
  calibctl root init --fleet plant-7 --key a.key.pem --key b.key.pem --key c.key.pem --threshold 2 \\
      --fleet-key fleet.pub.pem --maintenance-key van.pub.pem --expires 730d -o root.json

  fleet keys that may only act on two sensors, with steps of at most 2:
  echo '[{\"sensors\": [\"co-1\", \"co-2\"], \"limits\": {\"max_step\": 2}}]' > scopes.json
  calibctl root init --fleet plant-7 --key root.key.pem --fleet-key fleet.pub.pem \\
      --fleet-scopes scopes.json -o root.json";

#[derive(Args)]
pub struct InitArgs {
    /// The fleet's name.
    #[arg(long)]
    fleet: Id,
    /// Private key of the root role, in PEM; the root is signed with each one given.
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// How many of the root keys must sign the next root.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threshold: usize,
    /// Public key that may sign transforms for the fleet.
    #[arg(long = "fleet-key", value_name = "FILE")]
    fleet_keys: Vec<PathBuf>,
    /// How many fleet keys must sign.
    #[arg(long, value_name = "N", default_value_t = 1)]
    fleet_threshold: usize,
    /// JSON array of the scopes that fleet keys may act in; absent: the whole fleet.
    #[arg(long, value_name = "FILE")]
    fleet_scopes: Option<PathBuf>,
    /// Public key that may sign transforms made on site.
    #[arg(long = "maintenance-key", value_name = "FILE")]
    maintenance_keys: Vec<PathBuf>,
    /// JSON array of the scopes that maintenance keys may act in; absent: the whole fleet.
    #[arg(long, value_name = "FILE")]
    maintenance_scopes: Option<PathBuf>,
    /// Public key that may sign gateways' enrolments.
    #[arg(long = "enrol-key", value_name = "FILE")]
    enrol_keys: Vec<PathBuf>,
    /// Public key that may sign manifests.
    #[arg(long = "snapshot-key", value_name = "FILE")]
    snapshot_keys: Vec<PathBuf>,
    /// When the root expires: a time, or a number of days like 365d.
    #[arg(long, value_name = "TIME", default_value = "365d")]
    expires: String,
    /// When the root is issued; absent: now.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    issued_at: Option<Timestamp>,
    /// Where to write the signed root; must not exist.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &InitArgs) -> Result<ExitCode, Failure> {
    let signers = args.passphrase.private_keys(&args.keys)?;
    let root = build(args, &signers)?;
    let payload = serde_json::to_vec_pretty(&root).map_err(|fault| Failure::usage(fault.to_string()))?;
    let envelope = sign(&payload_type("root"), &payload, &signers);
    // What is written has passed the same checks that a gateway will make.
    let (root, digest) = Root::verify_first(&envelope, None)
        .map_err(|fault| Failure::usage(format!("no gateway would take this root: {}", fault.message)))?;
    files::write_new(&args.output, 0o644, &envelope)?;
    if args.fleet_keys.is_empty() {
        note("warning: no --fleet-key was given: with this root nobody can sign a transform");
    }
    if args.json {
        print_json(
            &json!({"digest": digest, "fleet": root.fleet, "version": root.version, "expires": root.expires}),
        )?;
    } else {
        let (out, fleet, expires) = (args.output.display(), &root.fleet, root.expires);
        note(&format!("{out}: root 1 of fleet {fleet}, valid until {expires}, digest {digest}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn build(args: &InitArgs, signers: &[PrivateKey]) -> Result<Root, Failure> {
    let issued_at = args.issued_at.unwrap_or_else(system_now);
    let mut keys = BTreeMap::new();
    let mut roles = BTreeMap::new();
    for (path, key) in args.keys.iter().zip(signers) {
        keys.insert(key.public().id(), root_key(path, key.public().clone()));
    }
    let keyids: Vec<KeyId> = signers.iter().map(|key| key.public().id()).collect();
    roles.insert(RoleName::Root, Role { threshold: args.threshold, keyids, scopes: vec![] });
    for (name, paths, threshold, scopes) in [
        (RoleName::Enrol, &args.enrol_keys, 1, None),
        (RoleName::Fleet, &args.fleet_keys, args.fleet_threshold, args.fleet_scopes.as_ref()),
        (RoleName::Maintenance, &args.maintenance_keys, 1, args.maintenance_scopes.as_ref()),
        (RoleName::Snapshot, &args.snapshot_keys, 1, None),
    ] {
        let mut keyids = Vec::new();
        for path in paths {
            let key = files::public_key(path)?;
            keyids.push(key.id());
            keys.entry(key.id()).or_insert_with(|| root_key(path, key));
        }
        if !keyids.is_empty() {
            let scopes = scopes.map_or(Ok(vec![]), |path| read_scopes(path))?;
            roles.insert(name, Role { threshold, keyids, scopes });
        }
    }
    let expires = expiry(&args.expires, issued_at)?;
    let fleet = args.fleet.clone();
    Ok(Root { schema: SCHEMA, fleet, version: 1, epoch: 1, issued_at, expires, keys, roles })
}

/// A key as a root names it: its label is its file's name.
pub(super) fn root_key(path: &Path, public_key: crate::domain::trust::key::PublicKey) -> RootKey {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let label = name.trim_end_matches(".pem").trim_end_matches(".pub").trim_end_matches(".key").to_owned();
    RootKey { public_key, label, not_before: None, not_after: None, state: KeyState::Active }
}

fn read_scopes(path: &Path) -> Result<Vec<Scope>, Failure> {
    strict_json::from_slice(&files::read(path)?)
        .map_err(|fault| Failure::usage(format!("{}: {fault}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_label_is_its_files_name() {
        let key = PrivateKey::from_seed(&[1; 32]).unwrap();
        for (path, label) in [("a/b/root.key.pem", "root"), ("x.pub.pem", "x"), ("odd", "odd")] {
            assert_eq!(root_key(Path::new(path), key.public().clone()).label, label);
        }
    }
}
