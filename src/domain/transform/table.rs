//! Stage `table`: straight lines between points.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::finite;
use super::knots;
use super::stage::Local;

pub use super::knots::MAX_POINTS;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// The points' inputs, strictly increasing; 2 to [`MAX_POINTS`] of them.
    pub x: Vec<f64>,
    /// The points' outputs, as many.
    pub y: Vec<f64>,
    /// The standard uncertainties of the outputs, independent of each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub u: Option<Vec<f64>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    segments: Box<[Segment]>,
    first: f64,
    last: f64,
    last_value: f64,
    /// Of the points; empty if none are stated.
    variances: Box<[f64]>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    x: f64,
    y: f64,
    slope: f64,
}

impl Table {
    /// dy/dx is the segment's slope. Beyond the ends the outermost segment goes on, or, where the
    /// domain clamps, the end value is held and the distance from the line becomes a variance.
    #[inline(always)]
    pub(super) fn at(&self, x: f64, hold: bool) -> Local {
        let after = self.segments.partition_point(|segment| segment.x <= x);
        let at = after.saturating_sub(1);
        let segment = self.segments[at];
        let mut line = Local::inside(segment.y + segment.slope * (x - segment.x), segment.slope, 0.0);
        if !self.variances.is_empty() {
            line.variance = self.variance(at, x);
        }
        if x >= self.first && x <= self.last { line } else { self.beyond(line, at, x, hold) }
    }

    #[cold]
    fn beyond(&self, line: Local, at: usize, x: f64, hold: bool) -> Local {
        let (end, value) =
            if x < self.first { (self.first, self.segments[0].y) } else { (self.last, self.last_value) };
        let distance = (x - end) / (self.last - self.first);
        let mut out = Local { excess: distance * distance, ..line };
        if hold {
            out.variance = self.variance(at, end) + (line.value - value) * (line.value - value);
            out.value = value;
        }
        out
    }

    /// From the points of segment `at`: y = (1 - t) y0 + t y1.
    #[inline(never)]
    fn variance(&self, at: usize, x: f64) -> f64 {
        let (Some(before), Some(after)) = (self.variances.get(at), self.variances.get(at + 1)) else {
            return 0.0;
        };
        let start = self.segments[at].x;
        let end = self.segments.get(at + 1).map_or(self.last, |next| next.x);
        let t = (x - start) / (end - start);
        (1.0 - t) * (1.0 - t) * before + t * t * after
    }

    /// Where the slope changes: the points' inputs.
    pub(super) fn knots(&self) -> impl Iterator<Item = f64> {
        self.segments.iter().map(|segment| segment.x).chain([self.last])
    }

    /// The input that gives `y`, if the table only rises or only falls.
    pub(super) fn invert(&self, y: f64, hold: bool) -> Option<f64> {
        let values: Vec<f64> = self.segments.iter().map(|s| s.y).chain([self.last_value]).collect();
        let segment = self.segments[knots::piece_of(&values, y)?];
        let x = segment.x + (y - segment.y) / segment.slope;
        (!hold || self.first <= x && x <= self.last).then_some(x)
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &TableSpec, path: &str) -> Result<Table, ContentError> {
    let table = through(&spec.x, &spec.y, spec.u.as_deref(), path)?;
    knots::not_constant(&spec.y, path)?;
    Ok(table)
}

/// The lines through the points in the fields `x`, `y` and `u` of the stage at `path`.
pub(super) fn through(x: &[f64], y: &[f64], u: Option<&[f64]>, path: &str) -> Result<Table, ContentError> {
    knots::check(x, y, path)?;
    let count = x.len();
    let mut segments = Vec::with_capacity(count - 1);
    for (at, (x, y)) in x.windows(2).zip(y.windows(2)).enumerate() {
        let slope = (y[1] - y[0]) / (x[1] - x[0]);
        finite(slope, path, &format!("y[{}]", at + 1))?;
        segments.push(Segment { x: x[0], y: y[0], slope });
    }
    let variances = knots::variances(u, count, path)?;
    let (first, last, last_value) = (x[0], x[count - 1], y[count - 1]);
    Ok(Table { segments: segments.into(), first, last, last_value, variances })
}
