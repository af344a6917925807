//! Least squares with a prior: its knowledge as further rows.

use super::covariance::{Middle, assemble, product};
use super::decile;
use super::design::{Basis, Block, Design};
use super::least_squares::{collinear_column, factor, residuals_of};
use super::report::check_finite;
use super::twofold::Twofold;
use crate::domain::fit::bayes::Prior;
use crate::domain::fit::statistics::describe;
use crate::domain::fit::{Column, Fit, FitError, Pairs};

/// The posterior of y = a + b1 x1 + ..., without its stage.
///
/// With the prior's scale V = L L' the rows L^-1 (parameters - mean) stand below the pairs' own, so
/// that one triangular factor holds V^-1 + X'WX; its last element squared is 2 (b_n - b_0). The t
/// distribution of the parameters has 2 a_n degrees of freedom and the scale matrix
/// b_n / a_n (V^-1 + X'WX)^-1, which is reported.
pub(in crate::domain::fit) fn posterior(
    method: &str,
    names: Vec<String>,
    pairs: &Pairs,
    columns: &[Column],
    prior: &Prior,
) -> Result<Fit, FitError> {
    check(prior, names.len())?;
    let weights = pairs.weights();
    let columns: Vec<&Column> = columns.iter().collect();
    let basis = Basis::Columns { intercept: true };
    let design = Design::new(&columns, pairs.reference(), weights.as_deref(), basis)?;
    let mut triangle = factor::<Twofold>(&design);
    if let Some(scale) = &prior.scale {
        triangle.absorb(&mut prior_rows(&design, prior, &cholesky(scale)?));
    }
    if let Some(at) = collinear_column(&triangle) {
        let problem = "the pairs don't tell its effect and the prior knows nothing of it: add pairs, or give the prior a scale";
        return Err(FitError::column(design.name(at), problem));
    }
    let root = triangle.root();
    let solved: Vec<Twofold> = root.iter().map(|row| Twofold::dot(row, &triangle.projection())).collect();
    let inner = design.unscale(&solved);
    let to_raw = design.to_raw();
    let parameters = to_raw.iter().map(|row| Twofold::dot(row, &inner).value()).collect();
    let residuals = residuals_of(&design, &solved);

    let shape = prior.shape + pairs.len() as f64 / 2.0;
    let unit = design.y_scale() * design.y_scale() * design.weight_scale();
    let rate = prior.rate + triangle.rest().value().powi(2) * unit / 2.0;
    let variance = (shape > 0.0).then(|| rate / shape);
    let known = variance.map(|variance| {
        assemble(&product(&to_raw, &root), &Middle::Scalar(variance / design.weight_scale()))
    });
    let fit = Fit { method: method.to_owned(), names, parameters, covariance: known, ..Fit::default() };
    let mut fit = describe(fit, pairs, &residuals, weights.as_deref(), design.width());
    fit.residual_std = variance.map(f64::sqrt);
    fit.scatter = variance.map(|variance| (variance * mean_inverse(weights.as_deref())).sqrt());
    fit.degrees_of_freedom = variance.map(|_| 2.0 * shape);
    fit.aicc = None;
    fit.notes.push("with a prior: residual_std and the covariance are those of the posterior".to_owned());
    fit.notes.extend(decile::note(pairs.y(), &residuals));
    check_finite(&fit)?;
    Ok(fit)
}

/// The variance of an observation over that of one of weight 1, on average.
fn mean_inverse(weights: Option<&[f64]>) -> f64 {
    weights.map_or(1.0, |weights| weights.iter().map(|w| 1.0 / w).sum::<f64>() / weights.len() as f64)
}

/// L^-1 T over the root of the weights' scale, and L^-1 (mean - T center) likewise, in the scaled
/// problem's unit of y.
fn prior_rows(design: &Design<'_>, prior: &Prior, factor: &[Vec<Twofold>]) -> Block<Twofold> {
    let to_raw = design.to_raw();
    let size = to_raw.len();
    let unit = Twofold::from(design.weight_scale()).sqrt();
    let zero = vec![Twofold::default(); size];
    let center = design.unscale(&zero);
    let mean = (0..size).map(|at| {
        let moved = Twofold::from(prior.mean[at]) - Twofold::dot(&to_raw[at], &center);
        moved / Twofold::from(design.y_scale())
    });
    let mut columns: Vec<Vec<Twofold>> =
        (0..size).map(|at| to_raw.iter().map(|row| row[at]).collect()).collect();
    columns.push(mean.collect());
    for column in &mut columns {
        for at in 0..size {
            let done = Twofold::dot(&factor[at][..at], &column[..at]);
            column[at] = (column[at] - done) / factor[at][at];
        }
        column.iter_mut().for_each(|value| *value = *value / unit);
    }
    Block { columns }
}

/// L of V = L L'.
fn cholesky(matrix: &[Vec<f64>]) -> Result<Vec<Vec<Twofold>>, FitError> {
    let mut factor = vec![vec![Twofold::default(); matrix.len()]; matrix.len()];
    for at in 0..matrix.len() {
        for column in 0..=at {
            let done = Twofold::dot(&factor[at][..column], &factor[column][..column]);
            let rest = Twofold::from(matrix[at][column]) - done;
            if at == column && !(rest.value() > 0.0 && rest.value() >= 1e-15 * matrix[at][at]) {
                return Err(invalid("scale has to be positive definite"));
            }
            factor[at][column] = if at == column { rest.sqrt() } else { rest / factor[column][column] };
        }
    }
    Ok(factor)
}

fn check(prior: &Prior, parameters: usize) -> Result<(), FitError> {
    if prior.mean.len() != parameters {
        return Err(invalid(&format!("mean has to have the fit's {parameters} parameters")));
    }
    let scale = prior.scale.iter().flatten();
    let square = prior.scale.as_ref().is_none_or(|scale| scale.len() == parameters);
    if !square || scale.clone().any(|row| row.len() != parameters) {
        return Err(invalid(&format!("scale has to be {parameters} by {parameters}")));
    }
    if !prior.mean.iter().chain(scale.flatten()).all(|value| value.is_finite()) {
        return Err(invalid("mean and scale have to be finite"));
    }
    if !(prior.shape.is_finite() && prior.rate >= 0.0 && prior.rate.is_finite()) {
        return Err(invalid("shape has to be finite, and rate finite and at least 0"));
    }
    Ok(())
}

fn invalid(problem: &str) -> FitError {
    FitError::Unsupported(format!("the prior's {problem}"))
}
