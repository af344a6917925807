//! The transform artifact: what a signer signs, read strictly and typed completely.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stage::{self, StageSpec};
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::strict_json::{self, StrictError, join};
use crate::domain::time::Timestamp;

/// The schema that this version reads and writes.
pub const SCHEMA: u64 = 1;

/// Most stages in one pipeline.
pub const MAX_STAGES: usize = 16;

/// The class of a fault in a transform; each maps to one reason code of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentErrorKind {
    /// Not the JSON that the schema asks for.
    Malformed,
    /// A schema that this version does not know.
    UnknownSchema,
    /// A stage kind that this version does not know.
    UnknownStage,
    /// Well formed, but without a usable meaning.
    InvalidContent,
}

/// Says what is wrong in a transform, and at which field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct ContentError {
    /// The class of the fault.
    pub kind: ContentErrorKind,
    /// The field, like `pipeline[0].gain`; empty for the whole artifact.
    pub path: String,
    /// What is wrong there, and what would be right.
    pub message: String,
}

impl From<StrictError> for ContentError {
    fn from(error: StrictError) -> ContentError {
        ContentError { kind: ContentErrorKind::Malformed, path: error.path, message: error.message }
    }
}

/// A calibration transform for the sensors that its target names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// Always [`SCHEMA`].
    pub schema: u64,
    /// Names the line of versions.
    pub id: Id,
    /// Rises only by the trust root.
    pub epoch: u64,
    /// Rises with each artifact of this id.
    pub version: u64,
    /// Other ids that this one retires where it becomes active.
    #[serde(default)]
    pub replaces: Vec<Id>,
    /// Which sensors it is for.
    pub target: Target,
    /// What is measured: kind and analyte.
    pub quantity: String,
    /// UCUM code of the raw reading.
    pub input_unit: String,
    /// UCUM code of the calibrated value.
    pub output_unit: String,
    /// The stages, applied in order.
    #[serde(skip_deserializing)]
    pub pipeline: Vec<StageSpec>,
    /// Ranges of conditions, named so that results can be told apart by them.
    #[serde(skip_deserializing)]
    pub cohorts: Vec<Cohort>,
    /// Where it holds.
    #[serde(default)]
    pub domain: DomainSpec,
    /// How good it is.
    #[serde(default)]
    pub uncertainty: UncertaintySpec,
    /// What it promises not to exceed.
    #[serde(default)]
    pub limits: Limits,
    /// Digests of local transforms whose place it takes.
    #[serde(default)]
    pub supersedes: Vec<Digest>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Not to be activated before.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// Not to be activated afterwards.
    pub expires: Timestamp,
    /// How it becomes active; absent: at once.
    #[serde(default)]
    pub rollout: Option<Rollout>,
    /// Where it comes from.
    #[serde(default)]
    pub provenance: Provenance,
}

/// Which sensors: all fields must fit, each by one of its elements; an empty field fits anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The fleet; always named.
    pub fleet: Id,
    /// Gateways.
    #[serde(default)]
    pub gateways: Vec<Id>,
    /// Groups of gateways.
    #[serde(default)]
    pub groups: Vec<Id>,
    /// Sensors by identifier.
    #[serde(default)]
    pub sensors: Vec<Id>,
    /// Sensors by model.
    #[serde(default)]
    pub models: Vec<String>,
    /// Sensors by serial number; out of force when another instrument is mounted.
    #[serde(default)]
    pub serials: Vec<String>,
    /// Sensors by tags, each of which must be equal.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A named range of a covariate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cohort {
    /// Its name in metrics.
    pub name: String,
    /// When a reading belongs to it.
    pub when: Condition,
    /// Stages of its own.
    #[serde(skip_deserializing)]
    pub pipeline: Vec<StageSpec>,
}

/// above <= covariate < below; at least one bound is stated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The covariate's role.
    pub covariate: String,
    /// Upper bound, not included, in the covariate's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// Lower bound, included, in the covariate's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
}

impl Condition {
    /// Whether a covariate is named and the bounds leave a range between them.
    pub fn is_sound(&self) -> bool {
        let bounded = match (self.above, self.below) {
            (Some(above), Some(below)) => above < below && above.is_finite() && below.is_finite(),
            (Some(bound), None) | (None, Some(bound)) => bound.is_finite(),
            (None, None) => false,
        };
        bounded && !self.covariate.trim().is_empty()
    }

