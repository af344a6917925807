//! Covariance matrices of fitted parameters, factored once so that a variance is a sum of squares.

/// Says why a matrix is not a covariance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CovarianceError {
    /// Wrong size.
    #[error("expected a {0} by {0} matrix")]
    Size(usize),
    /// Not a number, or infinite.
    #[error("every element must be finite")]
    NotFinite,
    /// Element (i, j) differs from (j, i).
    #[error("not symmetric: elements [{0}][{1}] and [{1}][{0}] differ")]
    Asymmetric(usize, usize),
    /// Some combination of the parameters would have a negative variance.
    #[error("not positive semi-definite: some combination of the parameters has a negative variance")]
    Indefinite,
}

/// How far a correlation may be off for rounding: about ten printed digits.
const ROUNDING: f64 = 1e-9;
/// A pivot of the correlation matrix below this is nothing but rounding.
const NEGLIGIBLE: f64 = 1e-14;

/// Columns that are evaluated side by side.
const LANES: usize = 4;

/// A factor F of a covariance S = F F', so that g' S g = |F' g|^2 is never negative.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Factor {
    size: usize,
    /// Blocks of [`LANES`] columns, the last one filled up with zeros; within a block the rows, the
    /// highest power first.
    blocks: Box<[[f64; LANES]]>,
}

impl Factor {
    /// Checks and factors the covariance of `size` parameters.
    ///
    /// Cholesky with diagonal pivoting, on the correlations, so that parameters of very different
    /// magnitude are judged alike; S may be singular.
    pub fn new(matrix: &[Vec<f64>], size: usize) -> Result<Factor, CovarianceError> {
        check_shape(matrix, size)?;
        let deviations = deviations(matrix)?;
        let mut rest = correlations(matrix, &deviations)?;
        let mut columns: Vec<Vec<f64>> = Vec::new();
        let mut open: Vec<usize> = (0..size).filter(|&i| deviations[i] > 0.0).collect();
        while let Some(place) = largest(&rest, &open) {
            let pivot = open[place];
            if rest[pivot][pivot] <= NEGLIGIBLE {
                break;
            }
            let column = take_out(&mut rest, &open, pivot);
            columns.push(column.iter().zip(&deviations).map(|(c, d)| c * d).collect());
            open.swap_remove(place);
        }
        let left = open.iter().flat_map(|&i| open.iter().map(move |&j| (i, j)));
        if left.into_iter().any(|(i, j)| rest[i][j].abs() > ROUNDING) {
            return Err(CovarianceError::Indefinite);
        }
        Ok(Factor { size, blocks: interleave(&columns, size) })
    }

    /// The variance of p(x) = c0 + c1 x + ... whose coefficients have this covariance.
    ///
    /// The gradient is (1, x, x^2, ...), so each column of the factor is a polynomial itself, and
    /// Horner's scheme evaluates four of them in the time of one.
    #[inline(always)]
    pub fn variance_of_polynomial(&self, x: f64) -> f64 {
        let mut sum = 0.0;
        let mut rows = &*self.blocks;
        while rows.len() >= self.size && self.size > 0 {
            let (block, rest) = rows.split_at(self.size);
            let [mut a, mut b, mut c, mut d] = [0.0; LANES];
            for row in block {
                a = a * x + row[0];
                b = b * x + row[1];
                c = c * x + row[2];
                d = d * x + row[3];
            }
            sum += (a * a + b * b) + (c * c + d * d);
            rows = rest;
        }
        sum
    }

    /// g' S g: the variance of a value with the gradient `g` over the parameters, in their order.
    #[inline(always)]
    pub fn variance_along(&self, gradient: impl Iterator<Item = f64> + Clone) -> f64 {
        let mut sum = 0.0;
        let mut rows = &*self.blocks;
        while rows.len() >= self.size && self.size > 0 {
            let (block, rest) = rows.split_at(self.size);
            let mut lanes = [0.0; LANES];
            for (row, g) in block.iter().rev().zip(gradient.clone()) {
                for (lane, element) in lanes.iter_mut().zip(row) {
                    *lane += element * g;
                }
            }
            sum += lanes.iter().map(|lane| lane * lane).sum::<f64>();
            rows = rest;
        }
        sum
    }

    /// Whether every variance is zero.
    pub fn is_zero(&self) -> bool {
        self.blocks.is_empty()
    }
}

fn interleave(columns: &[Vec<f64>], size: usize) -> Box<[[f64; LANES]]> {
    let element = |column: Option<&Vec<f64>>, row: usize| column.map_or(0.0, |column| column[row]);
    let row = |block: &[Vec<f64>], row| std::array::from_fn(|lane| element(block.get(lane), row));
    columns.chunks(LANES).flat_map(|block| (0..size).rev().map(move |at| row(block, at))).collect()
}

fn check_shape(matrix: &[Vec<f64>], size: usize) -> Result<(), CovarianceError> {
    if matrix.len() != size || matrix.iter().any(|row| row.len() != size) {
        return Err(CovarianceError::Size(size));
    }
    if matrix.iter().flatten().any(|value| !value.is_finite()) {
        return Err(CovarianceError::NotFinite);
    }
    Ok(())
}

fn deviations(matrix: &[Vec<f64>]) -> Result<Vec<f64>, CovarianceError> {
    let diagonal = matrix.iter().enumerate().map(|(i, row)| row[i]);
    diagonal.map(|v| if v < 0.0 { Err(CovarianceError::Indefinite) } else { Ok(v.sqrt()) }).collect()
}

