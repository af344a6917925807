//! `calibctl root show`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::ctl::files;
use crate::ctl::output::{Failure, print, print_json};
use crate::domain::digest::Digest;
use crate::domain::trust::root::{Root, RootKey};

#[derive(Args)]
pub struct ShowArgs {
    /// A signed root.
    file: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &ShowArgs) -> Result<ExitCode, Failure> {
    let bytes = files::read(&args.file)?;
    let (root, digest) = Root::verify_first(&bytes, None)
        .map_err(|fault| Failure::refused(format!("{}: {fault}", args.file.display())))?;
    if args.json {
        print_json(&json!({"digest": digest, "file_sha256": Digest::of(&[&bytes]), "root": root}))?;
    } else {
        print(text(&root, digest).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(root: &Root, digest: Digest) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "root {} of fleet {}, epoch {}\ndigest   {digest}\nissued   {}\nexpires  {}\n",
        root.version, root.fleet, root.epoch, root.issued_at, root.expires
    );
    for (name, role) in &root.roles {
        let _ = writeln!(out, "\n{name}: {} of {} keys", role.threshold, role.keyids.len());
        for id in &role.keyids {
            let _ = writeln!(out, "  {id}  {}", root.keys.get(id).map_or_else(String::new, describe));
        }
        for scope in &role.scopes {
            let _ = writeln!(out, "  only in {}", serde_json::to_string(scope).unwrap_or_default());
        }
    }
    out
}

fn describe(key: &RootKey) -> String {
    let label: String = key.label.chars().filter(|c| !c.is_control()).collect();
    let mut out = format!("{label} ({:?}", key.state).to_lowercase();
    if let Some(begin) = key.not_before {
        let _ = write!(out, ", from {begin}");
    }
    if let Some(end) = key.not_after {
        let _ = write!(out, ", until {end}");
    }
    out + ")"
}
