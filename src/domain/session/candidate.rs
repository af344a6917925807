//! From the as-found points to a new transform, and what it would change.

use serde::{Deserialize, Serialize};

use super::event::{At, FitOrder};
use super::fault::Fault;
use super::fitting::{Basis, Fitting, fitted};
use super::plan::Plan;
use super::point::Point;
use crate::domain::digest::Digest;
use crate::domain::fit::guards::{self, Evidence, Pair, Policy, Seen};
use crate::domain::id::Id;
use crate::domain::transform::artifact::{ContentError, ContentErrorKind, UncertaintySpec};
use crate::domain::transform::artifact::{DomainSpec, Limits, Provenance, SCHEMA, Target, Transform};
use crate::domain::transform::{Compiled, Covariate, Input, MAX_COVARIATES, compile, limits};
use crate::domain::trust::envelope::{pae, payload_type};
use crate::domain::trust::target::LOCAL_PREFIX;

/// Points of the curve.
const CURVE: usize = 33;
/// How far beyond the outermost points the domain of a first transform reaches, as a share of what lies between
/// them, and in standard deviations of a raw reading.
const MARGIN: (f64, f64) = (0.05, 4.0);

/// A new transform, and what it would change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The artifact's payload: exactly these bytes are to be signed.
    pub payload: String,
    /// The digest that the artifact will have.
    pub digest: Digest,
    /// Its id.
    pub id: Id,
    /// Its version.
    pub version: u64,
    /// The method of the fit.
    pub method: String,
    /// What was fitted.
    pub basis: Basis,
    /// Names, values and standard errors of the parameters.
    pub parameters: Vec<(String, f64, Option<f64>)>,
    /// Before and after, point by point.
    pub rows: Vec<Row>,
    /// Raw reading, value before and value after over the range of the raw readings; a value is absent where
    /// none can be given.
    pub curve: Vec<(f64, Option<f64>, Option<f64>)>,
    /// The largest change against what is in force, in the plan's unit, if it can be told.
    pub step: Option<f64>,
    /// What speaks against it; it can't be approved until nothing does.
    pub guards: Vec<String>,
    /// What one should know.
    pub notes: Vec<String>,
}

/// A point before and after.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The reference value.
    pub reference: f64,
    /// The error as found.
    pub before: Option<f64>,
    /// The error that the new transform would have had.
    pub after: Option<f64>,
    /// The standard uncertainty of one reading by the new transform.
    pub u_after: Option<f64>,
    /// The maximum permissible error.
    pub mpe: f64,
}

/// Makes the candidate.
pub(super) fn candidate(
    plan: &Plan,
    session: &Id,
    at: &At<'_>,
    points: &[Point],
    order: &FitOrder,
) -> Result<Candidate, Fault> {
    let content = |error| Fault::Content { sensor: plan.sensor.clone(), error };
    let in_force = order.in_force.as_ref().map(|payload| Transform::parse(payload.as_bytes()));
    let in_force = in_force.transpose().map_err(content)?;
    let active = in_force.as_ref().map(compile).transpose().map_err(content)?;
    let fitting = fitted(plan, points, order, in_force.as_ref())?;
    let mut transform = artifact(plan, session, at, points, order, &fitting, in_force.as_ref())?;
    let compiled = compile(&transform).map_err(content)?;
    transform.limits.monotone |= in_force.is_none() && limits::is_monotone(&compiled);
    let text = serde_json::to_string(&transform).map_err(|fault| content(invalid("", fault.to_string())))?;
    // What is signed passes the checks that a gateway will make.
    let compiled = Transform::parse(text.as_bytes()).and_then(|it| compile(&it)).map_err(content)?;
    let verdict = judged(plan, points, &fitting, active.as_ref(), &compiled);
    let mut notes = fitting.notes.clone();
    notes.extend(
        points.iter().filter(|point| point.offered.standard.is_none()).take(1).map(|_| {
            "a point names no standard: what its reference is traced to is not known here".to_owned()
        }),
    );
    Ok(Candidate {
        digest: Digest::of(&[&pae(&payload_type("transform"), text.as_bytes())]),
        payload: text,
        id: transform.id.clone(),
        version: transform.version,
        method: fitting.fit.method.clone(),
        basis: fitting.basis,
        parameters: parameters(&fitting),
        rows: points.iter().map(|point| row(plan, point, &compiled)).collect(),
        curve: curve(points, active.as_ref(), &compiled),
        step: verdict.step.filter(|step| step.is_finite()),
        guards: verdict.reasons.iter().map(ToString::to_string).collect(),
        notes,
    })
}

