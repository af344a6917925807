//! `calibctl verify`: a gateway's checks, away from it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::files;
use super::output::{Failure, print, print_json};
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::Transform;
use crate::domain::trust::enrolment::{self, Enrolment, Standpoint, verify_enrolment};
use crate::domain::trust::envelope::{Envelope, type_name};
use crate::domain::trust::key::KeyId;
use crate::domain::trust::reason::Reason;
use crate::domain::trust::root::{RoleName, Root};
use crate::domain::trust::rotation::{Succession, verify_successor};
use crate::domain::trust::scope::Place;
use crate::domain::trust::slot::{Before, Slot};
use crate::domain::trust::target::SensorFacts;
use crate::domain::trust::time::TimeView;
use crate::domain::trust::verify::{
    Context, Refused, Signed, Verified, verify_envelope, verify_stored, verify_transform, verify_typed,
};
use crate::runtime::clock::system_now;

mod certificate;
mod command;
mod manifest;
mod order;
mod prior;

/// What is said of what passed.
const EVERY: &str = "every check that can be made here passed";

const EXAMPLES: &str = "examples:
  calibctl verify co-7.dsse.json --root root.json --gateway gw-0042
  calibctl verify north-2.dsse.json --root root.json --enrolment gw-0042.enrolment.json
  calibctl verify co-7.dsse.json --root root.json --now 2027-06-01T00:00:00Z --json
  calibctl verify gw-1-2026-0007.certificate.json --root root.json --gateway gw-1

