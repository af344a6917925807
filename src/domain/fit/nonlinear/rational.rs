//! Fit of y = (b0 + b1 x + ... + bM x^M) / (1 + c1 x + ... + cN x^N).

use super::family::{Family, check_all, fit as fit_family};
use super::frame::{Frame, Inner, extremes};
use super::start::{Start, best, eliminate};
use crate::domain::fit::method::{Method, Options};
use crate::domain::fit::{Fit, FitError, Pairs};
use crate::domain::transform::rational::{MAX_COEFFICIENTS, RationalSpec};
use crate::domain::transform::stage::StageSpec;

/// Fits a rational function of degree `above` over degree `below` by least squares, weighted if
/// there are weights.
///
/// Fails where there are fewer pairs or different x than parameters, where the pairs don't tell the
/// parameters apart, and where the best curve has a pole between the pairs.
pub fn fit(pairs: &Pairs, above: usize, below: usize, options: &Options) -> Result<Fit, FitError> {
    let method = Method::Rational(above, below);
    if above >= MAX_COEFFICIENTS || !(1..=MAX_COEFFICIENTS).contains(&below) {
        let most = MAX_COEFFICIENTS;
        let problem = format!("{method}: expected degrees up to {} above and 1 to {most} below", most - 1);
        return Err(FitError::Unsupported(problem));
    }
    check_all(pairs, options, method, above + 1 + below, |_| true)?;
    let family = Rational { frame: Frame::centred(pairs), above, below };
    fit_family(&family, &family.frame, pairs, options)
}

/// Inner form: the same of t, with a denominator of 1 in the middle of the pairs.
struct Rational {
    frame: Frame,
    above: usize,
    below: usize,
}

/// Turns of the iteration that gives the starts.
const TURNS: usize = 8;

impl Rational {
    /// Numerator and denominator, the lowest power first.
    fn split(&self, parameters: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (b, c) = parameters.split_at(self.above + 1);
        (b.to_vec(), [1.0].iter().chain(c).copied().collect())
    }

    /// Minimises sum ((P - v Q) / q)^2, which is linear in the coefficients, with q the denominator
    /// found before (Sanathanan, Koerner 1963).
    fn linearised(&self, pairs: &Inner, before: &[f64]) -> Option<Vec<f64>> {
        let count = self.above + 1 + self.below;
        let (solved, _) = eliminate(pairs, count, |at, t, v, row| {
            let (b, c) = row.split_at_mut(self.above + 1);
            let unit = 1.0 / before[at];
            let mut power = unit;
            for b in b {
                *b = power;
                power *= t;
            }
            power = -v * unit;
            for c in c {
                power *= t;
                *c = power;
            }
            v * unit
        })?;
        Some(solved)
    }

    fn rss(&self, parameters: &[f64], pairs: &Inner) -> f64 {
        let mut gradient = vec![0.0; parameters.len()];
        let roots = |at: usize| pairs.root_weights.as_ref().map_or(1.0, |roots| roots[at]);
        let all = pairs.t.iter().zip(&pairs.v).enumerate();
        all.map(|(at, (t, v))| (roots(at) * (v - self.inner(parameters, *t, &mut gradient))).powi(2)).sum()
    }
}

/// p(t), the lowest power first.
#[inline(always)]
fn horner(coefficients: &[f64], t: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |value, c| value * t + c)
}

/// The coefficients of p((x - origin) / scale).
fn shifted(coefficients: &[f64], origin: f64, scale: f64) -> Vec<f64> {
    let mut out: Vec<f64> = Vec::with_capacity(coefficients.len());
    for coefficient in coefficients.iter().rev() {
        // out (x - origin) / scale + coefficient
        let mut carried = 0.0;
        for value in &mut out {
            let next = *value / scale;
            *value = carried - *value * (origin / scale);
            carried = next;
        }
        if !out.is_empty() {
            out.push(carried);
            out[0] += coefficient;
        } else {
            out.push(*coefficient);
        }
    }
    out
}

/// A place in [low, high] where the polynomial is 0, if there is one: between the places where its
/// derivative is 0 it goes only up or only down.
fn zeros(coefficients: &[f64], low: f64, high: f64) -> Vec<f64> {
    let Some((_, rest)) = coefficients.split_first() else { return Vec::new() };
    if rest.is_empty() {
        return Vec::new();
    }
    let derivative: Vec<f64> = rest.iter().enumerate().map(|(at, c)| (at + 1) as f64 * c).collect();
    let turns = zeros(&derivative, low, high);
    let places: Vec<f64> = [low].into_iter().chain(turns).chain([high]).collect();
    let between = places.windows(2).filter_map(|pair| bisected(coefficients, pair[0], pair[1]));
    between.collect()
}

fn bisected(coefficients: &[f64], mut low: f64, mut high: f64) -> Option<f64> {
    let (left, right) = (horner(coefficients, low), horner(coefficients, high));
    if left == 0.0 || right == 0.0 {
        return Some(if left == 0.0 { low } else { high });
    }
    if (left > 0.0) == (right > 0.0) {
        return None;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if (horner(coefficients, middle) > 0.0) == (left > 0.0) { low = middle } else { high = middle }
    }
    Some(0.5 * (low + high))
}