fn correlations(matrix: &[Vec<f64>], deviations: &[f64]) -> Result<Vec<Vec<f64>>, CovarianceError> {
    let size = matrix.len();
    let mut out = vec![vec![0.0; size]; size];
    for (i, j) in (0..size).flat_map(|i| (0..=i).map(move |j| (i, j))) {
        let scale = deviations[i] * deviations[j];
        let off = (matrix[i][j] - matrix[j][i]).abs();
        if off > ROUNDING * scale {
            return Err(CovarianceError::Asymmetric(i, j));
        }
        if scale == 0.0 && matrix[i][j] != 0.0 {
            return Err(CovarianceError::Indefinite);
        }
        let correlation = if scale == 0.0 { 0.0 } else { (matrix[i][j] + matrix[j][i]) / (2.0 * scale) };
        if correlation.abs() > 1.0 + ROUNDING {
            return Err(CovarianceError::Indefinite);
        }
        out[i][j] = correlation;
        out[j][i] = correlation;
    }
    Ok(out)
}

/// The place in `open` of the largest diagonal element left.
fn largest(rest: &[Vec<f64>], open: &[usize]) -> Option<usize> {
    (0..open.len()).max_by(|&a, &b| rest[open[a]][open[a]].total_cmp(&rest[open[b]][open[b]]))
}

/// One step of the factorisation: the pivot's column, and `rest` without its share.
fn take_out(rest: &mut [Vec<f64>], open: &[usize], pivot: usize) -> Vec<f64> {
    let root = rest[pivot][pivot].sqrt();
    let mut column = vec![0.0; rest.len()];
    for &i in open {
        column[i] = rest[i][pivot] / root;
    }
    for &i in open {
        for &j in open {
            rest[i][j] -= column[i] * column[j];
        }
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quadratic_form(matrix: &[Vec<f64>], x: f64) -> f64 {
        let power = |i: usize| x.powi(i as i32);
        let row = |i: usize| (0..matrix.len()).map(|j| matrix[i][j] * power(j)).sum::<f64>();
        (0..matrix.len()).map(|i| row(i) * power(i)).sum()
    }

    #[test]
    fn gives_the_quadratic_form() {
        let matrix = vec![vec![1.2e-4, -3e-6], vec![-3e-6, 8e-7]];
        let factor = Factor::new(&matrix, 2).unwrap();
        for x in [-10.0, 0.0, 0.5, 300.0] {
            let expected = quadratic_form(&matrix, x);
            assert!((factor.variance_of_polynomial(x) / expected - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn takes_singular_matrices() {
        assert!(Factor::new(&[vec![0.0, 0.0], vec![0.0, 0.0]], 2).unwrap().is_zero());
        let zero_gain = Factor::new(&[vec![4.0, 0.0], vec![0.0, 0.0]], 2).unwrap();
        assert_eq!(zero_gain.variance_of_polynomial(1e9), 4.0);
        // fully correlated: a and b move together, so that a + b x is exact at x = -1
        let line = Factor::new(&[vec![4.0, 4.0], vec![4.0, 4.0]], 2).unwrap();
        assert_eq!(line.variance_of_polynomial(-1.0), 0.0);
        assert_eq!(line.variance_of_polynomial(2.0), 36.0);
    }

    #[test]
    fn refuses_what_no_parameters_can_have() {
        let cases: [(&[&[f64]], CovarianceError); 8] = [
            (&[&[1.0]], CovarianceError::Size(2)),
            (&[&[1.0, 0.0], &[0.0]], CovarianceError::Size(2)),
            (&[&[1.0, f64::NAN], &[0.0, 1.0]], CovarianceError::NotFinite),
            (&[&[1.0, 0.1], &[0.2, 1.0]], CovarianceError::Asymmetric(1, 0)),
            (&[&[-1.0, 0.0], &[0.0, 1.0]], CovarianceError::Indefinite),
            (&[&[1.0, 1.1], &[1.1, 1.0]], CovarianceError::Indefinite),
            (&[&[0.0, 1.0], &[1.0, 1.0]], CovarianceError::Indefinite),
            (&[&[1e300, 0.0], &[0.0, f64::INFINITY]], CovarianceError::NotFinite),
        ];
        for (rows, error) in cases {
            let matrix: Vec<Vec<f64>> = rows.iter().map(|row| row.to_vec()).collect();
            assert_eq!(Factor::new(&matrix, 2), Err(error), "{rows:?}");
        }
        // every pair of correlations is possible, all three together are not
        let matrix = vec![vec![1.0, 0.9, -0.9], vec![0.9, 1.0, 0.9], vec![-0.9, 0.9, 1.0]];
        assert_eq!(Factor::new(&matrix, 3), Err(CovarianceError::Indefinite));
    }

    proptest! {
        #[test]
        fn any_gram_matrix_is_a_covariance(
            rows in proptest::collection::vec(proptest::collection::vec(-1e3..1e3f64, 4), 1..6),
            x in -3.0..3.0f64,
        ) {
            let matrix: Vec<Vec<f64>> = rows.iter()
                .map(|a| rows.iter().map(|b| a.iter().zip(b).map(|(p, q)| p * q).sum()).collect())
                .collect();
            let factor = Factor::new(&matrix, rows.len()).unwrap();
            let size: f64 = (0..rows.len()).map(|i| matrix[i][i] * x.powi(2 * i as i32)).sum();
            let difference = factor.variance_of_polynomial(x) - quadratic_form(&matrix, x);
            prop_assert!(difference.abs() <= 1e-10 * size, "{difference} of {size}");
        }

        #[test]
        fn no_numbers_make_it_panic(values in proptest::collection::vec(any::<f64>(), 9)) {
            let matrix: Vec<Vec<f64>> = values.chunks(3).map(<[f64]>::to_vec).collect();
            if let Ok(factor) = Factor::new(&matrix, 3) {
                let variance = factor.variance_of_polynomial(values[0]);
                prop_assert!(variance.is_nan() || variance >= 0.0);
            }
        }
    }
}
