//! y = x + a.

use super::design::{Basis, Design};
use super::report::report;
use crate::domain::fit::method::Options;
use crate::domain::fit::{Column, Fit, FitError, Pairs};
use crate::domain::transform::offset::OffsetSpec;
use crate::domain::transform::stage::StageSpec;

/// The mean difference: the same in both directions of regression.
pub fn fit(pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    let differences = pairs.y().iter().zip(pairs.x()).map(|(y, x)| y - x).collect();
    let column = Column::new(pairs.reference().name(), differences);
    let weights = pairs.weights();
    let design = Design::new(&[], &column, weights.as_deref(), Basis::Columns { intercept: true })?;
    let fit = report("offset", vec!["a".to_owned()], &design, pairs, options)?.fit;
    let stage = OffsetSpec { offset: fit.parameters[0], covariance: fit.covariance.clone() };
    Ok(Fit { stages: vec![StageSpec::Offset(stage)], ..fit })
}
