//! `calibctl fleet manifest`: which transforms of a branch are the newest, to be signed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::To;
use super::artifact::Artifact;
use super::book::{Book, Kept};
use super::reach::{Reach, Session};
use super::topic::{About, Branch};
use crate::config::scalar::parse_duration;
use crate::ctl::files;
use crate::ctl::gateway::block_on;
use crate::ctl::output::{Failure, note, print_json, print_lines};
use crate::ctl::verify;
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::time::micros;
use crate::domain::trust::manifest::{Listed, Manifest, SCHEMA};
use crate::domain::trust::scope::Place;

pub const MANIFEST: &str = "examples:
  calibctl fleet manifest --all -o m.json --root root.json --broker mqtts://broker.example:8884 \\
      --fleet plant-7 --ca gateways-ca.pem --cert reader.pem --key reader.key
  calibctl sign m.json --key snapshot.key.pem -o m.dsse.json
  calibctl fleet push m.dsse.json --all --root root.json --broker mqtts://broker.example:8884 \\
      --fleet plant-7 --ca gateways-ca.pem --cert control.pem --key control.key

  before a new version is pushed, so that it comes into force at once:
  calibctl fleet manifest --group north --with co-9.dsse.json --valid 7d -o m.json --root root.json \\
      --broker mqtt://127.0.0.1 --fleet plant-7

It lists what the broker keeps for exactly these gateways and the fleet has signed, and has the next version. Gateways with
trust.require_manifest put nothing else in force that comes that way; each of their branches needs one of its own.";

#[derive(Args)]
#[command(after_help = MANIFEST)]
pub struct ManifestArgs {
    #[command(flatten)]
    to: To,
    /// Lists this signed transform, too, which is pushed afterwards; may be given several times.
    #[arg(long = "with", value_name = "ENVELOPE")]
    with: Vec<PathBuf>,
    /// For how long it says what is current.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    valid: Duration,
    /// Where to write the manifest, to be signed; `-` is stdout.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    reach: Reach,
}

fn duration(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_secs(366 * 86_400);
    parse_duration(text)
        .filter(|valid| !valid.is_zero() && *valid <= longest)
        .ok_or_else(|| "write a time such as 12h or 7d, 366 days at most".to_owned())
}

pub fn run(args: &ManifestArgs) -> Result<ExitCode, Failure> {
    if args.reach.json && args.output == Path::new("-") {
        return Err(Failure::usage("--json and a manifest on stdout exclude each other"));
    }
    let branch = args.to.branch();
    let manifest = block_on(async {
        let mut session = args.reach.open(None).await?;
        let manifest = make(&mut session, args, &branch).await;
        session.link.leave().await;
        manifest
    })?;
    manifest.check().map_err(|fault| Failure::refused(fault.message))?;
    let payload =
        serde_json::to_vec_pretty(&manifest).map_err(|fault| Failure::usage(format!("json: {fault}")))?;
    files::write_out(Some(&args.output), &payload)?;
    say(&manifest, args)?;
    Ok(ExitCode::SUCCESS)
}

async fn make(session: &mut Session, args: &ManifestArgs, branch: &Branch) -> Result<Manifest, Failure> {
    let Some(root_version) = session.book.trust.root().map(|root| root.version) else {
        return Err(Failure::usage("--root is needed: a manifest lists what the root's keys have signed"));
    };
    session.fetch(&[&format!("down/{branch}/transform/+"), &format!("down/{branch}/manifest")]).await?;
    let mut listed = kept(&session.book, branch);
    for path in &args.with {
        let Listed(id, version, digest) = with(session, path)?;
        listed.insert(id, (version, digest));
    }
    let issued_at = session.now;
    Ok(Manifest {
        schema: SCHEMA,
        fleet: args.reach.fleet().clone(),
        branch: branch.clone(),
        version: next_version(&session.book, branch),
        root_version,
        transforms: listed.into_iter().map(|(id, (version, digest))| Listed(id, version, digest)).collect(),
        issued_at,
        expires: issued_at.saturating_add_micros(micros(args.valid)),
    })
}

