//! `calibctl fleet prior`

mod collect;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use self::collect::{LeftOut, Made, Source, Spot, made};
use super::book::{Book, Ignored};
use super::link::Heard;
use super::proposal::heard;
use super::reach::{Reach, Session};
use super::said::read;
use super::topic::{About, Up};
use super::{ignored, table};
use crate::ctl::expiry::expiry;
use crate::ctl::files;
use crate::ctl::gateway::block_on;
use crate::ctl::output::{Failure, note, print_json, print_lines, print_table, significant};
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::Transform;
use crate::domain::trust::envelope::{Envelope, type_name};
use crate::domain::trust::prior::{ModelPrior, SCHEMA};

const EXAMPLES: &str = "examples:
  calibctl fleet prior alphasense-co-b4 -o b4-1.json --root root.json --broker mqtts://broker.example:8884 \\
      --fleet plant-7 --ca gateways-ca.pem --cert reader.pem --key reader.key

  then, where the key of the fleet is, and from where the broker is reached:
  calibctl sign b4-1.json --key fleet.key.pem -o b4-1.dsse.json
  calibctl fleet push b4-1.dsse.json --all --root root.json --broker mqtts://broker.example:8884 \\
      --fleet plant-7 --ca gateways-ca.pem --cert control.pem --key control.key

Counts are the lines and planes in force at sensors that are enrolled with the model, each fitted for one sensor alone and
without a prior, with covariance, residual_std and degrees_of_freedom. At least four sensors for each parameter are needed.";

/// Sensors that are named of each cause to leave some out.
const NAMED: usize = 5;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct PriorArgs {
    /// The sensor model, as enrolments name it.
    #[arg(value_name = "MODEL")]
    model: Id,
    /// Its version; absent: one above what the broker keeps.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    version: Option<u64>,
    /// When it expires: a time, or a number of days.
    #[arg(long, value_name = "TIME", default_value = "365d")]
    expires: String,
    /// Where to write it; `-` is stdout.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Serialize)]
struct Report<'a> {
    prior: &'a ModelPrior,
    used: &'a [Spot],
    left_out: &'a [LeftOut],
    output: &'a PathBuf,
    ignored: Vec<&'a Ignored>,
}