Only the gateway knows its sensors and what it accepted before; what was not checked is listed.
Keys of certificates count as of the moment of issue.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct VerifyArgs {
    /// A signed artifact; `-` is stdin.
    file: PathBuf,
    /// The signed trust root; without one every artifact is refused as `no_root`.
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// The gateway it is for, or of a certificate the one that issued it; absent: which one it is, is not checked.
    #[arg(long, value_name = "ID")]
    gateway: Option<Id>,
    /// The gateway's signed enrolment: what proves its groups, models and tags.
    #[arg(long, value_name = "FILE", requires = "root")]
    enrolment: Option<PathBuf>,
    /// The time to judge by; absent: this machine's.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    now: Option<Timestamp>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// The answer, as `--json` prints it.
#[derive(Serialize)]
pub struct Report {
    verdict: &'static str,
    /// Why it is refused; `None`: it is not.
    pub reason: Option<Reason>,
    /// A sentence.
    pub message: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    digest: Option<Digest>,
    id: Option<Id>,
    version: Option<u64>,
    role: Option<RoleName>,
    keyids: Vec<KeyId>,
    /// What only the gateway can check, by the reason codes that it may still answer with.
    not_checked: Vec<&'static str>,
    /// Of a certificate: its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    /// What whoever relies on it should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

pub fn run(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let root = args.root.as_deref().map(files::root).transpose()?;
    let now = args.now.unwrap_or_else(system_now);
    let given = root.as_ref().map(|(root, digest)| (root, *digest));
    let enrolled = args.enrolment.as_deref().map(|path| read_enrolment(path, given)).transpose()?;
    let gateway = args.gateway.as_ref().or_else(|| Some(&enrolled.as_ref()?.gateway));
    let whose = Place { gateway, enrolment: enrolled.as_ref() };
    let report = report(&files::read(&args.file)?, given, whose, now);
    if args.json {
        print_json(&report)?;
    } else {
        print(text(&report).as_bytes())?;
    }
    Ok(ExitCode::from(u8::from(report.reason.is_some())))
}

fn read_enrolment(path: &Path, given: Option<(&Root, Digest)>) -> Result<Enrolment, Failure> {
    let name = path.display();
    let Some((root, _)) = given else { return Err(Failure::usage("--enrolment is verified by --root")) };
    let kept = enrolment::verify_kept(&files::read(path)?, root);
    kept.map(|(_, enrolment)| enrolment).map_err(|refusal| Failure::refused(format!("{name}: {refusal}")))
}

/// Judges an artifact by the root that is given, and as this gateway would, if one is named.
pub fn report(bytes: &[u8], given: Option<(&Root, Digest)>, whose: Place<'_>, now: Timestamp) -> Report {
    let root = given.map(|(root, _)| root);
    let time = TimeView { now, trusted: true, floor: Timestamp::EPOCH };
    let kind = Envelope::parse(bytes).ok().map(|envelope| envelope.payload_type);
    let judged = match kind.as_deref().and_then(type_name) {
        Some("transform") => transform(bytes, root, whose, time),
        Some("root") => successor(bytes, given),
        Some("certificate") => certificate::judge(bytes, root, whose, now),
        Some("command") => command::judge(bytes, root, whose, time),
        Some("manifest") => manifest::judge(bytes, root, whose.gateway, time),
        Some("prior") => prior::judge(bytes, root, time),
        Some("enrolment") => judge_enrolment(bytes, root, whose.gateway, time),
        Some("order") => order::judge(bytes, root, time),
        _ => verify_envelope(bytes, root, &time).map(|signed| accepted(signed, vec!["content"])),
    };
    Report { kind, ..judged.unwrap_or_else(refused) }
}

fn refused(refused: Refused) -> Report {
    let Refused { refusal, digest, id, version, .. } = refused;
    Report {
        verdict: "refused",
        reason: Some(refusal.reason),
        message: refusal.message,
        kind: None,
        digest,
        id,
        version,
        role: None,
        keyids: vec![],
        not_checked: vec![],
        number: None,
        notes: vec![],
    }
}

fn accepted(signed: Signed, not_checked: Vec<&'static str>) -> Report {
    let enough = signed.candidates.into_iter().find_map(|c| Some((c.role, c.outcome.ok()?)));
    let (role, keyids) = enough.map_or((None, vec![]), |(role, keyids)| (Some(role), keyids));
    Report {
        verdict: "accepted",
        reason: None,
        message: EVERY.to_owned(),
        kind: None,
        digest: Some(signed.digest),
        id: None,
        version: None,
        role,
        keyids,
        not_checked,
        number: None,
        notes: vec![],
    }
}

/// An enrolment, away from the gateway, which alone knows its key and what it accepted before.
fn judge_enrolment(
    bytes: &[u8],
    root: Option<&Root>,
    gateway: Option<&Id>,
    time: TimeView,
) -> Result<Report, Refused> {
    let signed = verify_typed(bytes, "enrolment", root, &time)?;
    let digest = signed.digest;
    let refuse =
        |refusal| Refused { refusal, digest: Some(digest), id: None, version: None, by_known_key: true };
    let claimed = Enrolment::parse(&signed.envelope.payload).map_err(refuse)?;
    let known = gateway.unwrap_or(&claimed.gateway);
    let standpoint = Standpoint {
        root,
        fleet: root.map_or(&claimed.fleet, |root| &root.fleet),
        gateway: Some((known, claimed.public_key.id())),
        time,
        floor: None,
    };
    let enrolled = verify_enrolment(bytes, &standpoint)?;
    let not_checked = vec!["not_for_this_gateway", "rolled_back_version", "conflicting_version"];
    Ok(Report { version: Some(enrolled.enrolment.version), ..accepted(signed, not_checked) })
}

/// A root that follows the given one, or is that.
fn successor(bytes: &[u8], given: Option<(&Root, Digest)>) -> Result<Report, Refused> {
    let root = given.map(|(root, _)| root);
    let known: Vec<_> = given.map(|(root, digest)| (root.version, digest)).into_iter().collect();
    let claimed = || Envelope::parse(bytes).ok().and_then(|envelope| Root::parse(&envelope.payload).ok());
    let fleet = root.map(|root| root.fleet.clone()).or_else(|| claimed().map(|root| root.fleet));
    let Some(fleet) = fleet else {
        // Neither a root nor a readable artifact: the checks end before the fleet.
        let time = TimeView { now: Timestamp::EPOCH, trusted: false, floor: Timestamp::EPOCH };
        return verify_envelope(bytes, root, &time).map(|signed| accepted(signed, vec![]));
    };
    let (version, digest, keyids) = match verify_successor(bytes, root, &known, &fleet)? {
        Succession::Known(version, digest) => (version, digest, Vec::new()),
        Succession::Next(next) => (next.root.version, next.digest, next.keyids),
    };
    Ok(Report {
        verdict: "accepted",
        reason: None,
        message: EVERY.to_owned(),
        kind: None,
        digest: Some(digest),
        id: None,
        version: Some(version),
        role: Some(RoleName::Root),
        keyids,
        not_checked: vec![],
        number: None,
        notes: vec![],
    })
}

/// Judges a transform that a gateway has accepted, by the root of now and by what is enrolled.
pub fn accepted_at(bytes: &[u8], root: &Root, whose: Place<'_>) -> Result<Verified, Refused> {
    let time = TimeView { now: root.issued_at, trusted: false, floor: root.issued_at };
    away(bytes, Some(root), &root.fleet, whose, time, verify_stored)
}

/// Judges a transform where each sensor is taken to be there.
fn away(
    bytes: &[u8],
    root: Option<&Root>,
    fleet: &Id,
    whose: Place<'_>,
    time: TimeView,
    judge: fn(&[u8], &Context<'_>) -> Result<Verified, Refused>,
) -> Result<Verified, Refused> {
    // Away from the gateway each sensor is taken to be there, with the unit and serial that are asked for or enrolled.
    let claimed = Envelope::parse(bytes).ok().and_then(|e| Transform::parse(&e.payload).ok());
    let facts = |sensor: &Id| {
        let transform = claimed.as_ref()?;
        let enrolled = whose.enrolment.and_then(|enrolment| enrolment.sensors.get(sensor));
        let serial = transform.target.serials.first().or_else(|| enrolled?.serial.as_ref());
        let (unit, serial) = (transform.input_unit.clone(), serial.cloned());
        Some(SensorFacts { unit, model: None, serial })
    };
    let unknown = Slot { before: Before::Unknown, ..Slot::default() };
    let context = Context {
        root,
        fleet,
        gateway: whose.gateway,
        enrolment: whose.enrolment,
        sensors: &facts,
        time,
        slots: &|_| unknown.clone(),
        floors: &|_| None,
        accepted: &|_| false,
        freshness: None,
    };
    judge(bytes, &context)
}

fn transform(bytes: &[u8], root: Option<&Root>, whose: Place<'_>, time: TimeView) -> Result<Report, Refused> {
    let claimed = Envelope::parse(bytes).ok().and_then(|e| Transform::parse(&e.payload).ok());
    // The fleet is the root's; the artifact still has to name the same.
    let fleet = root.map(|root| &root.fleet).or_else(|| claimed.as_ref().map(|t| &t.target.fleet));
    let Some(fleet) = fleet else {
        // Neither a root nor a readable artifact: the checks end before the fleet.
        return verify_envelope(bytes, root, &time).map(|signed| accepted(signed, vec!["content"]));
    };
    let verified = away(bytes, root, fleet, whose, time, verify_transform)?;
    let mut not_checked = vec![
        "unknown_sensor",
        "rolled_back_version",
        "conflicting_version",
        "conflict",
        "local_in_force",
        "unit_mismatch",
    ];
    if whose.gateway.is_none() {
        not_checked.splice(0..0, ["out_of_scope", "not_for_this_gateway"]);
    }
    // Only how far the value would move from what it is now; being monotone was checked.
    not_checked.push("limits_exceeded");
    Ok(Report {
        verdict: "accepted",
        reason: None,
        message: EVERY.to_owned(),
        kind: None,
        digest: Some(verified.digest),
        id: Some(verified.transform.id),
        version: Some(verified.transform.version),
        role: Some(verified.role),
        keyids: verified.keyids,
        not_checked,
        number: None,
        notes: vec![],
    })
}

fn text(report: &Report) -> String {
    let mut out = match report.reason {
        Some(reason) => format!("refused: {reason}\n  {}\n", report.message),
        None => "accepted\n".to_owned(),
    };
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "  {name:<11} {value}");
        }
    };
    line("type", report.kind.as_ref().map(|kind| kind.chars().filter(|c| !c.is_control()).collect()));
    line("digest", report.digest.map(|digest| digest.to_string()));
    line("number", report.number.clone());
    line("id", report.id.as_ref().map(Id::to_string));
    line("version", report.version.map(|version| version.to_string()));
    line("role", report.role.map(|role| role.to_string()));
    line("signed by", Some(report.keyids.iter().map(KeyId::to_string).collect::<Vec<_>>().join(" ")));
    line("not checked", Some(report.not_checked.join(", ")));
    report.notes.iter().for_each(|note| line("note", Some(note.clone())));
    out
}
