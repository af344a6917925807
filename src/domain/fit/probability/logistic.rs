//! Maximum likelihood of p = 1 / (1 + e^-eta) with eta linear in its parameters, by Newton's method.

use super::super::error::FitError;
use super::super::sums;

/// What is fitted: eta of a row is the sum of its elements in K columns times the K parameters. The
/// last column holds ones: there is an intercept.
pub(super) struct Model<'a, const K: usize> {
    pub columns: [Vec<f64>; K],
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
/// step: Newton's method squares the error, so that it is 1e-12 after the one and rounding after the other.
const SMALL_STEP: f64 = 1e-6;

/// A pivot of the Hessian below this share of the total weight: the data don't hold that direction.
const NO_HOLD: f64 = 1e-11;

/// So many rows are worth a look at a part of them first.
const MANY: usize = 2048;

type Matrix<const K: usize> = [[f64; K]; K];

impl<const K: usize> Model<'_, K> {
    /// Finds the maximum.
    pub(super) fn maximum(mut self) -> Result<Maximum<K>, NoMaximum> {
        let (means, scales) = self.standardise()?;
        let (at, factor) = match self.nearby().and_then(|start| self.climb(start).ok()) {
            Some(found) => found,
            None => self.climb([0.0; K])?,
        };
        Ok(restore(at, &factor, &means, &scales))
    }

    /// The maximum of every sixteenth row of many: from there it is two steps to that of all.
    fn nearby(&self) -> Option<[f64; K]> {
        if self.targets.len() < MANY {
            return None;
        }
        let some = |values: &[f64]| values.iter().step_by(16).copied().collect::<Vec<_>>();
        let (targets, weights) = (some(self.targets), some(self.weights));
        let columns = self.columns.each_ref().map(|column| some(column));
        let part = Model { columns, targets: &targets, weights: &weights };
        part.climb([0.0; K]).ok().map(|(at, _)| at)
    }

    /// Newton's method from `at`; gives the maximum and the factor of the Hessian there.
    fn climb(&self, mut at: [f64; K]) -> Result<([f64; K], Matrix<K>), NoMaximum> {
        let total = sums::sum(self.weights);
        let mut here = self.look(&at);
        // where every probability is a half no direction is lost yet: what is singular there is collinear
        let singular = if at == [0.0; K] { NoMaximum::Collinear } else { NoMaximum::Separated };
        cholesky(&here.hessian, total * NO_HOLD).ok_or(singular)?;
        let mut last = false;
        for _ in 0..MAX_ITERATIONS {
            let factor = cholesky(&here.hessian, total * NO_HOLD).ok_or(NoMaximum::Separated)?;
            let step = solve(&factor, &here.gradient);
            if last {
                return Ok((std::array::from_fn(|k| at[k] - step[k]), factor));
            }
            last = (0..K).all(|k| step[k].abs() <= SMALL_STEP * (1.0 + at[k].abs()));
            (at, here) = self.descend(&at, &here, &step);
        }
        Err(NoMaximum::NotConverged)
    }

    /// Centres and scales all columns but the last; gives the means and scales.
    fn standardise(&mut self) -> Result<([f64; K], [f64; K]), NoMaximum> {
        let total = sums::sum(self.weights);
        let shares: Vec<f64> = self.weights.iter().map(|weight| weight / total).collect();
        let (mut means, mut scales) = ([0.0; K], [1.0; K]);
        for (k, column) in self.columns.iter_mut().enumerate().take(K - 1) {
            means[k] = sums::dot(column, &shares);
            let (low, high) = sums::extent(column);
            let widest = (high - means[k]).max(means[k] - low);
            if !widest.is_finite() || !means[k].is_finite() {
                return Err(NoMaximum::TooFarApart);
            }
            // relative to the largest: a square of a subnormal number would be 0
            let square = |x: &f64| ((x - means[k]) / widest).powi(2);
            let variance: f64 = column.iter().zip(&shares).map(|(x, share)| square(x) * share).sum();
            scales[k] = widest * variance.sqrt();
            if scales[k].is_nan() || scales[k] <= 1e-14 * means[k].abs() || scales[k] < f64::MIN_POSITIVE {
                return Err(NoMaximum::Collinear);
            }
            for x in column {
                *x = (*x - means[k]) / scales[k];
            }
        }
        Ok((means, scales))
    }

    /// The derivatives of the loss.
    fn look(&self, at: &[f64; K]) -> Look<K> {
        let mut look = Look { gradient: [0.0; K], hessian: [[0.0; K]; K] };
        let (mut eta, mut parts) = ([0.0; BLOCK], Parts::default());
        for from in (0..self.targets.len()).step_by(BLOCK) {
            let rows = from..(from + BLOCK).min(self.targets.len());
            let columns = self.columns.each_ref().map(|column| &column[rows.clone()]);
            let eta = &mut eta[..rows.len()];
            eta.fill(at[K - 1]);
            for (column, at) in columns.iter().zip(at).take(K - 1) {
                sums::add_multiple(eta, *at, column);
            }
            parts.take(eta, &self.targets[rows.clone()], &self.weights[rows]);
            look.add(&mut parts, &columns);
        }
        look
    }

    /// The negative log likelihood.
    pub(super) fn loss(&self, at: &[f64; K]) -> f64 {
        let mut eta = vec![at[K - 1]; self.targets.len()];
        for (column, at) in self.columns.iter().zip(at).take(K - 1) {
            sums::add_multiple(&mut eta, *at, column);
        }
        let rows = eta.iter().zip(self.targets).zip(self.weights);
        rows.map(|((eta, target), weight)| {
            weight * (eta.max(0.0) + (-eta.abs()).exp().ln_1p() - target * eta)
        })
        .sum()
    }

    /// Goes along the step, half as far each time the loss does not fall.
    fn descend(&self, at: &[f64; K], here: &Look<K>, step: &[f64; K]) -> ([f64; K], Look<K>) {
        let along = |look: &Look<K>| (0..K).map(|k| step[k] * look.gradient[k]).sum::<f64>();
        let before = along(here);
        let mut length = 1.0;
        loop {
            let next = std::array::from_fn(|k| at[k] - length * step[k]);
            let look = self.look(&next);
            // the loss is convex: it fell all the way if it still falls at the end, and a little too far
            // is made good by the next step
            let enough = along(&look) >= -0.25 * before;
            if enough || length < 1e-10 || self.loss(&next) <= self.loss(at) {
                return (next, look);
            }
            length /= 2.0;
        }
    }
}

