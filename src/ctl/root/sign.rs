//! `calibctl root sign`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::ctl::files;
use crate::ctl::output::{Failure, note, print_json};
use crate::ctl::passphrase::PassphraseArgs;
use crate::domain::digest::Digest;
use crate::domain::trust::envelope::{Envelope, MAX_SIGNATURES, payload_type};
use crate::domain::trust::key::PrivateKey;
use crate::domain::trust::root::{KeyState, RoleName, Root};
use crate::domain::trust::rotation::verify_successor;
use crate::domain::trust::signers::signing_keys;

pub const EXAMPLES: &str = "examples:
  calibctl root sign root-2.json --before root.json --key root.key.pem

  where two must sign, each with a key of their own:
  calibctl root sign root-2.json --before root.json --key ann.key.pem
  calibctl root sign root-2.json --before root.json --key bob.key.pem

The next root is signed by enough keys of the root before it, and by enough of its own.";

#[derive(Args)]
pub struct SignArgs {
    /// A draft, or a root that others have signed already.
    file: PathBuf,
    /// Private key of the root role, in PEM; may be given several times.
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The root before it; needed from version 2 on.
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// Where to write the envelope; absent: over the file that was read.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// How many keys of a root's own role have signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Count {
    signed: usize,
    needed: usize,
}

/// The answer, as `--json` prints it.
#[derive(Serialize)]
struct Report {
    digest: Digest,
    version: u64,
    /// Whether gateways would take it.
    complete: bool,
    /// By keys of the root before it.
    before: Option<Count>,
    /// By keys of its own.
    own: Count,
}

impl Count {
    fn reached(self) -> bool {
        self.signed >= self.needed
    }
}

impl Report {
    /// Whether enough keys have signed.
    fn counted(&self) -> bool {
        self.own.reached() && self.before.is_none_or(Count::reached)
    }
}

pub fn run(args: &SignArgs) -> Result<ExitCode, Failure> {
    let name = args.file.display();
    let refused = |fault: crate::domain::trust::reason::Refusal| Failure::refused(format!("{name}: {fault}"));
    let mut envelope = Envelope::parse(&files::read(&args.file)?).map_err(refused)?;
    if envelope.payload_type != payload_type("root") {
        return Err(Failure::refused(format!(
            "{name} holds no root; sign other artifacts with `calibctl sign`"
        )));
    }
    let root = Root::parse(&envelope.payload).map_err(refused)?;
    let before = args.before.as_deref().map(files::root).transpose()?;
    check_line(&root, before.as_ref().map(|(root, _)| root))?;
    let keys = args.passphrase.private_keys(&args.keys)?;
    for (path, key) in args.keys.iter().zip(&keys) {
        check_counts(key, &root, before.as_ref().map(|(root, _)| root))
            .map_err(|text| Failure::refused(format!("{}: {text}", path.display())))?;
    }
    envelope.add_signatures(&keys);
    if envelope.signatures.len() > MAX_SIGNATURES {
        return Err(Failure::refused(format!("an envelope holds at most {MAX_SIGNATURES} signatures")));
    }
    let bytes = envelope.to_json();
    files::write_out(Some(args.output.as_ref().unwrap_or(&args.file)), &bytes)?;
    let verdict = match &before {
        Some((before, digest)) => {
            let known = [(before.version, *digest)];
            verify_successor(&bytes, Some(before), &known, &before.fleet)
                .map(drop)
                .map_err(|refused| refused.refusal)
        }
        None => Root::verify_first(&bytes, None).map(drop),
    };
    let count = |of: &Root| count(&envelope, of);
    let own = count(&root);
    let report = Report {
        digest: envelope.digest(),
        version: root.version,
        complete: verdict.is_ok(),
        before: before.as_ref().map(|(root, _)| count(root)),
        own,
    };
    if args.json {
        print_json(&report)?;
    } else {
        note(&sentence(&report, &name.to_string()));
        // What the counts do not explain.
        if let Some(refusal) = verdict.err().filter(|_| report.counted()) {
            note(&format!("warning: no gateway would take it: {refusal}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The root before it must be the one before it.
fn check_line(root: &Root, before: Option<&Root>) -> Result<(), Failure> {
    let version = root.version;
    let Some(before) = before else {
        if version == 1 {
            return Ok(());
        }
        return Err(Failure::usage(format!(
            "root {version} is signed by keys of root {} too: say --before",
            version - 1
        )));
    };
    if before.fleet != root.fleet {
        let (theirs, ours) = (&before.fleet, &root.fleet);
        return Err(Failure::refused(format!("--before is of fleet {theirs}, the draft of {ours}")));
    }
    if before.version + 1 != version {
        let found = before.version;
        return Err(Failure::refused(format!(
            "--before is root {found}, and only root {} follows it, not {version}",
            found + 1
        )));
    }
    Ok(())
}

/// A signature that counts for nothing is a mistake.
fn check_counts(key: &PrivateKey, root: &Root, before: Option<&Root>) -> Result<(), String> {
    let id = key.public().id();
    let counts = |of: &Root| {
        let active = of.keys.get(&id).is_some_and(|key| key.state == KeyState::Active);
        active && of.role(RoleName::Root).is_some_and(|role| role.keyids.contains(&id))
    };
    if counts(root) || before.is_some_and(counts) {
        return Ok(());
    }
    Err("is no active key of role root, neither of this root nor of the one before it".to_owned())
}

/// How many active keys of a root's role `root` have signed.
fn count(envelope: &Envelope, of: &Root) -> Count {
    let signers: BTreeSet<_> = signing_keys(envelope, of);
    let active = |id: &&Digest| of.keys.get(id).is_some_and(|key| key.state == KeyState::Active);
    let role = of.role(RoleName::Root);
    let keyids = role.map_or(&[][..], |role| &role.keyids);
    let signed = keyids.iter().filter(|id| signers.contains(id)).filter(active).count();
    Count { signed, needed: role.map_or(0, |role| role.threshold) }
}

fn sentence(report: &Report, name: &str) -> String {
    let Report { version, own, before, .. } = report;
    let of = |count: &Count, whose: &str| format!("{} of {} keys {whose}", count.signed, count.needed);
    let before = before
        .map_or(String::new(), |count| format!("{}, ", of(&count, &format!("of root {}", version - 1))));
    let rest = if report.complete { "complete" } else { "more signatures are needed" };
    format!("{name}: root {version}, signed by {before}{}: {rest}", of(own, "of its own"))
}