    /// Whether the covariate's value is in the range.
    pub fn holds(&self, value: f64) -> bool {
        self.above.is_none_or(|above| above <= value) && self.below.is_none_or(|below| value < below)
    }
}

/// Where a transform holds, and what happens elsewhere. Ranges are `[low, high]`, both included.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainSpec {
    /// Range of the raw reading, in the input unit.
    #[serde(default)]
    pub input: Option<[f64; 2]>,
    /// Range of the calibrated value, in the output unit.
    #[serde(default)]
    pub output: Option<[f64; 2]>,
    /// Range of each covariate, by role.
    #[serde(default)]
    pub covariates: BTreeMap<String, [f64; 2]>,
    /// What happens outside.
    #[serde(default)]
    pub outside: Outside,
}

/// What happens to a reading outside the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outside {
    /// The nearest value inside is taken, and marked.
    Clamp,
    /// It is computed and marked, with a grown uncertainty.
    #[default]
    Flag,
    /// It has no value.
    Reject,
    /// It is computed as if it were inside.
    Extrapolate,
}

/// What is known about the errors of calibrated values.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UncertaintySpec {
    /// Standard deviation of the fit's residuals, in the output unit.
    #[serde(default)]
    pub residual_std: Option<f64>,
    /// Degrees of freedom of `residual_std`.
    #[serde(default)]
    pub degrees_of_freedom: Option<f64>,
    /// Standard deviation of the raw readings at the fit, in the input unit: what `residual_std`
    /// already holds of them.
    #[serde(default)]
    pub raw_std_at_fit: Option<f64>,
    /// Standard uncertainty common to all reference readings, in the output unit.
    #[serde(default)]
    pub reference_systematic: Option<f64>,
    /// The averaging time for which the figures hold.
    #[serde(default)]
    pub averaging: Option<SignedDuration>,
    /// What is added with the age of the calibration.
    #[serde(default)]
    pub drift: Option<DriftSpec>,
}

/// How the uncertainty grows with age.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftSpec {
    /// Which law.
    pub model: DriftModel,
    /// Standard uncertainty of the offset after one `per`, in the output unit.
    #[serde(default)]
    pub offset: f64,
    /// Relative standard uncertainty of the gain after one `per`.
    #[serde(default)]
    pub gain: f64,
    /// The time that `offset` and `gain` are per; it goes with the model.
    pub per: DriftPer,
}

/// The law of a drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftModel {
    /// Grows with the square root of time; `per` is `sqrt_day`.
    RandomWalk,
    /// Grows with time; `per` is `day`.
    Trend,
}

/// The unit of time of a drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftPer {
    /// Per square root of a day.
    SqrtDay,
    /// Per day.
    Day,
}

/// What the signer promises, held by the gateway.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest change of the value against the active transform, in the output unit.
    #[serde(default)]
    pub max_step: Option<f64>,
    /// Whether the value only rises, or only falls, with the raw reading.
    #[serde(default)]
    pub monotone: bool,
}

/// How a transform becomes active.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// By which stages.
    pub mode: RolloutMode,
    /// Share of gateways that take it, in percent.
    #[serde(default)]
    pub percent: Option<f64>,
    /// Chooses the gateways; kept while the share is widened.
    #[serde(default)]
    pub seed: Option<String>,
    /// How long it is watched in shadow, and once more when it is in force.
    #[serde(default)]
    pub bake: Option<SignedDuration>,
    /// What it has to reach.
    #[serde(default)]
    pub gate: Option<Gate>,
}

/// The stages of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutMode {
    /// Active at once.
    Immediate,
    /// First beside the active one, everywhere.
    Shadow,
    /// First beside the active one, on a share of the gateways.
    Canary,
}

/// What a candidate has to reach.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Pairs with a reference.
    #[serde(default)]
    pub min_pairs: Option<u64>,
    /// RMSE over the active transform's.
    #[serde(default)]
    pub max_rmse_ratio: Option<f64>,
    /// Absolute bias, in the output unit.
    #[serde(default)]
    pub max_bias: Option<f64>,
}

