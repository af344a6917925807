//! Stages without a transform around them: what a fit has made, before anybody signs it.

use super::artifact::ContentError;
use super::stage::{Around, Known, MAX_COVARIATES, Point, Roles, Stage, StageSpec, compile};

/// Checked stages, to be evaluated one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    stages: Box<[Stage]>,
    roles: Box<[String]>,
}

impl Chain {
    /// Checks the stages. Fails with `InvalidContent` and the path of the field, like
    /// `pipeline[0].gain`.
    pub fn new(specs: &[StageSpec]) -> Result<Chain, ContentError> {
        let mut roles = Roles::default();
        let mut stages = Vec::with_capacity(specs.len());
        for (at, spec) in specs.iter().enumerate() {
            let (stage, _) = compile(spec, Known::AsStated, &format!("pipeline[{at}]"), &mut roles)?;
            stages.push(stage);
        }
        Ok(Chain { stages: stages.into(), roles: roles.into_names() })
    }

    /// The roles of the covariates, in the order in which their values are given.
    pub fn covariates(&self) -> &[String] {
        &self.roles
    }

    /// The value at `x`; NaN where it has none. Tables go on along their last segments.
    pub fn value(&self, x: f64, covariates: &[f64]) -> f64 {
        self.run(x, covariates).value
    }

    /// The derivative with respect to `x`.
    pub fn slope(&self, x: f64, covariates: &[f64]) -> f64 {
        self.run(x, covariates).sensitivity
    }

    /// The variance that the stages' own parameters give the value at `x`.
    pub fn variance(&self, x: f64, covariates: &[f64]) -> f64 {
        self.run(x, covariates).variance
    }

    fn run(&self, x: f64, covariates: &[f64]) -> Point {
        let mut around = [f64::NAN; MAX_COVARIATES];
        for (place, value) in around.iter_mut().zip(covariates) {
            *place = *value;
        }
        let around = Around { covariates: &around, hold: false };
        self.stages.iter().fold(Point::start(x, 0.0), |point, stage| stage.apply(point, &around))
    }
}
