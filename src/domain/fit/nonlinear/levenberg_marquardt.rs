//! Nonlinear least squares from given starting values.

use super::damping;
use super::triangle::{Reduction, Triangle, norm};

/// What is minimised: sum w (y - f)^2.
pub struct Problem<'a, F> {
    /// The values to be met.
    pub y: &'a [f64],
    /// The roots of the weights, if there are any.
    pub root_weights: Option<&'a [f64]>,
    /// f(parameters, row), which also writes df/dparameters; not finite where there is none.
    pub model: F,
}

/// Where the sum is least.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// In the order of the start.
    pub parameters: Vec<f64>,
    /// The sum there.
    pub rss: f64,
    /// (J'WJ)^-1, from the triangle of J: times s^2 it is the parameters' covariance.
    pub inverse: Vec<Vec<f64>>,
    /// The condition of J with columns of norm 1; infinite where J has not full rank.
    pub condition: f64,
    /// Evaluations of all rows.
    pub evaluations: usize,
}

/// A condition from which on doubles cannot tell the parameters apart.
pub const SINGULAR: f64 = 1e13;

/// Why there is no solution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The model has no value at the start.
    Start,
    /// Still descending after so many evaluations of all rows.
    Evaluations(usize),
}

/// Below this share of the sum of squares, falls drown in rounding.
const NOISE: f64 = 1e-14;
/// From this share on, full steps are tried alone: they come nearer than the sum of squares shows.
const NEAR: f64 = 1e-6;
/// Where the offset after the next step will be below this, in roots of the sum, that step is the last
/// one: what it leaves is beyond every digit asked.
const DONE: f64 = 1e-10;
/// An offset from which on J, and with it the covariance, changes no more.
const SETTLED: f64 = 1e-9;
/// An offset that polishing reached a minimum with.
const CLOSE: f64 = 1e-7;
/// An offset that is still no minimum.
const STUCK: f64 = 1e-4;

/// Minimises the sum from `start`: Levenberg's and Marquardt's method in the form of Moré (1978),
/// with a trust region, columns scaled by the largest norms so far, and QR instead of J'J; then full
/// Gauss-Newton steps as long as the residuals become more orthogonal to J.
///
/// `reach` is the first radius in lengths of the scaled start; 100 is usual, less is more careful.
pub fn minimise<F>(
    problem: &Problem<'_, F>,
    start: &[f64],
    reach: f64,
    limit: usize,
) -> Result<Solution, Trouble>
where
    F: Fn(&[f64], usize, &mut [f64]) -> f64,
{
    let mut here = problem.look(start.to_vec()).ok_or(Trouble::Start)?;
    let mut scale: Vec<f64> = (0..start.len()).map(|j| here.triangle.column(j)).collect();
    scale.iter_mut().filter(|d| **d == 0.0).for_each(|d| *d = 1.0);
    let mut radius = match reach * here.length(&scale) {
        0.0 => reach,
        radius => radius,
    };
    let (mut evaluations, mut polished) = (1, false);
    while evaluations < limit {
        let step = damping::step(&here.triangle, &scale, radius);
        let ending = step.gain <= here.floor || step.length <= f64::EPSILON * here.length(&scale);
        let near = step.damping == 0.0 && step.gain <= NEAR * here.rss && !polished;
        if near || ending || step.gain <= NOISE * here.rss {
            polished = true;
            evaluations += problem.polish(&mut here);
            let offset = here.triangle.offset();
            if !near || offset <= CLOSE * here.rss.sqrt() || offset * offset <= here.floor {
                return here.finish(evaluations);
            }
            continue;
        }
        let there = problem.look(here.moved(&step.by));
        evaluations += 1;
        let fall = there.as_ref().map_or(f64::NEG_INFINITY, |there| here.rss - there.rss);
        let ratio = fall / step.gain;
        radius = next_radius(radius, &step, ratio);
        match there {
            Some(there) if ratio > 1e-4 => here = there,
            _ => continue,
        }
        for (j, d) in scale.iter_mut().enumerate() {
            *d = d.max(here.triangle.column(j));
        }
    }
    Err(Trouble::Evaluations(evaluations))
}

fn next_radius(radius: f64, step: &damping::Step, ratio: f64) -> f64 {
    if ratio.is_nan() || ratio < 0.25 {
        // a fall like that of a parabola through what is known; never to less than a tenth
        let shrink = if ratio >= 0.0 { 0.5 } else { (0.5 / (1.0 - ratio)).max(0.1) };
        shrink * radius.min(10.0 * step.length)
    } else if ratio >= 0.75 || step.damping == 0.0 {
        radius.max(2.0 * step.length)
    } else {
        radius
    }
}

/// First radii, for starts that may be far away: a first step that is too long may land where the
/// model is flat, and one that is too short in a nearer valley.
const REACHES: [f64; 3] = [100.0, 1.0, 0.1];

