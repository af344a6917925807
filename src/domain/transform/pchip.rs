//! Stage `pchip`: cubic pieces through points that keep their rises and falls.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::finite;
use super::knots;
use super::root;
use super::stage::Local;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PchipSpec {
    /// The points' inputs, strictly increasing; 2 to [`MAX_POINTS`](knots::MAX_POINTS) of them.
    pub x: Vec<f64>,
    /// The points' outputs, as many.
    pub y: Vec<f64>,
    /// The standard uncertainties of the outputs, independent of each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub u: Option<Vec<f64>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pchip {
    pieces: Box<[Piece]>,
    last: f64,
    last_value: f64,
    /// How the slope at each knot follows the points; empty if no uncertainties are stated.
    leanings: Box<[KnotSlope]>,
    /// Of the points, likewise.
    variances: Box<[f64]>,
}

/// y + s (slope + s (square + s cube)), s = x - start.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    start: f64,
    y: f64,
    slope: f64,
    square: f64,
    cube: f64,
}

/// The slope at a knot, and its derivatives with respect to the outputs of three points in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct KnotSlope {
    slope: f64,
    /// The first of the three.
    first: usize,
    weights: [f64; 3],
}

/// The weights in a value of the two outputs and the two slopes at the ends of its piece.
struct Hermite {
    y: [f64; 2],
    slope: [f64; 2],
}

impl Pchip {
    /// Value and derivative of the piece. Beyond the ends the curve goes on straight with the slope
    /// at the end, or, where the domain clamps, the end value is held and the distance from that
    /// line becomes a variance.
    #[inline(never)]
    pub(super) fn at(&self, x: f64, hold: bool) -> Local {
        let after = self.pieces.partition_point(|piece| piece.start <= x);
        let at = after.saturating_sub(1);
        let piece = self.pieces[at];
        if x < self.pieces[0].start || x > self.last {
            return self.beyond(at, x, hold);
        }
        let (value, slope) = piece.at(x - piece.start);
        if self.variances.is_empty() {
            return Local::inside(value, slope, 0.0);
        }
        let width = self.end_of(at) - piece.start;
        Local::inside(value, slope, self.variance(at, &Hermite::at((x - piece.start) / width, width)))
    }

    #[cold]
    fn beyond(&self, at: usize, x: f64, hold: bool) -> Local {
        let (first, before) = (self.pieces[0], x < self.pieces[0].start);
        let (end, value, slope) = match before {
            true => (first.start, first.y, first.slope),
            false => (self.last, self.last_value, self.pieces[at].at(self.last - self.pieces[at].start).1),
        };
        let (away, kept) = (x - end, if hold { 0.0 } else { x - end });
        let weights = match before {
            true => Hermite { y: [1.0, 0.0], slope: [kept, 0.0] },
            false => Hermite { y: [0.0, 1.0], slope: [0.0, kept] },
        };
        let distance = away / (self.last - first.start);
        let cut = slope * (away - kept);
        let variance = self.variance(at, &weights) + cut * cut;
        Local { value: value + slope * kept, slope, variance, excess: distance * distance }
    }

    /// From all points that the value follows: the two ends of piece `at`, and, through the slopes
    /// there, their neighbours.
    fn variance(&self, at: usize, weights: &Hermite) -> f64 {
        let (Some(left), Some(right)) = (self.leanings.get(at), self.leanings.get(at + 1)) else {
            return 0.0;
        };
        // left.first is at most one place before `at` and before right.first
        let mut total = [0.0; 4];
        total[at - left.first] += weights.y[0];
        total[at - left.first + 1] += weights.y[1];
        for (knot, weight) in [(left, weights.slope[0]), (right, weights.slope[1])] {
            let places = total.iter_mut().skip(knot.first - left.first);
            places.zip(knot.weights).for_each(|(place, share)| *place += weight * share);
        }
        total.iter().zip(&self.variances[left.first..]).map(|(weight, v)| weight * weight * v).sum()
    }

    fn end_of(&self, at: usize) -> f64 {
        self.pieces.get(at + 1).map_or(self.last, |next| next.start)
    }

    /// The points' inputs: where the second derivative jumps.
    pub(super) fn knots(&self) -> impl Iterator<Item = f64> {
        self.pieces.iter().map(|piece| piece.start).chain([self.last])
    }

    /// The input that gives `y`, if the points only rise or only fall.
    pub(super) fn invert(&self, y: f64, hold: bool) -> Option<f64> {
        let values: Vec<f64> = self.pieces.iter().map(|p| p.y).chain([self.last_value]).collect();
        let at = knots::piece_of(&values, y)?;
        let (low, high) = (values[at].min(values[at + 1]), values[at].max(values[at + 1]));
        if low <= y && y <= high {
            let error = |x: f64| (self.at(x, hold).value - y, self.at(x, hold).slope);
            return root::solve(self.pieces[at].start, self.end_of(at), error);
        }
        let end = if at == 0 && (y - values[0]) * (values[1] - values[0]) < 0.0 { 0 } else { at + 1 };
        let x = if end == 0 { self.pieces[0].start } else { self.last };
        let there = x + (y - values[end]) / self.at(x, hold).slope;
        (!hold && there.is_finite()).then_some(there)
    }
}

