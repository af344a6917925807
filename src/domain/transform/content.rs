//! What the fields of a transform must mean together, apart from the stages and the domain.

use jiff::SignedDuration;

use super::artifact::{
    Cohort, ContentError, DriftModel, DriftPer, Gate, Limits, MAX_STAGES, Rollout, RolloutMode, SCHEMA,
    Transform, UncertaintySpec,
};
use super::check::{invalid, not_negative, positive, within};
use super::stage::StageSpec;
use crate::domain::uncertainty::budget::{Budget, Drift};

/// Checks everything that is not a stage, a unit or a range.
pub(super) fn check(transform: &Transform) -> Result<(), ContentError> {
    if transform.schema != SCHEMA {
        return Err(invalid("", "schema", &format!("expected {SCHEMA}")));
    }
    if transform.quantity.trim().is_empty() {
        return Err(invalid("", "quantity", "name what is measured"));
    }
    if transform.pipeline.len() > MAX_STAGES {
        return Err(invalid("", "pipeline", &format!("at most {MAX_STAGES} stages")));
    }
    if transform.replaces.contains(&transform.id) {
        return Err(invalid("", "replaces", "a transform cannot replace itself; raise its version"));
    }
    check_times(transform)?;
    check_cohorts(&transform.cohorts)?;
    check_uncertainty(&transform.uncertainty)?;
    check_limits(&transform.limits, transform.domain.input.is_some())?;
    transform.rollout.as_ref().map_or(Ok(()), check_rollout)
}

fn check_times(transform: &Transform) -> Result<(), ContentError> {
    if transform.expires <= transform.issued_at {
        return Err(invalid("", "expires", "expected a time after issued_at"));
    }
    if transform.provenance.last_reference.is_some_and(|last| last > transform.issued_at) {
        return Err(invalid("provenance", "last_reference", "expected a time no later than issued_at"));
    }
    match transform.not_before {
        Some(start) if start >= transform.expires => {
            Err(invalid("", "not_before", "expected a time before expires"))
        }
        _ => Ok(()),
    }
}

fn check_cohorts(cohorts: &[Cohort]) -> Result<(), ContentError> {
    for (at, cohort) in cohorts.iter().enumerate() {
        let path = format!("cohorts[{at}]");
        if cohort.name.trim().is_empty() || cohorts[..at].iter().any(|other| other.name == cohort.name) {
            return Err(invalid(&path, "name", "expected a name of its own"));
        }
        if cohort.when.covariate.trim().is_empty() {
            return Err(invalid(&path, "when.covariate", "name the covariate's role"));
        }
        if !cohort.when.is_sound() {
            return Err(invalid(&path, "when", "state below, above, or both with above under below"));
        }
    }
    Ok(())
}

fn check_uncertainty(spec: &UncertaintySpec) -> Result<(), ContentError> {
    let path = "uncertainty";
    not_negative(spec.residual_std, path, "residual_std")?;
    positive(spec.degrees_of_freedom, path, "degrees_of_freedom")?;
    not_negative(spec.raw_std_at_fit, path, "raw_std_at_fit")?;
    not_negative(spec.reference_systematic, path, "reference_systematic")?;
    longer_than_nothing(spec.averaging, path, "averaging")?;
    let Some(drift) = &spec.drift else { return Ok(()) };
    not_negative(Some(drift.offset), path, "drift.offset")?;
    not_negative(Some(drift.gain), path, "drift.gain")?;
    match (drift.model, drift.per) {
        (DriftModel::RandomWalk, DriftPer::SqrtDay) | (DriftModel::Trend, DriftPer::Day) => Ok(()),
        _ => Err(invalid(path, "drift.per", "random_walk goes per sqrt_day, trend per day")),
    }
}

fn check_limits(limits: &Limits, has_input: bool) -> Result<(), ContentError> {
    positive(limits.max_step, "limits", "max_step")?;
    if has_input {
        return Ok(());
    }
    let problem = "needs domain.input: over which readings it holds";
    match limits {
        Limits { max_step: Some(_), .. } => Err(invalid("limits", "max_step", problem)),
        Limits { monotone: true, .. } => Err(invalid("limits", "monotone", problem)),
        _ => Ok(()),
    }
}

/// Longest seed of a canary, in bytes.
const MAX_SEED: usize = 64;
/// Longest bake.
const MAX_BAKE: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Most pairs that a gate may ask for.
const MAX_PAIRS: u64 = 1_000_000;

