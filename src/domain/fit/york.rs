//! Method `york`: a line with errors in both variables, known for each pair.

use super::deming::from_scaled;
use super::error::FitError;
use super::fitted::Fit;
use super::line::{Line, Scaled, beyond, check};
use super::pairs::Pairs;

/// Relative change of the slope at which the iteration ends.
const TOLERANCE: f64 = 1e-15;

/// Relative change that rounding may keep up.
const STALLED: f64 = 1e-12;

/// Most iterations; a dozen are usual.
const MAX_ITERATIONS: usize = 2000;

/// One pair, centred and scaled: x, y, the variances of their errors and the covariance of these.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

/// What one pass over the points gives.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pass {
    slope: f64,
    /// Weighted means.
    x: f64,
    y: f64,
}

/// Fits y = a + b x by the unified equations of York et al. 2004 (Am. J. Phys. 72, 367, eq. 13).
///
/// `correlation` is that of the errors of x and y, for each pair; independent if absent. The
/// covariance follows from the pairs' uncertainties alone: it is not multiplied by the residuals'
/// variance. `rss` is chi^2, `residual_std` the root of chi^2/(n - 2), the MSWD. Given weights are
/// refused: the uncertainties are the weights. Needs 3 pairs, u of x and of y, two different x.
pub fn fit(pairs: &Pairs, correlation: Option<&[f64]>) -> Result<Fit, FitError> {
    check("york", pairs, 3)?;
    if pairs.given_weights().is_some() {
        let problem = "york takes no weights beside the uncertainties: leave them out";
        return Err(FitError::Unsupported(problem.to_owned()));
    }
    let (Some(ux), Some(uy)) = (pairs.ux(), pairs.uy()) else { return Err(missing(pairs)) };
    let correlation = checked(pairs, correlation)?;
    let x = Scaled::new(pairs.x(), None);
    let y = Scaled::new(pairs.y(), None);
    let points: Vec<Point> = (0..pairs.len())
        .map(|at| {
            let (ux, uy) = (ux[at] / x.scale, uy[at] / y.scale);
            let xy = correlation.map_or(0.0, |r| r[at]) * ux * uy;
            Point { x: x.values[at], y: y.values[at], xx: ux * ux, yy: uy * uy, xy }
        })
        .collect();
    let pass = iterate(&points)?;
    let gain = pass.slope * y.scale / x.scale;
    let offset = y.centre + (pass.y - pass.slope * pass.x) * y.scale - gain * x.centre;
    let covariance = from_scaled(covariance(&points, &pass), &x, &y);
    let (weights, chi2) = chi_squared(&points, &pass, y.scale);
    let mswd = chi2 / (pairs.len() as f64 - 2.0);
    let mut notes =
        vec![format!("chi^2 {chi2:.6}, MSWD {mswd:.6} with {} degrees of freedom", pairs.len() - 2)];
    if mswd > 2.0 {
        notes.push(
            "the pairs scatter more than their uncertainties allow (MSWD above 2): the standard errors are too small, or the relation is no line"
                .to_owned(),
        );
    }
    Line { offset, gain, covariance: Some(covariance) }.into_fit("york", pairs, Some(&weights), notes)
}

fn missing(pairs: &Pairs) -> FitError {
    let name = if pairs.ux().is_none() { "--ux" } else { "--uy" };
    FitError::Unsupported(format!(
        "york needs the standard uncertainties of x and of y: name their columns ({name} is missing), or take deming with the ratio of their variances"
    ))
}

fn checked<'a>(pairs: &Pairs, correlation: Option<&'a [f64]>) -> Result<Option<&'a [f64]>, FitError> {
    let Some(values) = correlation else { return Ok(None) };
    if values.len() != pairs.len() {
        let problem = format!("has {} values, expected {}", values.len(), pairs.len());
        return Err(FitError::column("correlation", problem));
    }
    match values.iter().position(|r| r.abs() >= 1.0 || r.is_nan()) {
        Some(at) => {
            let problem = format!("expected a correlation between -1 and 1, found {}", values[at]);
            Err(pairs.fault(at, "correlation", problem))
        }
        None => Ok(Some(values)),
    }
}

/// W: what a pair weighs if the slope is `slope`; `smallest` keeps it in range.
fn weight(point: &Point, slope: f64, smallest: f64) -> f64 {
    smallest / variance(point, slope)
}

