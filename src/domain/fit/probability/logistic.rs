//! Maximum likelihood of p = 1 / (1 + e^-eta) with eta linear in its parameters, by Newton's method.

use super::super::error::FitError;

/// What is fitted: eta of a row is the sum of its K elements times the K parameters. The last element
/// of every row is 1: there is an intercept.
pub(super) struct Model<'a, const K: usize> {
    pub rows: Vec<[f64; K]>,
    /// Wanted probabilities, from 0 to 1.
    pub targets: &'a [f64],
    pub weights: &'a [f64],
}

/// The maximum of the likelihood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Maximum<const K: usize> {
    pub parameters: [f64; K],
    /// The inverse of the Hessian of the negative log likelihood.
    pub covariance: [[f64; K]; K],
    /// The negative log likelihood.
    pub loss: f64,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoMaximum {
    /// The rows take too few distinct values to tell the parameters apart.
    Collinear,
    /// Elements are too far apart to be subtracted.
    TooFarApart,
    /// The classes, or a part of them, can be told apart without an error: the likelihood rises for
    /// ever as a parameter grows.
    Separated,
    /// After this many iterations.
    NotConverged,
}

const MAX_ITERATIONS: usize = 100;

/// A step this small, against the parameters of centred and scaled elements, is followed by one last
/// step: Newton's method squares the error.
const SMALL_STEP: f64 = 1e-9;

/// A pivot of the Hessian below this share of the total weight: the data don't hold that direction.
const NO_HOLD: f64 = 1e-11;

type Matrix<const K: usize> = [[f64; K]; K];

impl<const K: usize> Model<'_, K> {
    /// Finds the maximum.
    pub(super) fn maximum(mut self) -> Result<Maximum<K>, NoMaximum> {
        let (means, scales) = self.standardise()?;
        let total: f64 = self.weights.iter().sum();
        let mut at = [0.0; K];
        // half of everything is where no direction is lost yet: what is singular here is collinear
        let mut here = self.look(&at);
        cholesky(&here.hessian, total * NO_HOLD).ok_or(NoMaximum::Collinear)?;
        let mut last = false;
        for _ in 0..MAX_ITERATIONS {
            let factor = cholesky(&here.hessian, total * NO_HOLD).ok_or(NoMaximum::Separated)?;
            let step = solve(&factor, &here.gradient);
            if last {
                let parameters = std::array::from_fn(|k| at[k] - step[k]);
                return Ok(restore(parameters, &factor, here.loss, &means, &scales));
            }
            last = (0..K).all(|k| step[k].abs() <= SMALL_STEP * (1.0 + at[k].abs()));
            (at, here) = self.descend(&at, &here, &step);
        }
        Err(NoMaximum::NotConverged)
    }

    /// Centres and scales all elements but the last; gives the means and scales.
    fn standardise(&mut self) -> Result<([f64; K], [f64; K]), NoMaximum> {
        let total: f64 = self.weights.iter().sum();
        let (mut means, mut scales) = ([0.0; K], [1.0; K]);
        for k in 0..K - 1 {
            let weighted = self.rows.iter().zip(self.weights);
            means[k] = weighted.map(|(row, weight)| row[k] * (weight / total)).sum();
            let spread = |row: &[f64; K]| (row[k] - means[k]).abs();
            let widest = self.rows.iter().map(spread).fold(0.0, f64::max);
            if !widest.is_finite() || !means[k].is_finite() {
                return Err(NoMaximum::TooFarApart);
            }
            // relative to the largest: a square of a subnormal number would be 0
            let square = |row: &[f64; K]| (spread(row) / widest).powi(2);
            let weighted = self.rows.iter().zip(self.weights);
            let variance: f64 = weighted.map(|(row, weight)| square(row) * (weight / total)).sum();
            scales[k] = widest * variance.sqrt();
            if scales[k].is_nan() || scales[k] <= 1e-14 * means[k].abs() || scales[k] < f64::MIN_POSITIVE {
                return Err(NoMaximum::Collinear);
            }
            for row in &mut self.rows {
                row[k] = (row[k] - means[k]) / scales[k];
            }
        }
        Ok((means, scales))
    }

    /// The loss and its derivatives.
    fn look(&self, at: &[f64; K]) -> Look<K> {
        let mut look = Look { loss: 0.0, gradient: [0.0; K], hessian: [[0.0; K]; K] };
        for ((row, target), weight) in self.rows.iter().zip(self.targets).zip(self.weights) {
            let eta = (0..K).map(|k| row[k] * at[k]).sum::<f64>();
            let e = (-eta.abs()).exp();
            let d = 1.0 / (1.0 + e);
            let p = if eta < 0.0 { e * d } else { d };
            look.loss += weight * (eta.max(0.0) + e.ln_1p() - target * eta);
            let (slope, curvature) = (weight * (p - target), weight * e * d * d);
            for i in 0..K {
                look.gradient[i] += slope * row[i];
                for j in 0..=i {
                    look.hessian[i][j] += curvature * row[i] * row[j];
                }
            }
        }
        look
    }

    /// Goes along the step, half as far each time the loss does not fall enough (Armijo).
    fn descend(&self, at: &[f64; K], here: &Look<K>, step: &[f64; K]) -> ([f64; K], Look<K>) {
        let promised: f64 = (0..K).map(|k| step[k] * here.gradient[k]).sum();
        let mut length = 1.0;
        loop {
            let next = std::array::from_fn(|k| at[k] - length * step[k]);
            let look = self.look(&next);
            let enough = here.loss - 1e-4 * length * promised + 1e-12 * here.loss.abs();
            if look.loss <= enough || length < 1e-10 {
                return (next, look);
            }
            length /= 2.0;
        }
    }
}

