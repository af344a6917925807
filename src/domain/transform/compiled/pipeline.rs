//! The stages of a transform, and those of its cohorts.

use super::{Compiled, Covariate};
use crate::domain::transform::artifact::{ContentError, Transform};
use crate::domain::transform::stage::{self, Around, Known, Point, Roles, Stage, StageSpec};
use crate::domain::units::Unit;

/// Checked stages, applied one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    pub(in crate::domain::transform) stages: Box<[Stage]>,
    /// A bit for each covariate without which the stages have no value.
    pub(in crate::domain::transform) needed: u16,
    /// Whether the last stage is `venn_abers`.
    pub(super) ends_in_two: bool,
}

/// Stages for a range of a covariate.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::domain::transform) struct Branch {
    /// The covariate's place.
    pub place: usize,
    /// Included.
    pub above: f64,
    /// Not included.
    pub below: f64,
    pub pipeline: Pipeline,
}

impl Pipeline {
    /// Runs the stages from `x`, which stands for a reading that lies `moved` away from it.
    #[inline(always)]
    pub(in crate::domain::transform) fn run(&self, x: f64, moved: f64, around: &Around<'_>) -> Point {
        self.stages.iter().fold(Point::start(x, moved), |point, stage| stage.apply(point, around))
    }
}

impl Compiled {
    /// The stages for these covariates, and whether one that chooses them is missing: the common ones then.
    #[inline(always)]
    pub(super) fn choose(&self, covariates: &[Option<Covariate>]) -> (&Pipeline, bool) {
        if self.branches.is_empty() {
            return (&self.pipeline, false);
        }
        self.branch(|place| match covariates.get(place).copied().flatten() {
            Some(known) => self.domain.enter_covariate(place, known.value),
            None => f64::NAN,
        })
    }

    /// The stages for these covariates; NaN where one is missing.
    pub(in crate::domain::transform) fn chosen(&self, covariates: &[f64]) -> &Pipeline {
        self.branch(|place| covariates.get(place).copied().unwrap_or(f64::NAN)).0
    }

    /// The first branch to which the covariates belong.
    #[inline(never)]
    fn branch(&self, covariate: impl Fn(usize) -> f64) -> (&Pipeline, bool) {
        for branch in &self.branches {
            let value = covariate(branch.place);
            if value.is_nan() {
                return (&self.pipeline, true);
            }
            if branch.above <= value && value < branch.below {
                return (&branch.pipeline, false);
            }
        }
        (&self.pipeline, false)
    }
}

/// Checks the common stages and those of the cohorts that have some of their own.
pub(super) fn compile(
    transform: &Transform,
    units: (&Unit, &Unit),
    roles: &mut Roles,
) -> Result<(Pipeline, Box<[Branch]>), ContentError> {
    let common = stages(&transform.pipeline, "", units, roles)?;
    let mut branches = Vec::new();
    for (at, cohort) in transform.cohorts.iter().enumerate().filter(|(_, cohort)| !cohort.pipeline.is_empty())
    {
        let path = format!("cohorts[{at}]");
        let place = roles.place(&cohort.when.covariate, &path, "when.covariate")?;
        // the branch is chosen without it, by the common stages
        roles.take_needed();
        let above = cohort.when.above.unwrap_or(f64::NEG_INFINITY);
        let below = cohort.when.below.unwrap_or(f64::INFINITY);
        let pipeline = stages(&cohort.pipeline, &format!("{path}."), units, roles)?;
        branches.push(Branch { place, above, below, pipeline });
    }
    Ok((common, branches.into()))
}

fn stages(
    specs: &[StageSpec],
    path: &str,
    (input, output): (&Unit, &Unit),
    roles: &mut Roles,
) -> Result<Pipeline, ContentError> {
    let mut known = Known::Exactly(input.clone());
    let mut stages = Vec::with_capacity(specs.len());
    for (at, spec) in specs.iter().enumerate() {
        let (stage, unit) = stage::compile(spec, known, &format!("{path}pipeline[{at}]"), roles)?;
        stages.push(stage);
        known = unit;
    }
    // where the last stage of a cohort gives another unit, the fault is in the cohort
    let place = if path.is_empty() { "output_unit".to_owned() } else { format!("{path}pipeline") };
    stage::fits(&known, output, &place)?;
    let ends_in_two = matches!(stages.last(), Some(Stage::VennAbers(_)));
    Ok(Pipeline { stages: stages.into(), needed: roles.take_needed(), ends_in_two })
}

#[cfg(test)]
mod tests;
