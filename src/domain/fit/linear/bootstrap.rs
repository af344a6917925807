//! The moving-block bootstrap of a linear fit.

use super::covariance::symmetric;
use crate::domain::fit::FitError;
use crate::domain::resample::Seeded;

/// How often pairs are drawn anew.
pub(super) const RESAMPLES: usize = 999;

/// The covariance of the refitted parameters, seen along the orthogonal columns (Künsch 1989: blocks
/// of neighbouring pairs keep their dependence).
///
/// `columns`: q, whose q'q is the identity, then the residuals e. A resample's parameters differ by
/// (sum q q')^-1 sum q e from those of the fit, exactly; sums over a block are differences of running
/// sums.
pub(super) fn middle(columns: &[Vec<f64>], length: usize, seed: u64) -> Result<Vec<Vec<f64>>, FitError> {
    let sums = RunningSums::new(columns);
    let (n, width) = (sums.pairs(), columns.len().saturating_sub(1));
    let mut draws = Seeded::new(seed);
    let mut moves: Vec<Vec<f64>> = Vec::with_capacity(RESAMPLES);
    for _ in 0..2 * RESAMPLES {
        if moves.len() < RESAMPLES {
            let total = sums.resample(n, length, &mut draws);
            moves.extend(shift(&total, width));
        }
    }
    if moves.len() < RESAMPLES {
        let problem = "too few pairs for blocks of them: most resamples determine no parameters; add pairs or take the covariance `independent`";
        return Err(FitError::Unsupported(problem.to_owned()));
    }
    Ok(covariance(&moves, width))
}

/// Sums of q_i q_j and q_i e over the first 0, 1, 2, ... pairs.
struct RunningSums {
    /// Products in one row: (i, j) for j <= i, where i runs to e.
    stride: usize,
    rows: Vec<f64>,
}

impl RunningSums {
    fn new(columns: &[Vec<f64>]) -> RunningSums {
        let n = columns.first().map_or(0, Vec::len);
        let stride = columns.len() * (columns.len() + 1) / 2;
        let mut rows = vec![0.0; stride];
        rows.reserve(n * stride);
        for at in 0..n {
            let products = columns
                .iter()
                .enumerate()
                .flat_map(|(i, a)| columns[..=i].iter().map(move |b| a[at] * b[at]))
                .enumerate();
            for (place, product) in products {
                rows.push(rows[at * stride + place] + product);
            }
        }
        RunningSums { stride, rows }
    }

    fn pairs(&self) -> usize {
        self.rows.len() / self.stride.max(1) - 1
    }

    /// Sums over as many pairs as there are, drawn in blocks; the last block is cut.
    fn resample(&self, n: usize, length: usize, draws: &mut Seeded) -> Vec<f64> {
        let length = length.clamp(1, n);
        let mut total = vec![0.0; self.stride];
        let mut left = n;
        while left > 0 {
            let from = draws.below(n - length + 1);
            let to = from + length.min(left);
            let row = |at: usize| &self.rows[at * self.stride..(at + 1) * self.stride];
            for (sum, (end, start)) in total.iter_mut().zip(row(to).iter().zip(row(from))) {
                *sum += end - start;
            }
            left -= length.min(left);
        }
        total
    }
}

/// A^-1 b by Cholesky's factorisation; `None` if A is singular. `products` hold the lower triangle of
/// A, then b.
fn shift(products: &[f64], width: usize) -> Option<Vec<f64>> {
    let at = |i: usize, j: usize| products[i * (i + 1) / 2 + j];
    let mut factor = vec![vec![0.0; width]; width];
    let mut out = vec![0.0; width];
    for i in 0..width {
        for j in 0..=i {
            let inner: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
            let rest = at(i, j) - inner;
            if i == j && rest <= 1e-9 * at(i, i) {
                return None;
            }
            factor[i][j] = if i == j { rest.sqrt() } else { rest / factor[j][j] };
        }
        let inner: f64 = (0..i).map(|k| factor[i][k] * out[k]).sum();
        out[i] = (at(width, i) - inner) / factor[i][i];
    }
    for i in (0..width).rev() {
        let inner: f64 = (i + 1..width).map(|k| factor[k][i] * out[k]).sum();
        out[i] = (out[i] - inner) / factor[i][i];
    }
    Some(out)
}

fn covariance(moves: &[Vec<f64>], width: usize) -> Vec<Vec<f64>> {
    let count = moves.len() as f64;
    let mean: Vec<f64> =
        (0..width).map(|at| moves.iter().map(|shift| shift[at]).sum::<f64>() / count).collect();
    let element = |i: usize, j: usize| {
        let products = moves.iter().map(|shift| (shift[i] - mean[i]) * (shift[j] - mean[j]));
        products.sum::<f64>() / (count - 1.0)
    };
    symmetric(width, element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_its_small_systems() {
        // [[4, 2], [2, 5]] d = [8, 8]
        let found = shift(&[4.0, 2.0, 5.0, 8.0, 8.0, 0.0], 2).unwrap();
        assert!((found[0] - 1.5).abs() < 1e-15 && (found[1] - 1.0).abs() < 1e-15);
        assert_eq!(shift(&[4.0, 2.0, 1.0, 8.0, 8.0, 0.0], 2), None);
    }

    #[test]
    fn blocks_have_every_pair_they_should() {
        let sums = RunningSums::new(&[vec![1.0; 10]]);
        assert_eq!(sums.resample(10, 4, &mut Seeded::new(1)), [10.0]);
        assert_eq!(sums.resample(10, 99, &mut Seeded::new(1)), [10.0]);
    }
}
