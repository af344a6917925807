//! `calibctl sign`: signs artifacts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::files;
use super::output::{Failure, note, print_json};
use super::passphrase::PassphraseArgs;
use crate::domain::strict_json;
use crate::domain::transform::artifact::Transform;
use crate::domain::transform::compile;
use crate::domain::trust::command::Command;
use crate::domain::trust::enrolment::Enrolment;
use crate::domain::trust::envelope::{Envelope, MAX_ARTIFACT, MAX_SIGNATURES, payload_type, type_name};
use crate::domain::trust::manifest::Manifest;
use crate::domain::trust::order::Order;
use crate::domain::trust::prior::ModelPrior;
use crate::domain::trust::root::Root;

const EXAMPLES: &str = "examples:
  calibctl sign co-7.json --key fleet.key.pem -o co-7.dsse.json

  where two must sign, the second one adds a signature to what the first one signed:
  calibctl sign co-7.dsse.json --key second.key.pem -o co-7.dsse.json";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct SignArgs {
    /// The artifact's JSON, or a signed one to add signatures to; `-` is stdin.
    file: PathBuf,
    /// Private key in PEM; may be given several times.
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// What the artifact is: transform, root, order, ... or a whole media type; absent: seen from its fields.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Where to write the envelope; absent or `-`: stdout.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Prints one JSON object with the digest; needs --output.
    #[arg(long, requires = "output")]
    json: bool,
}

pub fn run(args: &SignArgs) -> Result<ExitCode, Failure> {
    if args.json && args.output.as_deref() == Some(Path::new("-")) {
        return Err(Failure::usage("--json and an envelope on stdout exclude each other"));
    }
    let keys = args.passphrase.private_keys(&args.keys)?;
    let mut envelope = unsigned(args, files::read(&args.file)?)?;
    if let Some(fault) = doubt(&envelope) {
        note(&format!("warning: {}: gateways will refuse this: {fault}", args.file.display()));
    }
    envelope.add_signatures(&keys);
    let bytes = envelope.to_json();
    check_size(&envelope, &bytes)?;
    files::write_out(args.output.as_deref(), &bytes)?;
    if args.json {
        let keyids: Vec<_> = envelope.hints().collect();
        print_json(&json!({
            "digest": envelope.digest(), "type": envelope.payload_type, "keyids": keyids, "output": args.output,
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The envelope without the new signatures.
fn unsigned(args: &SignArgs, bytes: Vec<u8>) -> Result<Envelope, Failure> {
    let document = strict_json::parse(&bytes).ok();
    let wanted = args.kind.as_deref().map(full_type);
    if document.as_ref().is_some_and(|d| d.get("payloadType").is_some() && d.get("signatures").is_some()) {
        let envelope = Envelope::parse(&bytes)
            .map_err(|fault| Failure::refused(format!("{}: {fault}", args.file.display())))?;
        return match wanted {
            Some(wanted) if wanted != envelope.payload_type => Err(Failure::usage(format!(
                "{} is signed already, as `{}`; leave --type away",
                args.file.display(),
                envelope.payload_type
            ))),
            _ => Ok(envelope),
        };
    }
    let inferred = || document.as_ref().and_then(infer).map(payload_type);
    let payload_type = wanted.or_else(inferred).ok_or_else(|| {
        Failure::usage(format!("{}: not seen what artifact this is; say it with --type", args.file.display()))
    })?;
    Ok(Envelope { payload_type, payload: bytes, signatures: vec![] })
}

fn full_type(text: &str) -> String {
    if text.contains('/') { text.to_owned() } else { payload_type(text) }
}

/// What an artifact is, from the fields that only this kind has.
fn infer(document: &Value) -> Option<&'static str> {
    let has = |field| document.get(field).is_some();
    let kinds = [
        ("transform", has("pipeline") && has("target")),
        ("root", has("roles") && has("keys")),
        ("enrolment", has("gateway") && has("public_key")),
        ("order", has("action") && has("targets")),
        ("command", has("command") && has("targets")),
        ("prior", has("model") && has("fit")),
        ("manifest", has("branch") && has("transforms")),
    ];
    kinds.into_iter().find(|(_, fits)| *fits).map(|(kind, _)| kind)
}

/// Why no gateway would take the artifact, as far as its own bytes tell.
fn doubt(envelope: &Envelope) -> Option<String> {
    match type_name(&envelope.payload_type)? {
        "transform" => Transform::parse(&envelope.payload)
            .and_then(|t| compile(&t).map(drop))
            .err()
            .map(|f| f.to_string()),
        "enrolment" => Enrolment::parse(&envelope.payload).err().map(|fault| fault.message),
        "order" => Order::parse(&envelope.payload).err().map(|fault| fault.message),
        "command" => {
            Command::parse(&envelope.payload).and_then(|it| it.wanted().map(drop)).err().map(|it| it.message)
        }
        "prior" => ModelPrior::parse(&envelope.payload).and_then(|it| it.check()).err().map(|it| it.message),
        "manifest" => Manifest::parse(&envelope.payload).and_then(|it| it.check()).err().map(|it| it.message),
        "root" => Root::parse(&envelope.payload).err().map(|fault| fault.message),
        _ => strict_json::parse(&envelope.payload).err().map(|fault| fault.to_string()),
    }
}

fn check_size(envelope: &Envelope, bytes: &[u8]) -> Result<(), Failure> {
    if envelope.signatures.len() > MAX_SIGNATURES {
        return Err(Failure::refused(format!("an envelope holds at most {MAX_SIGNATURES} signatures")));
    }
    if bytes.len() > MAX_ARTIFACT {
        let size = bytes.len();
        return Err(Failure::refused(format!("the envelope has {size} bytes, gateways read {MAX_ARTIFACT}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_told_by_their_fields() {
        assert_eq!(infer(&json!({"pipeline": [], "target": {}})), Some("transform"));
        assert_eq!(infer(&json!({"roles": {}, "keys": {}})), Some("root"));
        assert_eq!(infer(&json!({"action": "retire", "targets": {}})), Some("order"));
        assert_eq!(infer(&json!({"command": "log_level", "targets": {}})), Some("command"));
        assert_eq!(infer(&json!({"model": "b4", "fit": {}})), Some("prior"));
        assert_eq!(infer(&json!({"branch": "all", "transforms": []})), Some("manifest"));
        assert_eq!(infer(&json!({})), None);
        assert_eq!(full_type("transform"), "application/vnd.calibd.transform+json");
        assert_eq!(full_type("text/plain"), "text/plain");
    }
}
