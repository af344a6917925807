//! The transform of a fit, ready to be edited and signed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Read;
use super::prior::Known;
use crate::ctl::expiry::expiry;
use crate::ctl::files;
use crate::ctl::output::Failure;
use crate::domain::fit::few::MARK;
use crate::domain::fit::{Column, Fit};
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::{
    DomainSpec, Limits, Provenance, SCHEMA, Target, Transform, UncertaintySpec,
};
use crate::domain::transform::stage::StageSpec;
use crate::domain::transform::{Compiled, compile, limits};
use crate::domain::trust::envelope::MAX_ARTIFACT;
use crate::runtime::clock::system_now;

/// Residuals of so little of the largest reference are rounding.
const EXACT: f64 = 1e-14;

/// What the transform says beside the fit.
#[derive(Args, Debug, Clone, Default)]
pub struct ArtifactArgs {
    /// Writes the transform; sign it with `calibctl sign`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Its id; absent: fitted.
    #[arg(long, value_name = "ID", requires = "out", help_heading = "Transform")]
    id: Option<Id>,
    /// The fleet it is for; absent: fleet.
    #[arg(long, value_name = "ID", requires = "out", help_heading = "Transform")]
    fleet: Option<Id>,
    /// The sensors it is for; absent: sensor.
    #[arg(long, value_name = "ID", requires = "out", help_heading = "Transform")]
    sensor: Vec<Id>,
    /// The gateways it is for; absent: any.
    #[arg(long, value_name = "ID", requires = "out", help_heading = "Transform")]
    gateway: Vec<Id>,
    /// What is measured; absent: the name of the reference's column.
    #[arg(long, value_name = "TEXT", requires = "out", help_heading = "Transform")]
    quantity: Option<String>,
    /// UCUM code of the raw reading; absent: 1.
    #[arg(long, value_name = "UNIT", requires = "out", help_heading = "Transform")]
    input_unit: Option<String>,
    /// UCUM code of the calibrated value; absent: 1.
    #[arg(long, value_name = "UNIT", requires = "out", help_heading = "Transform")]
    output_unit: Option<String>,
    /// Its version; absent: 1.
    #[arg(long, value_name = "N", requires = "out", help_heading = "Transform")]
    version: Option<u64>,
    /// Its epoch, as the trust root states it; absent: 1.
    #[arg(long, value_name = "N", requires = "out", help_heading = "Transform")]
    epoch: Option<u64>,
    /// When it expires: a time, or a number of days; absent: 365d.
    #[arg(long, value_name = "TIME", requires = "out", help_heading = "Transform")]
    expires: Option<String>,
}

impl ArtifactArgs {
    /// With the units of the prior where none are said.
    fn in_units_of(&self, known: Option<&Known>) -> Result<ArtifactArgs, Failure> {
        let mut args = self.clone();
        let Some([input, output]) = known.and_then(|known| known.units.as_ref()) else { return Ok(args) };
        let options =
            [("--input-unit", &mut args.input_unit, input), ("--output-unit", &mut args.output_unit, output)];
        for (name, given, unit) in options {
            match given {
                Some(given) if given != unit => {
                    return Err(Failure::usage(format!("{name} says {given}, and the prior is for {unit}")));
                }
                given => *given = Some(unit.clone()),
            }
        }
        Ok(args)
    }
}

/// Writes the transform of a fit. Gives what the user should know.
pub fn write(
    path: &Path,
    args: &ArtifactArgs,
    fit: &Fit,
    data: &Read,
    known: Option<&Known>,
) -> Result<Vec<String>, Failure> {
    let args = &args.in_units_of(known)?;
    let mut transform = transform(args, fit, data, system_now())?;
    if known.is_some() {
        transform.provenance.method = Some(format!("{}{MARK}", fit.method));
    }
    let refused = |fault: String| Failure::refused(format!("the fit makes no transform: {fault}"));
    let compiled = compile(&transform).map_err(|fault| refused(fault.to_string()))?;
    transform.limits.monotone = limits::is_monotone(&compiled);
    let text = serde_json::to_string_pretty(&transform).map_err(|fault| refused(fault.to_string()))? + "\n";
    // What is written passes the checks that a gateway will make.
    let again = Transform::parse(text.as_bytes()).and_then(|it| compile(&it));
    again.map_err(|fault| refused(fault.to_string()))?;
    // An envelope carries it in base64, four bytes for three.
    if text.len() / 3 * 4 > MAX_ARTIFACT - 4096 {
        let size = text.len();
        return Err(refused(format!(
            "its table makes {size} bytes, and a signed one has at most {MAX_ARTIFACT}: take fewer pairs, or a method with parameters"
        )));
    }
    files::write_out(Some(path), text.as_bytes())?;
    let mut remarks = remarks(path, args);
    if tells_nothing(fit, data) {
        remarks.push(
            "the pairs lie on the curve to the last digit, which says nothing of how uncertain it is, so the transform \
             states no uncertainty: take pairs with more digits, or their uncertainties with --uy and --covariance known"
                .to_owned(),
        );
    }
    Ok(remarks)
}

/// The transform of a fit as it stands, nothing said about its target.
pub fn plain(fit: &Fit, data: &Read) -> Result<(Transform, Compiled), Failure> {
    let transform = transform(&ArtifactArgs::default(), fit, data, system_now())?;
    let compiled = compile(&transform)
        .map_err(|fault| Failure::refused(format!("the fit makes no transform: {fault}")))?;
    Ok((transform, compiled))
}

