//! Whether a transform fits the sensors it selects, and keeps its limits.

use super::reason::{Reason, Refusal};
use super::scope::ScopeLimits;
use super::slot::{Before, Slot};
use super::target::Selected;
use crate::domain::transform::artifact::{ContentError, ContentErrorKind, Transform};
use crate::domain::transform::limits::{is_monotone, max_step};
use crate::domain::transform::{Compiled, compile};

/// The refusal for a fault in an artifact's content.
pub(super) fn refusal(fault: &ContentError) -> Refusal {
    let reason = match fault.kind {
        ContentErrorKind::Malformed => Reason::Malformed,
        ContentErrorKind::UnknownSchema => Reason::UnknownSchema,
        ContentErrorKind::UnknownStage => Reason::UnknownStage,
        ContentErrorKind::InvalidContent => Reason::InvalidContent,
    };
    Refusal::new(reason, fault.to_string())
}

/// Units first, then what the content says, then its limits, which need it to be meaningful.
pub(super) fn check(transform: &Transform, selected: &[(Selected, Slot)]) -> Result<Compiled, Refusal> {
    for (sensor, _) in selected {
        check_unit(transform, sensor)?;
    }
    let compiled = compile(transform).map_err(|fault| refusal(&fault))?;
    for (sensor, slot) in selected {
        check_limits(transform, &compiled, sensor, slot)?;
    }
    Ok(compiled)
}

fn check_unit(transform: &Transform, selected: &Selected) -> Result<(), Refusal> {
    let (taken, given) = (&transform.input_unit, &selected.facts.unit);
    if taken == given {
        return Ok(());
    }
    let sensor = &selected.sensor;
    Err(Refusal::new(
        Reason::UnitMismatch,
        format!("the transform takes `{taken}`, sensor {sensor} gives `{given}`; compare the configuration"),
    ))
}

/// "Limits and gates: the stricter of artifact and local policy"; of several scopes any one has to be kept.
fn check_limits(
    transform: &Transform,
    compiled: &Compiled,
    selected: &Selected,
    slot: &Slot,
) -> Result<(), Refusal> {
    let own = &transform.limits;
    let mut fault = None;
    for scope in &selected.limits {
        let max_step = match (own.max_step, scope.max_step) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let limits = ScopeLimits { max_step, monotone: own.monotone || scope.monotone };
        match keeps(transform, compiled, selected, slot, limits) {
            Ok(()) => return Ok(()),
            Err(message) => fault = fault.or(Some(message)),
        }
    }
    let message = fault.unwrap_or_else(|| "no scope covers the sensor".to_owned());
    Err(Refusal::new(Reason::LimitsExceeded, message))
}

fn keeps(
    transform: &Transform,
    compiled: &Compiled,
    selected: &Selected,
    slot: &Slot,
    limits: ScopeLimits,
) -> Result<(), String> {
    if limits.monotone && !is_monotone(compiled) {
        return Err("limits.monotone: the value rises and falls over the domain".to_owned());
    }
    let Some(allowed) = limits.max_step else { return Ok(()) };
    let old = match &slot.before {
        Before::Active(old) => Some(old.as_ref()),
        // From a raw reading in another unit there is no step to speak of.
        Before::Raw if transform.input_unit == transform.output_unit => None,
        Before::Raw | Before::Unknown => return Ok(()),
    };
    let (sensor, unit) = (&selected.sensor, &transform.output_unit);
    match max_step(compiled, old) {
        // Written so that a step that is not a number is refused.
        Some(step) if step <= allowed => Ok(()),
        Some(step) => Err(format!(
            "limits.max_step: sensor {sensor} would change by up to {step:.6} {unit}, allowed is {allowed}"
        )),
        None => Err(format!(
            "limits.max_step: the step of sensor {sensor} cannot be told; state domain.input, keep the output unit"
        )),
    }
}
