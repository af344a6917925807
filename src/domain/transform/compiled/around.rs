//! Running stages that look at covariates: values, and what the value owes to each of them.

use super::{Compiled, Covariate, Pipeline};
use crate::domain::transform::stage::{Around, Gradient, MAX_COVARIATES, Point};

/// The covariates that the stages compute with, by their places.
pub(super) struct Surroundings {
    pub(super) values: [f64; MAX_COVARIATES],
    /// Variances: stated uncertainty, and what clamping moved.
    variances: [f64; MAX_COVARIATES],
}

impl Compiled {
    /// Runs the stages from `x`, which stands for a reading that lies `moved` away from it. `None` if
    /// a covariate that a stage needs is missing.
    ///
    /// The derivative with respect to each covariate is carried through the pipeline, so that one that
    /// two stages look at adds coherently (GUM, JCGM 100:2008, 5.1.2: one term for each input quantity).
    pub(super) fn run_around(
        &self,
        pipeline: &Pipeline,
        x: f64,
        moved: f64,
        covariates: &[Option<Covariate>],
    ) -> Option<Point> {
        let around = self.surroundings(pipeline, covariates)?;
        let (mut point, gradient) = self.run_with_gradient(pipeline, x, moved, &around.values);
        for (slope, variance) in gradient.iter().zip(&around.variances).take(self.roles.len()) {
            // an infinite slope owes nothing to what is exact
            if *variance > 0.0 {
                point.variance += slope * slope * variance;
            }
        }
        Some(point)
    }

    fn run_with_gradient(
        &self,
        pipeline: &Pipeline,
        x: f64,
        moved: f64,
        covariates: &[f64],
    ) -> (Point, Gradient) {
        let around = Around { covariates, hold: self.domain.holds() };
        let mut gradient = [0.0; MAX_COVARIATES];
        let mut point = Point::start(x, moved);
        for stage in &pipeline.stages {
            let before = point;
            let local = stage.at(before.value, &around);
            point = before.through(local);
            gradient.iter_mut().take(self.roles.len()).for_each(|slope| *slope *= local.slope);
            stage.lean(before.value, &around, &mut gradient);
        }
        (point, gradient)
    }

    /// `None` if a covariate that a stage needs is missing.
    pub(super) fn surroundings(
        &self,
        pipeline: &Pipeline,
        covariates: &[Option<Covariate>],
    ) -> Option<Surroundings> {
        let mut out = Surroundings { values: [f64::NAN; MAX_COVARIATES], variances: [0.0; MAX_COVARIATES] };
        for place in 0..self.roles.len() {
            let known = covariates.get(place).copied().flatten().filter(|known| !known.value.is_nan());
            let Some(known) = known else {
                if pipeline.needed >> place & 1 == 1 {
                    return None;
                }
                continue;
            };
            let value = self.domain.enter_covariate(place, known.value);
            let moved = known.value - value;
            // one that is no uncertainty is as good as none
            let u = known.u.filter(|u| *u >= 0.0).unwrap_or(0.0);
            out.values[place] = value;
            out.variances[place] = u * u + moved * moved;
        }
        Some(out)
    }
}