pub fn run(args: &PriorArgs) -> Result<ExitCode, Failure> {
    if args.reach.json && args.output.as_os_str() == "-" {
        return Err(Failure::usage("--json and a prior on stdout exclude each other"));
    }
    block_on(async {
        let mut session = args.reach.open(None).await?;
        let sources = sources(&mut session, args.model.as_str()).await?;
        let kept = newest(&mut session, &args.model).await?;
        let found = made(sources);
        let Made { fit, formula, used } =
            found.result.map_err(|problem| refused(args, &problem, &found.left_out))?;
        let now = session.now;
        let prior = ModelPrior {
            schema: SCHEMA,
            fleet: args.reach.fleet().clone(),
            model: args.model.to_string(),
            version: args.version.unwrap_or(kept + 1),
            input_unit: formula.input_unit,
            output_unit: formula.output_unit,
            covariates: formula.covariates,
            fit,
            sensors: used.len() as u64,
            issued_at: now,
            expires: expiry(&args.expires, now)?,
        };
        prior.check().map_err(|refusal| Failure::refused(refusal.message))?;
        let text =
            serde_json::to_string_pretty(&prior).map_err(|fault| Failure::usage(format!("json: {fault}")))?;
        files::write_out(Some(&args.output), format!("{text}\n").as_bytes())?;
        if args.reach.json {
            print_json(&Report {
                prior: &prior,
                used: &used,
                left_out: &found.left_out,
                output: &args.output,
                ignored: ignored(&session),
            })?;
        } else {
            if args.output.as_os_str() != "-" {
                show(&prior, found.left_out.len())?;
            }
            notes(&found.left_out);
            session.notes();
        }
        session.link.leave().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn refused(args: &PriorArgs, problem: &str, left_out: &[LeftOut]) -> Failure {
    notes(left_out);
    Failure::refused(format!("no prior of {}: {problem}", args.model))
}

/// All sensors of a model, with what is in force there.
async fn sources(session: &mut Session, model: &str) -> Result<Vec<Source>, Failure> {
    let places = places(&session.book, model);
    let mut found: BTreeMap<Digest, (Transform, bool)> = BTreeMap::new();
    session
        .gateways_by(&[Up::Reported, Up::Proposal], &mut |book, message, now| {
            if let Some((place, proposed)) = heard(book, message, now)
                && places.contains(&place)
            {
                found.insert(proposed.digest, (proposed.transform, proposed.doubt.is_none()));
            }
        })
        .await?;
    let known = session.book.trust.root().is_some();
    let active = |book: &Book, (gateway, sensor): &Spot| {
        let sensor = book.gateways.get(gateway)?.sensors.get(sensor)?;
        Some(sensor.active.as_ref()?.digest)
    };
    let wanted: BTreeSet<Digest> = places.iter().filter_map(|place| active(&session.book, place)).collect();
    let below = ["down/all/transform/+", "down/group/+/transform/+", "down/gw/+/transform/+"];
    session
        .fetch_by(&below, &mut |book, message, now| {
            if let Some((digest, transform, verified)) = artifact(book, message, now, &wanted) {
                let before = found.entry(digest).or_insert((transform, false));
                before.1 |= verified;
            }
        })
        .await?;
    let source = |place: Spot| {
        let sensor = session.book.gateways.get(&place.0).and_then(|gateway| gateway.sensors.get(&place.1));
        let sensor = sensor.filter(|sensor| sensor.is_reported);
        let outcome = match sensor.map(|sensor| (sensor.verified || !known, &sensor.active)) {
            None => Err("its gateway reports nothing of it"),
            Some((false, _)) => Err("its report is not signed with the enrolled key"),
            Some((true, None)) => Err("no transform is in force"),
            Some((true, Some(active))) => match found.get(&active.digest) {
                None => Err("the broker does not keep the transform in force"),
                Some((_, false)) if known => Err("no key of the trust root signed the transform in force"),
                Some((transform, _)) => Ok(transform.clone()),
            },
        };
        Source { place, transform: outcome.map_err(str::to_owned) }
    };
    Ok(places.into_iter().map(source).collect())
}

/// The sensors that are enrolled with a model, by a root that is trusted if there is one.
fn places(book: &Book, model: &str) -> BTreeSet<Spot> {
    let known = book.trust.root().is_some();
    let enrolled = book.gateways.iter().filter_map(|(id, gateway)| Some((id, gateway.enrolled.as_ref()?)));
    let enrolled = enrolled.filter(|(_, enrolled)| enrolled.verified || !known);
    let sensors = enrolled.flat_map(|(gateway, enrolled)| {
        let ours = enrolled.enrolment.sensors.iter();
        let ours = ours.filter(|(_, sensor)| sensor.model.as_deref() == Some(model));
        ours.map(move |(sensor, _)| (gateway.clone(), sensor.clone()))
    });
    sensors.collect()
}

/// A transform that the broker keeps, if it is one of the wanted, and whether the fleet signed it.
fn artifact(
    book: &mut Book,
    heard: &Heard<'_>,
    now: Timestamp,
    wanted: &BTreeSet<Digest>,
) -> Option<(Digest, Transform, bool)> {
    let envelope = Envelope::parse(heard.payload).ok()?;
    let digest = envelope.digest();
    if !wanted.contains(&digest) || type_name(&envelope.payload_type) != Some("transform") {
        return None;
    }
    let transform = Transform::parse(&envelope.payload).ok()?;
    Some((digest, transform, book.is_by_the_fleet("transform", heard.payload, now)))
}

/// The version of the prior that the broker keeps of a model, if the fleet signed it, or nobody knows who should.
async fn newest(session: &mut Session, model: &Id) -> Result<u64, Failure> {
    let (topic, mut newest) = (format!("down/all/prior/{model}"), 0);
    session
        .fetch_by(&[&topic], &mut |book, message, now| {
            let ours = matches!(
                About::parse(&book.fleet, &String::from_utf8_lossy(message.topic)),
                Some(About::Prior(_))
            );
            let good = book.trust.root().is_none() || book.is_by_the_fleet("prior", message.payload, now);
            let prior = Envelope::parse(message.payload).ok().filter(|_| ours && good);
            let prior: Option<ModelPrior> = prior.and_then(|envelope| read(&envelope.payload));
            newest = newest.max(prior.map_or(0, |prior| prior.version));
        })
        .await?;
    Ok(newest)
}

fn show(prior: &ModelPrior, left_out: usize) -> Result<(), Failure> {
    let ModelPrior { model, version, sensors, fit, input_unit, output_unit, .. } = prior;
    let all = sensors + left_out as u64;
    print_lines(&format!(
        "prior {version} of {model}, from {input_unit} to {output_unit}: of {sensors} sensors out of {all}\n"
    ))?;
    let row = |(at, name): (usize, &String)| {
        let std = fit.covariance[at][at].sqrt();
        [name.clone(), significant(fit.parameters[at], 6), significant(std, 3)]
    };
    let rows = fit.parameter_names.iter().enumerate().map(row);
    print_table(&table(["PARAMETER", "MEAN", "STD"], rows), 0)?;
    let (std, freedom) = (significant(fit.residual_std, 4), significant(fit.degrees_of_freedom, 3));
    print_lines(&format!("residual_std {std} {output_unit}, {freedom} degrees of freedom\n"))
}

fn notes(left_out: &[LeftOut]) {
    let mut causes: BTreeMap<&str, Vec<&LeftOut>> = BTreeMap::new();
    for one in left_out {
        causes.entry(&one.reason).or_default().push(one);
    }
    for (reason, ones) in causes {
        let named = ones.iter().take(NAMED).map(|one| format!("{} at {}", one.sensor, one.gateway));
        let named = named.collect::<Vec<_>>().join(", ");
        let more = if ones.len() > NAMED { ", ..." } else { "" };
        let count = ones.len();
        note(&format!("note: {count} left out, {reason}: {named}{more}"));
    }
}