impl Piece {
    fn between(x: &[f64], y: &[f64], slopes: [f64; 2]) -> Piece {
        let width = x[1] - x[0];
        let mean = (y[1] - y[0]) / width;
        let square = (3.0 * mean - 2.0 * slopes[0] - slopes[1]) / width;
        let cube = (slopes[0] + slopes[1] - 2.0 * mean) / (width * width);
        Piece { start: x[0], y: y[0], slope: slopes[0], square, cube }
    }

    #[inline(always)]
    fn at(&self, s: f64) -> (f64, f64) {
        (
            self.y + s * (self.slope + s * (self.square + s * self.cube)),
            self.slope + s * (2.0 * self.square + 3.0 * s * self.cube),
        )
    }
}

impl Hermite {
    /// At the fraction `t` of a piece.
    fn at(t: f64, width: f64) -> Hermite {
        let rest = 1.0 - t;
        Hermite {
            y: [(1.0 + 2.0 * t) * rest * rest, t * t * (3.0 - 2.0 * t)],
            slope: [width * t * rest * rest, -width * t * t * rest],
        }
    }
}

/// The slopes at the knots, as SciPy's PchipInterpolator chooses them: a weighted harmonic mean of
/// both sides' (Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300), 0 at a turn; at the
/// ends that of a parabola, limited so that the shape is kept (Moler, Numerical Computing with
/// MATLAB, 3.4).
fn slopes(x: &[f64], y: &[f64]) -> Vec<KnotSlope> {
    let widths: Vec<f64> = x.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let secants: Vec<f64> =
        y.windows(2).zip(&widths).map(|(pair, width)| (pair[1] - pair[0]) / width).collect();
    let count = x.len();
    if count == 2 {
        let weights = [-1.0 / widths[0], 1.0 / widths[0], 0.0];
        return vec![KnotSlope { slope: secants[0], first: 0, weights }; 2];
    }
    let knot = |at: usize| {
        let first = at.saturating_sub(1).min(count - 3);
        let (h, m) = ([widths[first], widths[first + 1]], [secants[first], secants[first + 1]]);
        let (slope, by) = match at {
            0 => end(h[0], h[1], m[0], m[1]),
            _ if at == count - 1 => {
                let (slope, [near, far]) = end(h[1], h[0], m[1], m[0]);
                (slope, [far, near])
            }
            _ => inner(h, m),
        };
        // secants are differences of neighbours over widths
        let [left, right] = [by[0] / h[0], by[1] / h[1]];
        KnotSlope { slope, first, weights: [-left, left - right, right] }
    };
    (0..count).map(knot).collect()
}

/// The slope between two secants `m` of widths `h`, and its derivatives with respect to them.
fn inner(h: [f64; 2], m: [f64; 2]) -> (f64, [f64; 2]) {
    if m[0] == 0.0 || m[1] == 0.0 || (m[0] < 0.0) != (m[1] < 0.0) {
        return (0.0, [0.0; 2]);
    }
    let (left, right) = (2.0 * h[1] + h[0], h[1] + 2.0 * h[0]);
    let (left, right) = (left / (left + right), right / (left + right));
    let slope = 1.0 / (left / m[0] + right / m[1]);
    (slope, [left * (slope / m[0]).powi(2), right * (slope / m[1]).powi(2)])
}

/// The slope at an end from the nearest secant and the next one, and its derivatives.
fn end(h: f64, next: f64, m: f64, m_next: f64) -> (f64, [f64; 2]) {
    let (near, far) = ((2.0 * h + next) / (h + next), -h / (h + next));
    let slope = ((2.0 * h + next) * m - h * m_next) / (h + next);
    if sign(slope) != sign(m) {
        (0.0, [0.0; 2])
    } else if sign(m) != sign(m_next) && slope.abs() > 3.0 * m.abs() {
        (3.0 * m, [3.0, 0.0])
    } else {
        (slope, [near, far])
    }
}

fn sign(value: f64) -> i8 {
    i8::from(value > 0.0) - i8::from(value < 0.0)
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &PchipSpec, path: &str) -> Result<Pchip, ContentError> {
    knots::check(&spec.x, &spec.y, path)?;
    knots::not_constant(&spec.y, path)?;
    let variances = knots::variances(spec.u.as_deref(), spec.x.len(), path)?;
    let leanings = slopes(&spec.x, &spec.y);
    let mut pieces = Vec::with_capacity(spec.x.len() - 1);
    for (at, (x, y)) in spec.x.windows(2).zip(spec.y.windows(2)).enumerate() {
        let piece = Piece::between(x, y, [leanings[at].slope, leanings[at + 1].slope]);
        for part in [piece.slope, piece.square, piece.cube] {
            finite(part, path, &format!("y[{}]", at + 1))?;
        }
        pieces.push(piece);
    }
    let count = spec.x.len();
    Ok(Pchip {
        pieces: pieces.into(),
        last: spec.x[count - 1],
        last_value: spec.y[count - 1],
        leanings: if variances.is_empty() { Box::default() } else { leanings.into() },
        variances,
    })
}

#[cfg(test)]
mod tests;
