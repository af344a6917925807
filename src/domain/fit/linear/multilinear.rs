//! y = a + b1 x1 + b2 x2 + ...

use super::affine::flat;
use super::design::{Basis, Design};
use super::report::{report, uncentred};
use crate::domain::fit::method::{Direction, Options};
use crate::domain::fit::{Column, Fit, FitError, Pairs};
use crate::domain::transform::multilinear::{MultilinearSpec, Term};
use crate::domain::transform::stage::StageSpec;

/// A plane by least squares through the sensor's own values and its covariates, in the order of the
/// columns. Without `options.intercept` there is no a, and r^2 is against 0.
pub fn fit(pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    if options.direction == Direction::SensorOnReference {
        let problem = "multilinear has several sensors, so there is no one to regress on the reference: leave the direction out, or take `affine`";
        return Err(FitError::Unsupported(problem.to_owned()));
    }
    let intercept = options.intercept;
    let weights = pairs.weights();
    let columns: Vec<&Column> = pairs.columns().iter().collect();
    let design = Design::new(&columns, pairs.reference(), weights.as_deref(), Basis::Columns { intercept })?;
    let fit = report("multilinear", names(columns.len(), intercept), &design, pairs, options)?.fit;
    with_stage(if intercept { fit } else { uncentred(fit, pairs) }, pairs)
}

pub(in crate::domain::fit) fn names(columns: usize, intercept: bool) -> Vec<String> {
    let gains = (1..=columns).map(|at| format!("b{at}"));
    intercept.then(|| "a".to_owned()).into_iter().chain(gains).collect()
}

/// Adds the stage that does what was fitted.
pub(in crate::domain::fit) fn with_stage(fit: Fit, pairs: &Pairs) -> Result<Fit, FitError> {
    let intercept = fit.parameters.len() > pairs.columns().len();
    let (offset, gains) = match fit.parameters.split_first() {
        Some((offset, gains)) if intercept => (*offset, gains),
        _ => (0.0, &fit.parameters[..]),
    };
    if gains.first().is_none_or(|gain| *gain == 0.0) {
        return Err(flat(pairs));
    }
    let term = |(column, gain): (&Column, &f64)| Term { covariate: column.name().to_owned(), gain: *gain };
    let terms = pairs.columns().iter().zip(gains).skip(1).map(term).collect();
    let covariance =
        fit.covariance.as_ref().map(|known| if intercept { known.clone() } else { with_zero(known) });
    let stage = MultilinearSpec { offset, gain: gains[0], terms, covariance };
    Ok(Fit { stages: vec![StageSpec::Multilinear(stage)], ..fit })
}

/// The covariance with a row and a column for an a that is exactly 0.
fn with_zero(known: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let first = vec![0.0; known.len() + 1];
    let others = known.iter().map(|row| std::iter::once(0.0).chain(row.iter().copied()).collect());
    std::iter::once(first).chain(others).collect()
}