/// The best of what [`minimise`] finds with several first radii.
pub fn minimise_from_afar<F>(
    problem: &Problem<'_, F>,
    start: &[f64],
    limit: usize,
) -> Result<Solution, Trouble>
where
    F: Fn(&[f64], usize, &mut [f64]) -> f64,
{
    let mut best = minimise(problem, start, REACHES[0], limit);
    for reach in &REACHES[1..] {
        let other = minimise(problem, start, *reach, limit);
        let better = match (&best, &other) {
            (Ok(best), Ok(other)) => other.beats(best),
            (Err(_), Ok(_)) => true,
            _ => false,
        };
        if better {
            best = other;
        }
    }
    best
}

impl Solution {
    /// Whether this one has a smaller sum, beyond rounding, or is the only one of full rank.
    pub fn beats(&self, other: &Solution) -> bool {
        let full = |it: &Solution| it.condition < SINGULAR;
        match (full(self), full(other)) {
            (true, false) => true,
            (false, true) => false,
            _ => self.rss < other.rss * (1.0 - 1e-9),
        }
    }
}

/// The problem at one place.
struct Place {
    parameters: Vec<f64>,
    rss: f64,
    /// The sum that rounding alone makes of residuals.
    floor: f64,
    triangle: Triangle,
}

impl<F> Problem<'_, F>
where
    F: Fn(&[f64], usize, &mut [f64]) -> f64,
{
    /// `None` where the model has no value or no derivative.
    fn look(&self, parameters: Vec<f64>) -> Option<Place> {
        let mut gradient = vec![0.0; parameters.len()];
        let mut reduction = Reduction::new(parameters.len());
        let (mut rss, mut total) = (0.0, 0.0);
        for (row, y) in self.y.iter().enumerate() {
            let value = (self.model)(&parameters, row, &mut gradient);
            let (mut r, mut y) = (y - value, *y);
            if let Some(root) = self.root_weights.map(|roots| roots[row]) {
                r *= root;
                y *= root;
                gradient.iter_mut().for_each(|g| *g *= root);
            }
            rss += r * r;
            total += y * y;
            reduction.push(&gradient, r);
        }
        let triangle = reduction.finish();
        let finite = rss.is_finite() && (0..parameters.len()).all(|j| triangle.column(j).is_finite());
        let floor = total * f64::EPSILON * f64::EPSILON;
        finite.then_some(Place { parameters, rss, floor, triangle })
    }

    /// Full steps, as long as the offset falls. Gives the evaluations made.
    fn polish(&self, here: &mut Place) -> usize {
        // by how much the last step reduced the offset, and so will the next one, at least
        let mut reduction = 1.0;
        for evaluations in 0..60 {
            let offset = here.triangle.offset();
            let next = here.moved(&here.triangle.step());
            if next == here.parameters || next.iter().any(|value| !value.is_finite()) {
                return evaluations;
            }
            if reduction * offset <= DONE * here.rss.sqrt() && offset <= SETTLED * here.rss.sqrt() {
                here.parameters = next;
                return evaluations;
            }
            match self.look(next) {
                Some(there) if there.nearer(here) => {
                    reduction = there.triangle.offset() / offset;
                    *here = there;
                }
                _ => return evaluations + 1,
            }
        }
        60
    }
}

impl Place {
    /// Whether its residuals are more orthogonal to J, at no larger sum.
    fn nearer(&self, other: &Place) -> bool {
        self.triangle.offset() < 0.9 * other.triangle.offset() && self.rss <= 1.001 * other.rss + other.floor
    }

    fn moved(&self, by: &[f64]) -> Vec<f64> {
        self.parameters.iter().zip(by).map(|(p, by)| p + by).collect()
    }

    fn length(&self, scale: &[f64]) -> f64 {
        norm(self.parameters.iter().zip(scale).map(|(p, d)| p * d))
    }

    fn finish(self, evaluations: usize) -> Result<Solution, Trouble> {
        let offset = self.triangle.offset();
        if offset > STUCK * self.rss.sqrt() && offset * offset > 1e4 * self.floor {
            return Err(Trouble::Evaluations(evaluations));
        }
        let columns = self.triangle.inverse();
        let size = columns.len();
        let product = |i: usize, j: usize| columns.iter().map(|column| column[i] * column[j]).sum::<f64>();
        let inverse: Vec<Vec<f64>> = (0..size).map(|i| (0..size).map(|j| product(i, j)).collect()).collect();
        let scaled = (0..size).map(|j| self.triangle.column(j) * inverse[j][j].sqrt());
        let condition = norm(scaled);
        let condition = if condition.is_finite() { condition } else { f64::INFINITY };
        Ok(Solution { parameters: self.parameters, rss: self.rss, inverse, condition, evaluations })
    }
}