fn remarks(path: &Path, args: &ArtifactArgs) -> Vec<String> {
    let taken = [
        ("id fitted", args.id.is_none()),
        ("fleet fleet", args.fleet.is_none()),
        ("sensor sensor", args.sensor.is_empty()),
        ("input unit 1", args.input_unit.is_none()),
        ("output unit 1", args.output_unit.is_none()),
    ];
    let taken: Vec<&str> = taken.iter().filter(|(_, absent)| *absent).map(|(text, _)| *text).collect();
    match taken.is_empty() {
        true => Vec::new(),
        false => {
            let taken = taken.join(", ");
            vec![format!(
                "{}: edit target and units before you sign; not said, so taken: {taken}",
                path.display()
            )]
        }
    }
}

fn transform(args: &ArtifactArgs, fit: &Fit, data: &Read, now: Timestamp) -> Result<Transform, Failure> {
    let id = |given: &Option<Id>, text| given.clone().map_or_else(|| named(text), Ok);
    let unit = |given: &Option<String>| given.clone().unwrap_or_else(|| "1".to_owned());
    let reference = data.pairs.reference().name();
    Ok(Transform {
        schema: SCHEMA,
        id: id(&args.id, "fitted")?,
        epoch: args.epoch.unwrap_or(1),
        version: args.version.unwrap_or(1),
        replaces: Vec::new(),
        target: Target {
            fleet: id(&args.fleet, "fleet")?,
            gateways: args.gateway.clone(),
            groups: Vec::new(),
            sensors: if args.sensor.is_empty() { vec![named("sensor")?] } else { args.sensor.clone() },
            models: Vec::new(),
            serials: Vec::new(),
            tags: BTreeMap::new(),
        },
        quantity: args.quantity.clone().unwrap_or_else(|| reference.to_owned()),
        input_unit: unit(&args.input_unit),
        output_unit: unit(&args.output_unit),
        pipeline: stages(fit, data),
        cohorts: Vec::new(),
        domain: domain(data.pairs.columns()),
        uncertainty: uncertainty(fit, data),
        limits: Limits::default(),
        supersedes: Vec::new(),
        issued_at: now,
        not_before: None,
        expires: expiry(args.expires.as_deref().unwrap_or("365d"), now)?,
        rollout: None,
        provenance: Provenance {
            method: Some(fit.method.clone()),
            pairs: Some(fit.n as u64),
            dataset_sha256: Some(data.digest.to_string()),
            last_reference: newest(data, now),
            ..Provenance::default()
        },
    })
}

/// When the newest pair was, if that is said; local times that were taken for UTC may be ahead of now.
fn newest(data: &Read, now: Timestamp) -> Option<Timestamp> {
    let seconds = data.pairs.times()?.last()?;
    Some(Timestamp::EPOCH.saturating_add_micros((seconds * 1e6).round() as i64).min(now))
}

fn named(text: &str) -> Result<Id, Failure> {
    Id::new(text).map_err(|fault| Failure::usage(fault.to_string()))
}

/// The ranges that were seen: nobody knows what the fit does elsewhere.
fn domain(columns: &[Column]) -> DomainSpec {
    let range = |column: &Column| {
        let low = column.values().iter().copied().fold(f64::INFINITY, f64::min);
        let high = column.values().iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (low < high).then_some([low, high])
    };
    let mut ranges = columns.iter().map(|column| (column.name().to_owned(), range(column)));
    DomainSpec {
        input: ranges.next().and_then(|(_, range)| range),
        covariates: ranges.filter_map(|(name, range)| Some((name, range?))).collect(),
        ..DomainSpec::default()
    }
}

/// Whether there are residuals but they are nothing beside rounding, and nobody has said how uncertain the pairs are:
/// a display with coarse steps does that.
fn tells_nothing(fit: &Fit, data: &Read) -> bool {
    let largest = data.pairs.y().iter().fold(0.0, |most: f64, y| y.abs().max(most));
    let exact = fit.scatter.is_some_and(|scatter| scatter <= EXACT * largest);
    exact && data.pairs.uy().is_none() && data.pairs.ux().is_none()
}

/// The stages of the fit; without uncertainties of parameters that no residual has told.
fn stages(fit: &Fit, data: &Read) -> Vec<StageSpec> {
    let mut stages = fit.stages.clone();
    if tells_nothing(fit, data) {
        for stage in &mut stages {
            match stage {
                StageSpec::Offset(spec) => spec.covariance = None,
                StageSpec::Affine(spec) => spec.covariance = None,
                StageSpec::Polynomial(spec) => spec.covariance = None,
                StageSpec::Multilinear(spec) => spec.covariance = None,
                StageSpec::Table(spec) => spec.u = None,
                _ => {}
            }
        }
    }
    stages
}

fn uncertainty(fit: &Fit, data: &Read) -> UncertaintySpec {
    let root_mean_square =
        |values: &[f64]| (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt();
    UncertaintySpec {
        residual_std: fit.scatter.filter(|_| !tells_nothing(fit, data)),
        degrees_of_freedom: fit.degrees_of_freedom.filter(|freedom| *freedom > 0.0),
        raw_std_at_fit: data.pairs.ux().map(root_mean_square),
        ..UncertaintySpec::default()
    }
}
