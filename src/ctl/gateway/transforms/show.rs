//! `calibctl transform show`

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::super::show::{clean, time};
use super::super::{Asked, client};
use super::chosen::{accepted, held, in_force};
use super::fields::{said, shown};
use crate::ctl::output::{Failure, print, print_json, print_screen, wrapped};
use crate::domain::id::SensorId;
use crate::domain::transform::artifact::{Cohort, DomainSpec, Transform};
use crate::domain::transform::stage::StageSpec;
use crate::wire::control::{HeldTransform, Sensor};

const EXAMPLES: &str = "examples:
  calibctl transform show co-1
  calibctl transform show 9f2c41aa --json
  calibctl transform show co-electrochemical --envelope > co.dsse.json";

/// Columns before a field's text.
const INDENT: usize = 15;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowArgs {
    /// A transform's id (its newest version), its digest or the first 8 digits of that, or a sensor.
    #[arg(value_name = "NAME", required_unless_present = "sensor", conflicts_with = "sensor")]
    name: Option<String>,
    /// What is in force at this sensor.
    #[arg(long, value_name = "ID")]
    sensor: Option<SensorId>,
    /// Writes the signed envelope, to be verified elsewhere.
    #[arg(long, conflicts_with = "json")]
    envelope: bool,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &ShowArgs) -> Result<ExitCode, Failure> {
    let found = find(args)?;
    if args.asked.json {
        print_json(&found)?;
    } else if args.envelope {
        print(format!("{}\n", found.envelope).as_bytes())?;
    } else {
        print_screen(&text(&found, &accepted(&found)?.transform))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn find(args: &ShowArgs) -> Result<HeldTransform, Failure> {
    if let Some(sensor) = &args.sensor {
        let found: Sensor = client::get(&args.asked, &format!("/v1/sensors/{sensor}"))?;
        let raw =
            || Failure::refused(format!("no transform is in force at {sensor}: its readings go out raw"));
        return held(&args.asked, &found.transform.ok_or_else(raw)?.digest.to_string());
    }
    let name = args.name.as_deref().unwrap_or_default();
    let running = in_force(&args.asked)?.transforms;
    // An id comes before a sensor of the same name.
    let by_id = running.iter().any(|transform| transform.id.as_str() == name);
    let at = running.iter().find(|transform| transform.sensor.as_str() == name).filter(|_| !by_id);
    held(&args.asked, &at.map_or_else(|| name.to_owned(), |transform| transform.digest.to_string()))
}

fn text(held: &HeldTransform, transform: &Transform) -> String {
    let names = |list: &[SensorId]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut out = wrapped(&format!("{} version {}", held.id, held.version), 0) + "\n";
    let mut row = |name: &str, text: String| {
        if !text.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "  {name:<12} {}", wrapped(&text, INDENT));
        }
    };
    row("digest", held.digest.to_string());
    row("in force", if held.sensors.is_empty() { "nowhere".to_owned() } else { names(&held.sensors) });
    row("accepted", time(held.accepted));
    row("signed by", held.keyids.iter().map(|id| clean(id)).collect::<Vec<_>>().join(" "));
    row("target", joined(&said(&transform.target)));
    row("quantity", clean(&transform.quantity));
    row("units", format!("{} to {}", clean(&transform.input_unit), clean(&transform.output_unit)));
    for (number, stage) in transform.pipeline.iter().enumerate() {
        row(&format!("stage {}", number + 1), described(stage));
    }
    transform.cohorts.iter().for_each(|it| row("cohort", cohort(it)));
    row("domain", domain(&transform.domain, transform));
    row("uncertainty", joined(&said(&transform.uncertainty)));
    row("limits", joined(&said(&transform.limits)));
    row("replaces", names(&transform.replaces));
    row("supersedes", transform.supersedes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    row("validity", validity(transform));
    row("rollout", transform.rollout.as_ref().map_or(String::new(), |rollout| joined(&said(rollout))));
    row("provenance", joined(&said(&transform.provenance)));
    out
}

fn joined(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(name, text)| format!("{name} {text}")).collect::<Vec<_>>().join(", ")
}

fn described(stage: &StageSpec) -> String {
    let (kind, rest): (Vec<_>, Vec<_>) = said(stage).into_iter().partition(|(name, _)| name == "kind");
    let kind = kind.into_iter().map(|(_, kind)| kind).collect::<String>();
    if rest.is_empty() { kind } else { format!("{kind}: {}", joined(&rest)) }
}

fn cohort(cohort: &Cohort) -> String {
    let stages: Vec<String> = cohort.pipeline.iter().map(described).collect();
    let stages = if stages.is_empty() { "the stages above".to_owned() } else { stages.join("; then ") };
    format!("{}, where {}: {stages}", clean(&cohort.name), joined(&said(&cohort.when)))
}

fn domain(domain: &DomainSpec, transform: &Transform) -> String {
    let range = |name: &str, bounds: &[f64; 2], unit: &str| {
        format!("{} from {} to {} {}", clean(name), bounds[0], bounds[1], clean(unit)).trim_end().to_owned()
    };
    let input = domain.input.iter().map(|bounds| range("input", bounds, &transform.input_unit));
    let output = domain.output.iter().map(|bounds| range("output", bounds, &transform.output_unit));
    let covariates = domain.covariates.iter().map(|(role, bounds)| range(role, bounds, ""));
    let outside = serde_json::to_value(domain.outside).unwrap_or_default();
    let parts = input.chain(output).chain(covariates).chain([format!("outside: {}", shown(&outside))]);
    parts.collect::<Vec<_>>().join("; ")
}

fn validity(transform: &Transform) -> String {
    let begin = transform.not_before.map_or(String::new(), |begin| format!(", not before {}", time(begin)));
    format!("issued {}{begin}, expires {}", time(transform.issued_at), time(transform.expires))
}