struct Look<const K: usize> {
    loss: f64,
    gradient: [f64; K],
    /// The lower triangle.
    hessian: Matrix<K>,
}

/// The lower factor of a symmetric matrix; `None` where a pivot is below `least`.
fn cholesky<const K: usize>(matrix: &Matrix<K>, least: f64) -> Option<Matrix<K>> {
    let mut factor = [[0.0; K]; K];
    for i in 0..K {
        for j in 0..=i {
            let rest = matrix[i][j] - (0..j).map(|k| factor[i][k] * factor[j][k]).sum::<f64>();
            if i != j {
                factor[i][j] = rest / factor[j][j];
            } else if rest > least {
                factor[i][i] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(factor)
}

fn solve<const K: usize>(factor: &Matrix<K>, right: &[f64; K]) -> [f64; K] {
    let mut out = *right;
    for i in 0..K {
        out[i] = (out[i] - (0..i).map(|k| factor[i][k] * out[k]).sum::<f64>()) / factor[i][i];
    }
    for i in (0..K).rev() {
        out[i] = (out[i] - (i + 1..K).map(|k| factor[k][i] * out[k]).sum::<f64>()) / factor[i][i];
    }
    out
}

/// The maximum in the variables as they were given.
fn restore<const K: usize>(
    at: [f64; K],
    factor: &Matrix<K>,
    loss: f64,
    means: &[f64; K],
    scales: &[f64; K],
) -> Maximum<K> {
    // row i of T: parameter i = sum of T[i][k] times the k-th of the centred and scaled variables
    let mut back = [[0.0; K]; K];
    for k in 0..K {
        back[k][k] = 1.0 / scales[k];
        if k + 1 < K {
            back[K - 1][k] = -means[k] / scales[k];
        }
    }
    let unit = |k: usize| std::array::from_fn(|i| if i == k { 1.0 } else { 0.0 });
    let inverse: Matrix<K> = std::array::from_fn(|k| solve(factor, &unit(k)));
    let half: Matrix<K> =
        std::array::from_fn(|i| std::array::from_fn(|j| (0..K).map(|k| back[i][k] * inverse[k][j]).sum()));
    let entry = |i: usize, j: usize| (0..K).map(|k| half[i][k] * back[j][k]).sum();
    Maximum {
        parameters: std::array::from_fn(|i| (0..K).map(|k| back[i][k] * at[k]).sum()),
        covariance: std::array::from_fn(|i| std::array::from_fn(|j| entry(i.max(j), i.min(j)))),
        loss,
    }
}

impl NoMaximum {
    /// As an error of a method about the column of scores.
    pub(super) fn of(self, method: &str, column: &str, too_few: &str, separated: &str) -> FitError {
        match self {
            NoMaximum::Collinear => FitError::column(column, too_few),
            NoMaximum::TooFarApart => FitError::column(column, "values are too far apart: scale them down"),
            NoMaximum::Separated => FitError::column(column, separated),
            NoMaximum::NotConverged => FitError::NotConverged {
                method: method.to_owned(),
                iterations: MAX_ITERATIONS,
                remedy: "look for outlying scores, or take isotonic".to_owned(),
            },
        }
    }
}
