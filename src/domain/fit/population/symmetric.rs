//! Small symmetric matrices.

/// Rows.
pub type Matrix = Vec<Vec<f64>>;

/// A pivot below this share of its diagonal element is nothing but rounding.
const ROUNDING: f64 = 1e-13;

/// L of a positive definite matrix L L'.
pub(super) struct Triangle(Matrix);

impl Triangle {
    /// `None` where the matrix is not positive definite.
    pub(super) fn of(matrix: &Matrix) -> Option<Triangle> {
        let mut factor = vec![vec![0.0; matrix.len()]; matrix.len()];
        for row in 0..matrix.len() {
            for column in 0..=row {
                let done: f64 = (0..column).map(|at| factor[row][at] * factor[column][at]).sum();
                let rest = matrix[row][column] - done;
                let positive = rest.is_finite() && rest > ROUNDING * matrix[row][row];
                if row == column && !positive {
                    return None;
                }
                factor[row][column] = if row == column { rest.sqrt() } else { rest / factor[column][column] };
            }
        }
        Some(Triangle(factor))
    }

    /// L^-1 v.
    pub(super) fn forward(&self, vector: &[f64]) -> Vec<f64> {
        let mut solved: Vec<f64> = Vec::with_capacity(vector.len());
        for (row, value) in self.0.iter().zip(vector) {
            let done: f64 = row.iter().zip(&solved).map(|(l, x)| l * x).sum();
            solved.push((value - done) / row[solved.len()]);
        }
        solved
    }

    /// L^-1 M L^-T of a symmetric M.
    pub(super) fn forward_both(&self, matrix: &Matrix) -> Matrix {
        let half: Matrix = matrix.iter().map(|row| self.forward(row)).collect();
        transposed(&half).iter().map(|row| self.forward(row)).collect()
    }

    /// L v.
    pub(super) fn times(&self, vector: &[f64]) -> Vec<f64> {
        times(&self.0, vector)
    }

    /// L M L' of a symmetric M.
    pub(super) fn times_both(&self, matrix: &Matrix) -> Matrix {
        let half: Matrix = matrix.iter().map(|row| self.times(row)).collect();
        transposed(&half).iter().map(|row| self.times(row)).collect()
    }

    /// (L L')^-1.
    pub(super) fn inverse(&self) -> Matrix {
        let columns: Matrix = identity(self.0.len()).iter().map(|unit| self.forward(unit)).collect();
        columns.iter().map(|one| columns.iter().map(|other| dot(one, other)).collect()).collect()
    }
}

pub(super) fn identity(size: usize) -> Matrix {
    (0..size).map(|row| (0..size).map(|column| if row == column { 1.0 } else { 0.0 }).collect()).collect()
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn transposed(matrix: &Matrix) -> Matrix {
    (0..matrix.len()).map(|column| matrix.iter().map(|row| row[column]).collect()).collect()
}

/// M v.
pub(super) fn times(matrix: &Matrix, vector: &[f64]) -> Vec<f64> {
    matrix.iter().map(|row| dot(row, vector)).collect()
}

/// A B.
pub(super) fn product(one: &Matrix, other: &Matrix) -> Matrix {
    let columns = transposed(other);
    one.iter().map(|row| times(&columns, row)).collect()
}

/// v v'.
pub(super) fn outer(vector: &[f64]) -> Matrix {
    vector.iter().map(|one| vector.iter().map(|other| one * other).collect()).collect()
}

/// A + B.
pub(super) fn added(one: &Matrix, other: &Matrix) -> Matrix {
    let row = |(one, other): (&Vec<f64>, &Vec<f64>)| one.iter().zip(other).map(|(a, b)| a + b).collect();
    one.iter().zip(other).map(row).collect()
}

/// M times a number.
pub(super) fn scaled(matrix: &Matrix, by: f64) -> Matrix {
    matrix.iter().map(|row| row.iter().map(|value| value * by).collect()).collect()
}
