//! The past of a bias, in a bounded number of points.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// Most points that are kept.
pub const MOST_POINTS: usize = 128;

/// Points for which there is made room at a time.
const GROWTH: usize = 16;

/// Width of a point when a series begins.
const FIRST_WIDTH: i64 = 86_400_000_000;

/// Uncertainties below count as this, so that weights stay numbers.
const LEAST_U: f64 = 1e-150;

/// The mean bias over some time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The middle of that time.
    pub time: Timestamp,
    /// value - reference, in the unit of the values.
    pub bias: f64,
    /// Its standard uncertainty, 0 or more, as far as it is its own: see [`Series::share`].
    pub u: f64,
}

impl Point {
    fn weight(&self) -> f64 {
        self.u.max(LEAST_U).powi(-2)
    }

    /// The mean of both, weighted by 1/u^2.
    fn merged(&self, other: &Point) -> Point {
        let (a, b) = (self.weight(), other.weight());
        let share = b / (a + b);
        let later = other.time.micros_since(self.time) as f64 * share;
        Point {
            time: self.time.saturating_add_micros(later as i64),
            bias: self.bias + (other.bias - self.bias) * share,
            u: (a + b).sqrt().recip(),
        }
    }
}

/// Says that a point has no use.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("expected a finite bias with a standard uncertainty of 0 or more, found {bias} and {u}")]
pub struct PointError {
    /// The bias that was given.
    pub bias: f64,
    /// The uncertainty that was given.
    pub u: f64,
}

/// The past of a bias, in the order of time: at most [`MOST_POINTS`] points, one a day at first.
///
/// Points of one slot of time are merged, weighted by 1/u^2. Whenever there would be too many, slots become
/// twice as wide: the whole past stays, ever coarser. Begin a new one where another transform or instrument begins.
///
/// Points count as independent. What all of them may be off by together is kept apart, as the mean over the points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Kept")]
pub struct Series {
    width: i64,
    points: Vec<Point>,
    shared: Shared,
}

/// What points have in common: of how many it was said, and the mean.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Shared {
    n: u64,
    u: f64,
}

/// What is stored, not yet believed.
#[derive(Deserialize)]
struct Kept {
    width: i64,
    points: Vec<Point>,
    /// Absent in what was stored before it was kept apart: then the points hold it.
    #[serde(default)]
    shared: Shared,
}

impl TryFrom<Kept> for Series {
    type Error = String;
    fn try_from(kept: Kept) -> Result<Series, String> {
        let doublings = kept.width / FIRST_WIDTH;
        if kept.width % FIRST_WIDTH != 0 || doublings.count_ones() != 1 || doublings > 1 << 24 {
            return Err(format!("a series of biases has slots of {} microseconds", kept.width));
        }
        if !(kept.shared.u.is_finite() && kept.shared.u >= 0.0) {
            return Err(format!("a series of biases shares an uncertainty of {}", kept.shared.u));
        }
        let mut series = Series { width: kept.width, points: Vec::new(), shared: kept.shared };
        for point in kept.points {
            series.push(point).map_err(|fault| fault.to_string())?;
        }
        Ok(series)
    }
}

impl Default for Series {
    fn default() -> Series {
        Series { width: FIRST_WIDTH, points: Vec::new(), shared: Shared::default() }
    }
}

impl Series {
    /// Takes a point in, whatever its place in the order of time.
    pub fn push(&mut self, point: Point) -> Result<(), PointError> {
        if !(point.bias.is_finite() && point.u.is_finite() && point.u >= 0.0) {
            return Err(PointError { bias: point.bias, u: point.u });
        }
        let slot = slot(&point, self.width);
        let at = self.points.partition_point(|kept| self::slot(kept, self.width) < slot);
        match self.points.get_mut(at).filter(|kept| self::slot(kept, self.width) == slot) {
            Some(kept) => *kept = kept.merged(&point),
            None => {
                if self.points.len() == self.points.capacity() {
                    // Every sensor has one of these: doubling would leave half of it empty.
                    self.points.reserve_exact(GROWTH.min(MOST_POINTS + 1 - self.points.len()));
                }
                self.points.insert(at, point);
            }
        }
        while self.points.len() > MOST_POINTS {
            self.widen();
        }
        Ok(())
    }

    /// Counts a standard uncertainty that a point has in common with all others, 0 or more: that of a standard, which is off
    /// by the same every day. What is no uncertainty does not count.
    pub fn share(&mut self, u: f64) {
        if u.is_finite() && u >= 0.0 {
            self.shared.n += 1;
            self.shared.u += (u - self.shared.u) / self.shared.n as f64;
        }
    }

    /// The mean of what the points have in common; it does not average out.
    pub fn shared(&self) -> f64 {
        self.shared.u
    }

    /// The points, the oldest first.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The points up to a time: later ones are of a clock that was ahead.
    pub fn until(&self, now: Timestamp) -> Series {
        let points = self.points.iter().filter(|point| point.time <= now).copied().collect();
        Series { points, ..*self }
    }

    fn widen(&mut self) {
        self.width *= 2;
        let width = self.width;
        self.points.dedup_by(|later, kept| {
            let same = slot(later, width) == slot(kept, width);
            if same {
                *kept = kept.merged(later);
            }
            same
        });
    }
}

fn slot(point: &Point, width: i64) -> i64 {
    point.time.as_micros().div_euclid(width)
}