/// Where a transform comes from; informative, but for `standards` and `last_reference`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The method of the fit.
    #[serde(default)]
    pub method: Option<String>,
    /// Pairs that made the fit.
    #[serde(default)]
    pub pairs: Option<u64>,
    /// SHA-256 of the data set.
    #[serde(default)]
    pub dataset_sha256: Option<String>,
    /// Reference standards used: references by one of them have its error in common with the values, see
    /// [`crate::domain::drift::traced`].
    #[serde(default)]
    pub standards: Vec<String>,
    /// The newest reference that it was made with: the age of the calibration counts from here. Absent where that is not
    /// known; not written then, so that what is written is read by those who do not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reference: Option<Timestamp>,
    /// The gateway where it was made, if it was made on one.
    #[serde(default)]
    pub made_on: Option<Id>,
    /// The session that made it.
    #[serde(default)]
    pub session: Option<String>,
    /// Who answers for it.
    #[serde(default)]
    pub author: Option<String>,
    /// Anything else.
    #[serde(default)]
    pub comment: Option<String>,
}

impl Transform {
    /// From when on the calibration grows old: from its last reference, or from its issue where that is not stated.
    /// Signing it again does not make it younger.
    pub fn calibrated_at(&self) -> Timestamp {
        self.provenance.last_reference.unwrap_or(self.issued_at)
    }

    /// Reads an artifact's payload strictly: unknown fields, duplicate keys, trailing bytes, an
    /// unknown schema or stage and a target that names no sensors are refused.
    ///
    /// What the fields mean together is checked by [`compile`](super::compile).
    pub fn parse(payload: &[u8]) -> Result<Transform, ContentError> {
        let mut value = strict_json::parse(payload)?;
        check_schema(&value)?;
        let (pipeline, cohort_pipelines) = read_stages(&mut value)?;
        let cohorts = match value.as_object_mut().and_then(|fields| fields.remove("cohorts")) {
            Some(list) => strict_json::from_value::<Vec<Cohort>>(&list).map_err(|e| e.under("cohorts"))?,
            None => Vec::new(),
        };
        let mut transform: Transform = strict_json::from_value(&value)?;
        transform.pipeline = pipeline;
        transform.cohorts = cohorts
            .into_iter()
            .zip(cohort_pipelines)
            .map(|(cohort, pipeline)| Cohort { pipeline, ..cohort })
            .collect();
        check_target(&transform.target)?;
        Ok(transform)
    }
}

fn malformed(path: &str, message: &str) -> ContentError {
    ContentError { kind: ContentErrorKind::Malformed, path: path.to_owned(), message: message.to_owned() }
}

/// Looked at before anything else: another schema may have other fields.
fn check_schema(value: &Value) -> Result<(), ContentError> {
    match value.get("schema").and_then(Value::as_u64) {
        Some(SCHEMA) => Ok(()),
        Some(other) => Err(ContentError {
            kind: ContentErrorKind::UnknownSchema,
            path: "schema".to_owned(),
            message: format!("this version reads schema {SCHEMA}, not {other}"),
        }),
        None => Err(malformed("schema", "expected the schema's number")),
    }
}

/// Takes the stages out of `value` and reads them by their kinds: the pipeline's, and each
/// cohort's.
fn read_stages(value: &mut Value) -> Result<(Vec<StageSpec>, Vec<Vec<StageSpec>>), ContentError> {
    let pipeline = take_pipeline(value, "")?;
    let mut cohorts = Vec::new();
    if let Some(list) = value.get_mut("cohorts").and_then(Value::as_array_mut) {
        for (at, cohort) in list.iter_mut().enumerate() {
            cohorts.push(take_pipeline(cohort, &format!("cohorts[{at}]"))?);
        }
    }
    Ok((pipeline, cohorts))
}

fn take_pipeline(holder: &mut Value, path: &str) -> Result<Vec<StageSpec>, ContentError> {
    let path = join(path, "pipeline");
    match holder.as_object_mut().and_then(|fields| fields.remove("pipeline")) {
        Some(Value::Array(list)) if list.len() <= MAX_STAGES => {
            list.iter().enumerate().map(|(at, stage)| stage::parse(stage, &format!("{path}[{at}]"))).collect()
        }
        Some(Value::Array(_)) => Err(malformed(&path, &format!("at most {MAX_STAGES} stages"))),
        Some(_) => Err(malformed(&path, "expected a list of stages")),
        None => Err(malformed(&path, "missing field")),
    }
}

/// A target that names no sensors would silently mean all of them.
fn check_target(target: &Target) -> Result<(), ContentError> {
    let named = !(target.sensors.is_empty()
        && target.models.is_empty()
        && target.serials.is_empty()
        && target.tags.is_empty());
    match named {
        true => Ok(()),
        false => Err(malformed("target", "name sensors, models, serials or tags")),
    }
}

#[cfg(test)]
mod tests;
