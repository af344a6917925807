//! The step inside a trust region.

use super::triangle::{Triangle, norm};

/// A step d with |D d| within the radius or a tenth of it beyond.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// d.
    pub by: Vec<f64>,
    /// |D d|.
    pub length: f64,
    /// The damping: 0 for the full step.
    pub damping: f64,
    /// By how much the sum of squares falls if the problem is linear.
    pub gain: f64,
}

/// Newton steps on the damping; two or three are usual.
const TRIES: usize = 12;
/// How far the length may be off the radius.
const SLACK: f64 = 0.1;

/// Solves (J'J + l D'D) d = J'r for the l at which |D d| is the radius, or 0 if the full step is
/// shorter (Moré 1978, sections 4 and 5).
pub(super) fn step(triangle: &Triangle, scale: &[f64], radius: f64) -> Step {
    let full = finish(triangle, triangle.step(), scale, 0.0);
    let solvable = full.length.is_finite();
    if solvable && full.length <= (1.0 + SLACK) * radius {
        return full;
    }
    let low = if solvable { (full.length - radius) / radius / slope(triangle, &full, scale) } else { 0.0 };
    let gradient =
        (0..triangle.size).map(|j| (0..=j).map(|i| triangle.r(i, j) * triangle.q(i)).sum::<f64>() / scale[j]);
    let (mut low, mut high) = (low, (norm(gradient) / radius).max(f64::MIN_POSITIVE));
    let mut damping = if solvable { low.max(1e-3 * high) } else { (1e-3 * high).max(f64::MIN_POSITIVE) };
    for _ in 0..TRIES {
        damping = damping.clamp(low.min(high), high);
        let it = damped(triangle, scale, damping);
        let excess = it.0.length - radius;
        if excess.abs() <= SLACK * radius {
            return it.0;
        }
        if excess > 0.0 {
            low = low.max(damping);
        } else {
            high = high.min(damping);
        }
        damping += excess / radius / slope(&it.1, &it.0, scale);
        if !(damping > low && damping < high) {
            damping = (low.max(1e-3 * high) * high).sqrt();
        }
    }
    damped(triangle, scale, damping).0
}

fn damped(triangle: &Triangle, scale: &[f64], damping: f64) -> (Step, Triangle) {
    let root = damping.sqrt();
    let all = triangle.with_diagonal(&scale.iter().map(|d| root * d).collect::<Vec<_>>());
    (finish(triangle, all.step(), scale, damping), all)
}

/// -(d ln |D d| / d l): |w|^2 with R' w = D'D d / |D d|.
fn slope(triangle: &Triangle, step: &Step, scale: &[f64]) -> f64 {
    let right = step.by.iter().zip(scale).map(|(by, d)| d * (d * by / step.length)).collect();
    norm(triangle.solve_transposed(right).into_iter()).powi(2)
}

fn finish(triangle: &Triangle, by: Vec<f64>, scale: &[f64], damping: f64) -> Step {
    let length = norm(by.iter().zip(scale).map(|(by, d)| d * by));
    let along = norm((0..by.len()).map(|i| (i..by.len()).map(|j| triangle.r(i, j) * by[j]).sum()));
    Step { by, length, damping, gain: along * along + 2.0 * damping * length * length }
}