/// What would have no effect is refused: whoever signs it means something by it.
fn check_rollout(rollout: &Rollout) -> Result<(), ContentError> {
    let wrong = |field: &str, problem: &str| Err(invalid("rollout", field, problem));
    rollout.percent.map_or(Ok(()), |percent| within(percent, 0.0..=100.0, "rollout", "percent"))?;
    match (rollout.mode, rollout.percent, &rollout.seed) {
        (RolloutMode::Canary, None, _) => return wrong("percent", "a canary needs a share of the gateways"),
        (RolloutMode::Canary, _, None) => {
            return wrong("seed", "a canary needs a seed, which stays the same while its share grows");
        }
        (RolloutMode::Canary, _, Some(seed))
            if seed.len() > MAX_SEED || seed.chars().any(char::is_control) =>
        {
            return wrong("seed", &format!("expected at most {MAX_SEED} bytes without control characters"));
        }
        (RolloutMode::Immediate | RolloutMode::Shadow, Some(_), _) => {
            return wrong("percent", "only a canary has a share of the gateways");
        }
        (RolloutMode::Immediate | RolloutMode::Shadow, _, Some(_)) => {
            return wrong("seed", "only a canary has a seed");
        }
        _ => {}
    }
    longer_than_nothing(rollout.bake, "rollout", "bake")?;
    match (rollout.bake, rollout.mode, &rollout.gate) {
        (Some(bake), _, _) if bake > MAX_BAKE => return wrong("bake", "expected at most 366 days"),
        (Some(_), RolloutMode::Immediate, None) => {
            return wrong("bake", "nothing is watched for: state a gate, or another mode");
        }
        _ => {}
    }
    rollout.gate.as_ref().map_or(Ok(()), check_gate)
}

fn check_gate(gate: &Gate) -> Result<(), ContentError> {
    if let Some(pairs) = gate.min_pairs.filter(|pairs| !(1..=MAX_PAIRS).contains(pairs)) {
        let problem = format!("expected between 1 and {MAX_PAIRS} pairs, not {pairs}");
        return Err(invalid("rollout.gate", "min_pairs", &problem));
    }
    positive(gate.max_rmse_ratio, "rollout.gate", "max_rmse_ratio")?;
    // No mean error can be shown to be none.
    positive(gate.max_bias, "rollout.gate", "max_bias")
}

fn longer_than_nothing(time: Option<SignedDuration>, path: &str, field: &str) -> Result<(), ContentError> {
    match time {
        Some(time) if !time.is_positive() => Err(invalid(path, field, "expected a time longer than nothing")),
        _ => Ok(()),
    }
}

/// The budget of a transform whose content was checked.
pub(super) fn budget(transform: &Transform) -> Budget {
    let spec = &transform.uncertainty;
    let square = |value: Option<f64>| value.map_or(0.0, |value| value * value);
    let drift = spec.drift.as_ref().map_or(Drift::default(), |drift| Drift {
        offset: drift.offset * drift.offset,
        gain: drift.gain * drift.gain,
        trend: drift.model == DriftModel::Trend,
    });
    let stated = spec.residual_std.is_some()
        || spec.reference_systematic.is_some()
        || spec.drift.is_some()
        || transform.pipeline.iter().any(states_uncertainty)
        || transform.cohorts.iter().flat_map(|cohort| &cohort.pipeline).any(states_uncertainty);
    Budget {
        stated,
        constant: square(spec.residual_std) + square(spec.reference_systematic),
        raw_at_fit: square(spec.raw_std_at_fit),
        drift,
    }
}

fn states_uncertainty(stage: &StageSpec) -> bool {
    match stage {
        StageSpec::Offset(spec) => spec.covariance.is_some(),
        StageSpec::Affine(spec) => spec.covariance.is_some(),
        StageSpec::Polynomial(spec) => spec.covariance.is_some(),
        StageSpec::Multilinear(spec) => spec.covariance.is_some(),
        StageSpec::SteinhartHart(spec) => spec.covariance.is_some(),
        StageSpec::CallendarVanDusen(spec) => spec.covariance.is_some(),
        StageSpec::CovariatePolynomial(spec) => spec.covariance.is_some(),
        StageSpec::CovariateTable(spec) => spec.u.is_some(),
        StageSpec::Logarithm(spec) => spec.covariance.is_some(),
        StageSpec::Nernst(spec) => spec.covariance.is_some(),
        StageSpec::Pchip(spec) => spec.u.is_some(),
        StageSpec::Table(spec) => spec.u.is_some(),
        StageSpec::Rational(spec) => spec.covariance.is_some(),
        StageSpec::Exponential(spec) => spec.covariance.is_some(),
        StageSpec::Saturation(spec) => spec.covariance.is_some(),
        StageSpec::Power(spec) => spec.covariance.is_some(),
        StageSpec::Logistic(spec) => spec.covariance.is_some(),
        StageSpec::Platt(spec) => spec.covariance.is_some(),
        StageSpec::Temperature(spec) => spec.variance.is_some(),
        StageSpec::Beta(spec) => spec.covariance.is_some(),
        StageSpec::Isotonic(spec) => spec.counts.is_some(),
        StageSpec::Histogram(spec) => spec.counts.is_some(),
        StageSpec::Unit(_) | StageSpec::VennAbers(_) => false,
    }
}