/// The variance of y - b x.
fn variance(point: &Point, slope: f64) -> f64 {
    point.yy + slope * slope * point.xx - 2.0 * slope * point.xy
}

fn smallest_variance(points: &[Point], slope: f64) -> f64 {
    points.iter().map(|point| variance(point, slope)).fold(f64::INFINITY, f64::min)
}

/// The weighted mean of (x, y).
fn centre(points: &[Point], slope: f64) -> (f64, f64) {
    let smallest = smallest_variance(points, slope);
    let (mut sum, mut x, mut y) = (0.0, 0.0, 0.0);
    for point in points {
        let weight = weight(point, slope, smallest);
        sum += weight;
        x += weight * point.x;
        y += weight * point.y;
    }
    (x / sum, y / sum)
}

/// beta: where the adjusted x of a pair lies, from the weighted mean.
fn beta(point: &Point, slope: f64, (x, y): (f64, f64)) -> f64 {
    let (u, v) = (point.x - x, point.y - y);
    (u * point.yy + slope * v * point.xx - (slope * u + v) * point.xy) / variance(point, slope)
}

/// The next slope.
fn improve(points: &[Point], slope: f64) -> f64 {
    let middle = centre(points, slope);
    let smallest = smallest_variance(points, slope);
    let (mut upper, mut lower) = (0.0, 0.0);
    for point in points {
        let factor = weight(point, slope, smallest) * beta(point, slope, middle);
        upper += factor * (point.y - middle.1);
        lower += factor * (point.x - middle.0);
    }
    upper / lower
}

fn iterate(points: &[Point]) -> Result<Pass, FitError> {
    let mut slope = start(points);
    let mut last = f64::INFINITY;
    for _ in 0..MAX_ITERATIONS {
        let next = improve(points, slope);
        let change = (next - slope).abs();
        if !next.is_finite() {
            return Err(beyond("york"));
        }
        slope = next;
        // rounding may keep the last digits going to and fro
        let settled = change <= TOLERANCE * slope.abs() || change <= STALLED * slope.abs() && change >= last;
        if settled {
            let (x, y) = centre(points, slope);
            return Ok(Pass { slope, x, y });
        }
        last = change;
    }
    Err(FitError::NotConverged {
        method: "york".to_owned(),
        iterations: MAX_ITERATIONS,
        remedy: "the uncertainties are large against the spread of the pairs: add references over a wider range, or take deming".to_owned(),
    })
}

/// The slope of ordinary least squares: York's own start.
fn start(points: &[Point]) -> f64 {
    let xx: f64 = points.iter().map(|point| point.x * point.x).sum();
    let xy: f64 = points.iter().map(|point| point.x * point.y).sum();
    xy / xx
}

/// The covariance of (a, b) at the adjusted points (York et al. 2004, eq. 13), and -mean(x) var(b).
fn covariance(points: &[Point], pass: &Pass) -> [[f64; 2]; 2] {
    let smallest = smallest_variance(points, pass.slope);
    let adjusted: Vec<(f64, f64)> = points
        .iter()
        .map(|point| {
            (weight(point, pass.slope, smallest), pass.x + beta(point, pass.slope, (pass.x, pass.y)))
        })
        .collect();
    let sum: f64 = adjusted.iter().map(|(weight, _)| weight).sum();
    let mean = adjusted.iter().map(|(weight, x)| weight * x).sum::<f64>() / sum;
    let spread: f64 = adjusted.iter().map(|(weight, x)| weight * (x - mean) * (x - mean)).sum();
    let gain = smallest / spread;
    [[smallest / sum + mean * mean * gain, -mean * gain], [-mean * gain, gain]]
}

/// The weights of y - a - b x in the unit of y, and chi^2.
fn chi_squared(points: &[Point], pass: &Pass, scale: f64) -> (Vec<f64>, f64) {
    let mut chi2 = 0.0;
    let weights = points
        .iter()
        .map(|point| {
            let variance = variance(point, pass.slope);
            let residual = (point.y - pass.y) - pass.slope * (point.x - pass.x);
            chi2 += residual * residual / variance;
            1.0 / variance / scale / scale
        })
        .collect();
    (weights, chi2)
}
