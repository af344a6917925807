//! Method `deming`: a line with errors in both variables, whose variances have a known ratio.

use super::error::FitError;
use super::fitted::Fit;
use super::line::{Line, Scaled, check, mean, note_unused_uncertainties};
use super::pairs::Pairs;

/// Part of the spread of x that has to remain when a pair is left out, for the jackknife.
const LEAST_SPREAD: f64 = 1e-12;

/// Weighted sums of squares about the means.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sums {
    weight: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

/// Fits y = a + b x by least squares of distances, where `ratio` is the variance of the errors of y
/// over that of x.
///
/// b = (s_yy - r s_xx + sqrt((s_yy - r s_xx)^2 + 4 r s_xy^2)) / (2 s_xy), a = mean(y) - b mean(x)
/// (Deming 1943; Linnet 1993). The covariance is the jackknife's over pairs. Weights multiply both
/// coordinates of a pair; known uncertainties are not looked at. Needs 3 pairs, two different x.
pub fn fit(pairs: &Pairs, ratio: f64) -> Result<Fit, FitError> {
    if !(ratio > 0.0 && ratio.is_finite()) {
        return Err(FitError::Unsupported(format!(
            "deming: the variance ratio is {ratio}, expected a number above 0: the variance of the errors of y over that of x"
        )));
    }
    check("deming", pairs, 3)?;
    let weights = pairs.given_weights();
    let x = Scaled::new(pairs.x(), weights);
    let y = Scaled::new(pairs.y(), weights);
    let scale = y.scale / x.scale;
    let ratio_scaled = ratio / scale / scale;
    let sums = sums(&x.values, &y.values, weights);
    let slope = slope(&sums, ratio_scaled).ok_or_else(undetermined)?;
    let gain = slope * scale;
    let jackknife = jackknife(&x, &y, weights, &sums, ratio_scaled);
    let mut notes = vec![format!("variance of the errors of y over that of x: {ratio}")];
    note_unused_uncertainties(pairs, &mut notes);
    if jackknife.is_none() {
        notes.push("no covariance: without one of the pairs there is no line".to_owned());
    }
    Line { offset: y.centre - gain * x.centre, gain, covariance: jackknife }
        .into_fit("deming", pairs, weights, notes)
}

fn undetermined() -> FitError {
    FitError::Unsupported(
        "deming: the pairs do not tell a direction: x and y are not correlated, or the line is upright; check which columns are x and y"
            .to_owned(),
    )
}

fn sums(x: &[f64], y: &[f64], weights: Option<&[f64]>) -> Sums {
    let products = |a: &[f64], b: &[f64]| -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| a * b);
        match weights {
            None => products.sum(),
            Some(weights) => products.zip(weights).map(|(product, weight)| product * weight).sum(),
        }
    };
    let weight = weights.map_or(x.len() as f64, |weights| weights.iter().sum());
    let (xx, yy, xy) = (products(x, x), products(y, y), products(x, y));
    Sums { weight, x: mean(x, weights), y: mean(y, weights), xx, yy, xy }
}

impl Sums {
    /// The same without one pair.
    fn without(&self, x: f64, y: f64, weight: f64) -> Sums {
        let rest = self.weight - weight;
        let factor = weight * self.weight / rest;
        let (dx, dy) = (x - self.x, y - self.y);
        Sums {
            weight: rest,
            x: self.x - weight * dx / rest,
            y: self.y - weight * dy / rest,
            xx: self.xx - factor * dx * dx,
            yy: self.yy - factor * dy * dy,
            xy: self.xy - factor * dx * dy,
        }
    }
}

/// The slope, in the form of the formula that does not cancel; `None` where there is none.
fn slope(sums: &Sums, ratio: f64) -> Option<f64> {
    let slope = if sums.yy > ratio * sums.xx {
        let excess = sums.yy - ratio * sums.xx;
        let root = excess.hypot(2.0 * ratio.sqrt() * sums.xy);
        (excess + root) / (2.0 * sums.xy)
    } else {
        let excess = sums.xx - sums.yy / ratio;
        2.0 * sums.xy / (excess + excess.hypot(2.0 * sums.xy / ratio.sqrt()))
    };
    slope.is_finite().then_some(slope)
}

/// The covariance of (a, b) by leaving out each pair once: (n - 1)/n times the sums of squares about
/// the mean (Linnet 1990).
fn jackknife(
    x: &Scaled,
    y: &Scaled,
    weights: Option<&[f64]>,
    sums: &Sums,
    ratio: f64,
) -> Option<[[f64; 2]; 2]> {
    let lines: Vec<[f64; 2]> = (0..x.values.len())
        .map(|at| {
            let less = sums.without(x.values[at], y.values[at], weights.map_or(1.0, |weights| weights[at]));
            let slope = slope(&less, ratio).filter(|_| less.xx > LEAST_SPREAD * sums.xx)?;
            // the offset at the centre of x
            Some([less.y - slope * less.x, slope])
        })
        .collect::<Option<_>>()?;
    let n = lines.len() as f64;
    let average = [0, 1].map(|k| lines.iter().map(|line| line[k]).sum::<f64>() / n);
    let product = |i: usize, j: usize| {
        let sum: f64 = lines.iter().map(|line| (line[i] - average[i]) * (line[j] - average[j])).sum();
        sum * (n - 1.0) / n
    };
    Some(from_scaled([[product(0, 0), product(0, 1)], [product(1, 0), product(1, 1)]], x, y))
}

/// The covariance of (a, b) from that of the line through centred and scaled values.
pub(super) fn from_scaled(matrix: [[f64; 2]; 2], x: &Scaled, y: &Scaled) -> [[f64; 2]; 2] {
    // a = y.scale (a' - b' x.centre / x.scale) + y.centre, b = b' y.scale / x.scale
    let at = x.centre / x.scale;
    let [[aa, ab], [_, bb]] = matrix;
    let unit = y.scale * y.scale;
    let cross = unit / x.scale * (ab - at * bb);
    [[unit * (aa - 2.0 * at * ab + at * at * bb), cross], [cross, unit / x.scale / x.scale * bb]]
}