fn invalid(path: &str, message: String) -> ContentError {
    ContentError { kind: ContentErrorKind::InvalidContent, path: path.to_owned(), message }
}

/// The artifact: the pipeline in force corrected, or one of its own.
fn artifact(
    plan: &Plan,
    session: &Id,
    at: &At<'_>,
    points: &[Point],
    order: &FitOrder,
    fitting: &Fitting,
    in_force: Option<&Transform>,
) -> Result<Transform, Fault> {
    let corrected = in_force.filter(|_| fitting.basis == Basis::Values);
    let (pipeline, cohorts) = fitting.pipeline(corrected);
    let id = Id::new(&format!("{LOCAL_PREFIX}{}", plan.sensor)).map_err(|error| Fault::Content {
        sensor: plan.sensor.clone(),
        error: invalid("id", format!("the sensor's name is too long for a transform made on site: {error}")),
    })?;
    let mut standards: Vec<String> =
        points.iter().filter_map(|point| Some(point.offered.standard.as_ref()?.to_string())).collect();
    crate::domain::order::sort(&mut standards);
    standards.dedup();
    Ok(Transform {
        schema: SCHEMA,
        id,
        epoch: order.epoch,
        version: order.version,
        replaces: Vec::new(),
        target: Target {
            fleet: plan.fleet.clone(),
            gateways: vec![plan.gateway.clone()],
            groups: Vec::new(),
            sensors: vec![plan.sensor.clone()],
            models: Vec::new(),
            // another instrument at this position is not what was measured
            serials: plan.item.serial.iter().cloned().collect(),
            tags: Default::default(),
        },
        quantity: plan.quantity.clone(),
        input_unit: corrected.map_or(&plan.input_unit, |it| &it.input_unit).clone(),
        output_unit: plan.unit.clone(),
        pipeline,
        cohorts,
        // What runs holds where it holds, whatever the points have seen of that.
        domain: in_force.map_or_else(|| domain(points), |it| it.domain.clone()),
        uncertainty: UncertaintySpec {
            drift: in_force.and_then(|it| it.uncertainty.drift.clone()),
            ..fitting.uncertainty.clone()
        },
        limits: Limits { max_step: None, monotone: in_force.is_some_and(|it| it.limits.monotone) },
        supersedes: Vec::new(),
        issued_at: at.time,
        not_before: None,
        expires: order.expires,
        rollout: None,
        provenance: Provenance {
            method: Some(fitting.fit.method.clone()),
            pairs: Some(points.len() as u64),
            dataset_sha256: serde_json::to_vec(points).ok().map(|all| Digest::of(&[&all]).to_string()),
            standards,
            // The clock may have been set back since.
            last_reference: points.iter().map(|point| point.ended).max().map(|last| last.min(at.time)),
            made_on: Some(plan.gateway.clone()),
            session: Some(session.to_string()),
            author: Some(at.by.to_owned()),
            comment: None,
        },
    })
}

/// What the points have shown of the raw readings: nobody knows what a first fit does elsewhere.
fn domain(points: &[Point]) -> DomainSpec {
    let raw = || points.iter().map(|point| point.course.raw);
    let (low, high) = (raw().fold(f64::INFINITY, f64::min), raw().fold(f64::NEG_INFINITY, f64::max));
    let scatter = points.iter().map(|point| point.course.raw_std).fold(0.0, f64::max);
    let margin = (MARGIN.0 * (high - low)).max(MARGIN.1 * scatter);
    DomainSpec { input: (low < high).then_some([low - margin, high + margin]), ..DomainSpec::default() }
}

