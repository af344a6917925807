//! The next root of a fleet before it is signed: an envelope without signatures.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::ctl::expiry::expiry;
use crate::ctl::files;
use crate::ctl::output::{Failure, note, print_json};
use crate::domain::time::Timestamp;
use crate::domain::trust::envelope::{Envelope, payload_type};
use crate::domain::trust::key::KeyId;
use crate::domain::trust::root::{KeyState, Role, RoleName, Root};
use crate::runtime::clock::system_now;

/// How long the next root is valid if nothing else is said.
const VALID: &str = "365d";
/// Digits of a key's identifier that are enough to name it.
const PREFIX: usize = 8;

/// What every command has that changes a root.
#[derive(Args)]
pub struct EditArgs {
    /// The signed root to begin the next one from, or a draft of the next one that nobody has signed yet.
    root: PathBuf,
    /// When the next root expires: a time, or a number of days like 365d; a draft keeps what it says.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// When it is issued; absent: now.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    issued_at: Option<Timestamp>,
    /// Where to write the draft; absent: over the draft that was read.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Changes a root and writes what comes out as a draft.
pub fn edit(args: &EditArgs, change: impl FnOnce(&mut Root) -> Result<(), Failure>) -> Result<(), Failure> {
    let (mut root, begun) = read(&args.root)?;
    let output = match &args.output {
        Some(output) => output,
        None if begun => &args.root,
        None => {
            let text = format!(
                "{} is a signed root, which stays as it is; name the draft with -o",
                args.root.display()
            );
            return Err(Failure::usage(text));
        }
    };
    if !begun {
        root.version += 1;
        root.issued_at = args.issued_at.unwrap_or_else(|| system_now().max(root.issued_at));
        root.expires = expiry(VALID, root.issued_at)?;
    }
    root.issued_at = args.issued_at.unwrap_or(root.issued_at);
    if let Some(text) = &args.expires {
        root.expires = expiry(text, root.issued_at)?;
    }
    change(&mut root)?;
    let envelope = envelope(&root)?;
    Root::parse(&envelope.payload)
        .map_err(|fault| Failure::usage(format!("no gateway would take this: {}", fault.message)))?;
    check_reachable(&root)?;
    files::write_out(Some(output), &envelope.to_json())?;
    if args.json {
        return print_json(
            &json!({ "digest": envelope.digest(), "version": root.version, "expires": root.expires }),
        );
    }
    let (out, version) = (output.display(), root.version);
    note(&format!(
        "{out}: draft of root {version}, valid until {}; sign it with `calibctl root sign`",
        root.expires
    ));
    Ok(())
}

/// The root to change, and whether that is a draft already.
fn read(path: &Path) -> Result<(Root, bool), Failure> {
    let bytes = files::read(path)?;
    let name = path.display();
    let refused = |fault: crate::domain::trust::reason::Refusal| Failure::refused(format!("{name}: {fault}"));
    let envelope = Envelope::parse(&bytes).map_err(refused)?;
    if envelope.payload_type == payload_type("root") && envelope.signatures.is_empty() {
        return Ok((Root::parse(&envelope.payload).map_err(refused)?, true));
    }
    let (root, _) = Root::verify_first(&bytes, None).map_err(|fault| {
        Failure::refused(format!("{name}: {fault}; a draft that some have signed is not changed any more"))
    })?;
    Ok((root, false))
}

fn envelope(root: &Root) -> Result<Envelope, Failure> {
    let payload = serde_json::to_vec_pretty(root).map_err(|fault| Failure::usage(fault.to_string()))?;
    Ok(Envelope { payload_type: payload_type("root"), payload, signatures: Vec::new() })
}

/// Whether the keys that still sign reach each threshold; nothing could ever replace a root that cannot be signed.
fn check_reachable(root: &Root) -> Result<(), Failure> {
    for (name, role) in &root.roles {
        let active = |id: &&KeyId| root.keys.get(id).is_some_and(|key| key.state == KeyState::Active);
        let (active, need) = (role.keyids.iter().filter(active).count(), role.threshold);
        if active >= need {
            continue;
        }
        let text = format!(
            "role {name} has {active} active keys, and {need} must sign; add a key, or lower the threshold"
        );
        if *name == RoleName::Root {
            return Err(Failure::usage(text));
        }
        note(&format!("warning: {text}"));
    }
    Ok(())
}

/// The role of this name, which the root must have.
pub fn role(root: &mut Root, name: RoleName) -> Result<&mut Role, Failure> {
    root.roles
        .get_mut(&name)
        .ok_or_else(|| Failure::usage(format!("the root has no role {name}; add a key to it first")))
}

/// The key that is meant by its file, its label, its identifier or the beginning of that.
pub fn named(root: &Root, name: &str) -> Result<KeyId, Failure> {
    let of_file = Path::new(name).is_file().then(|| files::public_key(Path::new(name))).transpose()?;
    let is = |id: &KeyId, label: &str| match &of_file {
        Some(key) => *id == key.id(),
        None => label == name || name.len() >= PREFIX && id.to_string().starts_with(name),
    };
    let mut found = root.keys.iter().filter(|(id, key)| is(id, &key.label)).map(|(id, _)| *id);
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(Failure::refused(format!(
            "no key of the root is `{name}`; name it by its file, its label or the first {PREFIX} digits of its id"
        ))),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("several keys of the root are `{name}`; name one by its id")))
        }
    }
}