/// The transforms that the broker keeps in a branch and the fleet has signed.
fn kept(book: &Book, branch: &Branch) -> BTreeMap<Id, (u64, Digest)> {
    let mut found = BTreeMap::new();
    for (about, Kept { digest, number, verified, .. }) in &book.desired {
        let About::Transform(on, id) = about else { continue };
        // What was fitted on a gateway is of that place, and asks for no manifest.
        if on != branch || id.as_str().starts_with("local-") {
            continue;
        }
        if *verified {
            found.insert(id.clone(), (*number, *digest));
        } else {
            note(&format!(
                "warning: transform {id} is left out: the root's keys have not signed what the broker keeps"
            ));
        }
    }
    found
}

/// A transform that is to be listed before it is pushed.
fn with(session: &Session, path: &Path) -> Result<Listed, Failure> {
    let name = path.display();
    let refused = |text: String| Failure::refused(format!("{name}: {text}"));
    let artifact = Artifact::parse(files::read(path)?).map_err(|fault| refused(fault.to_string()))?;
    let ("transform", Some(id), Some(version)) =
        (artifact.kind.as_str(), artifact.about_id(), artifact.version())
    else {
        return Err(refused(format!("holds a {}; a manifest lists transforms", artifact.kind)));
    };
    let nowhere = Place { gateway: None, enrolment: None };
    let report = verify::report(&artifact.bytes, session.book.trust.given(), nowhere, session.now);
    match report.reason.filter(|reason| !reason.waits()) {
        Some(reason) => Err(refused(format!("gateways refuse it: {reason}: {}", report.message))),
        None => Ok(Listed(id, version, artifact.digest)),
    }
}

/// One above that of the manifest that the broker keeps, if the root's keys signed it: anybody else could use up the
/// numbers.
fn next_version(book: &Book, branch: &Branch) -> u64 {
    let kept = book.desired.get(&About::Manifest(branch.clone())).filter(|kept| kept.verified);
    kept.map_or(0, |kept| kept.number) + 1
}

fn say(manifest: &Manifest, args: &ManifestArgs) -> Result<(), Failure> {
    if args.reach.json {
        return print_json(&json!({ "manifest": manifest, "output": args.output }));
    }
    let (version, count) = (manifest.version, manifest.transforms.len());
    let (words, expires) = (manifest.branch.words(), manifest.expires);
    note(&format!("note: sign it with `calibctl sign`, publish it with `calibctl fleet push` for {words}"));
    if args.output == Path::new("-") {
        return Ok(());
    }
    let transforms = if count == 1 { "transform" } else { "transforms" };
    let mut lines = format!("manifest {version} for {words}: {count} {transforms}, until {expires}\n");
    for Listed(id, version, _) in &manifest.transforms {
        lines.push_str(&format!("  {id} {version}\n"));
    }
    print_lines(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::fleet::trusted::Trust;

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn held(number: u64, verified: bool) -> Kept {
        Kept {
            digest: Digest::of(&[b"x"]),
            number,
            action: None,
            on: None,
            names: Default::default(),
            verified,
        }
    }

    #[test]
    fn what_the_fleet_signed_in_the_branch_is_listed() {
        let mut book = Book::new(id("f"), Trust::new(None), None);
        let north = Branch::Group(id("north"));
        for (about, kept) in [
            (About::Transform(north.clone(), id("co")), held(7, true)),
            (About::Transform(north.clone(), id("no2")), held(3, false)),
            (About::Transform(north.clone(), id("local-co-1")), held(1, true)),
            (About::Transform(Branch::All, id("so2")), held(2, true)),
            (About::Order(north.clone(), id("co")), held(9, true)),
        ] {
            book.desired.insert(about, kept);
        }
        let found = kept(&book, &north);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(id("co"), (7, Digest::of(&[b"x"])))]);
    }

    #[test]
    fn the_version_is_one_above_that_of_the_fleet() {
        let mut book = Book::new(id("f"), Trust::new(None), None);
        assert_eq!(next_version(&book, &Branch::All), 1);
        book.desired.insert(About::Manifest(Branch::All), held(4, true));
        book.desired.insert(About::Manifest(Branch::Gateway(id("g"))), held(400, false));
        assert_eq!(next_version(&book, &Branch::All), 5);
        assert_eq!(next_version(&book, &Branch::Gateway(id("g"))), 1);
    }

    #[test]
    fn a_manifest_is_for_a_year_at_most() {
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for bad in ["0s", "400d", "soon"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