fn parameters(fitting: &Fitting) -> Vec<(String, f64, Option<f64>)> {
    let errors = fitting.fit.standard_errors();
    let error = |at: usize| errors.as_ref().and_then(|errors| errors.get(at).copied());
    let all = fitting.fit.names.iter().zip(&fitting.fit.parameters).enumerate();
    all.map(|(at, (name, value))| (name.clone(), *value, error(at).filter(|it| it.is_finite()))).collect()
}

/// The guards on the candidate. Where the points leave some over, each is judged by a fit without it.
fn judged(
    plan: &Plan,
    points: &[Point],
    fitting: &Fitting,
    active: Option<&Compiled>,
    candidate: &Compiled,
) -> guards::Verdict {
    let mut roles: Vec<String> =
        points.iter().flat_map(|point| &point.conditions).map(|condition| condition.role.clone()).collect();
    crate::domain::order::sort(&mut roles);
    roles.dedup();
    let pair = |(at, point): (usize, &Point)| Pair {
        raw: point.course.raw,
        covariates: roles.iter().map(|role| condition(point, role)).collect(),
        reference: point.offered.value,
        time: 0.0,
        cohort: Vec::new(),
        out_of_fold: fitting.left_out.as_ref().and_then(|values| values.get(at).copied()),
    };
    let pairs: Vec<Pair> = points.iter().enumerate().map(pair).collect();
    // Nothing to compare with errors of points left out: those are the residuals e themselves, e / (1 - h), so that
    // what they are to each other is the spacing of the points and says nothing of the fit.
    let evidence = Evidence { roles, training: Vec::new(), held_out: pairs, seen: Seen::default() };
    let policy = Policy { min_training: 1, min_held_out: 1, max_step: plan.max_step, ..Policy::default() };
    // a correction is compared with what it corrects
    guards::judge(active, candidate, &evidence, &policy)
}

fn condition(point: &Point, role: &str) -> Option<f64> {
    point.conditions.iter().find(|condition| condition.role == role).map(|condition| condition.values.mean)
}

/// The value of a transform at a raw reading under the conditions of a point.
fn value_at(transform: &Compiled, raw: f64, point: &Point) -> (Option<f64>, Option<f64>) {
    let mut covariates = [None; MAX_COVARIATES];
    for (covariate, role) in covariates.iter_mut().zip(transform.covariates()) {
        *covariate = condition(point, role).map(|value| Covariate { value, u: None });
    }
    let count = transform.covariates().len().min(MAX_COVARIATES);
    let input = Input { raw, u_raw: None, covariates: &covariates[..count], age_days: 0.0 };
    let output = transform.apply(&input);
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    (finite(output.value), finite(output.u))
}

fn row(plan: &Plan, point: &Point, candidate: &Compiled) -> Row {
    let reference = point.offered.value;
    let (value, u_after) = value_at(candidate, point.course.raw, point);
    Row {
        reference,
        before: point.error,
        after: value.map(|value| value - reference),
        u_after,
        mpe: plan.mpe.at(reference).unwrap_or(0.0),
    }
}

fn curve(
    points: &[Point],
    active: Option<&Compiled>,
    candidate: &Compiled,
) -> Vec<(f64, Option<f64>, Option<f64>)> {
    let raw = || points.iter().map(|point| point.course.raw);
    let seen = [raw().fold(f64::INFINITY, f64::min), raw().fold(f64::NEG_INFINITY, f64::max)];
    let [low, high] = candidate.input_bounds().unwrap_or(seen);
    let Some(point) = points.first().filter(|_| low < high) else { return Vec::new() };
    let at = |step: usize| {
        let raw = low + (high - low) * (step as f64 / (CURVE - 1) as f64);
        let before = active.and_then(|active| value_at(active, raw, point).0);
        (raw, before, value_at(candidate, raw, point).0)
    };
    (0..CURVE).map(at).collect()
}
