//! Whether a transform fits the sensors it selects, and keeps its limits.

use std::sync::Arc;

use super::reason::{Reason, Refusal};
use super::root::RoleName;
use super::scope::Allowed;
use super::slot::{Before, Slot};
use super::target::Selected;
use crate::domain::id::SensorId;
use crate::domain::transform::artifact::{ContentError, ContentErrorKind, Outside, Transform};
use crate::domain::transform::limits::{is_monotone, max_share, max_step};
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
pub(super) fn check(
    transform: &Transform,
    role: RoleName,
    selected: &[(Selected, Slot)],
) -> Result<Compiled, Refusal> {
    for (sensor, _) in selected {
        check_unit(transform, sensor)?;
    }
    let compiled = compile(transform).map_err(|fault| refusal(&fault))?;
    for (selected, slot) in selected {
        let step = Step { transform, compiled: &compiled, role, sensor: &selected.sensor, slot };
        check_limits(&step, &selected.allowed)?;
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
fn check_limits(step: &Step<'_>, scopes: &[Allowed]) -> Result<(), Refusal> {
    let mut fault = None;
    for allowed in scopes {
        match step.keeps(allowed) {
            Ok(()) => return Ok(()),
            Err(message) => fault = fault.or(Some(message)),
        }
    }
    let message = fault.unwrap_or_else(|| "no scope covers the sensor".to_owned());
    Err(Refusal::new(Reason::LimitsExceeded, message))
}

/// A transform in the place of what runs at a sensor.
struct Step<'a> {
    transform: &'a Transform,
    compiled: &'a Compiled,
    role: RoleName,
    sensor: &'a SensorId,
    slot: &'a Slot,
}

impl Step<'_> {
    /// Whether it keeps its own limits and those of a scope.
    fn keeps(&self, allowed: &Allowed) -> Result<(), String> {
        let (own, scope) = (&self.transform.limits, allowed.limits);
        if (own.monotone || scope.monotone) && !is_monotone(self.compiled) {
            return Err("limits.monotone: the value rises and falls over the domain".to_owned());
        }
        let old = match &self.slot.before {
            Before::Active(old) => Some(old.as_ref()),
            Before::Raw => None,
            Before::Unknown => return Ok(()),
        };
        if scope.max_step.is_some() || allowed.share.is_some() {
            self.can_be_held()?;
        }
        // From a raw reading in another unit there is no step to speak of.
        if old.is_some() || self.transform.input_unit == self.transform.output_unit {
            let most = own.max_step.into_iter().chain(scope.max_step).reduce(f64::min);
            most.map_or(Ok(()), |most| self.within(most, old))?;
        }
        self.keeps_to_the_baseline(allowed)
    }

    /// A signer cannot get around the limits of its scope by what it states itself: steps are judged over the
    /// stated domain, in the unit of the values.
    fn can_be_held(&self) -> Result<(), String> {
        if self.transform.domain.outside == Outside::Extrapolate {
            let text =
                "domain.outside: `extrapolate` has no end, and the scope of the signing role limits the step";
            return Err(text.to_owned());
        }
        let runs = match &self.slot.before {
            Before::Active(old) => Some(old),
            Before::Raw | Before::Unknown => None,
        };
        let same = |old: &Arc<Compiled>| {
            let exit = old.output_unit().conversion(self.compiled.output_unit());
            exit.is_ok_and(|exit| exit.scale == 1.0 && exit.offset == 0.0)
        };
        if runs.into_iter().chain(&self.slot.baseline).all(same) {
            return Ok(());
        }
        let (unit, sensor) = (&self.transform.output_unit, self.sensor);
        Err(format!(
            "output_unit: `{unit}` is not the unit of {sensor}'s values, in which the scope of the signing role limits the step"
        ))
    }

    fn within(&self, most: f64, old: Option<&Compiled>) -> Result<(), String> {
        let (sensor, unit) = (self.sensor, &self.transform.output_unit);
        match max_step(self.compiled, old) {
            // Written so that a step that is not a number is refused.
            Some(step) if step <= most => Ok(()),
            Some(step) => Err(format!(
                "limits.max_step: sensor {sensor} would change by up to {step:.6} {unit}, allowed is {most}"
            )),
            None => Err(format!(
                "limits.max_step: the step of sensor {sensor} cannot be told; state domain.input, keep the output unit"
            )),
        }
    }

    /// "`maintenance` (scopes likewise, and the step allowed, as a share of the MPE, accumulated since the last
    /// fleet-signed baseline)": many small steps are one large one.
    fn keeps_to_the_baseline(&self, allowed: &Allowed) -> Result<(), String> {
        if self.role != RoleName::Maintenance {
            return Ok(());
        }
        let baseline = self.slot.baseline.as_deref();
        if let (Some(most), Some(baseline)) = (allowed.limits.max_step, baseline) {
            self.within(most, Some(baseline))
                .map_err(|fault| format!("{fault}, from the last signed by the fleet"))?;
        }
        let Some((share, mpe)) = allowed.share else { return Ok(()) };
        let sensor = self.sensor;
        let Some(baseline) = baseline else {
            return Err(format!(
                "mpe_share: sensor {sensor} has no transform of the fleet, from which the step would count"
            ));
        };
        match max_share(self.compiled, baseline, &mpe) {
            Some(step) if step <= share => Ok(()),
            Some(step) => Err(format!(
                "mpe_share: sensor {sensor} would be up to {step:.3} of its permissible error away from the last \
                 transform of the fleet, allowed is {share}"
            )),
            None => Err(format!("mpe_share: the step of sensor {sensor} cannot be told; state domain.input")),
        }
    }
}