struct Look<const K: usize> {
    gradient: [f64; K],
    /// The lower triangle.
    hessian: Matrix<K>,
}

/// Rows that are looked at together: each sum then runs over columns, several rows at a time.
const BLOCK: usize = 64;

/// The derivatives of the loss of a block's rows by eta.
struct Parts {
    slopes: [f64; BLOCK],
    curvatures: [f64; BLOCK],
}

impl Default for Parts {
    fn default() -> Parts {
        Parts { slopes: [0.0; BLOCK], curvatures: [0.0; BLOCK] }
    }
}

impl Parts {
    fn take(&mut self, eta: &[f64], targets: &[f64], weights: &[f64]) {
        // the calls stand alone: nothing else has to make way for them
        for (e, eta) in self.curvatures.iter_mut().zip(eta) {
            *e = (-eta.abs()).exp();
        }
        let out = self.slopes.iter_mut().zip(&mut self.curvatures);
        for ((((slope, e), eta), target), weight) in out.zip(eta).zip(targets).zip(weights) {
            let d = 1.0 / (1.0 + *e);
            let p = if *eta < 0.0 { *e } else { 1.0 } * d;
            *slope = weight * (p - target);
            *e = weight * *e * d * d;
        }
    }
}

impl<const K: usize> Look<K> {
    /// Adds a block's rows; the curvatures are used up.
    fn add(&mut self, parts: &mut Parts, columns: &[&[f64]; K]) {
        let mut shares = [0.0; BLOCK];
        for i in 0..K {
            let column = columns[i];
            self.gradient[i] += sums::dot(&parts.slopes[..column.len()], column);
            for ((share, curvature), x) in shares.iter_mut().zip(&parts.curvatures).zip(column) {
                *share = curvature * x;
            }
            for (sum, other) in self.hessian[i][..=i].iter_mut().zip(columns) {
                *sum += sums::dot(&shares[..column.len()], other);
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resample::Seeded;

    /// Draws scores and targets; in every sixteenth row the two go together perfectly.
    fn rows(count: usize) -> ([Vec<f64>; 2], Vec<f64>) {
        let mut draws = Seeded::new(9);
        let row = |at: usize| {
            let x = draws.normal();
            let event =
                if at.is_multiple_of(16) { x > 0.0 } else { draws.uniform() < 1.0 / (1.0 + (-x).exp()) };
            (x, f64::from(event))
        };
        let (x, targets): (Vec<f64>, Vec<f64>) = (0..count).map(row).unzip();
        ([x, vec![1.0; count]], targets)
    }

    #[test]
    fn the_gradient_is_nothing_at_the_maximum_wherever_the_search_began() {
        for count in [100, 5000] {
            let (columns, targets) = rows(count);
            let weights = vec![1.0; count];
            let model = || Model { columns: columns.clone(), targets: &targets, weights: &weights };
            let found = model().maximum().unwrap();
            let gradient = model().look(&found.parameters).gradient;
            assert!(gradient.iter().all(|g| g.abs() < 1e-13 * count as f64), "{gradient:?}");
            assert!(found.parameters[0] > 0.5 && model().loss(&found.parameters) < 0.69 * count as f64);
        }
        // the part that is looked at first has no maximum
        let (columns, targets) = rows(5000);
        assert_eq!(Model { columns, targets: &targets, weights: &[1.0; 5000] }.nearby(), None);
    }

    #[test]
    fn faults_are_told_apart_with_many_rows_too() {
        let targets: Vec<f64> = (0..4000).map(|at| f64::from(at >= 2000)).collect();
        let fault = |x: &dyn Fn(usize) -> f64| {
            let columns = [(0..4000).map(x).collect(), vec![1.0; 4000]];
            Model { columns, targets: &targets, weights: &[1.0; 4000] }.maximum().unwrap_err()
        };
        assert_eq!(fault(&|_| 3.0), NoMaximum::Collinear);
        assert_eq!(fault(&|at| at as f64), NoMaximum::Separated);
        let x: Vec<f64> = (0..4000).map(f64::from).collect();
        let twice = [x.clone(), x.iter().map(|x| 2.0 * x).collect(), vec![1.0; 4000]];
        let collinear = Model { columns: twice, targets: &targets, weights: &[1.0; 4000] }.maximum();
        assert_eq!(collinear.unwrap_err(), NoMaximum::Collinear);
    }
}
