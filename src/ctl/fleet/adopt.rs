//! `calibctl fleet adopt`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::book::Kept;
use super::proposal::{Proposed, heard, is_in_force};
use super::reach::{Reach, Session};
use super::said::read;
use super::topic::{About, Up};
use crate::ctl::expiry::expiry;
use crate::ctl::files;
use crate::ctl::gateway::block_on;
use crate::ctl::output::{Failure, note, print_json, print_lines};
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::Transform;
use crate::domain::transform::compile;
use crate::domain::trust::target::LOCAL_PREFIX;
use crate::wire::message::Checkpoint;

const EXAMPLES: &str = "examples:
  calibctl fleet adopt gw-1 co-1 --id co -o co-8.json --root root.json --broker mqtts://broker.example:8884 \\
      --fleet plant-7 --ca gateways-ca.pem --cert reader.pem --key reader.key

  then, where the key of the fleet is, and from where the broker is reached:
  calibctl sign co-8.json --key fleet.key.pem -o co-8.dsse.json
  calibctl fleet push co-8.dsse.json --gateway gw-1 --root root.json --broker mqtts://broker.example:8884 \\
      --fleet plant-7 --ca gateways-ca.pem --cert control.pem --key control.key

The transform is for this one sensor, and takes the place of the local one (`supersedes`). Its version is one above what the
broker keeps of the id, and what the gateway has accepted of it.";

/// The last version that there can be: integers in artifacts are below 2^53.
const MOST_VERSION: u64 = (1 << 53) - 1;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct AdoptArgs {
    /// The gateway.
    #[arg(value_name = "GATEWAY")]
    gateway: Id,
    /// The sensor.
    #[arg(value_name = "SENSOR")]
    sensor: Id,
    /// The id that the transform is to have: that of the fleet's transform at the sensor, or another one.
    #[arg(long, value_name = "ID")]
    id: Id,
    /// Its version; absent: the next one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    version: Option<u64>,
    /// Another id of the fleet's that it retires at the sensor; may be given several times.
    #[arg(long, value_name = "ID")]
    replaces: Vec<Id>,
    /// When it expires: a time, or a number of days like 365d; absent: when the local one does.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Where to write it; `-` is stdout.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    reach: Reach,
}

