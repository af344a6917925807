//! Householder's triangular factor of a tall matrix, a block of rows at a time.

use super::design::Block;
use super::real::Real;
use super::twofold::Twofold;

/// R of [X y] = Q R, upper triangular: the parameters' columns, then that of y.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Triangle<R> {
    rows: Vec<Vec<R>>,
}

impl<R: Real> Triangle<R> {
    /// Of no rows yet.
    pub fn new(parameters: usize) -> Triangle<R> {
        Triangle { rows: vec![vec![R::from(0.0); parameters + 1]; parameters + 1] }
    }

    /// Takes more rows in; the block is used up.
    ///
    /// Below the diagonal R is zero, so the reflection that clears column j of the block moves only
    /// row j of R and the block itself (Golub, Van Loan, Matrix Computations, 5.1 and 6.5): blocks
    /// stay in the cache however many rows there are.
    pub fn absorb(&mut self, block: &mut Block<R>) {
        for (at, row) in self.rows.iter_mut().enumerate() {
            let Some((below, others)) = block.columns[at..].split_first_mut() else { return };
            let square = R::dot(below, below);
            if square.value() == 0.0 {
                continue;
            }
            let (first, others_of_row) = (row[at], &mut row[at + 1..]);
            let norm = (first * first + square).sqrt();
            let reflected = if first.value() > 0.0 { -norm } else { norm };
            let top = first - reflected;
            let factor = R::from(1.0) / (reflected * top);
            for (element, column) in others_of_row.iter_mut().zip(others) {
                // the reflection of v = (top, below) has 2 / v'v = -1 / (reflected top)
                let share = (top * *element + R::dot(below, column)) * factor;
                *element = *element + share * top;
                R::add_multiple(column, share, below);
            }
            row[at] = reflected;
        }
    }

    /// The same in twice the precision.
    pub fn widen(&self) -> Triangle<Twofold> {
        Triangle {
            rows: self.rows.iter().map(|row| row.iter().map(|value| value.widen()).collect()).collect(),
        }
    }
}

impl Triangle<Twofold> {
    /// How many columns there are beside y.
    pub fn parameters(&self) -> usize {
        self.rows.len() - 1
    }

    /// How much of column `at` the columns before it leave unexplained, from 0 to 1.
    pub fn independence(&self, at: usize) -> f64 {
        let share = self.rows[at][at].value().abs() / self.norm(at);
        if share.is_finite() { share } else { 0.0 }
    }

    /// The length of column `at`.
    fn norm(&self, at: usize) -> f64 {
        self.rows[..=at].iter().map(|row| row[at].value().powi(2)).sum::<f64>().sqrt()
    }

    /// R^-1 of the parameters' columns: (X'X)^-1 is its product with its transpose.
    pub fn root(&self) -> Vec<Vec<Twofold>> {
        let size = self.parameters();
        let mut root = vec![vec![Twofold::default(); size]; size];
        for (row, column) in (0..size).flat_map(|column| (0..=column).rev().map(move |row| (row, column))) {
            let pivot = self.rows[row][row];
            root[row][column] = if row == column {
                Twofold::from(1.0) / pivot
            } else {
                let below = (row + 1..=column).map(|at| self.rows[row][at] * root[at][column]);
                -(below.fold(Twofold::default(), |sum, part| sum + part) / pivot)
            };
        }
        root
    }

    /// Q'y of the parameters' rows.
    pub fn projection(&self) -> Vec<Twofold> {
        let size = self.parameters();
        self.rows[..size].iter().map(|row| row[size]).collect()
    }

    /// What no parameters explain of y: its square is the sum of squared residuals.
    pub fn rest(&self) -> Twofold {
        self.rows[self.parameters()][self.parameters()]
    }

    /// By which factor an error of the columns' last digits grows in the worst parameter: the root of
    /// the largest variance inflation factor.
    pub fn inflation(&self, root: &[Vec<Twofold>]) -> f64 {
        let of = |(at, row): (usize, &Vec<Twofold>)| Twofold::dot(row, row).value().sqrt() * self.norm(at);
        root.iter().enumerate().map(of).fold(1.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn factor<R: Real>(rows: &[[f64; 3]], at_a_time: usize) -> Triangle<R> {
        let mut triangle = Triangle::new(2);
        for rows in rows.chunks(at_a_time) {
            let column = |at: usize| rows.iter().map(|row| R::from(row[at])).collect();
            triangle.absorb(&mut Block { columns: (0..3).map(column).collect() });
        }
        triangle
    }

    proptest! {
        #[test]
        fn the_product_with_its_transpose_is_that_of_the_matrix(
            rows in proptest::collection::vec(proptest::array::uniform3(-1e3..1e3f64), 3..30),
            at_a_time in 1usize..40,
        ) {
            let triangle = factor::<Twofold>(&rows, at_a_time);
            let double = factor::<f64>(&rows, at_a_time);
            for (i, j) in [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)] {
                let expected = rows.iter().fold(Twofold::default(), |sum, row| sum + Twofold::from(row[i]) * row[j].into());
                let found = triangle.rows.iter().fold(Twofold::default(), |sum, row| sum + row[i] * row[j]);
                let rounded: f64 = double.rows.iter().map(|row| row[i] * row[j]).sum();
                let size: f64 = rows.iter().map(|row| (row[i] * row[j]).abs()).sum::<f64>() + 1e-300;
                let size = size.max(rows.iter().flatten().fold(0.0, |most, v| v.abs().max(most)).powi(2));
                prop_assert!((found - expected).value().abs() < 1e-28 * size);
                prop_assert!((rounded - expected.value()).abs() < 1e-12 * size);
            }
        }
    }

    #[test]
    fn what_other_columns_explain_has_no_independence() {
        let rows = [[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [3.0, 6.0, 5.0]];
        assert!(factor::<Twofold>(&rows, 2).independence(1) < 1e-30);
        assert!(factor::<f64>(&rows, 3).widen().independence(1) < 1e-15);
        assert_eq!(factor::<f64>(&[[0.0, 1.0, 1.0]], 3).widen().independence(0), 0.0);
        let right = factor::<Twofold>(&[[1.0, 0.0, 2.0], [0.0, 1.0, 3.0], [0.0, 0.0, 4.0]], 8);
        assert_eq!(right.independence(1), 1.0);
        assert_eq!(right.inflation(&right.root()), 1.0);
    }
}
