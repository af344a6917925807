//! The covariance of fitted parameters.

use super::bootstrap;
use super::design::{Block, Design};
use super::hac;
use super::least_squares::Solution;
use super::twofold::Twofold;
use crate::domain::fit::FitError;
use crate::domain::fit::line::unknown;
use crate::domain::fit::method::{CovarianceKind, Options};

/// What lies between the factors: the covariance in z is F M F'.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Middle {
    /// A number times the identity.
    Scalar(f64),
    /// Symmetric.
    Matrix(Vec<Vec<f64>>),
}

/// The middle of the covariance that was asked for, with what the user should know of it; `None`
/// where residuals say nothing because there are no more pairs than parameters.
///
/// `variance` is that of the residuals, weighted, if it is known; `lag1` their autocorrelation.
pub(super) fn middle(
    design: &Design<'_>,
    solution: &Solution,
    variance: Option<f64>,
    lag1: Option<f64>,
    options: &Options,
) -> Result<(Option<Middle>, Option<String>), FitError> {
    let needs_residuals = options.covariance != CovarianceKind::Known;
    let Some(variance) = variance.filter(|_| needs_residuals).or((!needs_residuals).then_some(1.0)) else {
        let note = "as many parameters as pairs: nothing is left to tell an uncertainty from, add pairs";
        return Ok((None, Some(note.to_owned())));
    };
    let lags = || lags(design.len(), lag1.unwrap_or(0.0));
    Ok(match options.covariance {
        CovarianceKind::Independent => (Some(Middle::Scalar(variance / design.weight_scale())), None),
        CovarianceKind::Known if design.weights().is_none() => return Err(unknown()),
        CovarianceKind::Known => (Some(Middle::Scalar(1.0 / design.weight_scale())), None),
        CovarianceKind::Hac => {
            let note = format!("covariance for autocorrelated errors (Newey-West) with {} lags", lags());
            (Some(Middle::Matrix(hac::middle(&scores(design, solution), lags()))), Some(note))
        }
        CovarianceKind::BlockBootstrap => {
            let length = lags() + 1;
            let found = bootstrap::middle(&orthogonal(design, solution), length, options.seed)?;
            let note = format!(
                "covariance for autocorrelated errors from {} resamples of moving blocks of {length} pairs",
                bootstrap::RESAMPLES
            );
            (Some(Middle::Matrix(found)), Some(note))
        }
    })
}

/// How many lags carry a dependence that fades like that of an autoregression with `lag1`.
///
/// Andrews 1991, equations 6.2 and 6.4, for Bartlett's kernel: 1.1447 (alpha n)^(1/3) with alpha =
/// 4 r^2 / ((1 - r)^2 (1 + r)^2); at least floor(4 (n / 100)^(2/9)), the fixed rule of Newey and West
/// 1994, and at most a quarter of the pairs.
fn lags(n: usize, lag1: f64) -> usize {
    let r = lag1.clamp(-0.97, 0.97);
    let alpha = 4.0 * r * r / ((1.0 - r) * (1.0 + r)).powi(2);
    let fitted = 1.1447 * (alpha * n as f64).cbrt();
    let fixed = (4.0 * (n as f64 / 100.0).powf(2.0 / 9.0)).floor();
    (fitted.max(fixed) as usize).min(n / 4)
}

/// Columns whose product with themselves is 1 and with each other 0: F' z sqrt(w); then the
/// residuals times sqrt(w).
fn orthogonal(design: &Design<'_>, solution: &Solution) -> Vec<Vec<f64>> {
    let mut block = Block { columns: Vec::new() };
    design.fill::<f64>(0, design.len(), true, &mut block);
    let width = design.width();
    let mut out: Vec<Vec<f64>> = Vec::with_capacity(width + 1);
    for at in 0..width {
        let mut column = vec![0.0; design.len()];
        for (row, z) in solution.root.iter().zip(&block.columns) {
            let share = row[at].value();
            column.iter_mut().zip(z).for_each(|(sum, z)| *sum += share * z);
        }
        out.push(column);
    }
    out.push(match design.weights() {
        Some(weights) => solution.residuals.iter().zip(weights).map(|(r, w)| r * w.sqrt()).collect(),
        None => solution.residuals.clone(),
    });
    out
}

/// F' z w r, column by column.
fn scores(design: &Design<'_>, solution: &Solution) -> Vec<Vec<f64>> {
    let mut columns = orthogonal(design, solution);
    if let Some(residuals) = columns.pop() {
        for column in &mut columns {
            column.iter_mut().zip(&residuals).for_each(|(score, r)| *score *= r);
        }
    }
    columns
}

/// G M G' in doubles, symmetric to the last bit. G: parameters by columns of F.
pub(super) fn assemble(factor: &[Vec<Twofold>], middle: &Middle) -> Vec<Vec<f64>> {
    let size = factor.len();
    let right: Vec<Vec<Twofold>> = match middle {
        Middle::Scalar(variance) => {
            factor.iter().map(|row| row.iter().map(|g| *g * Twofold::from(*variance)).collect()).collect()
        }
        Middle::Matrix(matrix) => {
            let wide: Vec<Vec<Twofold>> =
                matrix.iter().map(|row| row.iter().map(|m| Twofold::from(*m)).collect()).collect();
            let times = |row: &Vec<Twofold>| wide.iter().map(|m| Twofold::dot(m, row)).collect();
            factor.iter().map(times).collect()
        }
    };
    symmetric(size, |i, j| Twofold::dot(&factor[i], &right[j]).value())
}

/// The matrix whose lower triangle is `element`.
pub(super) fn symmetric(size: usize, element: impl Fn(usize, usize) -> f64) -> Vec<Vec<f64>> {
    let lower: Vec<Vec<f64>> = (0..size).map(|i| (0..=i).map(|j| element(i, j)).collect()).collect();
    (0..size).map(|i| (0..size).map(|j| lower[i.max(j)][i.min(j)]).collect()).collect()
}

/// A B.
pub(super) fn product(a: &[Vec<Twofold>], b: &[Vec<Twofold>]) -> Vec<Vec<Twofold>> {
    let width = b.first().map_or(0, Vec::len);
    let element = |row: &[Twofold], at: usize| {
        row.iter().zip(b).fold(Twofold::default(), |sum, (a, b)| sum + *a * b[at])
    };
    a.iter().map(|row| (0..width).map(|at| element(row, at)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::lags;

    #[test]
    fn lags_grow_with_the_memory() {
        assert_eq!(lags(100, 0.0), 4);
        assert_eq!(lags(7344, 0.0), 10);
        assert_eq!(lags(7344, 0.8317), 68);
        assert_eq!(lags(1717, 0.783), 34);
        assert_eq!(lags(12, 0.9), 3);
        assert_eq!(lags(3, f64::NAN), 0);
    }
}
