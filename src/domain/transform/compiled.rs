//! A transform as it runs: checked once, then applied to every reading without allocating.

use super::artifact::{ContentError, Limits, Transform};
use super::content;
use super::domain::{Domain, Excess};
use super::stage::{Around, Point, Roles};
use crate::domain::quality::{ReasonCode, Reasons, State};
use crate::domain::uncertainty::budget::{Budget, Contribution};
use crate::domain::units::Unit;

pub use expanded::{Components, Expanded};
pub(super) use pipeline::Branch;
use pipeline::Pipeline;

/// One raw reading and what is known beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Input<'a> {
    /// The raw value, in the input unit.
    pub raw: f64,
    /// Its standard uncertainty, in the input unit, if it is known.
    pub u_raw: Option<f64>,
    /// The covariates, in the order of [`Compiled::covariates`].
    pub covariates: &'a [Option<Covariate>],
    /// Days since the calibration was last confirmed by a reference.
    pub age_days: f64,
}

/// What is known of a covariate beside a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Covariate {
    /// Its calibrated value, in its own unit.
    pub value: f64,
    /// Its standard uncertainty, in its own unit, if it is known; counts as 0 if not.
    pub u: Option<f64>,
}

/// A calibrated value and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Output {
    /// The value, in the output unit; `None` where none can be given.
    pub value: Option<f64>,
    /// Its standard uncertainty, in the output unit, if anything is known of it.
    pub u: Option<f64>,
    /// What it is worth.
    pub state: State,
    /// Why.
    pub reasons: Reasons,
    /// Where the last stage is `venn_abers` and there is a value: the two probabilities that it merges,
    /// before the domain's policy.
    pub p0_p1: Option<[f64; 2]>,
}

/// A transform that passed every check of its content. Made by [`compile`].
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// Of all readings that belong to no branch.
    pub(super) pipeline: Pipeline,
    /// Of the cohorts that have stages of their own.
    pub(super) branches: Box<[Branch]>,
    pub(super) domain: Domain,
    roles: Box<[String]>,
    pub(super) limits: Limits,
    budget: Budget,
    /// Of the fit's residuals, in output units squared, and what they are known by.
    residual_variance: f64,
    degrees_of_freedom: Option<f64>,
    input_unit: Unit,
    output_unit: Unit,
}

/// Checks what the fields of a transform mean together, and makes the form that runs.
///
/// Fails with `InvalidContent` and the field's path.
pub fn compile(transform: &Transform) -> Result<Compiled, ContentError> {
    content::check(transform)?;
    let input_unit = super::check::unit(&transform.input_unit, "", "input_unit")?;
    let output_unit = super::check::unit(&transform.output_unit, "", "output_unit")?;
    let domain = Domain::compile(&transform.domain)?;
    let mut roles = Roles::starting_with(&domain.roles);
    let (pipeline, branches) = pipeline::compile(transform, (&input_unit, &output_unit), &mut roles)?;
    Ok(Compiled {
        pipeline,
        branches,
        domain,
        roles: roles.into_names(),
        limits: transform.limits.clone(),
        budget: content::budget(transform),
        residual_variance: transform.uncertainty.residual_std.map_or(0.0, |s| s * s),
        degrees_of_freedom: transform.uncertainty.degrees_of_freedom,
        input_unit,
        output_unit,
    })
}

impl Compiled {
    /// The roles of the covariates that are looked at, in the order in which they are given.
    pub fn covariates(&self) -> &[String] {
        &self.roles
    }

    /// The unit of raw readings.
    pub fn input_unit(&self) -> &Unit {
        &self.input_unit
    }

    /// The unit of calibrated values.
    pub fn output_unit(&self) -> &Unit {
        &self.output_unit
    }

    /// Calibrates one reading. Allocates nothing.
    ///
    /// A raw value that is not finite, a result that overflows, and a covariate that a stage needs
    /// and that is missing, give no value.
    pub fn apply(&self, input: &Input<'_>) -> Output {
        let mut excess = Excess::default();
        let entered = self.domain.enter(input.raw, &mut excess);
        self.domain.look_around(input.covariates, &mut excess);
        let (pipeline, missing) = self.choose(input.covariates);
        excess.missing |= missing;
        if pipeline.needed != 0 {
            return self.apply_around(pipeline, entered, input, excess);
        }
        let around = Around { covariates: &[], hold: self.domain.holds() };
        let point = pipeline.run(entered, input.raw - entered, &around);
        self.finish(pipeline, &point, input, excess)
    }

    #[inline(never)]
    fn apply_around(&self, pipeline: &Pipeline, entered: f64, input: &Input<'_>, excess: Excess) -> Output {
        match self.run_around(pipeline, entered, input.raw - entered, input.covariates) {
            Some(point) => self.finish(pipeline, &point, input, excess),
            None => no_value(ReasonCode::CovariateMissing),
        }
    }

    /// What is known of a value that came out of the stages.
    #[inline(always)]
    fn finish(&self, pipeline: &Pipeline, point: &Point, input: &Input<'_>, mut excess: Excess) -> Output {
        let u = self.uncertainty(point, input);
        excess.outside |= point.outside;
        excess.square += point.excess;
        self.domain.leave(point.value, u, &mut excess);
        let out = if excess.outside || excess.missing {
            let verdict = self.domain.judge(point.value, u, excess);
            Output {
                value: verdict.value,
                u: verdict.u,
                state: verdict.state,
                reasons: verdict.reasons,
                p0_p1: None,
            }
        } else {
            Output { value: Some(point.value), u, state: State::Valid, reasons: Reasons::NONE, p0_p1: None }
        };
        // the point too: clamping could make a number of what is none
        let finite = point.value.is_finite() && out.u.is_none_or(f64::is_finite);
        match finite {
            true if pipeline.ends_in_two => self.with_both(pipeline, out, input),
            true => out,
            false => no_value(ReasonCode::OutOfDomain),
        }
    }

    /// Runs the stages that belong to these covariates from `x`, which stands for a reading that lies
    /// `moved` away from it.
    pub(super) fn run(&self, x: f64, moved: f64, covariates: &[f64]) -> Point {
        let around = Around { covariates, hold: self.domain.holds() };
        self.chosen(covariates).run(x, moved, &around)
    }

    #[inline(always)]
    fn uncertainty(&self, point: &Point, input: &Input<'_>) -> Option<f64> {
        self.budget.combine(&Contribution {
            value: point.value,
            sensitivity: point.sensitivity,
            parameters: point.variance,
            // one that is no uncertainty is as good as none
            u_raw: input.u_raw.filter(|u| *u >= 0.0),
            age_days: input.age_days,
        })
    }
}

#[cold]
fn no_value(reason: ReasonCode) -> Output {
    Output { value: None, u: None, state: State::Invalid, reasons: Reasons::of(reason), p0_p1: None }
}

mod around;
mod both;
mod expanded;
mod inverse;
#[cfg(test)]
mod monte_carlo;
mod pipeline;
#[cfg(test)]
mod tests;