pub fn run(args: &AdoptArgs) -> Result<ExitCode, Failure> {
    if args.id.as_str().starts_with(LOCAL_PREFIX) {
        let text = format!("--id {}: ids with `{LOCAL_PREFIX}` are for maintenance, take another", args.id);
        return Err(Failure::usage(text));
    }
    if args.reach.json && args.output.as_os_str() == "-" {
        return Err(Failure::usage("--json and a transform on stdout exclude each other"));
    }
    block_on(async {
        let mut session = args.reach.open(None).await?;
        let (proposed, floor) = fetch(&mut session, args).await?;
        check(&session, args, &proposed)?;
        let transform = adopted(&session, args, &proposed.transform, floor, proposed.digest)?;
        let text = written(&transform)?;
        files::write_out(Some(&args.output), text.as_bytes())?;
        let (id, version) = (&transform.id, transform.version);
        if args.reach.json {
            print_json(&json!({
                "gateway": args.gateway, "sensor": args.sensor, "id": id, "version": version,
                "epoch": transform.epoch, "supersedes": transform.supersedes, "output": args.output,
                "verified": proposed.doubt.is_none(),
            }))?;
        } else if args.output.as_os_str() != "-" {
            let (path, gateway) = (args.output.display(), &args.gateway);
            print_lines(&format!(
                "{path}: transform {id} version {version}; sign it with `calibctl sign`, publish it with `calibctl fleet push --gateway {gateway}`\n"
            ))?;
        }
        if !args.reach.json {
            session.notes();
        }
        session.link.leave().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// What is proposed, and the newest version that the gateway has accepted of the id.
async fn fetch(session: &mut Session, args: &AdoptArgs) -> Result<(Proposed, u64), Failure> {
    let AdoptArgs { gateway, sensor, id, .. } = args;
    let kept = ["down/all", "down/group/+", "down/gw/+"].map(|branch| format!("{branch}/transform/{id}"));
    session.fetch(&kept.each_ref().map(String::as_str)).await?;
    let below = [
        format!("up/{gateway}/reported/{sensor}"),
        format!("up/{gateway}/proposal/{sensor}"),
        format!("up/{gateway}/checkpoint"),
    ];
    let (mut found, mut floor) = (None, 0);
    let known = session.book.trust.root().is_some();
    session
        .fetch_by(&below.each_ref().map(String::as_str), &mut |book, message, now| {
            let topic = String::from_utf8_lossy(message.topic);
            if let Some(About::Up(gateway, Up::Checkpoint, None)) = About::parse(&book.fleet, &topic) {
                let opened = book.open(&gateway, Up::Checkpoint, message.payload);
                // What anybody may have written would use up the numbers of the id.
                let opened = opened.filter(|opened| opened.verified || !known);
                let said: Option<Checkpoint> = opened.and_then(|opened| read(&opened.payload));
                floor = said.and_then(|said| Some(said.floors.get(id)?.version)).unwrap_or(0);
            } else if let Some((_, proposed)) = heard(book, message, now) {
                found = Some(proposed);
            }
        })
        .await?;
    let nothing = || {
        Failure::refused(format!(
            "{gateway} proposes nothing for sensor {sensor}: see what there is with `calibctl fleet proposals`"
        ))
    };
    Ok((found.ok_or_else(nothing)?, floor))
}

/// What nobody can answer for is not adopted.
fn check(session: &Session, args: &AdoptArgs, proposed: &Proposed) -> Result<(), Failure> {
    let AdoptArgs { gateway, sensor, .. } = args;
    let known = session.book.trust.root().is_some();
    if let Some(doubt) = proposed.doubt.as_ref().filter(|_| known) {
        return Err(Failure::refused(format!(
            "what {gateway} proposes for {sensor} is unverified, and not adopted: {doubt}"
        )));
    }
    match is_in_force(&session.book, gateway, sensor, proposed.digest) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::refused(format!(
            "{gateway} reports that another transform is in force at {sensor} than the one that it proposes: try again, or see `calibctl fleet proposals`"
        ))),
        None if known => Err(Failure::refused(format!(
            "{gateway} does not say, signed with its enrolled key, that what it proposes is in force at {sensor}: enrol it, or see that it is connected"
        ))),
        None => {
            note(&format!("warning: nobody says that this is in force at {sensor}"));
            Ok(())
        }
    }
}

fn adopted(
    session: &Session,
    args: &AdoptArgs,
    local: &Transform,
    floor: u64,
    digest: Digest,
) -> Result<Transform, Failure> {
    let known = session.book.trust.root().is_some();
    let counts =
        |(about, kept): &(&About, &Kept)| matches!(about, About::Transform(..)) && (kept.verified || !known);
    let newest =
        session.book.desired.iter().filter(counts).map(|(_, kept)| kept.number).max().unwrap_or(0).max(floor);
    let next = args.version.or_else(|| newest.checked_add(1).filter(|next| *next <= MOST_VERSION));
    let version = next.ok_or_else(|| {
        Failure::refused(format!(
            "version {newest} of {} is the last that there can be: take another --id",
            args.id
        ))
    })?;
    let now: Timestamp = session.now;
    let expires = args.expires.as_deref().map(|text| expiry(text, now)).transpose()?;
    let expires = expires.unwrap_or(local.expires);
    if expires <= now {
        return Err(Failure::refused(format!(
            "the local transform expired at {expires}: say how long this one is to hold with --expires"
        )));
    }
    let mut transform = local.clone();
    let comment = format!("adopted from {} version {} of {}", local.id, local.version, args.gateway);
    transform.provenance.comment = Some(match &local.provenance.comment {
        Some(before) => format!("{comment}; {before}"),
        None => comment,
    });
    let epoch = session.book.trust.root().map_or(local.epoch, |root| root.epoch);
    Ok(Transform {
        id: args.id.clone(),
        epoch,
        version,
        replaces: args.replaces.clone(),
        supersedes: vec![digest],
        issued_at: now,
        not_before: None,
        expires,
        rollout: None,
        ..transform
    })
}

/// Its text, which passes the checks of content that gateways make.
fn written(transform: &Transform) -> Result<String, Failure> {
    let refused = |fault: String| Failure::refused(format!("what is proposed makes no transform: {fault}"));
    let text = serde_json::to_string_pretty(transform).map_err(|fault| refused(fault.to_string()))? + "\n";
    let again = Transform::parse(text.as_bytes()).and_then(|it| compile(&it));
    again.map_err(|fault| refused(fault.to_string()))?;
    Ok(text)
}
