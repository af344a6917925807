//! Stage `table`: straight lines between points.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{all_finite, finite, invalid};
use super::stage::Local;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// The points' inputs, strictly increasing; 2 to [`MAX_POINTS`] of them.
    pub x: Vec<f64>,
    /// The points' outputs, as many.
    pub y: Vec<f64>,
}

/// Most points of a table.
pub const MAX_POINTS: usize = 4096;

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    segments: Box<[Segment]>,
    first: f64,
    last: f64,
    last_value: f64,
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
        let segment = self.segments[after.saturating_sub(1)];
        let line = Local::inside(segment.y + segment.slope * (x - segment.x), segment.slope, 0.0);
        if x >= self.first && x <= self.last { line } else { self.beyond(line, x, hold) }
    }

    #[cold]
    fn beyond(&self, line: Local, x: f64, hold: bool) -> Local {
        let (end, value) =
            if x < self.first { (self.first, self.segments[0].y) } else { (self.last, self.last_value) };
        let distance = (x - end) / (self.last - self.first);
        let mut out = Local { excess: distance * distance, ..line };
        if hold {
            out.variance += (line.value - value) * (line.value - value);
            out.value = value;
        }
        out
    }

    /// Where the slope changes: the points' inputs.
    pub(super) fn knots(&self) -> impl Iterator<Item = f64> {
        self.segments.iter().map(|segment| segment.x).chain([self.last])
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &TableSpec, path: &str) -> Result<Table, ContentError> {
    let count = spec.x.len();
    if !(2..=MAX_POINTS).contains(&count) {
        return Err(invalid(path, "x", &format!("expected 2 to {MAX_POINTS} points, found {count}")));
    }
    if spec.y.len() != count {
        let problem = format!("expected as many values as x has, {count}, found {}", spec.y.len());
        return Err(invalid(path, "y", &problem));
    }
    all_finite(&spec.x, path, "x")?;
    all_finite(&spec.y, path, "y")?;
    let mut segments = Vec::with_capacity(count - 1);
    for (at, (x, y)) in spec.x.windows(2).zip(spec.y.windows(2)).enumerate() {
        if x[1] <= x[0] {
            return Err(invalid(path, &format!("x[{}]", at + 1), "x must be strictly increasing"));
        }
        let slope = (y[1] - y[0]) / (x[1] - x[0]);
        finite(slope, path, &format!("y[{}]", at + 1))?;
        segments.push(Segment { x: x[0], y: y[0], slope });
    }
    if segments.iter().all(|segment| segment.slope == 0.0) {
        return Err(invalid(path, "y", "a constant makes every reading equal"));
    }
    let (first, last, last_value) = (spec.x[0], spec.x[count - 1], spec.y[count - 1]);
    Ok(Table { segments: segments.into(), first, last, last_value })
}