impl Family for Rational {
    fn method(&self) -> Method {
        Method::Rational(self.above, self.below)
    }

    fn names(&self) -> Vec<String> {
        let above = (0..=self.above).map(|at| format!("b{at}"));
        above.chain((1..=self.below).map(|at| format!("c{at}"))).collect()
    }

    fn t(&self, x: f64) -> f64 {
        self.frame.t(x)
    }

    #[inline(always)]
    fn inner(&self, parameters: &[f64], t: f64, gradient: &mut [f64]) -> f64 {
        let (b, c) = parameters.split_at(self.above + 1);
        let unit = 1.0 / (1.0 + t * horner(c, t));
        let value = horner(b, t) * unit;
        let (in_b, in_c) = gradient.split_at_mut(self.above + 1);
        let mut power = unit;
        for g in in_b {
            *g = power;
            power *= t;
        }
        power = -value * unit;
        for g in in_c {
            power *= t;
            *g = power;
        }
        value
    }

    fn starts(&self, pairs: &Inner) -> Vec<Start> {
        let mut before = vec![1.0; pairs.t.len()];
        let mut starts = Vec::new();
        for _ in 0..TURNS {
            let Some(parameters) = self.linearised(pairs, &before) else { break };
            let below = self.split(&parameters).1;
            for (q, t) in before.iter_mut().zip(&pairs.t) {
                // a pole at a pair would leave nothing of the others
                *q = horner(&below, *t).abs().max(1e-3);
            }
            let rss = self.rss(&parameters, pairs);
            starts.push(Start { parameters, rss });
        }
        let mut starts = best(starts, 2);
        // the polynomial, which has no poles
        let flat = Rational { frame: self.frame, above: self.above, below: 0 };
        if let Some(mut parameters) = flat.linearised(pairs, &vec![1.0; pairs.t.len()]) {
            parameters.resize(self.above + 1 + self.below, 0.0);
            let rss = self.rss(&parameters, pairs);
            starts.push(Start { parameters, rss });
        }
        starts
    }

    fn inward(&self, reported: &[f64]) -> Vec<f64> {
        let (above, below) = self.split(reported);
        let Frame { origin, x_scale, y_scale } = self.frame;
        // x = origin + x_scale t
        let back = |list: &[f64]| shifted(list, -origin / x_scale, 1.0 / x_scale);
        let (above, below) = (back(&above), back(&below));
        let unit = below[0];
        above.iter().map(|b| b / unit / y_scale).chain(below[1..].iter().map(|c| c / unit)).collect()
    }

    fn outward(&self, inner: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let (above, below) = self.split(inner);
        let Frame { origin, x_scale, y_scale } = self.frame;
        let there = |list: &[f64]| shifted(list, origin, x_scale);
        let (p, q) = (there(&above), there(&below));
        let unit = q[0];
        let reported: Vec<f64> =
            p.iter().map(|b| y_scale * b / unit).chain(q[1..].iter().map(|c| c / unit)).collect();
        // one column an inner parameter
        let count = inner.len();
        let columns: Vec<Vec<f64>> = (0..count)
            .map(|at| {
                let power = if at < above.len() { at } else { at - above.len() + 1 };
                let mut one = vec![0.0; power + 1];
                one[power] = 1.0;
                let mut moved = there(&one);
                moved.resize(count + 1, 0.0);
                let mut column = vec![0.0; count];
                for (row, value) in column.iter_mut().enumerate() {
                    let in_above = row < above.len();
                    *value = match (at < above.len(), in_above) {
                        (true, true) => y_scale * moved[row] / unit,
                        (true, false) => 0.0,
                        (false, true) => -reported[row] * moved[0] / unit,
                        (false, false) => (moved[row - above.len() + 1] - reported[row] * moved[0]) / unit,
                    };
                }
                column
            })
            .collect();
        let rows = (0..count).map(|row| columns.iter().map(|column| column[row]).collect()).collect();
        (reported, rows)
    }

    #[inline(always)]
    fn value(&self, reported: &[f64], x: f64) -> f64 {
        let (b, c) = reported.split_at(self.above + 1);
        horner(b, x) / (1.0 + x * horner(c, x))
    }

    fn stage(&self, reported: &[f64], covariance: Option<Vec<Vec<f64>>>) -> StageSpec {
        let (b, c) = reported.split_at(self.above + 1);
        StageSpec::Rational(RationalSpec { numerator: b.to_vec(), denominator: c.to_vec(), covariance })
    }

    fn fault(&self, inner: &[f64], pairs: &Inner) -> Option<String> {
        let (low, high) = extremes(&pairs.t);
        let pole = *zeros(&self.split(inner).1, low, high).first()?;
        let x = self.frame.origin + self.frame.x_scale * pole;
        Some(format!("the best curve has a pole at {x:.6}, between the pairs: take lower degrees"))
    }

    fn remedy(&self) -> &'static str {
        "take lower degrees, or add readings over a wider range; where x is far from 0, count it from nearby"
    }
}
