//! Tall least-squares problems, reduced to a triangle row by row.

use crate::domain::fit::sums;

/// Rows that are taken in at once: what stays in the nearest cache.
const ROWS: usize = 64;

/// The triangle R of J = Q R, with Q' r beside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Triangle {
    /// Columns of J.
    pub size: usize,
    /// Row by row, `size` + 1 columns; elements below the diagonal are 0. The last row holds what
    /// no step can reduce.
    rows: Vec<f64>,
}

impl Triangle {
    /// Element (i, j) of R.
    pub(super) fn r(&self, i: usize, j: usize) -> f64 {
        self.rows[i * (self.size + 1) + j]
    }

    /// Element i of Q' r.
    pub(super) fn q(&self, i: usize) -> f64 {
        self.r(i, self.size)
    }

    /// The norm of column j of J.
    pub(super) fn column(&self, j: usize) -> f64 {
        norm((0..=j).map(|i| self.r(i, j)))
    }

    /// |Q' r|: by how much, in the root of the sum of squares, the linearised problem would fall.
    pub(super) fn offset(&self) -> f64 {
        norm((0..self.size).map(|i| self.q(i)))
    }

    /// The sum of squares that no step can reduce.
    pub(super) fn rest(&self) -> f64 {
        self.q(self.size).powi(2)
    }

    /// Solves R z = b from below; not finite where R is singular.
    pub(super) fn solve(&self, mut b: Vec<f64>) -> Vec<f64> {
        for i in (0..self.size).rev() {
            let known: f64 = (i + 1..self.size).map(|j| self.r(i, j) * b[j]).sum();
            b[i] = (b[i] - known) / self.r(i, i);
        }
        b
    }

    /// Solves R' z = b from above; not finite where R is singular.
    pub(super) fn solve_transposed(&self, mut b: Vec<f64>) -> Vec<f64> {
        for i in 0..self.size {
            let known: f64 = (0..i).map(|j| self.r(j, i) * b[j]).sum();
            b[i] = (b[i] - known) / self.r(i, i);
        }
        b
    }

    /// The full step that minimises the linearised problem.
    pub(super) fn step(&self) -> Vec<f64> {
        self.solve((0..self.size).map(|i| self.q(i)).collect())
    }

    /// The columns of R^-1.
    pub(super) fn inverse(&self) -> Vec<Vec<f64>> {
        let unit = |j| (0..self.size).map(|i| f64::from(u8::from(i == j))).collect();
        (0..self.size).map(|j| self.solve(unit(j))).collect()
    }

    /// The triangle of J with the rows `diagonal` below it, and zeros below r.
    pub(super) fn with_diagonal(&self, diagonal: &[f64]) -> Triangle {
        let mut all = Reduction::starting_with(self.clone());
        let mut row = vec![0.0; self.size];
        for (j, value) in diagonal.iter().enumerate() {
            row[j] = *value;
            all.push(&row, 0.0);
            row[j] = 0.0;
        }
        all.finish()
    }
}

/// Euclid's norm.
pub(super) fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// Takes in rows (J_i, r_i) by Householder reflections of blocks (Golub, Van Loan 2013, 5.2; the
/// blocks one after the other as in Demmel et al. 2012). Never forms J'J, which would square the
/// condition.
pub(super) struct Reduction {
    triangle: Triangle,
    /// The columns of the open block, r last.
    block: Vec<[f64; ROWS]>,
    filled: usize,
}

impl Reduction {
    /// Nothing yet, for `size` columns.
    pub(super) fn new(size: usize) -> Reduction {
        Reduction::starting_with(Triangle { size, rows: vec![0.0; (size + 1) * (size + 1)] })
    }

    fn starting_with(triangle: Triangle) -> Reduction {
        let columns = triangle.size + 1;
        Reduction { triangle, block: vec![[0.0; ROWS]; columns], filled: 0 }
    }

    /// Takes in one row.
    #[inline(always)]
    pub(super) fn push(&mut self, row: &[f64], r: f64) {
        // the remainder, which changes nothing, spares a check for each element
        let at = self.filled % ROWS;
        for (column, value) in self.block.iter_mut().zip(row) {
            column[at] = *value;
        }
        if let Some(last) = self.block.last_mut() {
            last[at] = r;
        }
        self.filled += 1;
        if self.filled == ROWS {
            self.reduce();
        }
    }

    /// The triangle of all rows.
    pub(super) fn finish(mut self) -> Triangle {
        if self.filled > 0 {
            self.reduce();
        }
        self.triangle
    }

    fn reduce(&mut self) {
        let columns = self.block.len();
        for k in 0..columns {
            let Some((head, tail)) = self.block.get_mut(k..).and_then(<[_]>::split_first_mut) else { return };
            let below = sums::dot(head, head);
            if below == 0.0 {
                continue;
            }
            let row = &mut self.triangle.rows[k * columns + k..(k + 1) * columns];
            let size = (row[0] * row[0] + below).sqrt();
            let diagonal = if row[0] > 0.0 { -size } else { size };
            let lead = row[0] - diagonal;
            let scale = -1.0 / (lead * diagonal);
            row[0] = diagonal;
            for (element, column) in row[1..].iter_mut().zip(tail) {
                let share = scale * (lead * *element + sums::dot(head, column));
                *element -= share * lead;
                sums::add_multiple(column, -share, head);
            }
        }
        for column in &mut self.block {
            column.fill(0.0);
        }
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reduced(rows: &[Vec<f64>], r: &[f64]) -> Triangle {
        let mut all = Reduction::new(rows[0].len());
        rows.iter().zip(r).for_each(|(row, r)| all.push(row, *r));
        all.finish()
    }

    #[test]
    fn a_line_is_fitted_exactly_over_several_blocks() {
        let rows: Vec<Vec<f64>> = (0..1000).map(|i| vec![1.0, f64::from(i)]).collect();
        let r: Vec<f64> = (0..1000).map(|i| 3.0 - 2.0 * f64::from(i)).collect();
        let triangle = reduced(&rows, &r);
        let step = triangle.step();
        assert!((step[0] - 3.0).abs() < 1e-12 && (step[1] + 2.0).abs() < 1e-14, "{step:?}");
        assert!((triangle.column(0) - 1000f64.sqrt()).abs() < 1e-11);
    }

    proptest! {
        #[test]
        fn the_triangle_has_the_products_of_the_rows(
            rows in proptest::collection::vec(proptest::collection::vec(-1e3..1e3f64, 4), 1..150),
        ) {
            let r: Vec<f64> = rows.iter().map(|row| row[3]).collect();
            let j: Vec<Vec<f64>> = rows.iter().map(|row| row[..3].to_vec()).collect();
            let triangle = reduced(&j, &r);
            for a in 0..3 {
                for b in 0..4 {
                    let expected: f64 = rows.iter().map(|row| row[a] * row[b]).sum();
                    let size: f64 = rows.iter().map(|row| (row[a] * row[b]).abs()).sum();
                    let found: f64 = (0..3).map(|i| triangle.r(i, a) * triangle.r(i, b)).sum();
                    prop_assert!((found - expected).abs() <= 1e-12 * size, "{a} {b} {found} {expected}");
                }
            }
        }
    }
}
